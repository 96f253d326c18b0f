"""From the camera's space to Blender's world: up is up, the floor at z = 0, the start at the origin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .camera import WORLD_FROM_LEVEL_CAMERA, Camera
from .kinematics import attached_points, joint_positions
from .lift import Body
from .rotations import rotation_between
from .skeleton import BALL_HEIGHT, HEEL_OFFSET, INDEX, STANDARD_HEIGHT, rest_offsets, standing_height

Array = npt.NDArray[np.float64]

#: this share of the frames may have a sole below the floor: single frames are noise
_BELOW = 0.05


def of_height(body: Body, height: float) -> Body:
    """The same body at another standing height, metres: a picture alone can't tell the two apart."""
    scale = height / float(standing_height(body.lengths))
    return replace(body, lengths=body.lengths * scale, root=body.root * scale)


def to_world(body: Body, focal: float, size: tuple[int, int]) -> tuple[Array, Array, Camera]:
    """Stand the body on Blender's floor.

    Returns
    -------
    rotations : (T, J, 3, 3)
        World rotations of the joints. The heading is kept: who faces the camera faces -Y.
    root : (T, 3)
        Hips, metres; above the origin in the first frame.
    camera : Camera
        The camera in the same world: it sees the body where the video shows the person.
    """
    level = rotation_between(body.up, np.array([0.0, 0.0, 1.0]))
    rotations, root = level @ body.rotations, body.root @ level.T
    shift = -np.append(root[0, :2], np.percentile(_lowest(rotations, root, body.lengths), 100 * _BELOW))
    pose = np.eye(4)
    pose[:3, :3] = WORLD_FROM_LEVEL_CAMERA.T @ level.T
    pose[:3, 3] = -pose[:3, :3] @ shift
    return rotations, root + shift, Camera(focal, size, pose)


def _lowest(rotations: Array, root: Array, lengths: Array) -> Array:
    """Height (T,) of the lowest point of the soles."""
    scale = float(standing_height(lengths)) / STANDARD_HEIGHT
    joints = joint_positions(rotations, root, rest_offsets(lengths))
    heights = []
    for side in "LR":
        heel = attached_points(rotations, joints, INDEX[f"foot.{side}"], scale * np.array(HEEL_OFFSET))
        heights += [heel[:, 2], joints[:, INDEX[f"toe.{side}"], 2] - scale * BALL_HEIGHT]
    return np.asarray(np.min(heights, axis=0))
