"""Scenes for the detector: a body in motion before a random camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinelift.core.arrays import Array
from kinelift.core.kinematics import joint_positions
from kinelift.core.rotations import rotation_between
from kinelift.core.skeleton import (
    LENGTHS,
    STANDARD_HEIGHT,
    TEMPLATE_LENGTHS,
    rest_offsets,
    standing_height,
)
from kinelift.training.synthesis import Synthesis

#: sizes of the pictures, pixels
_SIZES = ((256, 256), (288, 288), (320, 240), (240, 320), (384, 216), (216, 384))
#: shortest focal length, over the picture's longer side
_SHORTEST = 0.55
#: longest focal length, over the picture's longer side
_LONGEST = 2.4
#: a scene is drawn again if the person is smaller than this in the picture, pixels
_SMALLEST = 40


@dataclass(frozen=True)
class Scene:
    """A body before a camera, in level axes (x right, y forward, z up), metres.

    Attributes
    ----------
    rotations, joints : (T, J, 3, 3), (T, J, 3)
    lengths : (len(LENGTHS),)
    contacts : (T, 4)
    up : (3,)
    focal : float
        Pixels.
    size : (int, int)
        Width and height of the picture, pixels.
    """

    rotations: Array
    joints: Array
    lengths: Array
    contacts: Array
    up: Array
    focal: float
    size: tuple[int, int]


def draw_scene(motions: Synthesis, rng: np.random.Generator) -> Scene:
    """Draw a body in motion and a lens that shows most of it."""
    while True:
        batch = motions.batch(1)
        rotations, joints, up = (
            x[0].numpy().astype(float) for x in (batch.rotations, batch.joints, batch.up)
        )
        lengths = _simple(batch.lengths[0].numpy().astype(float))
        joints = np.asarray(joint_positions(rotations, joints[:, 0], rest_offsets(lengths)))
        if joints[..., 1].min() < 0.5:
            continue
        # aim the camera roughly at the person
        seen = joints[..., [0, 2]] / joints[..., 1:2]
        middle = (seen.min((0, 1)) + seen.max((0, 1))) / 2 + rng.normal(0, 0.04, 2)
        aim = np.asarray(rotation_between(np.array([middle[0], 1.0, middle[1]]), np.array([0.0, 1, 0])))
        rotations, joints, up = aim @ rotations, joints @ aim.T, aim @ up
        if joints[..., 1].min() < 0.5:
            continue
        size = _SIZES[rng.integers(len(_SIZES))]
        seen = joints[..., [0, 2]] / joints[..., 1:2]
        fits = (np.array(size) / 2 / (1.12 * np.abs(seen).max((0, 1)))).min()
        # one person in six doesn't fit into the picture
        fill = rng.uniform(1.05, 1.6) if rng.random() < 0.17 else rng.uniform(0.55, 1.0)
        focal = float(np.clip(fits * fill, _SHORTEST * max(size), _LONGEST * max(size)))
        tall = float(np.median(np.ptp(seen, axis=1).max(-1))) * focal
        if tall > _SMALLEST:
            return Scene(rotations, joints, lengths, batch.contacts[0].numpy(), up, focal, size)


def _simple(lengths: Array) -> Array:
    """Lengths with the template's proportions within trunk and shoulders: the files only hold their sums."""
    out = lengths.copy()
    for names in (("spine", "chest", "neck"), ("shoulder", "upper_arm")):
        at = [LENGTHS.index(name) for name in names]
        out[at] = TEMPLATE_LENGTHS[at] * (lengths[at].sum() / TEMPLATE_LENGTHS[at].sum())
    return np.asarray(out * (STANDARD_HEIGHT / standing_height(out)))
