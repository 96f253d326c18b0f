"""From camera space to Blender's world: z is up, the floor is at z = 0, the motion starts at the origin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core.arrays import Floats
from ..core.camera import WORLD_FROM_LEVEL_CAMERA, Camera
from ..core.kinematics import attached_points, joint_positions, local_rotations
from ..core.motion import Motion
from ..core.rotations import quaternion_from_matrix, rotation_between
from ..core.skeleton import BALL_HEIGHT, HEEL_OFFSET, INDEX, STANDARD_HEIGHT, rest_offsets, standing_height
from .lift import Estimate

#: share of the frames whose soles may lie below the floor: single frames are noise
_BELOW = 0.05


def by_lengths(body: Estimate, lengths: Floats) -> Estimate:
    """The same motion by a body with other bone lengths, metres, that looks as large in the picture."""
    scale = float(standing_height(lengths)) / float(standing_height(body.lengths))
    return replace(body, lengths=lengths, root=body.root * scale)


def to_world(
    body: Estimate, fps: float, start: float, focal: float, size: tuple[int, int], floor: float | None = None
) -> tuple[Motion, Camera]:
    """The motion of a body that stands on Blender's floor, and the camera that sees it there.

    Parameters
    ----------
    body : Estimate
    fps, start : float
        Frames per second, and the time of the first frame in the video, seconds.
    focal, size, floor
        See `placed_on_floor`.
    """
    rotations, root, camera = placed_on_floor(body, focal, size, floor)
    motion = Motion(
        fps=fps,
        start=start,
        offsets=rest_offsets(body.lengths),
        rotations=quaternion_from_matrix(local_rotations(rotations)),
        root=root,
        contacts=body.contacts,
    )
    return motion, camera


def level_from_world(camera: Camera) -> Floats:
    """The rigid transform (4, 4) from Blender's world to the axes of a level camera that stands there."""
    out = np.eye(4)
    out[:3] = WORLD_FROM_LEVEL_CAMERA @ camera.camera_from_world[:3]
    return out


def placed_on_floor(
    body: Estimate, focal: float, size: tuple[int, int], floor: float | None = None
) -> tuple[Floats, Floats, Camera]:
    """Stand the body on Blender's floor.

    Parameters
    ----------
    body : Estimate
    focal : float
        Focal length, pixels.
    size : (int, int)
        Width and height of the picture, pixels.
    floor : float, optional
        Height of the floor above the camera, metres. If it isn't known, it is where the soles are lowest.

    Returns
    -------
    rotations : (T, J, 3, 3)
        World rotations of the joints. A person who faces the camera faces -Y.
    root : (T, 3)
        Positions of the hips, metres; above the origin in the first frame.
    camera : Camera
        In the same world, so that it sees the body where the video shows the person.
    """
    level = rotation_between(body.up, np.array([0.0, 0.0, 1.0]))
    rotations, root = level @ body.rotations, body.root @ level.T
    if floor is None:
        floor = float(np.percentile(_lowest(rotations, root, body.lengths), 100 * _BELOW))
    shift = -np.append(root[0, :2], floor)
    pose = np.eye(4)
    pose[:3, :3] = WORLD_FROM_LEVEL_CAMERA.T @ level.T
    pose[:3, 3] = -pose[:3, :3] @ shift
    return rotations, root + shift, Camera(focal, size, pose)


def _lowest(rotations: Floats, root: Floats, lengths: Floats) -> Floats:
    """Height (T,) of the lowest point of the soles."""
    scale = float(standing_height(lengths)) / STANDARD_HEIGHT
    joints = joint_positions(rotations, root, rest_offsets(lengths))
    heights = []
    for side in "LR":
        heel = attached_points(rotations, joints, INDEX[f"foot.{side}"], scale * np.array(HEEL_OFFSET))
        heights += [heel[:, 2], joints[:, INDEX[f"toe.{side}"], 2] - scale * BALL_HEIGHT]
    return np.asarray(np.min(heights, axis=0))
