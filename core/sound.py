"""What the values of motions, cameras and captures have to be; whatever makes one of them is checked."""

from __future__ import annotations

import reprlib
from numbers import Real
from typing import NamedTuple

import numpy as np

from .arrays import Array
from .errors import UnsoundError, is_unreadable

#: limits of places, metres: nobody is filmed from farther away
METRES = (-1e5, 1e5)
#: limits of a probability
SHARE = (0.0, 1.0)
#: how far values may be off by rounding
ROUNDING = 1e-3


class Part(NamedTuple):
    """What an array of a motion or a capture has to be.

    Attributes
    ----------
    shape : tuple of int
    limits : (float, float)
        The smallest and the largest value; of the last axis there may be a pair for each.
    gaps : bool
        Whether values may be NaN.
    """

    shape: tuple[int, ...]
    limits: tuple[float, float] | tuple[tuple[float, float], ...]
    gaps: bool = False


def checked(owner: object, parts: dict[str, Part]) -> None:
    """Check the named fields of a frozen dataclass, and make them float32 arrays.

    Raises
    ------
    UnsoundError
        If one isn't what `parts` says.
    """
    for name, part in parts.items():
        value = np.asarray(getattr(owner, name))
        if value.shape != part.shape:
            raise UnsoundError(f"the shape of its {name} is {value.shape} instead of {part.shape}")
        pairs = np.reshape(part.limits, (-1, 2))
        columns = [value] if len(pairs) == 1 else np.moveaxis(value, -1, 0)
        for column, (least, most) in zip(columns, pairs, strict=True):
            if not _is_within(column, least, most, part.gaps):
                raise UnsoundError(f"values of its {name} aren't numbers from {least:g} to {most:g}")
        kind = np.float64 if name == "rotations" else np.float32
        object.__setattr__(owner, name, np.asarray(value, dtype=kind))


def _is_within(values: Array, least: float, most: float, gaps: bool) -> bool:
    if values.size == 0:
        return True
    # a NaN becomes the minimum of `min`, and only of nothing but NaN that of `fmin`
    low, high = (np.fmin.reduce, np.fmax.reduce) if gaps else (np.min, np.max)
    ends = low(values, axis=None), high(values, axis=None)
    nobody = gaps and bool(np.isnan(ends[0]))
    return nobody or bool(ends[0] >= least - ROUNDING and ends[1] <= most + ROUNDING)


def check_number(what: str, value: object, limits: tuple[float, float], kind: type = Real) -> None:
    """Refuse a value that isn't a number of a kind, `Real` or `Integral`, within limits.

    Raises
    ------
    UnsoundError
        With a phrase about `what`.
    """
    is_number = isinstance(value, kind) and not isinstance(value, bool)
    if not (is_number and limits[0] <= value <= limits[1]):  # type: ignore[operator]
        raise UnsoundError(f"its {what} is {reprlib.repr(value)}")


def is_text(value: object, longest: int) -> bool:
    """Whether something is a text of at most `longest` characters, in one line, that can be shown."""
    if not isinstance(value, str) or len(value) > longest:
        return False
    return not any(map(is_unreadable, value))
