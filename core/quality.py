"""The quality of a capture, as far as the capture itself can tell: what was seen, and what lies on it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .arrays import Bools, Floats, Indices
from .capture import Capture
from .contacts import keep_long, runs
from .landmarks import PLACE, joint_confidence, landmarks_on
from .options import UPPER
from .skeleton import INDEX, PARENTS, STANDARD_HEIGHT

#: what is known of a frame, from the best to the worst: the person was found; but a limb was hardly seen, so
#: it is guessed; or a limb that was seen lies elsewhere in the picture; or which side is the left is
#: uncertain; or the person wasn't found, and the motion is bridged
STATES = ("found", "guessed_limbs", "off_picture", "unsure_sides", "bridged")
#: the joints of each limb that tell whether it was seen and lies where it was seen
LIMBS = {
    "head": ("head",),
    "left arm": ("forearm.L", "hand.L"),
    "right arm": ("forearm.R", "hand.R"),
    "left leg": ("shin.L", "foot.L"),
    "right leg": ("shin.R", "foot.R"),
}
#: how far a body that fits lies from a landmark without error, as a share of the person's height: standard
#: deviation. People are built and dressed in more ways than our body.
_UNLIKE = 0.015
#: a landmark this many standard deviations away counts a quarter
_OUTLIER = 3.0
#: a limb is unsure where one of its joints is more doubtful than this
_DOUBTFUL = 0.75
#: a joint isn't doubtful in depth up to this spread of its turn, radians, ...
_SURE_TURN = np.radians(5.0)
#: ... and wholly doubtful from this one on. Chosen on the benchmark's clips with truth: of the joints that
#: are more than 60 mm off, 28 of 100 have a doubt of less than a quarter; 67 if depth didn't count
_UNSURE_TURN = np.radians(25.0)
#: a limb is seen from this mean confidence of its joints on
_SEEN = 0.5
#: where more limbs than this are unsure at once, the whole body is
_MOST_LIMBS = 2
#: unsure stretches shorter than this aren't reported, and stretches nearer than this are one, seconds
_WORTH = 0.1
#: moments that are worth a look are this far apart, seconds: errors of poses last about so long
_APART = 0.5


class Stretch(NamedTuple):
    """First and last frame of a stretch that is unsure, and which of `LIMBS` is; empty: the whole body."""

    first: int
    last: int
    limb: str


def detected_share(capture: Capture) -> float:
    """Share of the frames in which the person was detected; bridged gaps don't count."""
    return float(found_in(capture).mean())


def found_in(capture: Capture) -> Bools:
    """Where (T,) the person was found."""
    return np.asarray(np.isfinite(capture.landmarks[..., :2]).all(axis=(1, 2)))


def off_picture(capture: Capture) -> Floats:
    """How far (T, 33) landmarks lie from their places on the body in the picture, as shares of its height.

    The height is that of the person standing upright where the hips are. NaN: nobody was found.
    """
    off, tall = _off_picture(capture)
    return np.asarray(np.linalg.norm(off, axis=-1) / tall[:, None])


def _off_picture(capture: Capture) -> tuple[Floats, Floats]:
    """From the landmarks to their places on the body (T, 33, 2), and the height of the body (T,); pixels."""
    motion, cameras = capture.motion, capture.cameras
    places = PLACE * (motion.height / STANDARD_HEIGHT)
    points = landmarks_on(motion.joints, motion.world_rotations, places)
    off = cameras.project(points) - capture.landmarks[..., :2]
    away = cameras.seen(motion.root[:, None])[:, 0, 2]
    # who is behind the camera isn't in the picture
    return off, motion.height * cameras.focal / np.where(away > 0, away, np.nan)


def joints_off_picture(capture: Capture) -> Floats:
    """The same of the joints (T, J): a mean over the landmarks that show each, by their visibility.

    NaN: none of them was seen.
    """
    off, visibility = off_picture(capture), _visibility(capture)
    return _share(joint_confidence(visibility * np.nan_to_num(off)), joint_confidence(visibility), np.nan)


def doubt(capture: Capture) -> Floats:
    """How doubtful (T, J) each joint is, from 0 to 1.

    A joint that nobody saw, in a gap that was bridged or because it was hidden, has a doubt of 1. Others have
    it as far as they were hardly seen, and as far as the landmarks that show them lie elsewhere in the
    picture. Each landmark's distance is measured by its spread and counts as in the solver: by the estimator
    of Geman and McClure (1987).
    """
    off, tall = _off_picture(capture)
    unlike = (_UNLIKE * tall[:, None]) ** 2
    xx, xy, yy = np.moveaxis(np.nan_to_num(capture.spread.astype(np.float64)), -1, 0)
    xx, yy = xx + unlike, yy + unlike
    x, y = np.moveaxis(off, -1, 0)
    # rounding must not make a covariance singular
    square = (yy * x**2 - 2 * xy * x * y + xx * y**2) / np.maximum(xx * yy - xy**2, unlike**2)
    agrees = np.nan_to_num((_OUTLIER**2 / (_OUTLIER**2 + square)) ** 2)
    visibility = _visibility(capture)
    share = _share(joint_confidence(visibility * agrees), joint_confidence(visibility), 0.0)
    return np.asarray(1 - np.clip(capture.confidence * share, 0, 1))


