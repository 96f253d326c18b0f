"""What the workers of a cluster answer, and what a batch believes of it.

An answer is bytes: a line of JSON and, behind it, the contents of files. Dask itself would unpickle whatever
it is sent, and a pickle runs what its sender likes; `refuse_pickles` ends that.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.errors import CaptureError, readable
from .journal import Made, Seen
from .orders import Order

#: the only class that a pickle may name: Dask says with one of which type a result is
_HARMLESS = ("builtins", "bytes")
#: no whole number in an answer is larger: frames, bytes of a file
_LARGEST = 1 << 50
#: characters of the longest text in an answer; a strip of quality has some thousands
_LONGEST = 1 << 20
#: characters of a sentence in an answer
_SENTENCE = 2000


class RefusedError(TypeError):
    """A pickle names something that could run."""


def refuse_pickles() -> None:
    """Refuse, until this process ends, every pickle that names anything but `bytes`.

    A pickle can run only what it names, and Python asks its audit hooks about each name first.
    """
    sys.addaudithook(_refuse)


def _refuse(event: str, what: tuple[Any, ...]) -> None:
    if event == "pickle.find_class" and what != _HARMLESS:
        raise RefusedError(f"a pickle names {'.'.join(map(str, what))}")


def packed(header: Mapping[str, Any], contents: Mapping[str, bytes] | None = None) -> bytes:
    """An answer: a header and, unless there are none, the contents of files by name."""
    sizes = None if contents is None else {name: len(content) for name, content in contents.items()}
    line = json.dumps({**header, "contents": sizes}).encode("ascii")
    return b"\n".join([line, b"".join((contents or {}).values())])


def unpacked(answer: object) -> tuple[Any, memoryview]:
    """The header of an answer, any JSON, and all contents.

    Raises
    ------
    ValueError
        If it isn't an answer.
    """
    if not isinstance(answer, bytes):
        raise ValueError("it isn't bytes")
    end = len(answer) if (found := answer.find(b"\n")) < 0 else found
    try:
        return json.loads(answer[:end]), memoryview(answer)[end + 1 :]
    except RecursionError:
        raise ValueError("its header is nested too deeply") from None


def texts(values: Any) -> list[str]:
    """The texts of a list in an answer, each fit for a sentence.

    Raises
    ------
    ValueError
        If it isn't a list of texts.
    """
    if not isinstance(values, list) or len(values) > 1000:
        raise ValueError("it lacks a list of texts")
    return [sentence(value) for value in values]


def sentence(value: Any) -> str:
    """A text in an answer, fit for a sentence.

    Raises
    ------
    ValueError
        If it is no text.
    """
    return readable(_text(value)[:_SENTENCE])


def made_from(header: Mapping[str, Any], contents: memoryview, order: Order, staging: Path) -> Made:
    """What a worker has made of an order; writes the contents that it sent into a new folder in `staging`.

    Raises
    ------
    ValueError, TypeError, KeyError or AttributeError
        If that isn't what a worker makes of this order.
    CaptureError
        If the files can't be written.
    """
    made = header["made"]
    files = {_text(name): _whole(size) for name, size in made["files"].items()}
    others = _others(made["others"], order)
    if files.keys() != order.files_of(1 + len(others)):
        raise ValueError(f"its files are {', '.join(sorted(files))[:_SENTENCE]}")
    checked = Made(
        folder=_text(made["folder"]),
        files=files,
        frames=_whole(made["frames"]),
        fps=_number(made["fps"], _LARGEST),
        memory=_number(made["memory"], _LARGEST),
        **_seen(made),
        others=others,
    )
    if header["contents"] is None:
        _check_folder(Path(checked.folder), files, staging)
        return checked
    if header["contents"] != files or sum(files.values()) != len(contents):
        raise ValueError("its files don't have the sizes that it says")
    return replace(checked, folder=_written(header["contents"], contents, staging))


def _others(told: Any, order: Order) -> tuple[Seen, ...]:
    """What an answer says of the people after the first one."""
    if not isinstance(told, list) or 1 + len(told) > order.most_people:
        raise ValueError("its people aren't those of the clip")
    return tuple(Seen(**_seen(one)) for one in told)


def _seen(told: Mapping[str, Any]) -> dict[str, Any]:
    """What an answer says of one person, by the fields of a `Seen`."""
    return {
        "detected": _number(told["detected"], 1),
        "confidence": _number(told["confidence"], 1),
        "strip": _text(told["strip"]),
        "warnings": tuple(texts(told["warnings"])),
    }


def _check_folder(folder: Path, files: Mapping[str, int], staging: Path) -> None:
    """Check that a folder is one in `staging`, with these files and no links."""
    if folder.parent != staging or folder.name == ".." or folder.is_symlink():
        raise ValueError(f"its folder {str(folder)[:_SENTENCE]} isn't one of this batch")
    for name, size in files.items():
        path = folder / name
        if path.is_symlink() or not path.is_file() or path.stat().st_size != size:
            raise ValueError(f"its file {name} isn't there in full")


def _written(sizes: Mapping[str, int], contents: memoryview, staging: Path) -> str:
    """Write contents into a new folder in `staging`; return the folder."""
    try:
        folder = Path(tempfile.mkdtemp(dir=staging))
        begin = 0
        for name, size in sizes.items():
            (folder / name).write_bytes(contents[begin : begin + size])
            begin += size
    except OSError as error:
        raise CaptureError(f"Can't write {staging}: {error.strerror or error}.") from error
    return str(folder)


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise ValueError("it lacks a text")
    return value


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise ValueError("it lacks a whole number")
    return value


def _number(value: Any, most: float) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or not 0 <= value <= most:
        raise ValueError("it lacks a number")
    return float(value)
