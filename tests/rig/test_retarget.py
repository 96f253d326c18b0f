"""A known motion onto rigs that are built here: limbs have to point where the person's point."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from kinelift.inference.errors import CaptureError
from kinelift.inference.motion import Motion
from kinelift.inference.skeleton import INDEX, JOINTS, PARENTS, TEMPLATE_OFFSETS
from kinelift.rig.action import animate
from kinelift.rig.armature import build_armature, rest_joints
from kinelift.rig.retarget.apply import (
    IN_PLACE,
    PARTS,
    ROOT,
    Performance,
    Settings,
    check_target,
    frames_of,
    perform_armature,
    perform_motion,
    retarget,
)
from kinelift.rig.retarget.bones import read_rig
from kinelift.rig.retarget.mapping import (
    HUMANOID,
    MAIN,
    PRESETS,
    apply_preset,
    detect,
    load_preset,
    own_presets,
    save_preset,
    swapped,
)
from kinelift.rig.retarget.preview import end_preview, start_preview
from kinelift.rig.retarget.structure import guess_by_structure
from kinelift.rig.retarget.transfer import channels, leg_length, rotations_of
from kinelift.tests.motions import random_motion
from mathutils import Matrix, Vector

LIMBS = ("upper_arm", "forearm", "thigh", "shin")
ENDS = {"upper_arm": "forearm", "forearm": "hand", "thigh": "shin", "shin": "foot"}
#: Mixamo's names for our joints
MIXAMO = {
    "hips": "Hips", "spine": "Spine", "chest": "Spine2", "neck": "Neck", "head": "Head",
    **{
        f"{joint}.{side}": word + name
        for side, word in (("L", "Left"), ("R", "Right"))
        for joint, name in (
            ("shoulder", "Shoulder"), ("upper_arm", "Arm"), ("forearm", "ForeArm"), ("hand", "Hand"),
            ("thigh", "UpLeg"), ("shin", "Leg"), ("foot", "Foot"), ("toe", "ToeBase"),
        )
    },
}  # fmt: skip


def character(
    names: dict[str, str] | None = None,
    *,
    droop: float = 0.0,
    roll: float = 0.0,
    size: float = 1.0,
    leave_out: tuple[str, ...] = (),
    spine_bones: int = 0,
    fingers: bool = True,
) -> bpy.types.Object:
    """A character of its own proportions: arms `droop` degrees below a T, odd rolls, more or fewer bones."""
    offsets = TEMPLATE_OFFSETS * size
    for name, factor in (("forearm", 1.2), ("shin", 0.9), ("foot", 1.1), ("thigh", 0.8)):
        for side in "LR":
            offsets[INDEX[f"{name}.{side}"]] *= factor
    angle = np.radians(droop)
    for side, sign in (("L", 1), ("R", -1)):
        turn = np.array(Matrix.Rotation(sign * angle, 3, "Y"))
        for name in ("forearm", "hand"):
            offsets[INDEX[f"{name}.{side}"]] = turn @ offsets[INDEX[f"{name}.{side}"]]
    heads = rest_joints(offsets)
    data = bpy.data.armatures.new("Character")
    armature = bpy.data.objects.new("Character", data)
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    called = names or {}
    made: dict[str, Any] = {}
    for joint, name in enumerate(JOINTS):
        if name.split(".")[0] in leave_out:
            continue
        bone = data.edit_bones.new(called.get(name, name))
        bone.head = heads[joint]
        child = next((c for c, p in enumerate(PARENTS) if p == joint), None)
        way = heads[child] - heads[joint] if child is not None else offsets[joint] * 0.5
        bone.tail = Vector(heads[joint]) + Vector(way if np.linalg.norm(way) > 1e-3 else (0, 0, 0.1))
        bone.roll = roll * (1 + joint % 3)
        above = PARENTS[joint]
        while above >= 0 and JOINTS[above] not in made:
            above = PARENTS[above]
        bone.parent = made[JOINTS[above]] if above >= 0 else None
        made[name] = bone
    for extra in range(spine_bones):
        low, high = made["spine"], made["chest"]
        bone = data.edit_bones.new(f"Extra{extra}")
        share = (extra + 1) / (spine_bones + 1)
        bone.head = low.head.lerp(high.head, share)
        bone.tail = bone.head + Vector((0, 0, 0.05 * size))
        bone.parent = high.parent
        high.parent = bone
    if fingers:
        for side, sign in (("L", 1), ("R", -1)):
            hand = made[f"hand.{side}"]
            along = Vector(offsets[INDEX[f"hand.{side}"]]).normalized()
            for finger, ahead in enumerate((0.05, 0.03, 0.01, -0.01, -0.03)):
                before = hand
                for part in range(3):
                    bone = data.edit_bones.new(f"finger{finger}{part}.{side}")
                    reach = (0.02 if finger == 0 else 0.09) + 0.03 * part
                    bone.head = hand.head + size * (along * reach + Vector((0, -ahead, 0)))
                    bone.tail = bone.head + size * along * 0.03
                    bone.parent = before
                    before = bone
            del sign
    bpy.ops.object.mode_set(mode="OBJECT")
    for pose_bone in armature.pose.bones:
        pose_bone.rotation_mode = "QUATERNION"
    return armature


def walk(frames: int = 40, seed: int = 1) -> Motion:
    """Random limbs above legs that step: nobody's feet are under the floor, none stands."""
    motion = random_motion(frames, seed)
    return replace(motion, root=motion.root + np.array([0, 0, 1.0]), contacts=np.zeros((frames, 4)))


