"""Run a batch: claim each clip, make it, put its files in place and note it in the journal."""

from __future__ import annotations

import errno
import os
import shutil
import stat
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
from ..core.files import is_own_folder, unwritable
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
#: file in `STAGING` that shows that nobody has removed the folder while the batch runs
_MARKER = "in-use"
#: bytes of that file, which are room for the journal's last words when the disk is full
_RESERVE = 1 << 16
#: MB of memory to reckon for each clip at once: more than twice what a capture of 1080p was measured to take
JOB_MB = 1500
#: MB of memory at which a process is ended unless `--memory` says otherwise: far more than any should take
DEFAULT_MEMORY = 4000
#: bytes; a disk with less free space counts as full
_FULL = 1 << 20
#: what stops a run whose folders somebody removes
_GONE = (
    "The output folder {}, or what the batch keeps in it, was removed while the batch ran: give the same "
    "command again, and what is missing is made again."
)
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
    folder = _folder_of(order.name, out)
    if not all(_is_whole(folder / name, size) for name, size in entry.files.items()):
        return False
    return entry.input_hash == file_hash(order.clip)


def _folder_of(name: str, out: Path) -> Path:
    """The folder of a clip's files; refuse one that a link has put elsewhere."""
    folder = (out / name).parent
    if folder.resolve() != out.resolve() / Path(name).parent:
        raise CaptureError(
            f"A link leads from {folder} out of its place in the output folder: remove the link, or give "
            "another --out."
        )
    return folder


def recover(journal: Journal, out: Path) -> list[str]:
    """After a batch that ended early: put in place what it had finished, queue again what it had begun.

    Returns
    -------
    list of str
        The names of the clips that were put in place.
    """
    begun = [entry for entry in journal.entries() if entry.state == "running"]
    finished = {entry.staged["folder"] for entry in begun if entry.staged is not None}
    staging = out / FOLDER / STAGING
    if is_own_folder(staging):
        for path in staging.iterdir():
            if path.name not in finished:  # this comes first: on a full disk the journal needs the room
                _remove(path)
    placed = []
    for entry in begun:
        if entry.staged is None:
            journal.give_back(entry.name)
            continue
        try:
            if _place(journal, out, entry.name, entry.staged["folder"], entry.staged["files"]):
                placed.append(entry.name)
        except CaptureError as error:
            if is_full(error, out):
                raise
            journal.failed(entry.name, str(error))
    _remove(staging)
    return placed


