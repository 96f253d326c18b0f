"""The buttons of Retarget and of its bone map, pressed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from kinelift.operators.build import build
from kinelift.rig.retarget.preview import previewing
from kinelift.tests.motions import capture_of
from kinelift.tests.rig.retarget.characters import MIXAMO, character
from kinelift.tests.walks import walk

LIMBS = ("upper_arm.L", "forearm.R", "thigh.L", "shin.R")


@pytest.fixture
def scene(tmp_path: Path) -> tuple[Any, Any]:
    """A captured walk, and an active character with Mixamo's bones."""
    capture_of(walk()).save(tmp_path / "walk.motion.npz")
    (source,) = build(tmp_path / "walk.motion.npz", "Walk", bpy.context.scene.name, False)
    source.select_set(False)
    target = character(MIXAMO)
    target.select_set(True)
    bpy.context.view_layer.objects.active = target
    return source, target


def apart(source: Any, target: Any, frames: tuple[int, ...] = (1, 12, 24)) -> float:
    """The largest angle, degrees, between limbs of source and target in some frames."""
    angles = []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        for limb in LIMBS:
            ways = [
                (pose.matrix_world @ pose.pose.bones[name].matrix).col[1].to_3d()
                for pose, name in ((source, limb), (target, MIXAMO[limb]))
            ]
            angles.append(np.degrees(ways[0].angle(ways[1])))
    return max(angles)


def shown() -> dict[str, str]:
    return {row.name: row.bone for row in bpy.context.scene.kinelift_retarget.bones if row.bone}


def test_one_press_retargets_from_the_capture(scene: tuple[Any, Any]) -> None:
    source, target = scene
    was = source.animation_data.action
    assert bpy.ops.kinelift.retarget() == {"FINISHED"}
    assert target.animation_data.action.name == "Character Walk" and source.animation_data.action == was
    assert apart(source, target) < 1.0
    assert shown() == {joint: bone for joint, bone in MIXAMO.items() if joint in shown()}
    assert {"hips", "head", *LIMBS} <= shown().keys()
    # again is a new action: the first stays
    assert bpy.ops.kinelift.retarget() == {"FINISHED"}
    assert "Character Walk" in bpy.data.actions and len(bpy.data.actions) >= 4


def test_what_is_corrected_by_hand_counts(scene: tuple[Any, Any]) -> None:
    _, target = scene
    assert bpy.ops.kinelift.detect_bones() == {"FINISHED"}
    rows = {row.name: row for row in bpy.context.scene.kinelift_retarget.bones}
    rows["foot.R"].bone = ""
    rows["head"].certainty = 0.2
    rows["head"].bone = MIXAMO["head"]
    assert rows["head"].certainty == 1.0  # the artist is sure
    assert bpy.ops.kinelift.retarget() == {"FINISHED"}
    feet = [target.pose.bones[MIXAMO[f"foot.{side}"]] for side in "LR"]
    bpy.context.scene.frame_set(12)
    np.testing.assert_allclose(feet[1].matrix_basis, np.eye(4), atol=1e-6)
    assert not np.allclose(feet[0].matrix_basis, np.eye(4), atol=1e-2)


def test_sides_are_swapped_and_back(scene: tuple[Any, Any]) -> None:
    bpy.ops.kinelift.detect_bones()
    before = shown()
    bpy.ops.kinelift.swap_sides()
    swapped = shown()
    assert swapped["thigh.L"] == before["thigh.R"] and swapped["hips"] == before["hips"]
    bpy.ops.kinelift.swap_sides()
    assert shown() == before


def test_a_map_is_saved_and_loaded(scene: tuple[Any, Any], tmp_path: Path) -> None:
    bpy.ops.kinelift.detect_bones()
    rows = {row.name: row for row in bpy.context.scene.kinelift_retarget.bones}
    rows["head"].bone = ""
    mine = shown()
    path = tmp_path / "my map.json"
    assert bpy.ops.kinelift.save_bone_map(filepath=str(path)) == {"FINISHED"}
    bpy.ops.kinelift.detect_bones()
    assert shown() != mine
    assert bpy.ops.kinelift.load_bone_map(filepath=str(path)) == {"FINISHED"}
    assert shown() == mine and bpy.context.scene.kinelift_retarget.map_name == "my map"


