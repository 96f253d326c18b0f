"""What is known of each frame is said, and which limb isn't seen or isn't where the picture shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from kinelift.core.capture import Capture, joined
from kinelift.core.kinematics import joint_positions, local_rotations
from kinelift.core.landmarks import LANDMARK
from kinelift.core.quality import (
    LIMBS,
    STATES,
    depth_doubt,
    doubt,
    doubtful_moments,
    expected_error,
    joints_off_picture,
    limbs_off_picture,
    off_picture,
    shares,
    states,
    stretches,
    unsure_stretches,
)
from kinelift.core.rotations import axis_angle, matrix_from_vector, quaternion_from_matrix
from kinelift.core.skeleton import INDEX, JOINTS
from kinelift.tests.motions import filmed_moving, random_capture


def known() -> Capture:
    """A capture of 100 frames with each state, each worse one within a better one."""
    capture = random_capture(100)
    capture.confidence[20:60, [INDEX["shin.L"], INDEX["foot.L"]]] = 0
    capture.landmarks[30:40] = np.nan
    capture.confidence[30:40] = 0
    return replace(capture, unsure_sides=((35, 44), (90, 99)))


def test_a_frame_is_in_its_worst_state() -> None:
    expected = np.full(100, STATES.index("found"))
    expected[20:60] = STATES.index("guessed_limbs")
    expected[35:45] = expected[90:] = STATES.index("unsure_sides")
    expected[30:40] = STATES.index("bridged")
    np.testing.assert_array_equal(states(known()), expected)


def test_stretches_are_all_frames_and_shares_are_one() -> None:
    capture = known()
    told = stretches(capture)
    assert told["bridged"] == [(30, 39)] and told["unsure_sides"] == [(40, 44), (90, 99)]
    assert told["guessed_limbs"] == [(20, 29), (45, 59)] and told["found"] == [(0, 19), (60, 89)]
    assert shares(capture) == pytest.approx(
        {"found": 0.5, "guessed_limbs": 0.25, "off_picture": 0, "unsure_sides": 0.15, "bridged": 0.1}
    )


@pytest.mark.parametrize("limb", [("head",), ("forearm.R", "hand.R"), ("shin.L", "foot.L")])
def test_a_limb_is_guessed_if_it_was_hardly_seen(limb: tuple[str, ...]) -> None:
    capture = random_capture(10)
    capture.confidence[5, [INDEX[name] for name in limb]] = 0
    assert stretches(capture)["guessed_limbs"] == [(5, 5)]
    capture.confidence[5, [INDEX[name] for name in limb]] = 0.1
    assert stretches(capture)["guessed_limbs"] == [(5, 5)]
    capture.confidence[5, [INDEX[name] for name in limb]] = 0.5
    assert not stretches(capture)["guessed_limbs"]


def test_legs_that_nobody_asked_for_are_no_guess() -> None:
    capture = random_capture(10)
    capture.confidence[
        :, [INDEX[f"{name}.{side}"] for name in ("thigh", "shin", "foot") for side in "LR"]
    ] = 0
    assert shares(capture)["guessed_limbs"] == 1
    assert shares(replace(capture, settings={"body": "upper"}))["found"] == 1


def turned(capture: Capture, limb: str, frames: slice, degrees: float) -> Capture:
    """The same with an arm or leg, from the joint on, turned across the line of sight in some frames."""
    motion, side = capture.motion, limb[-1]
    world = motion.world_rotations.copy()
    turn = axis_angle(capture.camera.camera_from_world[2, :3], np.array(np.radians(degrees)))
    whole = ("upper_arm", "forearm", "hand") if "arm" in limb else ("thigh", "shin", "foot", "toe")
    for name in whole[whole.index(limb[:-2]) :]:
        world[frames, INDEX[f"{name}.{side}"]] = turn @ world[frames, INDEX[f"{name}.{side}"]]
    return replace(capture, motion=replace(motion, rotations=quaternion_from_matrix(local_rotations(world))))


@pytest.mark.parametrize("filmed", [lambda capture: capture, filmed_moving], ids=["still", "moving"])
def test_a_body_on_its_landmarks_is_sure(filmed: Callable[[Capture], Capture]) -> None:
    capture = filmed(random_capture(120))
    assert off_picture(capture).max() < 1e-6 and np.allclose(doubt(capture), 0.1)
    assert not unsure_stretches(capture) and shares(capture)["found"] == 1


@pytest.mark.parametrize(
    ("joint", "limb"),
    [
        ("upper_arm.L", "left arm"),
        ("forearm.R", "right arm"),
        ("thigh.L", "left leg"),
        ("shin.R", "right leg"),
    ],
)
def test_a_limb_turned_away_from_its_landmarks_is_unsure_there_and_nowhere_else(
    joint: str, limb: str
) -> None:
    capture = turned(random_capture(120), joint, slice(40, 70), 60)
    assert unsure_stretches(capture) == [(40, 69, limb)]
    off = states(capture) == STATES.index("off_picture")
    # in a frame it points at the camera, and is where it was
    assert off[40:70].sum() >= 29 and not off[:40].any() and not off[70:].any()
    of = [INDEX[name] for name in LIMBS[limb]]
    others = [j for j in range(len(JOINTS)) if JOINTS[j][-1] != joint[-1]]
    doubts = doubt(capture)
    assert doubts[:, others].max() < 0.11 and np.median(doubts[40:70, of[1]]) > 0.95
    assert limbs_off_picture(capture)[limb] == pytest.approx(joints_off_picture(capture)[:, of].mean())
    # a little is no more than how people differ
    assert not unsure_stretches(turned(random_capture(120), joint, slice(40, 70), 3))


def test_a_distance_is_a_share_of_the_persons_height_and_counts_by_the_landmarks_spread() -> None:
    capture = random_capture(30)
    motion, camera = capture.motion, capture.camera
    depth = (motion.root - camera.eye) @ camera.camera_from_world[2, :3]
    tall = motion.height * camera.focal / depth
    wrist = LANDMARK["wrist.L"]
    capture.landmarks[:, wrist, 0] += 0.06 * tall
    assert off_picture(capture)[:, wrist] == pytest.approx(0.06, abs=1e-6)
    # the wrist is one of three landmarks that show the hand
    hand = INDEX["hand.L"]
    assert joints_off_picture(capture)[:, hand] == pytest.approx(0.02, abs=1e-6)
    sharp = doubt(capture)[:, hand]
    capture.spread[:, wrist] = (0.06 * tall[:, None]) ** 2 * [1, 0, 1]
    assert (doubt(capture)[:, hand] < sharp - 0.15).all()
    capture.spread[:] = np.nan  # as in files of earlier versions
    assert (doubt(capture)[:, hand] > 0.3).all()


def test_what_nobody_saw_is_unsure_and_has_no_distance() -> None:
    capture = random_capture(120)
    capture.confidence[10:20, [INDEX["forearm.R"], INDEX["hand.R"]]] = 0.05
    capture.confidence[60:62, INDEX["head"]] = 0  # too short to tell
    capture.landmarks[80:] = np.nan
    capture.confidence[80:] = 0
    assert unsure_stretches(capture) == [(10, 19, "right arm"), (80, 119, "")]
    assert (doubt(capture)[80:] == 1).all() and np.isnan(joints_off_picture(capture)[80:]).all()
    capture.landmarks[:] = np.nan
    assert set(limbs_off_picture(capture).values()) == {None}


def test_stretches_next_to_each_other_are_one_but_the_ends_of_a_clip_are_sure() -> None:
    capture = random_capture(60)
    for frames in (slice(2, 12), slice(14, 24), slice(50, 58)):
        capture.confidence[frames, INDEX["head"]] = 0
    assert unsure_stretches(capture) == [(2, 23, "head"), (50, 57, "head")]


def test_every_shot_is_seen_by_its_own_camera() -> None:
    one, other = (random_capture(40, seed) for seed in (1, 2))
    pose = other.camera.camera_from_world.copy()
    pose[2, 3] += 1.0
    motion = replace(other.motion, offsets=one.motion.offsets)
    away = replace(other, camera=replace(other.camera, camera_from_world=pose), motion=motion)
    off = off_picture(joined([one, away]))
    assert off[:40].max() < 1e-6 < 0.05 < off[40:].mean()


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_clip_of_few_frames(frames: int) -> None:
    capture = random_capture(frames)
    assert not unsure_stretches(capture) and shares(capture)["found"] == 1
    capture.confidence[:] = 0
    assert unsure_stretches(capture) == ([(0, frames - 1, "")] if frames == 3 else [])


def test_depth_is_doubtful_as_far_as_the_lifter_doubts_its_turn() -> None:
    capture = random_capture(6)
    spread = np.radians(np.tile([[3.0], [5.0], [15.0], [25.0], [90.0], [np.nan]], len(JOINTS)))
    told = depth_doubt(replace(capture, turn_spread=spread))
    np.testing.assert_allclose(told, np.tile([[0], [0], [0.5], [1], [1], [0]], len(JOINTS)), atol=1e-6)
    # and the picture has no part in it
    capture.landmarks[:] = np.nan
    np.testing.assert_array_equal(depth_doubt(replace(capture, turn_spread=spread)), told)


def test_the_expected_error_is_that_of_turns_that_spread_so() -> None:
    capture = random_capture(2, seed=4)
    spread = np.random.default_rng(1).uniform(0.02, 0.1, capture.turn_spread.shape)
    capture = replace(capture, turn_spread=spread)
    motion, rng, count = capture.motion, np.random.default_rng(2), 4000
    vectors = rng.normal(0, spread[0][:, None], (count, len(JOINTS), 3))
    turns = matrix_from_vector(vectors) @ motion.world_rotations[0]
    offsets = motion.offsets.astype(float)
    there = joint_positions(turns, np.zeros((count, 3)), offsets)
    here = joint_positions(motion.world_rotations[0], np.zeros(3), offsets)
    away = np.sqrt(((there - here) ** 2).sum(-1).mean(0))
    np.testing.assert_allclose(expected_error(capture)[0], away, rtol=0.05, atol=1e-6)


def test_doubtful_moments_are_apart_and_the_worst_comes_first() -> None:
    capture = random_capture(60, seed=4)
    spread = np.full(capture.turn_spread.shape, 0.1)
    spread[[10, 12, 40], INDEX["upper_arm.L"]] = (0.4, 0.3, 0.5)
    moments = doubtful_moments(replace(capture, turn_spread=spread))
    assert moments[:2] == [40, 10] and 12 not in moments
    assert np.diff(sorted(moments)).min() >= 15
    assert doubtful_moments(replace(capture, turn_spread=np.full(spread.shape, np.nan))) == []
