"""Feet that stay where they stand: planted positions, hips within reach, legs solved in closed form.

numpy only: it runs in Blender as well as in the worker. Frames are solved all at once.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .contacts import keep_long, runs
from .errors import CaptureError
from .kinematics import joint_positions, local_rotations
from .motion import Motion
from .options import CleanUp
from .rotations import (
    axis_angle,
    matrix_from_6d,
    matrix_from_quaternion,
    quaternion_from_matrix,
    rotation_between,
    sixd_from_matrix,
)
from .skeleton import BALL_HEIGHT, END_POINTS, HEEL_OFFSET, INDEX, STANDARD_HEIGHT
from .whittaker import whittaker

Array = npt.NDArray[np.float64]

#: a leg is never straighter than this share of its length: knees don't lock, and don't pop when they unlock
_REACH = 0.995
#: about how long a foot takes from its own path onto its planted one, seconds
_BLEND = 0.25
#: weight of a planted frame against the wish to bend little, and of the others' own paths
_PINNED, _FREE = 1e6, 5e-2


def clean_up(motion: Motion, settings: CleanUp | None = None) -> Motion:
    """Smooth a motion and plant its feet where `Motion.contacts` says (above one half).

    Parameters
    ----------
    motion : Motion
    settings : CleanUp, optional

    Returns
    -------
    Motion
        The same with new rotations and a new root.

    Raises
    ------
    CaptureError
        If the range of frames is empty.
    """
    how = settings or CleanUp()
    cleaned = _smoothed(motion, how.smooth) if how.smooth > 0 else motion
    if how.feet:
        cleaned = _planted(cleaned, how)
    return within_range(motion, cleaned, how)


def within_range(before: Motion, after: Motion, settings: CleanUp) -> Motion:
    """`after` within the range of frames of `settings`, `before` outside, and a soft way in and out.

    Raises
    ------
    CaptureError
        If the range is empty.
    """
    share = _share(len(before), settings, before.fps)
    if (share == 1).all():
        return after
    own, new = (matrix_from_quaternion(m.rotations.astype(np.float64)) for m in (before, after))
    turn = rotation_vector(np.swapaxes(own, -1, -2) @ new)
    rotations = own @ matrix_from_vector(turn * share[:, None, None])
    root = before.root + share[:, None] * (after.root - before.root)
    return replace(before, rotations=quaternion_from_matrix(rotations), root=root)


def _share(frames: int, how: CleanUp, fps: float) -> Array:
    """How much (T,) of the cleaning each frame gets: all within the range, softly less near its ends."""
    first, last = how.first or 0, frames - 1 if how.last is None else how.last
    if last < first or first >= frames:
        raise CaptureError(
            f"There is nothing to clean from frame {first} to {last}; the motion has {frames}."
        )
    at = np.arange(frames)
    ramp = max(1.0, _BLEND * fps)
    inside = [np.ones(frames)]
    if first > 0:
        inside.append((at - first + 1) / ramp)
    if last < frames - 1:
        inside.append((last + 1 - at) / ramp)
    share = np.clip(np.min(inside, axis=0), 0, 1)
    return np.asarray(share * share * (3 - 2 * share))


def _smoothed(motion: Motion, seconds: float) -> Motion:
    """Rotations and root without what is quicker than so many seconds."""
    stiffness = (seconds * motion.fps / (2 * np.pi)) ** 4
    weight = np.ones(len(motion))
    world = motion.world_rotations
    flat = whittaker(sixd_from_matrix(world).reshape(len(motion), -1), weight, stiffness)
    world = matrix_from_6d(flat.reshape(*world.shape[:2], 6))
    root = whittaker(motion.root.astype(np.float64), weight, stiffness)
    return replace(motion, rotations=quaternion_from_matrix(local_rotations(world)), root=root)


def _planted(motion: Motion, how: CleanUp) -> Motion:
    """The same with the legs solved for planted feet."""
    on = keep_long(motion.contacts > 0.5, how.minimum * motion.fps)
    scale = motion.height / STANDARD_HEIGHT
    stiffness = (_BLEND * motion.fps / np.pi) ** 4
    world, joints = motion.world_rotations.copy(), motion.joints
    offsets = motion.offsets.astype(np.float64)
    ankles = []
    for side, columns in (("L", [0, 1]), ("R", [2, 3])):
        foot = _Foot(world, joints, offsets, side, scale)
        target, turned, toe = foot.planted(on[:, columns], how, stiffness)
        world[:, INDEX[f"foot.{side}"]], world[:, INDEX[f"toe.{side}"]] = turned, toe
        ankles.append(target)
    root = _within_reach(motion.root.astype(np.float64), world, joints, offsets, ankles, stiffness)
    placed = joint_positions(world, root, offsets)
    for side, ankle in zip("LR", ankles, strict=True):
        thigh, shin, foot_joint = (INDEX[f"{n}.{side}"] for n in ("thigh", "shin", "foot"))
        world[:, thigh], world[:, shin] = two_bone(
            world[:, thigh], world[:, shin], placed[:, thigh], ankle, offsets[shin], offsets[foot_joint]
        )
    return replace(motion, rotations=quaternion_from_matrix(local_rotations(world)), root=root)


def _run_means(values: Array, on: npt.NDArray[np.bool_]) -> Array:
    """Values (T, C) replaced by their mean over each run of true; 0 elsewhere."""
    first, last = runs(on)
    out = np.zeros_like(values)
    if len(first):
        sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
        means = (sums[last] - sums[first]) / (last - first)[:, None]
        out[on] = np.repeat(means, last - first, axis=0)
    return out


class _Foot:
    """One foot's path, and where it ought to go."""

    def __init__(self, world: Array, joints: Array, offsets: Array, side: str, scale: float) -> None:
        self.foot, self.toe = world[:, INDEX[f"foot.{side}"]], world[:, INDEX[f"toe.{side}"]]
        self.ankle = joints[:, INDEX[f"foot.{side}"]]
        self.heel = scale * np.array(HEEL_OFFSET)
        self.ball = offsets[INDEX[f"toe.{side}"]]
        self.tip = scale * np.array(END_POINTS[f"toe.{side}"])
        self.ball_height = scale * BALL_HEIGHT

    def planted(
        self, on: npt.NDArray[np.bool_], how: CleanUp, stiffness: float
    ) -> tuple[Array, Array, Array]:
        """Ankle (T, 3), rotation of the foot and of the toes (T, 3, 3) once planted."""
        heel_on, ball_on = on.T
        flat = heel_on & ball_on
        foot = self._flattened(flat, stiffness)
        toe = self._toes(foot, ball_on, stiffness) if how.lock_toes else self.toe
        heel, ball = foot @ self.heel, foot @ self.ball
        # each run of contact of the heel or the ball turns about one point; the ball leads where both stand
        by_ball = ball_on
        by_heel = heel_on & ~ball_on
        target = np.zeros_like(self.ankle)
        pinned = by_ball | by_heel
        for points, mask, height in ((ball, by_ball, self.ball_height), (heel, by_heel, 0.0)):
            spot = _run_means(self.ankle + points, mask)
            spot[:, 2] = how.floor + height
            target[mask] = (spot - points)[mask]
        target = self._joined(target, heel, ball, by_heel, by_ball)
        shift = np.where(pinned[:, None], target - self.ankle, 0.0)
        weight = np.where(pinned, _PINNED, _FREE)
        shift = whittaker(shift, weight, stiffness)
        ankle = self.ankle + shift
        ankle[pinned] = target[pinned]
        return self._above(ankle, foot, toe, how.floor, stiffness), foot, toe

    def _joined(
        self,
        target: Array,
        heel: Array,
        ball: Array,
        by_heel: npt.NDArray[np.bool_],
        by_ball: npt.NDArray[np.bool_],
    ) -> Array:
        """Heel spots moved so that a run on the heel goes over into the one on the ball without a step."""
        first, last = runs(by_heel)
        out = target.copy()
        for a, b in zip(first, last, strict=True):  # over contacts, not frames
            neighbour = b if b < len(by_ball) and by_ball[b] else a - 1 if a > 0 and by_ball[a - 1] else -1
            if neighbour >= 0:
                spot = target[neighbour] + heel[neighbour]
                out[a:b, :2] = spot[:2] - heel[a:b, :2]
        return out

    def _flattened(self, flat: npt.NDArray[np.bool_], stiffness: float) -> Array:
        """The foot's rotation (T, 3, 3), one and with its sole on the floor in each run of flat contact."""
        if not flat.any():
            return self.foot
        heading = _run_means(self.foot.reshape(-1, 9), flat).reshape(-1, 3, 3)
        forward = -heading[:, :2, 1]  # the rest pose faces -Y
        angle = np.arctan2(forward[:, 0], -forward[:, 1])
        level = np.zeros_like(heading)
        cosine, sine = np.cos(angle), np.sin(angle)
        level[:, 0, 0] = level[:, 1, 1] = cosine
        level[:, 0, 1], level[:, 1, 0], level[:, 2, 2] = -sine, sine, 1
        return _blended(self.foot, level, flat, stiffness)

    def _toes(self, foot: Array, ball_on: npt.NDArray[np.bool_], stiffness: float) -> Array:
        """The toes' rotation, flat on the floor while the ball stands."""
        right = foot[:, :, 0]
        up = np.array([0.0, 0, 1])
        right = right - right[:, 2:] * up
        right /= np.maximum(np.linalg.norm(right, axis=1, keepdims=True), 1e-6)
        level = np.stack([right, np.cross(up, right), np.broadcast_to(up, right.shape)], -1)
        return _blended(self.toe, level, ball_on, stiffness)

    def _above(self, ankle: Array, foot: Array, toe: Array, floor: float, stiffness: float) -> Array:
        """The ankle's path, raised where heel, ball or tip of the toes would be under the floor."""
        ball = foot @ self.ball
        lowest = np.min(
            [
                (foot @ self.heel)[:, 2],
                ball[:, 2] - self.ball_height,
                (ball + toe @ self.tip)[:, 2] - self.ball_height,
            ],
            axis=0,
        )
        under = np.maximum(0.0, floor - ankle[:, 2] - lowest)
        if not (under > 1e-6).any():
            return ankle
        soft = whittaker(under[:, None], np.where(under > 0, 1.0, 0.05), stiffness / 30)[:, 0]
        out = ankle.copy()
        out[:, 2] += np.maximum(soft, under)
        return out


