"""Several people whom one camera filmed, in one world.

How tall and how far away somebody is, one picture doesn't tell: twice as tall is twice as far. But all stand
on the same floor.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core.arrays import Floats
from ..core.camera import Camera
from ..core.capture import Capture, joined, still_camera
from ..core.motion import Motion
from ..core.quality import found_in
from .world import level_from_world

#: nobody who stands is shorter or taller than this, metres
_SHORTEST, _TALLEST = 0.6, 2.2
#: from a camera that is lower than this above the floor, nobody sees how far away feet stand, metres
_LOWEST_CAMERA = 0.2


def as_seen_by(motion: Motion, camera: Camera, other: Camera) -> Motion:
    """A motion that `camera` sees, in the world of another camera, which then sees it likewise."""
    here, there = (np.asarray(one.camera_from_world, np.float64) for one in (camera, other))
    return motion.moved(np.linalg.inv(there) @ here)


def up_of(camera: Camera) -> Floats:
    """Against gravity (3,), in the axes of a level camera."""
    return level_from_world(camera)[:3, 2]


def beside(one: Capture, first: Capture) -> Capture:
    """The capture of a person in the world of another one whom the same camera filmed.

    How tall and how far away somebody is, one picture doesn't tell. Their feet do: they stand on the same
    floor. Where nobody would be so tall, it is another floor.
    """
    pairs = list(zip(one.shots, first.shots, strict=True))
    # heights of the camera above the floor
    own, asked = (np.array([np.median(s.eyes[:, 2]) for s in shots]) for shots in zip(*pairs, strict=True))
    share = 1.0
    if min(own.min(), asked.min()) > _LOWEST_CAMERA:
        seen = [found_in(shot).sum() for shot, _ in pairs]
        share = float(np.exp(np.average(np.log(asked / own), weights=seen)))
    if not _SHORTEST <= one.motion.height * share <= _TALLEST:
        share = 1.0
    shots = []
    for shot, other in pairs:
        # how far the camera travelled, the first one tells
        filmed = other if other.camera_moves else shot
        path = {name: getattr(filmed, name) for name in still_camera(0)}
        before, after = shot.eyes, replace(shot, **path).eyes
        larger = replace(
            shot.motion, offsets=shot.motion.offsets * share, root=after + (shot.motion.root - before) * share
        )
        motion = as_seen_by(larger, shot.camera, other.camera)
        shots.append(replace(shot, motion=motion, camera=other.camera, **path))
    return joined(shots)
