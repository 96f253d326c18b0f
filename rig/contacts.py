"""Foot contacts that the artist can edit: a switch for each foot, animated on the armature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core.arrays import Bools, Floats
from ..core.contacts import CONTACT_THRESHOLD, runs
from ..core.errors import CaptureError
from ..core.motion import CONTACT_POINTS, Motion

#: custom properties of the armature object: 1 while the foot stands on something
CONTACT_PROPERTIES: dict[str, str] = {"L": "contact_foot.L", "R": "contact_foot.R"}
#: their F-curves by data path and index
CONTACT_CURVES: dict[str, tuple[str, int]] = {s: (f'["{p}"]', 0) for s, p in CONTACT_PROPERTIES.items()}
#: a heel or ball higher than the other by more than this is in the air, metres
RAISED = 0.03


def feet(points: Bools) -> Bools:
    """Which feet (T, 2), left and right, stand on their heels or toes (T, 4)."""
    return np.asarray(points.reshape(len(points), 2, 2).any(axis=-1))


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


def heels_and_toes(standing: Bools, known: Bools, motion: Motion) -> Bools:
    """Contacts (T, 4) of `motion.CONTACT_POINTS` for feet that stand where the artist says.

    Parameters
    ----------
    standing : (T, 2)
        Which feet stand.
    known : (T, 4)
        Contacts of heels and toes before the artist edited them. They remain where the foot still stands, and
        the nearest ones hold where it stands longer. Where it didn't stand before, its pose decides.
    motion : Motion
    """
    out = np.zeros_like(known)
    heights = motion.sole_heights().reshape(-1, 2, 2)
    for side in range(len(CONTACT_POINTS) // 2):
        columns = slice(2 * side, 2 * side + 2)
        before = known[:, columns]
        for first, end in zip(*runs(standing[:, side]), strict=True):  # over contacts, not frames
            there = np.flatnonzero(before[first:end].any(axis=1)) + first
            if len(there):
                frames = np.arange(first, end)
                later = np.searchsorted(there, frames).clip(max=len(there) - 1)
                earlier = (later - 1).clip(min=0)
                nearer = frames - there[earlier] <= np.abs(there[later] - frames)
                nearest = there[np.where(nearer, earlier, later)]
                out[first:end, columns] = before[nearest]
            else:
                height = np.median(heights[first:end, side], axis=0)
                out[first:end, columns] = height <= height.min() + RAISED
    return out
