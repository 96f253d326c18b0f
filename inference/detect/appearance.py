"""The appearance of a person: the colours of shirt and trousers."""

from __future__ import annotations

import cv2
import numpy as np

from ...core.arrays import Array, Floats, Image
from ...core.landmarks import LANDMARK

#: bins of a histogram for pixels that are coloured, by hue
_HUES = 8
#: bins of a histogram for pixels that are not, by brightness
_GREYS = 3


def appearance(image: Image, landmarks: Array) -> Array:
    """`Person.appearance` (22,) in an RGB picture; the `landmarks` (33, 2) are shares of its size."""
    points = landmarks
    garments = []
    for upper, lower in (("shoulder", "hip"), ("hip", "knee")):
        a, b, c, d = (points[LANDMARK[f"{name}.{side}"]] for name in (upper, lower) for side in "LR")
        down, across = _GRID
        grid = (1 - down) * ((1 - across) * a + across * b) + down * ((1 - across) * c + across * d)
        grid = grid[((grid >= 0) & (grid < 1)).all(1)]
        x, y = (grid * (image.shape[1], image.shape[0])).astype(int).T
        garments.append(_colours(image[y, x]))
    seen = np.sqrt(np.concatenate(garments))
    return (seen / max(float(np.linalg.norm(seen)), 1e-6)).astype(np.float32)


#: likeness of two appearances of which one is unknown; of one person's two are usually more alike
ALIKE = 0.8


def alike(a: Array, b: Array) -> float:
    """Likeness of two appearances, 0 to 1, by the garments that are seen in both; `ALIKE` if none is."""
    a, b = a.reshape(2, -1), b.reshape(2, -1)
    both = a.any(1) & b.any(1)
    if not both.any():
        return ALIKE
    a, b = a[both], b[both]
    return float((a * b).sum() / (np.linalg.norm(a) * np.linalg.norm(b)))


#: where a garment's colours are sampled: a grid inside its quadrangle, away from the edges
_GRID = tuple(
    axis.reshape(-1, 1) for axis in np.meshgrid(np.linspace(0.1, 0.9, 14), np.linspace(0.2, 0.8, 10))
)


def _colours(rgb: Image) -> Floats:
    """Histogram (11,) of RGB pixels (N, 3): of hues as far as they are coloured, of greys otherwise."""
    if not len(rgb):
        return np.zeros(_HUES + _GREYS)
    hue, saturation, value = cv2.cvtColor(rgb[None], cv2.COLOR_RGB2HSV)[0].T.astype(float)
    coloured = saturation / 255 * np.minimum(value / 64, 1)
    # each pixel goes to the two nearest bins, so that a slight change of shade changes little
    at, share = np.divmod(hue * _HUES / 180, 1)
    hues = np.bincount(at.astype(int), coloured * (1 - share), _HUES)
    hues += np.bincount((at.astype(int) + 1) % _HUES, coloured * share, _HUES)
    at, share = np.divmod(value * (_GREYS - 1) / 256, 1)
    greys = np.bincount(at.astype(int), (1 - coloured) * (1 - share), _GREYS)
    greys += np.bincount(at.astype(int) + 1, (1 - coloured) * share, _GREYS)
    return np.concatenate([hues, greys]) / len(rgb)
