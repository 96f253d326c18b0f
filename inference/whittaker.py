"""Whittaker-Henderson smoothing (Eilers 2003, "A perfect smoother"): the least bent curve near given values.

Weights say how near, frame by frame, so the same thing smooths, bridges gaps (weight 0) and pins (a large
weight).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_INSIDE = 62  # frames of a block between two pairs of frames that separate it from its neighbours
_BLOCK = _INSIDE + 2


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

    Blocks of frames between pairs of separating frames are solved all at once; what is left is a small dense
    system of the separators.

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
    blocks = -(-frames // _BLOCK)
    # frames beyond the end have equations of their own, x = 0, and touch no other
    size = blocks * _BLOCK
    d, f, s = np.ones(size), np.zeros(size), np.zeros(size)
    d[:frames] = diagonal
    f[: frames - 1] = first[:-1]
    s[: max(frames - 2, 0)] = second[: max(frames - 2, 0)]
    d, f, s = (x.reshape(blocks, _BLOCK) for x in (d, f, s))
    right = np.concatenate([right, np.zeros((size - frames, channels))]).reshape(blocks, _BLOCK, channels)
    k = np.arange(_INSIDE)
    inside = np.zeros((blocks, _INSIDE, _INSIDE))
    inside[:, k, k] = d[:, :_INSIDE]
    inside[:, k[:-1], k[1:]] = inside[:, k[1:], k[:-1]] = f[:, : _INSIDE - 1]
    inside[:, k[:-2], k[2:]] = inside[:, k[2:], k[:-2]] = s[:, : _INSIDE - 2]
    # columns: the two separators before the block, the two after it
    border = np.zeros((blocks, _INSIDE, 4))
    border[1:, 0, 0], border[1:, 0, 1], border[1:, 1, 1] = s[:-1, -2], f[:-1, -1], s[:-1, -1]
    border[:, -2, 2], border[:, -1, 2], border[:, -1, 3] = s[:, -4], f[:, -3], s[:, -3]
    solved = np.linalg.solve(inside, np.concatenate([border, right[:, :_INSIDE]], -1))
    through, given = solved[..., :4], solved[..., 4:]

    pull = np.swapaxes(border, 1, 2) @ through  # (blocks, 4, 4): what a block's frames do to its separators
    push = np.swapaxes(border, 1, 2) @ given
    count = 2 * blocks
    matrix, vector = np.zeros((blocks, 2, blocks, 2)), right[:, _INSIDE:].copy()
    b = np.arange(blocks)
    matrix[b, 0, b, 0], matrix[b, 1, b, 1] = d[:, -2], d[:, -1]
    matrix[b, 0, b, 1] = matrix[b, 1, b, 0] = f[:, -2]
    matrix[b, :, b] -= pull[:, 2:, 2:]
    vector -= push[:, 2:]
    matrix[b[:-1], :, b[:-1]] -= pull[1:, :2, :2]
    matrix[b[:-1], :, b[1:]] -= pull[1:, :2, 2:]
    matrix[b[1:], :, b[:-1]] -= pull[1:, 2:, :2]
    vector[:-1] -= push[1:, :2]
    separators = np.linalg.solve(matrix.reshape(count, count), vector.reshape(count, channels))
    separators = separators.reshape(blocks, 2, channels)
    around = np.concatenate([np.roll(separators, 1, axis=0), separators], axis=1)
    interior = given - through @ around
    return np.asarray(np.concatenate([interior, separators], axis=1).reshape(size, channels)[:frames])
