"""Which heel and toe stands on something, and when: by the lifter's labels, speed and height."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from .banded import whittaker
from .capture import Capture
from .landmarks import LANDMARK, bridge
from .motion import Motion
from .skeleton import BALL_HEIGHT, INDEX, STANDARD_HEIGHT

Array = npt.NDArray[np.float64]

#: the landmark that shows each of `motion.CONTACT_POINTS`, and those of the ankles
_SHOWN_BY = [LANDMARK[n] for n in ("heel.L", "foot_index.L", "heel.R", "foot_index.R", "ankle.L", "ankle.R")]
#: the network that decides (`python -m training contacts`): what it knows of a point is weighed once
_NETWORK = Path(__file__).parent / "contacts.npz"
#: the moments that it looks at, from the one in question, in thirtieths of a second
_AROUND = np.array([-8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8])
#: speeds below this are noise, m/s
_STILL = 0.05
#: a flight is shorter than this, and the floor is no deeper within that time, seconds
_NEARBY = 0.7
#: heights above the lowest point, and differences of height, that are as good as any larger, m
_HIGH, _STEEP = 0.4, 0.2
#: share of the lifter's own log odds in ours: it is too sure of itself
_LIFTER = 0.2
#: log odds to begin a contact, and to end it: a contact that is missed slides, one too many is just slow
_BEGIN, _END = -2.5, -3.0
#: a point that is so far above the lowest of `_NEARBY`, m, is the likelier to fly: log odds by the metre
_STEP, _FLIES = 0.15, 50.0
#: contacts and gaps shorter than this are flicker, seconds
_FLICKER = 0.08
#: a body whose middle is farther than this beside its feet is held by something else; less suffices where
#: both thighs are raised (cosine of their angle from straight down); for longer than that, or it is just a
#: lunge; metres, seconds
_BESIDE, _SITTING, _RAISED, _LONG = 0.22, 0.1, 0.75, 0.6
#: hips nearer than this, in height and beside it, to where they were while the body was held so are still
#: held until both thighs are straight down (cosine): without a foot on the floor a camera hardly tells how
#: far away hips are; metres
_SEAT, _WANDER, _DOWN = 0.15, 0.4, 0.9


def find_contacts(capture: Capture) -> npt.NDArray[np.bool_]:
    """Contacts of the heels and toes.

    Parameters
    ----------
    capture : Capture
        With the lifter's probabilities as its motion's contacts.

    Returns
    -------
    (T, 4) bool
        For `motion.CONTACT_POINTS`.
    """
    motion = capture.motion
    with np.load(_NETWORK, allow_pickle=False) as network:
        odds = log_odds(contact_features(capture), network)
    probability = np.clip(motion.contacts.astype(np.float64), 1e-3, 1 - 1e-3)
    odds += _LIFTER * np.log(probability / (1 - probability))
    height = _heights(motion)
    above = height - _floor(height.min(1), motion.fps)[:, None]
    odds -= _FLIES * np.maximum(above - _STEP, 0)
    on = _without_flicker(hysteresis(odds, _BEGIN, _END), _FLICKER * motion.fps)
    return on & ~_held_elsewhere(motion)[:, None]


def log_odds(features: Array, network: Mapping[str, npt.NDArray[Any]]) -> Array:
    """Of contact (...), by the network of one hidden layer, from `contact_features` (..., F)."""
    hidden = np.maximum(features @ network["hidden"] + network["hidden_bias"], 0)
    return np.asarray(hidden @ network["out"] + network["out_bias"])


def contact_features(capture: Capture) -> Array:
    """What the network knows of each of `motion.CONTACT_POINTS` (T, 4, F), at all the moments around."""
    motion = capture.motion
    points, height = motion.sole_points(), _heights(motion)
    ankles = motion.joints[:, [INDEX["foot.L"], INDEX["foot.R"]]]
    speed = _speed(np.concatenate([points, ankles], axis=1), np.ones((len(points), 6)), motion.fps)
    shown = capture.landmarks[:, _SHOWN_BY]
    places, seen = bridge(shown[..., :2], shown[..., 2])
    # what isn't seen doesn't stand still in the picture: nothing is known of it there
    pictured = seen * _picture_speed(capture, places, seen) + (1 - seen) * speed
    speed, seen, ankle, pictured = speed[:, :4], seen[:, :4], pictured[:, 4:], pictured[:, :4]
    other = [1, 0, 3, 2]
    now = np.stack(
        [
            np.log(pictured + _STILL),
            np.log(speed + _STILL),
            np.clip(height - height.min(1, keepdims=True), 0, _HIGH) * 10,
            np.clip(height - _floor(height.min(1), motion.fps)[:, None], 0, _HIGH) * 10,
            np.log(pictured[:, other] + _STILL),
            np.clip(height - height[:, other], -_STEEP, _STEEP) * 10,
            np.log(np.repeat(ankle, 2, axis=1) + _STILL),
            seen,
            np.broadcast_to([0.0, 1, 0, 1], height.shape),
        ],
        axis=-1,
    )
    at = np.arange(len(now))[:, None] + _AROUND * (motion.fps / 30)
    at = np.clip(at, 0, len(now) - 1)
    before = np.floor(at).astype(int)
    share = (at - before)[..., None, None]
    around = (1 - share) * now[before] + share * now[np.minimum(before + 1, len(now) - 1)]
    return np.asarray(np.moveaxis(around, 1, 2).reshape(*height.shape, -1))


def _heights(motion: Motion) -> Array:
    """Of `motion.CONTACT_POINTS` (T, 4), as if the balls' joints were on the sole; m at standard height."""
    scale = motion.height / STANDARD_HEIGHT
    return np.asarray(motion.sole_points()[..., 2] / scale - np.array([0, BALL_HEIGHT, 0, BALL_HEIGHT]))


def _floor(lowest: Array, fps: float) -> Array:
    """The lowest (T,) that anything gets within `_NEARBY` before or after."""
    reach = round(_NEARBY * fps)
    return np.asarray(sliding_window_view(np.pad(lowest, reach, mode="edge"), 2 * reach + 1).min(axis=1))


def _picture_speed(capture: Capture, places: Array, seen: Array) -> Array:
    """Speed (T, K), m/s at the person's distance, in the picture, of landmarks (T, K, 2) seen so well (T, K).

    A foot that stands doesn't move in a picture whose camera stands, however wrong its depth is.
    """
    camera, motion = capture.camera, capture.motion
    distance = np.linalg.norm(motion.root - camera.eye, axis=1)
    rays = camera.rays(places)[..., :2]
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
    down = -thighs[..., 2] / np.maximum(np.linalg.norm(thighs, axis=-1), 1e-9)
    held = (beside > np.where((down < _RAISED).all(1), _SITTING, _BESIDE))[:, None]
    closed = ~keep_long(~held, _LONG * motion.fps)
    sure = keep_long(closed, _LONG * motion.fps)[:, 0]
    # nobody gets up without the hips leaving their seat
    out = sure.copy()
    for first, end in zip(*runs(sure), strict=True):
        away = (joints[:, 0] - joints[first:end, 0].mean(axis=0)) * STANDARD_HEIGHT / motion.height
        seated = (np.abs(away[:, 2]) < _SEAT) & (np.linalg.norm(away[:, :2], axis=1) < _WANDER)
        seated &= (down < _DOWN).any(1)
        around = [run for run in zip(*runs(seated | sure), strict=True) if run[0] <= first < run[1]]
        out[slice(*around[0])] = True
    return out
