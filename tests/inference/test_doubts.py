"""What can't be right in a captured world is told with its frames; what people do is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kinelift.core.arrays import Floats
from kinelift.core.capture import Capture, joined
from kinelift.core.kinematics import local_rotations
from kinelift.core.motion import Motion
from kinelift.core.rotations import axis_angle, quaternion_from_matrix
from kinelift.core.skeleton import INDEX
from kinelift.inference.doubts import doubts
from kinelift.tests.motions import capture_of, random_motion
from kinelift.tests.walks import walk

#: joints that lean with the trunk
TRUNK = [i for n, i in INDEX.items() if n.split(".")[0] not in ("hips", "thigh", "shin", "foot", "toe")]
FRAMES = 120


def seen(motion: Motion, hidden: slice = slice(0)) -> Capture:
    """A capture in which the person is found but for some frames."""
    capture = capture_of(motion)
    landmarks = np.full((len(motion), 33, 3), 0.9)
    landmarks[hidden] = np.nan
    return replace(capture, landmarks=landmarks)


def leaning(degrees: Floats, axis: tuple[float, float, float] = (1.0, 0, 0)) -> Motion:
    """Somebody who walks towards the camera, and whose trunk leans forward, or about another axis."""
    motion = walk(FRAMES)
    world = motion.world_rotations.copy()
    turn = axis_angle(np.tile(np.array(axis), (FRAMES, 1)), np.radians(degrees))
    world[:, TRUNK] = turn[:, None] @ world[:, TRUNK]
    return replace(motion, rotations=quaternion_from_matrix(local_rotations(world)))


def raised(height: Floats, contacts: bool = False) -> Motion:
    motion = walk(FRAMES)
    root = motion.root + height[:, None] * np.array([0.0, 0, 1])
    return replace(motion, root=root, contacts=motion.contacts * contacts)


def during(first: int, end: int, value: float) -> Floats:
    out = np.zeros(FRAMES)
    out[first:end] = value
    return out


def test_who_walks_is_not_doubted() -> None:
    assert doubts(seen(walk(FRAMES))) == ()
    assert doubts(seen(raised(np.zeros(FRAMES)))) == ()  # without contacts too


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("frames", [1, 2, 40])
def test_any_clip_can_be_asked(frames: int, seed: int) -> None:
    for said in doubts(seen(random_motion(frames, seed=seed))):
        assert said.endswith(".")


def test_a_long_lean_towards_the_camera_or_away_from_it_is_told() -> None:
    for sign in (1, -1):
        (said,) = doubts(seen(leaning(during(30, 90, sign * 36.0))))
        assert said.startswith("The trunk leans by 2") and "in frames 30 to 89 (1.0 to 3.0 s) though" in said


def test_a_bow_and_a_lean_that_the_picture_shows_are_not() -> None:
    assert doubts(seen(leaning(during(30, 55, 40.0)))) == ()
    assert doubts(seen(leaning(during(30, 90, 12.0)))) == ()
    assert doubts(seen(leaning(during(30, 90, 27.0), (0.0, 1, 0)))) == ()  # to the side


def test_who_leans_at_a_desk_is_not_doubted() -> None:
    capture = seen(leaning(during(0, FRAMES, 30.0)))
    confidence = capture.confidence.copy()
    confidence[:, [INDEX["shin.L"], INDEX["shin.R"]]] = 0.1
    assert doubts(replace(capture, confidence=confidence)) == ()


def test_hips_that_climb_and_a_body_that_floats_are_told() -> None:
    (said,) = doubts(seen(raised(np.linspace(0, 0.47, FRAMES))))
    assert said.startswith("The body is in the air in frames ") and " to 119 (" in said
    (said,) = doubts(seen(raised(during(20, 70, 0.3))))
    assert "in frames 20 to 69 (0.7 to 2.3 s), longer" in said


def test_a_jump_and_a_box_that_is_stood_on_are_not() -> None:
    assert doubts(seen(raised(during(20, 40, 0.4)))) == ()
    assert doubts(seen(raised(during(40, 120, 0.4), contacts=True))) == ()


def test_a_body_below_the_floor_is_told() -> None:
    (said,) = doubts(seen(raised(during(50, 80, -0.5))))
    assert said.startswith("The body is below the floor in frames 50 to 79 (1.7 to 2.7 s): ")
    assert doubts(seen(raised(during(50, 80, -0.05)))) == ()


def test_a_floor_that_climbs_as_only_stairs_do_is_told() -> None:
    (said,) = doubts(seen(raised(during(80, 120, 0.7), contacts=True)))
    assert said.startswith("The feet stand more than 0.5 m higher or lower than elsewhere in frames ")
    (said,) = doubts(seen(raised(np.linspace(0, -1.4, FRAMES), contacts=True)))
    assert "stairs and roofs" in said


def test_an_end_at_which_nobody_is_seen_is_told_and_a_gap_within_is_not() -> None:
    (said,) = doubts(seen(walk(FRAMES), slice(100, 120)))
    assert said == "Nobody is seen in frames 100 to 119 (3.3 to 4.0 s): the body only rests there."
    assert doubts(seen(walk(FRAMES), slice(60, 80))) == doubts(seen(walk(FRAMES), slice(118, 120))) == ()


def test_each_shot_is_looked_at_for_itself_and_named_in_frames_of_all() -> None:
    both = joined([seen(walk(FRAMES)), seen(leaning(during(30, 90, 27.0)))])
    assert "in frames 150 to 209 (5.0 to 7.0 s) though" in doubts(both)[0]
    # half of it before a cut and half after is no stretch
    halves = [leaning(during(95, 120, 27.0)), leaning(during(0, 25, 27.0))]
    assert doubts(joined([seen(one) for one in halves])) == ()


def test_many_stretches_are_counted() -> None:
    capture = seen(walk(FRAMES))
    sunk = joined([seen(raised(during(50, 80, -0.5)))] * 7)
    assert "2 more stretches" in doubts(sunk)[0] and len(doubts(sunk)) == 1
    assert doubts(capture) == ()
