"""The quality of a capture, as far as the capture itself can tell."""

from __future__ import annotations

import numpy as np

from .capture import Capture
from .contacts import runs

#: frames with a lower mean confidence of the joints are unsure
_UNSURE = 0.5
#: unsure stretches shorter than this aren't reported, and stretches nearer than this are one, seconds
_WORTH = 0.1


def detected_share(capture: Capture) -> float:
    """Share of the frames in which the person was detected; bridged gaps don't count."""
    return float(np.isfinite(capture.landmarks[..., :2]).all(axis=(1, 2)).mean())


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
