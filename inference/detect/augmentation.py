"""Test-time augmentation: everybody is detected once more, in the mirror image of their surroundings."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ...core.landmarks import MIRRORED
from .landmarker import Landmarker
from .people import Person, distance, seen_inside, torso

#: the second look is at a square of so many times the person's extent, of at most so many pixels a side; it
#: finds somebody else where it is farther off than this, in torsos
_ROOM, _MOST_PIXELS, _SAME = 2.0, 512, 0.8
#: frames by which it may be behind the first one
_BEHIND = 4


@dataclass(frozen=True)
class Augmentation:
    """Makes everybody found in a picture the mean of what two looks say.

    The detector errs otherwise in the mirror, and where it is led there by that picture alone rather than by
    the ones before: the mean of both errs less, in depth too (docs/model-card.md).

    Attributes
    ----------
    size : (int, int)
        Of the video's picture.
    wanted : bool
        Otherwise there is one look.
    beside : bool
        Whether there is a core for it while the first look goes on.
    """

    size: tuple[int, int]
    wanted: bool
    beside: bool

    @contextmanager
    def run(
        self, out: list[tuple[Person, ...]]
    ) -> Iterator[Callable[[npt.NDArray[np.uint8], tuple[Person, ...]], None]]:
        """A function that takes pictures and who was found in each; what comes of it goes to `out`."""
        if not self.wanted:
            yield lambda image, people: out.append(people)
            return
        waiting: deque[Future[tuple[Person, ...]]] = deque()
        with (
            closing(Landmarker(1, self.size, still=True)) as landmarker,
            ThreadPoolExecutor(1, "detect again") as pool,
        ):

            def both(image: npt.NDArray[np.uint8], people: tuple[Person, ...]) -> tuple[Person, ...]:
                return tuple(_confirmed(image, person, self.size, landmarker) for person in people)

            def confirm(image: npt.NDArray[np.uint8], people: tuple[Person, ...]) -> None:
                waiting.append(pool.submit(both, image, people))
                # no more pictures are kept than it takes
                if not self.beside or len(waiting) > _BEHIND:
                    out.append(waiting.popleft().result())

            yield confirm
            out.extend(one.result() for one in waiting)


def _confirmed(
    image: npt.NDArray[np.uint8], person: Person, size: tuple[int, int], landmarker: Landmarker
) -> Person:
    """The mean of `person` and of who is found in the mirror image of the surroundings."""
    scale = image.shape[1] / size[0]
    inside = np.clip(person.landmarks[:, :2] * scale, 0, (image.shape[1], image.shape[0]))
    low, high = inside.min(0), inside.max(0)
    # in steps: what is found hardly depends on where exactly the person was thought to be
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
    # which of them is right about left and right is told by the whole clip, later; here they have to agree
    landmarks, world = min(either, key=lambda one: float(np.abs(one[0] - person.landmarks)[:, :2].sum()))
    second = Person(landmarks, world, person.appearance)
    if distance(person, second) > _SAME * torso(person.landmarks)[1]:
        return person
    mean = seen_inside((person.landmarks + landmarks) / 2, size)
    return Person(mean, (person.world_landmarks + world) / 2, person.appearance)


def _cut_out(image: npt.NDArray[np.uint8], corner: npt.NDArray[Any], side: int) -> npt.NDArray[np.uint8]:
    """The square of `side` pixels from `corner` on, black beyond the picture, in `_MOST_PIXELS` at most."""
    x, y = corner
    part: npt.NDArray[Any] = image[max(y, 0) : y + side, max(x, 0) : x + side]
    above, left = max(-y, 0), max(-x, 0)
    below, right = side - above - part.shape[0], side - left - part.shape[1]
    part = cv2.copyMakeBorder(part, above, below, left, right, cv2.BORDER_CONSTANT)
    if side > _MOST_PIXELS:
        part = cv2.resize(part, (_MOST_PIXELS, _MOST_PIXELS), interpolation=cv2.INTER_AREA)
    return np.asarray(part)
