"""From one body to another: the same directions of the limbs in the world, whatever the rest poses.

Every joint of the target turns as the joint of the source does, away from a T-pose that the target's rest
pose is first brought into: arm by arm, bone after bone, each by the smallest turn. Feet are only turned
about the vertical, so that heels stay as high as the shoes made them; trunk and head keep the shape they
rest in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ...core.arrays import Bools, Floats
from ...core.planting import Sole
from ...core.rotations import (
    matrix_from_quaternion,
    quaternion_from_matrix,
    rotation_between,
    slerp,
)
from ...core.skeleton import END_POINTS, INDEX, JOINTS, PARENTS
from .bones import Rig, body_frame

#: heel behind the ankle, as a share of the way from ankle to ball
_HEEL_BACK = 0.35
#: soles are on the object's origin if the lowest bone is this near above or below (shares of the leg)
_ON_ORIGIN = (-0.05, 0.17)
_LIMBS = ("upper_arm", "forearm", "thigh", "shin")


@dataclass(frozen=True)
class Performance:
    """What is to be transferred, in the world.

    Attributes
    ----------
    frames : (N,)
        Frames of the scene, ascending.
    fps : float
        Of the scene.
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
    """

    frames: Floats
    fps: float
    offsets: Floats
    ankle: float
    world: Floats
    root: Floats
    contacts: Bools


@dataclass(frozen=True)
class Body:
    """A rig's body: how its rest pose becomes the T-pose, and its proportions there.

    Attributes
    ----------
    frame : (3, 3)
        From the world to the body's axes (X left, Y back, Z up), in which the T-pose is.
    align : (J, 3, 3)
        From the rest pose to the T-pose, body axes.
    offsets : (J, 3), metres
        Of the joints from their parents in the T-pose; `hips` is midway between the hip joints.
    centre : (3,), metres
        That point in the rest pose, in the world.
    ankle : float, metres
        Height of the ankles above the soles.
    floor : float, metres
        Height in the world of what the rest pose stands on.
    soles : tuple of Sole
        Left, right.
    """

    frame: Floats
    align: Floats
    offsets: Floats
    centre: Floats
    ankle: float
    floor: float
    soles: tuple[Sole, Sole]


def leg_length(offsets: Floats) -> float:
    """Length of thigh and shin, metres; left and right averaged."""
    bones = [offsets[INDEX[f"{n}.{s}"]] for n in ("shin", "foot") for s in "LR"]
    return float(sum(np.linalg.norm(bone) for bone in bones) / 2)


def read_body(rig: Rig, bones: Mapping[str, int], template: Floats) -> Body:
    """Bring a rig's rest pose into the T-pose of `template`.

    Parameters
    ----------
    rig : Rig
    bones : mapping of joint to bone
    template : (J, 3), metres
        Rest offsets of the skeleton whose T-pose it is; what the rig lacks is taken from it, at the rig's
        size.
    """
    frame = body_frame(rig, bones)
    at = {joint: frame @ rig.heads[bone] for joint, bone in bones.items()}
    hips = [at[n] for n in ("thigh.L", "thigh.R") if n in at]
    centre = np.mean(hips, axis=0) if hips else at["hips"]
    origin = frame @ rig.world[:3, 3]
    align = np.tile(np.eye(3), (len(JOINTS), 1, 1))
    ends = {f"{n}.{s}": f"{m}.{s}" for n, m in NEXT.items() for s in "LR"}
    for (
        joint,
        end,
    ) in ends.items():  # parents first: a forearm is turned as its upper arm is, and then straightened
        if joint not in at:
            continue
        here = INDEX[joint]
        before = align[PARENTS[here]]
        direction = (
            _knuckles(rig, bones[joint], frame) if end == "" else at[end] - at[joint] if end in at else None
        )
        wanted = _END[joint] if joint in _END else template[INDEX[end]]
        align[here] = before if direction is None else rotation_between(before @ direction, wanted) @ before
    for side in "LR":
        align[INDEX[f"hand.{side}"]] = _palm_down(
            rig, bones.get(f"hand.{side}"), frame, align[INDEX[f"hand.{side}"]], _END[f"hand.{side}"]
        )
    lengths = [np.linalg.norm(at[a] - at[b]) for a, b in _measured(at)]
    usual = [np.linalg.norm(template[INDEX[b]]) for _, b in _measured(at)]
    size = float(sum(lengths) / sum(usual)) if usual and sum(usual) > 0 else 1.0
    offsets = size * template.astype(np.float64)
    lowest = min([_lowest(rig, bones[n], frame) for n in _FEET if n in bones], default=float(origin[2]))
    leg = size * leg_length(template)
    on_origin = _ON_ORIGIN[0] * leg < lowest - origin[2] < _ON_ORIGIN[1] * leg
    sole = float(origin[2]) if on_origin else lowest
    soles = []
    ankles = []
    for side in "LR":
        foot = f"foot.{side}"
        for joint, parent in (
            (f"thigh.{side}", "hips"),
            (f"shin.{side}", f"thigh.{side}"),
            (foot, f"shin.{side}"),
        ):
            if joint in at and (parent in at or parent == "hips"):
                from_ = centre if parent == "hips" else at[parent]
                offsets[INDEX[joint]] = align[INDEX[parent]] @ (at[joint] - from_)
        toe = INDEX[f"toe.{side}"]
        ankle = at[foot][2] - sole if foot in at else 0.09 * size
        ankles.append(ankle)
        if foot in at:
            tip = _tip(rig, bones.get(f"toe.{side}", bones[foot]), frame)
            step = at[f"toe.{side}"] - at[foot] if f"toe.{side}" in at else 0.65 * (tip - at[foot])
            if np.linalg.norm(step[:2]) < 0.02 * leg:  # a foot without a direction: the usual one
                step, tip = offsets[toe].copy(), at[foot] + 1.5 * offsets[toe]
            ahead = offsets[toe][:2]
            angle = np.arctan2(ahead[1], ahead[0]) - np.arctan2(step[1], step[0])
            turn = _about_up(angle)
            align[INDEX[foot]] = align[toe] = turn
            offsets[toe] = turn @ step
            tip = turn @ (tip - at[foot]) - offsets[toe]
        else:
            tip = size * np.array(END_POINTS[f"toe.{side}"])
        back = np.array([0.0, _HEEL_BACK * float(np.hypot(*offsets[toe][:2])), -ankle])
        tip[2] = min(tip[2], 0.0)
        soles.append(Sole(back, offsets[toe].copy(), tip, max(0.0, ankle + offsets[toe][2])))
    stands = abs(sole - origin[2]) < 0.1 * leg and frame[2, 2] > 0.99
    floor = sole if stands else 0.0 if frame[2, 2] > 0.99 else float(rig.world[2, 3])
    return Body(frame, align, offsets, frame.T @ centre, float(np.mean(ankles)), floor, (soles[0], soles[1]))


#: the joint that ends each limb's bone; nothing: the fingers do
NEXT = {"upper_arm": "forearm", "forearm": "hand", "hand": "", "thigh": "shin", "shin": "foot"}
_END = {f"hand.{s}": np.array(END_POINTS[f"hand.{s}"]) for s in "LR"}
_FEET = ("foot.L", "foot.R", "toe.L", "toe.R")


def _measured(at: Mapping[str, Floats]) -> list[tuple[str, str]]:
    """Pairs of joints whose distances tell a body's size: legs, or else arms."""
    for chain in (("thigh", "shin", "foot"), ("upper_arm", "forearm", "hand")):
        pairs = [
            (f"{a}.{s}", f"{b}.{s}") for a, b in pairwise(chain) for s in "LR"
            if f"{a}.{s}" in at and f"{b}.{s}" in at
        ]  # fmt: skip
        if pairs:
            return pairs
    return []


