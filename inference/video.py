"""Reading videos: a stream of upright frames with their times, at a steady rate."""

from __future__ import annotations

import copy
import math
import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av
import numpy as np

from ..core.arrays import Image
from ..core.capture import Source
from ..core.clips import patterns_in, pictures_of
from ..core.errors import CaptureError, UnsoundError
from ..core.option import options_of
from ..core.options import Settings, check_options
from .footage import RUN_UP, Footage
from .pictures import Pictures

#: how many frames are decoded ahead
_AHEAD = 4
MIN_FPS, MAX_FPS = options_of(Settings)["fps"].limits
#: a container that claims a higher rate is checked against the times of its frames: browsers record WebM at
#: "1000 fps"
_CREDIBLE_FPS = 120.0
#: frames of which the rate is measured
_MEASURED = 30
#: more frames than this are not read in one go: two hours at 60 frames per second
_MOST_FRAMES = 432_000
#: a warning names so many damaged stretches
_NAMED = 5


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
        RGB, upright, at most `footage.MAX_SIDE` pixels on the longer side; read-only, as frames may share it.
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
        The video or a picture; numbered pictures by their pattern (``walk_%04d.png``), or by their folder if
        no others lie there.
    start, end : float, seconds
        The stretch that is read; `end` is exclusive, None: to the end of the video.
    fps : float, optional
        The steady rate, `MIN_FPS` to `MAX_FPS` frames per second; None: the average of the video. Pictures
        have this rate themselves; None: `clips.PICTURES_FPS`.

    Attributes
    ----------
    size : (int, int)
        Width and height of the upright picture in pixels, before any scaling down.
    turn : int
        Degrees, clockwise, by which its pictures are turned to stand upright, as the file notes ...
    mirrored : bool
        ... and whether left and right are exchanged then.
    turned_by : int
        Degrees, clockwise, by which they are turned at last, see `turned`.
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
        path = _checked(path)
        self.path, self._asked, self.start, self.end = path, fps, float(start), end
        self.warnings: list[str] = []
        try:
            with self._opened() as footage:
                self._shape = footage.shape()
                credible = MIN_FPS <= footage.fps <= _CREDIBLE_FPS
                self._source_fps = footage.fps if credible else _measured_fps(footage)
                #: seconds; 0 if the container doesn't tell
                self._duration = footage.duration
        except OSError as error:
            raise _unreadable(path, error) from error
        self.size = self._shape.size
        self.turned_by = 0
        self.turn, self.mirrored = self._shape.orientation.turn, self._shape.orientation.mirrored
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

    def turned(self, degrees: int) -> VideoReader:
        """A reader of the same frames, turned clockwise by a multiple of 90 degrees more."""
        turned = copy.copy(self)
        turned._shape = self._shape.turned(degrees)
        turned.size, turned.turned_by = turned._shape.size, (self.turned_by + degrees) % 360
        return turned

    def shot(self, first: int, last: int | None) -> VideoReader:
        """A reader of the frames from `first` up to `last` (exclusive; None: to the end), counted anew."""
        shot = copy.copy(self)
        shot.start, shot.warnings = self.start + first / self.fps, []
        if last is not None:
            shot.end = self.start + last / self.fps
        shot.frames = max((self.frames if last is None else last) - first, 0)
        return shot

    def stored(self) -> Iterator[tuple[float, av.VideoFrame]]:
        """The frames of the stretch as they are in the file, each once, with their times.

        Raises
        ------
        CaptureError
            If it can't be read.
        """
        interval = 1 / self._source_fps
        try:
            with self._opened() as footage:
                for time, frame in footage.frames(self.start, interval):
                    if self.end is not None and time > self.end:
                        break
                    if time >= self.start - interval:
                        yield time, frame
        except OSError as error:
            raise _unreadable(self.path, error) from error

    def __iter__(self) -> Iterator[Frame]:
        return _ahead(self._decode())

    def _beyond_end(self, length: float) -> CaptureError:
        return CaptureError(
            f"The start, {self.start:g} s, lies beyond the end of {self.path.name}, which is {length:.1f} s "
            "long; choose an earlier one."
        )

    def _opened(self) -> Footage | Pictures:
        return (Footage if self.path.is_file() else Pictures)(self.path, self._asked)

    def _decode(self) -> Generator[Frame, None, None]:
        if self.frames > _MOST_FRAMES:
            raise self._too_long()
        try:
            with self._opened() as footage:
                yield from self._steady(footage)
        except OSError as error:
            raise _unreadable(self.path, error) from error

    def _steady(self, footage: Footage | Pictures) -> Iterator[Frame]:
        interval, start = 1 / self._source_fps, self.start + self._first / self.fps
        # the frame nearest to the first time may already be the nearest to an earlier one
        index = self._first - round(min(start, RUN_UP) * self.fps)
        held: tuple[float, Image] | None = None
        time = 0.0

        def wanted() -> float:
            return self.start + index / self.fps

        def ended() -> bool:
            return index >= self._last or (self.end is not None and wanted() >= self.end - 1e-6)

        for time, frame in footage.frames(start, interval):
            while held is not None and wanted() < (held[0] + time) / 2 and not ended():
                if index >= self._first:
                    yield Frame(index, *held)
                index += 1
            if index > _MOST_FRAMES:
                raise self._too_long()
            if ended():
                break
            # if the next frame is nearer, this one isn't converted
            held = None if time < wanted() - interval else (time, self._shape.picture(frame))
        lost = [(before, after) for before, after in footage.damage if after > start]
        if lost:
            shown = [f"{before:.2f} to {after:.2f} s" for before, after in lost[:_NAMED]]
            more = f" and {len(lost) - _NAMED} more times" if len(lost) > _NAMED else ""
            self.warnings.append(
                f"Pictures of {self.path.name} are damaged or missing from {', '.join(shown)}{more}; "
                "the motion there is bridged."
            )
        # the last frame stands for a quarter of an interval more, as containers round times; an only frame
        # stands for a whole one
        while held is not None and not ended():
            if wanted() > held[0] + (0.25 * min(1 / self.fps, interval) if index > 0 else interval):
                break
            if index >= self._first:
                yield Frame(index, *held)
            index += 1
        if index <= 0 and not ended():
            raise self._beyond_end(time + interval)
        decoded = time + interval
        if not ended() and self._duration - decoded > max(3 * interval, 0.02 * self._duration):
            self.warnings.append(
                f"{self.path.name} breaks off after {decoded:.1f} of {self._duration:.1f} s; "
                "what could be decoded was captured."
            )

    def _too_long(self) -> CaptureError:
        return CaptureError(
            f"{self.path.name} has more than {_MOST_FRAMES} frames; capture a shorter stretch of it, or at a "
            "lower rate."
        )


