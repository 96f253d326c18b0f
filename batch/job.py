"""One clip from the video to its files, each step in a process of its own: a crash costs that clip alone."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ..core.command_line import arguments_of
from ..core.errors import CaptureError
from ..core.files import MOTION_SUFFIX
from ..core.options import Settings
from ..core.worker import BrokenDownError, Process, Worker
from .journal import Made
from .orders import Order

#: stage, frame, of how many
Progress = Callable[[str, int, int], None]
#: the program's entry, which also builds
_BATCH = Path(__file__).resolve().parent.parent / "batch.py"
#: what the builder leaves beside the files of the clip
RESULT = "kinelift-result.json"
#: a process that breaks down is started again so many times: it may have been killed for others' memory
_AGAIN = 2
#: a process that says nothing for so long hangs, seconds
_SILENCE = 900.0
_POLL = 0.05


@dataclass(frozen=True)
class Tools:
    """With what clips are made on this machine.

    Attributes
    ----------
    python : Path, optional
        The Python that captures; None where only motions are built.
    blender : tuple of str
        The command that runs ``batch.py`` where there is bpy; its arguments follow.
    memory : float
        MB that a process may take before it is ended.
    threads : int
        How many stretches of a clip are looked at at once (`options.default_threads`).
    """

    python: Path | None
    blender: tuple[str, ...]
    memory: float
    threads: int = 1


def blender_command(binary: str) -> tuple[str, ...]:
    """What runs ``batch.py``: the Blender at `binary` or, if that is empty, this Python with bpy in it."""
    if binary:
        return (binary, "-b", "--factory-startup", "--python-exit-code", "1", "--python", str(_BATCH), "--")
    return (sys.executable, str(_BATCH))


class Stopped(Exception):  # noqa: N818 - no error: the batch was told to stop
    """The clip was given up because the batch ends."""


class HaltError(CaptureError):
    """No further clip can be made either, until somebody does what the sentence says."""


def make(order: Order, staging: Path, progress: Progress, stop: threading.Event, tools: Tools) -> Made:
    """Make all files of a clip in a new folder in `staging`.

    Raises
    ------
    CaptureError
        If it can't be made; nothing is left of it then.
    Stopped
        If `stop` was set meanwhile; likewise.
    """
    for again in range(_AGAIN, -1, -1):
        try:
            folder = Path(tempfile.mkdtemp(dir=staging))
            try:
                return _make(order, folder, tools, progress, stop)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        except BrokenDownError:
            if not again:
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
    asked = folder / RESULT
    asked.write_text(json.dumps(request, ensure_ascii=False), encoding="utf-8")
    environment = {**os.environ, "PYTHONUTF8": "1"}
    run(Process([*tools.blender, "--build", str(asked)], environment, "Blender"))
    progress("build", 1, 1)
    result = json.loads(asked.read_text(encoding="utf-8"))
    asked.unlink()
    files = {path.name: path.stat().st_size for path in folder.iterdir()}
    warnings = tuple(result.pop("warnings"))
    strip = b64decode(result.pop("strip"))
    return Made(folder=str(folder), files=files, memory=memory, strip=strip, warnings=warnings, **result)


def _worker(tools: Tools, words: list[str], motion: Path, options: Mapping[str, object]) -> Worker:
    assert tools.python is not None
    return Worker(tools.python, [*words, "--out", str(motion), *arguments_of(Settings, options)])


def _followed(process: Process, progress: Progress, bound: float, stop: threading.Event) -> float:
    """Follow a process to its end; the most memory that it was seen to take, MB."""
    most = 0.0
    try:
        while process.running:
            for message in process.messages(wait=False):
                progress(message.stage, message.frame, message.of)
            most = max(most, process.memory)
            if most > bound:
                raise CaptureError(
                    f"It took more than {bound:.0f} MB of memory and was ended; give a larger --memory."
                )
            if process.silent > _SILENCE:
                raise process.give_up()
            if stop.is_set():
                raise Stopped
            time.sleep(_POLL)
    finally:
        process.cancel()
    return most
