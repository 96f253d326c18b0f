"""The rows of a contact sheet show captured and true limbs from where they say."""

from dataclasses import replace

import numpy as np
import pytest

from kinelift.bench import sheets
from kinelift.bench.scenes import SCENES
from kinelift.bench.stage import looking, reference


@pytest.fixture
def stairs(tmp_path):
    """A motion, and its reference before a camera that looks along -X."""
    scene = SCENES["stairs_up"]()
    np.savez(tmp_path / "a.npz", **reference(scene, looking((5.0, 0.0, 1.0), (0.0, 0.0, 1.0))))
    return scene.motion, tmp_path / "a.npz"


@pytest.mark.parametrize(
    ("view", "across", "upwards"),
    [("side", [-1, 0, 0], [0, 0, 1]), ("back", [0, -1, 0], [0, 0, 1]), ("top", [0, 1, 0], [-1, 0, 0])],
)
def test_a_view_shows_the_truth_over_the_truth_from_its_side(stairs, view, across, upwards):
    motion, path = stairs
    captured, true = sheets._from(view, motion, path)
    assert np.abs(captured - true).max() < 1e-4
    joints = motion.joints[:, [sheets.INDEX[name] for name in sheets.LIMBS]]
    hips = joints[:, [sheets.LIMBS.index(f"thigh.{s}") for s in "LR"]].mean(1, keepdims=True)
    assert np.abs(true - (joints - hips) @ np.array([across, upwards]).T).max() < 1e-4


def test_what_is_captured_too_far_away_is_to_the_right_in_the_side_view(stairs):
    motion, path = stairs
    captured, true = sheets._from("side", motion, path)
    # a rest pose with longer arms on the left: that side is nearer to this camera's right hand
    offsets = motion.offsets.copy()
    offsets[sheets.INDEX["upper_arm.R"], 0] -= 0.1
    wide, _ = sheets._from("side", replace(motion, offsets=offsets), path)
    arm = sheets.LIMBS.index("upper_arm.R")
    assert (wide[:, arm, 0] > captured[:, arm, 0] + 0.05).all()
    assert np.abs(captured - true).max() < 1e-4
