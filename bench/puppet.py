"""A body that is put where a rule says: exact truth for made-up scenes.

Everybody faces -Y and moves along it, so trunk, feet and limbs turn about X alone. Legs and arms reach their
ankles and wrists in closed form. Angles are radians, forward and down is positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinelift.core.arrays import Array, Bools, Floats
from kinelift.core.kinematics import joint_positions, local_rotations
from kinelift.core.motion import Motion
from kinelift.core.rotations import axis_angle, quaternion_from_matrix, unit
from kinelift.core.skeleton import (
    ANKLE_HEIGHT,
    HEEL_OFFSET,
    INDEX,
    JOINTS,
    LENGTHS,
    STANDARD_HEIGHT,
    TEMPLATE_LENGTHS,
    rest_offsets,
    standing_height,
)

#: frames per second of the scenes
FPS = 30.0
#: proportions that aren't the template's, as people's aren't: longer legs and arms, a shorter trunk
_PROPORTIONS = {"shin": 1.05, "foot": 1.05, "spine": 0.97, "chest": 0.97, "neck": 0.97, "forearm": 1.03}
#: a leg reaches this share of its length at most, as legs do: knees don't lock
_REACH = 0.9985
#: a root that has to come down does so over this many frames to either side
_AROUND = 4


def _lengths() -> Floats:
    out = TEMPLATE_LENGTHS.copy()
    for name, factor in _PROPORTIONS.items():
        out[LENGTHS.index(name)] *= factor
    # a foot as long as the body is high: then the sole is flat
    out[LENGTHS.index("toe")] *= standing_height(out) / STANDARD_HEIGHT
    return out


#: bone lengths, metres
BODY: Floats = _lengths()
OFFSETS: Floats = np.asarray(rest_offsets(BODY))
#: size of the body, as a share of the template's
SIZE = float(standing_height(BODY)) / STANDARD_HEIGHT
#: length of a leg from the hip to the ankle, and of an arm from the shoulder to the wrist, metres
LEG = float(-OFFSETS[INDEX["shin.L"], 2] - OFFSETS[INDEX["foot.L"], 2])
ARM = float(OFFSETS[INDEX["forearm.L"], 0] + OFFSETS[INDEX["hand.L"], 0])
#: height of the ankle of a foot that stands, metres
ANKLE = ANKLE_HEIGHT * SIZE
#: height of the hips of somebody who stands with knees that are almost straight, metres
STANDING = ANKLE + 0.997 * LEG
#: signs of X on either side
SIDES = {"L": 1.0, "R": -1.0}


@dataclass(frozen=True)
class Foot:
    """The way of a foot.

    Attributes
    ----------
    ankle : (T, 3), metres
    pitch : (T,)
        How far the toes point down.
    planted : (T, 2) bool
        Heel and ball.
    level : (T,)
        Height of what it stands on, metres; NaN while it doesn't.
    """

    ankle: Floats
    pitch: Floats
    planted: Bools
    level: Floats


@dataclass(frozen=True)
class Stance:
    """Where a foot stands, and when.

    Attributes
    ----------
    begin, end : float
        Seconds.
    y, level : float
        Place of the ankle along the way, and height of what it stands on, metres.
    """

    begin: float
    end: float
    y: float
    level: float = 0.0


def turned(angle: Array) -> Floats:
    """Rotations (..., 3, 3) about X."""
    return np.asarray(axis_angle(np.broadcast_to([1.0, 0, 0], (*np.shape(angle), 3)), np.asarray(angle)))


def curve(t: Floats, *keys: tuple[float, float]) -> Floats:
    """A smooth curve (T,) through keys (time, value): without overshoot, still at its ends and extremes.

    Source: Fritsch and Butland 1984.
    """
    at, value = np.array(keys, float).T
    rise = np.diff(value) / np.diff(at)
    slope = np.zeros(len(at))
    same = rise[1:] * rise[:-1] > 0
    slope[1:-1][same] = 2 / (1 / rise[1:][same] + 1 / rise[:-1][same])
    i = np.clip(np.searchsorted(at, t, side="right") - 1, 0, len(at) - 2)
    wide = at[i + 1] - at[i]
    s = np.clip((t - at[i]) / wide, 0, 1)
    return np.asarray(
        value[i] * (1 + 2 * s) * (1 - s) ** 2
        + value[i + 1] * s * s * (3 - 2 * s)
        + wide * s * (1 - s) * (slope[i] * (1 - s) - slope[i + 1] * s)
    )


def stepping(
    t: Floats, side: str, stances: Sequence[Stance], *, roll: float, off: float, clear: float, x: float = 0.1
) -> Foot:
    """A foot that goes from stance to stance, and rolls over its ball at the end of each but the last.

    Parameters
    ----------
    t : (T,), seconds
    side : str
    stances : sequence of Stance
    roll : float
        How long the heel rises while the ball still stands, seconds.
    off : float
        The pitch at which the ball leaves the ground.
    clear : float
        How high the foot swings, metres.
    x : float
        How far beside the middle it goes, metres.
    """
    ball = np.zeros((len(t), 3))
    pitch, level = np.zeros(len(t)), np.full(len(t), np.nan)
    planted = np.zeros((len(t), 2), bool)
    from_ankle = OFFSETS[INDEX[f"toe.{side}"]]
    places = [np.array([SIDES[side] * x, one.y, one.level + ANKLE]) + from_ankle for one in stances]
    for number, (stance, place) in enumerate(zip(stances, places, strict=True)):
        last = number == len(stances) - 1
        on = (t >= stance.begin) & (t <= stance.end)
        ball[on], level[on], planted[on, 1] = place, stance.level, True
        flat = stance.end if last or roll == 0 else stance.end - roll
        planted[on & (t <= flat), 0] = True
        if last:
            continue
        landing = stances[number + 1].begin
        keys = ((stance.end, off), (0.6 * stance.end + 0.4 * landing, 0.8 * off), (landing, 0.0))
        pitch += np.where((t > flat) & on, curve(t, (flat, 0), (max(stance.end, flat + 1e-6), off)), 0)
        swing = (t > stance.end) & (t < landing)
        s = (t[swing] - stance.end) / (landing - stance.end)
        pitch[swing] = curve(t[swing], *keys)
        ball[swing] = place + (s * s * (3 - 2 * s))[:, None] * (places[number + 1] - place)
        ball[swing, 2] += clear * np.sin(np.pi * s**0.8) ** 2
    return Foot(ball - turned(pitch) @ from_ankle, pitch, planted, level)


def standing_foot(t: Floats, side: str, y: float = 0.0, level: float = 0.0) -> Foot:
    """A foot that stands all the time."""
    return stepping(t, side, [Stance(t[0], t[-1], y, level)], roll=0, off=0, clear=0)


def hanging(t: Floats, side: str, forward: Array, reach: Array | float = 0.97, out: float = 0.15) -> Floats:
    """Way (T, 3) from the shoulder to the wrist of an arm.

    Parameters
    ----------
    t : (T,), seconds
    side : str
    forward : (T,)
        How far it is raised to the front.
    reach : (T,) or float
        The distance, as a share of the arm's length.
    out : float
        How far it is raised to the side.
    """
    angle, share = (np.broadcast_to(np.asarray(x, float), t.shape) for x in (forward, reach))
    way = np.stack(
        [
            np.full_like(t, SIDES[side] * np.sin(out)),
            -np.sin(angle) * np.cos(out),
            -np.cos(angle) * np.cos(out),
        ],
        axis=1,
    )
    return np.asarray(share[:, None] * ARM * way)


def lowered(root: Floats, feet: dict[str, Foot]) -> Floats:
    """The root's path (T, 3), as much lower as the legs need to reach the ankles."""
    need = np.zeros(len(root))
    for side, foot in feet.items():
        way = foot.ankle - root - OFFSETS[INDEX[f"thigh.{side}"]]
        highest = np.sqrt(np.maximum((_REACH * LEG) ** 2 - way[:, 0] ** 2 - way[:, 1] ** 2, 0))
        need = np.maximum(need, -way[:, 2] - highest)
    wide = np.lib.stride_tricks.sliding_window_view(np.pad(need, _AROUND, mode="edge"), 2 * _AROUND + 1).max(
        1
    )
    bell = np.hanning(2 * _AROUND + 3)[1:-1]
    smooth = np.convolve(np.pad(wide, _AROUND, mode="edge"), bell / bell.sum(), mode="valid")
    return np.asarray(root - smooth[:, None] * [0, 0, 1])


