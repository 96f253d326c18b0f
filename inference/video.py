"""Reading videos: a stream of upright frames with their times, at a steady rate."""

from __future__ import annotations

import copy
import math
import os
import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.arrays import Image

# OpenCV reads this when it first opens a video. FFmpeg's messages about damaged files are silenced: a
# CaptureError says it instead
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import cv2
import numpy as np

from ..core.capture import Source
from ..core.errors import CaptureError, UnsoundError
from ..core.option import options_of
from ..core.options import Settings, check_options

cv2.setLogLevel(0)

#: larger pictures are scaled down to this, pixels on the longer side: the detector itself uses 256
MAX_SIDE = 1920
#: how many frames are decoded ahead
_AHEAD = 4
MIN_FPS, MAX_FPS = options_of(Settings)["fps"].limits
#: a container that claims a higher rate is checked against the times of its frames: browsers record WebM at
#: "1000 fps"
_CREDIBLE_FPS = 120.0
#: decoding begins this long before the wanted start, as seeking is inexact, seconds
_RUN_UP = 1.0
#: if seeking still led beyond the start, it begins this long before, seconds
_LONGER = (4.0, 16.0)


@dataclass(frozen=True)
class Frame:
    """One frame of a `VideoReader`.

    Attributes
    ----------
    index : int
        Its number at the steady rate; consecutive.
    time : float
        When it was filmed, seconds from the start of the video. A video with a lower rate repeats frames,
        with the same time.
    image : (h, w, 3) uint8
        RGB, upright, at most `MAX_SIDE` pixels on the longer side; read-only, as frames may share it.
    """

    index: int
    time: float
    image: Image


