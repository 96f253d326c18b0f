"""Filters that smooth joint positions, as a capture without a solver would; the solver has to beat them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

#: the One-Euro filter's lowest cutoff, Hz
_LEAST = 1.0
#: what a speed of 1 m/s adds to the cutoff, Hz
_PER_SPEED = 3.0
#: cutoff of the speed itself, Hz
_OF_SPEED = 1.0
#: cutoff of the low pass, Hz: usual in gait analysis (Winter 2009)
_CUTOFF = 6.0
#: divides a second-order Butterworth filter's cutoff, so that two passes together have it (Winter 2009)
_TWO_PASSES = (2**0.5 - 1) ** 0.25


def one_euro(points: npt.NDArray[Any], fps: float) -> Array:
    """The One-Euro filter (Casiez, Roussel and Vogel 2012): a causal low pass that opens with speed.

    Parameters
    ----------
    points : (T, J, 3), metres
    fps : float
    """
    out = np.array(points, dtype=float)
    speed = np.zeros(out.shape[1:])
    for t in range(1, len(out)):
        speed += _share(_OF_SPEED, fps) * ((points[t] - out[t - 1]) * fps - speed)
        cutoff = _LEAST + _PER_SPEED * np.linalg.norm(speed, axis=-1, keepdims=True)
        out[t] = out[t - 1] + _share(cutoff, fps) * (points[t] - out[t - 1])
    return out


def _share(cutoff: Any, fps: float) -> Any:
    """Weight of a new value in an exponential filter of that cutoff, Hz."""
    return 1 / (1 + fps / (2 * np.pi * cutoff))


def butterworth(points: npt.NDArray[Any], fps: float) -> Array:
    """A second-order Butterworth low pass, forwards and backwards, without delay (Winter 2009).

    Parameters as for `one_euro`.
    """
    warped = np.tan(np.pi * min(_CUTOFF / fps, 0.45)) / _TWO_PASSES
    a = warped**2 / (1 + 2**0.5 * warped + warped**2)
    b = 2 * a * (1 / warped**2 - 1)
    c = 1 - 4 * a - b
    # point reflection at the ends keeps their values
    beyond = min(len(points) - 1, int(fps))
    x = np.asarray(points, dtype=float)
    before, after = 2 * x[:1] - x[beyond:0:-1], 2 * x[-1:] - x[-2 : -beyond - 2 : -1]
    padded = np.concatenate([before, x, after])
    for _ in range(2):
        y = padded.copy()
        for t in range(2, len(y)):
            y[t] = a * (padded[t] + 2 * padded[t - 1] + padded[t - 2]) + b * y[t - 1] + c * y[t - 2]
        padded = y[::-1]
    return np.asarray(padded[beyond : beyond + len(x)])
