"""Make a clip on a Dask worker, for a batch on another machine: with the same job as on one machine.

A worker can import this module because it was started with ``--preload kinelift`` in the folder of Kinelift.
It gets names and plain data only.
"""

from __future__ import annotations

import hashlib
import importlib.util
import platform
import sys
import tempfile
import threading
import time
from dataclasses import asdict, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from ..core.clips import is_clip
from ..core.errors import CaptureError
from ..core.runtime import missing_modules
from .answers import packed
from .job import Progress, Stopped, Tools, blender_command, make
from .orders import file_hash, order_from
from .run import is_full

_ROOT = Path(__file__).resolve().parent.parent
#: folders of the project that decide about a clip's result
_SOURCES = ("batch", "core", "inference", "rig")
#: packages that decide about a clip's result
_PACKAGES = (
    "av", "bpy", "distributed", "mediapipe", "numpy", "opencv-contrib-python", "safetensors", "torch",
)  # fmt: skip
#: fewest seconds between two reports of progress
_PACE = 0.5
#: clips that are being made here, by the batch's key; setting the event gives a clip up
_running: dict[str, threading.Event] = {}


@cache
def fingerprint() -> dict[str, str]:
    """The SHA-256 of the project's source and weights, and the versions of Python and of packages, by name.

    Packages that aren't installed are left out; builds of torch for CPU and GPU count as the same version.
    """
    digest = hashlib.sha256()
    for source in _SOURCES:
        path = _ROOT / source
        for file in sorted([path] if path.is_file() else path.rglob("*"), key=Path.as_posix):
            name = file.relative_to(_ROOT)
            # skip caches of Python and hidden files of editors
            if file.is_file() and not any(part[0] == "." or part == "__pycache__" for part in name.parts):
                content = hashlib.sha256(file.read_bytes()).hexdigest()
                digest.update(f"{name.as_posix()} {content}\n".encode())
    found = {"Kinelift": digest.hexdigest()[:12], "Python": ".".join(platform.python_version_tuple()[:2])}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package).partition("+")[0]
        except metadata.PackageNotFoundError:
            continue
    return found


def differences(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """The names whose values differ between two fingerprints.

    A package that one of them lacks doesn't count: a Python that only starts the batch needn't have them all.
    """
    return sorted(what for what in one.keys() & other.keys() if one[what] != other[what])


def lacks() -> tuple[str, ...]:
    """The modules that this Python lacks to make clips."""
    return (*missing_modules(), *(("bpy",) if importlib.util.find_spec("bpy") is None else ()))


def stop(clip: str) -> None:
    """Give up a clip if it is being made here."""
    if clip in _running:
        _running[clip].set()


def make_clip(request: dict[str, Any]) -> bytes:
    """Make a clip on this machine.

    Parameters
    ----------
    request : dict
        ``key``, the batch's key of the clip; ``topic``, under which it listens for progress; ``fingerprint``,
        that of the batch; ``order``, an `Order` as a dict; ``files``, by their paths in `order`: ``name``,
        ``sha256`` and ``data``, bytes or None; ``targets``, the objects of the characters; ``staging``, the
        batch's folder; ``marker`` and ``token`` as `_sees` takes them; ``memory``, MB.

    Returns
    -------
    bytes
        An answer as `answers.packed` makes it. Its header has one of: ``other``, the worker's address and
        fingerprint, if that isn't the batch's; ``lacks``, paths of files that must be sent; ``error``, why
        the clip can't be made; ``halt``, why no clip can be made; ``stopped``; or ``made``, a `Made` as a
        dict. The files follow if this machine doesn't see the output folder.
    """
    import distributed

    worker = distributed.get_worker()
    if differences(request["fingerprint"], fingerprint()):
        return packed({"other": (worker.address, fingerprint())})
    reported = 0.0

    def progress(stage: str, frame: int, of: int) -> None:
        nonlocal reported
        if time.monotonic() - reported > _PACE:
            reported = time.monotonic()
            worker.log_event(request["topic"], (request["key"], stage, frame, of))

    shared = _sees(request["marker"], request["token"])
    _running[request["key"]] = threading.Event()
    try:
        # Dask deletes this folder even after a worker was killed
        with tempfile.TemporaryDirectory(dir=worker.local_directory, ignore_cleanup_errors=True) as temporary:
            return _make(request, Path(temporary), shared, progress)
    except Stopped:
        return packed({"stopped": True})
    except (CaptureError, OSError) as error:
        if not shared and is_full(error, Path(worker.local_directory)):
            full = f"The disk of the worker {worker.address} is full: make room in {worker.local_directory} "
            return packed({"halt": f"{full}there and give the same command again."})
        return packed({"error": str(error)})
    finally:
        del _running[request["key"]]


def _sees(marker: str, token: str) -> bool:
    """Whether this machine sees the batch's folder under the same path: its marker holds the token."""
    try:
        return Path(marker).read_text(encoding="ascii") == token
    except OSError:
        return False


def _make(request: dict[str, Any], temporary: Path, shared: bool, progress: Progress) -> bytes:
    here: dict[str, Path] = {}
    for number, (path, file) in enumerate(request["files"].items()):
        if file["data"] is not None:
            here[path] = temporary / str(number) / file["name"]
            here[path].parent.mkdir()
            here[path].write_bytes(file["data"])
        elif is_clip(Path(path)) and file_hash(Path(path)) == file["sha256"]:
            here[path] = Path(path)
    if missing := [path for path in request["files"] if path not in here]:
        return packed({"lacks": missing})
    plain = request["order"]
    characters = tuple(
        f"{here[path]}:{target}" if target else str(here[path]) if path else ""
        for path, target in zip(plain["retarget"], request["targets"], strict=True)
    )
    order = replace(order_from(plain), clip=here[plain["clip"]], retarget=characters)
    staging = Path(request["staging"]) if shared else temporary
    tools = Tools(Path(sys.executable), blender_command(""), request["memory"])
    made = make(order, staging, progress, _running[request["key"]], tools)
    contents = None if shared else {name: (Path(made.folder) / name).read_bytes() for name in made.files}
    return packed({"made": asdict(made)}, contents)
