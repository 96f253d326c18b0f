"""What an artist corrects in a whole clip is seen in the motion, and the picture goes on counting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kinelift.core.arrays import Floats
from kinelift.core.capture import Capture, joined
from kinelift.core.limits import HINGES
from kinelift.core.option import options_of
from kinelift.core.options import CleanUp, Corrections
from kinelift.core.rotations import geodesic_angle
from kinelift.core.skeleton import INDEX, JOINTS
from kinelift.inference.pipeline import resolve, resolve_range
from kinelift.tests.inference.test_bad_input import filmed, walking

# solves many times
pytestmark = pytest.mark.slow

LENS = {"focal": 28.0}
Solve = Callable[..., Capture]


@pytest.fixture(scope="module")
def solve() -> Solve:
    """Solves the same walk towards the camera with corrections, once with each."""
    seen, known = filmed(walking(60)), {}

    def solved(**how: Any) -> Capture:
        key = tuple(how.items())
        if key not in known:
            known[key] = resolve(seen, LENS | how)
        return known[key]

    return solved


def lean(capture: Capture) -> float:
    """How far the trunk leans forwards, degrees."""
    joints, turns = capture.motion.joints, capture.motion.world_rotations
    trunk = joints[:, INDEX["neck"]] - joints[:, INDEX["hips"]]
    ahead = np.cross(turns[:, 0, :, 0], [0.0, 0.0, 1.0])
    return float(np.degrees(np.arctan2((trunk * ahead).sum(-1), trunk[:, 2]).mean()))


def pitch(capture: Capture) -> float:
    """How far the head looks up, degrees."""
    face = -capture.motion.world_rotations[:, INDEX["head"], :, 1]
    return float(np.degrees(np.arcsin(face[:, 2])).mean())


def knees(capture: Capture) -> float:
    """How far the knees are bent, degrees."""
    turns, bends = capture.motion.world_rotations, []
    for joint, child, bone, _ in (hinge for hinge in HINGES if JOINTS[hinge[1]].startswith("shin")):
        bends.append(np.arccos(np.clip((turns[:, joint] @ bone * (turns[:, child] @ bone)).sum(-1), -1, 1)))
    return float(np.degrees(np.mean(bends)))


def upwards(capture: Capture) -> Floats:
    """The world's up in the camera's axes: y is down, z away from the camera."""
    up: Floats = capture.camera.camera_from_world[:3, 2]
    return up


def off(capture: Capture, other: Capture) -> Floats:
    """How far joints (T, J) of a motion are from those of another in the picture, shares of its height."""
    places = (one.camera.project(one.motion.joints) for one in (capture, other))
    away = np.linalg.norm(np.subtract(*places), axis=-1)
    return np.asarray(away / np.linalg.norm(capture.camera.size))


def jerky(capture: Capture, joint: str) -> float:
    """How quickly the turn of a bone changes."""
    turns = capture.motion.world_rotations[:, INDEX[joint]]
    return float(np.linalg.norm(np.diff(turns, n=2, axis=0), axis=(1, 2)).mean())


def test_nothing_is_corrected_by_default_to_the_last_bit(solve: Solve) -> None:
    neutral = {name: one.default for name, one in options_of(Corrections).items()}
    before, after = solve().motion, solve(**neutral).motion
    np.testing.assert_array_equal(before.rotations, after.rotations)
    np.testing.assert_array_equal(before.root, after.root)


@pytest.mark.parametrize(
    ("name", "little"),
    [("lean", 0.01), ("head_pitch", 0.01), ("straighten_knees", 1e-3), ("floor_tilt", 0.01),
     ("floor_roll", 0.01), ("smooth_arms", 0.01), ("smooth_legs", 0.01)],
)  # fmt: skip
def test_what_is_corrected_by_very_little_hardly_changes(solve: Solve, name: str, little: float) -> None:
    turned = geodesic_angle(solve().motion.world_rotations, solve(**{name: little}).motion.world_rotations)
    assert np.degrees(turned).mean() < 0.3


@pytest.mark.parametrize("name", ["lean", "head_pitch"])
def test_most_of_an_angle_that_is_asked_arrives(solve: Solve, name: str) -> None:
    measured = lean if name == "lean" else pitch
    before = measured(solve())
    gained = [measured(solve(**{name: asked})) - before for asked in (-10.0, -5.0, 5.0, 10.0)]
    assert gained == sorted(gained)
    assert gained[0] == pytest.approx(-10.0, abs=3.0) and gained[-1] == pytest.approx(10.0, abs=3.0)
    # and in the picture the body stays where it is
    assert off(solve(**{name: 10.0}), solve()).mean() < 0.01


def test_knees_are_straightened_by_about_the_share_that_is_asked(solve: Solve) -> None:
    bends = [knees(solve(straighten_knees=share)) for share in (0.0, 0.3, 0.6, 1.0)]
    assert bends == sorted(bends, reverse=True)
    assert 0.65 < bends[1] / bends[0] < 0.85 and bends[-1] < 0.2 * bends[0]


def test_the_floor_tilts_by_the_angle_that_is_asked(solve: Solve) -> None:
    before = upwards(solve())
    tilted, rolled = upwards(solve(floor_tilt=5.0)), upwards(solve(floor_roll=5.0))
    for after in (tilted, rolled):
        assert np.degrees(np.arccos(before @ after)) == pytest.approx(5.0, abs=0.1)
    assert tilted[2] < before[2] - 0.08  # a floor that rises away from the camera faces it
    assert rolled[0] < before[0] - 0.08  # one that rises to the right faces left
    # feet stand on it
    soles = solve(floor_tilt=5.0).motion.sole_heights()
    assert soles.min() > -0.03 and np.abs(soles.min(axis=1)).mean() < 0.03


def test_a_limb_that_is_smoothed_moves_evenly_and_the_others_go_on(solve: Solve) -> None:
    for option, own, others in (
        ("smooth_arms", "forearm.L", ("shin.L", "head")),
        ("smooth_legs", "shin.L", ("forearm.L", "head")),
        ("smooth_head", "head", ("forearm.L", "shin.L")),
        ("smooth_trunk", "chest", ("forearm.L", "shin.L")),
    ):
        some, much = (jerky(solve(**{option: seconds}), own) for seconds in (0.2, 0.6))
        assert much < some < jerky(solve(), own), option
        assert much < 0.8 * jerky(solve(), own), option
        for other in others:
            assert jerky(solve(**{option: 0.2}), other) > 0.9 * jerky(solve(), other), (option, other)


def test_feet_that_stand_go_on_standing_while_legs_are_corrected(solve: Solve) -> None:
    for how in ({"smooth_legs": 0.3}, {"straighten_knees": 0.5}, {"lean": -10.0}):
        motion = solve(**how).motion
        stands = (motion.contacts[1:] > 0.5) & (motion.contacts[:-1] > 0.5)
        assert stands.mean() > 0.2
        # heels and toes; heights tell enough of planting
        assert np.abs(motion.sole_heights()[1:][stands]).mean() < 0.02, how


def test_the_next_solve_keeps_the_corrections_and_can_take_them_back(solve: Solve) -> None:
    leaning = solve(lean=10.0)
    assert leaning.settings["lean"] == 10.0
    assert lean(resolve(leaning)) == pytest.approx(lean(leaning), abs=0.5)
    assert lean(resolve(leaning, {"lean": 0.0})) == pytest.approx(lean(solve()), abs=0.5)


def test_a_range_is_solved_again_with_the_corrections_of_the_whole(solve: Solve) -> None:
    tilted = solve(floor_tilt=5.0, lean=8.0)
    again = resolve_range(tilted, CleanUp(first=20, last=40), tilted.motion.contacts > 0.5)
    assert again.settings == tilted.settings
    turned = geodesic_angle(tilted.motion.world_rotations, again.motion.world_rotations)
    assert np.degrees(turned[25:35]).mean() < 3.0
    np.testing.assert_array_equal(again.motion.root[:20], tilted.motion.root[:20])


def test_smoothing_stops_at_a_cut() -> None:
    walk = filmed(walking(90))
    shots = [walk.part(slice(0, 40)), walk.part(slice(55, 90))]
    both = resolve(joined(shots), LENS | {"smooth_arms": 0.6})
    assert both.motion.cuts == (40,)
    alone = resolve(shots[0], LENS | {"smooth_arms": 0.6})
    arms = [number for number, joint in enumerate(JOINTS) if "arm" in joint]
    turned = geodesic_angle(
        both.motion.world_rotations[30:40, arms], alone.motion.world_rotations[30:40, arms]
    )
    assert np.degrees(turned).mean() < 2.0
