"""Make the files of one clip, each step in a process of its own, so that a crash costs only that clip."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..core.command_line import arguments_of
from ..core.errors import CaptureError, readable
from ..core.files import MOTION_SUFFIX
from ..core.options import Settings
from ..core.worker import KilledError, Process, Worker
from .journal import Made, Seen
from .orders import Order

#: gets the stage, the frame, and the number of frames
Progress = Callable[[str, int, int], None]
#: script that a process with bpy runs to build the files
_BATCH = Path(__file__).resolve().parent.parent / "batch.py"
#: file in which a build gets its request and leaves its result
RESULT = "kinelift-result.json"
#: attempts after a process was killed: by the system, maybe, for memory that others took
_RETRIES = 2
#: seconds of silence after which a process is taken to hang
_SILENCE = 900.0
#: seconds between two checks of a process
_POLL = 0.05
#: most characters of a warning, and most warnings of a person: they come from files
_MOST_WARNINGS = (500, 20)


@dataclass(frozen=True)
class Tools:
    """What this machine makes clips with.

    Attributes
    ----------
    python : Path, optional
        The Python that captures; None if no clip needs it.
    blender : tuple of str
        Command that runs ``batch.py`` with bpy; the arguments of ``batch.py`` follow.
    memory : float
        MB of memory at which a process is ended.
    threads : int
        Stretches of a clip to detect at once (`options.default_threads`).
    """

    python: Path | None
    blender: tuple[str, ...]
    memory: float
    threads: int = 1


def blender_command(binary: str) -> tuple[str, ...]:
    """The command that runs ``batch.py`` with the Blender at `binary` or, if empty, this Python's bpy."""
    if binary:
        return (binary, "-b", "--factory-startup", "--python-exit-code", "1", "--python", str(_BATCH), "--")
    return (sys.executable, str(_BATCH))


class Stopped(Exception):  # noqa: N818 - not an error: the batch ends
    """The clip was given up because the batch ends."""


class HaltError(CaptureError):
    """No clip can be made until somebody does what the sentence says; the batch stops."""


def make(order: Order, staging: Path, progress: Progress, stop: threading.Event, tools: Tools) -> Made:
    """Make all files of a clip in a new folder in `staging`.

    Raises
    ------
    CaptureError
        If it can't be made; no files are left then.
    Stopped
        If `stop` was set; likewise.
    """
    for retries_left in range(_RETRIES, -1, -1):
        try:
            folder = Path(tempfile.mkdtemp(dir=staging))
            try:
                return _make(order, folder, tools, progress, stop)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        except KilledError:
            if not retries_left:
                raise
        except OSError as error:
            raise CaptureError(f"Can't write {staging}: {error.strerror or error}.") from error
    raise AssertionError


def _make(order: Order, folder: Path, tools: Tools, progress: Progress, stop: threading.Event) -> Made:
    motion = folder / f"{Path(order.name).name}{MOTION_SUFFIX}"
    memory = 0.0

    def run(process: Process) -> None:
        nonlocal memory
        memory = max(memory, _followed(process, progress, tools.memory, stop))

    if not order.is_motion:
        words = ["capture", str(order.clip), "--threads", str(tools.threads)]
        run(_worker(tools, words, motion, order.capture))
    elif order.needs_capture:
        run(_worker(tools, ["solve", str(order.clip), "--no-feet"], motion, order.solve_options))
    else:
        try:
            shutil.copyfile(order.clip, motion)
        except OSError as error:
            raise CaptureError(f"{order.clip} can't be copied: {error.strerror or error}.") from error
    progress("build", 0, 1)
    request = {"order": {**asdict(order), "clip": str(order.clip)}, "motion": str(motion)}
    request_path = folder / RESULT
    # escaped, because a path may have bytes that aren't text
    request_path.write_text(json.dumps(request), encoding="utf-8")
    environment = {**os.environ, "PYTHONUTF8": "1"}
    run(Process([*tools.blender, "--build", str(request_path)], environment, "Blender"))
    progress("build", 1, 1)
    result = json.loads(request_path.read_text(encoding="utf-8"))
    request_path.unlink()
    own = motion.name.removesuffix(MOTION_SUFFIX) + "."
    files = {path.name: path.stat().st_size for path in folder.iterdir() if path.name.startswith(own)}
    others = tuple(Seen(**_readable(one)) for one in result.pop("others"))
    return Made(folder=str(folder), files=files, memory=memory, others=others, **_readable(result))


def _readable(seen: dict[str, Any]) -> dict[str, Any]:
    """What a build says of a person, with warnings that are few, short and can be shown."""
    length, count = _MOST_WARNINGS
    return seen | {"warnings": tuple(readable(str(one))[:length] for one in seen["warnings"][:count])}


def _worker(tools: Tools, words: list[str], motion: Path, options: Mapping[str, object]) -> Worker:
    assert tools.python is not None
    return Worker(tools.python, [*words, "--out", str(motion), *arguments_of(Settings, options)])


def _followed(process: Process, progress: Progress, most_memory: float, stop: threading.Event) -> float:
    """Report the progress of a process until it ends; return its peak memory, MB."""
    peak = 0.0
    try:
        while process.running:
            for message in process.messages(wait=False):
                progress(message.stage, message.frame, message.of)
            peak = max(peak, process.memory)
            if peak > most_memory:
                raise CaptureError(
                    f"It took more than {most_memory:.0f} MB of memory and was ended; give a larger --memory."
                )
            if process.silent > _SILENCE:
                raise process.give_up()
            if stop.is_set():
                raise Stopped
            time.sleep(_POLL)
    finally:
        process.cancel()
    return peak
