"""Small videos for the tests: written with OpenCV or PyAV, then edited byte by byte for what they can't."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "walk_front.mp4"
#: joint of the sample's truth that each of these landmarks shows
TRUTH_OF_LANDMARK = {
    f"{landmark}.{side}": f"{joint}.{side}"
    for landmark, joint in {
        "shoulder": "upper_arm", "elbow": "forearm", "wrist": "hand", "hip": "thigh", "knee": "shin",
        "ankle": "foot",
    }.items()
    for side in "LR"
}  # fmt: skip

Image = npt.NDArray[np.uint8]


def write_video(path: Path, images: Iterable[Image], fps: float = 30.0) -> Path:
    """An MPEG-4 video of RGB images."""
    writer: cv2.VideoWriter | None = None
    for image in images:
        if writer is None:
            size = image.shape[1::-1]
            writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
            assert writer.isOpened()
        writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert writer is not None
    writer.release()
    return path


def encoded(
    path: Path, images: Iterable[Image], codec: str, pixels: Fraction = Fraction(1), every: int = 15
) -> Path:
    """A video of RGB images, 30 a second, in any codec, with pixels of any shape and key frames so often."""
    with av.open(str(path), "w") as file:
        stream: Any = None
        for image in images:
            if stream is None:
                stream = file.add_stream(codec, 30)
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt, stream.gop_size = "yuv420p", every
                stream.codec_context.sample_aspect_ratio = pixels
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        file.mux(stream.encode())
    return path


def read_video(path: Path) -> list[Image]:
    """All frames of a small video, RGB."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    images: list[Any] = []
    while (frame := capture.read())[0]:
        images.append(cv2.cvtColor(frame[1], cv2.COLOR_BGR2RGB))
    capture.release()
    return images


def numbered(count: int) -> list[Image]:
    """Small pictures that show their `number` as eight black and white bars."""
    bits = (np.arange(count)[:, None] >> np.arange(8)) & 1
    bars = np.repeat(20 + 200 * bits, 8, axis=1)[:, None, :, None]
    return list(np.broadcast_to(bars, (count, 48, 64, 3)).astype(np.uint8))


def number(image: Image) -> int:
    """Which of the `numbered` pictures it is."""
    bars = image.reshape(48, 8, 8, 3).mean(axis=(0, 2, 3)) > 120
    return int((bars << np.arange(8)).sum())


def with_times(video: Path, times: Iterable[float]) -> Path:
    """Give the frames of a video that `write_video` wrote times of their own, seconds, from 0."""
    scale = 15360
    ticks = np.diff(np.round(np.array([*times]) * scale)).astype(int)
    ticks = np.append(ticks, ticks[-1])
    table = struct.pack(">II", 0, len(ticks)) + b"".join(struct.pack(">II", 1, t) for t in ticks)
    data = video.read_bytes()
    media = ("moov", "trak", "mdia")
    header = bytearray(_find(data, (*media, "mdhd"))[1])
    header[12:20] = struct.pack(">II", scale, int(ticks.sum()))
    data = _replaced(data, (*media, "mdhd"), bytes(header))
    data = _replaced(data, (*media, "minf", "stbl", "stts"), table)
    # the list of edits would cut the new length to the old one
    video.write_bytes(data.replace(b"edts", b"free"))
    return video


def turned(video: Path, degrees: int, mirrored: bool = False) -> Path:
    """Say in the file that the picture has to be turned clockwise by so many degrees, as a phone does.

    A front camera may say as well that left and right have to be exchanged afterwards.
    """
    a, b, c, d = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    if mirrored:
        a, c = -a, -c
    data = video.read_bytes()
    header = bytearray(_find(data, ("moov", "trak", "tkhd"))[1])
    one = 1 << 16
    header[40:76] = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    video.write_bytes(_replaced(data, ("moov", "trak", "tkhd"), bytes(header)))
    return video


def trimmed(video: Path, first: float, last: float) -> Path:
    """Say in a file that `write_video` wrote that only this stretch is shown, seconds; nothing is cut out."""
    data = video.read_bytes()
    edits = bytearray(_find(data, ("moov", "trak", "edts", "elst"))[1])
    movie, media = (_find(data, path)[1] for path in (("moov", "mvhd"), ("moov", "trak", "mdia", "mdhd")))
    scales = [struct.unpack_from(">I", header, 12)[0] for header in (movie, media)]
    struct.pack_into(">Ii", edits, 8, round((last - first) * scales[0]), round(first * scales[1]))
    video.write_bytes(_replaced(data, ("moov", "trak", "edts", "elst"), bytes(edits)))
    return video


def background(images: list[Image]) -> Image:
    """What stands still in a video: the scene without the person who walks through it."""
    still: Image = np.median(np.stack(images[::4]), axis=0).astype(np.uint8)
    return still


def recoloured(image: Image) -> Image:
    """The mirror image in other colours: somebody else."""
    hsv: Any = cv2.cvtColor(image[:, ::-1].copy(), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + 70) % 180
    hsv[..., 1] = np.minimum(hsv[..., 1].astype(int) * 3 // 2 + 40, 255)
    out: Any = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return np.asarray(out, np.uint8)


def _find(data: bytes, path: tuple[str, ...]) -> tuple[list[int], bytes]:
    """Where the boxes on the way to an MP4 box begin, and what is in the last one."""
    starts, begin, end = [], 0, len(data)
    for name in path:
        while data[begin + 4 : begin + 8] != name.encode():
            begin += struct.unpack_from(">I", data, begin)[0]
            assert begin < end, f"no {name}"
        starts.append(begin)
        end = begin + struct.unpack_from(">I", data, begin)[0]
        begin += 8
    return starts, data[begin:end]


def _replaced(data: bytes, path: tuple[str, ...], payload: bytes) -> bytes:
    """The file with another payload in one box (behind the pictures, whose places are noted in the file)."""
    starts, old = _find(data, path)
    assert len(payload) == len(old) or data.index(b"mdat") < starts[0]
    out = bytearray(data)
    out[starts[-1] + 8 : starts[-1] + 8 + len(old)] = payload
    for start in starts:
        size = struct.unpack_from(">I", out, start)[0] + len(payload) - len(old)
        struct.pack_into(">I", out, start, size)
    return bytes(out)
