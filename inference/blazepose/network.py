"""A TFLite network as a torch module: the same numbers, but batches, other devices, and gradients too."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .tflite import RELU6, SAME, Graph, Operation


class Network(nn.Module):
    """Computes some tensors of a network from its only input.

    Between the steps pictures have the channels second, as torch has them; what was reshaped is a list of
    numbers, in TFLite's order. Steps that none of the wanted tensors needs are left out.

    Parameters
    ----------
    graph : Graph
    wanted : sequence of int
        Numbers of the tensors to compute.

    Raises
    ------
    ValueError
        If the network does something that BlazePose doesn't.
    """

    def __init__(self, graph: Graph, wanted: Sequence[int]) -> None:
        super().__init__()
        (self._input,), self._wanted = graph.inputs, tuple(wanted)
        operations: list[Operation] = []
        needed = set(wanted)
        for operation in reversed(graph.operations):
            if operation.outputs[0] in needed:
                needed |= set(operation.inputs)
                operations.insert(0, operation)
        self.steps = nn.ModuleList()
        self._flow: list[tuple[tuple[int, ...], int]] = []
        borders: dict[int, tuple[int, int]] = {}  # of a padded map: the map without the border, its width
        for operation in operations:
            inputs, border = operation.inputs, 0
            if operation.kind == "pad" and (border := _border(graph, operation)):
                borders[operation.outputs[0]] = inputs[0], border
                continue
            if inputs[0] in borders:  # convolutions pad faster themselves
                source, border = borders[inputs[0]]
                inputs = (source, *inputs[1:])
            self.steps.append(_step(graph, operation, border))
            self._flow.append((tuple(i for i in inputs if i not in graph.constants), operation.outputs[0]))
        last = {tensor: i for i, (inputs, _) in enumerate(self._flow) for tensor in inputs}
        self._done = [
            [tensor for tensor in set(inputs) - set(wanted) if last[tensor] == i]
            for i, (inputs, _) in enumerate(self._flow)
        ]

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """The wanted tensors of `pictures` (B, 3, h, w): maps (B, C, h', w') or lists (B, ...) of numbers."""
        known = {self._input: pictures}
        for step, (inputs, output), done in zip(self.steps, self._flow, self._done, strict=True):
            known[output] = step(*[known[tensor] for tensor in inputs])
            for tensor in done:
                del known[tensor]
        return [known[tensor] for tensor in self._wanted]


def _border(graph: Graph, operation: Operation) -> int:
    """How wide a border a `pad` adds on all sides of a map; 0 if it does something else."""
    before, after = graph.constants[operation.inputs[1]].T.tolist()
    return int(before[1]) if before == after == [0, before[1], before[1], 0] else 0


def _step(graph: Graph, operation: Operation, border: int) -> nn.Module:
    """What does an operation; a convolution also adds a `border` first."""
    options, kind = operation.options, operation.kind
    if border and kind not in ("convolve", "convolve_depthwise"):
        raise ValueError(f"There is a border before {kind}.")
    relu = options.get("activation") == RELU6
    if kind in ("convolve", "convolve_depthwise"):
        return _Convolution(graph, operation, border, relu)
    if kind == "add":
        return _Add(relu)
    if kind == "max_pool":
        return nn.MaxPool2d(options["size"], options["stride"])
    if kind == "logistic":
        return nn.Sigmoid()
    if kind == "resize":
        return nn.Upsample(graph.shapes[operation.outputs[0]][1:3], mode="bilinear")
    if kind == "depth_to_space":
        return _DepthToSpace(options["block"])
    if kind == "concatenate":
        return _Concatenate(options["axis"])
    if kind == "reshape":
        return _Reshape(graph.shapes[operation.outputs[0]][1:])
    before, after = graph.constants[operation.inputs[1]].T.tolist()
    if before != [0, 0, 0, 0] or after[:3] != [0, 0, 0]:
        raise ValueError("There is an unknown border.")
    return nn.ConstantPad3d((0, 0, 0, 0, 0, after[3]), 0.0)


class _Convolution(nn.Module):
    def __init__(self, graph: Graph, operation: Operation, border: int, relu: bool) -> None:
        super().__init__()
        _, weight, bias = operation.inputs
        stride, depthwise = operation.options["stride"], operation.kind == "convolve_depthwise"
        kernel = torch.tensor(graph.constants[weight])
        # TFLite: (out, h, w, in), or (1, h, w, channels) if each channel has a kernel of its own
        kernel = kernel.permute(3, 0, 1, 2) if depthwise else kernel.permute(0, 3, 1, 2)
        out, per_group, size, _ = kernel.shape
        before, after = border, border
        if operation.options["padding"] == SAME:
            height, reached = (graph.shapes[i][1] for i in (operation.inputs[0], operation.outputs[0]))
            total = max((reached - 1) * stride + size - height, 0)
            before, after = total // 2, total - total // 2  # a pixel more below and on the right
        self.uneven = (before, after, before, after) if before != after else None
        self.convolution = nn.Conv2d(
            per_group * (out if depthwise else 1), out, size, stride,
            padding=0 if self.uneven else before, groups=out if depthwise else 1,
        )  # fmt: skip
        with torch.no_grad():
            self.convolution.weight.copy_(kernel)
            self.convolution.bias.copy_(torch.tensor(graph.constants[bias]))  # type: ignore[union-attr]
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        if self.uneven:
            x = functional.pad(x, self.uneven)
        x = self.convolution(x)
        return functional.relu6(x) if self.relu else x


class _Add(nn.Module):
    def __init__(self, relu: bool) -> None:
        super().__init__()
        self.relu = relu

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return functional.relu6(a + b) if self.relu else a + b


class _DepthToSpace(nn.Module):
    def __init__(self, block: int) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        # TFLite's channels are (row, column, channel), `pixel_shuffle` takes (channel, row, column)
        x = x.unflatten(1, (self.block**2, -1)).transpose(1, 2).flatten(1, 2)
        return functional.pixel_shuffle(x, self.block)


class _Concatenate(nn.Module):
    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, *parts: Tensor) -> Tensor:
        return torch.cat(parts, self.axis)


class _Reshape(nn.Module):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1).reshape(-1, *self.shape)
