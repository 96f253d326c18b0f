"""How good a captured motion is, as far as the capture itself can tell."""

from __future__ import annotations

import numpy as np

from .motion import Motion

#: frames whose joints were seen worse than this on the average are unsure, ...
_UNSURE = 0.5
#: ... which is worth telling from this length on, and counted as one where less than that lies between, s
_WORTH = 0.1


def detected_share(motion: Motion) -> float:
    """Share of the frames in which the person was detected; bridged gaps don't count."""
    return float(np.isfinite(motion.landmarks[..., :2]).all(axis=(1, 2)).mean())


def unsure_stretches(motion: Motion) -> list[tuple[int, int]]:
    """First and last frame of the stretches in which little of the person was seen."""
    unsure = motion.confidence.mean(axis=1) < _UNSURE
    edges = np.flatnonzero(np.diff(np.concatenate([[0], unsure.astype(int), [0]])))
    stretches: list[tuple[int, int]] = []
    for first, end in edges.reshape(-1, 2):
        if stretches and first - stretches[-1][1] - 1 < _WORTH * motion.fps:
            stretches[-1] = stretches[-1][0], int(end) - 1
        else:
            stretches.append((int(first), int(end) - 1))
    return [(first, last) for first, last in stretches if last - first + 1 >= _WORTH * motion.fps]