def posed(
    root: Floats,
    lean: Floats,
    curl: Floats,
    feet: dict[str, Foot],
    arms: dict[str, Floats],
    flat: Floats | None = None,
) -> Motion:
    """The motion of a body.

    Parameters
    ----------
    root : (T, 3), metres
    lean, curl : (T,)
        How far the hips lean, and how much farther the chest does.
    feet : dict
        By side.
    arms : dict
        Ways (T, 3) from the shoulders to the wrists, by side.
    flat : (T,), optional
        How much, 0 to 1, the hands lie flat on the floor instead of following the forearms.
    """
    frames = len(root)
    world = np.tile(np.eye(3), (frames, len(JOINTS), 1, 1))
    for name, share, look in (("hips", 0, 0), ("spine", 0.5, 0), ("chest", 1, 0), ("neck", 1, 0.2)):
        world[:, INDEX[name]] = turned((1 - look) * (lean + share * curl))
    world[:, INDEX["head"]] = turned(0.6 * (lean + curl))
    for side in "LR":
        world[:, INDEX[f"shoulder.{side}"]] = world[:, INDEX["chest"]]
    joints = joint_positions(world, root, OFFSETS)
    for side, foot in feet.items():
        way = foot.ankle - joints[:, INDEX[f"thigh.{side}"]]
        _reach(world, (f"thigh.{side}", f"shin.{side}", f"foot.{side}"), way, np.eye(3)[0], 1.0)
        world[:, INDEX[f"foot.{side}"]] = turned(foot.pitch)
        world[:, INDEX[f"toe.{side}"]] = turned(np.where(foot.planted[:, 1], 0, foot.pitch))
    for side, way in arms.items():
        hinge = np.array([0, 0, -SIDES[side]])
        _reach(world, (f"upper_arm.{side}", f"forearm.{side}", f"hand.{side}"), way, hinge, -1.0)
        hand = world[:, INDEX[f"forearm.{side}"]]
        if flat is not None:
            palm = axis_angle(np.array([0.0, 0, 1]), np.array(-SIDES[side] * np.pi / 2))
            # nearly right is enough: nothing is measured at the hand's far end
            u, _, v = np.linalg.svd((1 - flat)[:, None, None] * hand + flat[:, None, None] * palm)
            hand = u @ v
        world[:, INDEX[f"hand.{side}"]] = hand
    return Motion(
        fps=FPS,
        start=0.0,
        offsets=OFFSETS,
        rotations=quaternion_from_matrix(local_rotations(world)),
        root=root,
        contacts=np.concatenate([feet[side].planted for side in "LR"], axis=1).astype(float),
    )


