"""An armature's rest pose as arrays, and the direction in which the body in it stands and faces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import bpy
import numpy as np

from ...core.arrays import Bools, Floats, Indices
from ...core.errors import CaptureError
from ...core.rotations import unit

#: a body whose spine is within this angle of an axis of its object stands along it, degrees
_UPRIGHT = 35.0
#: a body that faces within this angle of an axis of its object faces along it, degrees
_STRAIGHT = 15.0
#: bones nearer to each other than this are at one place, metres
_ONE_PLACE = 1e-9


@dataclass(frozen=True)
class Rig:
    """The bones of an armature in its rest pose, or in a pose that is taken as one.

    Attributes
    ----------
    names : tuple of str
        Parents come before their children.
    parents : (N,) int
        -1: none.
    rest : (N, 4, 4)
        Of the bones, in the armature's space.
    tails : (N, 3)
        In the armature's space.
    world : (4, 4)
        Of the object.
    held : (N,) bool
        Bones that constraints pose, or whose rotation is locked: keys would do nothing there.
    properties : dict of str to frozenset of str
        Names of bones' custom properties, among them switches to FK; only bones that have some.
    """

    names: tuple[str, ...]
    parents: Indices
    rest: Floats
    tails: Floats
    world: Floats
    held: Bools
    properties: dict[str, frozenset[str]]

    @cached_property
    def index(self) -> dict[str, int]:
        """Where each bone is in the arrays."""
        return {name: i for i, name in enumerate(self.names)}

    @cached_property
    def heads(self) -> Floats:
        """Heads of the bones (N, 3) in the world, metres."""
        return np.asarray(self.rest[:, :3, 3] @ self.world[:3, :3].T + self.world[:3, 3])

    @cached_property
    def ends(self) -> Floats:
        """Tails of the bones (N, 3) in the world, metres."""
        return np.asarray(self.tails @ self.world[:3, :3].T + self.world[:3, 3])

    @cached_property
    def children(self) -> list[list[int]]:
        """Children of each bone."""
        out: list[list[int]] = [[] for _ in self.names]
        for bone, parent in enumerate(self.parents):
            if parent >= 0:
                out[parent].append(bone)
        return out

    def ancestors(self, bone: int) -> list[int]:
        """The bone itself, its parent, and so on up to the root."""
        out = [bone]
        while (parent := int(self.parents[out[-1]])) >= 0:
            out.append(parent)
        return out

    @cached_property
    def turn(self) -> Floats:
        """Rotation (3, 3) of the object in the world, without scale and shear."""
        return nearest_rotation(self.world)


def nearest_rotation(m: Floats) -> Floats:
    """The rotations (..., 3, 3) nearest to the linear parts of matrices (..., 4, 4)."""
    u, _, v = np.linalg.svd(m[..., :3, :3])
    return np.asarray(u @ v)


def read_rig(armature: bpy.types.Object, *, posed: bool = False) -> Rig:
    """The rest pose of an armature, or the pose that it is in now.

    Raises
    ------
    CaptureError
        If the object isn't an armature, has no bones, or its scale mirrors or flattens it.
    """
    if armature is None or armature.type != "ARMATURE":
        raise CaptureError("Select the armature of your character: there is none in the selection.")
    bones = list(armature.data.bones)
    if not bones:
        raise CaptureError(f"{armature.name} has no bones.")
    world = np.array(armature.matrix_world, dtype=float)
    size = np.linalg.det(world[:3, :3])
    if size <= 1e-15:
        what = "mirrored by a negative scale" if size < -1e-15 else "flattened by a scale of 0"
        raise CaptureError(f"{armature.name} is {what}: apply its scale (Ctrl A) or make it positive.")
    order = {bone.name: i for i, bone in enumerate(bones)}
    pose = armature.pose.bones
    held = [
        any(not c.mute and c.influence > 0 for c in p.constraints)
        or (
            all(p.lock_rotation)
            and (p.lock_rotation_w or p.rotation_mode not in ("QUATERNION", "AXIS_ANGLE"))
        )
        for p in (pose[bone.name] for bone in bones)
    ]
    if posed:
        evaluated = armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        rest = np.array([evaluated[bone.name].matrix for bone in bones], dtype=float)
        tails = np.array([evaluated[bone.name].tail for bone in bones], dtype=float)
    else:
        rest = np.array([bone.matrix_local for bone in bones], dtype=float)
        tails = np.array([bone.tail_local for bone in bones], dtype=float)
    return Rig(
        names=tuple(order),
        parents=np.array([order[bone.parent.name] if bone.parent else -1 for bone in bones], dtype=np.intp),
        rest=rest,
        tails=tails,
        world=world,
        held=np.array(held),
        properties={p.name: frozenset(p.keys()) for p in pose if p.keys()},
    )


def body_frame(rig: Rig, bones: Mapping[str, int]) -> Floats:
    """The rotation (3, 3) that takes the world to the body's own axes: X to its left, Y backwards, Z up.

    A body that stands nearly along an axis of its object counts as standing along it: a leaning spine, or one
    hand that is a little further back, is the character's shape and not a rotation to undo.

    Parameters
    ----------
    rig : Rig
    bones : mapping of joint to bone
        At least the hips and one pair.
    """
    at = {joint: rig.heads[bone] for joint, bone in bones.items()}
    pairs = [n for n in ("thigh", "upper_arm", "shin", "forearm") if f"{n}.L" in at and f"{n}.R" in at]
    left = sum((at[f"{n}.L"] - at[f"{n}.R"] for n in pairs), np.zeros(3))
    above = [at[n] for n in ("head", "neck", "upper_arm.L", "upper_arm.R") if n in at]
    below = [at[n] for n in ("thigh.L", "thigh.R") if n in at] or [at["hips"]]
    up = np.mean(above, axis=0) - np.mean(below, axis=0) if above else rig.turn[:, 2]
    up = _snapped(up, rig.turn, _UPRIGHT)
    left = left - up * (left @ up)
    left = _snapped(left, rig.turn, _STRAIGHT)
    left = _direction(left - up * (left @ up))
    return np.stack([left, np.cross(up, left), up])


def _snapped(direction: Floats, axes: Floats, degrees: float) -> Floats:
    """The signed column of `axes` within `degrees` of `direction`, or else `direction` at length 1."""
    own = _direction(direction)
    along = own @ axes
    nearest = int(np.abs(along).argmax())
    if abs(along[nearest]) >= np.cos(np.radians(degrees)):
        return np.asarray(np.sign(along[nearest]) * axes[:, nearest])
    return own


def _direction(v: Floats) -> Floats:
    """A vector (3,) at length 1, if it has a length."""
    if np.linalg.norm(v) < _ONE_PLACE:
        raise CaptureError("The rest pose has left and right bones at one place: is the bone map right?")
    return np.asarray(unit(v))