def _about_up(angle: float) -> Floats:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def _subtree(rig: Rig, bone: int) -> list[int]:
    out = [bone]
    for child in rig.children[bone]:
        out += _subtree(rig, child)
    return out


def _lowest(rig: Rig, bone: int, frame: Floats) -> float:
    below = _subtree(rig, bone)
    return float((np.concatenate([rig.heads[below], rig.ends[below]]) @ frame[2]).min())


def _tip(rig: Rig, bone: int, frame: Floats) -> Floats:
    """The furthest point ahead of a foot's or toe's bones, body axes; without bones there, its end."""
    below = _subtree(rig, bone)[1:]
    points = rig.heads[below] if below else rig.ends[[bone]]
    points = points @ frame.T
    return np.asarray(points[points[:, 1].argmin()])


def _fingers(rig: Rig, hand: int) -> list[tuple[Floats, Floats]]:
    """Knuckle and end of each finger, in the world."""
    out = []
    for child in rig.children[hand]:
        chain = [child]
        while rig.children[chain[-1]]:
            chain.append(rig.children[chain[-1]][0])
        if len(chain) < 2:
            continue
        reach = [float(np.linalg.norm(rig.heads[bone] - rig.heads[hand])) for bone in chain]
        knuckle = next(bone for bone, r in zip(chain, reach, strict=True) if r > 0.45 * max(reach))
        out.append((rig.heads[knuckle], rig.heads[chain[-1]]))
    return out