def _reach(world: Floats, names: tuple[str, str, str], way: Floats, hinge: Array, sign: float) -> None:
    """Turn two bones so that their end is at `way` (T, 3) from their beginning; the hinge is about +-X.

    Parameters
    ----------
    world : (T, J, 3, 3)
        Changed in place.
    names : (str, str, str)
        The joints at which the bones begin, and at which the second one ends.
    way : (T, 3), metres
    hinge : (3,)
        Axis of the joint between the bones in the rest pose.
    sign : float
        1 if it bends about +X, -1 if about -X.
    """
    first, second, end = (INDEX[name] for name in names)
    bones = [OFFSETS[second], OFFSETS[end]]
    a, b = (float(np.linalg.norm(bone)) for bone in bones)
    distance = np.clip(np.linalg.norm(way, axis=1), abs(a - b) + 1e-6, a + b - 1e-9)
    ahead = unit(way)
    axis = np.array([sign, 0, 0]) - sign * ahead[:, :1] * ahead
    axis = unit(axis)
    angle = np.arccos(np.clip((a * a + distance**2 - b * b) / (2 * a * distance), -1, 1))[:, None]
    aside = np.cross(axis, ahead)
    upper = np.cos(angle) * ahead - np.sin(angle) * aside
    lower = (distance[:, None] * ahead - a * upper) / b
    for joint, bone, towards in ((first, bones[0], upper), (second, bones[1], lower)):
        along = bone / np.linalg.norm(bone)
        rest = np.stack([along, hinge, np.cross(along, hinge)], -1)
        world[:, joint] = np.stack([towards, axis, np.cross(towards, axis)], -1) @ rest.T


def heel_below(pitch: float) -> float:
    """How far the heel of a foot is below its ankle, metres."""
    return float(-(turned(np.array(pitch)) @ np.array(HEEL_OFFSET) * SIZE)[2])