def _blended(own: Array, wanted: Array, where: npt.NDArray[np.bool_], stiffness: float) -> Array:
    """Rotations (T, 3, 3) that are `wanted` where `where` says so and go over into `own` softly around."""
    difference = rotation_vector(wanted @ np.swapaxes(own, -1, -2))
    difference[~where] = 0
    soft = whittaker(difference, np.where(where, _PINNED, 1e-2), stiffness / 30)
    soft[where] = difference[where]
    return matrix_from_vector(soft) @ own


def rotation_vector(m: Array) -> Array:
    """Axis times angle (..., 3) of rotations (..., 3, 3)."""
    q = quaternion_from_matrix(m)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., :1])
    return np.asarray(q[..., 1:] * angle / np.maximum(sine, 1e-12))


def matrix_from_vector(v: Array) -> Array:
    """Rotations (..., 3, 3) of axes times angles (..., 3)."""
    angle = np.linalg.norm(v, axis=-1)
    return np.asarray(axis_angle(v / np.maximum(angle, 1e-12)[..., None], angle))


def _within_reach(
    root: Array, world: Array, joints: Array, offsets: Array, ankles: list[Array], stiffness: float
) -> Array:
    """The root's path, moved as little and as softly as lets both legs reach their ankles."""
    moved = np.zeros_like(root)
    for _ in range(4):
        need = np.zeros_like(root)
        for side, ankle in zip("LR", ankles, strict=True):
            thigh, shin, foot = (INDEX[f"{n}.{side}"] for n in ("thigh", "shin", "foot"))
            longest = _REACH * (np.linalg.norm(offsets[shin]) + np.linalg.norm(offsets[foot]))
            way = ankle - joints[:, thigh] - moved
            distance = np.linalg.norm(way, axis=1, keepdims=True)
            step = way * np.maximum(0.0, 1 - longest / np.maximum(distance, 1e-9))
            need = np.where(np.linalg.norm(step, axis=1) > np.linalg.norm(need, axis=1), step.T, need.T).T
        far = np.linalg.norm(need, axis=1)
        if far.max() < 1e-5:
            break
        moved = moved + whittaker(need * 1.2, np.where(far > 1e-5, 1.0, 0.03), stiffness / 30)
    return root + moved


