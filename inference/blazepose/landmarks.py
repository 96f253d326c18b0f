"""BlazePose's second network: the landmarks of the person in a part of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from ...core.arrays import Array, Floats, Image
from ...core.landmarks import LANDMARKS, MIRRORED
from .region import Region, around
from .runner import runner_of
from .task import landmark_network
from .tflite import read

#: side of the picture that the network takes, pixels
SIZE = 256
#: points that the network knows: `LANDMARKS`, the two that `around` takes, and four that nobody uses
POINTS = 39
#: how many cells of a heatmap around a landmark refine it
_WINDOW = 7
#: a heatmap whose largest value there is smaller doesn't
_REFINING = 0.5
#: the point that each of the network's points becomes in a mirror
_MIRRORED = [*MIRRORED, *range(len(LANDMARKS), POINTS)]


@dataclass(frozen=True)
class Pose:
    """The landmarks of a person in a picture.

    Attributes
    ----------
    landmarks : (33, 5)
        x, y in pixels of the picture, z on the same scale, visibility and presence, 0 to 1.
    world : (33, 3)
        Metres, from the middle of the hips, in camera axes.
    score : float
        Whether there is a person, 0 to 1. MediaPipe takes no less than 0.5.
    around : Region
        Where the person is: the region to look at in the next picture.
    """

    landmarks: Floats
    world: Floats
    score: float
    around: Region


class PoseFinder:
    """Finds the landmarks of a person.

    Parameters
    ----------
    task : Path
        `task.FULL` or `task.HEAVY`.
    device : torch.device
    looks : int
        2: test-time augmentation, which looks at each region and at its mirror image and takes the mean.

    Raises
    ------
    CaptureError
        If the file of the network is missing or altered, or MediaPipe can't run here.
    """

    def __init__(self, task: Path, device: torch.device, looks: int = 1) -> None:
        data = landmark_network(task)
        graph = read(data)
        points, score, _, heatmaps, world = graph.outputs  # the mask is a third of the full network's work
        wanted = [points, score, heatmaps, world]
        self._runner = runner_of(data, graph, wanted, device, 1 / 255, 0.0)
        self._looks = looks

    def poses(self, image: Image, regions: Sequence[Region]) -> list[Pose]:
        """The pose in each of some regions of an RGB picture, whether somebody is there or not."""
        if self._looks > 1:
            return self._seen(image, regions, (False, True))
        return self._seen(image, regions, (False,))

    def mirrored(self, image: Image, regions: Sequence[Region]) -> list[Pose]:
        """The same as the network sees it in a mirror: about the same if somebody is there."""
        return self._seen(image, regions, (True,))

    def _seen(self, image: Image, regions: Sequence[Region], looks: tuple[bool, ...]) -> list[Pose]:
        """The mean of some looks at each region, in a mirror or not."""
        if not regions:
            return []
        cuts = [region.cut(image, SIZE, cv2.BORDER_REPLICATE) for region in regions]
        points, score, heatmaps, world = self._runner.run(
            [cut[:, ::-1] if mirror else cut for mirror in looks for cut in cuts]
        )
        points, world = points.reshape(-1, POINTS, 5), world.reshape(-1, POINTS, 3)
        points[..., :2] = SIZE * _refined(points[..., :2] / SIZE, heatmaps)
        points, world, score = (
            x.reshape(len(looks), len(cuts), *x.shape[1:]) for x in (points, world, score)
        )
        for i in np.flatnonzero(looks):
            points[i] = points[i][:, _MIRRORED] * _FLIP + _FLIPPED
            world[i] = world[i][:, _MIRRORED] * _FLIP[:3]
        means = zip(points.mean(0), world.mean(0), score.mean((0, 2)).tolist(), strict=True)
        return [_pose(region, *one) for region, one in zip(regions, means, strict=True)]

    def close(self) -> None:
        """Release the network. Must be called."""
        self._runner.close()


#: what a mirror does to a point of the network: x becomes SIZE - x
_FLIP = np.array([-1.0, 1, 1, 1, 1], np.float32)
_FLIPPED = np.array([SIZE, 0, 0, 0, 0], np.float32)


def _pose(region: Region, points: Array, world: Array, score: float) -> Pose:
    placed = region.place(points[:, :2] / SIZE)
    sure = 1 / (1 + np.exp(-points[:, 3:].astype(float)))
    landmarks = np.column_stack([placed, points[:, 2] * region.side / SIZE, sure])
    count = len(LANDMARKS)
    return Pose(landmarks[:count], region.rotated(world[:count]), score, around(*placed[count : count + 2]))


def _refined(places: Array, heatmaps: Array) -> Floats:
    """Points (B, K, 2), shares of the picture, moved to the mean of the heatmaps (B, n, n, K) around them.

    Where a point isn't in the picture or its heatmap is empty there, it stays.
    """
    half, n = _WINDOW // 2, heatmaps.shape[1]
    cells = np.trunc(places * n).astype(int)  # (B, K, 2): column, row
    inside = (cells >= 0).all(-1) & (cells < n).all(-1)
    beside = np.arange(-half, half + 1)
    columns, rows = (np.clip(cells[..., axis, None], 0, n - 1) + beside for axis in (0, 1))
    valid = ((rows >= 0) & (rows < n))[..., :, None] & ((columns >= 0) & (columns < n))[..., None, :]
    batch, point = np.ogrid[: len(places), : places.shape[1]]
    logits = heatmaps[
        batch[..., None, None], rows.clip(0, n - 1)[..., :, None], columns.clip(0, n - 1)[..., None, :],
        point[..., None, None],
    ]  # fmt: skip
    weights = np.where(valid, 1 / (1 + np.exp(-logits.astype(float))), 0)
    sums = weights.sum((-2, -1))
    means = [
        (weights * at).sum((-2, -1)) / np.maximum(sums, 1e-12) / n
        for at in (columns[..., None, :], rows[..., :, None])
    ]
    sure = inside & (weights.max((-2, -1)) >= _REFINING)
    return np.where(sure[..., None], np.stack(means, -1), places)
