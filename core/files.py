"""Files: their names, and writing them so that they appear whole or not at all."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from .clips import name_of_pictures
from .errors import NOT_AS_TOLD, CaptureError
from .names import safe_name

#: ending of captured motions
MOTION_SUFFIX = ".motion.npz"
#: date, time, process and number, which `new_motion_name` appends to the name of a clip
_STAMP = re.compile(r"-\d{8}-\d{6}-\d+-\d+(?=(\.person\d+)?$)")
#: an object of a .blend file
_OBJECT_IN_FILE = re.compile(r"(.*\.blend):(.*)", re.IGNORECASE | re.DOTALL)

#: bytes of a file of JSON that an artist gives: an hour of steps, or a thousand poses, take a tenth of it
_LARGEST_JSON = 1 << 24
_Told = TypeVar("_Told")


def read_json(path: Path, what: str, wanted: str, told: Callable[[Any], _Told]) -> _Told:
    """What a file of JSON tells.

    Parameters
    ----------
    path : Path
    what : str
        Names it, such as ``pins``.
    wanted : str
        What it should hold, with an example.
    told : callable
        Makes of the file's value what it tells; raises one of `NOT_AS_TOLD` if it isn't as it should be.

    Raises
    ------
    CaptureError
        If the file can't be read, or isn't as it should be.
    """
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise ValueError("too large")
        return told(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise CaptureError(f"The {what} {path} can't be read: {error.strerror or error}.") from error
    except NOT_AS_TOLD as error:
        raise CaptureError(f"The {what} {path} aren't written as they should be: {wanted}.") from error


def file_stem(path: Path) -> str:
    """The name of a video, of numbered pictures or of a motion, without its ending."""
    if name := name_of_pictures(path):
        return name
    return path.name.removesuffix(MOTION_SUFFIX) if path.name.endswith(MOTION_SUFFIX) else path.stem


def clip_name(path: Path) -> str:
    """The name, safe on every system, of the clip in a video, or in a motion that was captured from one."""
    stem = file_stem(path)
    return safe_name(_STAMP.sub("", stem) if path.name.endswith(MOTION_SUFFIX) else stem)


def name_of_person(name: str, number: int) -> str:
    """What a clip's numbered person is called; the first one is called as the clip."""
    return name if number == 1 else f"{name}.person{number}"


def of_person(path: Path, number: int) -> Path:
    """The file of a numbered person beside `path`, which is that of the first one."""
    ending = MOTION_SUFFIX if path.name.endswith(MOTION_SUFFIX) else path.suffix
    return path.with_name(f"{name_of_person(path.name.removesuffix(ending), number)}{ending}")


def everybodys(path: Path, people: int) -> list[Path]:
    """The motions that one capture made: that of the first person, `path`, and those of the others.

    `people` is how many the first one's says that there are (`Capture.people`): others beside it are of an
    earlier capture. Those that are gone are left out.
    """
    others = (of_person(path, number) for number in range(2, people + 1))
    return [path, *filter(Path.is_file, others)]


def new_motion_name(source: Path, number: int) -> str:
    """A unique file name for a motion made from `source`.

    `number` has to be another one for each motion of a process.
    """
    stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{number}"
    return f"{clip_name(source)}-{stamp}{MOTION_SUFFIX}"


def split_character(text: str) -> tuple[Path, str]:
    """The file and the object of ``FILE`` or ``FILE.blend:OBJECT``; the object is empty if none is named.

    Only a colon behind ``.blend`` separates them: Windows' drives have one, names of objects may have more.
    """
    try:
        whole = Path(text).exists()
    except OSError:  # too long to be a file's name, for example
        whole = False
    named = None if whole else _OBJECT_IN_FILE.fullmatch(text)
    return (Path(named[1]), named[2]) if named is not None else (Path(text), "")


#: temporary files of `replacing` that are being written now
_unfinished: set[Path] = set()


def writing() -> bool:
    """Whether a file is being written that isn't whole yet."""
    return bool(_unfinished)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which replaces `path` when the block ends without an error.

    An error or Ctrl-C leaves an earlier `path` as it was.

    Raises
    ------
    CaptureError
        If the folder can't be written or the disk is full.
    """
    try:
        temporary = _temporary_beside(path)
        _unfinished.add(temporary)
        try:
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
            _unfinished.discard(temporary)
    except OSError as error:
        raise unwritable(path, error) from error


def check_writable(path: Path) -> None:
    """Check that `path` can be written, before minutes are spent on its content.

    Raises
    ------
    CaptureError
        If the folder can't be made or written, or `path` is a folder.
    """
    if path.is_dir():
        raise CaptureError(f"Can't write {path}: it is a folder. Give the file a name in it.")
    try:
        _temporary_beside(path).unlink()
    except OSError as error:
        raise unwritable(path, error) from error


def is_own_folder(path: Path) -> bool:
    """Whether `path` is a folder that lies where its name says, not a link to one."""
    return path.is_dir() and path.resolve() == path.parent.resolve() / path.name


def _temporary_beside(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    # keep the suffix: writers choose their format by it
    handle, name = tempfile.mkstemp(prefix=".kinelift-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    return Path(name)


def unwritable(path: Path, error: OSError) -> CaptureError:
    """What an artist is told of a file, or a folder, that the system doesn't let us write."""
    reason = error.strerror or str(error)
    return CaptureError(f"Can't write {path}: {reason}. Choose a folder that can be written and has room.")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
