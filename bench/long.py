"""Captures as long as one likes, made from short ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from kinelift.core.capture import Capture


def repeated(capture: Capture, frames: int) -> Capture:
    """A capture forwards and backwards in turn, for some frames."""
    there = np.arange(len(capture))
    order = np.resize(np.concatenate([there, there[::-1]]), frames)

    def of(one: Any, *names: str) -> dict[str, Any]:
        return {name: getattr(one, name)[order] for name in names}

    return replace(
        capture,
        motion=replace(capture.motion, **of(capture.motion, "rotations", "root", "contacts")),
        others=capture.others[:, order] if len(capture.others) else capture.others,
        **of(capture, "confidence", "landmarks", "world_landmarks", "spread", "presence", "turn_spread"),
        **of(capture, "camera_turns", "camera_places", "camera_zooms"),
    )
