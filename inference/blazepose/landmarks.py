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
from .heat import refined, spreads
from .region import Region, around
from .runner import runner_of
from .task import landmark_network
from .tflite import read

#: side of the picture that the network takes, pixels
SIZE = 256
#: points that the network knows: `LANDMARKS`, the two that `around` takes, and four that nobody uses
POINTS = 39
#: the point that each of the network's points becomes in a mirror
_MIRRORED = [*MIRRORED, *range(len(LANDMARKS), POINTS)]
#: looks at a region: whether each is in a mirror
_LOOKS = (False, True)


@dataclass(frozen=True)
class Pose:
    """The landmarks of a person in a picture.

    Attributes
    ----------
    landmarks : (33, 5)
        x, y in pixels of the picture, z on the same scale, visibility and presence, 0 to 1.
    world : (33, 3)
        Metres, from the middle of the hips, in camera axes.
    spread : (33, 3)
        Covariance of each landmark's error in the picture: xx, xy, yy, pixels squared.
    score : float
        Whether there is a person, 0 to 1. MediaPipe takes no less than 0.5.
    around : Region
        Where the person is: the region to look at in the next picture.
    """

    landmarks: Floats
    world: Floats
    spread: Floats
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
        return _poses(regions, self._seen(image, regions, _LOOKS[: self._looks])) if regions else []

    def with_mirrored(self, image: Image, region: Region) -> tuple[Pose, Pose]:
        """The pose in a region, and as the network sees it in a mirror: alike if somebody is there."""
        looks = self._seen(image, [region], _LOOKS)
        (pose,) = _poses([region], [tensor[: self._looks] for tensor in looks])
        (mirrored,) = _poses([region], [tensor[1:] for tensor in looks])
        return pose, mirrored

    def _seen(self, image: Image, regions: Sequence[Region], looks: Sequence[bool]) -> list[Array]:
        """Some looks at each region, in a mirror or not; what is seen in a mirror is turned back.

        Returns points (L, B, 39, 5), pixels of the crop, world (L, B, 39, 3), metres, spread (L, B, 33, 3),
        see `heat.spreads`, and score (L, B, 1).
        """
        cuts = [region.cut(image, SIZE, cv2.BORDER_REPLICATE) for region in regions]
        points, score, heatmaps, world = self._runner.run(
            [cut[:, ::-1] if mirror else cut for mirror in looks for cut in cuts]
        )
        points, world = points.reshape(-1, POINTS, 5), world.reshape(-1, POINTS, 3)
        places = refined(points[..., :2] / SIZE, heatmaps)
        points[..., :2] = SIZE * places
        spread = spreads(places[:, : len(LANDMARKS)], heatmaps)
        points, world, spread, score = (
            x.reshape(len(looks), len(cuts), *x.shape[1:]) for x in (points, world, spread, score)
        )
        for i in np.flatnonzero(looks):
            points[i] = points[i][:, _MIRRORED] * _FLIP + _FLIPPED
            world[i] = world[i][:, _MIRRORED] * _FLIP[:3]
            spread[i] = spread[i][:, MIRRORED] * _FLIP_SPREAD
        return [points, world, spread, score]

    def close(self) -> None:
        """Release the network. Must be called."""
        self._runner.close()


#: what a mirror does to a point of the network: x becomes SIZE - x
_FLIP = np.array([-1.0, 1, 1, 1, 1], np.float32)
_FLIPPED = np.array([SIZE, 0, 0, 0, 0], np.float32)
#: what it does to xx, xy, yy
_FLIP_SPREAD = np.array([1.0, -1, 1])


def _poses(regions: Sequence[Region], looks: Sequence[Array]) -> list[Pose]:
    """The mean of some looks at each region, as `PoseFinder._seen` has them."""
    points, world, spread, score = looks
    x, y = np.moveaxis((points - points.mean(0))[..., : len(LANDMARKS), :2] / SIZE, -1, 0)
    spread = spread + np.stack([x * x, x * y, y * y], -1)  # looks that disagree err more
    means = zip(points.mean(0), world.mean(0), spread.mean(0), score.mean((0, 2)).tolist(), strict=True)
    return [_pose(region, *one) for region, one in zip(regions, means, strict=True)]


def _pose(region: Region, points: Array, world: Array, spread: Array, score: float) -> Pose:
    placed = region.place(points[:, :2] / SIZE)
    sure = 1 / (1 + np.exp(-points[:, 3:].astype(float)))
    landmarks = np.column_stack([placed, points[:, 2] * region.side / SIZE, sure])
    count = len(LANDMARKS)
    return Pose(
        landmarks[:count],
        region.rotated(world[:count]),
        region.place_spread(spread),
        score,
        around(*placed[count : count + 2]),
    )
