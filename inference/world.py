"""From camera space to Blender's world: z is up, the floor is at z = 0, the motion starts at the origin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core.arrays import Bools, Floats
from ..core.banded import whittaker
from ..core.camera import WORLD_FROM_LEVEL_CAMERA, Camera
from ..core.capture import Capture
from ..core.kinematics import attached_points, joint_positions, local_rotations
from ..core.motion import Motion
from ..core.rotations import quaternion_from_matrix, rotation_between
from ..core.skeleton import BALL_HEIGHT, HEEL_OFFSET, INDEX, STANDARD_HEIGHT, rest_offsets, standing_height
from .lift import Estimate

#: share of the frames whose soles may lie below the floor: single frames are noise
_BELOW = 0.05
#: how exact the lifter's gravity is: standard deviation, radians
_TILT = np.radians(1.5)
#: how exact the height of a planted foot is: standard deviation, metres
_FOOT_HEIGHT = 0.05
#: this many successive frames of a planted foot count as one observation
_ALIKE = 10
#: how exact the root's distance from the camera is: standard deviation, metres
_DISTANCE = 0.15
#: how exact the root's height is: standard deviation, metres
_HEIGHT = 0.03
#: how slowly distance and height drift, seconds
_SLOW = 1.0


def scaled_to_height(body: Estimate, height: float) -> Estimate:
    """The same motion by a body of another standing height, metres: the picture stays the same."""
    scale = height / float(standing_height(body.lengths))
    return replace(body, lengths=body.lengths * scale, root=body.root * scale)


def to_world(
    body: Estimate, fps: float, start: float, focal: float, size: tuple[int, int]
) -> tuple[Motion, Camera]:
    """The motion of a body that stands on Blender's floor, and the camera that sees it there.

    Parameters
    ----------
    body : Estimate
    fps, start : float
        Frames per second, and the time of the first frame in the video, seconds.
    focal, size
        See `placed_on_floor`.
    """
    rotations, root, camera = placed_on_floor(body, focal, size)
    motion = Motion(
        fps=fps,
        start=start,
        offsets=rest_offsets(body.lengths),
        rotations=quaternion_from_matrix(local_rotations(rotations)),
        root=root,
        contacts=body.contacts,
    )
    return motion, camera


def placed_on_floor(body: Estimate, focal: float, size: tuple[int, int]) -> tuple[Floats, Floats, Camera]:
    """Stand the body on Blender's floor.

    Parameters
    ----------
    body : Estimate
    focal : float
        Focal length, pixels.
    size : (int, int)
        Width and height of the picture, pixels.

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
    shift = -np.append(root[0, :2], np.percentile(_lowest(rotations, root, body.lengths), 100 * _BELOW))
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


def stand_on_floor(capture: Capture, contacts: Bools) -> Capture:
    """Level the floor through the planted feet, and correct the root's path so that planted feet reach it.

    Parameters
    ----------
    capture : Capture
    contacts : (T, 4) bool
        Whether each of `motion.CONTACT_POINTS` is planted.
    """
    if not contacts.any():
        return capture
    levelled = _turned(capture, _floor_normal(_soles(capture.motion), contacts))
    planted = _soles(levelled.motion)[..., 2][contacts]
    levelled = _lifted(levelled, -float(planted.mean()))
    motion = levelled.motion
    count = contacts.sum(1)
    wanted = -(_soles(motion)[..., 2] * contacts).sum(1) / np.maximum(count, 1)
    stiffness = (_SLOW * motion.life_fps / np.pi) ** 4
    rise = whittaker(wanted[:, None], np.where(count > 0, 1.0, 1e-2), stiffness)
    # a wrong distance makes a wrong height: move along the line of sight as far as that explains it
    sight = motion.root - levelled.camera.eye
    sight = sight / np.linalg.norm(sight, axis=1, keepdims=True)
    slope = sight[:, 2:]
    along = rise * slope * _DISTANCE**2 / (slope**2 * _DISTANCE**2 + _HEIGHT**2)
    shift = along * sight
    shift[:, 2:] += rise - along * slope
    return replace(levelled, motion=replace(motion, root=motion.root + shift))


def _lifted(capture: Capture, height: float) -> Capture:
    """Raise body and camera together by `height` metres."""
    pose = capture.camera.camera_from_world.copy()
    pose[:3, 3] -= height * pose[:3, 2]
    root = capture.motion.root + np.array([0.0, 0.0, height])
    camera = replace(capture.camera, camera_from_world=pose)
    return replace(capture, motion=replace(capture.motion, root=root), camera=camera)


def _soles(motion: Motion) -> Floats:
    """Points (T, 4, 3) of the soles that touch the floor in a contact: below heels and balls of the feet."""
    below = np.array([0, BALL_HEIGHT, 0, BALL_HEIGHT]) * (motion.height / STANDARD_HEIGHT)
    points = motion.sole_points()
    points[..., 2] -= below
    return points


def _floor_normal(points: Floats, contacts: Bools) -> Floats:
    """Normal (3,) of the floor through the planted points (T, 4, 3): ridge regression, which prefers +Z."""
    planted = points[contacts]
    planted = planted - planted.mean(0)
    trust = (_TILT / _FOOT_HEIGHT) ** 2 / _ALIKE
    a = trust * planted[:, :2].T @ planted[:, :2] + np.eye(2)
    slope = np.linalg.solve(a, trust * planted[:, :2].T @ planted[:, 2])
    normal = np.array([-slope[0], -slope[1], 1.0])
    return np.asarray(normal / np.linalg.norm(normal))


def _turned(capture: Capture, up: Floats) -> Capture:
    """Turn body and camera together so that the direction `up` (3,) becomes +Z."""
    turn = np.asarray(rotation_between(up, np.array([0.0, 0.0, 1.0])))
    motion = capture.motion
    rotations = quaternion_from_matrix(local_rotations(turn @ motion.world_rotations))
    pose = capture.camera.camera_from_world.copy()
    pose[:3, :3] = pose[:3, :3] @ turn.T
    return replace(
        capture,
        motion=replace(motion, rotations=rotations, root=motion.root @ turn.T),
        camera=replace(capture.camera, camera_from_world=pose),
    )
