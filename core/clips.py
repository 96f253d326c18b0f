"""What a clip may be: a video, a picture, or numbered pictures, named by a pattern: ``walk_%04d.png``."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

#: endings of video files, which batches search for in folders, file browsers show and viewports take
VIDEO_ENDINGS = (
    ".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mpe", ".m2v", ".wmv", ".asf", ".ogv",
    ".mts", ".m2ts", ".m2t", ".ts", ".mod", ".tod", ".vob", ".3gp", ".3g2", ".flv", ".f4v", ".mxf", ".dv",
    ".divx", ".mjpg", ".mjpeg", ".h264", ".h265", ".hevc", ".ivf", ".y4m", ".gif",
)  # fmt: skip
#: endings of pictures: one is a pose, numbered ones are a sequence
PICTURE_ENDINGS = (
    ".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".jp2", ".exr", ".hdr", ".dpx", ".tga",
    ".avif",
)  # fmt: skip
#: rate of pictures for which none is asked, frames per second
PICTURES_FPS = 24.0
#: fewer numbered pictures than this are no sequence
_FEWEST = 2
_PATTERN = re.compile(r"([^%]*)%(?:0(\d))?d([^%]*)")
_NUMBERED = re.compile(r"(.*?)(\d{1,9})(\.\w+)", re.DOTALL)
#: how videos begin, by the place of these bytes: MP4 and MOV, Matroska, AVI, ASF, FLV, MPEG
_BEGINNINGS = (
    (4, b"ftyp"), (4, b"moov"), (0, b"\x1aE\xdf\xa3"), (8, b"AVI "), (0, b"0&\xb2u\x8ef\xcf\x11"),
    (0, b"FLV\x01"), (0, b"\x00\x00\x01\xba"),
)  # fmt: skip
#: brands of MP4 files that hold no video: songs, pictures
_NO_VIDEOS = (b"M4A ", b"M4B ", b"heic", b"heix", b"mif1", b"avif")


def pictures_of(clip: Path) -> list[tuple[int, Path]]:
    """The pictures that a pattern stands for, with their numbers, in order; none if `clip` is no pattern."""
    parts = _PATTERN.fullmatch(clip.name)
    if parts is None or clip.suffix.lower() not in PICTURE_ENDINGS or clip.is_file():
        return []
    before, width, after = parts[1], int(parts[2] or 1), parts[3]
    number = re.compile(
        re.escape(before) + rf"(0\d{{{width - 1}}}|[1-9]\d{{{width - 1},8}})" + re.escape(after)
    )
    try:
        names = [path.name for path in clip.parent.iterdir()]
    except OSError:
        return []
    found = [(int(match[1]), clip.with_name(name)) for name in names if (match := number.fullmatch(name))]
    return sorted(found)


def patterns_in(folder: Path) -> list[Path]:
    """The patterns of the numbered pictures that lie in a folder.

    Raises
    ------
    OSError
        If the folder can't be read.
    """
    numbers: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in folder.iterdir():
        parts = _NUMBERED.fullmatch(path.name)
        if parts and parts[3].lower() in PICTURE_ENDINGS and "%" not in parts[1] and path.name[0] != ".":
            numbers[parts[1], parts[3]].append(parts[2])
    patterns = []
    for (before, after), these in sorted(numbers.items()):
        width = min(map(len, these)) if any(one[0] == "0" and len(one) > 1 for one in these) else 1
        pattern = folder / f"{before}%{f'0{width}' if width > 1 else ''}d{after}"
        if len(pictures_of(pattern)) >= _FEWEST:
            patterns.append(pattern)
    return patterns


def is_clip(path: Path) -> bool:
    """Whether there is a file, or a picture that a pattern stands for."""
    return path.is_file() or bool(pictures_of(path))


def name_of_pictures(clip: Path) -> str:
    """What the names of a pattern's pictures begin with, or else their folder's; empty if it is none."""
    parts = _PATTERN.fullmatch(clip.name)
    if parts is None or clip.suffix.lower() not in PICTURE_ENDINGS:
        return ""
    return parts[1].rstrip("._- #([") or clip.absolute().parent.name


def looks_like_video(path: Path) -> bool:
    """Whether a file begins as videos do, whatever it is called."""
    try:
        with path.open("rb") as file:
            begins = file.read(400)
    except OSError:
        return False
    if any(begins[at : at + len(mark)] == mark for at, mark in _BEGINNINGS):
        return begins[8:12] not in _NO_VIDEOS
    # a transport stream has this byte in every packet
    return any(begins[at::size][:2] == b"GG" for at, size in ((0, 188), (4, 192)))
