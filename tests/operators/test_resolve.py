"""Re-solve, pressed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import bpy
import numpy as np
import pytest

from kinelift.core.capture import Capture
from kinelift.core.landmarks import evidence_of
from kinelift.core.options import Settings
from kinelift.inference.pipeline import capture
from kinelift.operators.build import build
from kinelift.tests.operators.test_cleanup import played, walker
from kinelift.tests.videos import SAMPLE
from kinelift.tests.walks import slide, walk

# captures, detects or starts other programs
pytestmark = pytest.mark.slow


def test_resolve_gives_another_armature_and_leaves_the_first(tmp_path: Path) -> None:
    capture(SAMPLE, Settings(end=1.0, quality="quick")).save(tmp_path / "walk.motion.npz")
    first = build(tmp_path / "walk.motion.npz", "Walk", bpy.context.scene.name, True)
    action = first.animation_data.action
    chosen = bpy.context.scene.kinelift
    chosen.use_height, chosen.height = True, 1.2
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    second = bpy.context.object
    assert second != first and first.animation_data.action == action
    assert Capture.load(Path(second.kinelift.motion)).motion.height == pytest.approx(1.2, abs=0.01)
    assert second.dimensions.z == pytest.approx(first.dimensions.z * 1.2 / 1.71, rel=0.02)


def test_resolve_with_another_lens_and_another_person(tmp_path: Path) -> None:
    captured = capture(SAMPLE, Settings(end=1.0, focal=28.0, quality="quick"))
    aside = evidence_of(captured)
    aside[..., 0] = captured.camera.size[0] - aside[..., 0]
    aside[..., 3] *= -1
    aside[-3:] = np.nan  # seen for less long: number 2
    two = dataclasses.replace(captured, others=aside[None])
    two.save(tmp_path / "walk.motion.npz")
    build(tmp_path / "walk.motion.npz", "Walk", bpy.context.scene.name, True)
    chosen = bpy.context.scene.kinelift

    def solved() -> Capture:
        assert bpy.ops.kinelift.resolve() == {"FINISHED"}
        return Capture.load(Path(bpy.context.object.kinelift.motion))

    chosen.use_focal, chosen.focal = True, 56.0
    tele = solved()
    assert tele.settings["focal"] == 56.0 and tele.camera.focal == pytest.approx(2 * captured.camera.focal)
    chosen.use_focal = False
    assert solved().settings["focal"] is None
    chosen.person, chosen.number = "number", 2
    other = solved()
    assert np.allclose(other.landmarks, aside[..., :3], atol=1e-2, equal_nan=True)


def test_resolve_without_the_motions_file(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    (tmp_path / "walk.motion.npz").unlink()
    with pytest.raises(RuntimeError, match=r"walk\.motion\.npz is gone"):
        bpy.ops.kinelift.resolve()
    assert bpy.ops.kinelift.clean_up() == {"FINISHED"}  # which needs no file
    assert slide(played(armature), walk().contacts).max() < 0.001
