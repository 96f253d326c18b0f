"""The mannequin is a body a modeller would hand over, and bends as linear blend skinning says."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from kinelift.core.errors import CaptureError
from kinelift.core.kinematics import joint_positions, world_rotations
from kinelift.core.mannequin import MOST_BONES, Mannequin, mannequin, rest_positions
from kinelift.core.rotations import axis_angle
from kinelift.core.skeleton import (
    HEEL_OFFSET,
    INDEX,
    JOINTS,
    LENGTHS,
    MIRROR,
    PARENTS,
    TEMPLATE_LENGTHS,
    TEMPLATE_OFFSETS,
    rest_offsets,
)
from kinelift.inference.skinning import Skin

Array = npt.NDArray[np.float64]


def someone(seed: int) -> Array:
    rng = np.random.default_rng(seed)
    return np.asarray(rest_offsets(TEMPLATE_LENGTHS * rng.uniform(0.8, 1.25, len(LENGTHS))))


CHILD = np.asarray(rest_offsets(TEMPLATE_LENGTHS * 0.45))
GIANT = np.asarray(rest_offsets(TEMPLATE_LENGTHS * 1.6))
PEOPLE = [TEMPLATE_OFFSETS, someone(0), someone(1), CHILD, GIANT]


def corners(body: Mannequin) -> npt.NDArray[np.int64]:
    """Triangles (N, 3)."""
    return np.concatenate([body.faces[:, [0, 1, 2]], body.faces[:, [0, 2, 3]]])


def volume(vertices: Array, triangles: npt.NDArray[np.int64]) -> float:
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def limb_volume(vertices: Array, body: Mannequin, bones: set[int]) -> float:
    """Volume of the part that the bones move, closed by fans over its two openings."""
    inside = np.isin(body.weights.argmax(1), list(bones))
    triangles = corners(body)[inside[corners(body)].all(1)]
    directed = {(a, b) for t in triangles.tolist() for a, b in zip(t, t[1:] + t[:1], strict=True)}
    onward = {b: a for a, b in directed if (b, a) not in directed}
    out = volume(vertices, triangles)
    while onward:
        loop = [next(iter(onward))]
        while loop[-1] in onward:
            loop.append(onward.pop(loop[-1]))
        middle = vertices[loop].mean(0)
        for a, b in pairwise(loop):
            out += float(np.dot(vertices[a], np.cross(vertices[b], middle)) / 6)
    return out


def posed(body: Mannequin, offsets: Array, turns: dict[str, tuple[tuple[float, ...], float]]) -> Array:
    local = np.tile(np.eye(3), (len(JOINTS), 1, 1))
    for joint, (axis, degrees) in turns.items():
        local[INDEX[joint]] = axis_angle(np.array(axis, float), np.radians(degrees))
    world = world_rotations(local)
    joints = joint_positions(world, np.zeros(3), offsets)
    skin = Skin(*map(torch.as_tensor, (body.vertices, body.weights, rest_positions(offsets))))
    return np.asarray(skin(torch.as_tensor(world[None]), torch.as_tensor(joints[None]))[0])


@pytest.mark.slow
@pytest.mark.parametrize("offsets", PEOPLE)
def test_closed_smooth_and_all_of_one_piece(offsets: Array) -> None:
    body = mannequin(offsets)
    assert 5000 <= len(body.faces) <= 15000
    directed = np.stack([body.faces, np.roll(body.faces, -1, 1)], -1).reshape(-1, 2)
    # every edge is walked once in each direction: watertight, all faces turned the same way
    assert len(np.unique(directed, axis=0)) == len(directed)
    assert {*map(tuple, directed.tolist())} == {*map(tuple, directed[:, ::-1].tolist())}
    assert len(body.vertices) - len(directed) // 2 + len(body.faces) == 2  # no handles, no loose points
    assert volume(body.vertices, corners(body)) > 0  # outside out
    # neighbours hardly turn against each other: nothing folded, no edge to be seen
    quads = body.vertices[body.faces]
    normals = np.cross(quads[:, 2] - quads[:, 0], quads[:, 3] - quads[:, 1])
    area = np.linalg.norm(normals, axis=1, keepdims=True)
    assert area.min() > 0
    normals /= area
    face_of = {tuple(edge): i // 4 for i, edge in enumerate(directed.tolist())}
    other = np.array([face_of[b, a] for a, b in directed.tolist()])
    cosine = np.einsum("ij,ij->i", normals[np.arange(len(directed)) // 4], normals[other])
    assert np.percentile(np.degrees(np.arccos(cosine.clip(-1, 1))), 99) < 30
    assert cosine.min() > 0


@pytest.mark.slow
@pytest.mark.parametrize("offsets", PEOPLE[1:4])
def test_left_and_right_are_mirror_images(offsets: Array) -> None:
    body = mannequin(offsets)
    whole = torch.as_tensor(body.vertices)
    mirrored = whole * torch.tensor([-1, 1, 1])
    # every vertex has its image among the others
    image = np.concatenate([torch.cdist(part, whole).argmin(1) for part in mirrored.split(1000)])
    np.testing.assert_allclose(body.vertices[image], mirrored, atol=1e-9)
    np.testing.assert_allclose(body.weights[image], body.weights[:, MIRROR], atol=1e-9)
    assert body.left.sum() * 2 == len(body.faces)
    assert (body.vertices[body.faces[body.left]][..., 0].mean(1) > 0).all()


def test_weights() -> None:
    weights = mannequin(TEMPLATE_OFFSETS).weights
    assert np.abs(weights.sum(1) - 1).max() < 1e-6 and weights.min() >= 0
    assert (weights > 0).sum(1).max() <= MOST_BONES
    assert (weights.max(0) > 0.5).all()  # every bone moves something of its own
    left = [i for i, name in enumerate(JOINTS) if name.endswith(".L")]
    far = mannequin(TEMPLATE_OFFSETS).vertices[:, 0] < -0.13
    assert weights[far][:, left].max() < 0.01  # nothing that could be seen


@pytest.mark.parametrize("offsets", PEOPLE)
def test_bones_run_inside_and_soles_lie_on_the_floor(offsets: Array) -> None:
    body = mannequin(offsets)
    rest = rest_positions(offsets)
    size = (rest[INDEX["head"], 2] - rest[INDEX["foot.L"], 2]) / 1.48
    limbs = ("upper_arm", "forearm", "hand", "thigh", "shin", "foot")
    triangles = body.vertices[corners(body)]
    for name in ("spine", "chest", "head", *(f"{limb}.L" for limb in limbs)):
        # the winding number of a closed surface: 1 inside, 0 outside
        a, b, c = (triangles[:, i] - rest[INDEX[name]] for i in range(3))
        la, lb, lc = (np.linalg.norm(x, axis=1) for x in (a, b, c))
        below = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
        turn = 2 * np.arctan2(np.einsum("ij,ij->i", a, np.cross(b, c)), below)
        assert turn.sum() / (4 * np.pi) == pytest.approx(1, abs=1e-3), name
    heel = rest[INDEX["foot.L"], 2] + HEEL_OFFSET[2] * size
    assert body.vertices[:, 2].min() == pytest.approx(heel, abs=0.03 * size)


@pytest.mark.parametrize("bad", [0.0, float("nan")])
def test_a_bone_without_length(bad: float) -> None:
    lengths = TEMPLATE_LENGTHS.copy()
    lengths[LENGTHS.index("forearm")] = bad
    with pytest.raises(CaptureError, match="'forearm' has no length"):
        mannequin(np.asarray(rest_offsets(lengths)))


@pytest.mark.parametrize("offsets", PEOPLE)
@pytest.mark.parametrize(
    ("bones", "turn"),
    [
        (("upper_arm.L", "forearm.L"), {"forearm.L": ((0, 0, 1), -90)}),
        (("upper_arm.R", "forearm.R"), {"forearm.R": ((0, 0, 1), 90)}),
        (("thigh.L", "shin.L"), {"shin.L": ((1, 0, 0), 90)}),
    ],
)
def test_limbs_keep_their_volume(
    offsets: Array, bones: tuple[str, ...], turn: dict[str, tuple[tuple[float, ...], float]]
) -> None:
    body = mannequin(offsets)
    limb = {INDEX[name] for name in bones}
    straight = limb_volume(body.vertices, body, limb)
    bent = limb_volume(posed(body, offsets, turn), body, limb)
    assert straight > 0 and abs(bent / straight - 1) < 0.15


@pytest.mark.parametrize("offsets", PEOPLE)
@pytest.mark.parametrize(
    ("joint", "axis"),
    [("hand.L", 0), ("forearm.L", 0), ("forearm.R", 0), ("shin.L", 2), ("foot.R", 2), ("head", 2)],
)
def test_a_twisted_limb_is_no_candy_wrapper(offsets: Array, joint: str, axis: int) -> None:
    """A joint twisted by an angle thins a limb to the cosine of its half where two bones share a vertex."""
    body = mannequin(offsets)
    bone = INDEX[joint]
    parent = PARENTS[bone]
    shared = (body.weights[:, [bone, parent]] > 0.02).all(1)
    shared &= body.weights[:, [bone, parent]].sum(1) > 0.98
    line = np.eye(3)[axis]
    twisted = posed(body, offsets, {joint: (tuple(line), 90.0)})
    centre = rest_positions(offsets)[bone]

    def thickness(vertices: Array) -> Array:
        across = (vertices[shared] - centre) * (1 - line)
        return np.asarray(np.linalg.norm(across, axis=1))

    assert shared.sum() > 50
    assert (thickness(twisted) / thickness(body.vertices)).min() > np.cos(np.radians(45)) - 1e-6


def test_a_stiff_body_moves_as_one() -> None:
    body = mannequin(TEMPLATE_OFFSETS)
    turn = axis_angle(np.array([0.6, 0.0, 0.8]), np.array(2.0))
    moved = posed(body, TEMPLATE_OFFSETS, {"hips": ((0.6, 0.0, 0.8), np.degrees(2.0))})
    np.testing.assert_allclose(moved, body.vertices @ turn.T, atol=1e-12)


def test_gradients_reach_the_motion() -> None:
    """Weights and poses can be fitted through the skin."""
    body = mannequin(TEMPLATE_OFFSETS)
    rest = torch.as_tensor(rest_positions(TEMPLATE_OFFSETS))
    skin = Skin(torch.as_tensor(body.vertices[:50]), torch.as_tensor(body.weights[:50]), rest)
    rotations: Any = torch.eye(3, dtype=torch.float64).repeat(2, len(JOINTS), 1, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda r: skin(r, rest.repeat(2, 1, 1))[:, :2], (rotations,))
