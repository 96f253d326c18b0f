"""Controls of inverse kinematics that follow the bones of their limb: switching to them changes nothing.

Only what a rig's own constraints say is believed: a limb has inverse kinematics if a constraint bends a chain
of bones that rests exactly where the limb's bones do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import Any

import bpy
import numpy as np

from ...core.arrays import Floats
from ...core.rotations import unit
from .bones import Rig
from .carriers import constrained

#: the joints of limbs, from the trunk outwards, and those that go with the last
_LIMBS = (("upper_arm", "forearm", "hand", ()), ("thigh", "shin", "foot", ("toe",)))
#: bones rest at one place if they are no farther apart than this share of the limb
_NEAR = 0.01
#: a limb whose bend has a smaller sine than this has no plane of its own: its elbow or knee is off by less
#: than a thousandth of the limb, whatever the plane
_STRAIGHT = 2e-3
#: a limb that inverse kinematics hold is off by more than this share of its length: a millimetre and a half
_OFF = 2e-3
#: frames in which that is looked at
_LOOKS = 12


@dataclass(frozen=True)
class Limb:
    """A limb with inverse kinematics. All bones are numbers in the rig.

    Attributes
    ----------
    bones : (int, int, int)
        The limb's, which get the motion: upper one, lower one, and hand or foot.
    chain : (int, int)
        The two that the constraint bends.
    constraint : bpy.types.Constraint
    follow : dict of int to int
        Controls that move as if they were fixed to bones of the limb, and those bones.
    pole : int or None
        The control that elbow or knee points to.
    """

    bones: tuple[int, int, int]
    chain: tuple[int, int]
    constraint: Any
    follow: dict[int, int]
    pole: int | None

    def pole_head(self, rig: Rig, turned: Mapping[int, Floats], placed: Mapping[int, Floats]) -> Floats:
        """Where the pole has to be (N, 3), armature space, for the chain to bend as the limb does.

        The chain is turned until the X axis of its upper bone, turned about its length by the constraint's
        angle, points to the pole.

        Parameters
        ----------
        rig : Rig
        turned, placed : dict of int to (N, 3, 3) and (N, 3)
            Rotations and places of the limb's bones.
        """
        upper, lower, end = self.bones
        angle = self.constraint.pole_angle
        points = self._upper_turned(rig, turned, placed) @ np.array([np.cos(angle), 0.0, np.sin(angle)])
        axis = unit(placed[end] - placed[upper])
        points = unit(points - axis * (points * axis).sum(-1, keepdims=True))
        along = ((placed[lower] - placed[upper]) * axis).sum(-1, keepdims=True)
        away = np.linalg.norm(rig.rest[self.pole, :3, 3] - rig.rest[self.chain[1], :3, 3])
        return np.asarray(placed[upper] + axis * along + points * away)

    def _upper_turned(self, rig: Rig, turned: Mapping[int, Floats], placed: Mapping[int, Floats]) -> Floats:
        """How the upper bone of the chain is turned (N, 3, 3) when the chain lies on the limb."""
        upper, lower, end = self.bones
        if self.chain == (upper, lower):
            return turned[upper]  # the limb's own bones: their keys are what the constraint begins with
        # a chain bends from its rest pose, about an axis that is fixed to its upper bone
        root, middle = self.chain
        first = placed[lower] - placed[upper]
        bend = self._bend(rig)
        plane = _planes(first, placed[end] - placed[lower], turned[upper], rig.rest[upper, :3, :3].T @ bend)
        rest = _axes(rig.rest[middle, :3, 3] - rig.rest[root, :3, 3], bend)
        return np.asarray(_axes(first, plane) @ rest.T @ rig.rest[root, :3, :3])

    def stretching(self, target: bpy.types.Object, rig: Rig) -> list[str]:
        """Bones of the chain that the constraint stretches: they bend less then than their reach asks."""
        names = [rig.names[bone] for bone in self.chain]
        return [name for name in names if self.constraint.use_stretch and target.pose.bones[name].ik_stretch]

    def _bend(self, rig: Rig) -> Floats:
        """The axis (3,) about which the chain bends at rest, armature space; X if it is straight."""
        root, middle = self.chain
        first = rig.rest[middle, :3, 3] - rig.rest[root, :3, 3]
        second = rig.tails[middle] - rig.rest[middle, :3, 3]
        normal = np.cross(unit(first), unit(second))
        return np.asarray(unit(normal) if np.linalg.norm(normal) > 1e-5 else rig.rest[middle, :3, 0])


def _axes(along: Floats, normal: Floats) -> Floats:
    """Rotations (..., 3, 3): a direction (..., 3), a normal to it, and what is normal to both, as columns."""
    along = unit(along)
    normal = unit(normal - along * (normal * along).sum(-1, keepdims=True))
    return np.stack([along, normal, np.cross(along, normal)], axis=-1)


def _planes(first: Floats, second: Floats, turned: Floats, bend: Floats) -> Floats:
    """Normals (N, 3) of the planes in which a limb bends; a straight one keeps the last, in its upper bone.

    Parameters
    ----------
    first, second : (N, 3)
        Its segments.
    turned : (N, 3, 3)
        Rotations of its upper bone.
    bend : (3,)
        The normal at rest, in the upper bone.
    """
    normal = np.cross(unit(first), unit(second))
    bent = np.linalg.norm(normal, axis=-1) > _STRAIGHT
    own = np.concatenate([[bend], np.einsum("nba,nb->na", turned, unit(normal))])
    last = np.maximum.accumulate(np.where(bent, np.arange(1, len(bent) + 1), 0))
    return np.asarray(np.einsum("nab,nb->na", turned, own[last]))


def find_limbs(target: bpy.types.Object, rig: Rig, bones: Mapping[str, int]) -> tuple[list[Limb], list[str]]:
    """The limbs of a target that have inverse kinematics, and a sentence about each that isn't understood.

    Parameters
    ----------
    target : bpy.types.Object
    rig : Rig
        Of `target`.
    bones : dict
        The bones by joint that get the motion.
    """
    limbs, unclear = [], []
    for (*names, further), side in product(_LIMBS, "LR"):
        joints = [f"{name}.{side}" for name in names]
        if not all(joint in bones for joint in joints):
            continue
        upper, lower, end = (bones[joint] for joint in joints)
        found = list(_constraints(target, rig, (upper, lower, end)))
        limbs_of = (_limb(target, rig, (upper, lower, end), chain, one) for chain, one in found)
        known = [
            limb for limb in limbs_of
            if limb is not None and not {*limb.follow, limb.pole} & set(bones.values())
        ]  # fmt: skip
        if known:  # of several the one with a pole
            limb = max(known, key=lambda one: one.pole is not None)
            for control, name in product(list(limb.follow), further):
                limb.follow.update(_twins(target, rig, control, bones.get(f"{name}.{side}")))
            limbs.append(limb)
        elif found:
            unclear.append(
                f"The inverse kinematics of {rig.names[end]} ({found[0][1].name}) are built in a way that "
                "isn't understood: their controls get no keys."
            )
    return limbs, unclear


def _constraints(
    target: bpy.types.Object, rig: Rig, limb: tuple[int, int, int]
) -> list[tuple[tuple[int, int], Any]]:
    """Constraints of inverse kinematics on bones that rest as a limb's lower one, and their two bones."""
    upper, lower, end = (rig.rest[bone, :3, 3] for bone in limb)
    near = _NEAR * float(np.linalg.norm(lower - upper) + np.linalg.norm(end - lower))
    middles = (
        np.linalg.norm(rig.rest[:, :3, 3] - lower, axis=1) + np.linalg.norm(rig.tails - end, axis=1) < near
    )
    return [
        ((int(rig.parents[middle]), int(middle)), constraint)
        for middle in np.flatnonzero(middles)
        for constraint in target.pose.bones[rig.names[middle]].constraints
        if constraint.type == "IK"
    ]


