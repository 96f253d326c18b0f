"""Make clips on the workers of a Dask cluster; the journal and the results stay with the batch."""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import re
import socket
import threading
import uuid
import warnings
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.clips import pictures_of
from ..core.errors import CaptureError, readable
from ..core.files import split_character
from .answers import made_from, refuse_pickles, sentence, texts, unpacked
from .job import HaltError, Progress, Stopped
from .journal import Made
from .orders import Order, file_hash
from .remote import differences, fingerprint

if TYPE_CHECKING:
    import distributed

#: seconds to wait for the scheduler to answer
_ANSWER = 10.0
#: seconds to wait for a first worker
_WORKERS = 30.0
#: seconds between two checks whether the batch ends
_POLL = 0.2
#: bytes of the largest file that is sent; larger ones must lie where the workers see them
_LARGEST_SENT = 1 << 30
#: frames of the longest clip; progress that says more isn't shown
_LONGEST = 1 << 31
#: address of a scheduler
_ADDRESS = re.compile(r"(?P<protocol>tcp|tls)://(?P<host>[^/]+):(?P<port>[0-9]{1,5})")
#: largest number of a port
_LAST_PORT = 65535
#: ends the sentences about how to set up a cluster
_HOW = "see docs/cluster.md"


def _on_worker(function: str, *arguments: Any) -> bytes:
    """Call a function of `batch.remote` on a worker, which always knows the package as `kinelift`.

    The answer is for `answers.unpacked`; it is ``"unknown"`` where the worker doesn't know Kinelift.
    """
    try:
        remote = importlib.import_module("kinelift.batch.remote")
    except ModuleNotFoundError:
        return b'"unknown"'
    answer = getattr(remote, function)(*arguments)
    return answer if isinstance(answer, bytes) else json.dumps(answer).encode("ascii")


# Dask sends the code of a function in __main__; the scheduler couldn't import this one by its name
_on_worker.__module__ = "__main__"


