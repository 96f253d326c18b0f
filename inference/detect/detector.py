"""Detection over a whole video, in overlapping stretches of which several run at once."""

from __future__ import annotations

import ctypes
import itertools
import queue
import sys
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...core.arrays import Image
from ...core.options import MAX_LOOKS, MAX_THREADS, default_threads
from ..camera_motion import CameraWatch
from ..video import VideoReader
from .augmentation import Augmentation
from .landmarker import Landmarker
from .people import CROWD, Detections, Person, Progress, changed, distinct, mismatch

#: a landmarker for one person follows somebody who is alone, at half the cost; this often, in seconds, the
#: landmarker for several people searches the picture for others ...
_SEARCH_SECONDS = 1.0
#: ... and no more often than this, in frames
_SEARCH_FRAMES = 20
#: how long somebody has to be alone before the landmarker for one person takes over, seconds
_CALM_SECONDS = 1.0
#: how many times as often to search once several people were seen
_CROWDED_FACTOR = 4
#: a long video is detected in stretches of at least this many frames
_STRETCH = 360
#: how many frames a stretch begins before the previous one ends: MediaPipe's tracking has to settle
_OVERLAP = 15


def detect(
    video: VideoReader, progress: Progress | None = None, threads: int | None = None, looks: int = MAX_LOOKS
) -> Detections:
    """Find the people in every frame of `video`.

    A long video is detected in overlapping stretches, several at once. The result doesn't depend on how many
    run at once: MediaPipe's tracking depends on where it began, so each stretch begins anew in any case.

    Parameters
    ----------
    video : VideoReader
    progress : callable, optional
        Called with how many frames are done.
    threads : int, optional
        How many stretches to detect at once; None: as many as this computer's cores allow.
    looks : int
        1: detect everybody once. 2: test-time augmentation, which detects them once more in a mirrored
        picture and halves the speed.

    Raises
    ------
    CaptureError
        If the model is missing or altered, MediaPipe can't run here, or the video can't be read.
    """
    news: queue.SimpleQueue[Future[_Found] | None] = queue.SimpleQueue()
    stop = threading.Event()
    frames = 0
    threads, cuts = threads or default_threads(), _cut(video)
    with ThreadPoolExecutor(threads, "detect") as pool:
        augmentation = Augmentation(video.size, looks > 1, beside=threads >= 2 * len(cuts))
        stretches = [
            pool.submit(_detect_stretch, video, first, last, augmentation, news, stop) for first, last in cuts
        ]
        for stretch in stretches:
            stretch.add_done_callback(news.put)
        running = len(stretches)
        try:
            while running:
                done = news.get()
                if done is not None:
                    running -= 1
                    done.result()
                    continue
                frames += 1
                if progress is not None:
                    progress("detect", frames, max(video.frames, frames))
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
    _give_memory_back()
    return _joined([stretch.result() for stretch in stretches], video)


def _give_memory_back() -> None:
    """Give the system back what closed landmarkers used: glibc would keep a third of a gigabyte."""
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)


def _cut(video: VideoReader) -> list[tuple[int, int | None]]:
    """First and last frame (exclusive; None: the end) of the stretches.

    Their number grows with the video. It is a power of two and they are equally long, which spreads them
    evenly over threads.
    """
    count = 1
    while count < MAX_THREADS and video.frames >= 2 * count * _STRETCH:
        count *= 2
    starts = [round(video.frames * i / count) for i in range(count)]
    return list(itertools.zip_longest(starts, starts[1:]))


@dataclass
class _Found:
    """What was detected in a stretch and in the overlap before it."""

    camera: CameraWatch
    times: list[float] = field(default_factory=list)
    people: list[tuple[Person, ...]] = field(default_factory=list)
    #: the frame at which it ended
    frames: int = 0
    #: whether it reached the end of the stretch
    complete: bool = False
    warnings: list[str] = field(default_factory=list)


def _detect_stretch(
    video: VideoReader,
    first: int,
    last: int | None,
    augmentation: Augmentation,
    news: queue.SimpleQueue[Any],
    stop: threading.Event,
) -> _Found:
    """Detect a stretch of `video`, putting None into `news` for every frame, until `stop` is set."""
    found = _Found(CameraWatch(video.size))
    part = video.part(max(first - _OVERLAP, 0), last)
    # the next stretch begins here and goes on measuring the camera's motion
    meeting = None if last is None else last - _OVERLAP
    people: tuple[Person, ...] = ()
    with _watcher(video) as watch, augmentation.run(found.people) as confirm:
        for frame in part:
            if stop.is_set():
                return found
            if not found.times or frame.time > found.times[-1]:
                found.times.append(frame.time)
                people = watch(frame.image, frame.time)
                confirm(frame.image, people)
            if meeting is None or frame.index <= meeting:
                found.camera.observe(frame.image, frame.time, people, frame.index == meeting)
            found.frames = frame.index + 1
            if frame.index >= first:
                news.put(None)
    found.complete = found.frames == last
    found.warnings = part.warnings
    return found


def _joined(stretches: Sequence[_Found], video: VideoReader) -> Detections:
    """The stretches in a row, each from the frame at which it agrees best with the previous one."""
    whole, *others = stretches
    for found in others:
        if not whole.complete or not found.times:  # the video breaks off here
            break
        overlap = bisect_left(whole.times, found.times[0])
        here = dict(zip(whole.times[overlap:], whole.people[overlap:], strict=True))
        both = [i for i, time in enumerate(found.times) if time in here]
        start = min(both, key=lambda i: (mismatch(here[found.times[i]], found.people[i]), -i), default=0)
        end = bisect_left(whole.times, found.times[start])
        whole.times[end:], whole.people[end:] = found.times[start:], found.people[start:]
        whole.camera.go_on(found.camera)
        whole.frames, whole.complete = found.frames, found.complete
        whole.warnings += found.warnings
    return Detections(
        times=np.array(whole.times), people=tuple(whole.people), frames=whole.frames, fps=video.fps,
        start=video.start, size=video.size, warnings=(*dict.fromkeys(whole.warnings), *whole.camera.warnings),
    )  # fmt: skip


@contextmanager
def _watcher(video: VideoReader) -> Iterator[Callable[[Image, float], tuple[Person, ...]]]:
    """A function that finds the people in the next frame of `video`.

    It follows one person with a landmarker for one, and several with a landmarker for many, which searches
    the whole picture every time and costs twice as much. The latter also searches every second, and whenever
    the person disappeared, appeared or jumped: the landmarker for one may switch to a bystander unnoticed.
    """
    search_every = max(_SEARCH_SECONDS, _SEARCH_FRAMES / video.fps)
    searched = last_crowded = -np.inf
    before: tuple[Person, ...] = ()

    def watch(image: Image, time: float) -> tuple[Person, ...]:
        nonlocal searched, last_crowded, before
        alone = time - last_crowded > _CALM_SECONDS
        people = single.find(image, time) if alone else ()
        due = searched + (search_every / _CROWDED_FACTOR if np.isfinite(last_crowded) else search_every)
        if not alone or time >= due or changed(before, people):
            searched = time
            everybody = distinct(crowd.find(image, time))
            if len(everybody) > 1:
                last_crowded = time
            if not alone or len(everybody) > len(people):
                people = everybody
        before = people
        return people

    with closing(Landmarker(1, video.size)) as single, closing(Landmarker(CROWD, video.size)) as crowd:
        yield watch
