"""Test-time augmentation: detects everybody once more, in a mirrored crop around them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass

import cv2
import numpy as np

from ...core.arrays import Array, Image
from ...core.landmarks import MIRRORED
from .landmarker import Landmarker
from .people import Person, distance, seen_inside, torso

#: side of the square crop, as a multiple of the person's extent
_ROOM = 2.0
#: a larger crop is scaled down to this many pixels a side: MediaPipe scales to 256
_MOST_PIXELS = 512
#: a person found in the crop is somebody else if the landmarks lie farther apart than this on average, in
#: torso sizes
_SAME = 0.8
#: how many frames the augmentation may lag behind the detection, so that few pictures are kept in memory
_BEHIND = 4


@dataclass(frozen=True)
class Augmentation:
    """Replaces everybody found in a picture by the mean of that detection and a second one.

    In a mirrored picture, and without the frames before, the detector makes other errors: the mean of both
    has smaller ones, in depth too (docs/model-card.md).

    Attributes
    ----------
    size : (int, int)
        Width and height of the video's picture, pixels.
    wanted : bool
        False: leave the people as they were found.
    beside : bool
        Whether a core is free for it while the detection goes on.
    """

    size: tuple[int, int]
    wanted: bool
    beside: bool

    @contextmanager
    def run(self, out: list[tuple[Person, ...]]) -> Iterator[Callable[[Image, tuple[Person, ...]], None]]:
        """A function that takes a picture and the people found in it, and appends the means to `out`."""
        if not self.wanted:
            yield lambda image, people: out.append(people)
            return
        waiting: deque[Future[tuple[Person, ...]]] = deque()
        with (
            closing(Landmarker(1, self.size, still=True)) as landmarker,
            ThreadPoolExecutor(1, "detect again") as pool,
        ):

            def both(image: Image, people: tuple[Person, ...]) -> tuple[Person, ...]:
                return tuple(_confirmed(image, person, self.size, landmarker) for person in people)

            def confirm(image: Image, people: tuple[Person, ...]) -> None:
                waiting.append(pool.submit(both, image, people))
                if not self.beside or len(waiting) > _BEHIND:
                    out.append(waiting.popleft().result())

            yield confirm
            out.extend(one.result() for one in waiting)


def _confirmed(image: Image, person: Person, size: tuple[int, int], landmarker: Landmarker) -> Person:
    """The mean of `person` and of who is found in the mirrored crop; `person` if that is somebody else."""
    scale = image.shape[1] / size[0]
    inside = np.clip(person.landmarks[:, :2] * scale, 0, (image.shape[1], image.shape[0]))
    low, high = inside.min(0), inside.max(0)
    # place and size are rounded, so that the crop hardly depends on the first detection
    side = 16 * round(2 ** (np.round(4 * np.log2(max(_ROOM * float((high - low).max()), 16.0))) / 4) / 16)
    step = side // 16
    corner = step * np.round((low + high - side) / 2 / step).astype(int)
    found = landmarker.seen(_cut_out(image, corner, side)[:, ::-1], 0.0)
    if not found:
        return person
    landmarks, world = (x[list(MIRRORED)] for x in found[0])
    landmarks[:, 0] = 1 - landmarks[:, 0]
    landmarks[:, :2] = (corner + side * landmarks[:, :2]) / scale
    world[:, 0] *= -1
    either = [(landmarks, world), (landmarks[list(MIRRORED)], world[list(MIRRORED)])]
    # `left_right` decides later, from the whole video, which side is left; here both have to agree
    landmarks, world = min(either, key=lambda one: float(np.abs(one[0] - person.landmarks)[:, :2].sum()))
    second = Person(landmarks, world, person.appearance)
    if distance(person, second) > _SAME * torso(person.landmarks)[1]:
        return person
    mean = seen_inside((person.landmarks + landmarks) / 2, size)
    return Person(mean, (person.world_landmarks + world) / 2, person.appearance)


def _cut_out(image: Image, corner: Array, side: int) -> Image:
    """A square of `side` pixels from `corner` on, black outside the picture; at most `_MOST_PIXELS` wide."""
    x, y = corner
    part: Array = image[max(y, 0) : y + side, max(x, 0) : x + side]
    above, left = max(-y, 0), max(-x, 0)
    below, right = side - above - part.shape[0], side - left - part.shape[1]
    part = cv2.copyMakeBorder(part, above, below, left, right, cv2.BORDER_CONSTANT)
    if side > _MOST_PIXELS:
        part = cv2.resize(part, (_MOST_PIXELS, _MOST_PIXELS), interpolation=cv2.INTER_AREA)
    return np.asarray(part)
