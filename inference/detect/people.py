"""People in a frame and in a clip: who was found, how large they are, and who is the same. numpy alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...core.landmarks import TORSO

Array = npt.NDArray[np.float32]
#: stage, frame, of how many
Progress = Callable[[str, int, int], None]
#: at most so many people are told apart
CROWD = 6
#: a torso that moves by more than its own size from one frame to the next is perhaps somebody else's
_JUMP = 1.0


@dataclass(frozen=True)
class Person:
    """One person in one frame.

    Attributes
    ----------
    landmarks : (33, 3)
        x, y in pixels of the video's picture and visibility; visibility is 0 outside the picture, where
        MediaPipe guesses and doesn't say so.
    world_landmarks : (33, 3)
        MediaPipe's own 3D: metres, hips-centred, camera axes.
    appearance : (22,)
        Colours of the shirt and the trousers: square roots of two histograms, so that the dot product of two
        looks says how alike they are; zeros where neither is in the picture.
    """

    landmarks: Array
    world_landmarks: Array
    appearance: Array


@dataclass(frozen=True)
class Detections:
    """Everybody in a clip.

    Attributes
    ----------
    times : (N,)
        When each frame was filmed, seconds from the start of the video. No frame comes twice, so these are as
        uneven as the video is.
    people : tuple of N tuples of Person
        Who was found in each frame.
    frames : int
        Length of the clip at its steady rate: frame i is at ``start + i / fps``.
    fps, start : float
        Frames per second, and seconds.
    size : (int, int)
        Width and height of the picture, pixels.
    warnings : tuple of str
        What was wrong with the file.
    """

    times: npt.NDArray[np.float64]
    people: tuple[tuple[Person, ...], ...]
    frames: int
    fps: float
    start: float
    size: tuple[int, int]
    warnings: tuple[str, ...]


def torso(landmarks: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Where people are and how large: middle (..., 2), size (...) of the torsos of landmarks (..., 33, 2+).

    The size is that of the longest of spine, shoulders and hips (about 0.3 of the person's height), so that
    neither a bend nor a turn makes a person small.
    """
    corners = landmarks[..., TORSO, :2]
    left_shoulder, right_shoulder, left_hip, right_hip = np.moveaxis(corners, -2, 0)
    spine = (left_shoulder + right_shoulder - left_hip - right_hip) / 2
    edges = np.stack([spine, left_shoulder - right_shoulder, left_hip - right_hip])
    return corners.mean(-2), np.linalg.norm(edges, axis=-1).max(0)


def unlike(some: tuple[Person, ...], others: tuple[Person, ...]) -> float:
    """How far apart the people of two views of one frame are, in torsos; infinite if they are not as many."""
    if len(some) != len(others):
        return np.inf
    return max(
        (
            min(distance(one, other) for other in others) / max(float(torso(one.landmarks)[1]), 1.0)
            for one in some
        ),
        default=0.0,
    )


def distance(one: Person, other: Person) -> float:
    """Mean distance of two people's landmarks, pixels."""
    off = one.landmarks[:, :2] - other.landmarks[:, :2]
    return float(np.linalg.norm(off, axis=1).mean())


def changed(before: tuple[Person, ...], now: tuple[Person, ...]) -> bool:
    """Whether the one person came, went or jumped."""
    if len(before) != len(now) or not now:
        return len(before) != len(now)
    (old, size), (new, _) = torso(before[0].landmarks), torso(now[0].landmarks)
    return bool(np.linalg.norm(new - old) > _JUMP * size)


def distinct(people: tuple[Person, ...]) -> tuple[Person, ...]:
    """The same without those who lie on top of somebody seen better: one person found twice."""
    kept: list[Person] = []
    for person in sorted(people, key=lambda p: -float(p.landmarks[:, 2].sum())):
        size = torso(person.landmarks)[1]
        if all(distance(person, other) > 0.5 * size for other in kept):
            kept.append(person)
    return tuple(kept)


def seen_inside(landmarks: Array, size: tuple[int, int]) -> Array:
    """`landmarks` with visibility 0 outside a picture of that size."""
    landmarks[((landmarks[:, :2] < 0) | (landmarks[:, :2] >= size)).any(1), 2] = 0
    return landmarks
