"""How a rig's rest pose becomes the T-pose, and the proportions of the body in it.

Arms and legs are turned bone after bone, each by the smallest turn that points it as in the T-pose; hands
follow their forearms and are turned palm down. Feet are only turned about the vertical, so that heels stay as
high as the shoes made them; trunk and head keep the shape they rest in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ...core.arrays import Floats
from ...core.planting import Sole
from ...core.rotations import axis_angle, rotation_between
from ...core.skeleton import END_POINTS, INDEX, JOINTS, PARENTS
from .bones import Rig, body_frame

#: the joint that ends each limb's bone; nothing: the fingers do
NEXT = {"upper_arm": "forearm", "forearm": "hand", "hand": "", "thigh": "shin", "shin": "foot"}
#: from each wrist to the end of the hand in the T-pose
_HAND_ENDS = {f"hand.{s}": np.array(END_POINTS[f"hand.{s}"]) for s in "LR"}
#: bones that may be the lowest
_FEET = ("foot.L", "foot.R", "toe.L", "toe.R")
#: heel behind the ankle, as a share of the way from ankle to ball
_HEEL_BACK = 0.35
#: ball before the ankle of a foot without toes, as a share of the way from ankle to tip
_BALL_AHEAD = 0.65
#: tip of a foot that has no direction, as a share of the usual way from ankle to ball
_TIP_AHEAD = 1.5
#: a foot whose ball is nearer to the ankle than this, seen from above, has no direction (share of the leg)
_NO_DIRECTION = 0.02
#: height of the ankles of a rig without feet, metres at the template's size
_ANKLE = 0.09
#: soles are on the object's origin if the lowest bone is this near above or below (shares of the leg)
_ON_ORIGIN = (-0.05, 0.17)
#: so are those of feet whose bones end anywhere, if the ankles are above it by less than this (share of leg)
_ANKLES_ABOVE = 0.5
#: a body whose soles are this near to its object's origin stands on them (share of the leg)
_STANDS = 0.1
#: cosine of the angle from the vertical up to which a body is upright
_UPRIGHT = 0.99
#: a finger's knuckle is farther from the wrist than this share of the finger's reach
_KNUCKLE = 0.45


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
    thighs = [at[n] for n in ("thigh.L", "thigh.R") if n in at]
    centre = np.mean(thighs, axis=0) if thighs else at["hips"]
    origin = float(frame[2] @ rig.world[:3, 3])
    align = _align_limbs(rig, bones, at, frame, template)
    size = _size(at, template)
    offsets = size * template.astype(np.float64)
    leg = leg_length(offsets)
    for side in "LR":
        for parent, joint in pairwise(("hips", f"thigh.{side}", f"shin.{side}", f"foot.{side}")):
            start = centre if parent == "hips" else at.get(parent)
            if joint in at and start is not None:
                offsets[INDEX[joint]] = align[INDEX[parent]] @ (at[joint] - start)
    lowest = min((_lowest(rig, bones[n], frame) for n in _FEET if n in bones), default=origin)
    on_origin = _ON_ORIGIN[0] * leg < lowest - origin < _ON_ORIGIN[1] * leg
    feet = [bones[f"foot.{side}"] for side in "LR" if f"foot.{side}" in bones]
    if feet and not any(rig.children[bone] for bone in feet):  # files without tails leave them to importers
        high = np.mean([at[f"foot.{side}"][2] for side in "LR" if f"foot.{side}" in bones]) - origin
        on_origin = on_origin or 0 < high < _ANKLES_ABOVE * leg
    ground = origin if on_origin else lowest
    ankles, soles = [], []
    for side in "LR":
        foot, toe = INDEX[f"foot.{side}"], INDEX[f"toe.{side}"]
        if f"foot.{side}" in at:
            ankle = float(at[f"foot.{side}"][2]) - ground
            turn, ball, tip = _read_foot(rig, bones, at, frame, side, offsets[toe], leg, ankle)
            align[foot] = align[toe] = turn
            offsets[toe] = ball
        else:
            ankle, tip = _ANKLE * size, size * np.array(END_POINTS[f"toe.{side}"])
        ankles.append(ankle)
        soles.append(_sole(offsets[toe], tip, ankle))
    upright, stands = frame[2, 2] > _UPRIGHT, abs(ground - origin) < _STANDS * leg
    floor = float(rig.world[2, 3]) if not upright else ground if stands else 0.0
    return Body(frame, align, offsets, frame.T @ centre, float(np.mean(ankles)), floor, (soles[0], soles[1]))


def _align_limbs(
    rig: Rig, bones: Mapping[str, int], at: Mapping[str, Floats], frame: Floats, template: Floats
) -> Floats:
    """Rotations (J, 3, 3) from the rest pose to the T-pose, feet left out, body axes.

    Parameters
    ----------
    rig, bones, template
        As of `read_body`.
    at : mapping of joint to (3,)
        Places of the joints in the rest pose, body axes.
    frame : (3, 3)
        From the world to the body's axes.
    """
    align = np.tile(np.eye(3), (len(JOINTS), 1, 1))
    # parents first: a forearm is turned as its upper arm is, and then straightened
    for joint, end in ((f"{n}.{s}", f"{m}.{s}") for n, m in NEXT.items() for s in "LR"):
        if joint not in at:
            continue
        align[INDEX[joint]] = align[PARENTS[INDEX[joint]]]
        if joint in _HAND_ENDS:
            align[INDEX[joint]] = _palm_down(rig, bones[joint], frame, align[INDEX[joint]], _HAND_ENDS[joint])
        elif end in at:
            direction = align[INDEX[joint]] @ (at[end] - at[joint])
            align[INDEX[joint]] = rotation_between(direction, template[INDEX[end]]) @ align[INDEX[joint]]
    return align


def _size(at: Mapping[str, Floats], template: Floats) -> float:
    """How long a body's limbs are, in those of the template."""
    measured = _measured(at)
    lengths = float(sum(np.linalg.norm(at[a] - at[b]) for a, b in measured))
    usual = float(sum(np.linalg.norm(template[INDEX[b]]) for _, b in measured))
    return lengths / usual if usual > 0 else 1.0


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


