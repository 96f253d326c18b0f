"""The camera that filmed: projection, focal lengths, and the rotation from camera axes to Blender's world.

The camera frame is OpenCV's: x right, y down, z forward, metres. Pixels are measured from the picture's top
left corner; x and y share one focal length in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

import numpy as np

from .arrays import Array, Floats
from .errors import UnsoundError
from .sound import METRES, ROUNDING, check_number

#: width of 35 mm film: focal lengths in mm are 35 mm equivalents, for the longer side of the picture
FILM_WIDTH_MM = 36.0
#: focal length of a phone's main camera, from which the search for an unknown lens begins
DEFAULT_FOCAL_MM = 28.0
#: limits of the focal lengths of anything that films, mm
_LENSES = (0.1, 100_000.0)
#: pixels of the longest side of the largest picture that Blender renders
_LARGEST_SIDE = 65_536

#: camera axes -> world axes of a level camera that looks along +Y: a person who faces it faces -Y
WORLD_FROM_LEVEL_CAMERA: Floats = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


def focal_pixels(focal_mm: float, size: tuple[int, int]) -> float:
    """Focal length in pixels of a 35 mm equivalent focal length, for a picture of `size` (w, h)."""
    return focal_mm / FILM_WIDTH_MM * max(size)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without distortion; what can't be one gets an `UnsoundError`.

    Attributes
    ----------
    focal : float
        Focal length in pixels.
    size : (int, int)
        Width and height of the picture in pixels; the principal point is its centre.
    camera_from_world : (4, 4)
        Rigid transform from Blender's world to the camera frame (OpenCV axes), metres.
    """

    focal: float
    size: tuple[int, int]
    camera_from_world: Floats

    def __post_init__(self) -> None:
        for name, side in zip(("width", "height"), self.size, strict=True):
            check_number(name, side, (1, _LARGEST_SIDE), Integral)
        shortest, longest = (focal_pixels(mm, self.size) for mm in _LENSES)
        check_number("focal length", self.focal, (shortest, longest))
        pose = np.asarray(self.camera_from_world)
        if not (pose.shape == (4, 4) and np.abs(pose).max() <= METRES[1] and _is_rigid(pose)):
            raise UnsoundError("its camera has no place and direction")

    @property
    def focal_mm(self) -> float:
        """35 mm equivalent of the focal length."""
        return self.focal / max(self.size) * FILM_WIDTH_MM

    @property
    def centre(self) -> Floats:
        """Principal point in pixels (2,)."""
        return np.array(self.size) / 2.0

    @property
    def eye(self) -> Floats:
        """Position in the world (3,)."""
        return np.asarray(-self.camera_from_world[:3, :3].T @ self.camera_from_world[:3, 3])

    def rays(self, pixels: Array) -> Floats:
        """Directions (..., 3) in the camera frame, z = 1, through pixels (..., 2)."""
        xy = (np.asarray(pixels, dtype=float) - self.centre) / self.focal
        return np.concatenate([xy, np.ones_like(xy[..., :1])], axis=-1)

    def project(self, points: Array) -> Floats:
        """Pixels (..., 2) of world points (..., 3); points behind the camera are NaN."""
        inside = points @ self.camera_from_world[:3, :3].T + self.camera_from_world[:3, 3]
        z = np.where(inside[..., 2:] > 1e-6, inside[..., 2:], np.nan)
        return np.asarray(inside[..., :2] / z * self.focal + self.centre)


def _is_rigid(pose: Array) -> bool:
    turn = pose[:3, :3]
    straight = np.abs(turn @ turn.T - np.eye(3)).max() <= ROUNDING and np.linalg.det(turn) > 0
    return bool(straight and (pose[3] == [0, 0, 0, 1]).all())