@pytest.mark.parametrize(
    ("content", "said"), [("{", "damaged"), ('["bones"]', "damaged"), (None, "There is no bone map")]
)
def test_a_broken_map_changes_nothing(
    scene: tuple[Any, Any], tmp_path: Path, content: str | None, said: str
) -> None:
    bpy.ops.kinelift.detect_bones()
    before = shown()
    if content is not None:
        (tmp_path / "broken.json").write_text(content)
    with pytest.raises(RuntimeError, match=said):
        bpy.ops.kinelift.load_bone_map(filepath=str(tmp_path / "broken.json"))
    assert shown() == before


def test_detect_names_own_maps_that_cannot_be_read(
    scene: tuple[Any, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    chosen = bpy.context.scene.kinelift_retarget
    (tmp_path / "bone_maps").mkdir()
    (tmp_path / "bone_maps/broken.json").write_text("[" * 100_000)
    assert bpy.ops.kinelift.detect_bones() == {"FINISHED"}
    (warning,) = chosen.warnings
    assert "broken.json is not a bone map of Kinelift" in warning.name
    assert "bones; warnings: 1, in the panel Retarget" in capfd.readouterr().out
    assert {"hips", *LIMBS} <= shown().keys()


def test_the_map_of_another_rig_is_refused(scene: tuple[Any, Any], tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    bpy.ops.kinelift.detect_bones()
    bpy.ops.kinelift.save_bone_map(filepath=str(path))
    data = json.loads(path.read_text())
    data["bones"] = {slot: f"foreign {slot}" for slot in data["bones"]}
    path.write_text(json.dumps(data))
    with pytest.raises(RuntimeError, match="for another rig"):
        bpy.ops.kinelift.load_bone_map(filepath=str(path))


def test_live_preview_outlives_saving_and_ends_with_a_press(scene: tuple[Any, Any], tmp_path: Path) -> None:
    source, target = scene
    rest = [np.array(bone.matrix_basis) for bone in target.pose.bones]
    assert bpy.ops.kinelift.preview_retarget() == {"FINISHED"}
    assert previewing() and apart(source, target) < 1.0
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "live.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    assert not previewing()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "live.blend"))
    source, target = bpy.data.objects["Walk"], bpy.data.objects["Character"]
    assert previewing() and apart(source, target) < 1.0
    assert target.animation_data is None or target.animation_data.action is None
    bpy.context.view_layer.objects.active = target
    assert bpy.ops.kinelift.preview_retarget() == {"FINISHED"}
    assert not previewing()
    np.testing.assert_allclose([np.array(b.matrix_basis) for b in target.pose.bones], rest, atol=1e-6)


def test_nothing_to_take_the_motion_from() -> None:
    bpy.context.view_layer.objects.active = character()
    with pytest.raises(RuntimeError, match="Choose the source"):
        bpy.ops.kinelift.retarget()


def test_warnings_are_counted_in_one_report_and_told_in_the_panel(
    scene: tuple[Any, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    _, target = scene
    for bone in (MIXAMO["head"], MIXAMO["forearm.L"]):
        target.pose.bones[bone].lock_rotation = (True, True, True)
        target.pose.bones[bone].lock_rotation_w = True
    capfd.readouterr()
    for _ in range(2):  # those of the last retarget
        assert bpy.ops.kinelift.retarget() == {"FINISHED"}
        told = [one.name for one in bpy.context.scene.kinelift_retarget.warnings]
        assert told and any(MIXAMO["head"] in one for one in told)
        (line,) = [one for one in capfd.readouterr().out.splitlines() if one.startswith(("Info", "Warning"))]
        assert line.startswith("Warning: Made the action Character Walk")
        assert line.endswith(f"; warnings: {len(told)}, in the panel Retarget")
    for bone in target.pose.bones:
        bone.lock_rotation, bone.lock_rotation_w = (False, False, False), False
    assert bpy.ops.kinelift.retarget() == {"FINISHED"}
    assert not bpy.context.scene.kinelift_retarget.warnings
