"""What holds for every test."""

from __future__ import annotations

import os
import signal
import sys

import pytest

# started in a shell's background Ctrl-C is ignored, and by every process that a test starts
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """bpy 4.2 crashes and 4.5 hangs at interpreter exit: leave without it, with the session's status."""
    if "bpy" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash.get(_STATUS, 3))


_STATUS = pytest.StashKey[int]()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[_STATUS] = int(exitstatus)
