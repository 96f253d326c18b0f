"""The quality of a capture, as far as the capture itself can tell."""

from __future__ import annotations

import numpy as np

from .arrays import Bools, Indices
from .capture import Capture
from .contacts import runs
from .options import UPPER
from .skeleton import INDEX

#: what is known of a frame, from the best to the worst: the person was found; but limbs are guessed, which
#: nobody saw; or which side is the left is uncertain; or the person wasn't found, and the motion is bridged
STATES = ("found", "guessed_limbs", "unsure_sides", "bridged")
#: the joints of each limb; it is guessed where none of them was seen
_LIMBS = (
    ("head",),
    *((f"{a}.{s}", f"{b}.{s}") for a, b in (("forearm", "hand"), ("shin", "foot")) for s in "LR"),
)

#: frames with a lower mean confidence of the joints are unsure
_UNSURE = 0.5
#: unsure stretches shorter than this aren't reported, and stretches nearer than this are one, seconds
_WORTH = 0.1


def detected_share(capture: Capture) -> float:
    """Share of the frames in which the person was detected; bridged gaps don't count."""
    return float(_found(capture).mean())


def _found(capture: Capture) -> Bools:
    return np.asarray(np.isfinite(capture.landmarks[..., :2]).all(axis=(1, 2)))


def states(capture: Capture) -> Indices:
    """Which of `STATES` (T,) each frame is in: the worst.

    Legs that nobody asked for, in a capture of the upper body, aren't guessed.
    """
    upper = capture.settings.get("body") == UPPER
    limbs = [limb for limb in _LIMBS if not (upper and limb[0].startswith("shin"))]
    seen = [capture.confidence[:, [INDEX[name] for name in limb]].max(axis=1) for limb in limbs]
    sides = np.zeros(len(capture), bool)
    for first, last in capture.unsure_sides:
        sides[first : last + 1] = True
    out = np.where(np.min(seen, axis=0) == 0, STATES.index("guessed_limbs"), STATES.index("found"))
    out[sides] = STATES.index("unsure_sides")
    out[~_found(capture)] = STATES.index("bridged")
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


def unsure_stretches(capture: Capture) -> list[tuple[int, int]]:
    """First and last frame of the stretches in which little of the person was seen."""
    fps = capture.motion.fps
    stretches: list[tuple[int, int]] = []
    for first, end in zip(*runs(capture.confidence.mean(axis=1) < _UNSURE), strict=True):
        if stretches and first - stretches[-1][1] - 1 < _WORTH * fps:
            stretches[-1] = stretches[-1][0], int(end) - 1
        else:
            stretches.append((int(first), int(end) - 1))
    return [(first, last) for first, last in stretches if last - first + 1 >= _WORTH * fps]
