"""Draws the shaded mannequin into pictures, without a graphics card or Blender."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import torch

from ..core.arrays import Array, Image
from ..core.capture import Capture
from ..core.colours import CONTACT, LEFT, RIGHT
from ..core.contacts import CONTACT_THRESHOLD
from ..core.mannequin import mannequin, rest_positions
from ..core.motion import CONTACT_POINTS
from ..core.skeleton import INDEX
from .skinning import Skin

#: opacity of parts with confidence 0, as a share of the opacity of parts with confidence 1
FAINTEST = 0.2
#: opacity of the body: the person beneath remains visible
_OPACITY = 0.85
#: direction towards the light, camera axes
_LIGHT = np.array([-0.45, -0.65, -0.61], dtype=np.float32)
#: share of the light that comes from everywhere
_AMBIENT = 0.35
#: parts nearer to the camera than this aren't drawn, metres
_NEAR = 0.05
#: how many frames are skinned at once
_BLOCK = 32


class Figure:
    """Draws the body of a capture."""

    def __init__(self, capture: Capture) -> None:
        body = mannequin(capture.motion.offsets)
        rest = rest_positions(capture.motion.offsets)
        self._skin = Skin(
            *(torch.as_tensor(a, dtype=torch.float32) for a in (body.vertices, body.weights, rest))
        )
        self._capture = capture
        self._weights = body.weights.astype(np.float32)
        self._faces = body.faces
        self._triangles = np.concatenate([body.faces[:, [0, 1, 2]], body.faces[:, [0, 2, 3]]])
        sides = np.where(body.left[:, None], np.array(LEFT), np.array(RIGHT)).astype(np.float32)
        self._colours = np.concatenate([sides, sides])
        self._feet = [INDEX[name.replace("heel", "foot")] for name in CONTACT_POINTS]
        self._block: tuple[int, Array] = (-1, np.empty((0, 0, 3), np.float32))

    def vertices(self, index: int) -> Array:
        """The mesh (V, 3) of one frame in the camera's axes, metres."""
        number = index // _BLOCK
        if self._block[0] != number:
            frames = slice(number * _BLOCK, (number + 1) * _BLOCK)
            pose = self._capture.cameras.camera_from_world[frames, None]
            joints = (pose[..., :3, :3] @ self._capture.motion.joints[frames, ..., None])[..., 0]
            joints += pose[..., :3, 3]
            turns = pose[..., :3, :3] @ self._capture.motion.world_rotations[frames]
            moved = self._skin(*(torch.as_tensor(a, dtype=torch.float32) for a in (turns, joints)))
            self._block = number, moved.numpy()
        return np.asarray(self._block[1][index % _BLOCK])

    def draw(self, image: Image, index: int) -> None:
        """Draw frame `index` into the RGB `image`."""
        cameras = self._capture.cameras
        vertices = self.vertices(index)
        scale = image.shape[1] / cameras.size[0]
        depth = vertices[:, 2]
        inside = depth > _NEAR
        pixels = (
            vertices[:, :2] / np.where(inside, depth, 1)[:, None] * np.float32(cameras.focal[index] * scale)
        )
        # the centre of the first pixel is at 0.5
        pixels += (cameras.centre * scale - 0.5).astype(np.float32)
        shade = _AMBIENT + (1 - _AMBIENT) * np.clip(self._normals(vertices) @ _LIGHT, 0, 1)
        sure = self._weights @ np.clip(self._capture.confidence[index], 0, 1)
        stands = self._capture.motion.contacts[index]
        tint = self._weights[:, self._feet] @ np.where(stands >= CONTACT_THRESHOLD, stands, 0)
        values = np.stack([1 / np.where(inside, depth, 1), shade, sure, tint], -1)
        shown = np.flatnonzero(inside[self._triangles].all(1))
        found = rasterised(pixels, values, self._triangles[shown], (image.shape[0], image.shape[1]))
        if found is None:
            return
        box, where, which, (shade, sure, tint) = found
        colour = self._colours[shown[which]]
        colour += (np.array(CONTACT, np.float32) - colour) * tint[:, None]
        alpha = _OPACITY * (FAINTEST + (1 - FAINTEST) * sure)
        part = image[box]
        layer = np.zeros((part.shape[0] * part.shape[1], 4), np.float32)
        layer[where, :3] = colour * (shade * alpha)[:, None]
        layer[where, 3] = alpha
        # blur the mask a little: smooth edges
        smooth = np.asarray(cv2.GaussianBlur(layer.reshape(*part.shape[:2], 4), (3, 3), 0.6))
        part[:] = np.round(part * (1 - smooth[..., 3:]) + smooth[..., :3]).clip(0, 255).astype(np.uint8)

    def _normals(self, vertices: Array) -> Array:
        corners = vertices[self._faces]
        of_faces = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
        spread = np.repeat(of_faces, 4, axis=0)
        flat = self._faces.ravel()
        sums = np.stack([np.bincount(flat, spread[:, i], len(vertices)) for i in range(3)], -1)
        lengths = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
        return np.asarray(sums / lengths, dtype=np.float32)