def _read_foot(
    rig: Rig,
    bones: Mapping[str, int],
    at: Mapping[str, Floats],
    frame: Floats,
    side: str,
    usual: Floats,
    leg: float,
    high: float,
) -> tuple[Floats, Floats, Floats]:
    """A foot in the T-pose.

    Parameters
    ----------
    rig, bones, at, frame
        As of `_align_limbs`.
    side : str
    usual : (3,), metres
        From ankle to ball in the template, at the rig's size.
    leg : float, metres
    high : float, metres
        Height of the ankle above the sole.

    Returns
    -------
    (3, 3)
        The turn about the vertical that points it ahead.
    (3,), metres
        From ankle to ball.
    (3,), metres
        From ball to tip.
    """
    ankle = at[f"foot.{side}"]
    tip = _tip(rig, bones.get(f"toe.{side}", bones[f"foot.{side}"]), frame) - ankle
    if not rig.children[bones[f"foot.{side}"]] and 0 < high < -tip[2]:
        tip = tip * high / -tip[2]  # its end is under the floor
    ball = at[f"toe.{side}"] - ankle if f"toe.{side}" in at else _BALL_AHEAD * tip
    if np.linalg.norm(ball[:2]) < _NO_DIRECTION * leg:
        ball, tip = usual, _TIP_AHEAD * usual
    angle = np.arctan2(usual[1], usual[0]) - np.arctan2(ball[1], ball[0])
    turn = axis_angle(np.array([0.0, 0.0, 1.0]), np.asarray(angle))
    ball = turn @ ball
    return turn, ball, turn @ tip - ball


def _sole(ball: Floats, tip: Floats, ankle: float) -> Sole:
    """The sole of a foot: `ball` (3,) from the ankle, `tip` (3,) from the ball, height of the ankle."""
    heel = np.array([0.0, _HEEL_BACK * float(np.hypot(*ball[:2])), -ankle])
    not_above = np.array([tip[0], tip[1], min(tip[2], 0.0)])
    return Sole(heel, ball.copy(), not_above, max(0.0, ankle + ball[2]))


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
        knuckle = next(bone for bone, r in zip(chain, reach, strict=True) if r > _KNUCKLE * max(reach))
        out.append((rig.heads[knuckle], rig.heads[chain[-1]]))
    return out


def _palm_down(rig: Rig, hand: int, frame: Floats, align: Floats, along: Floats) -> Floats:
    """`align` of a hand, turned about the hand until its knuckles lie level, thumb ahead."""
    fingers = _fingers(rig, hand)
    if len(fingers) < 4:
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
    return np.asarray(axis_angle(axis, np.asarray(angle)) @ align)
