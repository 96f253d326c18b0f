"""Corrections of a captured armature: its own, solved with, kept, and taken back."""

from __future__ import annotations

import threading
from pathlib import Path

import bpy
import pytest

from kinelift.core.capture import Capture
from kinelift.core.options import Corrections
from kinelift.rig.takes import takes_of
from kinelift.state.derived import values_of
from kinelift.tests.inference.test_corrections import lean
from kinelift.tests.operators.test_resolve import filmed_walk

# solves in other programs
pytestmark = pytest.mark.slow

NOTHING = dict.fromkeys(values_of(Corrections(), Corrections), 0.0)


def chosen(armature: bpy.types.Object) -> dict[str, float]:
    return values_of(armature.kinelift.corrections, Corrections)


def test_resolve_corrects_the_motion_and_a_take_brings_its_own_back(tmp_path: Path) -> None:
    armature = filmed_walk(tmp_path)
    scene = bpy.context.scene.kinelift
    scene.use_focal, scene.focal = True, 28.0  # as that walk was solved
    first, before = armature.animation_data.action, Capture.load(Path(armature.kinelift.motion))
    assert chosen(armature) == NOTHING
    armature.kinelift.corrections.lean = 10.0
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    solved = Capture.load(Path(armature.kinelift.motion))
    assert solved.settings["lean"] == 10.0 and lean(solved) > lean(before) + 5
    assert chosen(armature) == NOTHING | {"lean": 10.0}

    leaning = armature.animation_data.action
    assert bpy.ops.kinelift.use_take(action=first.name) == {"FINISHED"}
    assert chosen(armature) == NOTHING
    assert bpy.ops.kinelift.use_take(action=leaning.name) == {"FINISHED"}
    assert chosen(armature)["lean"] == 10.0

    # saved, and opened again
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    armature = bpy.context.object
    assert chosen(armature)["lean"] == 10.0
    assert bpy.ops.kinelift.reset_corrections() == {"FINISHED"}
    assert chosen(armature) == NOTHING
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    again = Capture.load(Path(armature.kinelift.motion))
    assert lean(again) == pytest.approx(lean(before), abs=0.5)


def test_previews_replace_each_other_and_nothing_else(tmp_path: Path) -> None:
    armature = filmed_walk(tmp_path)
    first, actions = armature.animation_data.action, set(bpy.data.actions)
    for much in (5.0, 10.0):
        armature.kinelift.corrections.lean = much
        assert bpy.ops.kinelift.resolve(preview=True) == {"FINISHED"}
        made = set(bpy.data.actions) - actions
        assert len(made) == 2 and armature.animation_data.action in made  # a raw one and a cleaned one
    assert actions < set(bpy.data.actions)
    # a clean-up makes a motion that stays, whatever is previewed after it
    assert bpy.ops.kinelift.clean_up() == {"FINISHED"}
    kept = set(bpy.data.actions)
    armature.kinelift.corrections.lean = 3.0
    assert bpy.ops.kinelift.resolve(preview=True) == {"FINISHED"}
    assert kept < set(bpy.data.actions)
    # Re-solve makes one that stays, in place of the preview
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    solved = armature.animation_data.action
    assert len(set(bpy.data.actions) - kept) == 2
    armature.kinelift.corrections.lean = 1.0
    assert bpy.ops.kinelift.resolve(preview=True) == {"FINISHED"}
    assert solved in set(bpy.data.actions)
    listed = takes_of(armature)
    assert first in listed and solved in listed and armature.animation_data.action in listed


@pytest.mark.any_blender
def test_a_slider_that_is_moved_during_the_solve_stays_where_it_is(tmp_path: Path) -> None:
    armature = filmed_walk(tmp_path)
    corrections = armature.kinelift.corrections
    corrections.lean = 5.0
    meanwhile = threading.Timer(0.3, setattr, (corrections, "lean", 8.0))
    meanwhile.start()
    assert bpy.ops.kinelift.resolve(preview=True) == {"FINISHED"}
    meanwhile.join()
    assert Capture.load(Path(armature.kinelift.motion)).settings["lean"] == 5.0
    assert corrections.lean == 8.0


def test_a_preview_edited_by_hand_stays(tmp_path: Path) -> None:
    armature = filmed_walk(tmp_path)
    armature.kinelift.corrections.lean = 5.0
    assert bpy.ops.kinelift.resolve(preview=True) == {"FINISHED"}
    edited = armature.animation_data.action
    head = armature.pose.bones["head"]
    bpy.context.scene.frame_set(10)
    head.rotation_quaternion = (0.9, 0.4, 0.0, 0.1)
    head.keyframe_insert("rotation_quaternion")
    armature.kinelift.corrections.lean = 8.0
    assert bpy.ops.kinelift.resolve(preview=True) == {"FINISHED"}
    assert edited in set(bpy.data.actions) and armature.animation_data.action != edited


def test_a_range_keeps_the_corrections_of_the_whole(tmp_path: Path) -> None:
    armature = filmed_walk(tmp_path)
    armature.kinelift.corrections.lean = 10.0
    clean_up = bpy.context.scene.kinelift.clean_up
    clean_up.use_range, clean_up.first, clean_up.last = True, 20, 40
    assert bpy.ops.kinelift.resolve() == {"FINISHED"}
    assert chosen(armature) == NOTHING
