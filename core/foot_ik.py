"""Feet that stay where they stand: planted positions, hips within reach, legs solved in closed form.

All frames are solved at once.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, repeat
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .arrays import Bools, Floats
from .banded import whittaker
from .contacts import CONTACT_THRESHOLD, keep_long, runs
from .errors import CaptureError
from .hands import hands_up
from .kinematics import joint_positions, local_rotations
from .motion import Motion
from .options import CleanUp
from .planting import BLEND, Sole, floors_under, plant_foot
from .rotations import (
    matrix_from_6d,
    matrix_from_quaternion,
    matrix_from_vector,
    quaternion_from_matrix,
    rotation_between,
    rotation_vector,
    sixd_from_matrix,
    unit,
)
from .skeleton import BALL_HEIGHT, END_POINTS, HEEL_OFFSET, INDEX, STANDARD_HEIGHT
from .stances import feet

#: a leg never reaches farther than this share of its length: knees don't lock
_STRAIGHT = 0.995
#: planting straightens a leg up to this share of its length, and beyond only as far as it was: a leg that is
#: nearly straight bends by much for a little way, so its knee would pop
_REACH = 0.97
#: factor on the way that the hips need, because smoothing takes some of it away
_OVERSHOOT = 1.2
#: rounds in which jolts are taken off
_ROUNDS = 100
#: share of a jolt that a round takes off: neighbours share frames, and all at once would overshoot
_CALMLY = 0.5
#: planting moves the hips by no more than this within `_WITHIN` seconds, metres: more makes a step a lunge
_LUNGE = 0.08
_WITHIN = 0.5
#: planting moves the hips no quicker than this, m/s: quicker is a pop
_POP = 0.8
#: a foot that pulls so is let go where its own path is farther than this from its spot, metres: what strays
#: farthest first, round by round, and at last all of its stance
_FARTHER = (0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03)


def clean_up(motion: Motion, settings: CleanUp | None = None) -> Motion:
    """Smooth a motion and plant its feet where `Motion.contacts` says.

    Parameters
    ----------
    motion : Motion
    settings : CleanUp, optional

    Returns
    -------
    Motion
        With other rotations and another root.

    Raises
    ------
    CaptureError
        If the range of frames is empty.
    """
    how = settings or CleanUp()

    def cleaned(shot: Motion) -> Motion:
        smooth = _smoothed(shot, how.smooth) if how.smooth > 0 else shot
        return _planted(smooth, how) if how.feet else smooth

    return within_range(motion, motion.shot_by_shot(cleaned), how)


def within_range(before: Motion, after: Motion, settings: CleanUp) -> Motion:
    """`after` within the range of frames of `settings`, `before` outside, blended at the ends of the range.

    Raises
    ------
    CaptureError
        If the range is empty.
    """
    share = _share(len(before), settings, before.life_fps)
    if (share == 1).all():
        return after
    own, new = (matrix_from_quaternion(m.rotations.astype(np.float64)) for m in (before, after))
    turn = rotation_vector(np.swapaxes(own, -1, -2) @ new)
    rotations = own @ matrix_from_vector(turn * share[:, None, None])
    root = before.root + share[:, None] * (after.root - before.root)
    return replace(before, rotations=quaternion_from_matrix(rotations), root=root)


def _share(frames: int, how: CleanUp, fps: float) -> Floats:
    """How much (T,) of the cleaning each frame gets: all of it inside the range, less towards its ends."""
    first, last = how.first or 0, frames - 1 if how.last is None else how.last
    if last < first or first >= frames:
        raise CaptureError(
            f"There is nothing to clean from frame {first} to {last}; the motion has {frames}."
        )
    at = np.arange(frames)
    ramp = max(1.0, BLEND * fps)
    inside = [np.ones(frames)]
    if first > 0:
        inside.append((at - first + 1) / ramp)
    if last < frames - 1:
        inside.append((last + 1 - at) / ramp)
    share = np.clip(np.min(inside, axis=0), 0, 1)
    return np.asarray(share * share * (3 - 2 * share))


def _smoothed(motion: Motion, seconds: float) -> Motion:
    """The same without movements that are quicker than `seconds`."""
    stiffness = (seconds * motion.life_fps / (2 * np.pi)) ** 4
    weight = np.ones(len(motion))
    world = motion.world_rotations
    flat = whittaker(sixd_from_matrix(world).reshape(len(motion), -1), weight, stiffness)
    world = matrix_from_6d(flat.reshape(*world.shape[:2], 6))
    root = whittaker(motion.root.astype(np.float64), weight, stiffness)
    return replace(motion, rotations=quaternion_from_matrix(local_rotations(world)), root=root)


def _planted(motion: Motion, how: CleanUp) -> Motion:
    """The same with planted feet, and legs that reach them.

    A foot that is told to stand while it is on its way pulls the hips after it: there it is let go. Who is
    told to stand on both feet all the time stays on them, wherever the hips have to be.
    """
    shortest = how.minimum * motion.life_fps
    on = keep_long(motion.contacts >= CONTACT_THRESHOLD, shortest)
    planted = _stepped(motion, on, how)
    if feet(on).all():
        return planted.motion
    for farther in chain(_FARTHER, repeat(0.0)):
        pulling = _pulling(planted.moved, feet(on), motion)
        if not pulling.any():
            break
        far = pulling & (planted.strays >= farther * motion.height / STANDARD_HEIGHT)
        on = keep_long(on & ~np.repeat(far, 2, axis=1), shortest)
        planted = _stepped(motion, on, how)
    return planted.motion


def _pulling(moved: Floats, standing: Bools, motion: Motion) -> Bools:
    """Where (T, 2) feet stand in stances around which the hips lunge or pop.

    Parameters
    ----------
    moved : (T, 3), metres
        From the hips of the motion to where planting puts them.
    standing : (T, 2) bool
    motion : Motion
    """
    scale, reach = motion.height / STANDARD_HEIGHT, round(_WITHIN * motion.life_fps / 2)
    around = sliding_window_view(np.pad(moved, ((reach, reach), (0, 0)), mode="edge"), 2 * reach + 1, axis=0)
    lunges = np.linalg.norm(np.ptp(around, axis=-1), axis=1) > _LUNGE * scale
    lunges[1:] |= np.linalg.norm(np.diff(moved, axis=0), axis=1) > _POP * scale / motion.life_fps
    out = np.zeros_like(standing)
    for foot in range(standing.shape[1]):
        for first, end in zip(*runs(standing[:, foot]), strict=True):
            out[first:end, foot] = lunges[max(first - reach, 0) : end + reach].any()
    return out


class _Planted(NamedTuple):
    """A motion with planted feet, and how far that moved hips (T, 3) and ankles (T, 2), metres."""

    motion: Motion
    moved: Floats
    strays: Floats


def _stepped(motion: Motion, on: Bools, how: CleanUp) -> _Planted:
    """Feet planted where heels and balls are `on` (T, 4), and legs that reach them."""
    scale = motion.height / STANDARD_HEIGHT
    world, joints = motion.world_rotations.copy(), motion.joints
    offsets = motion.offsets.astype(np.float64)
    ankles = []
    floors = floors_under(motion.sole_heights(), on, how.floor)
    jolt = 0.999 * np.linalg.norm(np.diff(joints, 2, axis=0), axis=-1).max(initial=0)
    for side, columns, floor in zip("LR", ([0, 1], [2, 3]), floors.T, strict=True):
        foot, toe = INDEX[f"foot.{side}"], INDEX[f"toe.{side}"]
        sole = Sole(
            heel=scale * np.array(HEEL_OFFSET),
            ball=offsets[toe],
            tip=scale * np.array(END_POINTS[f"toe.{side}"]),
            ball_height=scale * BALL_HEIGHT,
        )
        world[:, foot], world[:, toe], ankle = plant_foot(
            world[:, foot],
            world[:, toe],
            joints[:, foot],
            sole,
            on[:, columns],
            motion.life_fps,
            floor,
            how.lock_toes,
        )
        free = ~on[:, columns].any(axis=1)
        ankles.append(_without_jolts(ankle, world[:, foot] @ sole.ball, free, jolt))
    root = within_reach(motion.root, world, joints, offsets, ankles, motion.life_fps)
    placed = joint_positions(world, root, offsets)
    for side, ankle in zip("LR", ankles, strict=True):
        thigh, shin, foot_joint = (INDEX[f"{n}.{side}"] for n in ("thigh", "shin", "foot"))
        world[:, thigh], world[:, shin] = two_bone(
            world[:, thigh], world[:, shin], placed[:, thigh], ankle, offsets[shin], offsets[foot_joint]
        )
    world = hands_up(world, placed, scale, float(floors.min()), motion.life_fps)
    planted = replace(motion, rotations=quaternion_from_matrix(local_rotations(world)), root=root)
    own = joints[:, [INDEX["foot.L"], INDEX["foot.R"]]]
    return _Planted(planted, root - motion.root, np.linalg.norm(np.stack(ankles, axis=1) - own, axis=-1))


def _without_jolts(ankle: Floats, ball: Floats, free: Bools, limit: float) -> Floats:
    """The ankle's path (T, 3), with frames moved where planting made a jolt.

    Parameters
    ----------
    ankle : (T, 3), metres
    ball : (T, 3), metres
        From the ankle.
    free : (T,) bool
        Frames in which the foot doesn't stand: others aren't moved.
    limit : float
        The greatest acceleration in the motion itself, metres per frame squared.
    """
    out = ankle.copy()
    # what moves a frame's second difference: the frame before it, itself and the one after it
    share = free[:, None] * np.array([1.0, -2.0, 1.0])
    share[1:, 0], share[:-1, 2] = free[:-1], free[1:]
    share /= np.maximum((share**2).sum(axis=1, keepdims=True), 1.0)
    for _ in range(_ROUNDS):
        excess = np.zeros_like(out)
        for path in (out, out + ball):
            bend = np.zeros_like(out)
            bend[1:-1] = np.diff(path, 2, axis=0)
            size = np.linalg.norm(bend, axis=1, keepdims=True)
            beyond = bend * np.maximum(0, 1 - limit / np.maximum(size, 1e-9))
            excess = np.where(np.abs(beyond) > np.abs(excess), beyond, excess)
        if not excess.any():
            break
        before, here, after = _CALMLY * share.T[..., None] * excess
        out -= here
        out[:-1] -= before[1:]
        out[1:] -= after[:-1]
    return out


def within_reach(
    root: Floats, world: Floats, joints: Floats, offsets: Floats, ankles: list[Floats], fps: float
) -> Floats:
    """The root's path (T, 3), moved smoothly and only as far as both legs need to reach their ankles.

    Parameters
    ----------
    root : (T, 3), metres
    world : (T, J, 3, 3)
    joints : (T, J, 3), metres
        Where `root` and `world` put them.
    offsets : (J, 3), metres
    ankles : list of (T, 3)
        Left, right.
    fps : float
    """
    stiffness = (BLEND * fps / np.pi) ** 4 / 30
    moved = np.zeros_like(root)
    for _ in range(4):
        need = np.zeros_like(root)
        for side, ankle in zip("LR", ankles, strict=True):
            thigh, shin, foot = (INDEX[f"{n}.{side}"] for n in ("thigh", "shin", "foot"))
            length = np.linalg.norm(offsets[shin]) + np.linalg.norm(offsets[foot])
            before = np.linalg.norm(joints[:, foot] - joints[:, thigh], axis=1, keepdims=True)
            longest = np.clip(before, _REACH * length, _STRAIGHT * length)
            way = ankle - joints[:, thigh] - moved
            distance = np.linalg.norm(way, axis=1, keepdims=True)
            step = way * np.maximum(0.0, 1 - longest / np.maximum(distance, 1e-9))
            need = np.where(np.linalg.norm(step, axis=1) > np.linalg.norm(need, axis=1), step.T, need.T).T
        far = np.linalg.norm(need, axis=1)
        if far.max() < 1e-5:
            break
        moved = moved + whittaker(need * _OVERSHOOT, np.where(far > 1e-5, 1.0, 0.03), stiffness)
    return root + moved


def two_bone(
    upper: Floats, lower: Floats, hip: Floats, ankle: Floats, thigh: Floats, shin: Floats
) -> tuple[Floats, Floats]:
    """Rotations of thigh and shin that bring the ankle to its target.

    The knee bends in the plane of the leg as it is, turned with the line from hip to ankle. A leg that is
    almost straight bends about its own side axis (X of the rest pose).

    Parameters
    ----------
    upper, lower : (T, 3, 3)
        World rotations of thigh and shin.
    hip, ankle : (T, 3), metres
        Where the thigh starts and where the shin is to end. The leg points at a target that it can't reach.
    thigh, shin : (3,)
        The bones in the rest pose.
    """
    a, b = upper @ thigh, lower @ shin
    la, lb = float(np.linalg.norm(thigh)), float(np.linalg.norm(shin))
    way = ankle - hip
    distance = np.clip(np.linalg.norm(way, axis=1), abs(la - lb) + 1e-4, la + lb - 1e-6)
    ahead = way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)
    swing = rotation_between(a + b, way)
    # knees bend backwards: the shin turns about +X relative to the thigh
    bend = np.cross(a, b)
    side = upper[:, :, 0]
    clear = np.clip(np.linalg.norm(bend, axis=1, keepdims=True) / (la * lb) / 0.3, 0, 1)
    backwards = np.sign((bend * side).sum(1, keepdims=True))
    axis = clear * unit(bend) * np.where(backwards == 0, 1, backwards) + (1 - clear) * side
    axis = (swing @ axis[..., None])[..., 0]
    axis = unit(axis - ahead * (axis * ahead).sum(1, keepdims=True))
    cosine = (la**2 + distance**2 - lb**2) / (2 * la * distance)
    angle = np.arccos(np.clip(cosine, -1, 1))[:, None]
    # the knee lies off the line on the side that the axis says, right-handed
    new_a = la * (np.cos(angle) * ahead - np.sin(angle) * np.cross(axis, ahead))
    new_b = distance[:, None] * ahead - new_a
    first = rotation_between((swing @ a[..., None])[..., 0], new_a) @ swing @ upper
    second = rotation_between((swing @ b[..., None])[..., 0], new_b) @ swing @ lower
    return first, second
