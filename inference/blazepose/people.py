"""BlazePose's first network: finds the people in a picture, roughly."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
import torch

from ...core.arrays import Array, Floats, Image
from .region import Region, around
from .runner import runner_of
from .task import FULL, people_network
from .tflite import read

#: side of the picture that the network takes, pixels
_SIZE = 224
#: the network's grids, from the finest: distance of the cells, pixels, and guesses for each of them
_GRIDS = ((8, 2), (16, 2), (32, 6))
#: guesses that overlap by more than this share of their union are about one person
_SAME = 0.5


class PeopleFinder:
    """Finds the people in a picture.

    Parameters
    ----------
    device : torch.device

    Raises
    ------
    CaptureError
        If the file of the network is missing or altered, or MediaPipe can't run here.
    """

    def __init__(self, device: torch.device) -> None:
        data = people_network(FULL)
        graph = read(data)
        self._runner = runner_of(data, graph, graph.outputs, device, 1 / 127.5, -1.0)

    def find(
        self, image: Image, confidence: float = 0.5, parts: Sequence[Region] | None = None
    ) -> list[Region]:
        """Where people may be in an RGB picture; the most confident guesses first.

        Parameters
        ----------
        image : Image
        confidence : float
            Guesses less confident than this, 0 to 1, don't count.
        parts : sequence of Region, optional
            Square parts of the picture to look at; None: the whole picture at once.
        """
        if parts is None:
            height, width = image.shape[:2]
            parts = [Region((width / 2, height / 2), max(width, height))]
        guesses, scores = [], []
        for part in parts:
            boxes, logits = self._runner.run([part.cut(image, _SIZE, cv2.BORDER_CONSTANT)])
            here, sure = _guesses(boxes[0], logits[0], confidence)
            here[:, 1] *= part.side  # width and height
            here[:, [0, 2, 3, 4, 5]] = part.place(here[:, [0, 2, 3, 4, 5]])
            guesses.append(here)
            scores.append(sure)
        return [around(*points) for points in _distinct(np.concatenate(guesses), np.concatenate(scores))]

    def close(self) -> None:
        """Release the network. Must be called."""
        self._runner.close()


def _guesses(boxes: Array, scores: Array, confidence: float) -> tuple[Floats, Floats]:
    """Confident guesses of the network: boxes with four points (N, 6, 2), and scores (N,).

    A box is a row for its middle and one for its size; everything is a share of the picture.
    """
    score = 1 / (1 + np.exp(-scores[:, 0].clip(-100, 100).astype(float)))
    best = np.flatnonzero(score >= confidence)
    guesses = boxes[best].reshape(-1, 6, 2) / _SIZE
    guesses[:, [0, 2, 3, 4, 5]] += _cells()[best, None]
    sound = (guesses[:, 1] >= 0).all(1)
    return guesses[sound], score[best][sound]


@cache
def _cells() -> Floats:
    """The middle of the cell that each guess belongs to (N, 2), a share of the picture."""
    cells = []
    for stride, guesses in _GRIDS:
        line = (np.arange(_SIZE // stride) + 0.5) * stride / _SIZE
        grid = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
        cells.append(np.repeat(grid, guesses, 0))
    return np.concatenate(cells)


def _distinct(guesses: Floats, scores: Floats) -> Floats:
    """The two points that `around` takes (N, 2, 2) of each person: means over the guesses about them."""
    best = np.argsort(-scores, kind="stable")
    guesses, scores, people = guesses[best], scores[best], []
    while len(guesses):
        same = _overlap(guesses[:, :2], guesses[0, :2]) > _SAME
        same[0] = True
        people.append(np.average(guesses[same, 2:4], 0, scores[same]))
        guesses, scores = guesses[~same], scores[~same]
    return np.reshape(people, (-1, 2, 2))


def _overlap(boxes: Floats, box: Floats) -> Floats:
    """Intersection over union of boxes (N, 2, 2) with one (2, 2)."""
    low = np.maximum(boxes[:, 0] - boxes[:, 1] / 2, box[0] - box[1] / 2)
    high = np.minimum(boxes[:, 0] + boxes[:, 1] / 2, box[0] + box[1] / 2)
    shared = (high - low).clip(0).prod(1)
    return np.asarray(shared / np.maximum(boxes[:, 1].prod(1) + box[1].prod() - shared, 1e-12))
