"""Least squares over time in which each frame is tied to two frames on either side, as smoothness ties them.

The normal equations of such a problem are a symmetric positive definite matrix of blocks, one for each frame,
with two blocks on either side of the diagonal. Whittaker's smoothing and the planting of feet end here. The
solver's blocks are larger: see `inference.solve.equations`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import Array, Floats


def whittaker(values: Array, weight: Array, stiffness: float) -> Floats:
    """Smooth: minimise ``sum w |x - v|^2 + stiffness * sum |second difference of x|^2``, exactly.

    Whittaker-Henderson smoothing (Eilers 2003, "A perfect smoother"). Weights say how near each frame stays,
    so the same thing smooths, bridges gaps (weight 0) and pins (a large weight).

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
    here, ahead, after = second_difference_bands(np.full(len(values), float(stiffness)))
    here, ahead, after = (band[:, None, None] for band in (weight + here, ahead, after))
    return solve_banded(here, ahead, after, weight[:, None, None] * values[:, None])[:, 0]


def second_difference_bands(weight: Any) -> tuple[Any, Any, Any]:
    """Bands of the matrix of ``sum w |second difference around t|^2``; the first and last frame have none.

    Parameters
    ----------
    weight : (T, ...)
        An array of numpy or of torch.

    Returns
    -------
    here, ahead, after : (T, ...)
        Entries (t, t), (t, t + 1) and (t, t + 2).
    """
    bend = 1 * weight
    bend[:1] = bend[-1:] = 0
    of_previous, of_next = 0 * bend, 0 * bend
    of_previous[1:], of_next[:-1] = bend[:-1], bend[1:]
    return 4 * bend + of_previous + of_next, -2 * (bend + of_next), of_next


def banded_product(bands: tuple[Any, Any, Any], x: Any) -> Any:
    """The symmetric matrix of some bands (T, C) times x (T, C, ...), arrays of numpy or of torch."""
    out = 0 * x
    for step, band in enumerate(bands):
        count = max(len(x) - step, 0)
        factor = band[:count].reshape((count, *band.shape[1:], *[1] * (x.ndim - band.ndim)))
        out[:count] += factor * x[step:]
        if step:
            out[step:] += factor * x[:count]
    return out


def solve_banded(here: Floats, ahead: Floats, after: Floats, right: Floats) -> Floats:
    """Solve equations in which each frame is tied to two frames on either side.

    Parameters
    ----------
    here, ahead, after : (T, K, K)
        Blocks (t, t), (t, t + 1) and (t, t + 2) of the matrix; those beyond its edge are ignored.
    right : (T, K, C)

    Returns
    -------
    (T, K, C)
    """
    frames, size, channels = right.shape
    # two frames a block, so that each block is tied to its neighbours alone; a frame too many is x = 0
    count = (frames + 1) // 2
    own, link = np.zeros((2, count, 2 * size, 2 * size))
    first, second = slice(0, size), slice(size, None)
    own[:, first, first], own[-1, second, second] = here[::2], np.eye(size)
    own[: frames // 2, second, second] = here[1::2]
    own[: frames // 2, first, second] = ahead[: frames - 1 : 2]
    own[:, second, first] = np.swapaxes(own[:, first, second], 1, 2)
    # of frame t to t + 2, and of the second frame of a block to the first of the next
    link[: count - 1, first, first] = after[: frames - 2 : 2] if frames > 2 else 0
    link[: (frames - 1) // 2, second, first] = ahead[1 : frames - 1 : 2]
    link[: (frames - 2) // 2, second, second] = after[1 : frames - 2 : 2]
    right = np.append(right, np.zeros((frames % 2, size, channels)), axis=0)
    solved = solve_blocks(own, link[:-1], right.reshape(-1, 2 * size, channels))
    return solved.reshape(-1, size, channels)[:frames]


def solve_blocks(own: Floats, link: Floats, right: Floats) -> Floats:
    """Solve equations in which each block is tied to its neighbours.

    Cyclic reduction (Golub and Van Loan, "Matrix Computations", 3rd edition, 4.5.4): every other block is
    eliminated, all at once, until one is left. Nothing here calls LAPACK.

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


def inverse(m: Floats) -> Floats:
    """Of symmetric positive definite matrices (B, K, K): Gauss-Jordan, which needs no pivots for such."""
    out = np.moveaxis(m, 0, -1).copy()
    for k in range(len(out)):
        row, column = out[k] / out[k, k], out[:, k].copy()
        row[k], column[k] = 1 / out[k, k], 0
        out[k] = out[:, k] = 0
        out -= column[:, None] * row
        out[k] = row
    return np.moveaxis(out, -1, 0)
