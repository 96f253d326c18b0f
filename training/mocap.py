"""Motion-capture clips (BVH, 21 joints named as in the design) as world rotations on our skeleton."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kinelift.core.arrays import Array
from kinelift.core.bvh import read_bvh
from kinelift.core.errors import CaptureError
from kinelift.core.kinematics import attached_points, joint_positions, world_rotations
from kinelift.core.rotations import matrix_from_6d, sixd_from_matrix
from kinelift.core.skeleton import (
    ANKLE_HEIGHT,
    BALL_HEIGHT,
    HEEL_OFFSET,
    INDEX,
    JOINTS,
    STANDARD_HEIGHT,
    lengths_of,
    standing_height,
)

FPS = 30.0


@dataclass(frozen=True)
class MocapSequence:
    """A clip at 30 fps in Blender's world, scaled to `STANDARD_HEIGHT`.

    Attributes
    ----------
    name : str
    rotations : (T, J, 3, 3)
        World rotations of the joints.
    root : (T, 3)
        Hips, metres, floor at z = 0.
    leg : float
        Length of thigh and shin together: what the root path scales with.
    contacts : (T, 4)
        Labels for `CONTACT_POINTS`.
    lengths : (len(LENGTHS),)
    """

    name: str
    rotations: Array
    root: Array
    leg: float
    contacts: Array
    lengths: Array


def contact_labels(points: Array, fps: float) -> Array:
    """Which of the points (T, 4, 3), metres, stand on the floor: under 0.3 m/s and near their lowest."""
    speed = np.linalg.norm(np.gradient(points, 1 / fps, axis=0), axis=-1)
    low = points[..., 2] < np.percentile(points[..., 2], 5, axis=0) + 0.05
    return np.asarray((speed < 0.3) & low)


def read_mocap(path: Path) -> MocapSequence:
    """Read one clip."""
    bvh = read_bvh(path)
    order = [bvh.names.index(name) for name in JOINTS]
    offsets, local, root = bvh.offsets[order], bvh.rotations[:, order], bvh.root
    step = bvh.fps / FPS
    if abs(step - 1) > 1e-3:
        at = np.arange(0, len(local) - 1 + 1e-6, step)
        local, root = resample(local, at), resample(root, at)
    lengths = lengths_of(offsets)
    scale = STANDARD_HEIGHT / float(standing_height(lengths))
    offsets, root, lengths = offsets * scale, root * scale, lengths * scale
    world = world_rotations(local)
    joints = joint_positions(world, root, offsets)
    points = []
    for side in "LR":
        points.append(attached_points(world, joints, INDEX[f"foot.{side}"], np.array(HEEL_OFFSET)))
        points.append(joints[:, INDEX[f"toe.{side}"]])
    feet = np.stack(points, 1)
    soles = np.minimum(joints[:, INDEX["foot.L"], 2], joints[:, INDEX["foot.R"], 2]) - ANKLE_HEIGHT
    balls = feet[:, [1, 3], 2].min(1) - BALL_HEIGHT
    root = root - np.array([0, 0, np.percentile(np.minimum(soles, balls), 5)])
    leg = float(np.linalg.norm(offsets[INDEX["shin.L"]]) + np.linalg.norm(offsets[INDEX["foot.L"]]))
    return MocapSequence(path.stem, world, root, leg, contact_labels(feet, FPS), lengths)


#: heads don't turn so far against the chest (radians): a recording with more such frames (share) is faulty
_HEAD_TURN, _FAULTY = np.radians(115), 0.1


def _is_sound(clip: MocapSequence) -> bool:
    head, chest = (clip.rotations[:, INDEX[name]] for name in ("head", "chest"))
    cosine = ((head * chest).sum((1, 2)) - 1) / 2
    return bool((cosine < np.cos(_HEAD_TURN)).mean() < _FAULTY)


def load_mocap(folder: Path) -> list[MocapSequence]:
    """Read every clip of a folder, in the order of their names, but those with heads turned round."""
    paths = sorted(folder.glob("*.bvh"))
    if not paths:
        raise CaptureError(f"There are no BVH files in {folder}; name the folder with --mocap.")
    return [clip for clip in map(read_mocap, paths) if _is_sound(clip)]


def resample(x: Array, at: Array) -> Array:
    """x (T, ...) at fractional frames `at` (N,), linearly; rotations (..., 3, 3) orthonormalised."""
    low = np.clip(np.floor(at).astype(int), 0, len(x) - 1)
    high = np.minimum(low + 1, len(x) - 1)
    weight = (at - low).reshape(-1, *[1] * (x.ndim - 1))
    mixed = x[low] * (1 - weight) + x[high] * weight
    if x.shape[-2:] == (3, 3):
        return np.asarray(matrix_from_6d(sixd_from_matrix(mixed)))
    return np.asarray(mixed)
