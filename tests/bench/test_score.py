"""The figures by which Kinelift is judged: each sees its own fault and no other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinelift.bench.score import bvh_joints, score
from kinelift.core.bvh import write_bvh
from kinelift.core.rotations import axis_angle
from kinelift.core.skeleton import JOINTS
from kinelift.tests.motions import random_motion

REFERENCE = Path(__file__).resolve().parents[2] / "samples/walk_front.npz"


@pytest.fixture(scope="module")
def truth():
    with np.load(REFERENCE, allow_pickle=False) as data:
        return dict(data)


@pytest.fixture
def figures(truth, tmp_path):
    def of(joints, names=None):
        names = truth["joint_names"] if names is None else np.array(names)
        np.savez(tmp_path / "captured.npz", fps=truth["fps"], joint_names=names, joints=joints)
        return score(tmp_path / "captured.npz", REFERENCE)

    return of


def turn(axis, degrees):
    return axis_angle(np.array(axis, float), np.radians(degrees))


def test_the_truth_is_perfect(figures, truth):
    out = figures(truth["joints_world"])
    for name in ("pa_mpjpe_mm", "sa_mpjpe_mm", "wa_mpjpe_mm", "root_drift_pct", "tilt_deg"):
        assert out[name] == pytest.approx(0, abs=0.01), name
    assert out["scale"] == pytest.approx(1, abs=1e-5)
    assert out["accel_ratio"] == pytest.approx(1, abs=1e-3)
    assert out["asymmetry_mm"] < 0.1


def test_facing_place_and_size_are_no_error_but_told(figures, truth):
    out = figures(2 * truth["joints_world"] @ turn([0, 0, 1], 70).T + np.array([3.0, 1, 0]))
    assert out["wa_mpjpe_mm"] == pytest.approx(0, abs=0.01)
    assert out["scale"] == pytest.approx(0.5, abs=1e-5)
    assert out["tilt_deg"] == pytest.approx(0, abs=0.1)


def test_a_leaning_floor_is_tilt(figures, truth):
    out = figures(truth["joints_world"] @ turn([1, 0, 0], 12).T)
    assert out["tilt_deg"] == pytest.approx(12, abs=0.1)
    assert out["sa_mpjpe_mm"] == pytest.approx(0, abs=0.01)


def test_a_turn_in_mid_clip_is_seen_over_the_clip_alone(figures, truth):
    joints = truth["joints_world"].copy()
    half = len(joints) // 2
    joints[half:] = joints[half:] @ turn([0, 0, 1], 90).T
    out = figures(joints)
    assert out["pa_mpjpe_mm"] == pytest.approx(0, abs=0.01)
    assert out["sa_mpjpe_mm"] > 100


def test_left_for_right_is_seen_in_every_frame(figures, truth):
    other = {"L": "R", "R": "L"}
    names = [str(n) for n in truth["joint_names"]]
    swapped = [n[:-1] + other[n[-1]] if n[-2] == "." else n for n in names]
    assert figures(truth["joints_world"], swapped)["pa_mpjpe_mm"] > 80


def test_a_bone_that_changes_its_length(figures, truth):
    joints = truth["joints_world"].copy()
    names = [str(n) for n in truth["joint_names"]]
    hand, forearm = joints[:, names.index("hand.L")], joints[:, names.index("forearm.L")]
    hand += (hand - forearm) * np.linspace(0, 0.5, len(joints))[:, None]
    before, after = figures(truth["joints_world"]), figures(joints)
    assert after["bone_std_mm"] > before["bone_std_mm"] + 2
    assert after["asymmetry_mm"] > before["asymmetry_mm"] + 5


def test_a_straight_knee_that_is_captured_bent(figures, truth):
    names = [str(n) for n in truth["joint_names"]]
    true = figures(truth["joints_world"])
    assert true["straight_deg"] == true["elbow_deg"] == true["knee_deg"] == 0
    thigh, shin, foot = (names.index(f"{n}.L") for n in ("thigh", "shin", "foot"))
    joints = truth["joints_world"].astype(float)
    # the left knee bends by 30 degrees more: the shin turns on in its plane
    a, b = joints[:, shin] - joints[:, thigh], joints[:, foot] - joints[:, shin]
    axis = np.cross(a, b)
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    way = np.cos(np.radians(30)) * b + np.sin(np.radians(30)) * np.cross(axis, b)
    joints[:, foot] = joints[:, shin] + way
    bent = figures(joints)
    assert bent["knee_deg"] == pytest.approx(15, abs=0.1) and bent["elbow_deg"] == 0
    assert 0 < bent["straight_deg"] < 30


def test_feet_that_slide_while_they_stand(figures, truth):
    frames = len(truth["joints_world"])
    joints = truth["joints_world"] + np.linspace(0, 1, frames)[:, None, None] * [0, 0, 1.0]
    slide = 1000 / (len(joints) - 1)
    assert figures(joints)["foot_slide_mm"] == pytest.approx(slide, rel=0.3)


def test_a_capture_that_is_too_short_is_refused(figures, truth):
    with pytest.raises(ValueError, match="lasts"):
        figures(truth["joints_world"][:60])


def test_its_own_bvh_reader_agrees_with_the_motion(tmp_path):
    motion = random_motion(20)
    write_bvh(motion, tmp_path / "motion.bvh")
    names, joints, fps = bvh_joints(tmp_path / "motion.bvh")
    assert fps == pytest.approx(motion.fps)
    np.testing.assert_allclose(joints[:, [names.index(n) for n in JOINTS]], motion.joints, atol=1e-4)
