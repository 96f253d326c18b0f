"""The people found in a frame and in a video, and how far apart two of them are. Only numpy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...core.arrays import Array, Floats
from ...core.landmarks import TORSO

#: takes a stage, the frames of it that are done, and their number
Progress = Callable[[str, int, int], None]
#: how many people are detected in a frame at most
CROWD = 6
#: a torso that moves farther than this from one frame to the next may be somebody else's, in torso sizes
_JUMP = 1.0


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
    """

    landmarks: Array
    world_landmarks: Array
    appearance: Array


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
    """

    times: Floats
    people: tuple[tuple[Person, ...], ...]
    frames: int
    fps: float
    start: float
    size: tuple[int, int]
    warnings: tuple[str, ...]


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


def mismatch(some: tuple[Person, ...], others: tuple[Person, ...]) -> float:
    """How far apart two detections of one frame are, in torso sizes; infinite if they found other numbers."""
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
    """Whether the only person appeared, disappeared or jumped."""
    if len(before) != len(now) or not now:
        return len(before) != len(now)
    (old, size), (new, _) = torso(before[0].landmarks), torso(now[0].landmarks)
    return bool(np.linalg.norm(new - old) > _JUMP * size)


def distinct(people: tuple[Person, ...]) -> tuple[Person, ...]:
    """The people without those who coincide with somebody seen better: MediaPipe found these twice."""
    kept: list[Person] = []
    for person in sorted(people, key=lambda p: -float(p.landmarks[:, 2].sum())):
        size = torso(person.landmarks)[1]
        if all(distance(person, other) > 0.5 * size for other in kept):
            kept.append(person)
    return tuple(kept)


def seen_inside(landmarks: Array, size: tuple[int, int]) -> Array:
    """`landmarks` (33, 3), changed in place: visibility is 0 outside a picture of `size` (w, h)."""
    landmarks[((landmarks[:, :2] < 0) | (landmarks[:, :2] >= size)).any(1), 2] = 0
    return landmarks
