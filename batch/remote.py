"""What a Dask worker does for a batch on another machine: one clip, by the same job as anywhere.

A worker has this module because it was started with ``--preload kinelift`` in the folder of Kinelift; nothing
but names and plain data is sent to it.
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

from ..core.errors import CaptureError
from ..core.runtime import missing_modules
from .job import Progress, Stopped, Tools, blender_command, make
from .orders import file_hash, order_from
from .run import is_full

_ROOT = Path(__file__).resolve().parent.parent
#: what a clip's result hangs on: folders and files of the project, and packages
_SOURCES = ("batch", "core", "inference", "rig")
_PACKAGES = ("bpy", "distributed", "mediapipe", "numpy", "opencv-contrib-python", "safetensors", "torch")
#: seconds between two words of progress
_PACE = 0.5
#: clips that are being made here, by the batch's name for them: set to give them up
_running: dict[str, threading.Event] = {}


@cache
def fingerprint() -> dict[str, str]:
    """What this Python captures with: SHA-256 of the project's source and weights, and versions by package.

    Packages that are not there are missing; builds of torch for CPU and GPU count as one version.
    """
    digest = hashlib.sha256()
    for source in _SOURCES:
        path = _ROOT / source
        for file in sorted([path] if path.is_file() else path.rglob("*"), key=Path.as_posix):
            name = file.relative_to(_ROOT)
            # what Python and editors leave lying about doesn't count
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
    """In what two fingerprints differ; a Python that only starts the batch needn't have what captures."""
    return sorted(what for what in one.keys() & other.keys() if one[what] != other[what])


def lacks() -> tuple[str, ...]:
    """What this Python would need to make clips and doesn't have."""
    return (*missing_modules(), *(("bpy",) if importlib.util.find_spec("bpy") is None else ()))


def stop(clip: str) -> None:
    """Give up a clip, if it is being made here."""
    if clip in _running:
        _running[clip].set()


def make_clip(request: dict[str, Any]) -> dict[str, Any]:
    """Make a clip on this machine.

    Parameters
    ----------
    request : dict
        ``key``, the batch's name for the clip; ``topic``, where it listens for progress; ``fingerprint``, the
        batch's; ``order``, an `Order` as a dict; ``files``, by what `order` calls them: ``name``, ``sha256``
        and ``data``, bytes or None; ``target``, the object of the character; ``staging``, ``marker`` and
        ``token`` as `_sees` takes them; ``memory``, MB.

    Returns
    -------
    dict
        One of ``other``, a worker's address and a fingerprint that isn't the batch's; ``lacks``, files that
        must be sent; ``error``, why the clip can't be made; ``halt``, why none can; ``stopped``; or ``made``,
        a `Made` as a dict, and ``contents``: bytes by name where the output folder isn't here, else None.
    """
    import distributed

    worker = distributed.get_worker()
    if differences(request["fingerprint"], fingerprint()):
        return {"other": (worker.address, fingerprint())}
    told = 0.0

    def progress(stage: str, frame: int, of: int) -> None:
        nonlocal told
        if time.monotonic() - told > _PACE:
            told = time.monotonic()
            worker.log_event(request["topic"], (request["key"], stage, frame, of))

    shared = _sees(request["marker"], request["token"])
    _running[request["key"]] = threading.Event()
    try:
        # Dask clears this folder up even after a worker that was killed
        with tempfile.TemporaryDirectory(dir=worker.local_directory, ignore_cleanup_errors=True) as temporary:
            return _make(request, Path(temporary), shared, progress)
    except Stopped:
        return {"stopped": True}
    except (CaptureError, OSError) as error:
        if not shared and is_full(error, Path(worker.local_directory)):
            return {
                "halt": f"The disk of the worker {worker.address} is full: make room in "
                f"{worker.local_directory} there and give the same command again."
            }
        return {"error": str(error)}
    finally:
        del _running[request["key"]]


def _sees(marker: str, token: str) -> bool:
    """Whether the batch's output folder is here too, under the same path: its marker says the same."""
    try:
        return Path(marker).read_text(encoding="ascii") == token
    except OSError:
        return False


def _make(request: dict[str, Any], temporary: Path, shared: bool, progress: Progress) -> dict[str, Any]:
    here: dict[str, Path] = {}
    for number, (path, file) in enumerate(request["files"].items()):
        if file["data"] is not None:
            here[path] = temporary / str(number) / file["name"]
            here[path].parent.mkdir()
            here[path].write_bytes(file["data"])
        elif Path(path).is_file() and file_hash(Path(path)) == file["sha256"]:
            here[path] = Path(path)
    if missing := [path for path in request["files"] if path not in here]:
        return {"lacks": missing}
    asked = request["order"]
    character = str(here[asked["retarget"]]) if asked["retarget"] else ""
    if character and request["target"]:
        character += f":{request['target']}"
    order = replace(order_from(asked), clip=here[asked["clip"]], retarget=character)
    staging = Path(request["staging"]) if shared else temporary
    tools = Tools(Path(sys.executable), blender_command(""), request["memory"])
    made = make(order, staging, progress, _running[request["key"]], tools)
    contents = None if shared else {name: (Path(made.folder) / name).read_bytes() for name in made.files}
    return {"made": asdict(made), "contents": contents}