def rasterised(
    pixels: Array,
    values: Array,
    triangles: npt.NDArray[np.int64],
    shape: tuple[int, int],
) -> tuple[tuple[slice, slice], npt.NDArray[np.int64], npt.NDArray[np.int64], Array] | None:
    """Find the nearest triangle in every pixel, and interpolate values over it.

    Parameters
    ----------
    pixels : (V, 2)
    values : (V, 1 + K)
        Nearness (1 / depth), then the values to interpolate.
    triangles : (N, 3)
        Counter-clockwise seen from outside; those that face away are skipped.
    shape : (height, width)

    Returns
    -------
    box : (slice, slice)
        Rows and columns of the covered part of the picture.
    where : (P,)
        Covered pixels of the box, numbered row after row.
    which : (P,)
        The triangle in each.
    values : (K, P)
        Interpolated. The result is None if nothing is covered.
    """
    a, b, c = (pixels[triangles[:, i]] for i in range(3))
    # y points down, so counter-clockwise triangles turn clockwise in the picture
    double = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    low = np.maximum(np.ceil(np.minimum(np.minimum(a, b), c)), 0).clip(max=1e6).astype(np.int64)
    high = np.minimum(np.floor(np.maximum(np.maximum(a, b), c)), np.array(shape[::-1]) - 1)
    size = np.maximum(high.clip(min=-1).astype(np.int64) - low + 1, 0)
    number = np.flatnonzero((double < 0) & (size.prod(1) > 0))
    if len(number) == 0:
        return None
    # all pixels of all triangles' bounding boxes in a row
    counts = size[number].prod(1)
    of = np.repeat(number, counts)
    k = np.arange(len(of)) - np.repeat(np.cumsum(counts) - counts, counts)
    y, x = np.divmod(k, size[of, 0])
    x += low[of, 0]
    y += low[of, 1]
    ax, ay, bx, by, cx, cy = (p[of, i] for p in (a, b, c) for i in (0, 1))
    over = 1 / double[of]
    u = ((bx - x) * (cy - y) - (by - y) * (cx - x)) * over
    v = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) * over
    hit = np.flatnonzero((u >= -1e-4) & (v >= -1e-4) & (u + v <= 1 + 1e-4))
    if len(hit) == 0:
        return None
    of, x, y, u, v = of[hit], x[hit], y[hit], u[hit], v[hit]
    corners = values[triangles[of]]
    mixed = u[:, None] * corners[:, 0] + v[:, None] * corners[:, 1] + (1 - u - v)[:, None] * corners[:, 2]
    margin = 2
    left, top = max(int(x.min()) - margin, 0), max(int(y.min()) - margin, 0)
    right, bottom = min(int(x.max()) + margin + 1, shape[1]), min(int(y.max()) + margin + 1, shape[0])
    where = (y - top) * (right - left) + x - left
    # sorted by pixel, then by nearness: the last of each pixel is the nearest
    order = np.lexsort((mixed[:, 0], where))
    last = np.append(where[order][1:] != where[order][:-1], True)
    nearest = order[last]
    box = (slice(top, bottom), slice(left, right))
    return box, where[nearest], of[nearest], mixed[nearest, 1:].T.astype(np.float32)
