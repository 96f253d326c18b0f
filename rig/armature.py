"""The armature object: 21 bones in a T-pose on the floor, from a skeleton's rest offsets.

World axes are Blender's own, so bones are put where the joints are. A bone's Y axis runs along it. Joints
bend about X: it points to the character's left everywhere but in the arms, where Z points forwards. Positive
turns about X then bend knees and elbows, lean the trunk forwards and stretch the feet, left and right alike,
and the right bones are what Blender's own X-mirror makes of the left ones.
"""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector

from ..core.arrays import Array, Floats
from ..core.skeleton import (
    ANKLE_HEIGHT,
    END_POINTS,
    INDEX,
    JOINTS,
    PARENTS,
    STANDARD_HEIGHT,
    lengths_of,
    standing_height,
)
from .takes import OFFSETS, noted_offsets

#: the joint that a bone with more than one child points to
_TOWARDS = {"hips": "spine", "chest": "neck"}
_ARMS = ("shoulder", "upper_arm", "forearm", "hand")


def rest_joints(offsets: Array) -> Floats:
    """Positions (J, 3) of the joints in the T-pose, metres: hips above the origin, soles on the floor."""
    out = np.zeros((len(JOINTS), 3))
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            out[joint] = out[parent] + offsets[joint]
    out[:, 2] += ANKLE_HEIGHT * _size(offsets) - out[INDEX["foot.L"], 2]
    return out


def _size(offsets: Array) -> float:
    """Height of the person in that of the template."""
    return float(standing_height(lengths_of(offsets))) / STANDARD_HEIGHT


def rest_tails(offsets: Array) -> Floats:
    """Positions (J, 3) of the ends of the joints' bones in the T-pose, as `rest_joints` of their heads."""
    heads = rest_joints(offsets)
    tails = np.empty_like(heads)
    for joint, name in enumerate(JOINTS):
        children = [c for c, parent in enumerate(PARENTS) if parent == joint]
        if name in END_POINTS:
            tails[joint] = heads[joint] + np.array(END_POINTS[name]) * _size(offsets)
        else:
            tails[joint] = heads[INDEX[_TOWARDS[name]] if name in _TOWARDS else children[0]]
    return tails


def offsets_of(armature: bpy.types.Object) -> Floats:
    """Rest offsets (J, 3) of the joints that a captured armature's bones were put on, metres.

    If it isn't known where they were put, it is taken that they are still there.
    """
    noted = noted_offsets(armature.data)
    if noted is not None:
        return np.array(noted, dtype=float).reshape(len(JOINTS), 3)
    heads = np.array([armature.data.bones[name].head_local for name in JOINTS], dtype=float)
    return np.asarray(heads - heads[np.maximum(PARENTS, 0)])


def build_armature(name: str, offsets: Array, collection: bpy.types.Collection) -> bpy.types.Object:
    """Make an armature object at the world's origin and leave it selected and active, in Object Mode.

    Parameters
    ----------
    name : str
        Name of the object and its data.
    offsets : (J, 3), metres
        Rest offsets of the joints (`Motion.offsets`).
    collection : bpy.types.Collection
        Where to link it; it must be part of the current view layer.

    Returns
    -------
    bpy.types.Object
        Its bones are named as `skeleton.JOINTS` and turn by quaternions.
    """
    if bpy.context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    data = bpy.data.armatures.new(name)
    armature = bpy.data.objects.new(name, data)
    collection.objects.link(armature)
    for other in bpy.context.selected_objects:
        other.select_set(False)
    armature.select_set(True)
    bpy.context.view_layer.objects.active = armature

    heads = rest_joints(offsets)
    tails = rest_tails(offsets)
    data[OFFSETS] = np.asarray(offsets, dtype=float).ravel().tolist()
    bpy.ops.object.mode_set(mode="EDIT")
    for joint, bone_name in enumerate(JOINTS):
        bone = data.edit_bones.new(bone_name)
        bone.head, bone.tail = heads[joint], tails[joint]
        if bone_name.split(".")[0] in _ARMS:
            bone.align_roll(Vector((0, -1, 0)))
        else:
            bone.align_roll(Vector((1, 0, 0)).cross(bone.vector))
        if PARENTS[joint] >= 0:
            bone.parent = data.edit_bones[JOINTS[PARENTS[joint]]]
            bone.use_connect = bool(np.array_equal(tails[PARENTS[joint]], heads[joint]))
    bpy.ops.object.mode_set(mode="OBJECT")
    for bone in armature.pose.bones:
        bone.rotation_mode = "QUATERNION"
    armature.show_in_front = True
    return armature
