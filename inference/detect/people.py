"""The people found in a frame and in a video, and how far apart two of them are. Only numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ...core.arrays import Array, Floats
from ...core.landmarks import LANDMARKS, MIRRORED, TORSO

if TYPE_CHECKING:
    from ..camera_turns import Background

#: takes a stage, the frames of it that are done, and their number
Progress = Callable[[str, int, int], None]
#: how many people are detected in a frame at most
CROWD = 6
#: two poses that lie nearer to each other than this on average are of one person, in torso sizes
_SAME = 0.45


def _not_known(*shape: int) -> Array:
    return np.full((len(LANDMARKS), *shape), np.nan, np.float32)


@dataclass(frozen=True)
class Person:
    """One person in one frame.

    Attributes
    ----------
    landmarks : (33, 3)
        x, y in pixels of the video's picture, and visibility. It is 0 outside the picture, where MediaPipe
        guesses without saying so.
    world_landmarks : (33, 3)
        MediaPipe's 3D landmarks in camera axes, metres, from the middle of the hips.
    appearance : (22,)
        Colours of shirt and trousers: square roots of two histograms, so that the dot product of two
        appearances says how alike they are. Zeros if neither is in the picture.
    trail : int
        The same in frames in which it certainly is the same person.
    spread : (33, 3)
        Covariance of each landmark's error in the picture: xx, xy, yy, pixels squared. NaN: not known.
    presence : (33,)
        Whether the part of the picture that was looked at shows where the landmark is, be it hidden or not:
        0 to 1. NaN: not known.
    """

    landmarks: Array
    world_landmarks: Array
    appearance: Array
    trail: int
    spread: Array = field(default_factory=lambda: _not_known(3))
    presence: Array = field(default_factory=_not_known)


@dataclass(frozen=True)
class Detections:
    """Everybody in a video, or in the part of it that is captured.

    Attributes
    ----------
    times : (N,)
        When each frame was filmed, seconds from the start of the video. Each frame comes once, so the times
        are as uneven as the video's.
    people : tuple of N tuples of Person
        Who was found in each frame.
    frames : int
        How many frames there are at the steady rate: frame i is at ``start + i / fps``.
    fps, start : float
        Frames per second, and seconds.
    size : (int, int)
        Width and height of the picture, pixels.
    warnings : tuple of str
        What was wrong with the file.
    background : Background, optional
        What it says of the camera; None where nobody looked.
    """

    times: Floats
    people: tuple[tuple[Person, ...], ...]
    frames: int
    fps: float
    start: float
    size: tuple[int, int]
    warnings: tuple[str, ...]
    background: Background | None = None


def torso(landmarks: Array) -> tuple[Array, Array]:
    """Where people are and how large: middle (..., 2), size (...) of the torsos of landmarks (..., 33, 2+).

    The size is that of the longest of spine, shoulders and hips (about 0.3 of the person's height), so that
    neither a bend nor a turn makes a person small.
    """
    corners = landmarks[..., TORSO, :2]
    left_shoulder, right_shoulder, left_hip, right_hip = np.moveaxis(corners, -2, 0)
    spine = (left_shoulder + right_shoulder - left_hip - right_hip) / 2
    edges = np.stack([spine, left_shoulder - right_shoulder, left_hip - right_hip])
    return corners.mean(-2), np.linalg.norm(edges, axis=-1).max(0)


def mismatch(some: Sequence[Person], others: Sequence[Person]) -> float:
    """How far apart two detections of one frame are, in torso sizes; infinite if they found other numbers."""
    if len(some) != len(others):
        return np.inf
    return max(
        (min(distance(one.landmarks, other.landmarks) for other in others) for one in some), default=0.0
    )


def distance(landmarks: Array, other: Array) -> float:
    """Mean distance of two people's landmarks (33, 2+), in torso sizes."""
    size = max(float(torso(landmarks)[1]), float(torso(other)[1]), 1.0)
    return float(np.linalg.norm(landmarks[:, :2] - other[:, :2], axis=1).mean()) / size


def same(landmarks: Array, other: Array) -> bool:
    """Whether landmarks (33, 2+) in one picture are of one person, whichever side was taken for the left."""
    return min(distance(landmarks, other), distance(landmarks[list(MIRRORED)], other)) < _SAME


def seen_inside(landmarks: Array, size: tuple[int, int]) -> Array:
    """`landmarks` (33, 3), changed in place: visibility is 0 outside a picture of `size` (w, h)."""
    landmarks[((landmarks[:, :2] < 0) | (landmarks[:, :2] >= size)).any(1), 2] = 0
    return landmarks
