"""The batch itself: claim, make, put in place, note; until all clips are done or it has to stop."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.errors import CaptureError
from ..core.options import default_threads
from .job import HaltError, Progress, Stopped
from .journal import Entry, Journal, Made
from .orders import Order, file_hash

#: what the batch keeps in the output folder, and in there the journal and the files on their way
FOLDER, JOURNAL, STAGING = ".kinelift", "journal.sqlite", "staging"
#: MB that a capture takes at most, beside what the system needs; what `--jobs` is chosen by
JOB_MB = 1500
#: MB at which a process is ended, unless the artist says otherwise
DEFAULT_MEMORY = 4000
#: less room than this is a full disk, bytes
_FULL = 1 << 20
#: makes all files of a clip in a new folder in another, as `job.make` does; may raise what that raises
Maker = Callable[[Order, Path, Progress, threading.Event], Made]


@dataclass
class Outcome:
    """What became of a run: names of the clips."""

    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    #: why it stopped before the end, for the artist; empty: it didn't
    stopped: str = ""


def default_jobs() -> int:
    """How many clips at once this machine's cores and free memory allow."""
    cores = os.cpu_count() or 1
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) / 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):  # no Linux: it doesn't tell, so half of the cores
        return max(1, cores // 2)
    return max(1, min(cores, int(free // JOB_MB)))


def share_cores(jobs: int) -> int:
    """Have the processes started from here on use their share of the cores; how many threads that is.

    Threads of libraries that wait for each other on taken cores cost more than they bring.
    """
    threads = default_threads(jobs)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    return threads


def settled(entry: Entry | None, order: Order, out: Path) -> bool:
    """Whether a clip is done, from the same content with the same settings, and its files are there."""
    if entry is None or entry.state != "done" or entry.settings_hash != order.settings_hash():
        return False
    folder = (out / order.name).parent
    if not all(_is_whole(folder / name, size) for name, size in entry.files.items()):
        return False
    return entry.input_hash == file_hash(order.clip)


def recover(journal: Journal, out: Path) -> None:
    """Put in place what a batch that ended early had finished, and queue again what it had begun."""
    begun = [entry for entry in journal.entries() if entry.state == "running"]
    finished = {Path(entry.staged["folder"]).name for entry in begun if entry.staged is not None}
    staging = out / FOLDER / STAGING
    if staging.is_dir():
        for folder in staging.iterdir():
            if folder.name not in finished:  # first of all: on a full disk the journal needs the room
                shutil.rmtree(folder, ignore_errors=True)
    for entry in begun:
        if entry.staged is not None:
            _place(journal, out, entry.name, entry.staged["folder"], entry.staged["files"])
        else:
            journal.give_back(entry.name)
    shutil.rmtree(staging, ignore_errors=True)


def _place(journal: Journal, out: Path, name: str, staged: str, files: Mapping[str, int]) -> None:
    """Move a finished clip's files; may be repeated when it was cut off."""
    folder = (out / name).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, size in files.items():
            source = Path(staged) / file
            if source.exists():  # else it is there already
                _to_disk(source)
                source.replace(folder / file)
            elif not _is_whole(folder / file, size):
                journal.give_back(name)
                return
        _to_disk(folder)
    except OSError as error:
        raise CaptureError(
            f"Can't write {folder / name}: {error.strerror or error}. Choose a folder that can be written "
            "and has room."
        ) from error
    journal.done(name, files)
    shutil.rmtree(staged, ignore_errors=True)


def _is_whole(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    if path.is_dir() and sys.platform == "win32":
        return  # it has no such thing for folders
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def run(
    orders: Sequence[Order],
    journal: Journal,
    out: Path,
    make: Maker,
    jobs: int,
    show: Callable[[str, str, Any], None],
    force: bool = False,
    keep_going: bool = True,
) -> Outcome:
    """Make all clips that are not done yet.

    Parameters
    ----------
    orders : sequence of Order
    journal : Journal
    out : Path
        Absolute.
    make : callable
        Makes a clip: `job.make` with its tools, or `cluster.Cluster.make`.
    jobs : int
        How many at once.
    show : callable
        Told a clip's name and its news: ``"progress"`` with (stage, frame, of), ``"skipped"``, ``"done"``
        with a `Made`, ``"failed"`` with the sentence.
    force : bool
        Whether clips that are done are made again.
    keep_going : bool
        Whether a clip that fails doesn't stop the others.
    """
    recover(journal, out)
    staging = out / FOLDER / STAGING
    staging.mkdir(parents=True, exist_ok=True)
    outcome = Outcome()
    todo: list[Order] = []
    stop = threading.Event()

    def fail(name: str, error: CaptureError) -> None:
        if isinstance(error, HaltError) or is_full(error, out):
            stop.set()
            outcome.stopped = str(error)
            if not isinstance(error, HaltError):
                outcome.stopped = f"The disk of {out} is full: make room and give the same command again."
            return  # `recover` queues it again
        journal.failed(name, str(error))
        outcome.failed.append(name)
        show(name, "failed", str(error))
        if not keep_going:
            outcome.stopped = "A clip failed, and nothing more was begun."

    for order in orders:
        try:
            if not force and settled(journal.entry(order.name), order, out):
                outcome.skipped.append(order.name)
                show(order.name, "skipped", None)
                continue
            settings_hash = order.settings_hash()
        except CaptureError as error:
            journal.queue(order.name, order.clip, order.settings(), "")
            fail(order.name, error)
            continue
        journal.queue(order.name, order.clip, order.settings(), settings_hash)
        todo.append(order)

    running: dict[Future[Made], Order] = {}
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        try:
            while running or (todo and not outcome.stopped):
                while todo and len(running) < jobs and not outcome.stopped:
                    order = todo.pop(0)
                    try:
                        claimed = journal.claim(order.name, file_hash(order.clip))
                    except CaptureError as error:
                        fail(order.name, error)
                        continue
                    assert claimed  # the journal is ours alone

                    def progress(stage: str, frame: int, of: int, name: str = order.name) -> None:
                        show(name, "progress", (stage, frame, of))

                    progress("begin", 0, 1)
                    running[pool.submit(make, order, staging, progress, stop)] = order
                for future in wait(running, timeout=0.5, return_when=FIRST_COMPLETED).done:
                    name = running.pop(future).name
                    try:
                        made = future.result()
                        journal.staged(name, made)
                        _place(journal, out, name, made.folder, made.files)
                    except Stopped:
                        pass  # `recover` queues it again
                    except CaptureError as error:
                        fail(name, error)
                    else:
                        outcome.done.append(name)
                        show(name, "done", made)
        finally:
            stop.set()
            wait(running)
            with suppress(CaptureError):  # on a full disk; the next run does it
                recover(journal, out)
    return outcome


def is_full(error: Exception, folder: Path) -> bool:
    """Whether a clip failed because the disk of a folder is full."""
    said = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "disk is full")
    return any(words in str(error) for words in said) or shutil.disk_usage(folder).free < _FULL
