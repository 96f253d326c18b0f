"""A small picture of everybody in a video who can be captured, to choose by."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..core.arrays import Array, Image
from ..core.errors import CaptureError
from ..core.landmarks import TORSO
from ..core.options import MOST_PEOPLE, Settings
from .chosen import bodies_of
from .detect.detector import detect
from .detect.people import Progress, torso
from .probe import save_png
from .shots import shots_of
from .sideways import stood_up
from .track import Track
from .video import VideoReader

#: a stretch of so many frames is looked at whole: the picture is searched for others only now and then ...
_FEW = 300
#: ... and a longer one at so many frames per second: at fewer, people are lost
_FPS = 10.0
#: sides of a picture, pixels
_SIDE = 128
#: share of a picture's side that is left around somebody
_MARGIN = 0.15
#: landmarks that are less visible than this don't count for the frame
_SEEN = 0.3


def save_portraits(
    video: Path, folder: Path, settings: Settings, progress: Progress | None = None
) -> list[tuple[str, Path]]:
    """Save a picture of everybody who would be captured if all were, from a quick look.

    Parameters
    ----------
    video : Path
    folder : Path
        Where the pictures go.
    settings : Settings
        Its ``start``, ``end`` and ``turn`` count.
    progress : callable, optional
        See `pipeline.captures`.

    Returns
    -------
    list of (str, Path)
        Each person's name, as the option ``person`` of `Settings` takes it, and their picture, a PNG; who was
        seen longest and largest comes first.

    Raises
    ------
    CaptureError
        If the video can't be read, nobody is in it, or a picture can't be written.
    """
    whole = VideoReader(video, settings.start, settings.end)
    fps = None if 0 < whole.frames <= _FEW else _FPS
    reader, _ = stood_up(VideoReader(video, settings.start, settings.end, fps), settings.turn)
    people: list[tuple[VideoReader, Track]] = []
    for shot in shots_of(reader, progress):
        # somebody who is in several shots counts once, as in a capture
        there = bodies_of(detect(shot, progress, quality="quick"))
        people += [(shot, one) for one in there[len(people) : MOST_PEOPLE]]
    if not people:
        raise CaptureError(
            "Nobody was found at a quick look, so there is nobody to choose from: choose another range, or "
            "film whole people, well lit and not too far away."
        )
    found = []
    for number, (shot, one) in enumerate(people, 1):
        frame, landmark = _seen_best(one)
        time = shot.start + frame / shot.fps
        image = next(iter(VideoReader(video, time).turned(reader.turned_by))).image
        path = folder / f"person {number}.png"
        save_png(_cut_out(image, one.landmarks[frame]), path)
        x, y = one.landmarks[frame, landmark, :2]
        found.append((f"{x:.0f},{y:.0f}@{time:.2f}", path))
    return found


def _seen_best(person: Track) -> tuple[int, int]:
    """In which frame somebody is seen well and apart from others, and the landmark farthest from these."""
    corners = person.landmarks[:, TORSO, :2]
    apart = np.full(corners.shape[:2], np.inf)
    for other in person.others:
        off = np.linalg.norm(corners[:, :, None] - other.landmarks[:, None, :, :2], axis=-1)
        apart = np.fmin(apart, off.min(axis=-1))  # where they aren't, the others' are NaN
    size = torso(person.landmarks)[1]
    far = np.minimum(apart.max(axis=1) / np.maximum(size, 1.0), 1.0)
    large = size / np.nanmax(np.where(person.found, size, np.nan))
    good = np.where(person.found, far + person.landmarks[..., 2].mean(axis=1) + large, -np.inf)
    frame = int(np.argmax(good))
    return frame, TORSO[int(np.argmax(apart[frame]))]


def _cut_out(image: Image, landmarks: Array) -> Image:
    """The square part of a picture that shows a person with these landmarks (33, 3), `_SIDE` pixels large."""
    seen = landmarks[landmarks[:, 2] > _SEEN, :2] if (landmarks[:, 2] > _SEEN).any() else landmarks[:, :2]
    low, high = seen.min(axis=0), seen.max(axis=0)
    side = max(float((high - low).max()) / (1 - 2 * _MARGIN), 1.0)
    corner = (low + high - side) / 2
    scale = _SIDE / side
    place = np.array([[scale, 0, -scale * corner[0]], [0, scale, -scale * corner[1]]])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.warpAffine(image, place, (_SIDE, _SIDE), flags=how), np.uint8)
