"""A progress bar for people at a terminal."""

from __future__ import annotations

import sys
import time


class TerminalBar:
    """A progress bar on standard error, if that is a terminal.

    Call it with a stage, how many frames of it are done, and their number.

    Parameters
    ----------
    name : str
        What progresses; printed before the stage.
    """

    def __init__(self, name: str = "") -> None:
        self._name = f"{name}: " if name else ""
        self._drawn = 0.0

    def __call__(self, stage: str, frame: int, of: int) -> None:
        """Draw the bar, unless it was drawn within the last 0.1 s."""
        now = time.monotonic()
        if not sys.stderr.isatty() or (frame < of and now - self._drawn < 0.1):
            return
        self._drawn = now
        bar = "#" * (30 * frame // max(of, 1))
        end = "\n" if frame >= of else ""
        print(f"\r\033[K{self._name}{stage:8} [{bar:30}] {frame}/{of}", end=end, file=sys.stderr, flush=True)
