"""Pins: the pose that an armature has now, and those that were kept, in frames of its capture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np

from ..core.arrays import Floats
from ..core.pins import Pins
from ..core.rotations import matrix_from_quaternion, unit
from ..core.skeleton import INDEX, JOINTS
from .cleanup import Asked
from .read import check_captured


def posed(armature: bpy.types.Object) -> tuple[Floats, Floats]:
    """How a captured armature is posed, also by what has no key.

    Returns
    -------
    rotations : (J, 3, 3)
        World rotations of the joints against the rest pose; the armature's own transform is left out.
    hips : (3,)
        Their position, metres.

    Raises
    ------
    CaptureError
        If the armature lacks bones.
    """
    check_captured(armature)
    bones, rest = armature.pose.bones, armature.data.bones
    now = np.array([bones[joint].matrix for joint in JOINTS], dtype=float)[:, :3, :3]
    now /= np.maximum(np.linalg.norm(now, axis=1, keepdims=True), 1e-9)
    at_rest = np.array([rest[joint].matrix_local for joint in JOINTS], dtype=float)[:, :3, :3]
    hips = armature.pose.bones[JOINTS[0]].matrix.translation
    return now @ np.swapaxes(at_rest, 1, 2), np.array(hips, dtype=float)


def pins_of(kept: Sequence[Any], asked: Asked) -> tuple[Pins | None, list[int]]:
    """Pins in frames of the capture that an armature plays.

    Parameters
    ----------
    kept : sequence of state.scene.Pin
        In frames of the scene.
    asked : Asked
        Of the armature: says where the frames of the capture lie.

    Returns
    -------
    pins : Pins or None
        None if there are none.
    outside : list of int
        Frames of those that lie outside the motion, which are left out.
    """
    frames = np.array([round((one.frame - asked.first) / asked.per_frame) for one in kept])
    inside = (frames >= 0) & (frames < len(asked.standing))
    outside = [one.frame for one, there in zip(kept, inside, strict=True) if not there]
    kept = [one for one, there in zip(kept, inside, strict=True) if there]
    if not kept:
        return None, outside
    rotations = np.full((len(kept), len(JOINTS), 3, 3), np.nan)
    for number, one in enumerate(kept):
        for bone in (bone for bone in one.bones if bone.name in INDEX):
            rotations[number, INDEX[bone.name]] = matrix_from_quaternion(unit(np.array(bone.turn, float)))
    hips = np.array([tuple(one.hips) if one.use_hips else (np.nan,) * 3 for one in kept], float)
    return Pins(frames[inside], rotations, hips, np.array([one.strength for one in kept], float)), outside
