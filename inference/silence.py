"""Keeps native libraries from talking to the artist."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Silence:
    """Discards what native code prints on the standard error: an artist can't use it.

    Several threads may enter it at once: the first turns it on, the last turns it off.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._saved = -1

    @contextmanager
    def __call__(self, on: bool = True) -> Iterator[None]:
        if not on:
            yield
            return
        with self._lock:
            if self._users == 0:
                sys.stderr.flush()
                self._saved = os.dup(2)
                sink = os.open(os.devnull, os.O_WRONLY)
                os.dup2(sink, 2)
                os.close(sink)
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    os.dup2(self._saved, 2)
                    os.close(self._saved)


silence = _Silence()
