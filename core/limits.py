"""Trunks and necks don't wring: what no body does is not believed, of a lifter or of a solver."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .rotations import matrix_from_vector, rotation_vector
from .skeleton import INDEX

Array = npt.NDArray[np.float64]

#: (lower, between, upper, how far the upper one turns against the lower one at most, radians); of the mocap's
#: frames fewer than one in a thousand go farther
_SPANS = (("hips", "spine", "chest", np.radians(80.0)), ("chest", "neck", "head", np.radians(85.0)))
#: a bone between two others stays near the middle of their turn: so far off it is believed, and from there on
#: less and less until not at all, radians
_BELIEVED, _NONSENSE = np.radians(40.0), np.radians(90.0)


def limit_spine_twist(rotations: npt.NDArray[Any]) -> Array:
    """World rotations (T, J, 3, 3) with spine, chest, neck and head within what bodies do."""
    out = np.array(rotations, np.float64)
    for lower, between, upper, most in _SPANS:
        base, middle, end = (out[:, INDEX[name]] for name in (lower, between, upper))
        turn = rotation_vector(np.swapaxes(base, -1, -2) @ end)
        angle = np.linalg.norm(turn, axis=-1, keepdims=True)
        turn = turn * np.minimum(1.0, most / np.maximum(angle, 1e-9))
        far = angle[:, 0] > most
        out[far, INDEX[upper]] = (base @ matrix_from_vector(turn))[far]
        half = base @ matrix_from_vector(turn / 2)
        off = rotation_vector(np.swapaxes(half, -1, -2) @ middle)
        angle = np.linalg.norm(off, axis=-1, keepdims=True)
        kept = np.clip((_NONSENSE - angle) / (_NONSENSE - _BELIEVED), 0, 1)
        strange = angle[:, 0] > _BELIEVED
        out[strange, INDEX[between]] = (half @ matrix_from_vector(off * kept))[strange]
    return out
