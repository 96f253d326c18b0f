"""How a file says that its pictures stand: all eight ways, turned and mirrored."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import cv2
import numpy as np

from ..core.arrays import Image

#: OpenCV's names of turns
_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


@dataclass(frozen=True)
class Orientation:
    """How a stored picture becomes the one that is seen.

    Attributes
    ----------
    turn : int
        It is turned by so many degrees, clockwise: 0, 90, 180 or 270 ...
    mirrored : bool
        ... and then left and right are exchanged, or not.
    """

    turn: int = 0
    mirrored: bool = False

    def then(self, degrees: int) -> Orientation:
        """This, and turned clockwise by so many degrees afterwards."""
        # turned after a mirror is turned the other way before it
        return Orientation((self.turn + (-degrees if self.mirrored else degrees)) % 360, self.mirrored)

    def size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height of the picture that is seen, from those of the stored one."""
        return size if self.turn % 180 == 0 else size[::-1]

    def upright(self, image: Image) -> Image:
        """The picture that is seen."""
        if self.turn:
            image = np.asarray(cv2.rotate(image, _TURNS[self.turn]), np.uint8)
        return np.asarray(cv2.flip(image, 1), np.uint8) if self.mirrored else image


def read_orientation(matrix: bytes) -> Orientation:
    """The orientation that a display matrix stands for, the nearest of the eight.

    Parameters
    ----------
    matrix : bytes
        As MP4 files have it (ISO 14496-12, 8.3.2) and FFmpeg gives it: 9 integers in the computer's order, of
        which (a, b, _, c, d) come first; the point (x, y), y down, goes to (a x + c y, b x + d y).
    """
    if len(matrix) < 5 * 4:
        return Orientation()
    a, b, _, c, d = struct.unpack_from("=5i", matrix)
    # along the axes: which way x and y go
    if abs(a) + abs(d) >= abs(b) + abs(c):
        right, down = a >= 0, d >= 0
        return Orientation(0 if down else 180, right != down)
    return Orientation(90 if b > 0 else 270, (b > 0) == (c > 0))
