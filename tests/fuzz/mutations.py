"""Mutations: a sound file becomes one that is damaged or does harm; a seed always gives the same one."""

from __future__ import annotations

import io
import json
import random
import string
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

#: numbers at which programs stumble
NUMBERS = (
    0, -1, 1, 2**31, -(2**63), 2**64, 10**400, 0.5, -0.0, 1e-320, 1e30, 1e308,
    float("nan"), float("inf"), -float("inf"),
)  # fmt: skip
#: texts at which programs stumble: paths out of a folder, devices, controls, code for other programs
TEXTS = (
    "", ".", "..", "../up", "../../escaped", "/", "..\\up", "C:/x", "\\\\host\\share", "CON", "nul.txt",
    "name.", " name ", "~nobody/x", "~", "a\0b", "line\nbreak", "\u202egnp", "e\u0301", "\u00e9", "\udcff",
    "x" * 5000, "-rf", "$(id)", "%n%s", "';DROP TABLE clips;--", "<script>alert(1)</script>", "=1+1", "nan",
    "inf", "1e999", "9" * 5000, "(?:a+)+$", ".kinelift/journal.sqlite", "report.html", "file:///etc/passwd",
    "a/" * 300 + "b",
)  # fmt: skip
#: levels of a value that is nested too deeply
_DEEP = 100_000


def mutated_bytes(content: bytes, rng: random.Random) -> bytes:
    """Bits flipped, bytes cut out, doubled, moved or replaced by numbers."""
    out = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8, 50))):
        if not out:
            break
        at = rng.randrange(len(out))
        size = min(len(out) - at, rng.choice((1, 4, 16, 400, 5000)))
        kind = rng.randrange(7)
        if kind == 0:
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del out[at : at + size]
        elif kind == 2:
            out[at:at] = out[at : at + size]
        elif kind == 3:
            out[at : at + size] = rng.randbytes(size)
        elif kind == 4:
            number = rng.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000))
            out[at : at + 4] = struct.pack(rng.choice("<>") + "I", number)
        elif kind == 5:
            del out[at:]
        else:
            out[at : at + size] = bytes(size)
    return bytes(out)


def mutated_text(text: str, rng: random.Random) -> str:
    """Cells, words and lines replaced, doubled or left out."""
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(text) + 1)
        end = min(len(text), at + rng.choice((0, 0, 1, 5, 40)))
        new = rng.choice(
            (
                "",
                rng.choice(TEXTS),
                str(rng.choice(NUMBERS)),
                rng.choice(',;"\n\r\t\0\ufeff'),
                "".join(rng.choices(string.printable, k=6)),
                text[at : at + 200],
            )
        )
        text = text[:at] + new + text[end:]
    return text


def strange_value(rng: random.Random) -> Any:
    """A value of JSON that nobody expects."""
    return rng.choice(
        (
            None, True, False, [], {}, [None], {"a": 1}, rng.choice(NUMBERS), rng.choice(TEXTS),
            [rng.choice(NUMBERS)] * 3, [rng.choice(TEXTS)], {rng.choice(TEXTS): rng.choice(NUMBERS)},
        )
    )  # fmt: skip


