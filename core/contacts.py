"""Which heel and toe stands on something, and when: by the lifter's answer, speed and height."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .arrays import Array, Bools, Floats, Indices
from .banded import whittaker
from .capture import Capture
from .landmarks import LANDMARK, bridge
from .motion import Motion
from .options import CleanUp
from .rotations import unit
from .skeleton import INDEX, STANDARD_HEIGHT

#: contacts from this on count: the heel or toe stands
CONTACT_THRESHOLD = 0.5
#: the landmark that shows each of `motion.CONTACT_POINTS`, and those of the ankles
_SHOWN_BY = [LANDMARK[n] for n in ("heel.L", "foot_index.L", "heel.R", "foot_index.R", "ankle.L", "ankle.R")]
#: the network that decides, made by `python -m training contacts`
NETWORK = Path(__file__).parent / "contacts.npz"
#: the moments whose features it takes, from the one in question, in thirtieths of a second
_AROUND = np.array([-8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8])
#: the network decides about this many frames at once: the features of a long motion take a lot of memory
_AT_ONCE = 4096
#: speeds below this are noise, m/s
_STILL = 0.05
#: a foot touches the floor at least once in this time before and after any moment, seconds
_NEARBY = 0.7
#: heights above the lowest point are cut off here, metres
_HIGH = 0.4
#: differences between the heights of two points are cut off here, metres
_STEEP = 0.2
#: share of the lifter's own log odds in ours: it is too sure of itself
_LIFTER = 0.2
#: log odds above which a contact begins: missing one costs more, for the foot slides, than one too many
_BEGIN = -2.5
#: log odds below which a contact ends
_END = -3.0
#: a point more than this above the lowest within `_NEARBY` may be in flight, metres
_STEP = 0.15
#: log odds that each metre above `_STEP` costs
_FLIES = 50.0
#: contacts and gaps shorter than this are flicker, seconds
_FLICKER = 0.08
#: something else holds a body whose middle is farther than this beside its feet, metres
_BESIDE = 0.22
#: the same for a body whose thighs are both raised, metres
_SITTING = 0.1
#: cosine of the angle from straight down from which on a thigh is raised
_RAISED = 0.75
#: a sole that is faster than this doesn't stand, m/s
_SLIDES = 0.04
#: a sole that is faster than this moves, whoever says that it stands, m/s
_MOVES = 0.2
#: acceleration of what falls, metres per second squared
GRAVITY = 9.81
#: who is in the air for longer than this is held by something that nobody sees, seconds
_FLIGHT = 1.0
#: what falls accelerates by gravity, give or take this share of it: hips aren't the centre of mass
_FALLS = 0.5
#: what lasts shorter than this is just a lunge, seconds
_LONG = 0.6
#: hips that stay within this of their height while the body was held are still in their seat, metres: while
#: no foot is on the floor, a camera hardly tells how far away hips are
_SEAT = 0.15
#: hips in their seat are at most this far beside where they were, metres
_WANDER = 0.4
#: cosine of the angle from straight down within which a thigh hangs: with both the seat is left
_DOWN = 0.9


def find_contacts(capture: Capture) -> Bools:
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
    motion, now = capture.motion, _features_now(capture)
    with np.load(NETWORK, allow_pickle=False) as file:
        network = dict(file)
    stretches = np.split(np.arange(len(now)), range(_AT_ONCE, len(now), _AT_ONCE))
    odds = np.concatenate([log_odds(_around(now, some, motion.life_fps), network) for some in stretches])
    probability = np.clip(motion.contacts.astype(np.float64), 1e-3, 1 - 1e-3)
    odds += _LIFTER * np.log(probability / (1 - probability))
    height = _heights(motion)
    above = height - _floor(height.min(1), motion.life_fps)[:, None]
    odds -= _FLIES * np.maximum(above - _STEP, 0)
    on = _without_flicker(hysteresis(odds, _BEGIN, _END), _FLICKER * motion.life_fps)
    return on & ~_held_elsewhere(motion)[:, None]


def in_flight(motion: Motion, contacts: Bools) -> Bools:
    """Where (T,) nothing holds the body: no foot stands between two moments in which one does, and it falls.

    Parameters
    ----------
    motion : Motion
        Of one shot, upright.
    contacts : (T, 4) bool
    """
    out = np.zeros(len(motion), bool)
    for first, end in zip(*runs(~contacts.any(axis=1)), strict=True):
        if first == 0 or end == len(out) or not 3 <= end - first <= _FLIGHT * motion.life_fps:
            continue
        seconds = np.arange(end - first) / motion.life_fps
        falls = -2 * np.polyfit(seconds, motion.root[first:end, 2] * STANDARD_HEIGHT / motion.height, 2)[0]
        out[first:end] = abs(falls - GRAVITY) < _FALLS * GRAVITY
    return out


def without_sliding(motion: Motion, contacts: Bools, given: bool = False) -> Bools:
    """Contacts (T, 4) without those of soles that go on moving although they were asked to stand.

    If they were `given` by somebody, only those that move as fast as nothing does that stands. Those that are
    too short to be planted are left out too.
    """
    points = motion.sole_points() * (STANDARD_HEIGHT / motion.height)
    speed = np.zeros(contacts.shape)
    speed[:-1] = np.linalg.norm(np.diff(points, axis=0), axis=-1) * motion.life_fps
    before = np.append(speed[:1], speed[:-1], axis=0)
    moving = np.minimum(speed, before) > (_MOVES if given else _SLIDES)
    # a foot that jumps within a stance stands on one spot before it and on another one after it
    jumps = (speed > _MOVES)[:-1] & contacts[:-1] & contacts[1:]
    moving[:-1] |= jumps
    moving[1:] |= jumps
    return keep_long(contacts & ~moving, CleanUp.minimum * motion.life_fps)


def log_odds(features: Floats, network: Mapping[str, Array]) -> Floats:
    """Log odds (...) of contact, from `contact_features` (..., F), by the network of one hidden layer."""
    hidden = np.maximum(features @ network["hidden"] + network["hidden_bias"], 0)
    return np.asarray(hidden @ network["out"] + network["out_bias"])


def contact_features(capture: Capture) -> Floats:
    """What the network gets for each of `motion.CONTACT_POINTS` (T, 4, F): features of the moments around."""
    return _around(_features_now(capture), np.arange(len(capture)), capture.motion.life_fps)


def _features_now(capture: Capture) -> Floats:
    """Features (T, 4, F) of one moment."""
    motion = capture.motion
    points, height = motion.sole_points(), _heights(motion)
    ankles = motion.joints[:, [INDEX["foot.L"], INDEX["foot.R"]]]
    speed = _speed(np.concatenate([points, ankles], axis=1), np.ones((len(points), 6)), motion.life_fps)
    shown = capture.landmarks[:, _SHOWN_BY]
    places, seen = bridge(shown[..., :2], shown[..., 2])
    # a point that isn't seen has no speed in the picture: its speed in space takes that place
    pictured = seen * _picture_speed(capture, places, seen) + (1 - seen) * speed
    speed, seen, ankle, pictured = speed[:, :4], seen[:, :4], pictured[:, 4:], pictured[:, :4]
    other = [1, 0, 3, 2]
    return np.stack(
        [
            np.log(pictured + _STILL),
            np.log(speed + _STILL),
            np.clip(height - height.min(1, keepdims=True), 0, _HIGH) * 10,
            np.clip(height - _floor(height.min(1), motion.life_fps)[:, None], 0, _HIGH) * 10,
            np.log(pictured[:, other] + _STILL),
            np.clip(height - height[:, other], -_STEEP, _STEEP) * 10,
            np.log(np.repeat(ankle, 2, axis=1) + _STILL),
            seen,
            np.broadcast_to([0.0, 1, 0, 1], height.shape),
        ],
        axis=-1,
    )


def _around(now: Floats, frames: Indices, fps: float) -> Floats:
    """Features of the moments around `frames` (N,), (N, 4, F), from those of each moment."""
    at = frames[:, None] + _AROUND * (fps / 30)
    at = np.clip(at, 0, len(now) - 1)
    before = np.floor(at).astype(int)
    share = (at - before)[..., None, None]
    around = (1 - share) * now[before] + share * now[np.minimum(before + 1, len(now) - 1)]
    return np.asarray(np.moveaxis(around, 1, 2).reshape(len(frames), now.shape[1], -1))


def _heights(motion: Motion) -> Floats:
    """Heights (T, 4) of the soles under `motion.CONTACT_POINTS`, metres at standard height."""
    return motion.sole_heights() * (STANDARD_HEIGHT / motion.height)


def _floor(lowest: Floats, fps: float) -> Floats:
    """The least of `lowest` (T,) within `_NEARBY` before and after each frame."""
    reach = round(_NEARBY * fps)
    return np.asarray(sliding_window_view(np.pad(lowest, reach, mode="edge"), 2 * reach + 1).min(axis=1))


def _picture_speed(capture: Capture, places: Floats, seen: Floats) -> Floats:
    """Speed (T, K) of landmarks in the picture, metres per second at the person's distance.

    A foot that stands doesn't move in a picture whose camera stands, however wrong its depth is.

    Parameters
    ----------
    capture : Capture
    places : (T, K, 2)
        Of the landmarks, pixels.
    seen : (T, K)
        How well each was seen, 0 to 1.
    """
    camera, motion = capture.camera, capture.motion
    distance = np.linalg.norm(motion.root - camera.eye, axis=1)
    rays = camera.rays(places)[..., :2]
    if not capture.camera_moves:
        return np.asarray(_speed(rays, seen + 0.05, motion.life_fps) * distance[:, None])
    cameras = capture.cameras
    eyes = cameras.eyes[:, None]
    distance = np.linalg.norm(motion.root - eyes[:, 0], axis=1)
    rays = unit(cameras.rays(places)) @ cameras.camera_from_world[:, :3, :3]
    moved = distance[:, None, None] * _steps(rays, seen + 0.05, motion.life_fps)
    moved += _steps(eyes, np.ones(eyes.shape[:2]), motion.life_fps)
    # along the ray, nothing is seen of it
    moved -= (moved * rays).sum(-1, keepdims=True) * rays
    return np.asarray(np.linalg.norm(moved, axis=-1) * motion.life_fps)


def _speed(points: Array, weight: Floats, fps: float) -> Floats:
    """Speed (T, K) of points (T, K, D), smoothed over about a tenth of a second."""
    return np.asarray(np.linalg.norm(_steps(points, weight, fps), axis=-1) * fps)


def _steps(points: Array, weight: Floats, fps: float) -> Floats:
    """How far points (T, K, D) go in a frame, smoothed likewise."""
    if len(points) < 2:
        return np.zeros(points.shape)
    stiffness = 2.0 * (fps / 30) ** 4
    columns = [whittaker(points[:, k], weight[:, k], stiffness) for k in range(points.shape[1])]
    return np.asarray(np.gradient(np.stack(columns, 1), axis=0))


def hysteresis(value: Floats, begin: float, end: float) -> Bools:
    """True from where a value (T, C) rises above `begin` until it falls below `end`."""
    decided = np.where(value > begin, 1, np.where(value < end, 0, -1))
    # every undecided frame takes the last decision before it
    at = np.where(decided >= 0, np.arange(len(value))[:, None], 0)
    at = np.maximum.accumulate(at, axis=0)
    return np.asarray(np.take_along_axis(decided, at, axis=0) == 1)


def keep_long(on: Bools, frames: float) -> Bools:
    """The same labels (T, C) without runs that are shorter than `frames`."""
    out = np.zeros_like(on)
    for column in range(on.shape[1]):
        first, last = runs(on[:, column])
        long = last - first >= frames
        edges = np.zeros(len(on) + 1, dtype=int)
        edges[first[long]] += 1
        edges[last[long]] -= 1
        out[:, column] = np.cumsum(edges)[:-1] > 0
    return out


def runs(on: Bools) -> tuple[Indices, Indices]:
    """First frames, and frames after the last, of the runs of true in (T,)."""
    edges = np.diff(np.concatenate([[0], on.astype(int), [0]]))
    return np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)


def _without_flicker(on: Bools, frames: float) -> Bools:
    """The same with gaps shorter than `frames` closed, then without contacts shorter than that."""
    beyond = math.ceil(frames)
    padded = np.pad(~on, ((beyond, beyond), (0, 0)), mode="edge")  # gaps at the ends are not between contacts
    closed = ~keep_long(padded, frames)[beyond : beyond + len(on)]
    return keep_long(closed, frames)


def _held_elsewhere(motion: Motion) -> Bools:
    """Where (T,) the body can't be standing on its feet: it sits, lies or hangs.

    Its middle is then farther beside the feet than anyone can lean for long; if both thighs are raised, less
    far suffices.
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
    closed = ~keep_long(~held, _LONG * motion.life_fps)
    sure = keep_long(closed, _LONG * motion.life_fps)[:, 0]
    # nobody gets up without the hips leaving their seat
    out = sure.copy()
    for first, end in zip(*runs(sure), strict=True):
        away = (joints[:, 0] - joints[first:end, 0].mean(axis=0)) * STANDARD_HEIGHT / motion.height
        seated = (np.abs(away[:, 2]) < _SEAT) & (np.linalg.norm(away[:, :2], axis=1) < _WANDER)
        seated &= (down < _DOWN).any(1)
        around = [run for run in zip(*runs(seated | sure), strict=True) if run[0] <= first < run[1]]
        out[slice(*around[0])] = True
    return out
