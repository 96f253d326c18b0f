"""Feet that stand where the source's stand, on the target's own legs, whose directions are kept.

A foot of other proportions needs its ankle elsewhere than the scaled motion puts it. First the foot itself
makes up for that, by its pitch; then the hips, along legs rather than across them, because a leg that is
nearly straight bends by many degrees to become a little shorter; the legs only do what is left.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ...inference.contacts import keep_long
from ...inference.foot_ik import two_bone
from ...inference.kinematics import joint_positions
from ...inference.options import CleanUp
from ...inference.planting import BLEND, Sole, plant_foot
from ...inference.rotations import axis_angle, rotation_between
from ...inference.skeleton import INDEX
from ...inference.whittaker import whittaker
from .bones import Array
from .transfer import Body

Bools = npt.NDArray[np.bool_]

#: contacts shorter than this are ignored, seconds
_SHORTEST = 0.08
#: how far a foot is pitched at most to make up for its length (radians)
_PITCH = 0.5
#: how much feet count at first for the hips that have their pitch to make up for what they need
_ROLLING = 0.1
#: keeps the price of bending a straight leg finite
_STRAIGHT = 0.01
#: over what the hips' speed is evened out, seconds
_SOFT = 0.1
#: what pulls the hips back to their own path where no foot stands
_FREE = 1e-2
#: feet that are this near to where they ought to be are there, metres
_SAME = 1e-5


def plant(
    world: Array, root: Array, body: Body, source: Array, contacts: Bools, fps: float, floor: float
) -> tuple[Array, Array]:
    """Plant a body's feet.

    Parameters
    ----------
    world : (N, J, 3, 3)
        Rotations of the joints, away from the T-pose.
    root : (N, 3), metres
        Midway between the hip joints.
    body : Body
    source : (J, 3), metres
        Offsets of the source's skeleton, at the size of this one.
    contacts : (N, 4) bool
        As in `motion.CONTACT_POINTS`.
    fps : float
    floor : float, metres

    Returns
    -------
    world, root
        With other legs, feet and hips.
    """
    on = keep_long(contacts, _SHORTEST * fps)
    sides = (on[:, :2], on[:, 2:])
    world = world.copy()
    root = root + _carried(world, body.offsets - source, sides, fps)
    # heights are told by heels: a foot that rolls over its ball has its pitch to make up for them
    root = root + _hips(world, root, body, sides, _ROLLING, fps, floor)
    joints = joint_positions(world, root, body.offsets)
    for side, letter in enumerate("LR"):
        _roll(world, joints[:, INDEX[f"foot.{letter}"]], body, side, sides[side], floor, fps)
    root = root + _hips(world, root, body, sides, 1.0, fps, floor)
    placed = joint_positions(world, root, body.offsets)
    for side, letter in enumerate("LR"):
        thigh, shin, foot, toe = (INDEX[f"{n}.{letter}"] for n in ("thigh", "shin", "foot", "toe"))
        world[:, foot], target = _planted(world, placed[:, foot], body, side, sides[side], fps, floor)
        sole = body.soles[side]
        world[:, toe] = _toes_up(world[:, toe], target + world[:, foot] @ sole.ball, sole, floor)
        moved = np.linalg.norm(target - placed[:, foot], axis=1) > _SAME
        if moved.any():
            world[moved, thigh], world[moved, shin] = two_bone(
                world[moved, thigh], world[moved, shin], placed[moved, thigh], target[moved],
                body.offsets[shin], body.offsets[foot],
            )  # fmt: skip
    return world, root


def _carried(world: Array, difference: Array, sides: tuple[Bools, Bools], fps: float) -> Array:
    """How far (N, 3) the hips have to move along the floor so that legs of other lengths make no foot slide.

    Where one foot stands they move as that foot tells them to, where both do, as both on average: what two
    such legs can't both obey lasts no longer than that. The path through space is what these legs walk.

    Parameters
    ----------
    world : (N, J, 3, 3)
    difference : (J, 3), metres
        How much the offsets differ from those of which the feet don't slide.
    sides : tuple of (N, 2) bool
        Heel and ball of left and right, whether they stand.
    fps : float
    """
    joints = joint_positions(world, np.zeros((len(world), 3)), difference)[..., :2]
    count, slip = np.zeros(len(world)), np.zeros((len(world), 2))
    for letter, on in zip("LR", sides, strict=True):
        stays = on[1:] & on[:-1]
        by_heel, by_ball = (np.diff(joints[:, INDEX[f"{n}.{letter}"]], axis=0) for n in ("foot", "toe"))
        slip[1:] += np.where(stays[:, 1:], by_ball, np.where(stays[:, :1], by_heel, 0.0))
        count[1:] += stays.any(axis=1)
    speed = -slip / np.maximum(count, 1)[:, None]
    speed = whittaker(speed, np.maximum(count, _FREE), (_SOFT * fps / (2 * np.pi)) ** 4)
    return np.concatenate([np.cumsum(speed, axis=0), np.zeros((len(world), 1))], axis=1)


def _planted(
    world: Array, ankle: Array, body: Body, side: int, on: Bools, fps: float, floor: float
) -> tuple[Array, Array]:
    """Rotations of a foot (N, 3, 3) and its ankle's path (N, 3) once it is planted."""
    foot, toe = (INDEX[f"{n}.{'LR'[side]}"] for n in ("foot", "toe"))
    sole = replace(body.soles[side], tip=np.array([0, -1e-6, 0]))  # toes bend: they lift no foot
    how = CleanUp(lock_toes=False, floor=floor)
    turned, _, path = plant_foot(world[:, foot], world[:, toe], ankle, sole, on, fps, how)
    return turned, path