def depth_doubt(capture: Capture) -> Floats:
    """How doubtful (T, J) each joint's bone is in depth, from 0 to 1: by the lifter's own spread of its turn.

    The picture hardly shows whether a limb points towards the camera or away from it, so a body may lie on
    its landmarks and yet be wrong. 0 where the spread isn't known.
    """
    spread = np.nan_to_num(capture.turn_spread.astype(np.float64))
    return np.asarray(np.clip((spread - _SURE_TURN) / (_UNSURE_TURN - _SURE_TURN), 0, 1))


def expected_error(capture: Capture) -> Floats:
    """How far (T, J) each joint is likely to be from where it should be, against the hips, metres.

    A root mean square, by the lifter's spreads of the turns of all bones between the hips and the joint, as
    if their errors were independent: two of the three axes move the end of a bone. 0 where the spreads aren't
    known.
    """
    lengths = np.linalg.norm(capture.motion.offsets.astype(np.float64), axis=1)
    spread = np.nan_to_num(capture.turn_spread.astype(np.float64))
    variance = np.zeros(spread.shape)
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            variance[:, joint] = variance[:, parent] + 2 * (lengths[joint] * spread[:, parent]) ** 2
    return np.asarray(np.sqrt(variance))


def doubtful_moments(capture: Capture) -> list[int]:
    """Frames whose poses are worth a look, the most doubtful first: at least half a second apart."""
    limbs = [joint for joints in _limbs(capture).values() for joint in joints]
    left = expected_error(capture)[:, limbs].mean(axis=1)
    apart, moments = _APART * capture.motion.life_fps, []
    while (frame := int(left.argmax())) not in moments and left[frame] > 0:
        moments.append(frame)
        left[np.abs(np.arange(len(left)) - frame) < apart] = 0
    return moments


def _visibility(capture: Capture) -> Floats:
    return np.nan_to_num(capture.landmarks[..., 2].astype(np.float64))


def _share(part: Floats, whole: Floats, otherwise: float) -> Floats:
    """`part / whole`, and `otherwise` where `whole` is 0."""
    return np.divide(part, whole, out=np.full(whole.shape, otherwise), where=whole > 0)


def _limbs(capture: Capture) -> dict[str, list[int]]:
    """The joints of each limb, but for legs that nobody asked for in a capture of the upper body."""
    upper = capture.settings.get("body") == UPPER
    return {
        limb: [INDEX[name] for name in names]
        for limb, names in LIMBS.items()
        if not (upper and limb.endswith("leg"))
    }


def _unsure(capture: Capture) -> Bools:
    """Where (T, L) each of `_limbs` is unsure."""
    doubts = doubt(capture)
    return np.stack([doubts[:, of].max(axis=1) > _DOUBTFUL for of in _limbs(capture).values()], axis=1)


def states(capture: Capture) -> Indices:
    """Which of `STATES` (T,) each frame is in: the worst.

    Legs that nobody asked for, in a capture of the upper body, aren't guessed.
    """
    unsure, limbs = _unsure(capture), _limbs(capture).values()
    seen = np.stack([capture.confidence[:, of].mean(axis=1) >= _SEEN for of in limbs], axis=1)
    sides = np.zeros(len(capture), bool)
    for first, last in capture.unsure_sides:
        sides[first : last + 1] = True
    out = np.where(unsure.any(axis=1), STATES.index("guessed_limbs"), STATES.index("found"))
    out[(unsure & seen).any(axis=1)] = STATES.index("off_picture")
    out[sides] = STATES.index("unsure_sides")
    out[~found_in(capture)] = STATES.index("bridged")
    return out


def shares(capture: Capture) -> dict[str, float]:
    """The share of the frames in each of `STATES`."""
    counts = np.bincount(states(capture), minlength=len(STATES))
    return dict(zip(STATES, (counts / len(capture)).tolist(), strict=True))


def stretches(capture: Capture) -> dict[str, list[tuple[int, int]]]:
    """First and last frames of the stretches in each of `STATES`."""
    known = states(capture)
    return {
        state: [(int(first), int(end) - 1) for first, end in zip(*runs(known == number), strict=True)]
        for number, state in enumerate(STATES)
    }


def unsure_stretches(capture: Capture) -> list[Stretch]:
    """The stretches in which a limb, or the whole body, was hardly seen or lies elsewhere in the picture."""
    unsure = _unsure(capture)
    body = unsure.sum(axis=1) > _MOST_LIMBS
    columns = np.column_stack([body, unsure & ~body[:, None]])
    frames = _WORTH * capture.motion.fps
    beyond = math.ceil(frames)  # what isn't unsure at an end isn't between two stretches
    sure = keep_long(~np.pad(columns, ((beyond, beyond), (0, 0))), frames)
    closed = ~sure[beyond : beyond + len(columns)]
    found = [
        Stretch(int(first), int(end) - 1, limb)
        for limb, column in zip(("", *_limbs(capture)), keep_long(closed, frames).T, strict=True)
        for first, end in zip(*runs(column), strict=True)
    ]
    return sorted(found)


def limbs_off_picture(capture: Capture) -> dict[str, float | None]:
    """Mean distance of each limb from where it was seen, as a share of the person's height; None: never."""
    off = joints_off_picture(capture)
    means = {limb: off[:, of] for limb, of in _limbs(capture).items()}
    return {limb: float(np.nanmean(one)) if np.isfinite(one).any() else None for limb, one in means.items()}