def put(
    target: bpy.types.Object, motion: Motion, settings: Settings | None = None, **change: Any
) -> Performance:
    performance = perform_motion(motion, motion.fps)
    bone_map = detect(read_rig(target), target.data)
    retarget(performance, target, bone_map, settings or Settings(**change), "Result")
    return performance


def joints(target: bpy.types.Object, names: dict[str, str], frames: np.ndarray) -> dict[str, np.ndarray]:
    """World positions (N, 3) of the bones of joints, as Blender evaluates them."""
    out: dict[str, list[Any]] = {joint: [] for joint in names}
    for frame in frames:
        bpy.context.scene.frame_set(int(frame))
        posed = target.evaluated_get(bpy.context.evaluated_depsgraph_get())
        for joint, bone in names.items():
            out[joint].append(posed.matrix_world @ posed.pose.bones[bone].head)
    return {joint: np.array(places) for joint, places in out.items()}


def limb_errors(target: bpy.types.Object, motion: Motion, names: dict[str, str]) -> np.ndarray:
    """Degrees (N, limbs) between the limbs of the person and of the character."""
    found = joints(target, names, np.arange(1, len(motion) + 1))
    errors = []
    for limb, end in ENDS.items():
        for side in "LR":
            a, b = f"{limb}.{side}", f"{end}.{side}"
            mine, theirs = found[b] - found[a], motion.joints[:, INDEX[b]] - motion.joints[:, INDEX[a]]
            sine = np.linalg.norm(np.cross(mine, theirs), axis=1)
            errors.append(np.degrees(np.arctan2(sine, (mine * theirs).sum(axis=1))))
    return np.stack(errors, axis=1)


OWN = {joint: joint for joint in JOINTS}


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


