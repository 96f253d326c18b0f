"""Foot contacts that the artist can edit: a switch for each foot, animated on the armature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core.arrays import Bools, Floats
from ..core.contacts import CONTACT_THRESHOLD
from ..core.errors import CaptureError

#: custom properties of the armature object: 1 while the foot stands on something
CONTACT_PROPERTIES: dict[str, str] = {"L": "contact_foot.L", "R": "contact_foot.R"}
#: their F-curves by data path and index
CONTACT_CURVES: dict[str, tuple[str, int]] = {s: (f'["{p}"]', 0) for s, p in CONTACT_PROPERTIES.items()}


def read_contacts(curves: Mapping[tuple[str, int], Any], frames: Floats) -> Bools:
    """Which feet (T, 2) stand in each of `frames` (T,), by an action's curves.

    Raises
    ------
    CaptureError
        If a curve is missing.
    """
    missing = [
        CONTACT_PROPERTIES[side] for side, key in CONTACT_CURVES.items() if not _keyed(curves.get(key))
    ]
    if missing:
        raise CaptureError(
            f"There are no keys on {' and '.join(missing)}: key these custom properties of the armature "
            "object (1 while the foot stands, 0 while it doesn't)."
        )
    return np.stack(
        [
            [curves[key].evaluate(frame) >= CONTACT_THRESHOLD for frame in frames]
            for key in CONTACT_CURVES.values()
        ],
        axis=-1,
    )


def _keyed(curve: Any) -> bool:
    return curve is not None and len(curve.keyframe_points) > 0
