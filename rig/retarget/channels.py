"""The channels of a pose bone: their names, their values, and which of them may be keyed."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from ...core.arrays import Floats
from ...core.rotations import continuous_quaternions, matrix_from_quaternion, quaternion_from_matrix
from .bones import Rig

_NAMES = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}


@dataclass
class Keys:
    """What is going to be keyed on one bone.

    Attributes
    ----------
    path : str
        Data path of the channels.
    bone : str
    values : (N, C)
        Of all the channels, frame by frame.
    free : list of int
        The channels that may be keyed: neither locked nor driven.
    """

    path: str
    bone: str
    values: Floats
    free: list[int]


class Channels:
    """Keys for the pose bones of a target. Locked and driven channels keep the values that they have.

    Attributes
    ----------
    warnings : list of str
        What was left alone, a sentence each.
    """

    def __init__(self, target: bpy.types.Object, rig: Rig) -> None:
        self.warnings: list[str] = []
        self._target, self._rig = target, rig
        animation = target.animation_data
        drivers = animation.drivers if animation is not None else ()
        self._driven = {(curve.data_path, curve.array_index) for curve in drivers}

    def rotation(self, bone: str, basis: Floats) -> tuple[Keys, Floats]:
        """Keys that turn a bone.

        Parameters
        ----------
        bone : str
        basis : (N, 3, 3)
            Rotations relative to the rest pose.

        Returns
        -------
        Keys
        (N, 3, 3)
            The rotations that they make of it: others than `basis` where channels are locked or driven.
        """
        pose_bone = self._target.pose.bones[bone]
        mode = pose_bone.rotation_mode
        channel = rotation_channel(mode)
        path = f"{bone_path(bone)}.{channel}"
        values = rotation_values(basis, mode)
        locks = list(pose_bone.lock_rotation)
        locked = [pose_bone.lock_rotation_w, *locks] if channel != "rotation_euler" else locks
        driven = [(path, index) in self._driven for index in range(values.shape[1])]
        held = [a or b for a, b in zip(locked, driven, strict=True)]
        free = [index for index, stays in enumerate(held) if not stays]
        if any(locked):
            self._warn(f"{bone} has locked rotation channels: they are left as they are.")
        if any(driven):
            self._warn(f"{bone} has a rotation that a driver sets: it is left alone.")
        if any(held):
            now = np.array(getattr(pose_bone, channel), dtype=float)
            values[:, held] = now[held]
            if mode == "QUATERNION" and free:
                share = np.maximum(0.0, 1 - (now[held] ** 2).sum()) ** 0.5
                length = np.linalg.norm(values[:, free], axis=1, keepdims=True)
                values[:, free] *= share / np.maximum(length, 1e-9)
            basis = rotations_of(values, mode)
        return Keys(path, bone, values, free), basis

    def location(self, bone: str, head: Floats, turn: Floats, origin: Floats) -> tuple[Keys | None, Floats]:
        """Keys that bring a bone's head to a place. All places are in the armature's space.

        Parameters
        ----------
        bone : str
        head : (N, 3)
            Where the head is to be.
        turn : (N, 3, 3)
            Rotation of the frame that carries the bone.
        origin : (N, 3)
            Where the head is without keys.

        Returns
        -------
        Keys or None
            None for a bone that is connected to its parent: it can't move.
        (N, 3)
            Where the head gets to.
        """
        pose_bone, data = self._target.pose.bones[bone], self._target.data.bones[bone]
        rest = np.array(data.matrix_local, dtype=float)[:3, :3]
        axes = turn if data.use_local_location else turn @ rest.T
        values = np.einsum("nba,nb->na", axes, head - origin)
        path = f"{bone_path(bone)}.location"
        held = [lock or (path, i) in self._driven for i, lock in enumerate(pose_bone.lock_location)]
        if any(held):
            self._warn(f"{bone} has locked location channels: it isn't moved along these.")
            values[:, held] = np.array(pose_bone.location, dtype=float)[held]
        if data.use_connect and data.parent is not None:
            self._warn(f"{bone} is connected to its parent: it can't be moved to its place.")
            return None, origin
        free = [index for index, stays in enumerate(held) if not stays]
        return Keys(path, bone, values, free), origin + np.einsum("nab,nb->na", axes, values)

    def rotation_now(self, bone: str) -> Floats:
        """The rotation (1, 3, 3) relative to the rest pose that a bone has now."""
        pose_bone = self._target.pose.bones[bone]
        now = np.array([getattr(pose_bone, rotation_channel(pose_bone.rotation_mode))], dtype=float)
        return rotations_of(now, pose_bone.rotation_mode)

    def _warn(self, sentence: str) -> None:
        if sentence not in self.warnings:
            self.warnings.append(sentence)


def bone_path(bone: str) -> str:
    """The data path of a pose bone."""
    return f"pose.bones[{quoted(bone)}]"


def quoted(name: str) -> str:
    """A name as it stands in data paths."""
    return f'"{bpy.utils.escape_identifier(name)}"'


def rotation_channel(mode: str) -> str:
    """The channel that holds a pose bone's rotation in a rotation mode."""
    return _NAMES.get(mode, "rotation_euler")


