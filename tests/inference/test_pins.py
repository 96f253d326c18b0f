"""A motion that is solved again passes through the poses that an artist pinned, and follows them around."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinelift.core.arrays import Floats
from kinelift.core.capture import Capture, joined
from kinelift.core.foot_ik import clean_up
from kinelift.core.landmarks import LANDMARK
from kinelift.core.options import CleanUp
from kinelift.core.pins import Pins, write_pins
from kinelift.core.rotations import axis_angle, geodesic_angle
from kinelift.core.skeleton import INDEX
from kinelift.inference.__main__ import main
from kinelift.inference.pipeline import resolve, resolve_range
from kinelift.tests.inference.test_bad_input import filmed, walking

# solves many times
pytestmark = pytest.mark.slow

FRAMES, AT = 90, 45
ARM = [INDEX[f"{name}.L"] for name in ("upper_arm", "forearm", "hand")]

#: in these frames the left arm's landmarks lie elsewhere, and nothing says so
WRONG = slice(30, 60)


@pytest.fixture(scope="module")
def truth() -> Capture:
    return walking(FRAMES)


@pytest.fixture(scope="module")
def misled(truth: Capture) -> Capture:
    """The truth, filmed and solved, with an arm that is wrong for a second."""
    seen = filmed(truth)
    landmarks = seen.landmarks.copy()
    for name, off in (("elbow", 60), ("wrist", 120), ("index", 120), ("pinky", 120), ("thumb", 120)):
        landmarks[WRONG, LANDMARK[f"{name}.L"], :2] += [off, -off]
    return resolve(replace(seen, landmarks=landmarks), {"focal": truth.camera.focal_mm})


def arm_of(truth: Capture, misled: Capture, frame: int) -> Floats:
    """World rotations (3, 3, 3) of the true arm, on the hips of the other motion."""
    true, other = (one.motion.world_rotations[frame] for one in (truth, misled))
    return np.asarray(other[0] @ true[0].T @ true[ARM])


def pins_at(frames: list[int], arms: list[Floats], strength: float = 1.0) -> Pins:
    """The arm is like this."""
    count = len(frames)
    rotations = np.full((count, len(INDEX), 3, 3), np.nan)
    rotations[:, ARM] = arms
    return Pins(np.array(frames), rotations, np.full((count, 3), np.nan), np.full(count, strength))


def off(one: Capture, frames: slice | int, arms: Floats) -> Floats:
    """How far the arm is turned from some rotations, degrees."""
    return np.degrees(geodesic_angle(one.motion.world_rotations[frames][..., ARM, :, :], arms))


def astray(one: Capture, truth: Capture) -> float:
    """How far the arm is from the true one on average in the frames that are wrong, degrees."""
    frames = range(WRONG.start, WRONG.stop)
    return float(np.mean([off(one, frame, arm_of(truth, one, frame)).mean() for frame in frames]))


@pytest.fixture(scope="module")
def mended(truth: Capture, misled: Capture) -> Capture:
    return resolve(misled, pins=pins_at([AT], [arm_of(truth, misled, AT)]))


def test_a_pin_is_met_and_the_frames_around_follow(truth: Capture, misled: Capture, mended: Capture) -> None:
    arm = arm_of(truth, misled, AT)
    assert off(misled, AT, arm).min() > 10, "it was wrong"
    assert off(mended, AT, arm).max() < 1
    assert astray(mended, truth) < 0.4 * astray(misled, truth)
    assert not any("pins" in said for said in mended.warnings)


def test_all_else_stays(misled: Capture, mended: Capture) -> None:
    before, after = misled.motion, mended.motion
    np.testing.assert_allclose(after.lengths, before.lengths, rtol=1e-6)
    np.testing.assert_allclose(mended.camera.eye[:2], misled.camera.eye[:2], atol=1e-6)
    others = [joint for name, joint in INDEX.items() if name not in ("forearm.L", "hand.L")]
    away = np.linalg.norm(after.joints - before.joints, axis=-1)[:, others]
    assert away.mean() < 0.02 and away.max() < 0.06
    quick = [np.linalg.norm(np.diff(one.joints, 2, axis=0), axis=-1) for one in (before, after)]
    assert quick[1][AT - 5 : AT + 5].max() < 1.1 * quick[0].max(), "nothing pops"
    planted = clean_up(after)
    np.testing.assert_array_equal(planted.contacts[: WRONG.start], clean_up(before).contacts[: WRONG.start])


def test_without_a_pin_the_motion_is_what_it_was(misled: Capture, truth: Capture) -> None:
    none = pins_at([AT], [arm_of(truth, misled, AT)]).within(slice(0, 0))
    again = resolve(misled, pins=none)
    np.testing.assert_allclose(again.motion.joints, misled.motion.joints, atol=1e-3)


def test_a_weaker_pin_counts_less(truth: Capture, misled: Capture) -> None:
    arm = arm_of(truth, misled, AT)
    before, half = (
        off(one, AT, arm)[1] for one in (misled, resolve(misled, pins=pins_at([AT], [arm], strength=0.3)))
    )
    assert 2 < half < before


def test_pins_that_contradict_each_other_are_told(truth: Capture, misled: Capture) -> None:
    arm = arm_of(truth, misled, AT)
    bent = axis_angle(np.array([0.0, 0.0, 1.0]), np.array(0.6)) @ arm
    between = resolve(misled, pins=pins_at([AT, AT], [arm, bent]))
    assert off(between, AT, arm).max() < 25 and off(between, AT, bent).max() < 25
    (said,) = (one for one in between.warnings if "pins" in one)
    assert said.count(f"frame {AT} (") == 2


def test_hips_are_pinned_in_the_world(misled: Capture) -> None:
    pins = pins_at([AT], [np.full((3, 3, 3), np.nan)])
    pins.hips[0] = misled.motion.root[AT] + [0.03, 0.15, 0.0]
    there = resolve(misled, pins=pins).motion
    np.testing.assert_allclose(there.root[AT], pins.hips[0], atol=0.02)
    assert np.linalg.norm(there.root[0] - misled.motion.root[0]) < 0.08


def test_a_range_and_a_shot(truth: Capture, misled: Capture) -> None:
    arm = arm_of(truth, misled, AT)
    how = CleanUp(first=25, last=65)
    part = resolve_range(misled, how, None, pins=pins_at([AT], [arm]))
    assert off(part, AT, arm).max() < 1.5
    outside = np.r_[0:25, 66:FRAMES]
    np.testing.assert_allclose(part.motion.joints[outside], misled.motion.joints[outside], atol=1e-6)
    cut = joined([misled, replace(misled, motion=replace(misled.motion, start=FRAMES / 30))])
    second = resolve(cut, pins=pins_at([FRAMES + AT], [arm]))
    assert off(second, FRAMES + AT, arm).max() < 1
    assert off(second, AT, arm).max() > 10


def test_from_the_command_line(truth: Capture, misled: Capture, mended: Capture, tmp_path: Path) -> None:
    path, out, told = (tmp_path / name for name in ("m.npz", "n.npz", "p.json"))
    misled.save(path)
    write_pins(pins_at([AT], [arm_of(truth, misled, AT)]), told)
    assert main(["solve", str(path), "--out", str(out), "--pins", str(told), "--no-feet"]) == 0
    np.testing.assert_allclose(Capture.load(out).motion.joints, mended.motion.joints, atol=2e-3)