def _knuckles(rig: Rig, hand: int, frame: Floats) -> Floats | None:
    """From the wrist to the middle of the knuckles, body axes; None without fingers."""
    fingers = _fingers(rig, hand)
    if not fingers:
        return None
    far = max(float(np.linalg.norm(end - rig.heads[hand])) for _, end in fingers)
    long = [knuckle for knuckle, end in fingers if np.linalg.norm(end - rig.heads[hand]) > 0.75 * far]
    return np.asarray(frame @ (np.mean(long, axis=0) - rig.heads[hand]))


def _palm_down(rig: Rig, hand: int | None, frame: Floats, align: Floats, along: Floats) -> Floats:
    """`align` of a hand, turned about the hand until its knuckles lie level, thumb ahead."""
    fingers = _fingers(rig, hand) if hand is not None else []
    if hand is None or len(fingers) < 4:
        return align
    axis = along / np.linalg.norm(along)
    points = np.array([(align @ frame @ (knuckle - rig.heads[hand])) for knuckle, _ in fingers])
    ends = np.array([(align @ frame @ (end - rig.heads[hand])) for _, end in fingers])
    thumb = int((ends @ axis).argmin())
    others = np.delete(points, thumb, axis=0)
    gap = np.linalg.norm(others - points[thumb], axis=1)
    across = others[gap.argmin()] - others[gap.argmax()]
    across = across - axis * (across @ axis)
    ahead = np.array([0.0, -1.0, 0.0])
    angle = np.arctan2(np.cross(across, ahead) @ axis, across @ ahead)
    return np.asarray(_turn(axis, float(angle)) @ align)


def _turn(axis: Floats, angle: float) -> Floats:
    q = np.concatenate([[np.cos(angle / 2)], np.sin(angle / 2) * axis])
    return np.asarray(matrix_from_quaternion(q))


# --- rotations of all the bones ------------------------------------------------------------------------


def bone_deltas(rig: Rig, bones: Mapping[str, int], body: Body, world: Floats) -> dict[int, Floats]:
    """Rotations (N, 3, 3) in the armature's space of every bone to key, away from its rest pose.

    Bones between two mapped ones share what lies between the joints: a spine bends in all of its bones, and
    the twist of an arm runs along it.

    Parameters
    ----------
    rig : Rig
    bones : mapping of joint to bone
        Only these joints' bones, and those between them, get a rotation.
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
    """Bones that share the bending from hips to chest, the last as much as the chest."""
    ends = [bones[n] for n in ("chest", "spine") if n in bones]
    if not ends:
        return []
    inside = _between(rig, bones["hips"], ends[0]) if "hips" in bones else []
    chain = sorted({*inside, *ends}, key=lambda bone: len(rig.ancestors(bone)))
    return chain


def _neck(rig: Rig, bones: Mapping[str, int]) -> list[int]:
    below = [bones[n] for n in ("chest", "spine", "hips") if n in bones]
    if "neck" not in bones:
        return []
    inside = _between(rig, below[0], bones["head"]) if below and "head" in bones else []
    return sorted({*inside, bones["neck"]}, key=lambda bone: len(rig.ancestors(bone)))


def _between(rig: Rig, upper: int, lower: int) -> list[int]:
    """Bones that can be keyed on the way from one bone (exclusive) down to another (exclusive)."""
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
