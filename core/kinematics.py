"""Forward kinematics, on numpy arrays and on torch tensors (with gradients).

Rest frames are aligned with the world: the world rotation of a joint is the product of the local rotations
down to it, and identity everywhere is the T-pose.
"""

from __future__ import annotations

from typing import Any

from .arrays import library
from .skeleton import PARENTS


def world_rotations(local: Any) -> Any:
    """World rotations (..., J, 3, 3) from local ones (..., J, 3, 3)."""
    out: list[Any] = []
    for joint, parent in enumerate(PARENTS):
        out.append(local[..., joint, :, :] if parent < 0 else out[parent] @ local[..., joint, :, :])
    return library(local).stack(out, -3)


def local_rotations(world: Any) -> Any:
    """Local rotations (..., J, 3, 3) from world ones (..., J, 3, 3): the inverse of `world_rotations`."""
    parts = [
        world[..., joint, :, :]
        if parent < 0
        else world[..., parent, :, :].swapaxes(-1, -2) @ world[..., joint, :, :]
        for joint, parent in enumerate(PARENTS)
    ]
    return library(world).stack(parts, -3)


def joint_positions(world: Any, root: Any, offsets: Any) -> Any:
    """Positions of the joints.

    Parameters
    ----------
    world : (..., J, 3, 3)
        World rotations.
    root : (..., 3), metres
        Position of the hips.
    offsets : (..., J, 3), metres
        Rest offsets (`skeleton.rest_offsets`); leading axes broadcast.

    Returns
    -------
    (..., J, 3), metres
    """
    out: list[Any] = []
    for joint, parent in enumerate(PARENTS):
        if parent < 0:
            out.append(root)
        else:
            out.append(out[parent] + (world[..., parent, :, :] @ offsets[..., joint, :, None])[..., 0])
    return library(world).stack(out, -2)


def attached_points(world: Any, positions: Any, joint: int, offset: Any) -> Any:
    """A point (..., 3) fixed to `joint` at `offset` (3,) of the rest pose (heel, toe tip, fingertip)."""
    return positions[..., joint, :] + (world[..., joint, :, :] @ offset[..., None])[..., 0]
