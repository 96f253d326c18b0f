"""BlazePose's second network: the landmarks of the person in a part of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from ...core.arrays import Array, Floats, Image
from ...core.landmarks import LANDMARKS
from .network import Network
from .region import Region, around
from .task import FULL, landmark_network
from .tflite import Graph, read

#: side of the picture that the network takes, pixels
SIZE = 256
#: points that the network knows: `LANDMARKS`, the two that `around` takes, and four that nobody uses
_POINTS = 39
#: sides of the maps that are called features, pixels
_FEATURES = (2, 8, 16)
#: how many cells of a heatmap around a landmark refine it
_WINDOW = 7
#: a heatmap whose largest value there is smaller doesn't
_REFINING = 0.5


@dataclass(frozen=True)
class Answers:
    """What the network says about B pictures, as it says it.

    Attributes
    ----------
    points : (B, 39, 5)
        x, y and z in pixels of the picture, and logits of visibility and presence.
    score : (B,)
        Whether there is a person, 0 to 1.
    heatmaps : (B, 39, 64, 64)
        Logits of where each point is.
    world : (B, 39, 3)
        Metres, from the middle of the hips, in the picture's axes.
    mask : (B, 256, 256) or None
        Logits of which pixels show the person.
    features : dict
        Maps (B, C, side, side), by their side: 2, what all numbers are made from; 8 and 16, from the way
        there and back; 64, what the heatmaps are made from.
    """

    points: Tensor
    score: Tensor
    heatmaps: Tensor
    world: Tensor
    mask: Tensor | None
    features: dict[int, Tensor]


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


class LandmarkNetwork:
    """Finds the landmarks of a person.

    Parameters
    ----------
    task : Path
        `FULL` or `HEAVY`.
    device : torch.device, optional
    mask : bool
        Whether to compute masks, which is a third of the full network's work.

    Attributes
    ----------
    network : Network
        Its parameters can be trained.

    Raises
    ------
    CaptureError
        If the file of the network is missing or altered.
    """

    def __init__(self, task: Path = FULL, device: torch.device | None = None, mask: bool = False) -> None:
        graph = read(landmark_network(task))
        points, score, masks, heatmaps, world = graph.outputs
        wanted = [points, score, heatmaps, world, *_features(graph, heatmaps), *([masks] if mask else [])]
        self.network = Network(graph, wanted).eval().to(device)
        self._device = device

    def answers(self, pictures: Tensor) -> Answers:
        """What the network says about pictures (B, 3, 256, 256), RGB from 0 to 1."""
        points, score, heatmaps, world, *maps = self.network(pictures)
        features = dict(zip((*_FEATURES, heatmaps.shape[-1]), maps, strict=False))
        mask = maps[-1][:, 0] if len(maps) > len(features) else None
        points, world = (numbers.unflatten(1, (_POINTS, -1)) for numbers in (points, world))
        return Answers(points, score[:, 0], heatmaps, world, mask, features)

    @torch.inference_mode()
    def poses(self, image: Image, regions: Sequence[Region]) -> list[Pose]:
        """The pose in each of some regions of an RGB picture, whether somebody is there or not."""
        if not regions:
            return []
        cut = np.stack([region.cut(image, SIZE, cv2.BORDER_REPLICATE) for region in regions])
        answers = self.answers(torch.from_numpy(cut).to(self._device).permute(0, 3, 1, 2) / 255)
        points, world, heatmaps = (x.cpu().numpy() for x in (answers.points, answers.world, answers.heatmaps))
        refined = _refined(points[..., :2] / SIZE, heatmaps)
        return [
            _pose(region, *one)
            for region, one in zip(
                regions, zip(refined, points, world, answers.score.tolist(), strict=True), strict=True
            )
        ]


def _pose(region: Region, places: Floats, points: Array, world: Array, score: float) -> Pose:
    placed = region.place(places)
    sure = 1 / (1 + np.exp(-points[:, 3:].astype(float)))
    landmarks = np.column_stack([placed, points[:, 2] * region.side / SIZE, sure])
    count = len(LANDMARKS)
    return Pose(landmarks[:count], region.rotated(world[:count]), score, around(*placed[count : count + 2]))


def _features(graph: Graph, heatmaps: int) -> list[int]:
    """The tensors that `Answers.features` has."""
    sides = {operation.outputs[0]: graph.shapes[operation.outputs[0]][1:-1] for operation in graph.operations}
    smaller = [[tensor for tensor in sides if sides[tensor] == (side, side)][-1] for side in _FEATURES]
    (source,) = [operation.inputs[0] for operation in graph.operations if operation.outputs[0] == heatmaps]
    return [*smaller, source]


def _refined(places: Array, heatmaps: Array) -> Floats:
    """Points (B, K, 2), shares of the picture, moved to the mean of the heatmaps (B, K, n, n) around them.

    Where a point isn't in the picture or its heatmap is empty there, it stays.
    """
    half, n = _WINDOW // 2, heatmaps.shape[-1]
    cells = np.trunc(places * n).astype(int)  # (B, K, 2): column, row
    inside = (cells >= 0).all(-1) & (cells < n).all(-1)
    beside = np.arange(-half, half + 1)
    columns, rows = (np.clip(cells[..., axis, None], 0, n - 1) + beside for axis in (0, 1))
    valid = ((rows >= 0) & (rows < n))[..., :, None] & ((columns >= 0) & (columns < n))[..., None, :]
    batch, point = np.ogrid[: len(places), : places.shape[1]]
    logits = heatmaps[
        batch[..., None, None], point[..., None, None],
        rows.clip(0, n - 1)[..., :, None], columns.clip(0, n - 1)[..., None, :],
    ]  # fmt: skip
    weights = np.where(valid, 1 / (1 + np.exp(-logits.astype(float))), 0)
    sums = weights.sum((-2, -1))
    means = [
        (weights * at).sum((-2, -1)) / np.maximum(sums, 1e-12) / n
        for at in (columns[..., None, :], rows[..., :, None])
    ]
    sure = inside & (weights.max((-2, -1)) >= _REFINING)
    return np.where(sure[..., None], np.stack(means, -1), places)