def _limb(
    target: bpy.types.Object,
    rig: Rig,
    bones: tuple[int, int, int],
    chain: tuple[int, int],
    constraint: Any,
) -> Limb | None:
    """The limb of a constraint; None if it bends something else, or is pulled to what can't be keyed."""
    root = chain[0]
    reach = float(np.linalg.norm(rig.rest[bones[1], :3, 3] - rig.rest[bones[0], :3, 3]))
    begins = root >= 0 and np.linalg.norm(rig.rest[root, :3, 3] - rig.rest[bones[0], :3, 3]) < _NEAR * reach
    shared = rig.ancestors(bones[2])[1:]
    control = _control(target, rig, constraint.target, constraint.subtarget, shared)
    pole = _control(target, rig, constraint.pole_target, constraint.pole_subtarget, shared)
    lost = constraint.pole_target is not None and pole is None
    if not begins or constraint.chain_count != 2 or not constraint.use_tail or control is None or lost:
        return None
    # a hand or foot that hangs on no limb may be pulled to itself: it is at its limb's end anyway
    return Limb(bones, chain, constraint, {control: bones[2]} if control != bones[2] else {}, pole)


def _twins(target: bpy.types.Object, rig: Rig, control: int, bone: int | None) -> dict[int, int]:
    """Controls that rest as a bone does and hang on a control, and that bone."""
    if bone is None:
        return {}
    apart = np.linalg.norm(rig.rest[:, :3, 3] - rig.rest[bone, :3, 3], axis=1)
    apart += np.linalg.norm(rig.tails - rig.tails[bone], axis=1)
    near = _NEAR * float(np.linalg.norm(rig.tails[bone] - rig.rest[bone, :3, 3]))
    return {
        int(twin): bone for twin in np.flatnonzero((apart < near) & ~rig.held)
        if control in rig.ancestors(int(twin))[1:]
        and target.pose.bones[rig.names[twin]].custom_shape is not None
    }  # fmt: skip


