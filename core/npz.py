"""Read .npz files that anybody may have made: nothing that they say of their size or content is believed."""

from __future__ import annotations

import io
import math
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

#: how `np.save` begins an array of numbers or a text: kind, bytes or characters, order, shape
_BEGIN = re.compile(
    rb"\x93NUMPY\x01\x00(..)\{'descr': '<(f4|f8|U\d{1,7})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,10}, ?)*(?:\d{1,10})?)\), \}",
    re.DOTALL,
)
#: bytes that hold the beginning of any array with few axes
_BEGIN_BYTES = 256
#: characters of a text
_LONGEST_TEXT = 1_000_000
#: bytes of a zip file's table of contents, of which ours need one or two thousand
_LARGEST_CONTENTS = 1 << 16
#: the end of a zip file without a comment
_END = struct.Struct("<4s4xHHIIH")
#: bytes before `_END` that larger zip files than ours have
_END64 = (b"PK\x06\x07", 20)
#: flags of zip members that are encrypted or patches
_STRANGE_FLAGS = 0x1 | 0x20 | 0x40


def read_npz(path: Path, names: Iterable[str], largest: int) -> dict[str, Any]:
    """Read arrays of floats, and texts, from a file of `np.savez` or `np.savez_compressed`.

    `np.load` believes a file: a few kilobytes can make it fill the memory. This takes no more than about
    twice `largest` bytes, and only what those two write.

    Parameters
    ----------
    path : Path
    names : iterable of str
        What to read; the file may hold more.
    largest : int
        Bytes that the file, and all that is read from it, may have.

    Returns
    -------
    dict
        Arrays (float32 or float64) and texts by name.

    Raises
    ------
    OSError
        If the file can't be read.
    ValueError
        If it isn't such a file, is damaged or too large, or lacks one of the names.
    """
    try:
        with path.open("rb") as file:
            _check_end(file, largest)
            with zipfile.ZipFile(file) as archive:
                members = [_member(archive, f"{name}.npy") for name in names]
                if sum(member.file_size for member in members) > largest:
                    raise ValueError("too large")
                return {member.filename[:-4]: _value(archive, member) for member in members}
    except (zipfile.BadZipFile, zlib.error, struct.error, RuntimeError, EOFError, MemoryError) as error:
        raise ValueError(str(error)) from error


def _check_end(file: io.BufferedReader, largest: int) -> None:
    """Refuse a zip file that would take long to open: with thousands of members."""
    marker, before = _END64
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - _END.size - before, 0))
    end = file.read().rjust(_END.size + before, b"\0")
    signature, _, _, contents, _, comment = _END.unpack(end[before:])
    ours = signature == b"PK\x05\x06" and not comment and not end.startswith(marker)
    if not ours or contents > _LARGEST_CONTENTS or size > largest:
        raise ValueError("no .npz of numpy's")


def _member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    found = [member for member in archive.infolist() if member.filename == name]
    if len(found) != 1:
        raise ValueError(f"{len(found)} members are called {name}")
    (member,) = found
    usual = member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if not usual or member.flag_bits & _STRANGE_FLAGS:
        raise ValueError(f"{name} is encrypted, or packed in a way that numpy doesn't use")
    return member


def _value(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Any:
    with archive.open(member) as file:
        content = bytearray(file.read(_BEGIN_BYTES))
        begin = _BEGIN.match(content)
        if begin is None:
            raise ValueError(f"{member.filename} holds no numbers and no text")
        data = 10 + int.from_bytes(begin[1], "little")
        shape = tuple(int(count) for count in begin[4].split(b",") if count.strip())
        is_text, width = begin[2][:1] == b"U", int(begin[2][1:])
        bytes_each = 4 * width if is_text else width
        wrong = member.file_size != data + math.prod(shape) * bytes_each
        if wrong or (is_text and (shape or width > _LONGEST_TEXT)):
            raise ValueError(f"{member.filename} is not as large as it says, or too large")
        # never without a number: `read()` unpacks whatever there is before it counts
        content += file.read(member.file_size - len(content))
    if len(content) != member.file_size:
        raise ValueError(f"{member.filename} is cut off")
    if is_text:
        return content[data:].decode("utf-32-le", "surrogatepass").rstrip("\0")
    values = np.frombuffer(content, f"<{begin[2].decode()}", offset=data)
    return values.reshape(shape, order="F" if begin[3] == b"True" else "C")
