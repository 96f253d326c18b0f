"""Types of arrays, and the same mathematics on numpy arrays (Blender has no torch) and on torch tensors."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

#: an array of numbers of any kind
Array = npt.NDArray[Any]
#: an array of double precision
Floats = npt.NDArray[np.float64]
#: a picture, RGB (h, w, 3) or grey (h, w), 0 to 255
Image = npt.NDArray[np.uint8]
#: an array of true and false
Bools = npt.NDArray[np.bool_]
#: an array of numbers of rows, bones, frames
Indices = npt.NDArray[np.intp]


def library(x: Any) -> Any:
    """The module (numpy or torch) that the array `x` belongs to; only names that both have are used on it."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and isinstance(x, torch.Tensor) else np
