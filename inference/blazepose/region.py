"""Square parts of a picture, turned so that the person in them is upright: what BlazePose looks at."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ...core.arrays import Array, Floats, Image

#: side of a person's region, as a multiple of the diameter of the circle that BlazePose puts around them
_ROOM = 1.25


@dataclass(frozen=True)
class Region:
    """A square in a picture.

    Attributes
    ----------
    middle : (float, float)
        x and y, pixels.
    side : float
        Pixels.
    turn : float
        By how much it is turned clockwise, radians: 0 for somebody upright, pi for somebody upside down.
    """

    middle: tuple[float, float]
    side: float
    turn: float = 0.0

    def cut(self, image: Image, size: int, border: int) -> Image:
        """The region, scaled to `size` pixels a side; OpenCV's `border` says what is around the image."""
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        matrix = np.vstack([self._matrix() / (size, size, 1), (0, 0, 1)])
        # `warpAffine` would be a tenth of a millisecond faster, but rounds the matrix
        return np.asarray(cv2.warpPerspective(image, matrix, (size, size), flags=flags, borderMode=border))

    def place(self, points: Array) -> Floats:
        """Where in the picture points (..., 2) lie that are given as shares of the region's side; pixels."""
        matrix = self._matrix()
        return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])

    def place_spread(self, spread: Array) -> Floats:
        """Covariances xx, xy, yy (..., 3) in shares of the region's side, as pixels of the picture."""
        xx, xy, yy = np.moveaxis(spread, -1, 0)
        linear = self._matrix()[:, :2]
        turned = linear @ np.stack([xx, xy, xy, yy], -1).reshape(*xx.shape, 2, 2) @ linear.T
        return np.asarray(turned.reshape(*xx.shape, 4)[..., [0, 1, 3]])

    def rotated(self, points: Array) -> Floats:
        """Points (..., 3) from the region's axes in the picture's."""
        turned = np.array(points, np.float64)
        turned[..., :2] = points[..., :2] @ _rotation(self.turn).T
        return turned

    def _matrix(self) -> Floats:
        """From shares of the region's side to pixels of the picture (2, 3)."""
        linear = self.side * _rotation(self.turn)
        return np.column_stack([linear, np.array(self.middle) - linear @ (0.5, 0.5)])


def _rotation(turn: float) -> Floats:
    return np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])


def around(middle: Array, rim: Array) -> Region:
    """The region around a person: BlazePose names the middle of the hips and a point on a circle around them.

    The point lies on the side where the head would be if the person stood upright; both (2,), pixels.
    """
    across, down = rim - middle
    return Region(
        (float(middle[0]), float(middle[1])),
        2 * _ROOM * float(np.hypot(across, down)),
        float(np.arctan2(across, -down)),
    )
