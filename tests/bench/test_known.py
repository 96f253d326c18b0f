"""The figures of bench.known and the table of targets say what is so."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinelift.bench.accuracy import mean
from kinelift.bench.accuracy_page import TARGETS, targets
from kinelift.bench.known import head_error, rotation_error, swing_kept
from kinelift.bench.truth import true_capture
from kinelift.core.kinematics import local_rotations
from kinelift.core.rotations import axis_angle, quaternion_from_matrix
from kinelift.core.skeleton import INDEX

REFERENCE = Path(__file__).resolve().parents[2] / "samples/walk_front.npz"


def turned(motion, world):
    return replace(motion, rotations=quaternion_from_matrix(local_rotations(world)))


def test_true_rotations_have_no_error_whatever_the_heading_and_a_turned_bone_has_its_own():
    motion = true_capture(REFERENCE).motion
    error = rotation_error(motion, REFERENCE)
    assert error < 5  # all of it the hands: of theirs, the truth on our skeleton knows nothing
    heading = axis_angle(np.array([0.0, 0, 1]), np.array(2.0))
    about = replace(turned(motion, heading @ motion.world_rotations), root=motion.root @ heading.T)
    assert rotation_error(about, REFERENCE) == pytest.approx(error, abs=0.05)
    world = motion.world_rotations.copy()
    head = INDEX["head"]
    world[:, head] = world[:, head] @ axis_angle(np.array([1.0, 0, 0]), np.radians(48.0))
    assert rotation_error(turned(motion, world), REFERENCE) == pytest.approx(error + 48 / 16, abs=0.7)


def test_a_head_that_nods_looks_off_by_as_much_and_down_whatever_the_heading():
    motion = true_capture(REFERENCE).motion
    heading = axis_angle(np.array([0.0, 0, 1]), np.array(2.0))
    for degrees in (0.0, 12.0, -12.0):
        world = motion.world_rotations.copy()
        head = INDEX["head"]
        # about the level axis across the look, so that all of it is pitch
        look = -world[:, head, :, 1]
        across = np.cross([0.0, 0, 1], look)
        across /= np.linalg.norm(across, axis=1, keepdims=True)
        world[:, head] = axis_angle(across, np.full(len(world), np.radians(degrees))) @ world[:, head]
        about = replace(turned(motion, heading @ world), root=motion.root @ heading.T)
        figures = head_error(about, REFERENCE)
        assert figures["head_deg"] == pytest.approx(abs(degrees), abs=0.5)
        assert figures["head_down_deg"] == pytest.approx(degrees, abs=0.5)


def test_the_solver_keeps_the_width_of_arm_swings():
    assert 0.97 < swing_kept(REFERENCE) < 1.03


def test_a_target_is_met_within_its_range_only():
    figures = {target.figure: target.ranges["rendered"][1] for target in TARGETS}
    row = {"mediapipe": figures, "cleaned": figures}
    text = targets({"rendered": row}, [("a", "b", "c")])
    assert text.count(" met |") == len(TARGETS) and "missed" not in text and "| a | b | c |" in text
    for figure, value in (("accel_ratio", 0.7), ("pa_mpjpe_mm", 45.1)):
        text = targets({"rendered": row | {"cleaned": figures | {figure: value}}}, [])
        assert text.count("**missed**") == 1


def test_a_mean_leaves_out_what_a_clip_lacks():
    methods = {name: {"pa_mpjpe_mm": 10.0, "foot_slide_mm": None} for name in mean([])}
    other = {name: {"pa_mpjpe_mm": 20.0, "foot_slide_mm": 3.0} for name in mean([])}
    assert mean([methods, other])["cleaned"]["pa_mpjpe_mm"] == 15
    assert mean([methods, other])["cleaned"]["foot_slide_mm"] == 3
    assert mean([methods])["cleaned"]["foot_slide_mm"] is None
