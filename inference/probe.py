"""Probing a video before it is captured: its properties, and what will be hard to capture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch

from ..core.arrays import Image
from ..core.colours import LEFT
from ..core.errors import CaptureError
from ..core.files import replacing
from ..core.landmarks import LANDMARK, TORSO
from ..core.options import Settings
from .camera_motion import FEWEST, SIDE, background_points, followed, small_grey
from .detect.follower import networks_of, people_in
from .detect.people import Person
from .sideways import stood_up
from .video import VideoReader

#: moments that are sampled, as shares of the length
_MOMENTS = (0.1, 0.35, 0.6, 0.85)
#: frame rate of the pair of frames that is read at each moment
_PAIR_FPS = 5.0
#: a person is small if nose to toes are less than this, as a share of the picture's height
_SMALL = 0.25
#: a person is cut off if they are whole in at most this share of the samples
_WHOLE = 0.5
#: a second person counts if they are at least this tall, as a share of the tallest one's height
_COMPANION = 0.4
#: the camera moves if the background shifts by more than this from frame to frame, as a share of the
#: picture's longer side
_SHIFT = 0.005
#: so many discs with numbers fit into half of a still's longer side
_DISCS = 45
#: landmarks at the ends of a person
_ENDS = [LANDMARK["nose"], LANDMARK["foot_index.L"], LANDMARK["foot_index.R"]]


@dataclass(frozen=True)
class Probe:
    """The properties of a video.

    Attributes
    ----------
    frames : int
        Number of frames at its own rate; 0 if the file doesn't tell.
    fps : float
        Frames per second.
    width, height : int
        Of the upright picture, pixels.
    seconds : float
        Length; 0 if the file doesn't tell.
    advice : str
        A sentence that names the one thing that would help most; empty if nothing would.
    """

    frames: int
    fps: float
    width: int
    height: int
    seconds: float
    advice: str


def probe(video: Path, turn: str = Settings.turn) -> Probe:
    """Examine a few frames of a video, turned as the option ``turn`` of `Settings` asks.

    Raises
    ------
    CaptureError
        If it can't be read.
    """
    reader, said = stood_up(VideoReader(video), turn)
    seconds = reader.frames / reader.fps
    pairs: list[list[Image]] = []
    try:
        for share in _MOMENTS:
            pairs.append(_frames(video, seconds * share, 2, reader.turned_by))
        breaks_off = False
    except CaptureError:  # the file could be opened, so it is shorter than it says: use what there is
        pairs = pairs or [_frames(video, 0.0, 2, reader.turned_by)]
        breaks_off = True
    with networks_of(Settings.quality, torch.device("cpu")) as networks:
        people = people_in([pair[0] for pair in pairs], reader.size, networks)
    shifts = [
        _shift(pair[0], pair[1], here, reader.size)
        for pair, here in zip(pairs, people, strict=True)
        if len(pair) > 1
    ]
    advice = " ".join(said) or _advice(people, shifts, reader.size)
    if breaks_off:
        advice = "The file breaks off early: what can be decoded is captured; copy or record it again."
    return Probe(reader.frames, reader.fps, *reader.size, round(seconds, 3), advice)


def save_still(video: Path, time: float, path: Path, turn: str = Settings.turn) -> list[tuple[float, float]]:
    """Save the picture shown at a `time` (seconds) of a video as a PNG, turned as in `probe`.

    Everybody in it gets a number: 1 is the largest.

    Returns
    -------
    list of (x, y)
        Where the people are, pixels, in the order of their numbers.

    Raises
    ------
    CaptureError
        If the video can't be read, or `path` can't be written.
    """
    reader, _ = stood_up(VideoReader(video), turn)
    (image,) = _frames(video, time, 1, reader.turned_by)
    with networks_of("quick", torch.device("cpu")) as networks:
        ((*people,),) = people_in([image], reader.size, networks)
    people.sort(key=lambda one: -float(np.ptp(one.landmarks[:, 1])))
    image = image.copy()
    for number, person in enumerate(people, 1):
        _draw_number(image, number, person)
    save_png(image, path)
    middles = [one.landmarks[TORSO, :2].mean(axis=0) for one in people]
    return [(float(x), float(y)) for x, y in middles]


def save_png(image: Image, path: Path) -> None:
    """Save a picture as a PNG.

    Raises
    ------
    CaptureError
        If `path` can't be written.
    """
    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise CaptureError(f"{path.name} can't be encoded as a PNG.")
    with replacing(path) as temporary:
        temporary.write_bytes(data.tobytes())


def _draw_number(image: Image, number: int, person: Person) -> None:
    """Draw a number on a disc over a person's head, inside the picture."""
    height, width = image.shape[:2]
    radius = max(height, width) // _DISCS
    x, y = int(person.landmarks[LANDMARK["nose"], 0]), int(person.landmarks[:, 1].min()) - 2 * radius
    middle = (min(max(x, radius), width - radius), min(max(y, radius), height - radius))
    cv2.circle(image, middle, radius, LEFT, cv2.FILLED, cv2.LINE_AA)
    scale, font = radius / 16, cv2.FONT_HERSHEY_SIMPLEX
    (wide, high), _ = cv2.getTextSize(str(number), font, scale, 2)
    at = (middle[0] - wide // 2, middle[1] + high // 2)
    cv2.putText(image, str(number), at, font, scale, (255, 255, 255), 2, cv2.LINE_AA)


def _frames(video: Path, time: float, count: int, turn: int) -> list[Image]:
    reader = VideoReader(video, time, fps=_PAIR_FPS).turned(turn)
    return [frame.image for frame in islice(reader, count)]


def _shift(first: Image, second: Image, people: Sequence[Person], size: tuple[int, int]) -> float:
    """How far the background moved, as a share of the longer side; NaN if too few points show it."""
    before, after = small_grey(first), small_grey(second)
    starts, ends = followed(before, after, background_points(before, people, size))
    if len(starts) < FEWEST:
        return float("nan")
    return float(np.linalg.norm(np.median(ends - starts, axis=0))) / SIDE


def _advice(people: Sequence[Sequence[Person]], shifts: Sequence[float], size: tuple[int, int]) -> str:
    heights = [sorted((np.ptp(p.landmarks[:, 1]) / size[1] for p in here), reverse=True) for here in people]
    seen = [here for here in heights if here]
    if not seen:
        return "Nobody was found at a glance: film one whole person, well lit and not too far away."
    if sum(len(here) > 1 and here[1] > _COMPANION * here[0] for here in heights) > 1:
        return "Several people are in the picture: say below whom to follow."
    largest = [max(here, key=lambda p: float(np.ptp(p.landmarks[:, 1]))) for here in people if here]
    # visibility is 0 outside the picture
    whole = np.mean([(one.landmarks[_ENDS, 2] > 0).all() for one in largest])
    if whole <= _WHOLE:
        return "The person is cut off: keep the whole body in the picture, feet included."
    if np.median([here[0] for here in seen]) < _SMALL:
        return "The person is small: film closer, filling half of the picture's height or more."
    known = [shift for shift in shifts if np.isfinite(shift)]
    if known and np.median(known) > _SHIFT:
        return "The camera moves: put it on a tripod or a table."
    return ""
