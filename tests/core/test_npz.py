"""Archives of arrays: what numpy wrote is read, and no other archive costs memory or time."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kinelift.core.npz import read_npz

#: bytes that the tests allow
LARGEST = 1 << 20
VALUES = np.linspace(0, 1, 24, dtype=np.float32).reshape(2, 3, 4)


def member(shape: str = "(2, 3, 4)", kind: str = "<f4", data: bytes = VALUES.tobytes()) -> bytes:
    """An array as `np.save` writes it, whatever its header says."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + text.ljust(117).encode() + b"\n" + data


def pack(path: Path, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.npy", content)
    return path.read_bytes()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_wrote_is_read(tmp_path: Path, save: Callable[..., None]) -> None:
    turned = np.asfortranarray(VALUES.astype(np.float64))
    none = np.zeros((0, 0, 33, 6), np.float32)
    save(tmp_path / "a.npz", a=VALUES, turned=turned, none=none, text=np.array('tänz "\ud800" 🩰'), more=[1])
    read = read_npz(tmp_path / "a.npz", ("a", "turned", "none", "text"), LARGEST)
    assert list(read) == ["a", "turned", "none", "text"] and read["text"] == 'tänz "\ud800" 🩰'
    for name, values in (("a", VALUES), ("turned", turned), ("none", none)):
        np.testing.assert_array_equal(read[name], values)
        assert read[name].dtype == values.dtype
    read["a"][0] = 7  # what is read can be changed


def refused(path: Path) -> float:
    """Assert that an archive is refused at once, and return the memory that this took, MB."""
    tracemalloc.start()
    start = time.perf_counter()
    try:
        with pytest.raises(ValueError):
            read_npz(path, ["a"], LARGEST)
        assert time.perf_counter() - start < 2
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "content",
    [
        member("(10995116277760,)"), member("(2, 3, 5)"), member("(2, 3)"), member("(-2, -3, 4)"),
        member("(0, 3)"), member("(2, 3, 4"), member(kind="|O"), member(kind=">f4"), member(kind="<c8"),
        member(kind="|b1"), member(kind="<f2"), member("()", "<U24"), member("(24,)", "<U1"),
        member("()", "<U5000000", bytes(20_000_000)), member(data=b""), b"\x93NUMPY", b"",
        member().replace(b"\x01\x00", b"\x02\x00", 1), member().replace(b"v\x00", b"\xff\xff", 1),
        member("(" * 60), member(data=bytes(2 * LARGEST)), member("(524288,)", data=bytes(2 * LARGEST)),
    ],
    ids=lambda content: str(content[10:80]),
)  # fmt: skip
def test_arrays_are_not_what_they_say(tmp_path: Path, content: bytes) -> None:
    pack(tmp_path / "a.npz", content)
    assert refused(tmp_path / "a.npz") < 1


def test_texts_are_characters(tmp_path: Path) -> None:
    pack(tmp_path / "a.npz", member("()", "<U1", b"\xff\xff\xff\xff"))
    refused(tmp_path / "a.npz")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_what_numpy_packs_is_unpacked(tmp_path: Path, method: int) -> None:
    pack(tmp_path / "a.npz", member(), method)
    refused(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("at", "value"), [(8, 0x01), (8, 0x20), (8, 0x40), (10, 93), (16, 0), (20, 1), (24, 0), (42, 7)]
)
def test_table_of_contents_that_lies(tmp_path: Path, at: int, value: int) -> None:
    # flags: encrypted, patched, strongly encrypted; method; checksum; sizes packed and unpacked; place
    content = bytearray(pack(tmp_path / "a.npz", member()))
    struct.pack_into("<H", content, content.rindex(b"PK\x01\x02") + at, value)
    (tmp_path / "a.npz").write_bytes(content)
    refused(tmp_path / "a.npz")


def test_a_bomb_that_says_it_is_small_is_not_unpacked(tmp_path: Path) -> None:
    content = bytearray(pack(tmp_path / "a.npz", member(data=bytes(200 << 20))))
    size = len(member())
    struct.pack_into("<I", content, content.rindex(b"PK\x01\x02") + 24, size)
    (tmp_path / "a.npz").write_bytes(content)
    assert refused(tmp_path / "a.npz") < 2


def test_thousands_of_members_are_not_listed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", member())
        for number in range(5000):
            archive.writestr(f"{number}", b"")
    assert refused(tmp_path / "a.npz") < 1


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_of_one_name_and_none(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for _ in range(2):
            archive.writestr("a.npy", member())
    refused(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", b=VALUES)
    refused(tmp_path / "b.npz")
