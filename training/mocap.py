"""Motion-capture sequences (BVH with our 21 joints) as world rotations on our skeleton."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kinelift.core.arrays import Array
from kinelift.core.bvh import Bvh, read_bvh
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
    TEMPLATE_OFFSETS,
    lengths_of,
    standing_height,
)

#: frame rate of all sequences, Hz
FPS = 30.0
#: heads don't turn farther than this against the chest, radians
_HEAD_TURN = np.radians(115)
#: a recording is faulty if the head turns farther in this share of its frames
_FAULTY = 0.1
#: frames per second that are believed
_RATES = (5.0, 500.0)
#: ends of the limbs' bones, which point as ours do in the rest pose, within `_REST` radians
_LIMBS = [INDEX[f"{n}.{s}"] for n in ("forearm", "hand", "shin", "foot") for s in "LR"]
_REST = np.radians(20)


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


def check_bvh(bvh: Bvh) -> None:
    """Refuse a recording of which nothing can be learnt.

    Raises
    ------
    CaptureError
        If its frame rate isn't believable, or it holds values that are no numbers.
    """
    if not _RATES[0] <= bvh.fps <= _RATES[1]:
        raise CaptureError(f"its frame rate is {bvh.fps:g}")
    if not (np.isfinite(bvh.rotations).all() and np.isfinite(bvh.root).all()):
        raise CaptureError("it holds values that are no numbers")


def read_mocap(path: Path) -> MocapSequence:
    """Read one BVH file.

    Raises
    ------
    CaptureError
        If it isn't motion of our joints from our rest pose.
    """
    bvh = read_bvh(path)
    check_bvh(bvh)
    lacking = [name for name in JOINTS if name not in bvh.names]
    if lacking:
        raise CaptureError(
            f"it has no {', '.join(lacking)}; `scripts/retarget_mocap.py` reads other skeletons"
        )
    order = [bvh.names.index(name) for name in JOINTS]
    offsets, local, root = bvh.offsets[order], bvh.rotations[:, order], bvh.root
    limbs, ours = offsets[_LIMBS], TEMPLATE_OFFSETS[_LIMBS]
    longest = np.linalg.norm(limbs, axis=1) * np.linalg.norm(ours, axis=1)
    if ((limbs * ours).sum(1) < np.cos(_REST) * longest).any():
        raise CaptureError("its rest pose isn't ours; `scripts/retarget_mocap.py` reads other skeletons")
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
    sequence = MocapSequence(path.stem, world, root, leg, contact_labels(feet, FPS), lengths)
    if not _is_sound(sequence):
        raise CaptureError("its head is turned round")
    return sequence


def _is_sound(sequence: MocapSequence) -> bool:
    head, chest = (sequence.rotations[:, INDEX[name]] for name in ("head", "chest"))
    cosine = ((head * chest).sum((1, 2)) - 1) / 2
    return bool((cosine < np.cos(_HEAD_TURN)).mean() < _FAULTY)


def load_mocap(folder: Path) -> list[MocapSequence]:
    """Read the BVH files of a folder, sorted by name; what is no use is named and left out.

    Raises
    ------
    CaptureError
        If nothing is left.
    """
    out = []
    for path in sorted(folder.glob("*.bvh")):
        try:
            out.append(read_mocap(path))
        except (CaptureError, ValueError, IndexError) as error:
            print(f"{path.name} is left out: {str(error).rstrip('.')}.", file=sys.stderr)
    if not out:
        raise CaptureError(f"There are no BVH files of use in {folder}; name the folder with --mocap.")
    return out


def resample(x: Array, at: Array) -> Array:
    """x (T, ...) at fractional frames `at` (N,), linearly; rotations (..., 3, 3) are made orthonormal."""
    low = np.clip(np.floor(at).astype(int), 0, len(x) - 1)
    high = np.minimum(low + 1, len(x) - 1)
    weight = (at - low).reshape(-1, *[1] * (x.ndim - 1))
    mixed = x[low] * (1 - weight) + x[high] * weight
    if x.shape[-2:] == (3, 3):
        return np.asarray(matrix_from_6d(sixd_from_matrix(mixed)))
    return np.asarray(mixed)
