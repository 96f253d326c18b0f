"""The same mathematics on numpy arrays (Blender's has no torch) and on torch tensors (with gradients)."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np


def library(x: Any) -> Any:
    """The module (numpy or torch) that the array `x` belongs to; only names that both have are used on it."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and isinstance(x, torch.Tensor) else np
