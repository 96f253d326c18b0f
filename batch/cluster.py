"""Make clips on the workers of a Dask cluster; the journal and the results stay with the batch."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import tempfile
import threading
import uuid
import warnings
from concurrent.futures import CancelledError
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..core.errors import CaptureError
from ..core.files import split_character
from .job import HaltError, Progress, Stopped
from .journal import Made
from .orders import Order, file_hash
from .remote import differences, fingerprint

#: seconds to wait for the scheduler to answer
_ANSWER = 10.0
#: seconds to wait for a first worker
_WORKERS = 30.0
#: seconds between two checks whether the batch ends
_POLL = 0.2
#: bytes of the largest file that is sent; larger ones must lie where the workers see them
_LARGEST_SENT = 1 << 30
#: ends the sentences about how to set up a cluster
_HOW = "see docs/cluster.md"


def _on_worker(function: str, *arguments: Any) -> Any:
    """Call a function of `batch.remote` on a worker, which always knows the package as `kinelift`."""
    return getattr(importlib.import_module("kinelift.batch.remote"), function)(*arguments)


# Dask sends the code of a function in __main__; the scheduler couldn't import this one by its name
_on_worker.__module__ = "__main__"


class Cluster:
    """The workers behind a Dask scheduler.

    Parameters
    ----------
    address : str
        Address of the scheduler, ``tcp://host:port``.
    memory : float
        MB of memory at which a worker ends a process.

    Raises
    ------
    CaptureError
        If dask.distributed isn't installed, no scheduler answers, there are no workers, or one of them can't
        make clips or would give other results than this machine.
    """

    def __init__(self, address: str, memory: float) -> None:
        if importlib.util.find_spec("distributed") is None:
            raise CaptureError(
                "--scheduler needs the package 'distributed', which this Python lacks: install it as "
                "docs/cluster.md says, or leave --scheduler out."
            )
        import distributed

        # Dask warns of large tasks, and one that carries a video is large
        warnings.filterwarnings("ignore", "Sending large graph")
        for logger in ("distributed", "distributed.client"):  # our own sentences say what matters
            logging.getLogger(logger).setLevel(logging.CRITICAL)
        self._address, self._memory = address, memory
        self._token = uuid.uuid4().hex
        self._topic = f"kinelift-{self._token}"
        self._lock = threading.Lock()
        self._progress: dict[str, Progress] = {}
        try:
            self._client = distributed.Client(address, timeout=_ANSWER, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise CaptureError(
                f"No Dask scheduler answers at {address}: start it, or correct --scheduler; {_HOW}."
            ) from error
        try:
            self.slots = self._check()
            self._client.subscribe_topic(self._topic, self._hear)
        except BaseException:
            self.close()
            raise

    def _check(self) -> int:
        """Refuse workers that can't make the same results; return how many clips the others make at once."""
        try:
            self._client.wait_for_workers(1, timeout=_WORKERS)
        except TimeoutError as error:
            raise CaptureError(
                f"The scheduler {self._address} has no workers: start some; {_HOW}."
            ) from error
        try:
            missing = self._client.run(_on_worker, "lacks")
            found = self._client.run(_on_worker, "fingerprint")
        except ModuleNotFoundError as error:
            raise self._lacks_kinelift() from error
        for worker, modules in missing.items():
            if modules:
                raise CaptureError(
                    f"The worker {worker} lacks {', '.join(modules)}: install it there; {_HOW}."
                )
        for worker, there in found.items():
            self._compare(worker, there)
        return sum(self._client.nthreads().values())

    def _lacks_kinelift(self) -> HaltError:
        return HaltError(
            f"A worker of {self._address} doesn't know Kinelift: start it with --preload kinelift; {_HOW}."
        )

    def _compare(self, worker: str, there: dict[str, str]) -> None:
        """Refuse a worker that would give other results."""
        here = fingerprint()
        if differing := differences(here, there):
            what = differing[0]
            raise HaltError(
                f"The worker {worker} has {what} {there[what]} and this machine {here[what]}: install the "
                "same on all of them."
            )

    def close(self) -> None:
        """Disconnect; the cluster goes on."""
        self._client.close()

    def make(self, order: Order, staging: Path, progress: Progress, stop: threading.Event) -> Made:
        """Make all files of a clip in a new folder in `staging`, as `job.make`, on any worker.

        If that worker is lost, another one makes the clip. Files that a worker doesn't see are sent to it.
        """
        character, target = split_character(order.retarget) if order.retarget else (None, "")
        files: dict[str, dict[str, Any]] = {
            str(path): {"name": path.name, "sha256": file_hash(path), "data": None}
            for path in (order.clip, character)
            if path is not None
        }
        key = uuid.uuid4().hex
        request = {
            "key": key,
            "topic": self._topic,
            "fingerprint": fingerprint(),
            "order": {**asdict(order), "clip": str(order.clip), "retarget": str(character or "")},
            "files": files,
            "target": target,
            "staging": str(staging),
            "marker": str(self._marker(staging)),
            "token": self._token,
            "memory": self._memory,
        }
        self._progress[key] = progress
        try:
            while "lacks" in (reply := self._reply(request, stop)):
                for path in reply["lacks"]:
                    files[path]["data"] = _content(Path(path))
        finally:
            del self._progress[key]
        if "error" in reply:
            raise CaptureError(reply["error"])
        if "halt" in reply:
            raise HaltError(reply["halt"])
        if "other" in reply:
            self._compare(*reply["other"])
        if "stopped" in reply:
            raise Stopped
        if reply["contents"] is None:
            return Made(**reply["made"])
        return Made(**{**reply["made"], "folder": _written(reply["contents"], staging)})

    def _reply(self, request: dict[str, Any], stop: threading.Event) -> dict[str, Any]:
        """The answer of `remote.make_clip` on any worker."""
        import distributed

        future = self._client.submit(_on_worker, "make_clip", request, pure=False)
        try:
            while not future.done():
                if stop.wait(_POLL):
                    self._client.run(_on_worker, "stop", request["key"], on_error="ignore")
                    raise Stopped
            reply: dict[str, Any] = future.result()
        except distributed.KilledWorker as error:
            raise CaptureError(
                "Several workers were lost while they made it; memory may have run out there: give each "
                "fewer clips at once, or a smaller --memory."
            ) from error
        except ModuleNotFoundError as error:
            raise self._lacks_kinelift() from error
        except (CancelledError, OSError, RuntimeError) as error:
            raise HaltError(
                f"The scheduler {self._address} is gone: start it and give the same command again."
            ) from error
        finally:
            future.release()
        return reply

    def _hear(self, event: tuple[float, tuple[str, str, int, int]]) -> None:
        key, stage, frame, of = event[1]
        if key in self._progress:  # else the clip has just ended
            self._progress[key](stage, frame, of)

    def _marker(self, staging: Path) -> Path:
        """A file that shows workers whether they see the batch's folder; written at the first call."""
        marker = staging / f"marker-{self._token}"
        with self._lock:
            if not marker.exists():
                marker.write_text(self._token, encoding="ascii")
        return marker


def _content(path: Path) -> bytes:
    """The content of a file, to be sent."""
    try:
        if path.stat().st_size > _LARGEST_SENT:
            raise CaptureError(
                f"{path} is too large to be sent to a worker that doesn't see it: put it in a folder that "
                "all machines have under the same path."
            )
        return path.read_bytes()
    except OSError as error:
        raise CaptureError(f"{path} can't be read: {error.strerror or error}.") from error


def _written(contents: dict[str, bytes], staging: Path) -> str:
    """Write files that came from a worker into a new folder in `staging`; return the folder."""
    try:
        folder = Path(tempfile.mkdtemp(dir=staging))
        for name, content in contents.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise CaptureError(f"Can't write {staging}: {error.strerror or error}.") from error
    return str(folder)
