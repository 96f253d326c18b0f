"""Small letters for pictures that are made where there is no font: five by seven pixels each."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

#: seven rows of five pixels, a letter in hexadecimal each row; capitals other than these are drawn small
_ROWS = {
    "a": "00000e010f110f", "b": "1010161911111e", "c": "00000e1010110e", "d": "01010d1311110f",
    "e": "00000e111f100e", "f": "0609081c080808", "g": "000f11110f010e", "h": "10101619111111",
    "i": "04000c0404040e", "j": "0200060202120c", "k": "10101214181412", "l": "0c04040404040e",
    "m": "00001a15151111", "n": "00001619111111", "o": "00000e1111110e", "p": "00001e111e1010",
    "q": "00000d130f0101", "r": "00001619101010", "s": "00000e100e011e", "t": "08081c08080906",
    "u": "0000111111130d", "v": "00001111110a04", "w": "0000111115150a", "x": "0000110a040a11",
    "y": "000011110f010e", "z": "00001f0204081f", "0": "0e11131519110e", "1": "040c040404040e",
    "2": "0e11010204081f", "3": "1f02040201110e", "4": "02060a121f0202", "5": "1f101e0101110e",
    "6": "0608101e11110e", "7": "1f010204080808", "8": "0e11110e11110e", "9": "0e11110f01020c",
    "L": "1010101010101f", "R": "1e11111e141211", " ": "00000000000000", ".": "00000000000c0c",
    ",": "000000000c0408", ":": "000c0c000c0c00", "-": "0000001f000000", "_": "0000000000001f",
    "/": "00010204081000", "%": "18190204081303", "(": "02040808080402", ")": "08040202020408",
    "'": "0c040800000000", "?": "0e110102040004",
}  # fmt: skip
_HIGH, _WIDE, _STEP = 7, 5, 6


def write(
    image: npt.NDArray[np.uint8], text: str, x: int, y: int, rgb: tuple[int, int, int], scale: int = 1
) -> None:
    """Write a line of text into the RGB `image`, its upper left corner at x, y; what lies outside is cut."""
    mask = np.kron(_mask(text), np.ones((scale, scale), bool))
    rows, columns = np.nonzero(mask)
    rows, columns = rows + y, columns + x
    inside = (rows >= 0) & (rows < image.shape[0]) & (columns >= 0) & (columns < image.shape[1])
    image[rows[inside], columns[inside]] = rgb


def width(text: str, scale: int = 1) -> int:
    """How many pixels a line of text takes."""
    return scale * (_STEP * len(text) - 1)


def _mask(text: str) -> npt.NDArray[Any]:
    mask = np.zeros((_HIGH, _STEP * max(len(text), 1)), bool)
    for number, letter in enumerate(text):
        drawn = _ROWS.get(letter) or _ROWS.get(letter.lower()) or _ROWS["?"]
        rows = np.array([*bytes.fromhex(drawn)])[:, None]
        mask[:, _STEP * number : _STEP * number + _WIDE] = rows >> np.arange(_WIDE - 1, -1, -1) & 1
    return mask
