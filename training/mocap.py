"""Motion-capture sequences (BVH with our 21 joints) as world rotations on our skeleton."""

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

#: frame rate of all sequences, Hz
FPS = 30.0
#: heads don't turn farther than this against the chest, radians
_HEAD_TURN = np.radians(115)
#: a recording is faulty if the head turns farther in this share of its frames
_FAULTY = 0.1


@dataclass(frozen=True)
class MocapSequence:
    """A mocap sequence at 30 fps in Blender's world, scaled to `STANDARD_HEIGHT`.

    Attributes
    ----------
    name : str
    rotations : (T, J, 3, 3)
        World rotations of the joints.
    root : (T, 3)
        Hips, metres, floor at z = 0.
    leg : float
        Length of thigh and shin together, by which the root path is scaled.
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
    """Labels (T, 4) of points (T, 4, 3), metres: in contact below 0.3 m/s and near their lowest height."""
    speed = np.linalg.norm(np.gradient(points, 1 / fps, axis=0), axis=-1)
    low = points[..., 2] < np.percentile(points[..., 2], 5, axis=0) + 0.05
    return np.asarray((speed < 0.3) & low)


def read_mocap(path: Path) -> MocapSequence:
    """Read one BVH file."""
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


def _is_sound(sequence: MocapSequence) -> bool:
    head, chest = (sequence.rotations[:, INDEX[name]] for name in ("head", "chest"))
    cosine = ((head * chest).sum((1, 2)) - 1) / 2
    return bool((cosine < np.cos(_HEAD_TURN)).mean() < _FAULTY)


def load_mocap(folder: Path) -> list[MocapSequence]:
    """Read the BVH files of a folder, sorted by name; recordings with heads turned round are left out."""
    paths = sorted(folder.glob("*.bvh"))
    if not paths:
        raise CaptureError(f"There are no BVH files in {folder}; name the folder with --mocap.")
    return [sequence for sequence in map(read_mocap, paths) if _is_sound(sequence)]


def resample(x: Array, at: Array) -> Array:
    """x (T, ...) at fractional frames `at` (N,), linearly; rotations (..., 3, 3) are made orthonormal."""
    low = np.clip(np.floor(at).astype(int), 0, len(x) - 1)
    high = np.minimum(low + 1, len(x) - 1)
    weight = (at - low).reshape(-1, *[1] * (x.ndim - 1))
    mixed = x[low] * (1 - weight) + x[high] * weight
    if x.shape[-2:] == (3, 3):
        return np.asarray(matrix_from_6d(sixd_from_matrix(mixed)))
    return np.asarray(mixed)
