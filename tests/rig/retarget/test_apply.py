"""A known motion onto rigs that are built here: limbs have to point where the person's point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import addon_utils
import bpy
import numpy as np
import pytest
from mathutils import Matrix

from kinelift.core.options import IN_PLACE, PARTS, ROOT, RetargetSettings
from kinelift.core.skeleton import INDEX, JOINTS
from kinelift.rig.retarget.apply import Retargeter, check_target, retarget
from kinelift.rig.retarget.bone_map import BoneMap
from kinelift.rig.retarget.bones import read_rig
from kinelift.rig.retarget.mapping import find_bone_map
from kinelift.rig.retarget.presets import PRESETS, apply_preset, load_preset
from kinelift.rig.retarget.source import perform_motion
from kinelift.rig.retarget.tpose import leg_length
from kinelift.tests import walks
from kinelift.tests.rig.retarget.characters import OWN, character, joints, limb_errors, put, refused, walk

#: by bone, the sum of its keys, each times the number of its channel (`test_keys_are_those...`)
KEYS: dict[str, float] = {
    "hips": 55.0388, "thigh.L": 18.515, "thigh.R": 18.0928, "shin.L": 49.197, "shin.R": 49.2246,
    "foot.L": 12.8735, "foot.R": 26.01, "upper_arm.L": 11.4805, "upper_arm.R": 76.424, "toe.L": 29.3631,
}  # fmt: skip


@pytest.mark.parametrize(
    "how",
    [
        {}, {"droop": 45.0}, {"droop": 75.0}, {"roll": 1.3}, {"size": 100.0}, {"spine_bones": 4},
        {"leave_out": ("shoulder",)}, {"leave_out": ("toe",)}, {"leave_out": ("spine", "neck")},
        {"fingers": False},
    ],
    ids=str,
)  # fmt: skip
def test_limbs_point_where_the_persons_do(how: dict[str, Any]) -> None:
    target, motion = character(**how), walk()
    put(target, motion)
    names = {joint: joint for joint in JOINTS if joint.split(".")[0] not in how.get("leave_out", ())}
    assert limb_errors(target, motion, names).max() < 0.1


@pytest.mark.parametrize("scale", [0.01, 2.5])
def test_object_that_is_turned_moved_and_scaled(scale: float) -> None:
    target, motion = character(size=1.0 / scale), walk()
    target.scale = (scale,) * 3
    target.rotation_euler = (0, 0, 0.7)
    target.location = (3, -2, 0)
    bpy.context.view_layer.update()
    put(target, motion)
    assert limb_errors(target, motion, OWN).max() < 0.1
    found = joints(target, OWN, np.array([1, 40]))
    middle = (found["thigh.L"] + found["thigh.R"]) / 2
    path = middle[1] - middle[0]
    ratio = np.linalg.norm(path[:2]) / np.linalg.norm((motion.root[-1] - motion.root[0])[:2])
    assert 0.9 < ratio < 1.1


def test_parent_that_stretches_unevenly() -> None:
    target, motion = character(), walk()
    parent = bpy.data.objects.new("Parent", None)
    bpy.context.scene.collection.objects.link(parent)
    parent.scale = (1.3, 0.8, 1.1)
    target.parent = parent
    bpy.context.view_layer.update()
    put(target, motion)
    errors = limb_errors(target, motion, OWN)
    assert errors.max() < 0.5


def test_character_that_faces_another_way() -> None:
    target, motion = character(), walk()
    bpy.context.view_layer.objects.active = target
    bpy.ops.object.mode_set(mode="EDIT")
    turn = Matrix.Rotation(np.pi, 4, "Z")
    for bone in target.data.edit_bones:
        bone.transform(turn)
    bpy.ops.object.mode_set(mode="OBJECT")
    put(target, motion)
    assert limb_errors(target, motion, OWN).max() < 0.1


def test_trunk_and_head_face_where_the_persons_do() -> None:
    target, motion = character(droop=40), walk()
    put(target, motion)
    for frame in (3, 21, 40):
        bpy.context.scene.frame_set(frame)
        for name in ("hips", "chest", "head"):
            rest = np.array(target.data.bones[name].matrix_local)[:3, :3]
            turned = np.array(target.pose.bones[name].matrix)[:3, :3] @ rest.T
            wanted = motion.world_rotations[frame - 1, INDEX[name]]
            np.testing.assert_allclose(turned, wanted, atol=2e-3)


def test_current_pose_as_rest() -> None:
    target, motion = character(), walk()
    target.pose.bones["upper_arm.L"].rotation_quaternion = (0.9, 0.1, 0.3, 0.2)
    bpy.context.view_layer.update()
    put(target, motion, posed=True)
    assert limb_errors(target, motion, OWN).max() < 0.1


@pytest.mark.slow
def test_hundredth_clip_is_as_exact_as_the_first(curves: Callable[..., dict[Any, Any]]) -> None:
    def keys(owner: bpy.types.Object) -> dict[Any, np.ndarray]:
        out = {}
        for key, curve in curves(owner).items():
            flat = np.empty(2 * len(curve.keyframe_points), dtype=np.float32)
            curve.keyframe_points.foreach_get("co", flat)
            out[key] = flat
        return out

    alone, often = character(), character()
    put(alone, walk(8, seed=1))
    first = keys(alone)
    put(alone, walk(8, seed=9))
    for clip in range(100):
        put(often, walk(8, seed=9 if clip == 99 else 1 if clip == 1 else 1000 + clip))
        if clip == 1:
            second = keys(often)
            assert first.keys() == second.keys()
            for key, values in first.items():
                np.testing.assert_array_equal(values, second[key])
        bpy.context.scene.frame_set(clip % 8)
    first, last = keys(alone), keys(often)
    assert first.keys() == last.keys()
    for key, values in first.items():
        np.testing.assert_array_equal(values, last[key])


def state_of(target: bpy.types.Object) -> dict[str, Any]:
    """What an artist can see of a rig: the channels and properties of its bones, and its action."""
    names = ("location", "rotation_quaternion", "rotation_axis_angle", "rotation_euler", "scale")
    bones = target.pose.bones
    channels = {(b.name, n): tuple(getattr(b, n)) for b in bones for n in names}
    properties = {(b.name, key): value for b in bones for key, value in b.items()}
    animation = target.animation_data
    return {"channels": channels, "properties": properties, "action": animation and animation.action}


def controlled() -> tuple[bpy.types.Object, BoneMap]:
    """A character with a switch to FK, a constraint between its bones, and a pose with whole turns."""
    target = character()
    target.pose.bones["upper_arm.L"]["IK_FK"] = 0.0
    constraint = target.pose.bones["shoulder.R"].constraints.new("COPY_ROTATION")
    constraint.target, constraint.subtarget, constraint.influence = target, "shoulder.L", 0.5
    target.pose.bones["hand.L"].rotation_mode = "XYZ"
    target.pose.bones["hand.L"].rotation_euler = (7.0, -0.3, 9.1)
    target.pose.bones["head"].rotation_quaternion = (1.8, 0.2, 0.0, 0.4)
    target.pose.bones["spine"].scale = (1.1, 1.0, 0.9)
    bpy.context.view_layer.update()
    found = find_bone_map(read_rig(target), target.data)
    return target, replace(found, properties={"upper_arm.L": {"IK_FK": 1.0}})


def test_building_a_retargeter_leaves_the_rig_as_it_was() -> None:
    target, bone_map = controlled()
    before = state_of(target)
    Retargeter(target, bone_map, RetargetSettings(), perform_motion(walk(), 30.0))
    assert state_of(target) == before


def test_taking_over_sets_the_switches_and_gives_the_pose_back() -> None:
    target, bone_map = controlled()
    before = state_of(target)
    retargeter = Retargeter(target, bone_map, RetargetSettings(), perform_motion(walk(), 30.0))
    carriers = retargeter.take_over()
    assert carriers.of and target.pose.bones["upper_arm.L"]["IK_FK"] == 1.0
    target.pose.bones["upper_arm.L"]["IK_FK"] = 0.0
    assert state_of(target) == before


def test_earlier_action_is_kept_and_parts_are_put_into_a_copy(curves: Callable[..., dict[Any, Any]]) -> None:
    target = character()
    put(target, walk(seed=2))
    earlier = target.animation_data.action
    before = earlier.frame_range[1]
    put(target, walk(20, seed=3), parts=("arms", "head"))
    now = target.animation_data.action
    assert now != earlier and earlier.frame_range[1] == before
    lengths = {path.split('"')[1]: len(c.keyframe_points) for (path, _), c in curves(target).items()}
    assert lengths["upper_arm.L"] == lengths["head"] == 20
    assert lengths["thigh.L"] == lengths["hips"] == lengths["hand.R"] == 40


def test_strip_leaves_the_active_action() -> None:
    target = character()
    put(target, walk(seed=2))
    earlier = target.animation_data.action
    put(target, walk(seed=3), strip=True)
    assert target.animation_data.action == earlier
    (track,) = target.animation_data.nla_tracks
    assert track.strips[0].action.name.startswith("Result")
    target.animation_data.action = None
    assert limb_errors(target, walk(seed=3), OWN).max() < 0.1


def test_path_goes_onto_the_root_bone_or_nowhere() -> None:
    motion = walk()
    for how in (ROOT, IN_PLACE):
        target = character({**OWN, "hips": "pelvis"})
        bpy.context.view_layer.objects.active = target
        bpy.ops.object.mode_set(mode="EDIT")
        bone = target.data.edit_bones.new("root")
        bone.head, bone.tail = (0, 0, 0), (0, 0.3, 0)
        target.data.edit_bones["pelvis"].parent = bone
        bpy.ops.object.mode_set(mode="OBJECT")
        bone_map = find_bone_map(read_rig(target), target.data)
        assert bone_map.bones["root"] == "root" and bone_map.bones["hips"] == "pelvis"
        performance = perform_motion(motion, 30.0)
        retarget(performance, target, bone_map, RetargetSettings(root_motion=how), "x")
        names = {**OWN, "hips": "pelvis"}
        assert limb_errors(target, motion, names).max() < 0.1
        found = joints(target, {"root": "root", "hips": "pelvis"}, np.array([1, 40]))
        moved = np.linalg.norm((found["root"][1] - found["root"][0])[:2])
        if how == ROOT:
            away = np.linalg.norm((found["root"] - found["hips"])[:, :2], axis=1)
            assert moved > 0.05 and away.max() < 0.3
            assert np.abs(found["root"][:, 2]).max() < 1e-6
        else:
            assert moved == 0 and np.linalg.norm(found["hips"][1, :2] - found["hips"][0, :2]) < 0.3


def test_keys_are_those_of_every_supported_blender(curves: Callable[..., dict[Any, Any]]) -> None:
    target = character(droop=45.0)
    put(target, walks.walk(30))
    sums: dict[str, float] = {}
    for (path, index), curve in curves(target).items():
        flat = np.empty(2 * len(curve.keyframe_points), dtype=np.float32)
        curve.keyframe_points.foreach_get("co", flat)
        name = path.replace("pose.bones", "").split("]")[0].strip('["')
        sums[name] = sums.get(name, 0.0) + (index + 1) * float(flat[1::2].astype(float).sum())
    # written down once; the suite runs on each of them
    for name, expected in KEYS.items():
        assert sums[name] == pytest.approx(expected, abs=2e-3), name


# --- bad input -----------------------------------------------------------------------------------------


def test_wrong_targets() -> None:
    target = character()
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    assert "none in the selection" in refused(lambda: check_target(None))
    assert "none in the selection" in refused(lambda: check_target(camera))
    assert "source itself" in refused(lambda: check_target(target, target))
    target.scale = (-1, 1, 1)
    bpy.context.view_layer.update()
    assert "negative scale" in refused(lambda: read_rig(target))
    target.scale = (1, 1, 0)
    bpy.context.view_layer.update()
    assert "scale of 0" in refused(lambda: read_rig(target))
    empty = bpy.data.objects.new("Empty", bpy.data.armatures.new("Empty"))
    assert "no bones" in refused(lambda: read_rig(empty))


def test_rig_without_legs() -> None:
    target = character(leave_out=("thigh", "shin", "foot", "toe"))
    bone_map = find_bone_map(read_rig(target), target.data)
    performance = perform_motion(walk(), 30.0)
    act = lambda **how: retarget(performance, target, bone_map, RetargetSettings(**how), "x")  # noqa: E731
    assert "two legs" in refused(act)
    assert target.animation_data is None
    act(parts=tuple(p for p in PARTS if p not in ("legs", "feet")))
    assert target.animation_data.action is not None


def test_animal() -> None:
    target = character()
    bpy.ops.object.mode_set(mode="EDIT")
    for name in ("spine", "chest", "neck", "head", "shoulder.L", "shoulder.R"):
        bone = target.data.edit_bones[name]
        height = bone.head.z - 0.9
        bone.head, bone.tail = (bone.head.x, -height, 0.9), (bone.head.x, -height - 0.1, 0.9)
    bpy.ops.object.mode_set(mode="OBJECT")
    assert "four-legged" in refused(lambda: put(target, walk()))


@pytest.mark.parametrize("kind", ["basic_quadruped", "horse", "cat"])
def test_animals_of_others(kind: str) -> None:
    if "rigify" not in bpy.context.preferences.addons:
        addon_utils.enable("rigify", default_set=True)
    getattr(bpy.ops.object, f"armature_{kind}_metarig_add")()
    target = bpy.context.object
    sentence = refused(lambda: put(target, walk(3)))
    assert "four-legged" in sentence or "No body" in sentence or "two legs" in sentence
    assert target.animation_data is None or target.animation_data.action is None


def test_maps_that_do_not_fit(tmp_path: Path) -> None:
    target = character()
    rig = read_rig(target)
    assert "another rig" in refused(lambda: apply_preset(rig, load_preset(PRESETS / "daz_genesis9.json")))
    for text in ("{", "[]", '{"kinelift_bone_map": 1, "name": "x", "bones": {"tail": "x"}}', "\x00"):
        (tmp_path / "broken.json").write_text(text)
        assert "damaged" in refused(lambda: load_preset(tmp_path / "broken.json"))
    assert "no bone map" in refused(lambda: load_preset(tmp_path / "gone.json"))
    bone_map = find_bone_map(rig, target.data)
    bone_map.bones["hips"] = "gone"
    assert "no bone gone" in refused(
        lambda: retarget(perform_motion(walk(), 30.0), target, bone_map, RetargetSettings(), "x")
    )
    del bone_map.bones["hips"]
    assert "no hips" in refused(
        lambda: retarget(perform_motion(walk(), 30.0), target, bone_map, RetargetSettings(), "x")
    )
    cube = bpy.data.objects.new("Bones", bpy.data.armatures.new("Bones"))
    bpy.context.scene.collection.objects.link(cube)
    bpy.context.view_layer.objects.active = cube
    bpy.ops.object.mode_set(mode="EDIT")
    cube.data.edit_bones.new("a").tail = (0, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    assert "No body" in refused(lambda: find_bone_map(read_rig(cube), cube.data))


def test_constraints_are_left_and_named() -> None:
    target, motion = character(), walk()
    constraint = target.pose.bones["hand.L"].constraints.new("COPY_ROTATION")
    constraint.target, constraint.subtarget = target, "head"
    bone_map = find_bone_map(read_rig(target), target.data)
    result = retarget(perform_motion(motion, 30.0), target, bone_map, RetargetSettings(), "x")
    assert any("hand.L" in warning and "Copy Rotation" in warning for warning in result.warnings)
    assert not constraint.mute and constraint.influence == 1


def test_linked_and_overridden(tmp_path: Path) -> None:
    target = character()
    bpy.data.libraries.write(str(tmp_path / "library.blend"), {target})
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (there, wanted):
        wanted.objects = list(there.objects)
    linked = bpy.data.objects[0]
    bpy.context.scene.collection.objects.link(linked)
    assert "linked" in refused(lambda: check_target(linked))
    override = linked.override_hierarchy_create(
        bpy.context.scene, bpy.context.view_layer, do_fully_editable=True
    )
    assert check_target(override) == override
    motion = walk()
    put(override, motion)
    assert limb_errors(override, motion, OWN).max() < 0.1


def test_legs_scale_the_path() -> None:
    target, motion = character(size=0.5), walk()
    performance = put(target, motion)
    found = joints(target, OWN, np.array([1, 40]))
    middle = (found["thigh.L"] + found["thigh.R"]) / 2
    mine = np.linalg.norm((middle[1] - middle[0])[:2])
    offsets = np.array([target.data.bones[n].head_local for n in ("thigh.L", "shin.L", "foot.L")])
    leg = np.linalg.norm(np.diff(offsets, axis=0), axis=1).sum()
    theirs = np.linalg.norm((performance.root[-1] - performance.root[0])[:2])
    assert mine / theirs == pytest.approx(leg / leg_length(performance.offsets), rel=1e-3)