def rotation_values(rotation: Floats, mode: str) -> Floats:
    """Values (N, 4 or 3) of a bone's rotation channels for rotations (N, 3, 3), without jumps.

    Parameters
    ----------
    rotation : (N, 3, 3)
    mode : str
        Blender's rotation mode: QUATERNION, AXIS_ANGLE or an Euler order.
    """
    if mode not in ("QUATERNION", "AXIS_ANGLE"):
        return _euler_values(rotation, mode)
    q = continuous_quaternions(quaternion_from_matrix(rotation))
    if mode == "QUATERNION":
        return q
    sine = np.linalg.norm(q[:, 1:], axis=1, keepdims=True)
    axis = np.where(sine > 1e-9, q[:, 1:] / np.maximum(sine, 1e-9), [0.0, 1.0, 0.0])
    return np.concatenate([2 * np.arctan2(sine, q[:, :1]), axis], axis=1)


def _euler_values(rotation: Floats, order: str) -> Floats:
    """Angles (N, 3), radians, about X, Y and Z of rotations (N, 3, 3), without jumps.

    `order` is Blender's: XYZ turns about X first.
    """
    i, j, k = ("XYZ".index(letter) for letter in order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    third = np.arctan2(sign * rotation[:, j, i], rotation[:, i, i])
    # what is left once the last turn is undone: well known even where the other two turn about one axis
    c, s = np.cos(third), np.sin(third)
    row_i = c[:, None] * rotation[:, i] + sign * s[:, None] * rotation[:, j]
    row_j = -sign * s[:, None] * rotation[:, i] + c[:, None] * rotation[:, j]
    second = np.arctan2(-sign * rotation[:, k, i], row_i[:, i])
    first = np.arctan2(-sign * row_j[:, k], row_j[:, j])
    out = np.empty((len(rotation), 3))
    out[:, i], out[:, j], out[:, k] = first, second, third
    # a rotation has two sets of angles, each up to whole turns: take the one nearest to the frame before
    other = out + np.pi
    other[:, j] = np.pi - out[:, j]
    whole = 2 * np.pi
    for frame in range(1, len(out)):
        options = np.stack([out[frame], other[frame]])
        options -= whole * np.round((options - out[frame - 1]) / whole)
        out[frame] = options[np.abs(options - out[frame - 1]).sum(1).argmin()]
    return out


def rotations_of(values: Floats, mode: str) -> Floats:
    """Rotations (N, 3, 3) of channel values (N, 4 or 3): the inverse of `rotation_values`."""
    if mode == "QUATERNION":
        length = np.linalg.norm(values, axis=1, keepdims=True)
        unit = np.where(length > 1e-9, values / np.maximum(length, 1e-9), [1, 0, 0, 0])
        return np.asarray(matrix_from_quaternion(unit))
    if mode == "AXIS_ANGLE":
        length = np.linalg.norm(values[:, 1:], axis=1, keepdims=True)
        axis = np.where(length > 1e-9, values[:, 1:] / np.maximum(length, 1e-9), [0.0, 1.0, 0.0])
        half = values[:, :1] / 2
        return np.asarray(matrix_from_quaternion(np.concatenate([np.cos(half), np.sin(half) * axis], axis=1)))
    out = np.tile(np.eye(3), (len(values), 1, 1))
    for letter in mode:
        about = "XYZ".index(letter)
        half = values[:, about] / 2
        q = np.zeros((len(values), 4))
        q[:, 0], q[:, 1 + about] = np.cos(half), np.sin(half)
        out = matrix_from_quaternion(q) @ out
    return out
