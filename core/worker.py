"""The worker process as Blender and batches see it: starts it, reads its progress, cancels it.

`end_with_parent` is the other side: the process ends when Blender or the batch does, however that ends.
"""

from __future__ import annotations

import collections
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import CaptureError
from .runtime import environment_of

#: the extension's folder, in which the worker runs
_FOLDER = Path(__file__).resolve().parent.parent
#: time that a cancelled worker has to remove its unfinished files, seconds
_PATIENCE = 5.0
#: time that a process has for the same when its parent is gone, seconds
_LAST_PATIENCE = 1.0
#: environment variable that tells a process that its parent holds the other end of its standard input
_HELD = "KINELIFT_PARENT_HOLDS_STDIN"


@dataclass(frozen=True)
class Message:
    """Progress of the worker: it has done `frame` of `of` frames of a `stage`."""

    stage: str
    frame: int
    of: int
    message: str


class KilledError(CaptureError):
    """A signal ended a process, perhaps for memory that others took: another attempt may succeed."""


class Process:
    """A program of Kinelift that runs in a process group of its own and ends with this process.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments, with absolute paths.
    environment : dict
        Its environment variables.
    what : str
        What it does, for sentences to the artist: "The capture".

    Raises
    ------
    CaptureError
        If it can't be started.
    """

    def __init__(self, command: Sequence[str], environment: dict[str, str], what: str) -> None:
        self._what = what
        try:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                command,
                cwd=_FOLDER,
                env={**environment, _HELD: "1"},
                stdin=subprocess.PIPE,  # nothing is written: the system closes it when this process dies
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # a process group of its own; Windows ignores it
            )
        except OSError as error:
            raise CaptureError(f"Can't start {command[0]}: {error.strerror or error}.") from error
        #: whether there may be more messages
        self.running = True
        self._heard = time.monotonic()
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._words: collections.deque[bytes] = collections.deque(maxlen=200)
        # a pipe that nobody empties would stop the worker when full
        self._listeners = [
            threading.Thread(target=listen, daemon=True) for listen in (self._listen, self._listen_to_errors)
        ]
        for listener in self._listeners:
            listener.start()

    @property
    def memory(self) -> float:
        """Its resident memory, MB; 0 on systems without /proc."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]
        except (OSError, IndexError):  # no such system, or it has just ended
            return 0.0
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6

    @property
    def pid(self) -> int:
        """The process id, which is also the id of the process group."""
        return self._process.pid

    def _listen(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        with self._process.stdin, self._process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(None)

    def _listen_to_errors(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                self._words.append(line)

    def messages(self, wait: bool = True) -> Iterator[Message]:
        """The progress messages among what it `said` since the last call."""
        for said in self.said(wait):
            with suppress(KeyError):
                yield Message(said["stage"], said["frame"], said["of"], said.get("message", ""))

    def said(self, wait: bool = True) -> Iterator[dict[str, Any]]:
        """The JSON objects that it printed since the last call, one a line.

        Parameters
        ----------
        wait : bool
            Whether to wait for more until the process has ended. Otherwise yield those that are there;
            `running` then tells whether to call again.

        Raises
        ------
        CaptureError
            If the process failed: its own sentence, or how it died; a `KilledError` if by a signal.
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
            except ValueError:
                continue  # native libraries print lines of their own
            if isinstance(said, dict):
                self._heard = time.monotonic()
                yield said

    @property
    def silent(self) -> float:
        """Seconds since its last message, or since its start."""
        return time.monotonic() - self._heard

    def _finish(self) -> None:
        code = self._process.wait()
        self._listeners[1].join(_PATIENCE)
        self.running = False
        if code == 0:
            return
        last = self._last_words()
        if code == 1 and last and not any(b"Traceback" in line for line in self._words):
            raise CaptureError(last)
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        words = f"with the words: {last.rstrip('.')}" if last else "without a word"
        hint = "press Test in the preferences to see whether this Python can capture at all."
        if how == "SIGKILL":
            hint = "memory may have run out: close other programs, or capture a shorter stretch."
        error = KilledError if code < 0 else CaptureError
        raise error(f"{self._what} broke down ({how}) {words}; {hint}")

    def _last_words(self) -> str:
        lines = [line for line in self._words if line.strip()]
        return lines[-1].decode("utf-8", "replace").strip() if lines else ""

    def give_up(self) -> CaptureError:
        """Cancel a process that hangs, without waiting for its end; return the error for the artist."""
        self.cancel_soon()
        last = self._last_words().rstrip(".")
        words = f"its last words: {last}" if last else "it never said a word"
        return CaptureError(
            f"{self._what} said nothing for {self.silent:.0f} s and was ended ({words}); try once more."
        )

    def cancel_soon(self) -> None:
        """Do the same as `cancel`, without waiting."""
        self.running = False
        threading.Thread(target=self.cancel).start()

    def cancel(self, patience: float = _PATIENCE) -> None:
        """End the whole process group.

        It gets `patience` seconds to remove unfinished files.
        """
        self.running = False
        if self._process.poll() is None:
            self._end("SIGTERM")
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
        if self._process.poll() is None:
            self._end("SIGKILL")
            self._process.wait()

    def _end(self, how: str) -> None:
        if sys.platform == "win32":
            self._process.terminate()
        else:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.Signals[how])


class Worker(Process):
    """A running ``python -m inference``.

    Parameters
    ----------
    python : Path
        From `runtime.find_python`.
    arguments : sequence of str
        The arguments of ``python -m inference``, without ``--progress``; with absolute paths.

    Raises
    ------
    CaptureError
        If `python` can't be started.
    """

    def __init__(self, python: Path, arguments: Sequence[str]) -> None:
        command = [str(python), "-m", "inference", *arguments, "--progress", "json"]
        super().__init__(command, environment_of(python), "The capture")


def end_with_parent() -> None:
    """Have this process end within two seconds of the death of its parent, if that started it as a `Process`.

    Native threads end as well. Until then it gets a SIGTERM and a moment to remove unfinished files; on
    Windows it ends at once.
    """
    if os.environ.pop(_HELD, None) is None:
        return
    # on Windows a library that looks at its standard input while another thread reads it waits for ever
    pipe = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    threading.Thread(target=_end_after, args=(pipe,), daemon=True).start()


def _end_after(pipe: int) -> None:
    """End this process when the other end of a pipe, into which nobody writes, is closed."""
    os.read(pipe, 1)
    if sys.platform != "win32":
        # the system itself ends the process then, whatever native code or the interpreter's exit waits for
        signal.setitimer(signal.ITIMER_REAL, _LAST_PATIENCE)
    os.kill(os.getpid(), signal.SIGTERM)