def two_bone(
    upper: Array, lower: Array, hip: Array, ankle: Array, thigh: Array, shin: Array
) -> tuple[Array, Array]:
    """Rotations of thigh and shin that bring the ankle to its target.

    The knee keeps the plane that it bends in: of the leg as it is, turned with the line from hip to ankle. A
    leg that is almost straight bends about its own side axis (X of the rest pose).

    Parameters
    ----------
    upper, lower : (T, 3, 3)
        World rotations of thigh and shin.
    hip, ankle : (T, 3), metres
        Where the thigh starts and the shin is to end; a target out of reach is approached as far as it goes.
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
    axis = clear * _unit(bend) * np.where(backwards == 0, 1, backwards) + (1 - clear) * side
    axis = (swing @ axis[..., None])[..., 0]
    axis = _unit(axis - ahead * (axis * ahead).sum(1, keepdims=True))
    cosine = (la**2 + distance**2 - lb**2) / (2 * la * distance)
    angle = np.arccos(np.clip(cosine, -1, 1))[:, None]
    # the knee lies off the line on the side that the axis says, right-handed
    new_a = la * (np.cos(angle) * ahead - np.sin(angle) * np.cross(axis, ahead))
    new_b = distance[:, None] * ahead - new_a
    first = rotation_between((swing @ a[..., None])[..., 0], new_a) @ swing @ upper
    second = rotation_between((swing @ b[..., None])[..., 0], new_b) @ swing @ lower
    return first, second


def _unit(v: Array) -> Array:
    return np.asarray(v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9))