@pytest.mark.parametrize("mode", ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX", "AXIS_ANGLE"])
def test_rotation_modes_are_kept(mode: str) -> None:
    target, motion = character(), walk()
    for bone in target.pose.bones:
        bone.rotation_mode = mode
    put(target, motion)
    assert {bone.rotation_mode for bone in target.pose.bones} == {mode}
    assert limb_errors(target, motion, OWN).max() < 0.1


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX", "AXIS_ANGLE"])
def test_channels_say_the_same_rotation_without_jumps(mode: str) -> None:
    turned = random_motion(200, seed=4).world_rotations[:, INDEX["hand.L"]]
    values = channels(turned, mode)
    np.testing.assert_allclose(rotations_of(values, mode), turned, atol=1e-6)
    if mode != "AXIS_ANGLE":
        assert np.abs(np.diff(values, axis=0)).max() < 2.0


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


def test_hundredth_clip_is_as_exact_as_the_first(curves: Callable[..., dict[Any, Any]]) -> None:
    def keys(owner: bpy.types.Object) -> dict[Any, np.ndarray]:
        out = {}
        for key, curve in curves(owner).items():
            flat = np.empty(2 * len(curve.keyframe_points), dtype=np.float32)
            curve.keyframe_points.foreach_get("co", flat)
            out[key] = flat
        return out

    alone, often = character(), character()
    put(alone, walk(seed=9))
    for seed in range(1, 6):
        put(often, walk(seed=seed))
        bpy.context.scene.frame_set(10 * seed)
    put(often, walk(seed=9))
    first, last = keys(alone), keys(often)
    assert first.keys() == last.keys()
    for key, values in first.items():
        np.testing.assert_array_equal(values, last[key])


def test_earlier_action_is_kept_and_parts_are_put_into_a_copy(curves: Callable[..., dict[Any, Any]]) -> None:
    target = character()
    put(target, walk(seed=2))
    earlier = target.animation_data.action
    before = earlier.frame_range[1]
    put(target, walk(20, seed=3), parts=frozenset({"arms", "head"}))
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
        bone_map = detect(read_rig(target), target.data)
        assert bone_map.bones["root"] == "root" and bone_map.bones["hips"] == "pelvis"
        performance = perform_motion(motion, 30.0)
        retarget(performance, target, bone_map, Settings(root_motion=how), "x")
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


def test_feet_that_stand_do_not_slide() -> None:
    frames = 60
    motion = random_motion(frames, seed=5)
    rotations = np.zeros((frames, len(JOINTS), 4))
    rotations[..., 0] = 1
    sway = 0.25 * np.sin(np.arange(frames) / 8)
    for side in "LR":  # knees bend while the hips sway over standing feet
        rotations[:, INDEX[f"thigh.{side}"]] = np.stack(
            [np.cos(-0.3 + sway), np.sin(-0.3 + sway), *np.zeros((2, frames))], 1
        )
        rotations[:, INDEX[f"shin.{side}"]] = np.stack(
            [np.cos(0.5 + 0 * sway), np.sin(0.5 + 0 * sway), *np.zeros((2, frames))], 1
        )
        rotations[:, INDEX[f"foot.{side}"]] = np.stack(
            [np.cos(-0.2 - sway), np.sin(-0.2 - sway), *np.zeros((2, frames))], 1
        )
    motion = replace(motion, offsets=TEMPLATE_OFFSETS, rotations=rotations, contacts=np.ones((frames, 4)))
    ankle = motion.joints[:, INDEX["foot.L"]] - motion.joints[:, 0]
    motion = replace(motion, root=np.array([0, 0, 0.09]) - ankle * [0, 1, 1])
    target = character(droop=30)
    put(target, motion)
    found = joints(target, OWN, np.arange(1, frames + 1))
    for side in "LR":
        steps = np.linalg.norm(np.diff(found[f"toe.{side}"], axis=0), axis=1)
        assert steps.max() < 1.5e-3
        rest = target.data.bones[f"toe.{side}"].head_local.z
        assert np.abs(found[f"toe.{side}"][:, 2] - rest).max() < 2e-3


def test_source_may_be_an_armature(curves: Callable[..., dict[Any, Any]]) -> None:
    motion = walk()
    source = build_armature("Source", motion.offsets, bpy.context.scene.collection)
    animate(source, motion, "Take", 30.0)
    performance = perform_armature(source, frames_of(source), 30.0)
    truth = perform_motion(motion, 30.0)
    np.testing.assert_allclose(performance.world, truth.world, atol=1e-4)
    np.testing.assert_allclose(performance.root, truth.root, atol=1e-4)
    constraint = source.pose.bones["head"].constraints.new("LIMIT_SCALE")  # Blender has to be asked then
    asked = perform_armature(source, frames_of(source), 30.0)
    assert not constraint.mute
    np.testing.assert_allclose(asked.world, performance.world, atol=1e-4)
    assert bpy.context.scene.frame_current == 1


def test_preview_follows_and_leaves_nothing() -> None:
    motion = walk()
    source = build_armature("Source", motion.offsets, bpy.context.scene.collection)
    animate(source, motion, "Take", 30.0)
    target = character()
    before = [tuple(tuple(r) for r in bone.matrix_basis) for bone in target.pose.bones]
    start_preview(source, target, detect(read_rig(target), target.data), Settings())
    assert limb_errors(target, motion, OWN).max() < 0.1
    end_preview()
    assert target.animation_data is None or target.animation_data.action is None
    after = [tuple(tuple(r) for r in bone.matrix_basis) for bone in target.pose.bones]
    np.testing.assert_allclose(after, before, atol=1e-6)


# --- bone maps -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "mixamorig:", "mixamorig1:", "mixamorig12_"])
def test_mixamo_with_any_prefix(prefix: str) -> None:
    names = {joint: prefix + name for joint, name in MIXAMO.items()}
    found = detect(read_rig(target := character(names)), target.data)
    assert found.name == "Mixamo"
    assert {joint: found.bones[joint] for joint in JOINTS} == names


@pytest.mark.parametrize("path", sorted(PRESETS.glob("*.json")), ids=lambda path: path.stem)
def test_every_preset_is_found_by_its_own_names(path: Path) -> None:
    preset = load_preset(path)
    names = {
        joint: preset.prefix.split("\\")[0].replace("[mf]", "m_") + preset.bones[joint][0]
        for joint in JOINTS
        if joint in preset.bones
    }
    target = character(names)
    found = detect(read_rig(target), target.data)
    assert {joint: found.bones.get(joint) for joint in MAIN if joint in names} == {
        joint: names[joint] for joint in MAIN if joint in names
    }


@pytest.mark.parametrize(
    "how", [{}, {"droop": 45.0}, {"fingers": False}, {"spine_bones": 3}, {"size": 100.0}], ids=str
)
def test_bones_are_found_without_names(how: dict[str, Any]) -> None:
    target = character(**how)
    truth = {joint: target.data.bones[joint].head_local.copy() for joint in MAIN}
    for number, bone in enumerate(list(target.data.bones)):
        bone.name = f"Bone.{number:03d}"
    found = detect(read_rig(target), target.data)
    for joint, head in truth.items():
        assert (target.data.bones[found.bones[joint]].head_local - head).length < 1e-5, joint
    assert all(0 < sure < 0.9 for sure in found.certainty.values())


@pytest.mark.parametrize(
    "names",
    [
        {
            "upper_arm": "{s}_UpArm", "forearm": "{s}_Elbow", "hand": "{s}_Wrist", "thigh": "{s}_Femur",
            "shin": "{s}_Knee", "foot": "{s}_Ankle",
        },
        {
            "upper_arm": "Arm_Upper_{s}", "forearm": "Arm_Lower_{s}", "hand": "Palm_{s}",
            "thigh": "Leg_Upper_{s}", "shin": "Leg_Lower_{s}", "foot": "Foot_{s}",
        },
    ],
)  # fmt: skip
@pytest.mark.parametrize("sides", [("L", "R"), ("Left", "Right"), ("lft", "rgt")])
def test_other_habits_of_naming(names: dict[str, str], sides: tuple[str, str]) -> None:
    called = {
        f"{joint}.{side}": name.format(s=word)
        for joint, name in names.items()
        for side, word in zip("LR", sides, strict=True)
    }
    called |= {"hips": "Pelvis_Main", "chest": "Thorax", "head": "Skull"}
    found = detect(read_rig(target := character(called)), target.data)
    for joint in called:
        assert found.bones[joint] == called[joint]


def test_vrm_tells_its_bones_itself() -> None:
    names = {joint: f"J_{number}" for number, joint in enumerate(JOINTS)}
    target = character(names)
    words = {
        "upper_arm": "UpperArm",
        "forearm": "LowerArm",
        "thigh": "UpperLeg",
        "shin": "LowerLeg",
        "hand": "Hand",
        "foot": "Foot",
    }
    humanoid = {"hips": names["hips"], "chest": names["chest"], "head": names["head"]}
    for joint, word in words.items():
        humanoid |= {"left" + word: names[f"{joint}.L"], "right" + word: names[f"{joint}.R"]}
    target.data[HUMANOID] = json.dumps(humanoid)
    found = detect(read_rig(target), target.data)
    assert found.name == "VRM humanoid" and {j: found.bones[j] for j in MAIN} == {j: names[j] for j in MAIN}


def test_own_map_is_saved_shared_and_preferred(tmp_path: Path) -> None:
    names = {joint: f"part {number}" for number, joint in enumerate(JOINTS)}
    target = character(names)
    rig = read_rig(target)
    mine = replace(detect(rig, target.data), bones=names)
    save_preset(tmp_path / "mine.json", "Mine", mine)
    (tmp_path / "broken.json").write_text("{")
    found = detect(rig, target.data, own_presets(tmp_path))
    assert found.name == "Mine" and found.bones == names
    other = swapped(found)
    assert other.bones["hand.L"] == names["hand.R"] and other.bones["hips"] == names["hips"]


# --- bad input -----------------------------------------------------------------------------------------


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(CaptureError) as caught:
        act()
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence
    return sentence


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


def test_nothing_keyed_and_no_frame_rate() -> None:
    target = character()
    assert "Nothing is keyed" in refused(lambda: frames_of(target))
    assert "no frame rate" in refused(lambda: perform_motion(replace(walk(), fps=0.0), 30.0))


def test_rig_without_legs() -> None:
    target = character(leave_out=("thigh", "shin", "foot", "toe"))
    bone_map = detect(read_rig(target), target.data)
    performance = perform_motion(walk(), 30.0)
    act = lambda **how: retarget(performance, target, bone_map, Settings(**how), "x")  # noqa: E731
    assert "two legs" in refused(act)
    assert target.animation_data is None
    act(parts=frozenset(PARTS) - {"legs", "feet"})
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


def test_maps_that_do_not_fit(tmp_path: Path) -> None:
    target = character()
    rig = read_rig(target)
    assert "another rig" in refused(lambda: apply_preset(rig, load_preset(PRESETS / "daz_genesis9.json")))
    for text in ("{", "[]", '{"kinelift_bone_map": 1, "name": "x", "bones": {"tail": "x"}}', "\x00"):
        (tmp_path / "broken.json").write_text(text)
        assert "damaged" in refused(lambda: load_preset(tmp_path / "broken.json"))
    assert "no bone map" in refused(lambda: load_preset(tmp_path / "gone.json"))
    bone_map = detect(rig, target.data)
    bone_map.bones["hips"] = "gone"
    assert "no bone gone" in refused(
        lambda: retarget(perform_motion(walk(), 30.0), target, bone_map, Settings(), "x")
    )
    del bone_map.bones["hips"]
    assert "no hips" in refused(
        lambda: retarget(perform_motion(walk(), 30.0), target, bone_map, Settings(), "x")
    )
    cube = bpy.data.objects.new("Bones", bpy.data.armatures.new("Bones"))
    bpy.context.scene.collection.objects.link(cube)
    bpy.context.view_layer.objects.active = cube
    bpy.ops.object.mode_set(mode="EDIT")
    cube.data.edit_bones.new("a").tail = (0, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    assert "No body" in refused(lambda: detect(read_rig(cube), cube.data))


def test_locked_and_driven_channels_are_named_and_left(curves: Callable[..., dict[Any, Any]]) -> None:
    target, motion = character(), walk()
    shin, head, hips = (target.pose.bones[name] for name in ("shin.L", "head", "hips"))
    shin.lock_rotation = (False, True, True)
    hips.lock_location = (True, False, False)
    head.rotation_mode = "XYZ"
    driver = head.driver_add("rotation_euler", 1)
    driver.driver.expression = "0.1"
    bone_map = detect(read_rig(target), target.data)
    result = retarget(perform_motion(motion, 30.0), target, bone_map, Settings(), "x")
    told = " ".join(result.warnings)
    assert "shin.L has locked" in told and "hips has locked location" in told and "driver" in told
    keyed = curves(target).keys()
    assert ('pose.bones["shin.L"].rotation_quaternion', 2) not in keyed
    assert ('pose.bones["shin.L"].rotation_quaternion', 1) in keyed
    assert ('pose.bones["head"].rotation_euler', 1) not in keyed
    assert len([key for key in keyed if key[0].endswith('["hips"].location')]) == 2


def test_constraints_are_left_and_named() -> None:
    target, motion = character(), walk()
    constraint = target.pose.bones["hand.L"].constraints.new("COPY_ROTATION")
    constraint.target, constraint.subtarget = target, "head"
    bone_map = detect(read_rig(target), target.data)
    result = retarget(perform_motion(motion, 30.0), target, bone_map, Settings(), "x")
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


def test_structure_refuses_what_is_no_body() -> None:
    target = character(leave_out=("thigh", "shin", "foot", "toe"))
    assert guess_by_structure(read_rig(target)) is None