def mutated_json(value: Any, rng: random.Random) -> Any:
    """One place in a value of JSON changed: another type, another number, left out, or new."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        changed = dict(value)
        kind = rng.randrange(8)
        if kind == 0:
            del changed[key]
        elif kind == 1:
            changed[rng.choice(TEXTS)] = strange_value(rng)
        else:
            changed[key] = mutated_json(value[key], rng)
        return changed
    if isinstance(value, list) and value and rng.random() < 0.7:
        at = rng.randrange(len(value))
        return [*value[:at], mutated_json(value[at], rng), *value[at + 1 :]][: rng.choice((None, at, at + 1))]
    return strange_value(rng)


def json_text(value: Any, rng: random.Random) -> str:
    """A value of JSON as text, now and then nested deeply or with a key twice."""
    if rng.random() < 0.02:
        return rng.choice(("[" * _DEEP, '{"a":' * _DEEP, "[" * _DEEP + "]" * _DEEP))
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.03 and isinstance(value, dict) and value:
        key = rng.choice(list(value))
        text = text[:-1] + f", {json.dumps(key)}: {json.dumps(strange_value(rng))}" + "}"
    return text


def mutated_npz(content: bytes, rng: random.Random) -> bytes:
    """A zip of arrays with one of them, its header in JSON, or the zip itself changed."""
    if rng.random() < 0.3:
        return mutated_bytes(content, rng)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(["header.npy", *members])
    change = rng.choice(
        (_other_numbers, _other_numbers, _other_kind, _other_shape, _lying_header, mutated_bytes)
    )
    if name == "header.npy":
        header = json.loads(str(np.load(io.BytesIO(members[name]))))
        for _ in range(rng.choice((1, 1, 3))):
            header = mutated_json(header, rng)
        text = json_text(header, rng)
        members[name] = _npy(np.array(text)) if rng.random() < 0.95 else _npy(np.array([text, text]))
    elif rng.random() < 0.05:
        del members[name]
    else:
        members[name] = change(members[name], rng)
    out = io.BytesIO()
    method = rng.choice(
        (zipfile.ZIP_STORED, *[zipfile.ZIP_DEFLATED] * 4, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    )
    with zipfile.ZipFile(out, "w", method) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    packed = out.getvalue()
    if rng.random() < 0.03:  # the flag of encryption
        at = packed.rfind(b"PK\x01\x02")
        packed = packed[: at + 8] + bytes([packed[at + 8] | 1]) + packed[at + 9 :]
    return packed


def _npy(array: np.ndarray[Any, Any]) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, allow_pickle=True)  # a hostile file may well hold pickles
    return out.getvalue()


def _array(data: bytes) -> np.ndarray[Any, Any]:
    return np.array(np.load(io.BytesIO(data), allow_pickle=False))


def _other_numbers(data: bytes, rng: random.Random) -> bytes:
    array = _array(data).astype(np.float64)
    if not array.size:
        return _npy(np.full((1, 1), np.nan))
    flat = array.reshape(-1)
    number = float(min(rng.choice(NUMBERS), 1e308))
    kind = rng.randrange(4)
    if kind == 0:
        flat[rng.randrange(flat.size)] = number
    elif kind == 1:
        flat[rng.randrange(flat.size) :] = number
    elif kind == 2:
        flat[:] = number
    else:
        flat *= number
    return _npy(array.astype(np.float32 if rng.random() < 0.5 else np.float64))


def _other_kind(data: bytes, rng: random.Random) -> bytes:
    array = _array(data)
    kind: Callable[[], np.ndarray[Any, Any]] = rng.choice(
        (
            lambda: array.astype(str),
            lambda: array.astype(object),
            lambda: array.astype(complex),
            lambda: array.astype(bool),
            lambda: array.astype(np.int8),
            lambda: np.zeros(array.shape, [("a", "f4"), ("b", "O")]),
            lambda: np.asfortranarray(array),
            lambda: array.astype(">f8"),
            lambda: np.zeros(array.shape, "M8[s]"),
        )
    )
    with np.errstate(all="ignore"):
        return _npy(kind())


def _other_shape(data: bytes, rng: random.Random) -> bytes:
    array = _array(data)
    if not array.ndim:
        return _npy(np.zeros((2, 2)))
    changed: np.ndarray[Any, Any] = rng.choice(
        (array[:0], array[:1], array[:-1], array[None], array.reshape(-1), array[..., :1])
    )
    return _npy(changed)


def _lying_header(data: bytes, rng: random.Random) -> bytes:
    """Another shape in the header of an array than it has numbers."""
    shape = rng.choice(
        (
            "(10995116277760,)",
            "(2, 1099511627776)",
            "(0,)",
            "(-1,)",
            "(1e3,)",
            "()",
            "(" * 300,
            "None",
            "(1,) * 10**9",
        )
    )
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + data[128:]
