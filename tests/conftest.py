"""The project is one package, `kinelift`, whatever the checkout's folder is called: make it importable."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def _load_package() -> None:
    spec = importlib.util.spec_from_file_location(
        "kinelift", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["kinelift"] = package
    spec.loader.exec_module(package)


if "kinelift" not in sys.modules:
    _load_package()


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
