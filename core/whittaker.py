"""Whittaker-Henderson smoothing (Eilers 2003, "A perfect smoother"): the least bent curve near given values.

Weights say how near, frame by frame, so the same thing smooths, bridges gaps (weight 0) and pins (a large
weight).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def whittaker(values: npt.NDArray[Any], weight: npt.NDArray[Any], stiffness: float) -> Array:
    """Minimise ``sum w |x - v|^2 + stiffness * sum |second difference of x|^2``, exactly.

    Parameters
    ----------
    values : (T, C)
    weight : (T,)
        Not all 0 (at least two frames, unless T is 1).
    stiffness : float
        A wave of period ``p`` frames keeps half its height where ``stiffness = (p / (2 pi)) ** 4`` and the
        weight is 1.

    Returns
    -------
    (T, C)
    """
    bend = np.zeros(len(values))  # of the second difference around frame t
    bend[1:-1] = stiffness
    before, after = np.append(0.0, bend[:-1]), np.append(bend[1:], 0.0)
    return solve_banded(
        weight + 4 * bend + before + after, -2 * (bend + after), after, weight[:, None] * values
    )


def solve_banded(diagonal: Array, first: Array, second: Array, right: Array) -> Array:
    """Solve symmetric positive definite equations in which each frame knows two frames to either side.

    Parameters
    ----------
    diagonal, first, second : (T,)
        Of the matrix: entries (t, t), (t, t + 1) and (t, t + 2); what would lie beyond its edge is ignored.
    right : (T, C)

    Returns
    -------
    (T, C)
    """
    frames, channels = right.shape
    # by pairs of frames; a frame too many has an equation of its own, x = 0
    odd = frames % 2
    own, one, two = np.zeros((3, frames + odd))
    own[:frames], own[frames:] = diagonal, 1.0
    one[: frames - 1], two[: max(frames - 2, 0)] = first[:-1], second[: max(frames - 2, 0)]
    pairs, links = np.zeros((2, (frames + odd) // 2, 2, 2))
    pairs[:, 0, 0], pairs[:, 1, 1] = own[::2], own[1::2]
    pairs[:, 0, 1] = pairs[:, 1, 0] = one[::2]
    links[:, 0, 0], links[:, 1, 1] = two[::2], two[1::2]
    links[:, 1, 0] = one[1::2]
    right = np.append(right, np.zeros((odd, channels)), axis=0)
    return solve_blocks(pairs, links[:-1], right.reshape(-1, 2, channels)).reshape(-1, channels)[:frames]


def solve_blocks(own: Array, link: Array, right: Array) -> Array:
    """Solve symmetric positive definite equations in which each block knows the one before and the next.

    Cyclic reduction (Golub and Van Loan, "Matrix Computations", 3rd edition, 4.5.4): every other block is
    eliminated, all at once, until one is left. Nothing here calls LAPACK: where other programs use the
    processor, its threads wait for each other far longer than such small matrices take.

    Parameters
    ----------
    own : (B, K, K)
        On the diagonal.
    link : (B - 1, K, K)
        Right of the diagonal.
    right : (B, K, C)

    Returns
    -------
    (B, K, C)
    """
    if len(own) == 1:
        return inverse(own) @ right
    middle, to_odd, from_odd = inverse(own[1::2]), link[::2], link[1::2]
    before, after = len(to_odd), len(from_odd)
    forth = to_odd @ middle
    back = np.swapaxes(from_odd, 1, 2) @ middle[:after]
    even, even_right = own[::2].copy(), right[::2].copy()
    even[:before] -= forth @ np.swapaxes(to_odd, 1, 2)
    even[1:] -= back @ from_odd
    even_right[:before] -= forth @ right[1::2]
    even_right[1:] -= back @ right[1::2][:after]
    out = np.empty_like(right)
    out[::2] = solve_blocks(even, -forth[:after] @ from_odd, even_right)
    rest = right[1::2] - np.swapaxes(to_odd, 1, 2) @ out[::2][:before]
    rest[:after] -= from_odd @ out[2::2]
    out[1::2] = middle @ rest
    return out


def inverse(m: Array) -> Array:
    """Of symmetric positive definite matrices (B, K, K): Gauss-Jordan, which needs no pivots for such."""
    out = np.moveaxis(m, 0, -1).copy()
    for k in range(len(out)):
        row, column = out[k] / out[k, k], out[:, k].copy()
        row[k], column[k] = 1 / out[k, k], 0
        out[k] = out[:, k] = 0
        out -= column[:, None] * row
        out[k] = row
    return np.moveaxis(out, -1, 0)
