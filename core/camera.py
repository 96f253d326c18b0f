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
from .rotations import matrix_from_quaternion, unit
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


@dataclass(frozen=True)
class Cameras:
    """The camera of each frame, which may turn, travel and zoom.

    Attributes
    ----------
    focal : (T,)
        Focal lengths in pixels.
    size : (int, int)
        Width and height of the picture in pixels; the principal point is its centre.
    camera_from_world : (T, 4, 4)
        Rigid transforms from Blender's world to the axes of each frame's camera, metres.
    """

    focal: Floats
    size: tuple[int, int]
    camera_from_world: Floats

    @property
    def centre(self) -> Floats:
        """Principal point in pixels (2,)."""
        return np.array(self.size) / 2.0

    @property
    def eyes(self) -> Floats:
        """Positions in the world (T, 3)."""
        turns, shifts = self.camera_from_world[:, :3, :3], self.camera_from_world[:, :3, 3]
        return np.asarray(-np.einsum("tji,tj->ti", turns, shifts))

    def seen(self, points: Array) -> Floats:
        """World points (T, K, 3) in the axes of each frame's camera."""
        turns, shifts = self.camera_from_world[:, :3, :3], self.camera_from_world[:, None, :3, 3]
        return np.asarray(points @ np.swapaxes(turns, 1, 2) + shifts)

    def rays(self, pixels: Array) -> Floats:
        """Directions (T, K, 3) in the axes of each frame's camera, z = 1, through pixels (T, K, 2)."""
        xy = (np.asarray(pixels, dtype=float) - self.centre) / self.focal[:, None, None]
        return np.concatenate([xy, np.ones_like(xy[..., :1])], axis=-1)

    def project(self, points: Array) -> Floats:
        """Pixels (T, K, 2) of world points (T, K, 3); points behind the camera are NaN."""
        inside = self.seen(points)
        z = np.where(inside[..., 2:] > 1e-6, inside[..., 2:], np.nan)
        return np.asarray(inside[..., :2] / z * self.focal[:, None, None] + self.centre)


def relative_poses(turns: Array, places: Array) -> Floats:
    """Rigid transforms (T, 4, 4) into the axes of cameras, from the axes that say where those are.

    Parameters
    ----------
    turns : (T, 4)
        Quaternions that turn coordinates into the cameras' axes.
    places : (T, 3)
        Where the cameras stand, metres.
    """
    out = np.tile(np.eye(4), (len(turns), 1, 1))
    out[:, :3, :3] = matrix_from_quaternion(unit(turns.astype(np.float64)))
    out[:, :3, 3] = -(out[:, :3, :3] @ places.astype(np.float64)[..., None])[..., 0]
    return out


def _is_rigid(pose: Array) -> bool:
    turn = pose[:3, :3]
    straight = np.abs(turn @ turn.T - np.eye(3)).max() <= ROUNDING and np.linalg.det(turn) > 0
    return bool(straight and (pose[3] == [0, 0, 0, 1]).all())