def _control(target: bpy.types.Object, rig: Rig, owner: Any, name: str, shared: list[int]) -> int | None:
    """What an artist moves to move a bone that a constraint names: the bone itself, or what carries it.

    A bone that is held or locked is carried by controls, which have shapes of their own: of those up to the
    next bone that is held, or is one of `shared`, which carry the limb too, the one that carries the others.
    """
    if owner != target or name not in rig.index or rig.index[name] in shared:
        return None
    bone = rig.index[name]
    pose = target.pose.bones
    if not constrained(target, name) and not any(pose[name].lock_location):
        return bone
    shaped: list[int] = []
    for above in rig.ancestors(bone)[1:]:
        if above in shared or (shaped and constrained(target, rig.names[above])):
            break
        if pose[rig.names[above]].custom_shape is not None:
            shaped.append(above)
    return shaped[-1] if shaped else None


@contextmanager
def switched(limbs: Iterable[Limb], on: bool) -> Iterator[None]:
    """Switch the constraints of limbs on or off meanwhile, where no driver does that."""
    constraints = [limb.constraint for limb in limbs]
    before = [(one.mute, one.influence) for one in constraints]
    for one in constraints:
        one.mute, one.influence = not on, 1.0 if on else one.influence
    bpy.context.view_layer.update()
    try:
        yield
    finally:
        for one, (mute, influence) in zip(constraints, before, strict=True):
            one.mute, one.influence = mute, influence
        bpy.context.view_layer.update()


def off_fk(target: bpy.types.Object, rig: Rig, limbs: list[Limb], frames: Floats) -> list[str]:
    """Sentences about limbs that inverse kinematics don't hold where they are keyed, by some frames."""
    if not limbs:
        return []
    scene = bpy.context.scene
    before = scene.frame_current
    looked = frames[np.unique(np.linspace(0, len(frames) - 1, _LOOKS).astype(int))]

    def places(lower_and_end: Callable[[Any, Limb], tuple[Any, Any]]) -> Floats:
        out = []
        for frame in looked:
            scene.frame_set(int(frame))
            posed = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
            out.append([[tuple(place) for place in lower_and_end(posed, limb)] for limb in limbs])
        return np.array(out)

    def of_bones(posed: Any, limb: Limb) -> tuple[Any, Any]:
        _, lower, end = (posed[rig.names[bone]] for bone in limb.bones)
        return lower.head.copy(), end.head.copy()

    def of_chain(posed: Any, limb: Limb) -> tuple[Any, Any]:
        middle = posed[rig.names[limb.chain[1]]]
        return middle.head.copy(), middle.tail.copy()

    with switched(limbs, on=False):
        wanted = places(of_bones)
    with switched(limbs, on=True):
        held = places(of_chain)
    scene.frame_set(before)
    off = np.linalg.norm(held - wanted, axis=-1).max(axis=(0, 2))
    size = float(np.linalg.svd(rig.world[:3, :3], compute_uv=False).max())
    told = []
    for limb, farthest in zip(limbs, off, strict=True):
        upper, _, end = (rig.rest[bone, :3, 3] for bone in limb.bones)
        if not farthest <= _OFF * np.linalg.norm(end - upper):  # Blender may answer NaN
            told.append(
                f"The inverse kinematics of {rig.names[limb.bones[2]]} hold its limb up to "
                f"{1000 * size * farthest:.0f} mm from where it is keyed: the pose changes if you switch."
            )
    return told
