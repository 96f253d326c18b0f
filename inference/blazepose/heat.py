"""What BlazePose's heatmaps say: where a landmark is more exactly, and how far off it may be."""

from __future__ import annotations

import numpy as np

from ...core.arrays import Array, Floats
from ...core.landmarks import LANDMARKS

#: how many cells of a heatmap around a landmark refine it
_REFINING = 7
#: a heatmap whose largest value there is smaller doesn't
_SURE = 0.5
#: how many cells around a landmark say how far off it may be
_SPREADING = 15
#: heat that is less than this says nothing
_FAINT = 0.02
#: an even heat that is everywhere besides, so that an empty heatmap is as wide as can be
_EVEN = 1e-4
#: standard deviation of the error of each landmark, without its side, as a share of the picture's side, where
#: its heat is a cell wide. These and `POWER` are fitted by `bench.spread`
ERROR = {
    "nose": 0.0080, "eye_inner": 0.0076, "eye": 0.0074, "eye_outer": 0.0071, "ear": 0.0058, "mouth": 0.0073,
    "shoulder": 0.0090, "elbow": 0.0063, "wrist": 0.0058, "pinky": 0.0060, "index": 0.0069, "thumb": 0.0066,
    "hip": 0.0088, "knee": 0.0066, "ankle": 0.0053, "heel": 0.0064, "foot_index": 0.0051,
}  # fmt: skip
#: it goes with this power of how wide the heat is
POWER = 1.75
_ERRORS = np.array([ERROR[name.split(".")[0]] for name in LANDMARKS])


def refined(places: Array, heatmaps: Array) -> Floats:
    """Points (B, K, 2), shares of the picture, moved to the mean of the heatmaps (B, n, n, K) around them.

    Where a point isn't in the picture or its heatmap is empty there, it stays.
    """
    heat, columns, rows = _around(places, heatmaps, _REFINING)
    sums = np.maximum(heat.sum((-2, -1)), 1e-12)
    means = [(heat.sum(axis) * at).sum(-1) / sums for axis, at in ((-2, columns), (-1, rows))]
    inside = ((places * heatmaps.shape[1] > -1) & (places < 1)).all(-1)
    sure = inside & (heat.max((-2, -1)) >= _SURE)
    return np.where(sure[..., None], np.stack(means, -1), places)


def spreads(places: Array, heatmaps: Array) -> Floats:
    """Covariances (B, 33, 3) of the landmarks' errors: xx, xy, yy, shares of the picture squared.

    An error lies as the heat does about the landmark, but is small where the heat is narrow and grows faster
    than it widens: measured on detections whose truth is known.

    Parameters
    ----------
    places : (B, 33, 2)
        The landmarks, shares of the picture.
    heatmaps : (B, n, n, 33 or more)
        Logits.
    """
    n = heatmaps.shape[1]
    heat, columns, rows = _around(places, heatmaps, _SPREADING)
    heat = np.maximum(heat - _FAINT, 0) + _EVEN
    heat /= heat.sum((-2, -1), keepdims=True)
    x, y = n * (columns - places[..., :1]), n * (rows - places[..., 1:])  # cells
    xy = ((heat * x[..., None, :]).sum(-1) * y).sum(-1)
    covariance = np.stack([(heat.sum(-2) * x**2).sum(-1), xy, (heat.sum(-1) * y**2).sum(-1)], axis=-1)
    wide = covariance[..., [0, 2]].mean(-1)
    return np.asarray(covariance * (wide ** (POWER - 1) * _ERRORS**2)[..., None])


def _around(places: Array, heatmaps: Array, size: int) -> tuple[Floats, Floats, Floats]:
    """The heat (B, K, size, size), 0 to 1, around points (B, K, 2), 0 where there is no heatmap.

    Also the places of its columns and its rows (B, K, size), shares of the picture.
    """
    n = heatmaps.shape[1]
    cells = np.clip(np.trunc(places * n).astype(int), 0, n - 1)  # (B, K, 2): column, row
    beside = np.arange(size) - size // 2
    columns, rows = (cells[..., axis, None] + beside for axis in (0, 1))
    valid = ((rows >= 0) & (rows < n))[..., :, None] & ((columns >= 0) & (columns < n))[..., None, :]
    batch, point = np.ogrid[: len(places), : places.shape[1]]
    logits = heatmaps[
        batch[..., None, None], rows.clip(0, n - 1)[..., :, None], columns.clip(0, n - 1)[..., None, :],
        point[..., None, None],
    ]  # fmt: skip
    return np.where(valid, 1 / (1 + np.exp(-logits.astype(float))), 0), columns / n, rows / n