def _hips(
    world: Array,
    root: Array,
    body: Body,
    sides: tuple[Bools, Bools],
    rolling: float,
    fps: float,
    floor: float,
) -> Array:
    """How far (N, 3) the hips have to move for the feet that stand.

    The least squares of the angles by which thighs and shins turn for what is left to them. Feet of which
    only the ball stands count as much as `rolling` says.
    """
    joints = joint_positions(world, root, body.offsets)
    left = np.broadcast_to(_FREE * np.eye(3), (len(root), 3, 3)).copy()
    right = np.zeros((len(root), 3))
    for side, letter in enumerate("LR"):
        thigh, foot = (joints[:, INDEX[f"{n}.{letter}"]] for n in ("thigh", "foot"))
        longest = sum(float(np.linalg.norm(body.offsets[INDEX[f"{n}.{letter}"]])) for n in ("shin", "foot"))
        off = _planted(world, foot, body, side, sides[side], fps, floor)[1] - foot
        along = foot - thigh
        distance = np.maximum(np.linalg.norm(along, axis=1), 1e-9)
        along = along / distance[:, None]
        # by how much thigh and shin turn if the ankle moves: 1 / distance across the leg, along it times the
        # cotangent of half the bend of the knee
        straight = (distance / longest) ** 2
        dear = straight / (1 - straight + _STRAIGHT) - 1
        counts = np.eye(3) + dear[:, None, None] * along[:, :, None] * along[:, None, :]
        heel, any_ = (_softly(on, BLEND * fps) for on in (sides[side][:, 0], sides[side].any(axis=1)))
        stands = rolling * any_ + (1 - rolling) * heel
        counts *= (stands * (longest / distance) ** 2)[:, None, None]
        left += counts
        right += (counts @ off[..., None])[..., 0]
    return np.asarray(np.linalg.solve(left, right[..., None])[..., 0])


def _softly(on: Bools, frames: float) -> Array:
    """1 where `on` (N,), and softly down to 0 within so many frames around."""
    at = np.arange(len(on), dtype=float)
    before = np.maximum.accumulate(np.where(on, at, -np.inf))
    after = np.minimum.accumulate(np.where(on, at, np.inf)[::-1])[::-1]
    share = np.clip(1 - np.minimum(at - before, after - at) / max(frames, 1.0), 0, 1)
    return np.asarray(share * share * (3 - 2 * share))


def _roll(world: Array, ankle: Array, body: Body, side: int, on: Bools, floor: float, fps: float) -> None:
    """Pitch a foot (in place) until heel and ball are at the heights that they ought to have."""
    letter, sole = "LR"[side], body.soles[side]
    joint = INDEX[f"foot.{letter}"]
    stiffness = (BLEND * fps / np.pi) ** 4 / 30
    by_heel, by_ball = on.T
    rolls = by_ball & ~by_heel
    foot = world[:, joint]
    heel, ball = foot @ sole.heel, foot @ sole.ball
    ahead = ball[:, :2] / np.maximum(np.linalg.norm(ball[:, :2], axis=1, keepdims=True), 1e-9)
    room = floor - ankle[:, 2]
    pitch = np.zeros(len(ankle))
    for point, above, stands in ((heel, 0.0, by_heel), (ball, sole.ball_height, by_ball)):
        under = (point[:, 2] < room + above) & ~stands
        needed = _pitch(point, ahead, room + above)
        pitch = np.where(under & (np.abs(needed) > np.abs(pitch)), needed, pitch)
    # a heel is too near to its ankle to be set down so; and it doesn't go below the floor for the ball
    level = _pitch(ball, ahead, np.full(len(ankle), sole.ball[2]))
    pitch = np.where(
        rolls, np.maximum(_pitch(ball, ahead, room + sole.ball_height), np.minimum(level, 0)), pitch
    )
    pitch = np.clip(pitch, -_PITCH, _PITCH)
    weight = np.where(rolls | (by_heel & by_ball), 100.0, np.where(pitch != 0, 1.0, 0.1))
    pitch = whittaker(pitch[:, None], weight, stiffness)[:, 0]
    axis = np.stack([-ahead[:, 1], ahead[:, 0], np.zeros(len(ankle))], axis=1)
    world[:, joint] = axis_angle(axis, pitch) @ foot


def _toes_up(toe: Array, ball: Array, sole: Sole, floor: float) -> Array:
    """Rotations of the toes (N, 3, 3), bent up where their tips would be under the floor."""
    tip = toe @ sole.tip
    lowest = floor + sole.ball_height + sole.tip[2] - ball[:, 2]
    length = np.linalg.norm(tip, axis=1)
    raised = tip.copy()
    raised[:, 2] = np.minimum(np.maximum(tip[:, 2], lowest), 0.9 * length)
    flat = np.linalg.norm(tip[:, :2], axis=1)
    raised[:, :2] *= (np.sqrt(np.maximum(length**2 - raised[:, 2] ** 2, 0)) / np.maximum(flat, 1e-9))[:, None]
    bent = raised[:, 2] > tip[:, 2] + 1e-9
    out = toe.copy()
    out[bent] = rotation_between(tip[bent], raised[bent]) @ toe[bent]
    return out


def _pitch(point: Array, ahead: Array, height: Array) -> Array:
    """Angles (N,) about the side axis that bring points (N, 3) to heights (N,)."""
    forward = (point[:, :2] * ahead).sum(axis=1)
    radius = np.hypot(forward, point[:, 2])
    now = np.arctan2(forward, point[:, 2])
    then = np.arccos(np.clip(height / np.maximum(radius, 1e-9), -1, 1))
    return np.asarray(np.where(now < 0, -then, then) - now)
