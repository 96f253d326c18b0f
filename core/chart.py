"""Confidence and contacts over time as a picture: where to look first. numpy only: Blender has no more."""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .capture import Capture
from .colours import HIGH, LOW, MIDDLING
from .files import replacing
from .lettering import width, write
from .motion import CONTACT_POINTS, Motion
from .skeleton import JOINTS

Image = npt.NDArray[np.uint8]
_BACK, _INK, _GRID, _CONTACT, _EMPTY = (
    (250, 250, 250),
    (40, 40, 40),
    (205, 205, 205),
    (50, 120, 200),
    (228, 232, 236),
)
#: pixels: of the strips, of a row and what it fills of it, to the left, the right, above and below
_WIDE, _ROW, _BAR, _LEFT, _RIGHT, _ABOVE, _BELOW = 960, 18, 14, 130, 24, 34, 40
_GAP = 12
_SCALE = 1
#: the strip of the limbs, from head to toe
_ROWS = sorted(range(len(JOINTS)), key=lambda j: (JOINTS[j][-2:] == ".R", JOINTS[j][-2:] == ".L"))


def confidence_colours(confidence: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """sRGB (..., 3), 0 to 255: red where nothing was seen, over yellow to green."""
    stops = np.array([LOW, MIDDLING, HIGH], dtype=float)
    at = np.clip(confidence, 0, 1) * (len(stops) - 1)
    low = np.minimum(at.astype(int), len(stops) - 2)
    share = (at - low)[..., None]
    return np.asarray(stops[low] * (1 - share) + stops[low + 1] * share)


def strip_chart(capture: Capture) -> Image:
    """The picture, RGB: a row for each joint and each contact point, seconds of the video to the right."""
    rows = len(_ROWS) + len(CONTACT_POINTS)
    high = _ABOVE + rows * _ROW + _GAP + _BELOW
    image = np.full((high, _LEFT + _WIDE + _RIGHT, 3), _BACK, np.uint8)
    write(
        image,
        "confidence: how well each joint was seen, and contacts with the floor",
        _LEFT,
        12,
        _INK,
        _SCALE,
    )
    # the frames that share a column: the worst of them is what has to be seen
    edges = np.linspace(0, len(capture), _WIDE + 1)
    first = np.minimum(edges[:-1].astype(int), len(capture) - 1)
    seen = np.minimum.reduceat(capture.confidence, first, axis=0)
    for number, joint in enumerate(_ROWS):
        top = _ABOVE + number * _ROW
        _label(image, JOINTS[joint], top)
        image[top : top + _BAR, _LEFT : _LEFT + _WIDE] = np.round(confidence_colours(seen[:, joint]))
    stands = np.clip(np.maximum.reduceat(capture.motion.contacts, first, axis=0), 0, 1)
    blank, full = np.array(_EMPTY, float), np.array(_CONTACT, float)
    for number, name in enumerate(CONTACT_POINTS):
        top = _ABOVE + (len(_ROWS) + number) * _ROW + _GAP
        _label(image, name, top)
        colours = blank + (full - blank) * stands[:, number, None]
        image[top : top + _BAR, _LEFT : _LEFT + _WIDE] = np.round(colours)
    _axis(image, capture.motion, high - _BELOW)
    return image


def quality_strip(capture: Capture, wide: int = 240) -> Image:
    """One line of pixels (1, wide, 3): how well the person was seen over time, all joints together."""
    edges = np.linspace(0, len(capture), wide + 1)
    first = np.minimum(edges[:-1].astype(int), len(capture) - 1)
    seen = np.minimum.reduceat(capture.confidence.mean(1), first)
    strip: Image = np.round(confidence_colours(seen)).astype(np.uint8)[None]
    return strip


def save_chart(capture: Capture, path: Path) -> None:
    """Write the strip chart as PNG; `path` appears whole or not at all.

    Raises
    ------
    CaptureError
        If it can't be written.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(png(strip_chart(capture)))


def png(image: Image) -> bytes:
    """An RGB picture (h, w, 3) as the content of a PNG file."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    high, wide = image.shape[:2]
    # every row begins with its filter: none
    rows = np.concatenate([np.zeros((high, 1), np.uint8), image.reshape(high, -1)], axis=1)
    header = struct.pack(">IIBBBBB", wide, high, 8, 2, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + content


def _label(image: Image, name: str, top: int) -> None:
    write(image, name, _LEFT - 8 - width(name, _SCALE), top + 4, _INK, _SCALE)


def _axis(image: Image, motion: Motion, top: int) -> None:
    """Ticks at round seconds of the video."""
    seconds = len(motion) / motion.fps
    rough = seconds / 10
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in (1, 2, 5, 10) if power * nice >= rough * (1 - 1e-9))
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    for tick in np.arange(math.ceil(motion.start / step - 1e-9), (motion.start + seconds) / step + 1e-9):
        x = _LEFT + round((tick * step - motion.start) / seconds * (_WIDE - 1))
        image[_ABOVE:top, x] = (image[_ABOVE:top, x] * 0.75 + np.array(_GRID) * 0.25).astype(np.uint8)
        image[top : top + 5, x] = _INK
        text = f"{tick * step:.{digits}f}"
        write(image, text, x - width(text, _SCALE) // 2, top + 9, _INK, _SCALE)
    write(image, "seconds", _LEFT + (_WIDE - width("seconds", _SCALE)) // 2, top + 24, _INK, _SCALE)