def _checked(path: Path) -> Path:
    """The path of a video or of a picture, or the pattern of numbered ones, which a folder may stand for."""
    try:
        if path.is_dir():
            patterns = patterns_in(path)
            if len(patterns) > 1:
                raise CaptureError(
                    f"There are several sequences of pictures in {path}: choose one of "
                    f"{', '.join(pattern.name for pattern in patterns[:_NAMED])}."
                )
            if not patterns:
                raise CaptureError(
                    f"{path} is a folder without numbered pictures; choose a video file in it."
                )
            (path,) = patterns
        pictures = pictures_of(path)
        with (pictures[0][1] if pictures else path).open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError as error:
        raise CaptureError(f"There is no file {path}; check the spelling of its name and folder.") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    if empty:
        raise CaptureError(f"{path.name} is empty (0 bytes); copy or record it again.")
    try:
        Source(path.name, str(path.absolute().parent))
    except UnsoundError as error:
        raise CaptureError(
            f"The path {str(path)!a} has characters that can't be shown; rename the video or its folder."
        ) from error
    return path


def _unreadable(path: Path, error: OSError) -> CaptureError:
    return CaptureError(f"{path} can't be read: {error.strerror or error}.")


def _measured_fps(footage: Footage | Pictures) -> float:
    """Frames per second, from the times of the first frames."""
    times = [time for time, _ in islice(footage.frames(), _MEASURED)]
    if len(times) > 1:
        return (len(times) - 1) / (times[-1] - times[0])
    return footage.fps or MIN_FPS


def _ahead(frames: Generator[Frame, None, None]) -> Iterator[Frame]:
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
            with closing(frames):
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
