"""The appearance of drawn people: random skin, hair and clothes on a mannequin in the T-pose."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from kinelift.core.arrays import Array
from kinelift.core.mannequin import Mannequin

#: colours of skin, RGB, 0 to 255
_SKINS = (
    (236, 188, 160), (214, 160, 128), (176, 124, 92), (128, 84, 60), (84, 56, 42), (246, 206, 184),
)  # fmt: skip
#: colours of hair, RGB, 0 to 255
_HAIRS = (
    (30, 24, 20), (70, 46, 30), (120, 82, 48), (190, 150, 90), (140, 140, 140), (90, 36, 22),
)  # fmt: skip


class Appearance:
    """Skin, hair and clothes of one person, as functions of the place on the body in the T-pose."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.skin = np.array(_SKINS[rng.integers(len(_SKINS))]) * rng.uniform(0.9, 1.08)
        self.hair = np.array(_HAIRS[rng.integers(len(_HAIRS))]) * rng.uniform(0.8, 1.2)
        self.long_hair = rng.random() < 0.4
        self.shirt, self.trousers = (_cloth(rng) for _ in range(2))
        self.shoes = rng.uniform(15, 235, 3) if rng.random() < 0.4 else np.full(3, rng.uniform(15, 240))
        self.sleeve = rng.choice([0.24, 0.30, 0.62, 0.645])
        self.waist, self.hem = rng.uniform(0.94, 1.02), rng.choice([0.11, 0.12, 0.14, 0.42, 0.56])
        self.collar = rng.uniform(1.42, 1.47)
        self.stout = rng.uniform(-0.008, 0.03)
        self.loose = rng.uniform(0.002, 0.016, 2)
        self.weave = [_wave(rng, rate) for rate in (9.0, 25.0, 60.0)]

    def shape(self, body: Mannequin, rest: Array) -> Array:
        """The mannequin's vertices (V, 3), moved out by the volume of hair, clothes and flesh."""
        x, y, z = np.abs(rest[:, 0]), rest[:, 1], rest[:, 2]
        belly = self.stout * np.exp(-(((z - 1.08) / 0.22) ** 2)) * (x < 0.3)
        limbs = 0.4 * self.stout * (z < 1.45) * (z > 0.12)
        shirt = self.loose[0] * ((z > self.waist - 0.03) & (z < self.collar) & (x < self.sleeve))
        trousers = self.loose[1] * ((z < self.waist) & (z > self.hem) & (x < 0.3))
        hair = (0.02 if self.long_hair else 0.012) * self._hair(x, y, z)
        return np.asarray(body.vertices + _normals(body) * (belly + limbs + shirt + trousers + hair)[:, None])

    def paint(self, places: Array) -> Array:
        """Colours (P, 3) at places (P, 3) of the T-pose, metres; z is 0 at the floor."""
        x, y, z = np.abs(places[:, 0]), places[:, 1], places[:, 2]
        noise = np.mean([wave(places) for wave in self.weave], axis=0)
        colour = self.skin * (1 + 0.04 * noise[:, None])
        trousers = (z < self.waist) & (z > self.hem) & (x < 0.3)
        shirt = (z >= self.waist) & (z < self.collar - 0.25 * np.maximum(0.06 - x, 0)) & (x < self.sleeve)
        for where, cloth in ((trousers, self.trousers), (shirt, self.shirt)):
            colour[where] = cloth(places[where]) * (1 + 0.10 * noise[where, None])
        colour[(z < 0.105) & (x < 0.3)] = self.shoes
        face = (z > 1.45) & (x < 0.12)
        for across, height, wide, high, shade in (
            (0.031, 1.627, 0.015, 0.0075, (235, 232, 228)), (0.031, 1.627, 0.006, 0.006, (40, 30, 25)),
            (0.031, 1.646, 0.018, 0.0035, self.hair * 0.8),
            (0.0, 1.553, 0.024, 0.006, self.skin * (0.8, 0.55, 0.55)),
            (0.009, 1.581, 0.006, 0.004, self.skin * 0.6),
        ):  # fmt: skip
            inside = ((x - across) / wide) ** 2 + ((z - height) / high) ** 2 < 1
            colour[face & inside & (y < -0.06)] = shade
        hair = self._hair(x, y, z) > 0.5
        colour[hair] = self.hair * (1 + 0.25 * noise[hair, None])
        return np.asarray(colour)

    def _hair(self, x: Array, y: Array, z: Array) -> Array:
        """1 where hair grows, else 0."""
        line = 1.665 - 0.9 * np.clip(y + 0.10, 0, 0.07)  # from the forehead down to the neck
        low = 1.50 if self.long_hair else 1.55
        return (
            np.asarray((z > np.maximum(line, low)) & (x < 0.12) | (y > -0.02) & (z > low) & (x < 0.12)) * 1.0
        )


def _cloth(rng: np.random.Generator) -> Callable[[Array], Array]:
    """A random plain, striped or checked cloth: from places (P, 3) to colours (P, 3)."""
    base = rng.uniform(15, 240, 3) if rng.random() < 0.6 else np.full(3, rng.uniform(15, 235))
    other = np.clip(base + rng.normal(0, 70, 3), 5, 250)
    kind, wide = rng.integers(4), rng.uniform(0.02, 0.08)
    axes = [rng.integers(3)] if kind == 1 else [0, 2]

    def colour(places: Array) -> Array:
        if kind in (0, 3):
            return np.tile(base, (len(places), 1))
        odd = sum(np.floor(places[:, axis] / wide) for axis in axes) % 2
        return np.where(odd[:, None] == 1, other, base)

    return colour


def _wave(rng: np.random.Generator, rate: float) -> Callable[[Array], Array]:
    """Smooth random noise, -1 to 1, over places (P, 3)."""
    ways, phases = rng.normal(0, rate, (4, 3)), rng.uniform(0, 2 * np.pi, 4)
    return lambda places: np.sin(places @ ways.T + phases).mean(1)


def _normals(body: Mannequin) -> Array:
    return normals(torch.as_tensor(body.vertices), torch.as_tensor(body.faces)).numpy()


def normals(vertices: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
    """Unit normals (..., V, 3) of a mesh (..., V, 3) of quads (F, 4)."""
    corners = vertices[..., faces, :]
    of_faces = torch.linalg.cross(
        corners[..., 2, :] - corners[..., 0, :], corners[..., 3, :] - corners[..., 1, :]
    )
    sums = torch.zeros_like(vertices)
    for corner in range(4):
        sums.index_add_(-2, faces[:, corner], of_faces)
    return torch.nn.functional.normalize(sums, dim=-1)
