"""Which heel and toe stands on something, and when: by the lifter's labels, speed and height."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .landmarks import LANDMARK
from .motion import Motion
from .skeleton import BALL_HEIGHT, INDEX, STANDARD_HEIGHT
from .whittaker import whittaker

Array = npt.NDArray[np.float64]

#: the landmark that shows each of `motion.CONTACT_POINTS`
_SHOWN_BY = [LANDMARK[n] for n in ("heel.L", "foot_index.L", "heel.R", "foot_index.R")]
#: log odds of contact: a logistic regression on detected sequences whose truth is known (`python -m training
#: contacts`) of the lifter's log odds, the logarithms of the speed in the picture and in space (m/s), the
#: height (m), and 1
_WEIGHTS = np.array([0.89, -0.64, -0.93, -13.6, -1.82])
#: differences of height that are noise, m
_LEVEL = 0.06
#: speeds below this are noise, m/s
_STILL = 0.05
#: log odds to begin a contact, and to end it
_BEGIN, _END = -0.3, -1.0
#: contacts and gaps shorter than this are flicker, seconds
_FLICKER = 0.08
#: a foot that lands or lifts is already, or still, slow: contacts are drawn out by this much, seconds
_MARGIN = 1 / 30
#: a body whose middle is farther than this beside its feet is held by something else; less suffices where
#: both thighs are raised (cosine of their angle from straight down); for longer than that, or it is just a
#: lunge; metres, seconds
_BESIDE, _SITTING, _RAISED, _LONG = 0.22, 0.1, 0.75, 0.6


def find_contacts(motion: Motion) -> npt.NDArray[np.bool_]:
    """Contacts of the heels and toes.

    Parameters
    ----------
    motion : Motion
        With the lifter's probabilities as its contacts.

    Returns
    -------
    (T, 4) bool
        For `motion.CONTACT_POINTS`.
    """
    on = hysteresis(contact_features(motion) @ _WEIGHTS, _BEGIN, _END)
    on = _without_flicker(on, _FLICKER * motion.fps)
    on = _widened(on, round(_MARGIN * motion.fps))
    return on & ~_held_elsewhere(motion)[:, None]


def contact_features(motion: Motion) -> Array:
    """What a contact is decided by (T, 4, 5), in the order of `_WEIGHTS`."""
    probability = np.clip(motion.contacts.astype(np.float64), 1e-3, 1 - 1e-3)
    points = motion.sole_points()
    scale = motion.height / STANDARD_HEIGHT
    height = points[..., 2] / scale - np.array([0, BALL_HEIGHT, 0, BALL_HEIGHT])
    return np.stack(
        [
            np.log(probability / (1 - probability)),
            np.log(_picture_speed(motion) + _STILL),
            np.log(_speed(points, np.ones(points.shape[:2]), motion.fps) + _STILL),
            np.clip(height - height.min(1, keepdims=True) - _LEVEL, 0, 0.5),
            np.ones_like(height),
        ],
        axis=-1,
    )


def _picture_speed(motion: Motion) -> Array:
    """Speed (T, 4) of the feet's landmarks in the picture, in m/s at the person's distance.

    A foot that stands doesn't move in a picture whose camera stands, however wrong its depth is.
    """
    camera = motion.camera
    rays = camera.rays(np.nan_to_num(motion.landmarks[:, _SHOWN_BY, :2]))[..., :2]
    seen = np.nan_to_num(motion.landmarks[:, _SHOWN_BY, 2])
    distance = np.linalg.norm(motion.root - camera.eye, axis=1)
    return np.asarray(_speed(rays, seen + 0.05, motion.fps) * distance[:, None])


def _speed(points: npt.NDArray[Any], weight: Array, fps: float) -> Array:
    """Speed (T, K) of points (T, K, D), smoothed over about a tenth of a second."""
    if len(points) < 2:
        return np.zeros(points.shape[:2])
    stiffness = 2.0 * (fps / 30) ** 4
    columns = [whittaker(points[:, k], weight[:, k], stiffness) for k in range(points.shape[1])]
    return np.asarray(np.linalg.norm(np.gradient(np.stack(columns, 1), axis=0), axis=-1) * fps)


def hysteresis(value: Array, begin: float, end: float) -> npt.NDArray[np.bool_]:
    """True from where a value (T, C) rises above `begin` until it falls below `end`."""
    decided = np.where(value > begin, 1, np.where(value < end, 0, -1))
    # every undecided frame takes the last decision before it
    at = np.where(decided >= 0, np.arange(len(value))[:, None], 0)
    at = np.maximum.accumulate(at, axis=0)
    return np.asarray(np.take_along_axis(decided, at, axis=0) == 1)


def keep_long(on: npt.NDArray[np.bool_], frames: float) -> npt.NDArray[np.bool_]:
    """The same labels (T, C) without runs shorter than so many frames."""
    out = np.zeros_like(on)
    for column in range(on.shape[1]):
        first, last = runs(on[:, column])
        long = last - first >= frames
        edges = np.zeros(len(on) + 1, dtype=int)
        edges[first[long]] += 1
        edges[last[long]] -= 1
        out[:, column] = np.cumsum(edges)[:-1] > 0
    return out


def runs(on: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """First frames, and frames after the last, of the runs of true in (T,)."""
    edges = np.diff(np.concatenate([[0], on.astype(int), [0]]))
    return np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)


def _without_flicker(on: npt.NDArray[np.bool_], frames: float) -> npt.NDArray[np.bool_]:
    """The same without gaps, then without contacts, shorter than so many frames."""
    padded = np.concatenate([~on[:1], ~on, ~on[-1:]])  # gaps at the ends are not between contacts
    closed = ~keep_long(padded, frames)[1:-1] | on
    return keep_long(closed, frames)


def _widened(on: npt.NDArray[np.bool_], frames: int) -> npt.NDArray[np.bool_]:
    """Contacts that begin and end so many frames earlier and later."""
    out = on.copy()
    for step in range(1, frames + 1):
        out[step:] |= on[:-step]
        out[:-step] |= on[step:]
    return out


def _held_elsewhere(motion: Motion) -> npt.NDArray[np.bool_]:
    """Where (T,) the body can't be standing on its feet: it sits, lies or hangs.

    Its middle is then farther beside the feet than anyone can lean for long; less far suffices for thighs
    that are both raised.
    """
    joints = motion.joints
    trunk = joints[:, [INDEX["hips"], INDEX["chest"], INDEX["neck"]]].mean(1)
    knees, hips = (joints[:, [INDEX[f"{n}.L"], INDEX[f"{n}.R"]]] for n in ("shin", "thigh"))
    middle = (0.65 * trunk + 0.35 * knees.mean(1))[:, None, :2]
    feet = motion.sole_points()[..., :2]
    nearest = np.clip(middle, feet.min(1, keepdims=True), feet.max(1, keepdims=True))
    beside = np.linalg.norm(middle - nearest, axis=-1)[:, 0] * STANDARD_HEIGHT / motion.height
    thighs = knees - hips
    raised = (-thighs[..., 2] < _RAISED * np.linalg.norm(thighs, axis=-1)).all(1)
    held = (beside > np.where(raised, _SITTING, _BESIDE))[:, None]
    closed = ~keep_long(~held, _LONG * motion.fps)
    return keep_long(closed, _LONG * motion.fps)[:, 0]
