"""Videos that lie on their side, because the note of how the camera was held got lost on the way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..core.arrays import Array, Floats, Image
from ..core.landmarks import LANDMARK
from ..core.options import Settings
from .detect.follower import networks_of, people_in
from .detect.people import Person
from .orientation import Orientation
from .video import VideoReader

#: moments that are looked at, as shares of the length
_MOMENTS = (0.1, 0.3, 0.5, 0.7, 0.9)
#: in so many of them, at least, somebody has to be seen
_FEWEST = 3
#: somebody whose torso leans less than this is upright, degrees
_UPRIGHT = 60.0
#: trunk and legs of somebody who stands lean less than this, degrees
_STANDING = 30.0
#: mean visibility of shoulders, hips, knees and ankles from which a person counts
_SEEN = 0.7
#: shoulders are at least this broad, over the torso's length: who lies on the floor is seen from the side
_BROAD = 0.45


def stood_up(video: VideoReader, turn: str) -> tuple[VideoReader, tuple[str, ...]]:
    """A video turned as the option ``turn`` of `Settings` asks, and what to say about it.

    Unasked it is turned where the evidence is clear: nobody is ever upright, and wherever people are seen,
    one stands broad before the camera as soon as the picture is turned, by the same angle throughout.

    Raises
    ------
    CaptureError
        If the video can't be read.
    """
    if turn != "auto":
        return video.turned(int(turn)), ()
    indices = sorted({int(share * video.frames) for share in _MOMENTS})
    degrees = _needed(video, indices) if len(indices) >= _FEWEST else 0
    if not degrees:
        return video, ()
    return video.turned(degrees), (
        f"The picture of {video.path.name} lies on its side: it was turned by {degrees} degrees "
        "clockwise; where that is wrong, ask for a turn of 0.",
    )


def _needed(video: VideoReader, indices: Sequence[int]) -> int:
    """By how many degrees a video has to be turned clockwise, by its frames at `indices`."""
    pictures: list[Image] = []
    people: list[tuple[Person, ...]] = []
    with networks_of(Settings.quality, torch.device("cpu")) as networks:
        for some in (indices[:1], indices[1:]):  # one picture is enough for most videos
            new = _pictures(video, some)
            pictures += new
            people += people_in(new, video.size, networks)
            if _some_upright(people):
                return 0
        for degrees in (90, 180, 270):
            if not _always_stands(people, degrees):
                continue
            upright = [Orientation(degrees).upright(picture) for picture in pictures]
            if _always_stands(people_in(upright, video.turned(degrees).size, networks), 0):
                return degrees
    return 0


def _pictures(video: VideoReader, indices: Sequence[int]) -> list[Image]:
    """Frames of a video, without those that it breaks off before."""
    return [frame.image for index in indices for frame in video.part(index, index + 1)]


def _some_upright(people: Sequence[Sequence[Person]]) -> bool:
    return any(abs(_lean(one)[0]) < _UPRIGHT for here in people for one in here if _seen(one))


def _always_stands(people: Sequence[Sequence[Person]], degrees: int) -> bool:
    """Whether somebody stands wherever people are seen, once the picture is turned clockwise."""
    seen = [[one for one in here if _seen(one)] for here in people]
    there = [here for here in seen if here]
    return len(there) >= _FEWEST and all(any(_stands(one, degrees) for one in here) for here in there)


def _seen(one: Person) -> bool:
    parts = [LANDMARK[f"{name}.{side}"] for name in ("shoulder", "hip", "knee", "ankle") for side in "LR"]
    return float(one.landmarks[parts, 2].mean()) > _SEEN


def _stands(one: Person, degrees: int) -> bool:
    leans = (_lean(one) + degrees + 180) % 360 - 180
    shoulders = [LANDMARK["shoulder.L"], LANDMARK["shoulder.R"]]
    across = np.subtract(*one.landmarks[shoulders, :2])
    broad = np.linalg.norm(across) > _BROAD * np.linalg.norm(_middle(one.landmarks, "shoulder", "hip"))
    return bool((np.abs(leans) < _STANDING).all() and broad)


def _lean(one: Person) -> Floats:
    """How far torso and legs (2,) lean clockwise from upright, degrees."""
    up = np.stack([_middle(one.landmarks, *ends) for ends in (("shoulder", "hip"), ("hip", "ankle"))])
    return np.asarray(np.degrees(np.arctan2(up[:, 0], -up[:, 1])))


def _middle(landmarks: Array, upper: str, lower: str) -> Array:
    """From the middle of the lower pair of landmarks to that of the upper one, pixels (2,)."""
    ends = [landmarks[[LANDMARK[f"{name}.{side}"] for side in "LR"], :2].mean(0) for name in (upper, lower)]
    return np.asarray(ends[0] - ends[1])
