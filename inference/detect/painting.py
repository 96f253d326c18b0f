"""People painted out of a picture, so that somebody whom they hold or half hide is to be found in it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ...core.arrays import Array, Image
from ...core.landmarks import LANDMARK, TORSO
from .people import torso

#: how thick limbs and the edge of the trunk are painted, and the radius of a head, in torso sizes
_THICK, _HEAD = 0.35, 0.45
#: what lies behind is guessed in a picture so small that a torso has this many pixels
_SMALL = 14.0
_BONES = [
    (LANDMARK[f"{a}.{side}"], LANDMARK[f"{b}.{side}"])
    for a, b in (
        ("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"),
        ("ankle", "foot_index"),
    )
    for side in "LR"
]  # fmt: skip
_FACE = [LANDMARK["nose"], LANDMARK["ear.L"], LANDMARK["ear.R"]]


def painted_out(image: Image, people: Sequence[Array]) -> Image:
    """An RGB picture without people, of landmarks (33, 2+) in it: what is around them goes on behind them."""
    mask = np.zeros(image.shape[:2], np.uint8)
    largest = 1.0
    for landmarks in people:
        size = float(torso(landmarks)[1])
        largest = max(largest, size)
        thick = max(round(_THICK * size), 1)
        points = landmarks[:, :2].round().astype(int)
        trunk = cv2.convexHull(points[list(TORSO)].astype(np.int32))
        cv2.fillConvexPoly(mask, trunk, (255,))
        cv2.polylines(mask, [trunk], True, (255,), thick)
        for a, b in _BONES:
            cv2.line(mask, points[a].tolist(), points[b].tolist(), (255,), thick)
        middle = points[_FACE].mean(0).astype(int)
        cv2.circle(mask, middle.tolist(), max(round(_HEAD * size), 1), (255,), -1)
    scale = min(_SMALL / largest, 1.0)
    size_of_small = tuple(max(round(scale * side), 1) for side in image.shape[1::-1])
    small, hidden = (cv2.resize(one, size_of_small, interpolation=cv2.INTER_AREA) for one in (image, mask))
    hidden = cv2.dilate((hidden > 0).astype(np.uint8), np.ones((3, 3), np.uint8))
    behind = cv2.resize(cv2.inpaint(small, hidden, 3, cv2.INPAINT_TELEA), image.shape[1::-1])
    return np.where(mask[..., None] > 0, behind, image)
