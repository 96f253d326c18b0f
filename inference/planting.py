"""One foot, planted: it stands on one spot while it is in contact, and goes softly over into its own path.

Any foot will do, of the captured skeleton or of an artist's character: it is described by a `Sole`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .contacts import runs
from .options import CleanUp
from .rotations import axis_angle, quaternion_from_matrix
from .whittaker import whittaker

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: about how long a foot takes from its own path onto its planted one, seconds
BLEND = 0.25
#: weight of a planted frame against the wish to bend little, and of the others' own paths
_PINNED, _FREE = 1e6, 5e-2


@dataclass(frozen=True)
class Sole:
    """Where a foot meets the floor, in the rest pose (flat on the floor, facing -Y), metres.

    Attributes
    ----------
    heel : (3,)
        Its point on the sole, from the ankle (the foot's joint).
    ball : (3,)
        The joint of the toes, from the ankle.
    tip : (3,)
        The end of the toes, from the joint of the toes.
    ball_height : float
        Of the joint of the toes above the floor.
    """

    heel: Array
    ball: Array
    tip: Array
    ball_height: float


def plant_foot(
    foot: Array, toe: Array, ankle: Array, sole: Sole, contacts: Bools, fps: float, how: CleanUp
) -> tuple[Array, Array, Array]:
    """Plant one foot.

    Parameters
    ----------
    foot, toe : (T, 3, 3)
        Rotations away from the rest pose, in the world.
    ankle : (T, 3), metres
    sole : Sole
    contacts : (T, 2) bool
        Of the heel and of the ball.
    fps : float
    how : CleanUp
        `lock_toes` and `floor` are looked at.

    Returns
    -------
    foot, toe, ankle
        The same, planted. Nothing is known of legs here: whether they reach so far is the caller's to see
        to.
    """
    stiffness = (BLEND * fps / np.pi) ** 4
    one = _Foot(foot, toe, ankle, sole)
    ankle, foot, toe = one.planted(contacts, how, stiffness)
    return foot, toe, ankle


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

    def __init__(self, foot: Array, toe: Array, ankle: Array, sole: Sole) -> None:
        self.foot, self.toe, self.ankle = foot, toe, ankle
        self.heel, self.ball, self.tip = sole.heel, sole.ball, sole.tip
        self.ball_height = sole.ball_height

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
