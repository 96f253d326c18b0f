"""From one body to another: limbs point in the same directions in the world, whatever the rest poses.

Every joint of the target turns away from its T-pose (`tpose`) as the joint of the source does from its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...core.arrays import Bools, Floats
from ...core.rotations import (
    matrix_from_quaternion,
    quaternion_from_matrix,
    slerp,
)
from ...core.skeleton import INDEX, PARENTS
from .bones import Rig
from .tpose import NEXT, Body

#: joints whose twist runs along the bones up to the next joint
_LIMBS = ("upper_arm", "forearm", "thigh", "shin")


@dataclass(frozen=True)
class Performance:
    """Motion of a source, in the world.

    Attributes
    ----------
    frames : (N,)
        Frames of the scene, ascending.
    fps : float
        Frames of the scene for a second of life.
    offsets : (J, 3), metres
        Of the source's T-pose.
    ankle : float, metres
        Height of the source's ankles above its soles.
    world : (N, J, 3, 3)
        Rotations of the joints, away from the T-pose.
    root : (N, 3), metres
        Midway between the hip joints; the floor is at z = 0.
    contacts : (N, 4) bool
        As in `motion.CONTACT_POINTS`.
    soles : (N, 4), metres
        Heights of the soles under those points.
    cuts : tuple of int
        Which of the frames begin another shot.
    """

    frames: Floats
    fps: float
    offsets: Floats
    ankle: float
    world: Floats
    root: Floats
    contacts: Bools
    soles: Floats
    cuts: tuple[int, ...] = ()


def bone_deltas(rig: Rig, bones: Mapping[str, int], body: Body, world: Floats) -> dict[int, Floats]:
    """Rotations (N, 3, 3) in the armature's space of every bone to key, away from its rest pose.

    Bones between two mapped ones share the rotation from one to the other: a spine bends in all of its bones,
    and the twist of an arm runs along it.

    Parameters
    ----------
    rig : Rig
    bones : mapping of joint to bone
        These joints' bones, and those between them, get a rotation.
    body : Body
    world : (N, J, 3, 3)
        Rotations of the joints, away from the T-pose.
    """
    q = quaternion_from_matrix(world)
    turned: dict[int, Floats] = {}

    def give(bone: int, rotation: Floats, joint: str) -> None:
        turned[bone] = rig.turn.T @ rotation @ (body.align[INDEX[joint]] @ body.frame @ rig.turn)

    knots = [q[:, INDEX[n]] for n in ("hips", "spine", "chest")]
    if "hips" in bones:
        give(bones["hips"], world[:, INDEX["hips"]], "hips")
    spine = _spine(rig, bones)
    for place, bone in enumerate(spine):
        share = 2 * (place + 1) / len(spine)
        part = min(int(np.ceil(share)) - 1, 1)
        give(bone, matrix_from_quaternion(slerp(knots[part], knots[part + 1], share - part)), "chest")
    if "head" in bones:
        give(bones["head"], world[:, INDEX["head"]], "head")
    neck = _neck(rig, bones)
    for place, bone in enumerate(neck):
        share = (place + 1) / len(neck)
        give(bone, matrix_from_quaternion(slerp(knots[2], q[:, INDEX["neck"]], share)), "neck")
    for joint, bone in bones.items():
        name, _, side = joint.partition(".")
        if not side:
            continue
        if name not in _LIMBS:
            give(bone, world[:, INDEX[joint]], joint)
            continue
        end = bones.get(f"{NEXT[name]}.{side}")
        chain = [bone, *(_between(rig, bone, end) if end is not None else [])]
        for place, part_bone in enumerate(chain):
            share = (place + 1) / len(chain)
            rotation = world[:, INDEX[joint]] if share == 1 else _twisted(world, joint, body.offsets, share)
            give(part_bone, rotation, joint)
    return turned


def _spine(rig: Rig, bones: Mapping[str, int]) -> list[int]:
    """Bones that share the bending from hips to chest, from below; the last one turns as the chest does."""
    ends = [bones[n] for n in ("chest", "spine") if n in bones]
    if not ends:
        return []
    inside = _between(rig, bones["hips"], ends[0]) if "hips" in bones else []
    chain = sorted({*inside, *ends}, key=lambda bone: len(rig.ancestors(bone)))
    return chain


def _neck(rig: Rig, bones: Mapping[str, int]) -> list[int]:
    """Bones that share the bending from chest to neck, from below."""
    below = [bones[n] for n in ("chest", "spine", "hips") if n in bones]
    if "neck" not in bones:
        return []
    inside = _between(rig, below[0], bones["head"]) if below and "head" in bones else []
    return sorted({*inside, bones["neck"]}, key=lambda bone: len(rig.ancestors(bone)))


def _between(rig: Rig, upper: int, lower: int) -> list[int]:
    """Bones that can be keyed between one bone and another below it, from above."""
    way = rig.ancestors(lower)[1:]
    if upper not in way:
        return []
    return [bone for bone in way[: way.index(upper)][::-1] if not rig.held[bone]]


def _twisted(world: Floats, joint: str, offsets: Floats, share: float) -> Floats:
    """Rotation of a joint with only a share of its twist about its own bone."""
    here = INDEX[joint]
    name, _, side = joint.partition(".")
    axis = offsets[INDEX[f"{NEXT[name]}.{side}"]]
    axis = axis / np.linalg.norm(axis)
    parent = world[:, PARENTS[here]]
    q = quaternion_from_matrix(np.swapaxes(parent, -1, -2) @ world[:, here])
    angle = 2 * np.arctan2(q[:, 1:] @ axis, q[:, 0])
    angle = (angle + np.pi) % (2 * np.pi) - np.pi
    back = (share - 1) * np.unwrap(angle) / 2
    undo = np.concatenate([np.cos(back)[:, None], np.sin(back)[:, None] * axis], axis=1)
    return np.asarray(world[:, here] @ matrix_from_quaternion(undo))
