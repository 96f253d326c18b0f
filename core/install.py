"""A runtime installed on the artist's explicit wish: a virtual environment in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import tomllib
from contextlib import suppress
from pathlib import Path

from .client import RUNTIME_MODULES
from .errors import CaptureError

_LOCK = Path(__file__).resolve().parent.parent / "wheels" / "lock.toml"
#: what pip calls what is imported by another name
_PACKAGES = {"cv2": "opencv-contrib-python"}
#: written when all is there: a runtime that was cut off is none
_COMPLETE = "complete"


def installed_python(folder: Path) -> Path | None:
    """The Python of the runtime in `folder`, if one was installed to the end."""
    python = _python_in(folder)
    return python if (folder / _COMPLETE).exists() and python.is_file() else None


def requirements() -> tuple[str, ...]:
    """What is fetched, as pip is told: the pins of the lock; numpy and the rest as these ask for."""
    locked = tomllib.loads(_LOCK.read_text(encoding="utf-8"))["wheel"]
    versions = {wheel["name"]: wheel["version"].partition("+")[0] for wheel in locked}
    names = [_PACKAGES.get(module, module) for module in RUNTIME_MODULES]
    return tuple(f"{name}=={versions[name]}" for name in names if name in versions)


class Installation:
    """A runtime on its way into a folder; nothing else is touched.

    Parameters
    ----------
    python : Path
        The Python that the runtime is made of.
    folder : Path
        Where to; what is there is replaced.

    Attributes
    ----------
    line : str
        The last that was said.
    running : bool
        Whether it goes on.
    error : CaptureError or None
        Why it came to nothing.
    """

    def __init__(self, python: Path, folder: Path) -> None:
        self.line = ""
        self.running = True
        self.error: CaptureError | None = None
        self._folder = folder
        self._cancelled = False
        self._process: subprocess.Popen[str] | None = None
        pip = (str(_python_in(folder)), "-I", "-m", "pip", "--disable-pip-version-check", "--no-input")
        self._steps = (
            (str(python), "-I", "-m", "venv", "--clear", str(folder)),
            (*pip, "install", "--only-binary=:all:", "--progress-bar=off", *requirements()),
        )
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._install, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait until it has ended."""
        self._thread.join()

    def cancel(self) -> None:
        """End it, without waiting; what was fetched is removed."""
        with self._lock:
            self._cancelled = True
            process = self._process
        if process is None or process.poll() is not None:
            return
        if sys.platform == "win32":
            process.terminate()
        else:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)

    def _install(self) -> None:
        complete = False
        try:
            complete = all(self._run(step) for step in self._steps)
            if complete:
                (self._folder / _COMPLETE).touch()
        except OSError as error:
            complete = False
            self.line = f"{error.filename or self._folder}: {error.strerror}"
        if not complete:
            shutil.rmtree(self._folder, ignore_errors=True)
            if not self._cancelled:
                self.error = CaptureError(
                    f"The runtime can't be installed ({self.line}); check the connection and the free space, "
                    "or name another Python in the preferences."
                )
        self.running = False

    def _run(self, command: tuple[str, ...]) -> bool:
        """Whether the command did it; false also where it was cancelled."""
        with self._lock:
            if self._cancelled:
                return False
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self.line = line.strip() or self.line
        return self._process.wait() == 0 and not self._cancelled


def _python_in(folder: Path) -> Path:
    """Where a virtual environment has its Python."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
