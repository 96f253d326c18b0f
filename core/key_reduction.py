"""As few keys as keep curves within a tolerance of what they were.

Between two keys the curves are cubic polynomials (Hermite), whose slopes at the keys are those that the
motion has there. So what lies between two keys depends on nothing else, and where it is too far off, a key is
added in the frame that is farthest off (Ramer 1972, Douglas and Peucker 1973).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from .arrays import Bools, Floats, Indices


def slopes_of(values: Floats, cuts: Sequence[int] = ()) -> Floats:
    """Slopes per frame (N, C) of curves (N, C) with a value in every frame; shots are kept apart."""
    out = np.zeros_like(values)
    for first, end in pairwise([0, *cuts, len(values)]):
        if end - first > 1:
            out[first:end] = np.gradient(values[first:end], axis=0)
    return out


def cubic(values: Floats, slopes: Floats, keys: Indices) -> Floats:
    """What curves (N, C) become with keys only in the frames `keys`, the first and the last among them."""
    at = np.arange(len(values))
    after = np.searchsorted(keys, at)
    right = keys[after]
    left = np.where(right == at, right, keys[after - 1])
    span = np.maximum(right - left, 1)[:, None]
    t = (at - left)[:, None] / span
    bend = (1 - t) * slopes[left] - t * slopes[right]
    return np.asarray(
        values[left] + t * t * (3 - 2 * t) * (values[right] - values[left]) + span * t * (1 - t) * bend
    )


def with_needed_keys(values: Floats, slopes: Floats, off: Callable[[Floats], Floats], keys: Bools) -> Bools:
    """The keys without which curves would be too far off.

    Parameters
    ----------
    values, slopes : (N, C)
        Of curves that are keyed together.
    off : callable
        How far off others (N, C) in their place are in each frame (N,), in shares of what is tolerated.
    keys : (N,) bool
        Frames that have keys anyway, the first and the last among them.

    Returns
    -------
    (N,) bool
        Frames with keys: in no frame anything is farther off than is tolerated.
    """
    keys = keys.copy()
    while True:
        apart = np.where(keys, 0.0, off(cubic(values, slopes, np.flatnonzero(keys))))
        worst = farthest(apart, np.cumsum(keys))
        if not len(worst):
            return keys
        keys[worst] = True


def farthest(apart: Floats, stretch: Indices) -> Indices:
    """In each stretch of frames the one that is farthest off, if that is more than 1.

    Parameters
    ----------
    apart : (N,)
        In shares of what is tolerated.
    stretch : (N,) int
        The number of each frame's stretch.
    """
    over = np.flatnonzero(apart > 1)
    over = over[np.lexsort((-apart[over], stretch[over]))]
    _, first = np.unique(stretch[over], return_index=True)
    return np.asarray(over[first])