class Cluster:
    """The workers behind a Dask scheduler.

    Parameters
    ----------
    address : str
        Address of the scheduler, ``tcp://host:port`` or ``tls://host:port``.
    memory : float
        MB of memory at which a worker ends a process.

    Raises
    ------
    CaptureError
        If dask.distributed isn't installed, no scheduler answers or it answers what none does, there are no
        workers, or one of them can't make clips or would give other results than this machine.
    """

    def __init__(self, address: str, memory: float) -> None:
        if importlib.util.find_spec("distributed") is None:
            raise CaptureError(
                "--scheduler needs the package 'distributed', which this Python lacks: install it as "
                "docs/cluster.md says, or leave --scheduler out."
            )
        self._address, self._memory = address, memory
        self._token = uuid.uuid4().hex
        self._topic = f"kinelift-{self._token}"
        self._lock = threading.Lock()
        self._progress: dict[str, Progress] = {}
        self._client = self._connected()
        try:
            with self._understood():
                self.slots = self._check()
                self._client.subscribe_topic(self._topic, self._hear)
                for topic in ("print", "warn"):  # Dask would print what workers like
                    self._client.subscribe_topic(topic, lambda _event: None)
        except BaseException:
            self.close()
            raise

    def _connected(self) -> distributed.Client:
        """Connect to the scheduler, with the certificates of Dask's configuration if it has any."""
        parts = _ADDRESS.fullmatch(self._address)
        if parts is None or int(parts["port"]) > _LAST_PORT:
            raise CaptureError(
                f"{self._address} is no address of a Dask scheduler: give tcp://HOST:PORT or "
                f"tls://HOST:PORT; {_HOW}."
            )
        try:
            import distributed

            security = distributed.Security()
            encrypted = security.get_connection_args("client").get("ssl_context") is not None
        except (OSError, TypeError, ValueError) as error:
            raise CaptureError(
                f"Dask's configuration can't be used ({error}): correct it; {_HOW}."
            ) from error
        if parts["protocol"] == "tls" and not encrypted:
            raise CaptureError(
                f"{self._address} wants a certificate, and Dask's configuration names none: set DASK_CONFIG; "
                f"{_HOW}."
            )
        if parts["protocol"] == "tcp" and security.require_encryption:
            raise CaptureError(
                f"{self._address} isn't encrypted, and Dask's configuration wants that: give a tls:// "
                f"address; {_HOW}."
            )
        # Dask warns of large tasks, and one that carries a video is large
        warnings.filterwarnings("ignore", "Sending large graph")
        for logger in ("distributed", "distributed.client"):  # our own sentences say what matters
            logging.getLogger(logger).setLevel(logging.CRITICAL + 1)
        refuse_pickles()
        try:
            if parts["protocol"] == "tcp":
                _await_greeting(parts["host"].strip("[]"), int(parts["port"]))
            return distributed.Client(self._address, timeout=_ANSWER, set_as_default=False, security=security)
        except Exception as error:
            refused = ", or it refuses this machine's certificate" if encrypted else ""
            raise CaptureError(
                f"No Dask scheduler answers at {self._address}{refused}: start it, or correct --scheduler; "
                f"{_HOW}."
            ) from error

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """Turn whatever an answer makes Dask, or us, stumble over into a `HaltError`."""
        try:
            yield
        except (CaptureError, Stopped):
            raise
        except (CancelledError, OSError, RuntimeError) as error:
            raise HaltError(
                f"The scheduler {self._address} is gone: start it and give the same command again."
            ) from error
        except Exception as error:
            raise self._strange(error) from error

    def _strange(self, error: BaseException) -> HaltError:
        return HaltError(
            f"The cluster of {self._address} sent an answer that no worker of Kinelift gives "
            f"({str(error)[:200]}): find out who is in it; {_HOW}."
        )

    def _check(self) -> int:
        """Refuse workers that can't make the same results; return how many clips the others make at once."""
        try:
            self._client.wait_for_workers(1, timeout=_WORKERS)
        except TimeoutError as error:
            raise CaptureError(
                f"The scheduler {self._address} has no workers: start some; {_HOW}."
            ) from error
        for worker, missing in self._asked("lacks").items():
            if modules := texts(missing):
                raise CaptureError(
                    f"The worker {worker} lacks {', '.join(modules)}: install it there; {_HOW}."
                )
        for worker, there in self._asked("fingerprint").items():
            self._compare(worker, there)
        return max(1, sum(int(threads) for threads in self._client.nthreads().values()))

    def _asked(self, function: str) -> dict[str, Any]:
        """The answers of all workers to a function of `batch.remote`."""
        answers = self._client.run(_on_worker, function)
        found = {sentence(worker): unpacked(answer)[0] for worker, answer in answers.items()}
        if "unknown" in found.values():
            raise self._lacks_kinelift()
        return found

    def _lacks_kinelift(self) -> HaltError:
        return HaltError(
            f"A worker of {self._address} doesn't know Kinelift: start it with --preload kinelift; {_HOW}."
        )

    def _compare(self, worker: str, answer: Any) -> None:
        """Refuse a worker that would give other results."""
        here, there = fingerprint(), {sentence(what): sentence(value) for what, value in answer.items()}
        if differing := differences(here, there):
            what = differing[0]
            raise HaltError(
                f"The worker {worker} has {what} {there[what]} and this machine {here[what]}: install the "
                "same on all of them."
            )

    def close(self) -> None:
        """Disconnect; the cluster goes on."""
        with suppress(Exception):  # Dask says once more why it has stopped listening
            self._client.close()

    def make(self, order: Order, staging: Path, progress: Progress, stop: threading.Event) -> Made:
        """Make all files of a clip in a new folder in `staging`, as `job.make`, on any worker.

        If that worker is lost, another one makes the clip. Files that a worker doesn't see are sent to it.
        """
        characters = [split_character(one) if one else ("", "") for one in order.retarget]
        files: dict[str, dict[str, Any]] = {
            str(path): {"name": path.name, "sha256": file_hash(path), "data": None} for path in order.inputs
        }
        key = uuid.uuid4().hex
        request = {
            "key": key,
            "topic": self._topic,
            "fingerprint": fingerprint(),
            "order": {
                **asdict(order),
                "clip": str(order.clip),
                "retarget": [str(path) for path, _ in characters],
            },
            "files": files,
            "targets": [target for _, target in characters],
            "staging": str(staging),
            "marker": str(self._marker(staging)),
            "token": self._token,
            "memory": self._memory,
        }
        self._progress[key] = progress
        try:
            with self._understood():
                header, contents = self._reply(request, stop)
                while "lacks" in header:
                    lacking = set(header["lacks"])
                    if not lacking or not lacking <= {path for path in files if files[path]["data"] is None}:
                        raise ValueError("it lacks files that it has, or that aren't the clip's")
                    for path in lacking:
                        files[path]["data"] = _content(Path(path))
                    header, contents = self._reply(request, stop)
                return self._made(header, contents, order, staging)
        finally:
            del self._progress[key]

    def _made(self, header: Any, contents: memoryview, order: Order, staging: Path) -> Made:
        """What a worker's answer says; raises what it says went wrong."""
        if header == "unknown":
            raise self._lacks_kinelift()
        if "error" in header:
            raise CaptureError(sentence(header["error"]))
        if "halt" in header:
            raise HaltError(sentence(header["halt"]))
        if "other" in header:
            self._compare(sentence(header["other"][0]), header["other"][1])
        if "stopped" in header:
            raise Stopped
        return made_from(header, contents, order, staging)

    def _reply(self, request: dict[str, Any], stop: threading.Event) -> tuple[Any, memoryview]:
        """The answer of `remote.make_clip` on any worker."""
        future = self._client.submit(_on_worker, "make_clip", request, pure=False)
        try:
            while not future.done():
                self._check_hearing()
                if stop.wait(_POLL):
                    self._client.run(_on_worker, "stop", request["key"], on_error="ignore")
                    raise Stopped
            if future.status == "error":
                raise self._broke_down(str(future.exception()))
            return unpacked(future.result())
        finally:
            future.release()

    def _broke_down(self, pickled: str) -> CaptureError:
        """Why Dask couldn't end a task; it says so in a pickle, which isn't loaded."""
        if "KilledWorker" in pickled:
            return CaptureError(
                "Several workers were lost while they made it; memory may have run out there: give each "
                "fewer clips at once, or a smaller --memory."
            )
        return CaptureError(f"A worker of {self._address} broke down while it made it: see its log there.")

    def _check_hearing(self) -> None:
        """Stop where Dask itself has stopped listening, because it was sent what it can't read."""
        task = self._client._handle_report_task
        if task is None or not task.done() or task.cancelled():
            return
        if error := task.exception():
            raise self._strange(error)

    def _hear(self, event: tuple[float, Any]) -> None:
        """Show the progress of a clip; anybody in the cluster can send such an event."""
        match event[1]:
            case (str(key), str(stage), int(frame), int(of)) if (
                0 <= frame <= _LONGEST and 0 <= of <= _LONGEST
            ):
                if key in self._progress:  # else the clip has just ended
                    self._progress[key](readable(stage[:40]), frame, of)

    def _marker(self, staging: Path) -> Path:
        """A file that shows workers whether they see the batch's folder; written at the first call."""
        marker = staging / f"marker-{self._token}"
        with self._lock:
            if not marker.exists():
                marker.write_text(self._token, encoding="ascii")
        return marker


def _await_greeting(host: str, port: int) -> None:
    """Check that a server speaks first, as a scheduler does; Dask would wait for another one for ever."""
    try:
        with socket.create_connection((host, port), timeout=_ANSWER) as probe:
            if not probe.recv(1):
                raise OSError("it hangs up")
    except ConnectionRefusedError:
        return  # it may be about to start: Dask tries again


def _content(path: Path) -> bytes:
    """The content of a file, to be sent."""
    if pictures_of(path):
        raise CaptureError(
            f"{path} can't be sent to a worker that doesn't see its pictures: put them in a folder that all "
            "machines have under the same path."
        )
    try:
        if path.stat().st_size > _LARGEST_SENT:
            raise CaptureError(
                f"{path} is too large to be sent to a worker that doesn't see it: put it in a folder that "
                "all machines have under the same path."
            )
        return path.read_bytes()
    except OSError as error:
        raise CaptureError(f"{path} can't be read: {error.strerror or error}.") from error
