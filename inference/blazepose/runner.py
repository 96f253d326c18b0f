"""What runs BlazePose's networks: MediaPipe on the processor, torch on a GPU. Both answer the same."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from ...core.arrays import Array, Image
from ...core.errors import CaptureError
from ..silence import silence
from .network import Network
from .tflite import Graph, cut


class Runner(Protocol):
    """Runs a network on pictures."""

    def run(self, pictures: Sequence[Image]) -> list[Array]:
        """The wanted tensors of some RGB pictures, float32; each (B, ...) as TFLite has it."""

    def close(self) -> None:
        """Release what it holds."""


class MediaPipeRunner:
    """Runs a network through MediaPipe's embedder, which takes any network that has one picture as input.

    On a processor it is the fastest of what was measured: torch takes 1.9 times as long, LiteRT 1.1 times.
    The embedder's own Python makes a list of each tensor, which takes longer than the network; so the
    numbers are read where MediaPipe's library puts them.

    Parameters
    ----------
    data : bytes
        A TFLite file, known to be sound.
    graph : Graph
        What is in it.
    wanted : sequence of int
        Numbers of the tensors to compute.

    Raises
    ------
    CaptureError
        If MediaPipe can't run here.
    """

    def __init__(self, data: bytes, graph: Graph, wanted: Sequence[int]) -> None:
        try:
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision
            from mediapipe.tasks.python.components.containers.embedding_result_c import MpEmbeddingResultC

            with silence():
                self._embedder: Any = vision.ImageEmbedder.create_from_options(
                    vision.ImageEmbedderOptions(
                        base_options=BaseOptions(model_asset_buffer=cut(data, wanted)),
                        l2_normalize=False,
                        quantize=False,
                    )
                )
        except (ImportError, OSError, RuntimeError) as error:
            raise CaptureError(
                f"MediaPipe can't run here ({error}); on Debian and Ubuntu it needs the packages libegl1 and "
                "libgles2."
            ) from error
        self._shapes = [graph.shapes[tensor] for tensor in wanted]
        self._image, self._format = mediapipe.Image, mediapipe.ImageFormat.SRGB
        self._result = MpEmbeddingResultC
        self._quiet = False

    def run(self, pictures: Sequence[Image]) -> list[Array]:
        """See `Runner`."""
        each = [self._one(np.ascontiguousarray(picture)) for picture in pictures]
        return [np.concatenate(tensors) for tensors in zip(*each, strict=True)]

    def _one(self, picture: Image) -> list[Array]:
        image = self._image(image_format=self._format, data=picture)
        result, library = self._result(), self._embedder._lib
        with silence(not self._quiet):  # it talks when it runs for the first time
            library.MpImageEmbedderEmbedImage(
                self._embedder._handle, image._image_ptr, None, ctypes.byref(result)
            )
        self._quiet = True
        try:
            return [
                np.ctypeslib.as_array(result.embeddings[i].float_embedding, shape).copy()
                for i, shape in enumerate(self._shapes)
            ]
        finally:
            library.MpImageEmbedderCloseResult(ctypes.byref(result))

    def close(self) -> None:
        """Release the network. Must be called: one left to garbage collection may hang the process."""
        self._embedder.close()


@dataclass
class _Request:
    """Pictures that wait for a network, and then its answer or what went wrong."""

    pictures: Sequence[Image]
    answer: list[Array] | None = None
    error: Exception | None = None


class TorchRunner:
    """Runs a network on a device of torch, all pictures at once.

    Several threads may use it: what they ask while it is busy becomes one batch.

    Parameters
    ----------
    graph : Graph
    wanted : sequence of int
        Numbers of the tensors to compute.
    device : torch.device
    scale, offset : float
        The network takes `scale` times the pictures' numbers, 0 to 255, plus `offset`.
    """

    def __init__(
        self, graph: Graph, wanted: Sequence[int], device: torch.device, scale: float, offset: float
    ) -> None:
        self._network = Network(graph, wanted).eval().to(device)
        self._device, self._scale, self._offset = device, scale, offset
        self._waiting: list[_Request] = []
        self._busy = threading.Lock()

    def run(self, pictures: Sequence[Image]) -> list[Array]:
        """See `Runner`."""
        mine = _Request(pictures)
        self._waiting.append(mine)
        with self._busy:
            if mine.answer is None and mine.error is None:  # nobody has taken it along
                requests, self._waiting = self._waiting, []
                self._answer(requests)
        if mine.error is not None:
            raise mine.error
        assert mine.answer is not None
        return mine.answer

    @torch.inference_mode()
    def _answer(self, requests: Sequence[_Request]) -> None:
        try:
            stack = np.stack([picture for request in requests for picture in request.pictures])
            pictures = torch.from_numpy(stack).to(self._device).permute(0, 3, 1, 2)
            tensors = self._network(pictures * self._scale + self._offset)
            answers = [(t.permute(0, 2, 3, 1) if t.ndim == 4 else t).cpu().numpy() for t in tensors]
        except RuntimeError as error:  # the device has no room, for one
            for request in requests:
                request.error = error
            return
        first = 0
        for request in requests:
            last = first + len(request.pictures)
            request.answer = [answer[first:last] for answer in answers]
            first = last

    def close(self) -> None:
        """Nothing to release."""


def runner_of(
    data: bytes, graph: Graph, wanted: Sequence[int], device: torch.device, scale: float, offset: float
) -> Runner:
    """What runs a network on a device; see `MediaPipeRunner` and `TorchRunner`."""
    if device.type == "cpu":
        return MediaPipeRunner(data, graph, wanted)
    return TorchRunner(graph, wanted, device, scale, offset)
