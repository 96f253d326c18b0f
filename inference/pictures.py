"""Numbered pictures, read as `footage.Footage` reads a video."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av

from ..core.clips import PICTURES_FPS, pictures_of
from ..core.errors import CaptureError
from .footage import RUN_UP, Footage, Shape


class Pictures:
    """The pictures that a pattern stands for; for everything else see `Footage`.

    A number that is missing, or a picture that can't be read, leaves a gap.

    Parameters
    ----------
    pattern : Path
        Such as ``walk_%04d.png``.
    fps : float, optional
        How many there are for a second; None: `PICTURES_FPS`.

    Raises
    ------
    CaptureError
        If there are none.
    """

    def __init__(self, pattern: Path, fps: float | None) -> None:
        self._pattern, self.fps = pattern, fps or PICTURES_FPS
        numbered = pictures_of(pattern)
        if not numbered:
            raise CaptureError(f"There is no file {pattern}; check the spelling of its name and folder.")
        first = numbered[0][0]
        self._pictures = [((number - first) / self.fps, path) for number, path in numbered]
        self.duration = self._pictures[-1][0] + 1 / self.fps
        self.damage: list[tuple[float, float]] = []

    def __enter__(self) -> Pictures:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def shape(self) -> Shape:
        """What they are like, from the first that can be read."""
        wrong: CaptureError | None = None
        for _, path in self._pictures:
            try:
                with Footage(path) as footage:
                    return footage.shape()
            except (CaptureError, OSError) as error:
                wrong = wrong or CaptureError(str(error))
        assert wrong is not None
        raise wrong

    def frames(
        self, start: float = 0.0, interval: float | None = None
    ) -> Iterator[tuple[float, av.VideoFrame]]:
        """The pictures from shortly before `start` (seconds) on, each with its time."""
        interval = interval or 1 / self.fps
        before = -interval
        for time, path in self._pictures:
            if time < start - RUN_UP:
                before = time
                continue
            try:
                with Footage(path) as footage:
                    picture = next((frame for _, frame in footage.frames()), None)
            except (CaptureError, OSError):
                continue
            if picture is not None:
                if time - before > 1.5 * interval:
                    self.damage.append((max(before, 0.0), time))
                before = time
                yield time, picture
