"""Detection over a whole video, in overlapping stretches of which several run at once."""

from __future__ import annotations

import ctypes
import itertools
import queue
import sys
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from ...core.options import MAX_THREADS, Settings, default_threads
from ..camera_turns import Background
from ..video import VideoReader
from .follower import Follower, Networks, networks_of
from .people import Detections, Person, Progress, mismatch, same

#: a long video is detected in stretches of at least this many frames
_STRETCH = 120
#: how many frames a stretch begins before the previous one ends: people who are found late are followed back
_OVERLAP = 10
#: the same on a GPU ...
_GPU_STRETCH = 60
#: ... of which so many at most are detected at once
_GPU_STRETCHES = 16
_CPU = torch.device("cpu")
_Networks = Callable[[], AbstractContextManager[Networks]]


def detect(
    video: VideoReader,
    progress: Progress | None = None,
    threads: int | None = None,
    quality: str = Settings.quality,
    device: torch.device = _CPU,
) -> Detections:
    """Find the people in every frame of `video`.

    A long video is detected in overlapping stretches, several at once. The result doesn't depend on how many
    run at once: what is found depends on the frames before, so each stretch begins anew in any case.

    Parameters
    ----------
    video : VideoReader
    progress : callable, optional
        Called with how many frames are done.
    threads : int, optional
        How many stretches to detect at once; None: as many as this computer's cores allow.
    quality : str
        See `Settings`.
    device : torch.device
        Where the networks run.

    Raises
    ------
    CaptureError
        If the model is missing or altered, MediaPipe can't run here, or the video can't be read.
    """
    try:
        return _detected(video, progress, threads, quality, device)
    except torch.OutOfMemoryError:
        found = _detected(video, progress, threads, quality, _CPU)
        said = (
            "The GPU ran out of memory, so people were looked for on the processor; close other programs "
            "that use the GPU, or choose the device cpu."
        )
        return replace(found, warnings=(said, *found.warnings))


def _detected(
    video: VideoReader, progress: Progress | None, threads: int | None, quality: str, device: torch.device
) -> Detections:
    """See `detect`; runs out of memory where the GPU does."""
    news: queue.SimpleQueue[Future[_Found] | None] = queue.SimpleQueue()
    stop = threading.Event()
    frames = 0
    networks: _Networks = partial(networks_of, quality, device)
    with ExitStack() as stack:
        if device.type == "cpu":
            cuts = _cut(video, MAX_THREADS, _STRETCH)
            threads = threads or default_threads()
        else:  # all stretches at once share the networks, so that their crops are one batch
            cuts = _cut(video, _GPU_STRETCHES, _GPU_STRETCH)
            threads = len(cuts)
            shared = stack.enter_context(networks())
            networks = partial(_kept, shared)
        with ThreadPoolExecutor(threads, "detect") as pool:
            stretches = [
                pool.submit(_detect_stretch, video, first, last, networks, news, stop) for first, last in cuts
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


def _kept(networks: Networks) -> AbstractContextManager[Networks]:
    """Networks that aren't released afterwards."""
    return nullcontext(networks)


def _give_memory_back() -> None:
    """Give the system back what closed networks used: glibc would keep a third of a gigabyte."""
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)


def _cut(video: VideoReader, most: int, shortest: int) -> list[tuple[int, int | None]]:
    """First and last frame (exclusive; None: the end) of at most so many stretches, none too short.

    Their number grows with the video. It is a power of two and they are equally long, which spreads them
    evenly over threads.
    """
    count = 1
    while count < most and video.frames >= 2 * count * shortest:
        count *= 2
    starts = [round(video.frames * i / count) for i in range(count)]
    return list(itertools.zip_longest(starts, starts[1:]))


@dataclass
class _Found:
    """What was detected in a stretch and in the overlap before it."""

    background: Background
    times: list[float] = field(default_factory=list)
    people: list[list[Person]] = field(default_factory=list)
    #: the frame at which it ended
    frames: int = 0
    #: whether it reached the end of the stretch
    complete: bool = False
    warnings: list[str] = field(default_factory=list)


def _detect_stretch(
    video: VideoReader,
    first: int,
    last: int | None,
    networks: _Networks,
    news: queue.SimpleQueue[Any],
    stop: threading.Event,
) -> _Found:
    """Detect a stretch of `video`, putting None into `news` for every frame, until `stop` is set."""
    found = _Found(Background(video.size))
    part = video.part(max(first - _OVERLAP, 0), last)
    # the next stretch begins here and goes on following the background
    meeting = None if last is None else last - _OVERLAP
    with networks() as (finder, poses):
        follower = Follower(finder, poses, video.size)
        for frame in part:
            if stop.is_set():
                return found
            if not found.times or frame.time > found.times[-1]:
                found.times.append(frame.time)
                found.people.append(follower.see(frame.image, frame.time))
            if meeting is None or frame.index <= meeting:
                found.background.observe(frame.image, frame.time, found.people[-1], frame.index == meeting)
            found.frames = frame.index + 1
            if frame.index >= first:
                news.put(None)
        found.people = [
            [person for person in people if person.trail not in follower.doubted] for people in found.people
        ]
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
        _name(found, [(here[found.times[i]], found.people[i]) for i in both], whole)
        start = min(both, key=lambda i: (mismatch(here[found.times[i]], found.people[i]), -i), default=0)
        end = bisect_left(whole.times, found.times[start])
        whole.times[end:], whole.people[end:] = found.times[start:], found.people[start:]
        whole.background.go_on(found.background)
        whole.frames, whole.complete = found.frames, found.complete
        whole.warnings += found.warnings
    return Detections(
        times=np.array(whole.times), people=tuple(map(tuple, whole.people)), frames=whole.frames,
        fps=video.fps, start=video.start, size=video.size,
        warnings=tuple(dict.fromkeys(whole.warnings)), background=whole.background,
    )  # fmt: skip


def _name(found: _Found, both: Sequence[tuple[list[Person], list[Person]]], whole: _Found) -> None:
    """Give people in a stretch the trails that they have in the one before, and others trails of their own.

    `both` has the people of the frames that are in both, before and in the stretch.
    """
    votes = Counter(
        (new.trail, old.trail)
        for before, now in both
        for new in now
        for old in before
        if same(new.landmarks, old.landmarks)
    )
    names: dict[int, int] = {}
    for (new, old), _ in votes.most_common():
        if new not in names and old not in names.values():
            names[new] = old
    free = 1 + max((person.trail for people in whole.people for person in people), default=-1)
    own = {person.trail for people in found.people for person in people}
    names |= {trail: free + i for i, trail in enumerate(sorted(own - names.keys()))}
    found.people = [[replace(one, trail=names[one.trail]) for one in people] for people in found.people]
