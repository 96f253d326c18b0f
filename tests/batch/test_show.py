"""The live table draws names as they are."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

#: shows the progress of a clip whose name looks like a style of rich, its table's package
_SHOWS = """
import time
from dataclasses import replace
import kinelift
from kinelift.batch.show import watch
from kinelift.tests.batch.test_collect import COMMON

names = ["take [/b] :smile:", "[red]waits"]
with watch([replace(COMMON, name=name) for name in names], 2) as show:
    show(names[0], "progress", ("[/i]", 1, 2))
    time.sleep(0.6)
"""


def drawn_on(terminal: int) -> bytes:
    """All that is written on a terminal, until its other side is closed."""
    drawn = b""
    with suppress(OSError):
        while True:
            drawn += os.read(terminal, 65536)
    os.close(terminal)
    return drawn


def test_names_are_no_styles() -> None:
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-c", _SHOWS], cwd=Path(__file__).resolve().parents[2], stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )  # fmt: skip
    os.close(theirs)
    drawn = drawn_on(ours)
    assert done.wait() == 0 and b"Traceback" not in drawn, drawn.decode()
    for text in (b"take [/b] :smile:", b"[/i]", b"[red]waits"):
        assert text in drawn
