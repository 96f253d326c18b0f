"""The other side of the worker: find a Python that can capture, run it, read its progress, cancel it.

Blender's own Python needs nothing but numpy for this.
"""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .errors import CaptureError

#: what the worker's Python must have; names as they are imported
RUNTIME_MODULES: tuple[str, ...] = ("cv2", "mediapipe", "safetensors", "torch")
#: environment variable that names the Python to capture with
PYTHON_VARIABLE = "KINELIFT_PYTHON"
_FOLDER = Path(__file__).resolve().parent.parent
_PATIENCE = 5.0  # seconds that a cancelled worker has to tidy up


def missing_modules() -> tuple[str, ...]:
    """Those of `RUNTIME_MODULES` that the running Python can't import; nothing is imported to find out."""
    return tuple(name for name in RUNTIME_MODULES if importlib.util.find_spec(name) is None)


def find_python(preferred: str = "") -> Path:
    """The Python to capture with: `preferred`, else the one named in `KINELIFT_PYTHON`, else the running one.

    Raises
    ------
    CaptureError
        If the named one is no file, or none is named and the running one lacks a module.
    """
    named = preferred or os.environ.get(PYTHON_VARIABLE, "")
    if named:
        python = Path(named).expanduser().absolute()
        if not python.is_file():
            raise CaptureError(
                f"There is no Python at {python}: correct {PYTHON_VARIABLE} or the preferences."
            )
        return python
    missing = missing_modules()
    if missing:
        raise CaptureError(
            f"This Python ({sys.executable}) lacks {', '.join(missing)}: set {PYTHON_VARIABLE} to a Python "
            "that has them, such as .venv/bin/python of the Kinelift folder."
        )
    return Path(sys.executable)


@dataclass(frozen=True)
class Message:
    """A line of the worker's progress: it has done `frame` of `of` in this `stage`."""

    stage: str
    frame: int
    of: int
    message: str


class Worker:
    """A running ``python -m inference`` in a process group of its own.

    Parameters
    ----------
    python : Path
        From `find_python`.
    arguments : sequence of str
        What follows ``python -m inference``, without ``--progress``; paths must be absolute.

    Raises
    ------
    CaptureError
        If `python` can't be started.
    """

    def __init__(self, python: Path, arguments: Sequence[str]) -> None:
        # a pipe nobody empties would stop the worker when full
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                [str(python), "-m", "inference", *arguments, "--progress", "json"],
                cwd=_FOLDER,
                env={**os.environ, "PYTHONUTF8": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,  # a process group of its own; Windows has none and ignores it
            )
        except OSError as error:
            self._errors.close()
            raise CaptureError(f"Can't start {python}: {error.strerror or error}.") from error
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def pid(self) -> int:
        """Process id, and id of the process group."""
        return self._process.pid

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(None)

    def messages(self, wait: bool = True) -> Iterator[Message]:
        """The messages that have come since the last call.

        Parameters
        ----------
        wait : bool
            Whether to wait for further ones until the worker has ended. Without it what is there is yielded
            and the call returns: then `running` tells whether to ask again.

        Raises
        ------
        CaptureError
            When the worker ended without success: its own sentence, or how it died.
        """
        while self.running:
            try:
                line = self._lines.get(block=wait)
            except queue.Empty:
                return
            if line is None:
                self._finish()
                return
            try:
                said = json.loads(line)
                message = Message(said["stage"], said["frame"], said["of"], said.get("message", ""))
            except (ValueError, KeyError, TypeError):
                continue  # native libraries print between our lines
            yield message

    @property
    def running(self) -> bool:
        """Whether there may be more to hear."""
        return not self._errors.closed

    def _finish(self) -> None:
        code = self._process.wait()
        with self._errors as errors:
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace").strip()
        if code == 0:
            return
        last = said.splitlines()[-1] if said else "it said nothing"
        if code == 1 and said and "Traceback" not in said:
            raise CaptureError(last)
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        raise CaptureError(f"The capture broke down ({how}); its last words: {last}")

    def cancel(self) -> None:
        """End the worker's whole process group; it is given the time to remove what it had half written."""
        if self._process.poll() is None:
            self._end("SIGTERM")
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_PATIENCE)
        if self._process.poll() is None:
            self._end("SIGKILL")
            self._process.wait()
        self._errors.close()

    def _end(self, how: str) -> None:
        if sys.platform == "win32":
            self._process.terminate()
        else:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.Signals[how])
