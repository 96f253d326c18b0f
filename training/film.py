"""The pictures of a scene, and what the detector finds in them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from kinelift.core.errors import CaptureError
from kinelift.core.mannequin import Mannequin, mannequin, rest_positions
from kinelift.core.options import Settings
from kinelift.core.skeleton import (
    INDEX,
    TEMPLATE_OFFSETS,
    rest_offsets,
)
from kinelift.inference.detect.detector import detect
from kinelift.inference.detect.people import Detections
from kinelift.inference.figure import rasterised
from kinelift.inference.skinning import Skin
from kinelift.inference.video import VideoReader
from kinelift.training.appearance import Appearance, normals
from kinelift.training.mocap import FPS
from kinelift.training.scene import Scene

Picture = npt.NDArray[np.uint8]
#: height of the hips of the mannequin in the T-pose above the floor, metres
_HIPS_HEIGHT = float(-rest_positions(TEMPLATE_OFFSETS)[INDEX["foot.L"], 2]) + 0.09


@cache
def _template() -> Mannequin:
    return mannequin(TEMPLATE_OFFSETS)


class Film:
    """Draws the pictures of a scene: a dressed body before a made-up background."""

    def __init__(self, scene: Scene, rng: np.random.Generator) -> None:
        self._scene, self._rng = scene, rng
        self._appearance = Appearance(rng)
        template = _template()
        self._places = (template.vertices + np.array([0, 0, _HIPS_HEIGHT])).astype(np.float32)
        offsets = rest_offsets(scene.lengths)
        body = mannequin(offsets)
        dressed = self._appearance.shape(body, self._places.astype(float))
        parts = (dressed, body.weights, rest_positions(offsets))
        self._skin = Skin(*(torch.as_tensor(a, dtype=torch.float32) for a in parts))
        self._faces = torch.as_tensor(body.faces)
        self._triangles = np.concatenate([body.faces[:, [0, 1, 2]], body.faces[:, [0, 2, 3]]])
        # camera axes (x right, y down, z forward) from level axes
        self._axes = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
        light = rng.normal(0, 0.6, 3) + np.array([0, -0.7, -0.7])
        self._light = (light / np.linalg.norm(light)).astype(np.float32)
        self._ambient, self._tint = rng.uniform(0.35, 0.7), rng.uniform(0.9, 1.05, 3)
        self._back = background(scene.size, rng)
        self._front = _foreground(scene.size, rng) if rng.random() < 0.15 else None
        self._noise, self._blur = rng.uniform(0, 7), rng.uniform(0.3, 1.0)

    def __len__(self) -> int:
        return len(self._scene.joints)

    def frame(self, index: int) -> Picture:
        """Draw the RGB picture (h, w, 3) of a frame."""
        scene = self._scene
        turns = torch.as_tensor(self._axes @ scene.rotations[index : index + 1], dtype=torch.float32)
        joints = torch.as_tensor(scene.joints[index : index + 1] @ self._axes.T, dtype=torch.float32)
        moved = self._skin(turns, joints)[0]
        lit = normals(moved, self._faces).numpy() @ self._light
        vertices = moved.numpy()
        depth = np.maximum(vertices[:, 2], 0.05)
        centre = np.array(scene.size, np.float32) / 2 - 0.5
        pixels = (vertices[:, :2] / depth[:, None] * np.float32(scene.focal) + centre).astype(np.float32)
        shade = self._ambient + (1 - self._ambient) * np.clip(lit, 0, 1)
        values = np.column_stack([1 / depth, shade, self._places])
        shown = np.flatnonzero((vertices[:, 2] > 0.1)[self._triangles].all(1))
        image = self._back.copy()
        found = rasterised(pixels, values, self._triangles[shown], (scene.size[1], scene.size[0]))
        if found is not None:
            box, where, _, inside = found
            colour = self._appearance.paint(inside[1:].T.astype(float)) * inside[0][:, None] * self._tint
            part = image[box]
            layer = np.zeros((part.shape[0] * part.shape[1], 4), np.float32)
            layer[where, :3], layer[where, 3] = colour, 1
            smooth = cv2.GaussianBlur(layer.reshape(*part.shape[:2], 4), (3, 3), 0.5)
            part[:] = part * (1 - smooth[..., 3:]) + smooth[..., :3]
        if self._front is not None:
            image = np.where(self._front[..., 3:] > 0, self._front[..., :3], image)
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), self._blur))
        image += self._rng.standard_normal(image.shape, np.float32) * np.float32(self._noise)
        return image.clip(0, 255).astype(np.uint8)


def background(size: tuple[int, int], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """A wall, a floor, objects and stains: RGB (h, w, 3), 0 to 255."""
    width, height = size
    wall, floor = (rng.uniform(20, 235) + rng.normal(0, 18, 3) for _ in range(2))
    image = np.empty((height, width, 3), np.float32)
    edge = int(height * rng.uniform(0.35, 0.85))
    slope = np.linspace(rng.uniform(0.75, 1.1), rng.uniform(0.75, 1.1), height)[:, None, None]
    image[:] = wall * slope
    image[edge:] = floor * slope[edge:]
    for _ in range(rng.integers(0, 9)):
        at = rng.uniform(0, 1, 2) * size
        half = rng.uniform(0.03, 0.25, 2) * size
        low, high = ((at + sign * half).astype(int).tolist() for sign in (-1, 1))
        colour = (rng.uniform(10, 245) + rng.normal(0, 30, 3)).clip(0, 255).tolist()
        if rng.random() < 0.7:
            cv2.rectangle(image, low, high, colour, -1)
        else:
            cv2.ellipse(
                image,
                at.astype(int).tolist(),
                half.astype(int).tolist(),
                rng.uniform(0, 180),
                0,
                360,
                colour,
                -1,
            )
    for cells, strength in ((6, rng.uniform(0, 30)), (24, rng.uniform(0, 18)), (90, rng.uniform(0, 12))):
        grain = rng.normal(0, strength, (cells, cells, 1)).astype(np.float32)
        image += cv2.resize(grain, size, interpolation=cv2.INTER_CUBIC)[..., None]
    return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 3.0)).clip(0, 255))


def _foreground(size: tuple[int, int], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """One or two objects before the person: RGBA (h, w, 4)."""
    layer = np.zeros((size[1], size[0], 4), np.float32)
    for _ in range(rng.integers(1, 3)):
        at = (rng.uniform(0.15, 0.85), rng.uniform(0.45, 1.0)) * np.array(size)
        half = rng.uniform(0.05, 0.16, 2) * size
        low, high = ((at + sign * half).astype(int).tolist() for sign in (-1, 1))
        cv2.rectangle(layer, low, high, [*rng.uniform(10, 240, 3).tolist(), 1.0], -1)
    return layer


def filmed(film: Film, folder: Path, quality: str = Settings.quality) -> Detections:
    """Write a film as a video into `folder`, run the capture's detector on it, and delete the video."""
    path = folder / "film.mp4"
    first = film.frame(0)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, first.shape[1::-1])
    if not writer.isOpened():
        raise CaptureError("This OpenCV can't write MPEG-4; install opencv-contrib-python from its wheel.")
    try:
        for index in range(len(film)):
            writer.write(cv2.cvtColor(film.frame(index) if index else first, cv2.COLOR_RGB2BGR))
    finally:
        writer.release()
    try:
        return detect(VideoReader(path), quality=quality)
    finally:
        path.unlink()
