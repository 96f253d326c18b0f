"""A known path of a camera in, the same path out: from points alone, and in metres by who walks before it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from kinelift.bench.score import similarity
from kinelift.core.camera import FILM_WIDTH_MM, WORLD_FROM_LEVEL_CAMERA
from kinelift.core.contacts import contact_features
from kinelift.core.options import CleanUp, Settings
from kinelift.core.pins import Pins
from kinelift.core.rotations import axis_angle, geodesic_angle, quaternion_from_matrix
from kinelift.core.skeleton import TEMPLATE_LENGTHS
from kinelift.inference.camera_path import CameraMotion, camera_motion
from kinelift.inference.camera_scale import camera_scale, sized
from kinelift.inference.camera_travel import travel_of
from kinelift.inference.camera_turns import Background, Pair
from kinelift.inference.lift import Estimate
from kinelift.inference.lifters.weights import load_weights
from kinelift.inference.pipeline import WEIGHTS, resolve, resolve_range
from kinelift.inference.pipeline import _detections_of as detections_of
from kinelift.inference.pipeline import _Known as Known
from kinelift.inference.pipeline import _lifted as lifted
from kinelift.inference.together import beside
from kinelift.inference.track import track
from kinelift.tests.inference.test_bad_input import filmed, walking
from kinelift.tests.inference.test_camera_path import off_path, solved_again
from kinelift.tests.walks import walk

FRAMES = 50
LENS = 0.9
DOWN = np.array([0.0, 1.0, 0.0])
SHARE = np.linspace(0, 1, FRAMES)
STANDS = np.zeros((FRAMES, 3))


def ahead(turns):
    """Rotations (T, 3, 3) that turn about the axis down by angles (T,), radians."""
    return axis_angle(DOWN, -np.asarray(turns))


def room(rng):
    """Points of a room before a camera, metres: a wall, things before it, and the floor."""
    wall = np.column_stack(
        [rng.uniform(-9, 9, 250), rng.uniform(-3, 1.4, 250), 0 * SHARE[0] + np.full(250, 10.0)]
    )
    things = np.column_stack([rng.uniform(-7, 7, 150), rng.uniform(-1, 1.4, 150), rng.uniform(5, 9, 150)])
    floor = np.column_stack([rng.uniform(-7, 7, 100), np.full(100, 1.4), rng.uniform(3, 10, 100)])
    return wall, things, floor


def followed(turns, places, points, own=None, noise=0.2):
    """The `Background` of points (N, 3) before a camera with rotations (T, 3, 3) at places (T, 3).

    Some of the points may have an `own` motion (T, M, 2) in the picture.
    """
    rng = np.random.default_rng(1)
    inside = (points - places[:, None]) @ np.swapaxes(turns, 1, 2)
    at = LENS * inside[..., :2] / inside[..., 2:] + rng.normal(0, noise / 480, (len(turns), len(points), 2))
    if own is not None:
        at[:, : own.shape[1]] += own
    seen = (inside[..., 2] > 1) & (np.abs(at) < [0.5, 0.28]).all(-1)
    background = Background((640, 360))
    for frame in range(1, len(turns)):
        key = (frame - 1) // 10 * 10
        there = seen[key : frame + 1].all(0)
        background.points.pairs.append(
            Pair(key, frame, at[key, there], at[frame, there], np.flatnonzero(there))
        )
    return background


WAYS = {
    "beside": (
        ahead(0.03 * np.sin(9 * SHARE)),
        np.column_stack([4 * SHARE, 0.02 * np.sin(20 * SHARE), 0 * SHARE]),
    ),
    "nearer": (ahead(0 * SHARE), np.column_stack([0 * SHARE, 0 * SHARE, 2 * SHARE])),
    "around": (
        ahead(0.8 * SHARE),
        6 * np.column_stack([-np.sin(0.8 * SHARE), 0 * SHARE, 1 - np.cos(0.8 * SHARE)]),
    ),
}


def way_off(found, true):
    """Mean distance of two paths (T, 3) as a share of their length, up to a similarity."""
    scale, turn, shift = similarity(found, true)
    off = np.linalg.norm(scale * found @ turn.T + shift - true, axis=1).mean()
    return off / np.linalg.norm(np.diff(true, axis=0), axis=1).sum()


@pytest.mark.parametrize("name", WAYS)
def test_a_path_through_a_room(name):
    turns, places = WAYS[name]
    points = np.concatenate(room(np.random.default_rng(0)))
    travel = travel_of(followed(turns, places, points).points.pairs, LENS)
    assert way_off(travel.places, places) < 0.02
    assert np.degrees(geodesic_angle(travel.rotations, turns @ turns[0].T)).max() < 0.5
    assert travel.focal == pytest.approx(LENS) and np.nanmedian(travel.misfit) < 0.001


def test_a_path_along_nothing_but_a_wall():
    turns, places = WAYS["beside"]
    wall, *_ = room(np.random.default_rng(0))
    travel = travel_of(followed(turns, places, wall - np.array([-2, 0, 4])).points.pairs, LENS)
    assert way_off(travel.places, places) < 0.03


def test_a_way_around_tells_the_lens_and_one_ahead_does_not():
    points = np.concatenate(room(np.random.default_rng(0)))
    around, nearer = (
        travel_of(followed(*WAYS[name], points).points.pairs, None) for name in ("around", "nearer")
    )
    assert around.focal == pytest.approx(LENS, rel=0.03) and around.spread < 0.05
    assert nearer.spread > 0.1


def test_points_that_nobody_follows_tell_nothing():
    turns, places = WAYS["beside"]
    few = np.concatenate(room(np.random.default_rng(0)))[::40]
    assert travel_of(followed(turns, places, few).points.pairs, LENS) is None


@pytest.mark.parametrize("blank", [slice(0, 3), slice(20, 30), slice(45, None), slice(1, None)])
def test_where_nothing_is_seen_for_a_while_nothing_is_told(blank):
    turns, places = WAYS["beside"]
    background = followed(turns, places, np.concatenate(room(np.random.default_rng(0))))
    pairs = background.points.pairs
    for one in pairs[blank]:
        none = [getattr(one, name)[:0] for name in ("before", "after", "numbers")]
        pairs[one.frame - 1] = Pair(one.key, one.frame, *none)
    travel = travel_of(pairs, LENS)
    assert travel is None or way_off(travel.places, places) < 0.02


@pytest.mark.parametrize("name", WAYS)
def test_a_camera_that_travels_is_told(name):
    turns, places = WAYS[name]
    points = np.concatenate(room(np.random.default_rng(0)))
    motion, said = camera_motion(followed(turns, places, points), FRAMES + 2, LENS * FILM_WIDTH_MM)
    # how far isn't known before the body is, so nothing is said
    assert motion.travels and not motion.metric and said == ()
    assert len(motion.places) == FRAMES + 2 and motion.places[:, 2].min() == 0
    assert motion.focal_mm == pytest.approx(LENS * FILM_WIDTH_MM)


def test_a_camera_that_turns_does_not_travel():
    points = np.concatenate(room(np.random.default_rng(0)))
    motion, (said,) = camera_motion(
        followed(ahead(0.3 * SHARE), STANDS, points), FRAMES, LENS * FILM_WIDTH_MM
    )
    assert not motion.travels and "turns by 17 degrees" in said


def test_a_short_path_is_nearly_a_turn():
    """Where nobody tells how far the camera travels, the turn is solved with."""
    points, places = np.concatenate(room(np.random.default_rng(0))), 0.1 * WAYS["around"][1]
    seen = followed(ahead(0.1 * SHARE), places, points, noise=0.1)
    motion, said = camera_motion(seen, FRAMES, LENS * FILM_WIDTH_MM)
    assert motion.travels and said == ()
    assert not motion.otherwise.travels and "turns by" in motion.otherwise.said()


def test_water_is_no_path():
    """Most of what is seen moves for itself."""
    points = np.concatenate(room(np.random.default_rng(0)))
    own = np.cumsum(np.random.default_rng(3).normal(0, 0.004, (FRAMES, 400, 2)), axis=0)
    background = followed(ahead(0.2 * SHARE), STANDS, points, own)
    assert camera_motion(background, FRAMES, LENS * FILM_WIDTH_MM)[0] is None


# --- in metres ---


def carried(places):
    """`walk` before a camera at some places (T, 3), in level axes."""
    motion = walk()
    eyes = places - np.array([0, 7.0, -1.4])
    body = Estimate(
        TEMPLATE_LENGTHS, motion.world_rotations, motion.root - eyes, motion.contacts, np.array([0, 0, 1.0])
    )
    return body, motion.contacts, motion.fps


def beside_walk(far):
    seconds = np.arange(120) / 30
    bob = 0.01 * np.sin(12 * seconds)
    return np.column_stack([far * seconds / 4, bob, bob])


def test_feet_that_stand_tell_how_far_a_camera_travels():
    path = beside_walk(3.0)
    body, contacts, fps = carried(path)
    scale, spread = camera_scale(body, path / 3.0, contacts, fps)
    assert scale == pytest.approx(3.0, abs=2 * spread) and spread < 0.5
    noise = np.random.default_rng(0).normal(0, 0.02, body.root.shape)
    noisy = replace(body, root=body.root + noise)
    assert camera_scale(noisy, path / 3.0, contacts, fps).metres == pytest.approx(3.0, rel=0.1)


def travelling(path):
    """A `CameraMotion` with a path (T, 3) in level axes, in no unit."""
    frames = len(path)
    return CameraMotion(
        np.tile(np.eye(3), (frames, 1, 1)), path @ WORLD_FROM_LEVEL_CAMERA, np.ones(frames), 32.0, True, False
    )


def test_a_path_becomes_metric():
    path = beside_walk(3.0)
    motion, said = sized(travelling(path / 3.0), *carried(path))
    assert motion.metric and said == ""
    assert motion.places == pytest.approx(path @ WORLD_FROM_LEVEL_CAMERA, rel=0.02, abs=0.02)
    assert "travels by 3.0 m" in motion.said()


def test_a_train_window_moves_on_its_own():
    """The person steps about before a camera that stands, and the land goes by."""
    motion, said = sized(travelling(beside_walk(1.0)), *carried(np.zeros((120, 3))))
    assert not motion.metric and "moves on its own" in said


def test_who_shows_no_feet_and_is_carried_along_tells_nothing():
    path = np.column_stack([np.linspace(0, 3, 120), np.zeros((120, 2))])
    body, contacts, fps = carried(path)
    motion, said = sized(travelling(path / 3), body, np.zeros_like(contacts), fps)
    assert not motion.metric and "neither steps nor" in said
    # what was known before stays
    known = travelling(path).larger(1.0)
    assert sized(known, body, np.zeros_like(contacts), fps)[0] is known


# --- solved ---


def passing(truth, far):
    """A known walk, and what a camera sees that goes sideways and up and down, in a capture of the truth."""
    share = np.linspace(-0.5, 0.5, len(truth))
    places = np.column_stack([far * share, 0.05 * np.sin(20 * share), 0 * share])
    turns = ahead(0.3 * share)
    seen = replace(truth, camera_places=places, camera_turns=quaternion_from_matrix(turns))
    here = seen.cameras
    still = filmed(truth)
    # where the truth's camera sees a landmark in space, the other one sees it too
    depth = truth.cameras.seen(truth.motion.root[:, None])[..., 2:]
    inside = truth.camera.rays(still.landmarks[..., :2]) * depth - places[:, None]
    inside = np.einsum("tij,tkj->tki", turns, inside)
    pixels = inside[..., :2] / inside[..., 2:] * here.focal[:, None, None] + here.centre
    return replace(
        still,
        landmarks=np.concatenate([pixels, still.landmarks[..., 2:]], -1),
        camera_places=places,
        camera_turns=seen.camera_turns,
    )


@pytest.fixture(scope="module")
def truth():
    return walking()


@pytest.fixture(scope="module")
def solved(truth):
    return solved_again(passing(truth, 1.5))


def test_landmarks_before_a_camera_that_travels_give_the_path(truth, solved):
    assert solved.camera_places.any() and "travels by" in " ".join(solved.warnings)
    assert off_path(solved, truth) < 0.04
    lost = replace(passing(truth, 1.5), camera_places=np.zeros((len(truth), 3)))
    assert off_path(solved_again(lost), truth) > 2 * off_path(solved, truth)


@pytest.fixture(scope="module")
def taller(solved):
    return resolve(solved, {"height": 1.2 * solved.motion.height, "focal": solved.camera.focal_mm})


@pytest.mark.parametrize("turn", [0.0, 0.1])
def test_who_walks_on_while_the_background_goes_by_is_solved_without_a_path(truth, turn):
    share = np.linspace(0, 1, len(truth))
    places, stays = np.column_stack([share, np.sin(9 * share), 0 * share]), np.zeros((len(truth), 3))
    turned = CameraMotion(ahead(turn * share), stays, np.ones(len(truth)), 32.0, True, False)
    motion = replace(turned, places=places, otherwise=turned if turn else None)
    seen = detections_of(filmed(truth))
    settings = Settings(focal=truth.camera.focal_mm)
    shot = lifted(
        track(seen), seen, settings, load_weights(WEIGHTS, torch.device("cpu")), Known(motion=motion), None
    )
    assert (shot.motion is not None) == bool(turn) and not (turn and shot.motion.travels)
    assert any(("turns by" if turn else "as if") in said for said in shot.person.warnings)


def test_solving_again_keeps_the_path(solved, taller):
    again = solved_again(solved)
    np.testing.assert_allclose(again.camera_places, solved.camera_places, atol=0.02)
    np.testing.assert_allclose(again.motion.joints, solved.motion.joints, atol=0.03)
    part = resolve_range(solved, CleanUp(first=10, last=30), solved.motion.contacts > 0.5)
    np.testing.assert_array_equal(part.camera_places, solved.camera_places)
    np.testing.assert_allclose(part.motion.joints, solved.motion.joints, atol=0.05)
    # in a world that stays, so does the path, however tall the person is
    nothing = Pins(np.zeros(0, int), np.zeros((0, 21, 3, 3)), np.zeros((0, 3)), np.zeros(0))
    pinned = resolve(taller, pins=nothing)
    np.testing.assert_allclose(pinned.camera_places, taller.camera_places, rtol=1e-3, atol=1e-3)


def test_who_is_taller_walks_farther_before_a_camera_that_does_too(solved, taller):
    way, before = (np.ptp(one.camera_places, axis=0).max() for one in (taller, solved))
    assert way == pytest.approx(1.2 * before, rel=0.05)


def test_a_foot_that_stands_does_so_before_a_camera_that_travels(truth):
    """The network is told the same speeds in the picture as before a still camera."""
    still, moving = (contact_features(one) for one in (filmed(truth), passing(truth, 1.5)))
    off = np.abs(still - moving)
    assert np.median(off) < 0.1


def test_somebody_beside_travels_with_the_first_ones_camera(solved):
    """Whoever is said to be larger is farther away, and the camera went farther."""
    large = 1.1
    pose = np.array(solved.camera.camera_from_world, np.float64)
    pose[:3, 3] *= large
    one = replace(
        solved,
        motion=replace(solved.motion, offsets=solved.motion.offsets * large, root=solved.motion.root * large),
        camera=replace(solved.camera, camera_from_world=pose),
        camera_places=solved.camera_places * large,
    )
    again = beside(one, solved)
    np.testing.assert_allclose(again.motion.joints, solved.motion.joints, atol=1e-4)
    np.testing.assert_array_equal(again.camera_places, solved.camera_places)
