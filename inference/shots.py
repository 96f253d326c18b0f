"""Cuts: where a video goes on with another shot, which has nothing to do with the one before."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import av
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..core.arrays import Array, Floats, Indices
from .detect.people import Progress
from .video import VideoReader

#: width and height of the pictures that are compared, pixels
_SIDE = 32
#: levels of each colour in their histograms
_LEVELS = 6
#: least difference between the pictures before and after a cut, 0 to 1 ...
_DIFFERENT = 0.08
#: ... if their colours differ by this, 0 to 1; otherwise the pictures differ by twice as much
_COLOURS = 0.2
#: a cut changes the picture so many times as much as frames nearby do
_STANDS_OUT = 3.0
#: frames before, and after, that are nearby
_NEARBY = 8
#: share of them that changes less than what counts: there may be other cuts, and flashes
_MOST = 80
#: so many frames before a cut have nothing to do with those after it; a flash comes and goes
_STAYS = 6
#: shots that are shorter aren't told apart from the one before, seconds
_SHORTEST = 0.4


def shots_of(video: VideoReader, progress: Progress | None = None) -> list[VideoReader]:
    """A reader for each shot of a video.

    Raises
    ------
    CaptureError
        If it can't be read.
    """
    count = video.frames

    def seen(frames: int) -> None:
        if progress is not None:
            progress("shots", min(frames, count) or frames, max(count, 1))

    # the first frame that shows the next shot
    times = cuts(video.stored(), seen)
    if progress is not None:
        progress("shots", max(count, 1), max(count, 1))
    firsts = [math.ceil((time - video.start) * video.fps - 1e-6) for time in times]
    ends: list[int | None] = [*firsts, None]
    return [video.shot(first, end) for first, end in zip([0, *firsts], ends, strict=True)]


def cuts(frames: Iterable[tuple[float, av.VideoFrame]], seen: Callable[[int], None]) -> list[float]:
    """Between which frames a video cuts: the times in the middle, seconds.

    Parameters
    ----------
    frames : iterable
        Of a stretch of the video, with their times.
    seen : callable
        Called with how many frames are done.
    """
    times: list[float] = []
    # how far each frame is from the next, and how far at least the frames around are, in colours as well
    steps: list[float] = []
    came: list[tuple[float, float]] = []
    went: list[tuple[float, float]] = []
    window: deque[tuple[Array, Array]] = deque(maxlen=_STAYS + 1)

    def nearest(one: tuple[Array, Array], others: Sequence[tuple[Array, Array]]) -> tuple[float, float]:
        apart = [[_apart(a, b) for a, b in zip(one, other, strict=True)] for other in others]
        return min(pair[0] for pair in apart), min(pair[1] for pair in apart)

    for time, frame in frames:
        picture = frame.to_ndarray(format="rgb24", width=_SIDE, height=_SIDE, interpolation="AREA")
        window.append((picture.astype(np.float32) / (255 * picture.size), _histogram(picture)))
        *before, now = window
        if before:
            steps.append(_apart(now[0], before[-1][0]))
            came.append(nearest(now, before))
        times.append(time)
        if len(before) == _STAYS:
            went.append(nearest(before[0], [*before[1:], now]))
        seen(len(times))
    rest = list(window)[1 if len(window) > _STAYS else 0 :]
    went += [nearest(one, rest[at + 1 :]) for at, one in enumerate(rest[:-1])]
    stays = np.minimum(np.reshape(came, (-1, 2)), np.reshape(went, (-1, 2)))
    found: list[float] = []
    for at in _standing_out(np.array(steps), stays):
        time = (times[at] + times[at + 1]) / 2
        if time - (found[-1] if found else times[0]) >= _SHORTEST and times[-1] - time >= _SHORTEST:
            found.append(time)
    return found


def _standing_out(steps: Floats, stays: Floats) -> Indices:
    """After which frames there is a cut, from `steps` (N,) and `stays` (N, 2)."""
    if not len(steps):
        return np.zeros(0, np.intp)
    padded = np.pad(steps, _NEARBY, constant_values=np.nan)
    nearby = sliding_window_view(padded, 2 * _NEARBY + 1).copy()
    nearby[:, _NEARBY] = np.nan
    nearby[np.isnan(nearby).all(1)] = 0.0
    usual = np.nanpercentile(nearby, _MOST, axis=1)
    picture, colours = stays.T
    other = (picture > _DIFFERENT) & ((colours > _COLOURS) | (picture > 2 * _DIFFERENT))
    return np.flatnonzero(other & (steps > _STANDS_OUT * usual))


def _apart(one: Array, other: Array) -> float:
    return float(np.abs(one - other).sum())


def _histogram(picture: Array) -> Array:
    """Shares of colours (levels ** 3,); two of them are at most 1 apart."""
    levels = picture.astype(np.intp) * _LEVELS // 256
    kinds = levels @ np.array([_LEVELS**2, _LEVELS, 1])
    return np.asarray(np.bincount(kinds.ravel(), minlength=_LEVELS**3) / (2 * kinds.size))
