"""The buttons of Retarget and of its bone map, pressed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from kinelift.core.files import of_person
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


#: from the first one's path to the second one's, metres
BESIDE = np.array([1.5, 0.75, 0.0])


@pytest.fixture
def pair(tmp_path: Path) -> list[Any]:
    """Two who were captured together, away from the origin, and two characters of other sizes elsewhere."""
    first = replace(capture_of(walk()), people=2)
    motion = replace(first.motion, root=first.motion.root + BESIDE)
    path = tmp_path / "dance.motion.npz"
    first.save(path)
    replace(first, motion=motion, people=1).save(of_person(path, 2))
    bpy.context.scene.cursor.location = (0, 4, 0)
    people = build(path, "dance", bpy.context.scene.name, False)
    actors = []
    for name, size in (("Zoe", 0.8), ("Max", 1.2)):
        actor = character(MIXAMO, size=size)
        actor.name, actor.location.x = name, -6 * size
        actors.append(actor)
    bpy.context.view_layer.update()
    return [*people, *actors]


def choose(active: Any, *others: Any) -> None:
    bpy.ops.object.select_all(action="DESELECT")
    for one in (active, *others):
        one.select_set(True)
    bpy.context.view_layer.objects.active = active


def played(target: Any) -> str:
    data = target.animation_data
    return data.action.name if data is not None and data.action is not None else ""


def middle(armature: Any, bone: str) -> np.ndarray:
    """Where a bone is on the floor, on average, metres."""
    places = []
    first, last = map(round, armature.animation_data.action.frame_range)
    for frame in range(first, last + 1):
        bpy.context.scene.frame_set(frame)
        places.append((armature.matrix_world @ armature.pose.bones[bone].matrix).translation[:2])
    return np.array(places).mean(0)


def told() -> list[str]:
    return [one.name for one in bpy.context.scene.kinelift_retarget.warnings]


def test_each_of_two_characters_plays_a_person_where_they_are(pair: list[Any]) -> None:
    one, two, zoe, max_ = pair
    choose(zoe, max_)  # nobody of the two is selected: those who were captured together count
    assert bpy.ops.kinelift.retarget() == {"FINISHED"}
    assert (played(zoe), played(max_)) == ("Zoe dance", "Max dance.person2") and not told()
    assert apart(one, zoe) < 1.0 and apart(two, max_) < 1.0
    # whatever their legs, and wherever they stood
    for actor, person in ((zoe, one), (max_, two)):
        np.testing.assert_allclose(middle(actor, MIXAMO["hips"]), middle(person, "hips"), atol=0.05)
    # the names say it otherwise
    max_.name = "Max (dance)"
    choose(zoe, max_, one, two)
    assert bpy.ops.kinelift.retarget() == {"FINISHED"}
    assert (played(zoe), played(max_)) == ("Zoe dance.person2", "Max (dance) dance") and not told()


def test_fewer_and_more_characters_than_people(pair: list[Any]) -> None:
    one, two, zoe, max_ = pair
    choose(zoe, one, two)
    assert bpy.ops.kinelift.retarget() == {"FINISHED"}
    assert played(zoe) == "Zoe dance" and told() == [
        "Nobody plays dance.person2: select a character for each person."
    ]
    choose(max_, zoe, two)
    assert bpy.ops.kinelift.retarget() == {"FINISHED"}
    assert played(max_) == "Max dance.person2" and played(zoe) == "Zoe dance"
    assert told() == ["Nobody is left for Zoe: select no more characters than there are people."]
    # the chosen source is the active one's
    bpy.context.scene.kinelift_retarget.source = two
    choose(zoe)
    assert bpy.ops.kinelift.retarget() == {"FINISHED"} and played(zoe) == "Zoe dance.person2"
    choose(zoe, max_)
    assert bpy.ops.kinelift.retarget() == {"FINISHED"}
    assert (played(zoe), played(max_)) == ("Zoe dance.person2.001", "Max dance") and not told()


def test_one_that_cannot_play_does_not_keep_the_others_from_it(pair: list[Any]) -> None:
    _, _, zoe, max_ = pair
    choose(max_)
    bpy.ops.object.mode_set(mode="EDIT")
    for bone in list(max_.data.edit_bones)[1:]:
        max_.data.edit_bones.remove(bone)
    bpy.ops.object.mode_set(mode="OBJECT")
    choose(zoe, max_)
    assert bpy.ops.kinelift.retarget() == {"FINISHED"}
    assert played(zoe) == "Zoe dance" and not played(max_)
    assert len(told()) == 1 and "Max" in told()[0]


def test_the_selected_people_are_exported_into_one_file(pair: list[Any], tmp_path: Path) -> None:
    one, two, zoe, _ = pair
    for chosen in ((one, two, zoe), (two,)):
        choose(*chosen)
        path = tmp_path / f"{len(chosen)}.fbx"
        assert bpy.ops.kinelift.export(kind="fbx", filepath=str(path)) == {"FINISHED"}
        before = set(bpy.data.objects)
        bpy.ops.import_scene.fbx(filepath=str(path))
        new = [obj for obj in bpy.data.objects if obj not in before and obj.type == "ARMATURE"]
        assert len(new) == sum(obj.kinelift.motion != "" for obj in chosen)
        bpy.data.batch_remove(new)
