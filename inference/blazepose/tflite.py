"""Reads a TFLite file, as far as BlazePose needs it: what its network computes, in which order, with what.

The format is a flatbuffer: tables whose fields are found through a table of offsets, see
https://flatbuffers.dev/internals and TensorFlow's schema.fbs, whose order of fields the numbers below are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.arrays import Array

#: kinds of operations, by their number in the schema
_KINDS = {
    0: "add",
    2: "concatenate",
    3: "convolve",
    4: "convolve_depthwise",
    5: "depth_to_space",
    6: "dequantize",
    14: "logistic",
    17: "max_pool",
    22: "reshape",
    23: "resize",
    34: "pad",
    124: "densify",
}
#: by kind of operation, its options: name, number of the field, and format
_OPTIONS: dict[str, tuple[tuple[str, int, str], ...]] = {
    "add": (("activation", 0, "b"),),
    "convolve": (("padding", 0, "b"), ("stride", 1, "i"), ("activation", 3, "b")),
    "convolve_depthwise": (("padding", 0, "b"), ("stride", 1, "i"), ("activation", 4, "b")),
    "max_pool": (("padding", 0, "b"), ("stride", 1, "i"), ("size", 3, "i")),
    "depth_to_space": (("block", 0, "i"),),
    "concatenate": (("axis", 0, "i"),),
}
#: types of a tensor's numbers
_TYPES: dict[int, np.dtype[Any]] = {0: np.dtype("<f4"), 1: np.dtype("<f2"), 2: np.dtype("<i4")}
#: types of the indices of a sparse tensor
_INDEX_TYPES: dict[int, np.dtype[Any]] = {1: np.dtype("<i4"), 2: np.dtype("<u2"), 3: np.dtype("u1")}


@dataclass(frozen=True)
class Operation:
    """One step of a network.

    Attributes
    ----------
    kind : str
        What it does: a value of `_KINDS`.
    inputs, outputs : tuple of int
        Numbers of tensors.
    options : dict
        See `_OPTIONS`: padding is `SAME` or not at all, activation is `RELU6` or none.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, int]


SAME = 0
RELU6 = 3


@dataclass(frozen=True)
class Graph:
    """A network: its steps in order, and its tensors, which have the channels last.

    Attributes
    ----------
    shapes : list of tuple of int
        The shape of each tensor.
    constants : dict
        Weights and other numbers that are known, by tensor; float32 and int32.
    operations : list of Operation
        Without those that make constants.
    inputs, outputs : tuple of int
        Numbers of tensors.
    """

    shapes: list[tuple[int, ...]]
    constants: dict[int, Array]
    operations: list[Operation]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read(data: bytes) -> Graph:
    """The network in a TFLite file, which must be known to be sound.

    Raises
    ------
    ValueError, struct.error
        If the file holds something else, or things that BlazePose doesn't use.
    """
    if data[4:8] != b"TFL3":
        raise ValueError("This is no TFLite file.")
    model = _Table(data, _u32(data, 0))
    kinds = [max(code.number(0, "b"), code.number(3, "i")) for code in model.tables(1)]
    buffers = [buffer.vector(0, np.dtype("u1")) for buffer in model.tables(4)]
    (graph,) = model.tables(2)
    tensors = list(graph.tables(0))
    constants = {
        i: _numbers(tensor, content)
        for i, tensor in enumerate(tensors)
        if len(content := buffers[tensor.number(2, "I")])
    }
    operations = []
    for operator in graph.tables(3):
        kind = _KINDS[kinds[operator.number(0, "I")]]
        inputs, outputs = operator.integers(1), operator.integers(2)
        if kind in ("dequantize", "densify"):  # these were float16 or sparse, `_numbers` makes them float32
            if inputs[0] not in constants:
                raise ValueError("A network may have weights of few bits only, not other numbers.")
            constants[outputs[0]] = constants[inputs[0]]
            continue
        fields = _OPTIONS.get(kind, ())
        table = operator.table(4) if fields else None
        options = {name: table.number(at, form) for name, at, form in fields} if table else {}
        operations.append(Operation(kind, inputs, outputs, options))
    shapes = [tensor.integers(0) for tensor in tensors]
    return Graph(shapes, constants, operations, graph.integers(1), graph.integers(2))


