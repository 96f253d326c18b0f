"""The buttons of the clean-up, pressed."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from kinelift.core.motion import Motion
from kinelift.operators.build import build
from kinelift.rig.cleanup import raw_action
from kinelift.rig.contacts import CONTACT_CURVES
from kinelift.rig.read import read_motion
from kinelift.rig.versions import curves_of
from kinelift.tests.motions import capture_of
from kinelift.tests.walks import slide, sliding, walk


def walker(folder: Path) -> bpy.types.Object:
    capture_of(sliding(walk())).save(folder / "walk.motion.npz")
    (built,) = build(folder / "walk.motion.npz", "Walk", bpy.context.scene.name, False)
    return built


def played(armature: bpy.types.Object) -> Motion:
    return read_motion(armature, armature.animation_data.action, 30.0)


def test_a_capture_comes_with_planted_feet_and_its_raw_action(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    action = armature.animation_data.action
    assert action.name == "Walk" and raw_action(action).name == "Walk raw"
    assert slide(played(armature), walk().contacts).max() < 0.001
    raw = read_motion(armature, raw_action(action), 30.0)
    np.testing.assert_allclose(raw.joints, sliding(walk()).joints, atol=1e-4)


def test_contacts_are_corrected_and_cleaned_again(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    curve = curves_of(armature.animation_data.action, armature)[CONTACT_CURVES["L"]]
    curve.keyframe_points.clear()
    curve.keyframe_points.insert(1, 0.0)
    assert bpy.ops.kinelift.clean_up() == {"FINISHED"}
    again = played(armature)
    assert not again.contacts[:, :2].any()
    left = walk().contacts * [1, 1, 0, 0]
    assert slide(again, left).mean() > 0.003 and slide(again, walk().contacts - left).max() < 0.001


def test_the_settings_do_what_they_say(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    chosen = bpy.context.scene.kinelift.clean_up
    chosen.floor = 0.25
    bpy.ops.kinelift.clean_up()
    raised = played(armature).sole_points()[:, [0, 2], 2]
    assert raised.min() == pytest.approx(0.25, abs=1e-3)
    chosen.floor = 0.0
    chosen.minimum = 0.7
    bpy.ops.kinelift.clean_up()
    assert slide(played(armature), walk().contacts).mean() > 0.003
    chosen.minimum = 0.1
    chosen.use_range, chosen.first, chosen.last = True, 61, 120
    bpy.ops.kinelift.clean_up()
    still = slide(played(armature), walk().contacts * (np.arange(120) > 75)[:, None])
    assert still.max() < 0.001
    chosen.feet = chosen.use_range = False
    bpy.ops.kinelift.clean_up()
    np.testing.assert_allclose(played(armature).joints, sliding(walk()).joints, atol=1e-4)


def test_refusals_are_one_sentence_and_make_nothing() -> None:
    bpy.ops.object.armature_add()
    armature = bpy.context.object
    with pytest.raises(RuntimeError, match="lacks the bones hips, spine, chest and 18 more") as told:
        bpy.ops.kinelift.clean_up()
    assert "Traceback" not in str(told.value)
    assert not bpy.data.actions and armature.animation_data is None


def test_it_is_one_undo_step_and_outlives_saving(tmp_path: Path) -> None:
    walker(tmp_path)
    bpy.ops.ed.undo_push(message="captured")
    before = sorted(action.name for action in bpy.data.actions)
    assert bpy.ops.kinelift.clean_up("EXEC_DEFAULT", True) == {"FINISHED"}
    assert len(bpy.data.actions) == len(before) + 1
    bpy.ops.ed.undo()
    assert sorted(action.name for action in bpy.data.actions) == before
    assert bpy.data.objects["Walk"].animation_data.action.name == "Walk"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))
    armature = bpy.data.objects["Walk"]
    assert raw_action(armature.animation_data.action).name == "Walk raw"
    np.testing.assert_array_equal(played(armature).contacts, walk().contacts)
