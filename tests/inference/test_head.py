"""A head turns as its face tells, and as the lifter says where the face tells little."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kinelift.core.arrays import Floats
from kinelift.core.kinematics import joint_positions
from kinelift.core.landmarks import AT, BY, MIRRORED, PLACE
from kinelift.core.rotations import axis_angle, geodesic_angle
from kinelift.core.skeleton import INDEX, JOINTS, TEMPLATE_LENGTHS, rest_offsets
from kinelift.inference.lift import Estimate, with_head
from kinelift.inference.lifters.head import FACE, HeadReader, features, head_turns, load_head

#: so few that frames don't smooth each other
FPS = 0.5
HEAD = INDEX["head"]
X, Z = np.array([1.0, 0, 0]), np.array([0.0, 0, 1])
FLIP = np.diag([-1.0, 1, 1])
#: how far the lifter expects its turns to be off, radians
SPREAD = np.radians(8)


@pytest.fixture(scope="module")
def model() -> HeadReader:
    return load_head()


def somebody(head: Floats, body: Floats | None = None) -> tuple[Estimate, Floats, Floats]:
    """Somebody who stands 4 m before the camera and faces it, but for head (T, 3, 3) and body (3, 3).

    What the lifter says, which knows all but the head: that looks where the body does; and the rays.
    """
    frames = len(head)
    turns = np.tile(np.eye(3) if body is None else body, (frames, len(JOINTS), 1, 1))
    true = turns.copy()
    true[:, HEAD] = head
    root = np.tile([0.0, 4.0, 0.0], (frames, 1))
    joints = joint_positions(true, root, rest_offsets(TEMPLATE_LENGTHS))
    points = joints[:, AT] + (true[:, BY] @ PLACE[..., None])[..., 0]
    rays = np.stack([points[..., 0], -points[..., 2]], -1) / points[..., 1:2]
    spread = np.full((frames, len(JOINTS)), SPREAD)
    lifted = Estimate(TEMPLATE_LENGTHS, turns, root, np.zeros((frames, 4)), Z, spread)
    return lifted, rays, np.ones((frames, 33))


def turned(axis: Floats, degrees: list[float]) -> Floats:
    return np.asarray(axis_angle(np.tile(axis, (len(degrees), 1)), np.radians(degrees)))


def looks(rotations: Floats) -> tuple[Floats, Floats]:
    """Degrees by which heads (T, 3, 3) look down, and to their left."""
    ahead = -rotations[..., 1]
    return np.degrees(np.arcsin(-ahead[..., 2])), np.degrees(np.arctan2(ahead[..., 0], -ahead[..., 1]))


def test_a_head_that_is_turned_is_turned_in_the_answer(model: HeadReader) -> None:
    """By most of it: a detector's face follows a head less far than these landmarks, which lie on it."""
    angles = [-40.0, -20, 0, 20, 40]
    for axis, which in ((X, 0), (Z, 1)):
        lifted, rays, seen = somebody(turned(axis, angles))
        told = looks(with_head(lifted, rays, seen, FPS, model).rotations[:, HEAD])[which]
        assert (np.diff(told) > 5).all(), told
        assert abs(told[2]) < 12 and 25 < told[-1] - told[0] < 110, told


def test_only_the_head_changes(model: HeadReader) -> None:
    lifted, rays, seen = somebody(turned(X, [20.0, -10]))
    after = with_head(lifted, rays, seen, FPS, model)
    others = [j for j in range(len(JOINTS)) if j != HEAD]
    np.testing.assert_array_equal(after.rotations[:, others], lifted.rotations[:, others])
    np.testing.assert_allclose(
        after.rotations[:, HEAD] @ np.swapaxes(after.rotations[:, HEAD], 1, 2),
        np.tile(np.eye(3), (2, 1, 1)),
        atol=1e-6,
    )


def test_a_face_in_the_mirror_is_turned_as_in_the_mirror(model: HeadReader) -> None:
    rng = np.random.default_rng(0)
    _, rays, _ = somebody(turned(np.array([0.6, 0.0, 0.8]), [-30.0, 10, 35]))
    rays = rays + rng.normal(0, 0.003, rays.shape)
    distance = np.full(3, 4.0)
    turns, spread = head_turns(rays, distance, model)
    other, other_spread = head_turns(rays[:, list(MIRRORED)] * [-1, 1], distance, model)
    np.testing.assert_allclose(other, FLIP @ turns @ FLIP, atol=1e-5)
    np.testing.assert_allclose(other_spread, spread, rtol=1e-5)


def test_a_face_that_looks_away_counts_for_less(model: HeadReader) -> None:
    spreads = []
    for body in turned(Z, [0.0, 180]):
        heads = body @ turned(X, [-20.0, 0, 20]) @ turned(Z, [-25.0, 10, 25])
        _, rays, _ = somebody(heads, body)
        spreads.append(head_turns(rays, np.full(3, 4.0), model)[1].mean())
    assert spreads[1] > 1.15 * spreads[0]


def test_a_face_that_nobody_saw_leaves_the_lifters_turn(model: HeadReader) -> None:
    lifted, rays, seen = somebody(turned(X, [30.0, 30]))
    seen[1, list(FACE)] = 0
    after = with_head(lifted, rays, seen, FPS, model)
    off = np.degrees(geodesic_angle(after.rotations[:, HEAD], lifted.rotations[:, HEAD]))
    assert off[0] > 5 and off[1] < 1e-6


def test_a_face_that_trembles_makes_no_head_tremble(model: HeadReader) -> None:
    angles = 25 + 10 * (-1.0) ** np.arange(60)
    lifted, rays, seen = somebody(turned(X, angles.tolist()))
    down, _ = looks(with_head(lifted, rays, seen, 30.0, model).rotations[:, HEAD])
    # the ends are repeated
    assert np.abs(np.diff(down))[9:-9].max() < 1 and down.mean() > 5


def test_a_lifter_without_spreads_keeps_its_head(model: HeadReader) -> None:
    lifted, rays, seen = somebody(turned(X, [30.0]))
    lifted = replace(lifted, turn_spread=None)
    assert with_head(lifted, rays, seen, FPS, model) is lifted


def test_the_features_are_the_same_wherever_the_person_is_in_the_picture(model: HeadReader) -> None:
    """A camera that pans sees the same face turned by as much as it pans."""
    _, rays, _ = somebody(turned(X, [15.0]))
    pan = axis_angle(Z, np.array(0.3))
    points = np.stack([rays[..., 0], np.ones(rays.shape[:2]), -rays[..., 1]], -1) @ pan.T
    panned = np.stack([points[..., 0], -points[..., 2]], -1) / points[..., 1:2]
    (x, axes), (other, turned_axes) = (features(r, np.array([4.0])) for r in (rays, panned))
    np.testing.assert_allclose(other, x, atol=0.1)
    np.testing.assert_allclose(turned_axes[0], axes[0] @ pan.T, atol=5e-3)