class VideoReader:
    """A video, or a stretch of it, at a steady rate; iterating yields each `Frame`.

    Frame i is the one filmed nearest to the time ``start + i / fps``, so that variable frame rates keep their
    timing. A thread decodes a few frames ahead; no others are in memory.

    Parameters
    ----------
    path : Path
        The video.
    start, end : float, seconds
        The stretch that is read; `end` is exclusive, None: to the end of the video.
    fps : float, optional
        The steady rate, `MIN_FPS` to `MAX_FPS` frames per second; None: the average of the video.

    Attributes
    ----------
    size : (int, int)
        Width and height of the upright picture in pixels, before any scaling down.
    turn : int
        Degrees, clockwise, by which its pictures were turned to stand upright, as the file notes.
    frames : int
        How many frames there will be; 0 if the file doesn't tell.
    warnings : list of str
        What was wrong with the file; filled while it is read.

    Raises
    ------
    CaptureError
        If the file can't be read as a video, or the stretch doesn't lie in it.
    """

    def __init__(
        self, path: Path, start: float = 0.0, end: float | None = None, fps: float | None = None
    ) -> None:
        """Open the file and decode its first frame."""
        check_options(Settings(start=start, end=end, fps=fps))
        _check_file(path)
        self.path, self.start, self.end = path, float(start), end
        self.warnings: list[str] = []
        capture = self._open()
        try:
            ok, image = capture.read()
            if not ok:
                raise CaptureError(
                    f"Not one frame of {path.name} can be decoded; convert it to MP4 (H.264) and try again."
                )
            self.size: tuple[int, int] = (image.shape[1], image.shape[0])
            claimed = capture.get(cv2.CAP_PROP_FPS)
            count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
            self.turn = round(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360
            credible = MIN_FPS <= claimed <= _CREDIBLE_FPS
            self._source_fps = claimed if credible else _measured_fps(capture, claimed)
        finally:
            capture.release()
        #: seconds; 0 if the container doesn't tell
        self._duration = count / claimed if count > 0 and claimed > 0 else 0.0
        if self._duration and self.start >= self._duration:
            raise self._beyond_end(self._duration)
        self.fps = float(fps or np.clip(self._source_fps, MIN_FPS, MAX_FPS))
        stop = min(self._duration, math.inf if end is None else end)
        self.frames = max(round((stop - self.start) * self.fps), 1) if stop > 0 else 0
        self._first, self._last = 0, math.inf

    def part(self, first: int, last: int | None = None) -> VideoReader:
        """A reader of the frames from `first` up to `last` (exclusive; None: to the end); indices stay.

        It yields nothing if the video breaks off before. It has warnings of its own.
        """
        part = copy.copy(self)
        part._first, part._last, part.warnings = first, math.inf if last is None else last, []
        return part

    def __iter__(self) -> Iterator[Frame]:
        return _ahead(self._decode())

    def _open(self) -> cv2.VideoCapture:
        # an absolute path: FFmpeg takes a word before a colon for a protocol
        capture = cv2.VideoCapture(str(self.path.resolve()), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise CaptureError(
                f"{self.path.name} can't be read as a video: it is damaged, cut off, in a format that can't "
                "be decoded here, or no video at all; convert it to MP4 (H.264) and try again."
            )
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        return capture

    def _beyond_end(self, length: float) -> CaptureError:
        return CaptureError(
            f"The start, {self.start:g} s, lies beyond the end of {self.path.name}, which is {length:.1f} s "
            "long; choose an earlier one."
        )

    def _grabbed(self, start: float) -> Iterator[tuple[float, cv2.VideoCapture]]:
        """Times of the video's frames from shortly before `start` on, each grabbed but not yet converted."""
        capture = self._open()
        try:
            time = -math.inf
            for run_up in (_RUN_UP, *_LONGER):
                if start <= run_up:
                    break
                capture.set(cv2.CAP_PROP_POS_MSEC, 1000 * (start - run_up))
                # streams without times report 0
                if capture.grab() and 0 < (now := capture.get(cv2.CAP_PROP_POS_MSEC)) <= 1000 * start:
                    time = now / 1000
                    yield time, capture
                    break
            if start > _RUN_UP and time < 0:  # seeking failed: read from the beginning
                capture.release()
                capture = self._open()
            while capture.grab():
                now = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                # streams without times report 0 throughout
                time = now if now > time else time + 1 / self._source_fps
                yield time, capture
        finally:
            capture.release()

    def _decode(self) -> Iterator[Frame]:
        interval, start = 1 / self._source_fps, self.start + self._first / self.fps
        # the frame nearest to the first time may already be the nearest to an earlier one
        index = self._first - round(min(start, _RUN_UP) * self.fps)
        held: tuple[float, Image] | None = None
        time = 0.0

        def wanted() -> float:
            return self.start + index / self.fps

        def ended() -> bool:
            return index >= self._last or (self.end is not None and wanted() >= self.end - 1e-6)

        for time, capture in self._grabbed(start):
            while held is not None and wanted() < (held[0] + time) / 2 and not ended():
                if index >= self._first:
                    yield Frame(index, *held)
                index += 1
            if ended():
                return
            if time < wanted() - interval:  # the next frame is nearer: don't convert this one
                held = None
                continue
            ok, image = capture.retrieve()
            if ok:
                held = time, _prepared(image)
        # the last frame stands for a quarter of an interval more, as containers round times; an only frame
        # stands for a whole one
        while held is not None and not ended():
            if wanted() > held[0] + (0.25 * min(1 / self.fps, interval) if index > 0 else interval):
                break
            if index >= self._first:
                yield Frame(index, *held)
            index += 1
        if index <= 0:
            raise self._beyond_end(time + interval)
        decoded = time + interval
        if not ended() and self._duration - decoded > max(3 * interval, 0.02 * self._duration):
            self.warnings.append(
                f"{self.path.name} breaks off after {decoded:.1f} of {self._duration:.1f} s; "
                "what could be decoded was captured."
            )


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise CaptureError(f"{path} is a folder; choose a video file in it.")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError as error:
        raise CaptureError(f"There is no file {path}; check the spelling of its name and folder.") from error
    except OSError as error:
        raise CaptureError(f"{path} can't be read: {error.strerror or error}.") from error
    if empty:
        raise CaptureError(f"{path.name} is empty (0 bytes); copy or record it again.")
    try:
        Source(path.name, str(path.absolute().parent))
    except UnsoundError as error:
        raise CaptureError(
            f"The path {str(path)!a} has characters that can't be shown; rename the video or its folder."
        ) from error


def _measured_fps(capture: cv2.VideoCapture, claimed: float) -> float:
    """Frames per second, from the times of the next frames."""
    times: list[float] = []
    while len(times) < 30 and capture.grab():
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    if len(times) > 1 and times[-1] > times[0]:
        return (len(times) - 1) / (times[-1] - times[0])
    return claimed if claimed > 0 else 30.0


def _prepared(image: Any) -> Image:
    scale = MAX_SIDE / max(image.shape[:2])
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    out: Image = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
    out.flags.writeable = False
    return out


def _ahead(frames: Iterator[Frame]) -> Iterator[Frame]:
    """The same frames, from a thread that keeps a few ready (decoding releases the GIL)."""
    ready: queue.Queue[Frame | BaseException | None] = queue.Queue(maxsize=_AHEAD)
    stop = threading.Event()

    def put(item: Frame | BaseException | None) -> bool:
        while not stop.is_set():
            with suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return True
        return False

    def work() -> None:
        try:
            for frame in frames:
                if not put(frame):
                    return
            put(None)
        except Exception as error:  # noqa: BLE001 - raised again where the frame is awaited
            put(error)

    thread = threading.Thread(target=work, name="decode", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
