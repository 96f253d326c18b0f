"""Video files: what a container says, and its pictures one after the other, with their times."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from av.stream import Disposition

from ..core.arrays import Image
from ..core.clips import PICTURES_FPS
from ..core.errors import CaptureError
from .orientation import Orientation, read_orientation

#: larger pictures are scaled down to this, pixels on the longer side: the detector itself uses 256
MAX_SIDE = 1920
#: more pixels than this aren't decoded: 8K has half as many
_MOST_PIXELS = 1 << 26
#: wider or narrower pixels than this, width by height, are nonsense in a file
_PIXEL_SHAPES = (Fraction(1, 4), Fraction(4))
#: threads of a decoder: more don't make it faster beside the detector
_THREADS = 2
#: bytes that are read at once
_CHUNK = 1 << 18
#: reading goes on after damage, but not after so many failures
_MOST_FAILURES = 100
#: a longer video than this is nonsense in a file, seconds
_LONGEST = 1e6
#: times of frames that lie farther apart than this are nonsense, seconds
_LONGEST_FRAME = 3600.0
#: without a frame rate in the file, frames per second
_USUAL_FPS = 30.0
#: predicted frames are taken again this long after damage even if none was whole in itself, seconds
_HEALED = 2.0
#: a frame that comes this late is left out; one that comes later begins a new count of time, seconds
_LATE = 1.0
#: decoding begins this long before the wanted start, as seeking is inexact, seconds
RUN_UP = 1.0
#: if seeking still led beyond the start, it begins this long before, seconds
_LONGER = (4.0, 16.0)
#: a frame that comes so many intervals after the one before leaves a gap
_GAP = 1.5
#: decoders, which work on several frames at once and in another order, notice damage so many frames late
_NOTICED = 4


@dataclass(frozen=True)
class Shape:
    """How the frames of a video become pictures.

    Attributes
    ----------
    size : (int, int)
        Width and height of the upright picture, with square pixels and before any scaling down.
    stored : (int, int)
        Width and height of the pictures to be turned upright, after scaling down.
    orientation : Orientation
    """

    size: tuple[int, int]
    stored: tuple[int, int]
    orientation: Orientation

    def turned(self, degrees: int) -> Shape:
        """The same, with pictures that are turned clockwise by a multiple of 90 degrees more."""
        size = self.size if degrees % 180 == 0 else self.size[::-1]
        return replace(self, size=size, orientation=self.orientation.then(degrees))

    def picture(self, frame: av.VideoFrame) -> Image:
        """A frame as an RGB picture: upright, at most `MAX_SIDE` pixels on the longer side, read-only."""
        width, height = self.stored
        image = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="AREA")
        out = self.orientation.upright(np.ascontiguousarray(image, np.uint8))
        out.flags.writeable = False
        return out


class Footage:
    """A video file, open; `close` closes it, as does the end of a `with`.

    Parameters
    ----------
    path : Path
    fps : float, optional
        The rate if it is a single picture, which has none; None: `PICTURES_FPS`.

    Attributes
    ----------
    fps : float
        Frames per second as the file says; 0 if it doesn't, or says nonsense.
    duration : float
        Seconds; 0 likewise.
    damage : list of (float, float)
        Between which frames pictures are lost, seconds; filled by `frames`.

    Raises
    ------
    CaptureError
        If it can't be read as a video.
    """

    def __init__(self, path: Path, fps: float | None = None) -> None:
        self._path, self._asked = path, fps
        self.damage: list[tuple[float, float]] = []
        self._open()

    def _open(self) -> None:
        self._file = self._path.open("rb")
        try:
            self._open_container()
        except BaseException:
            self._file.close()
            raise

    def _open_container(self) -> None:
        try:
            self._container = av.open(
                _Nameless(self._file),
                "r",
                buffer_size=_CHUNK,
                metadata_errors="replace",
                # a list of files in the guise of a video opens none of them
                container_options={"protocol_whitelist": "none"},
            )
            stream = self._container.streams.best("video")
        except av.FFmpegError as error:
            raise self._no_video() from error
        # the cover of a song is no video
        if not isinstance(stream, av.VideoStream) or stream.disposition & Disposition.attached_pic:
            raise self._no_video()
        codec = stream.codec_context
        if codec is None or not stream.time_base:
            raise self._no_video()
        if codec.width * codec.height > _MOST_PIXELS:
            raise CaptureError(
                f"The pictures of {self._path.name}, {codec.width} x {codec.height} pixels, are too large; "
                "scale them down to 8K or less."
            )
        codec.thread_type, codec.thread_count = "AUTO", _THREADS
        codec.options = {"max_pixels": str(_MOST_PIXELS)}
        self._stream, self._base = stream, stream.time_base
        self._first = stream.start_time or 0
        self._touched = False
        fps = float(stream.average_rate or stream.guessed_rate or 0)
        self.fps = fps if 0 < fps < math.inf else 0.0
        self.duration = self._told_duration()
        if self._container.format.name.endswith("_pipe"):  # a single picture
            self.fps = self._asked or PICTURES_FPS
            self.duration = 1 / self.fps

    def _told_duration(self) -> float:
        if self._stream.duration is not None:
            seconds = float(self._stream.duration * self._base)
        elif self._container.duration is not None:
            begins = float(self._first * self._base)
            # of all streams: from the earliest one on
            seconds = (self._container.duration + (self._container.start_time or 0)) / av.time_base - begins
        else:
            seconds = 0.0
        return seconds if 0 < seconds <= _LONGEST else 0.0

    def _no_video(self) -> CaptureError:
        return CaptureError(
            f"{self._path.name} can't be read as a video: it is damaged, cut off, in a format that can't be "
            "decoded here, or no video at all; convert it to MP4 (H.264) and try again."
        )

    def __enter__(self) -> Footage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._container.close()
        self._file.close()

    def shape(self) -> Shape:
        """What its pictures are like, from its first frame.

        Raises
        ------
        CaptureError
            If not one frame can be decoded.
        """
        nothing = CaptureError(
            f"Not one frame of {self._path.name} can be decoded; convert it to MP4 (H.264) and try again."
        )
        _, frame = next(self.frames(), (0.0, None))
        if frame is None:
            raise nothing
        pixel = self._stream.sample_aspect_ratio or Fraction(1)
        if not _PIXEL_SHAPES[0] <= pixel <= _PIXEL_SHAPES[1]:
            pixel = Fraction(1)
        try:
            matrix: Any = frame.side_data.get("DISPLAYMATRIX", b"")
            orientation = read_orientation(bytes(matrix))
        except ValueError:  # PyAV doesn't know everything that lies beside pictures, but the turn it does
            orientation = Orientation(-frame.rotation % 360)
        wide, high = max(round(frame.width * pixel), 1), frame.height
        scale = min(MAX_SIDE / max(wide, high), 1.0)
        stored = max(round(wide * scale), 1), max(round(high * scale), 1)
        shape = Shape(orientation.size((wide, high)), stored, orientation)
        try:
            shape.picture(frame)
        except (av.FFmpegError, ValueError) as error:
            raise nothing from error
        return shape

    def frames(
        self, start: float = 0.0, interval: float | None = None
    ) -> Iterator[tuple[float, av.VideoFrame]]:
        """The sound frames from shortly before `start` (seconds) on, each with its time, which always grows.

        `interval` is the usual time from one to the next, seconds; None: as the file says.
        """
        interval = interval or 1 / (self.fps or _USUAL_FPS)
        wrong: list[float] = []
        # the frame before: its time, and what the file says of it
        time, said = -interval, math.inf
        shift = 0.0
        first = True
        for frame in self._from(start, wrong):
            told = self._time(frame.pts)
            now = time + interval
            if told is not None and told != said:
                if first:
                    now = told
                elif time - _LATE < told + shift <= time:  # after damage, decoders bring up old ones
                    continue
                elif time < told + shift <= time + _LONGEST_FRAME:
                    now = told + shift
                else:  # the clock was set anew
                    shift = now - told
                said = told
            # nothing is known of what was skipped before the first
            before = time if not first else 0.0 if start <= RUN_UP else now
            first = False
            reach = _NOTICED * interval
            if now - before > _GAP * interval and any(before - reach <= at <= now + reach for at in wrong):
                self.damage.append((before, now))
            wrong[:] = [at for at in wrong if at > now]
            time = now
            yield now, frame

    def _time(self, pts: int | None) -> float | None:
        """Seconds from the first frame on; None without a time, or with a nonsensical one."""
        seconds = math.inf if pts is None else float((pts - self._first) * self._base)
        return seconds if abs(seconds) <= _LONGEST else None

    def _from(self, start: float, wrong: list[float]) -> Iterator[av.VideoFrame]:
        """The frames from shortly before `start` on, see `_decoded`."""
        for run_up in (RUN_UP, *_LONGER):
            if start <= run_up:
                break
            frames = self._sought(start - run_up, wrong)
            first = next(frames, None)
            if first is not None and 0 < (self._time(first.pts) or 0) <= start:
                yield first
                yield from frames
                return
        if self._touched:  # not every format can be sought in
            self.close()
            self._open()
        yield from self._decoded(wrong)

    def _sought(self, seconds: float, wrong: list[float]) -> Iterator[av.VideoFrame]:
        self._touched = True
        try:
            self._container.seek(self._first + round(seconds / self._base), stream=self._stream)
        except av.FFmpegError:
            return
        yield from self._decoded(wrong)

    def _decoded(self, wrong: list[float]) -> Iterator[av.VideoFrame]:
        """The frames from here on that are sound; `wrong` gets the times, seconds, of those that are not.

        What follows damage was predicted from it, up to the next frame that is whole in itself.
        """
        self._touched = True
        wrong.clear()
        hurt = math.inf
        # what was decoded last: decoders tell late of damage, and some of it is shown before what was damaged
        recent = deque([0.0], maxlen=_NOTICED)
        failures = 0
        while failures < _MOST_FAILURES:
            try:
                for packet in self._container.demux(self._stream):
                    told = self._time(packet.pts)
                    recent.append(recent[-1] if told is None else told)
                    frames: list[av.VideoFrame] = []
                    sound = not packet.is_corrupt
                    try:
                        frames = packet.decode()
                    except av.FFmpegError:
                        sound = False
                    if not sound:
                        hurt = min(*recent, hurt)
                        wrong.append(recent[-1])
                    for frame in frames:
                        told = self._time(frame.pts)
                        now = recent[-1] if told is None else told
                        if frame.is_corrupt:
                            hurt = min(now, hurt)
                        elif now > hurt and (frame.key_frame or now > hurt + _HEALED):
                            hurt = math.inf
                        if now < hurt:
                            yield frame
                        else:
                            wrong.append(now)
                return
            except av.FFmpegError:  # of the container; what follows may be sound
                hurt = min(*recent, hurt)
                wrong.append(recent[-1])
                failures += 1


class _Nameless:
    """A file without its name, from which FFmpeg would guess what is in it."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell
