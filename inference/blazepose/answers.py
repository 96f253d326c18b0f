"""All that BlazePose's second network says about a picture, on torch: for training, on features too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from .landmarks import POINTS
from .network import Network
from .task import FULL, landmark_network
from .tflite import Graph, read

#: sides of the maps that are called features, pixels
_FEATURES = (2, 8, 16)


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


class LandmarkNetwork:
    """The network that `landmarks.PoseFinder` runs, with all its outputs and with parameters.

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
        points, world = (numbers.unflatten(1, (POINTS, -1)) for numbers in (points, world))
        return Answers(points, score[:, 0], heatmaps, world, mask, features)


def _features(graph: Graph, heatmaps: int) -> list[int]:
    """The tensors that `Answers.features` has."""
    sides = {operation.outputs[0]: graph.shapes[operation.outputs[0]][1:-1] for operation in graph.operations}
    smaller = [[tensor for tensor in sides if sides[tensor] == (side, side)][-1] for side in _FEATURES]
    (source,) = [operation.inputs[0] for operation in graph.operations if operation.outputs[0] == heatmaps]
    return [*smaller, source]
