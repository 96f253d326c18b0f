"""Characters that the tests of retargeting build, and how they are compared with the person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import addon_utils
import bpy
import numpy as np
import pytest
from mathutils import Matrix, Vector

from kinelift.core.errors import CaptureError
from kinelift.core.motion import Motion
from kinelift.core.options import RetargetSettings
from kinelift.core.skeleton import INDEX, JOINTS, PARENTS, TEMPLATE_OFFSETS
from kinelift.rig.armature import rest_joints
from kinelift.rig.retarget.apply import retarget
from kinelift.rig.retarget.bones import read_rig
from kinelift.rig.retarget.mapping import find_bone_map
from kinelift.rig.retarget.source import perform_motion
from kinelift.rig.retarget.transfer import Performance
from kinelift.tests.motions import random_motion

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
        if name == "head":
            way = np.array([0, 0, 0.18 * size])
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
    target: bpy.types.Object, motion: Motion, settings: RetargetSettings | None = None, **change: Any
) -> Performance:
    performance = perform_motion(motion, motion.fps)
    bone_map = find_bone_map(read_rig(target), target.data)
    retarget(performance, target, bone_map, settings or RetargetSettings(**change), "Result")
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


def add_bone(
    target: bpy.types.Object, name: str, parent: str, head: Any, tail: Any, carries: tuple[str, ...] = ()
) -> None:
    """One more bone of a character; children of its parent that it is to carry instead are named."""
    bpy.context.view_layer.objects.active = target
    bpy.ops.object.mode_set(mode="EDIT")
    bones = target.data.edit_bones
    bone = bones.new(name)
    bone.head, bone.tail, bone.parent = head, tail, bones.get(parent)
    for child in carries:
        bones[child].parent = bone
    bpy.ops.object.mode_set(mode="OBJECT")


def nameless(target: bpy.types.Object) -> dict[str, str]:
    """Call all bones Bone.001 and so on; returns what they are called now by what they were."""
    before = [bone.name for bone in target.data.bones]
    for number, name in enumerate(before):
        target.data.bones[name].name = f"Bone.{number:03d}"
    return {name: f"Bone.{number:03d}" for number, name in enumerate(before)}


def generated_rigify() -> bpy.types.Object:
    """A Rigify rig as Blender generates it."""
    if "rigify" not in bpy.context.preferences.addons:
        addon_utils.enable("rigify", default_set=True)
    bpy.ops.object.armature_human_metarig_add()
    bpy.ops.pose.rigify_generate()
    return bpy.context.object


def refused(act: Callable[[], object]) -> str:
    """The sentence with which something is refused."""
    with pytest.raises(CaptureError) as caught:
        act()
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence
    return sentence
