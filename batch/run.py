"""Run a batch: claim each clip, make it, put its files in place and note it in the journal."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import threading
from collections import deque
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

#: folder in the output folder that holds what the batch keeps for itself
FOLDER = ".kinelift"
#: file of the journal in `FOLDER`
JOURNAL = "journal.sqlite"
#: folder in `FOLDER` where files are made before they are moved to their places
STAGING = "staging"
#: MB of memory to reckon for each clip at once: more than twice what a capture of 1080p was measured to take
JOB_MB = 1500
#: MB of memory at which a process is ended unless `--memory` says otherwise: far more than any should take
DEFAULT_MEMORY = 4000
#: bytes; a disk with less free space counts as full
_FULL = 1 << 20
#: seconds to wait for a clip to end before checking again whether the batch is interrupted
_POLL = 0.5
#: makes all files of a clip in a new folder inside the given one; raises what `job.make` raises
Maker = Callable[[Order, Path, Progress, threading.Event], Made]
#: gets a clip's name and its news: "progress" with (stage, frame, of), "skipped" with None, "done" with a
#: `Made`, "failed" with a sentence
Show = Callable[[str, str, Any], None]


@dataclass
class Outcome:
    """The result of a run: names of clips by what became of them."""

    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    #: why the run stopped early, a sentence for the artist; empty: it didn't
    stopped: str = ""


def default_jobs() -> int:
    """The number of clips at once that this machine's cores and free memory allow."""
    cores = os.cpu_count() or 1
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) / 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):  # not Linux: the free memory isn't known
        return max(1, cores // 2)
    return max(1, min(cores, int(free // JOB_MB)))


def share_cores(jobs: int) -> int:
    """Limit each process started from now on to its share of the cores; return that number of threads.

    With more threads than cores, libraries lose more time waiting than they gain.
    """
    threads = default_threads(jobs)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    return threads


def settled(entry: Entry | None, order: Order, out: Path) -> bool:
    """Whether a clip was made from the same content with the same settings and all its files are there."""
    if entry is None or entry.state != "done" or entry.settings_hash != order.settings_hash():
        return False
    folder = (out / order.name).parent
    if not all(_is_whole(folder / name, size) for name, size in entry.files.items()):
        return False
    return entry.input_hash == file_hash(order.clip)


def recover(journal: Journal, out: Path) -> None:
    """After a batch that ended early: put in place what it had finished, queue again what it had begun."""
    begun = [entry for entry in journal.entries() if entry.state == "running"]
    finished = {Path(entry.staged["folder"]).name for entry in begun if entry.staged is not None}
    staging = out / FOLDER / STAGING
    if staging.is_dir():
        for folder in staging.iterdir():
            if folder.name not in finished:  # this comes first: on a full disk the journal needs the room
                shutil.rmtree(folder, ignore_errors=True)
    for entry in begun:
        if entry.staged is not None:
            _place(journal, out, entry.name, entry.staged["folder"], entry.staged["files"])
        else:
            journal.give_back(entry.name)
    shutil.rmtree(staging, ignore_errors=True)


def _place(journal: Journal, out: Path, name: str, staged: str, files: Mapping[str, int]) -> None:
    """Move the files of a finished clip to their places; can be repeated after an interruption."""
    folder = (out / name).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, size in files.items():
            source = Path(staged) / file
            if source.exists():  # else it was moved before
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
    """Wait until a file, or a folder's list of files, is written to the disk."""
    if path.is_dir() and sys.platform == "win32":
        return  # Windows can't do this for folders
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
    show: Show,
    force: bool = False,
    keep_going: bool = True,
) -> Outcome:
    """Make all clips that aren't done yet.

    Parameters
    ----------
    orders : sequence of Order
    journal : Journal
    out : Path
        Output folder; absolute.
    make : callable
        Makes a clip: `job.make` with its tools, or `cluster.Cluster.make`.
    jobs : int
        How many clips to make at once.
    show : callable
        Gets the progress of each clip.
    force : bool
        Whether to make clips again that are done.
    keep_going : bool
        Whether to go on with the other clips when one fails.
    """
    return _Run(journal, out, make, jobs, show, keep_going).run(orders, force)


class _Run:
    """One run of a batch; the parameters are those of `run`."""

    def __init__(
        self, journal: Journal, out: Path, make: Maker, jobs: int, show: Show, keep_going: bool
    ) -> None:
        self._journal, self._out, self._show = journal, out, show
        self._make, self._jobs, self._keep_going = make, jobs, keep_going
        self._staging = out / FOLDER / STAGING
        self._waiting: deque[Order] = deque()
        self._running: dict[Future[Made], Order] = {}
        #: tells the threads to give up their clips
        self._stop = threading.Event()
        self._outcome = Outcome()

    def run(self, orders: Sequence[Order], force: bool) -> Outcome:
        """Queue the clips and make them, several at once."""
        recover(self._journal, self._out)
        self._staging.mkdir(parents=True, exist_ok=True)
        for order in orders:
            self._queue(order, force)
        with ThreadPoolExecutor(max_workers=self._jobs) as pool:
            try:
                while self._running or (self._waiting and not self._outcome.stopped):
                    while self._waiting and len(self._running) < self._jobs and not self._outcome.stopped:
                        self._begin(self._waiting.popleft(), pool)
                    for future in wait(self._running, timeout=_POLL, return_when=FIRST_COMPLETED).done:
                        self._end(future)
            finally:
                self._stop.set()
                wait(self._running)
                with suppress(CaptureError):  # the disk may be full; then the next run recovers
                    recover(self._journal, self._out)
        return self._outcome

    def _queue(self, order: Order, force: bool) -> None:
        """Skip a clip that is done, queue another."""
        try:
            if not force and settled(self._journal.entry(order.name), order, self._out):
                self._outcome.skipped.append(order.name)
                self._show(order.name, "skipped", None)
                return
            settings_hash = order.settings_hash()
        except CaptureError as error:
            self._journal.queue(order.name, order.clip, order.settings(), "")
            self._fail(order.name, error)
            return
        self._journal.queue(order.name, order.clip, order.settings(), settings_hash)
        self._waiting.append(order)

    def _begin(self, order: Order, pool: ThreadPoolExecutor) -> None:
        """Have a thread make a clip."""
        try:
            claimed = self._journal.claim(order.name, file_hash(order.clip))
        except CaptureError as error:
            self._fail(order.name, error)
            return
        assert claimed  # nobody else writes this journal

        def progress(stage: str, frame: int, of: int) -> None:
            self._show(order.name, "progress", (stage, frame, of))

        progress("begin", 0, 1)
        self._running[pool.submit(self._make, order, self._staging, progress, self._stop)] = order

    def _end(self, future: Future[Made]) -> None:
        """Put the files of a clip in place, or note why there are none."""
        name = self._running.pop(future).name
        try:
            made = future.result()
            self._journal.staged(name, made)
            _place(self._journal, self._out, name, made.folder, made.files)
        except Stopped:
            pass  # `recover` queues it again
        except CaptureError as error:
            self._fail(name, error)
        else:
            self._outcome.done.append(name)
            self._show(name, "done", made)

    def _fail(self, name: str, error: CaptureError) -> None:
        """Note that a clip failed; stop the run if no clip can be made, or as `keep_going` says."""
        if isinstance(error, HaltError) or is_full(error, self._out):
            self._stop.set()
            self._outcome.stopped = str(error)
            if not isinstance(error, HaltError):
                self._outcome.stopped = (
                    f"The disk of {self._out} is full: make room and give the same command again."
                )
            return  # `recover` queues it again
        self._journal.failed(name, str(error))
        self._outcome.failed.append(name)
        self._show(name, "failed", str(error))
        if not self._keep_going:
            self._outcome.stopped = "A clip failed, so no further clip was begun."


def is_full(error: Exception, folder: Path) -> bool:
    """Whether a clip failed because the disk of a folder is full."""
    signs = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "disk is full")
    return any(sign in str(error) for sign in signs) or shutil.disk_usage(folder).free < _FULL
