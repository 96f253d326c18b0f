"""Camera motion: how far the background shifts, turns and grows while a video is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from ..core.arrays import Array, Image

#: longer side of the pictures that are compared, pixels
SIDE = 480
#: time between the frames that are compared, seconds
_EVERY = 0.3
#: at most so many points are tracked
MOST = 200
#: points are looked for at least this far from each other, pixels of the small picture
APART = 8
#: fewer points than this don't tell how the background moves
FEWEST = 12
#: at least this share of the points has to move alike
_ALIKE = 0.5
#: a frame this far from the reference becomes the next reference, pixels
_NEXT = 15.0
#: the camera moved if the picture's corners shift by more than this, as a share of its longer side
_MOVED = 0.03


class _Seen(Protocol):
    """Somebody in the picture (`detect.people.Person`)."""

    @property
    def landmarks(self) -> Array: ...


def small_grey(image: Image) -> Image:
    """An RGB picture in grey, scaled to a longer side of `SIDE`."""
    scale = SIDE / max(image.shape[:2])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def background_points(grey: Image, people: Sequence[_Seen], size: tuple[int, int]) -> Array:
    """Points (N, 2) in a picture of `small_grey` that can be tracked, away from the people.

    Parameters
    ----------
    grey : (h, w)
    people, size
        See `background_mask`.
    """
    return corners_in(grey, background_mask(grey, people, size))


def background_mask(grey: Image, people: Sequence[_Seen], size: tuple[int, int]) -> Image:
    """255 where a picture (h, w) of `small_grey` shows none of the people, else 0.

    Parameters
    ----------
    grey : (h, w)
    people : sequence of detect.Person
    size : (int, int)
        Width and height of the picture that their landmarks lie in.
    """
    mask = np.full(grey.shape, 255, np.uint8)
    for person in people:
        place = person.landmarks[:, :2] * (SIDE / max(size))
        margin = 0.2 * float(np.ptp(place, axis=0).max())
        x0, y0 = np.maximum(place.min(0) - margin, 0).astype(int)
        x1, y1 = np.maximum(place.max(0) + margin, 0).astype(int)
        mask[y0:y1, x0:x1] = 0
    return mask


def corners_in(grey: Image, mask: Image, most: int = MOST) -> Array:
    """At most so many points (N, 2) to track in a picture of `small_grey`, where a mask isn't 0."""
    corners = cv2.goodFeaturesToTrack(grey, most, 0.01, APART, mask=mask)
    return np.zeros((0, 2), np.float32) if corners is None else np.asarray(corners).reshape(-1, 2)


def followed(before: Image, after: Image, points: Array) -> tuple[Array, Array]:
    """Those of `points` (N, 2) that are found in the second picture, and their places there, both (M, 2)."""
    if len(points) < FEWEST:
        return points[:0], points[:0]
    nowhere = np.zeros_like(points)
    moved, found, _ = cv2.calcOpticalFlowPyrLK(before, after, points, nowhere)
    there = np.asarray(found).ravel() == 1
    return points[there], np.asarray(moved)[there]


@dataclass
class _Reference:
    """A frame that others are compared with, and its similarity transform (2, 3) from the first one."""

    grey: Image
    points: Array
    place: Array


class CameraWatch:
    """Measures how the camera moves over the frames of a video, or of a stretch of it.

    Parameters
    ----------
    size : (int, int)
        Width and height of the video's picture, pixels.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._observed = -np.inf
        self._reference: _Reference | None = None
        scale = SIDE / max(size)
        self._corners = np.array([[x, y] for x in (0, size[0]) for y in (0, size[1])]) * scale
        #: similarity transforms (2, 3) of the observed frames from the first one
        self._places: list[Array] = []

    def observe(self, grey: Image, time: float, people: Sequence[_Seen], always: bool = False) -> None:
        """Take the next frame: by `small_grey`, filmed at `time` (seconds), with these people in it.

        It is skipped if it follows the last one within `_EVERY`, unless `always`.
        """
        if time < self._observed + _EVERY and not always:
            return
        self._observed = time
        before = self._reference
        if before is None:
            self._places.append(np.eye(2, 3))
            self._reference = _Reference(grey, background_points(grey, people, self._size), np.eye(2, 3))
            return
        place = before.place
        step = _similarity(*followed(before.grey, grey, before.points))
        if step is not None:
            place = _after(before.place, step)
        self._places.append(place)
        if step is None or self._moved(step) > _NEXT:
            self._reference = _Reference(grey, background_points(grey, people, self._size), place)

    def go_on(self, later: CameraWatch) -> None:
        """Append what another one measured that began with the last frame of this one."""
        here = self._places[-1]
        self._places += [_after(here, place) for place in later._places]

    def _moved(self, place: Array) -> float:
        """How far a similarity transform moves the picture's corners on average, pixels."""
        moved = self._corners @ place[:, :2].T + place[:, 2] - self._corners
        return float(np.linalg.norm(moved, axis=1).mean())

    @property
    def shift(self) -> float:
        """How far the corners shifted at most, as a share of the longer side."""
        return max(map(self._moved, self._places), default=0.0) / SIDE

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for the artist if the camera moved; nothing if it didn't, or if nothing shows."""
        if self.shift <= _MOVED:
            return ()
        return (
            f"The camera moved, or what is behind the person did (by {100 * self.shift:.0f} % of the "
            "picture), and it doesn't show how: the path is solved as if the camera stood and can't be "
            "trusted, the poses can; film from a tripod for both.",
        )


def _similarity(before: Array, after: Array) -> Array | None:
    """The similarity transform (2, 3) that most points agree on; None if there is none."""
    if len(before) < FEWEST:
        return None
    found, inside = cv2.estimateAffinePartial2D(before, after, ransacReprojThreshold=1.5)
    if found is None or np.asarray(inside).mean() < _ALIKE:
        return None
    return np.asarray(found)


def _after(first: Array, second: Array) -> Array:
    """The similarity transform (2, 3) that applies `first`, then `second`."""
    return np.asarray(
        np.hstack([second[:, :2] @ first[:, :2], (second[:, :2] @ first[:, 2] + second[:, 2])[:, None]])
    )