def _remove(path: Path) -> None:
    """Remove a file, a link, which isn't followed, or a folder with all that is in it."""
    if is_own_folder(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _place(journal: Journal, out: Path, name: str, folder: str, files: Mapping[str, int]) -> bool:
    """Move the files of a finished clip from their folder in staging; can be repeated after an interruption.

    Returns
    -------
    bool
        False if files are lost; the clip is queued again then.
    """
    target, staged = _folder_of(name, out), out / FOLDER / STAGING / folder
    try:
        target.mkdir(parents=True, exist_ok=True)
        for file, size in files.items():
            if is_own_folder(staged) and _is_whole(staged / file, size):
                (staged / file).replace(target / file)
            elif not _is_whole(target / file, size):  # else it was moved before
                journal.give_back(name)
                return False
        _to_disk(target)
    except OSError as error:
        raise unwritable(out / name, error) from error
    journal.done(name, files)
    _remove(staged)
    return True


def _is_whole(path: Path, size: int) -> bool:
    """Whether a file, and no link to one, has this size."""
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == size


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
        #: clips whose files may not be in their places yet
        self._finished: dict[str, Made] = {}
        #: tells the threads to give up their clips
        self._stop = threading.Event()
        self._outcome = Outcome()

    def run(self, orders: Sequence[Order], force: bool) -> Outcome:
        """Queue the clips and make them, several at once."""
        recover(self._journal, self._out)
        try:
            self._staging.mkdir(parents=True, exist_ok=True)
            (self._staging / _MARKER).write_bytes(os.urandom(_RESERVE))  # no file system makes that smaller
        except OSError as error:
            _remove(self._staging)
            raise unwritable(self._staging, error) from error
        with ThreadPoolExecutor(max_workers=self._jobs) as pool:
            try:
                for order in orders:
                    self._queue(order, force)
                self._make_all(pool)
            except CaptureError as error:  # the journal's
                if not self._stopped_by(error):
                    raise
            finally:
                self._stop.set()
                wait(self._running)
                self._tidy_up()
        return self._outcome

    def _make_all(self, pool: ThreadPoolExecutor) -> None:
        """Make the clips that wait, until they are made or the run has to stop."""
        while self._running or (self._waiting and not self._outcome.stopped):
            while self._waiting and len(self._running) < self._jobs and not self._outcome.stopped:
                self._begin(self._waiting.popleft(), pool)
            for future in wait(self._running, timeout=_POLL, return_when=FIRST_COMPLETED).done:
                self._end(future)
            self._check_place()

    def _tidy_up(self) -> None:
        """Put in place what is finished, queue what isn't."""
        if not self._journal.in_place:
            for folder in (self._staging, self._staging.parent, self._out):
                with suppress(OSError):  # a process may have made them again, for its file
                    folder.rmdir()
            return
        with suppress(CaptureError, OSError):  # the disk may be full; then the next run recovers
            for name in recover(self._journal, self._out):
                self._outcome.done.append(name)
                self._show(name, "done", self._finished[name])

    def _is_gone(self) -> bool:
        """Whether somebody has removed what the batch works with."""
        return not (self._journal.in_place and (self._staging / _MARKER).exists())

    def _check_place(self) -> None:
        if self._is_gone():
            raise HaltError(_GONE.format(self._out))

    def _queue(self, order: Order, force: bool) -> None:
        """Skip a clip that is done, queue another."""
        try:
            _folder_of(order.name, self._out)  # refused before minutes are spent
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
            self._check_place()
            self._put(name, made)
        except Stopped:
            pass  # `recover` queues it again
        except CaptureError as error:
            self._fail(name, error)
        except OSError as error:
            self._fail(name, unwritable(self._out / name, error))
        else:
            self._outcome.done.append(name)
            self._show(name, "done", made)

    def _put(self, name: str, made: Made) -> None:
        """Put the files of a clip in place."""
        staged = self._staging / Path(made.folder).name
        for file in made.files:
            _to_disk(staged / file)
        _to_disk(staged)
        self._finished[name] = made
        self._journal.staged(name, made)
        if not _place(self._journal, self._out, name, staged.name, made.files):
            raise CaptureError(
                f"The files of {name} have vanished from {staged}: give the same command again."
            )

    def _fail(self, name: str, error: CaptureError) -> None:
        """Note that a clip failed; stop the run if no clip can be made, or as `keep_going` says."""
        if self._stopped_by(error):
            return  # `recover` queues it again
        self._journal.failed(name, str(error))
        self._outcome.failed.append(name)
        self._show(name, "failed", str(error))
        if not self._keep_going:
            self._outcome.stopped = "A clip failed, so no further clip was begun."

    def _stopped_by(self, error: CaptureError) -> bool:
        """Stop the run if no clip can be made after this error."""
        if self._is_gone():
            stopped = _GONE.format(self._out)
        elif isinstance(error, HaltError):
            stopped = str(error)
        elif is_full(error, self._out):
            stopped = f"The disk of {self._out} is full: make room and give the same command again."
        else:
            return False
        self._stop.set()
        self._outcome.stopped = stopped
        return True


def is_full(error: Exception, folder: Path) -> bool:
    """Whether a clip failed because the disk of a folder is full."""
    signs = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "disk is full")
    if any(sign in str(error) for sign in signs):
        return True
    try:
        return shutil.disk_usage(folder).free < _FULL
    except OSError:  # it can't be read at all
        return False