def _numbers(tensor: _Table, content: Array) -> Array:
    """The numbers of a constant tensor."""
    kind = _TYPES[tensor.number(1, "b")]
    shape, values = tensor.integers(0), content.view(kind)
    if sparsity := tensor.table(6):
        values = _dense(sparsity, shape, values)
    values = values.reshape(shape)
    return values if kind.kind == "i" else values.astype(np.float32)


def _dense(sparsity: _Table, shape: tuple[int, ...], values: Array) -> Array:
    """A sparse tensor, of which only the last dimension is: each row lists its columns that aren't zero."""
    last = list(sparsity.tables(2))[-1]
    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    starts, indices = (
        last.table(at + 1).vector(0, _INDEX_TYPES[last.number(at, "B")])  # type: ignore[union-attr]
        for at in (2, 4)
    )
    out = np.zeros((rows, columns), values.dtype)
    out[np.repeat(np.arange(rows), np.diff(starts.astype(int))), indices] = values
    return out


def _u32(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0])


@dataclass(frozen=True)
class _Table:
    """A table of a flatbuffer, at a place in its bytes."""

    data: bytes
    at: int

    def _field(self, number: int) -> int:
        """Where a field lies; 0 if it is absent."""
        vtable = self.at - int(struct.unpack_from("<i", self.data, self.at)[0])
        (size,) = struct.unpack_from("<H", self.data, vtable)
        if 4 + 2 * number >= size:
            return 0
        (offset,) = struct.unpack_from("<H", self.data, vtable + 4 + 2 * number)
        return self.at + int(offset) if offset else 0

    def number(self, field: int, form: str) -> int:
        """A number; 0 if it is absent, the default of all that are read here."""
        at = self._field(field)
        return int(struct.unpack_from("<" + form, self.data, at)[0]) if at else 0

    def table(self, field: int) -> _Table | None:
        """A table, None if it is absent."""
        at = self._field(field)
        return _Table(self.data, at + _u32(self.data, at)) if at else None

    def tables(self, field: int) -> Iterator[_Table]:
        """The tables of a list."""
        at = self._list(field)
        for i, offset in enumerate(self.vector(field, np.dtype("<u4")).tolist()):
            yield _Table(self.data, at + 4 * i + offset)

    def _list(self, field: int) -> int:
        """Where a list's first item lies, after its length; 0 if it is absent."""
        at = self._field(field)
        return at + _u32(self.data, at) + 4 if at else 0

    def integers(self, field: int) -> tuple[int, ...]:
        """The numbers of a list of int32."""
        return tuple(self.vector(field, np.dtype("<i4")).tolist())

    def vector(self, field: int, kind: np.dtype[Any]) -> Array:
        """The numbers of a list."""
        at = self._field(field)
        if not at:
            return np.zeros(0, kind)
        at += _u32(self.data, at)
        return np.frombuffer(self.data, kind, _u32(self.data, at), at + 4)


def cut(data: bytes, outputs: Sequence[int]) -> bytes:
    """A TFLite file, known to be sound, whose network computes only some tensors (their numbers), in order.

    Steps that none of them needs are left out. Only lists get shorter: everything stays where it was.
    """
    out = bytearray(data)
    (graph,) = _Table(data, _u32(data, 0)).tables(2)
    operators, needed = graph._list(3), set(outputs)
    kept: list[int] = []
    for i, operator in reversed(list(enumerate(graph.tables(3)))):
        if needed & set(operator.integers(2)):
            needed |= set(operator.integers(1))
            kept.insert(0, operators + 4 * i + _u32(data, operators + 4 * i))
    _rewrite(out, operators, [at - operators - 4 * i for i, at in enumerate(kept)])
    _rewrite(out, graph._list(2), outputs)
    return bytes(out)


def _rewrite(out: bytearray, at: int, numbers: Sequence[int]) -> None:
    """Shorten the list of 32 bit numbers that begins at `at`, after its length."""
    struct.pack_into(f"<{1 + len(numbers)}i", out, at - 4, len(numbers), *numbers)
