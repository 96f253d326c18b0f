"""The columns of the comparison: the figures of a lifter's answers, by clip."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

from kinelift.core.arrays import Array
from kinelift.core.kinematics import local_rotations
from kinelift.core.rotations import matrix_from_6d, rotation_vector, sixd_from_matrix
from kinelift.core.skeleton import INDEX, JOINTS, PARENTS
from kinelift.inference.lifters.lifter import LIFTER_FPS, Lifted, Lifter
from kinelift.training.bone_structure import implausibility, limb_lengths
from kinelift.training.evaluate import errors_by_clip, rotation_errors
from kinelift.training.synthesis import Batch

#: figures of every set of sequences, and their headings
COLUMNS: dict[str, str] = {
    "mpjpe_mm": "MPJPE mm",
    "pa_mpjpe_mm": "PA mm, limbs",
    "sa_mpjpe_mm": "SA mm, limbs",
    "mpjve_mm": "MPJVE mm",
    "pck_pct": "PCK %, limbs",
    "auc_pct": "AUC %, limbs",
    "global_deg": "global rotation °",
    "bones_deg": "bones °",
    "velocity_gap": "unnatural velocities °/s",
    "acceleration_gap": "unnatural accelerations °/s²",
    "mirrored_pct": "mirrored rotations %",
    "illegal_pct": "illegal angles %",
    "asymmetry_mm": "asymmetry mm",
    "bone_std_mm": "bone deviation mm",
}
_HIPS = INDEX["hips"]


def measure(model: Lifter, batches: list[Batch]) -> dict[str, Any]:
    """Figures over batches; like a capture, each answer is the mean with that of the mirror image.

    Returns
    -------
    dict
        The mean of each of `COLUMNS` (see `figures_by_clip`), None where the truth lacks what it needs;
        ``clips`` their values by clip, in order; ``bones`` the mean errors of ``bones_deg`` by joint.
    """
    model.eval()
    parts: dict[str, list[Array]] = {}
    with torch.no_grad():
        for batch in batches:
            lifted = model(model.see(batch.rays, batch.confidence), flip=True)
            for name, values in figures_by_clip(lifted, batch).items():
                parts.setdefault(name, []).append(values)
    known = {name: np.concatenate(values) for name, values in parts.items()}
    bones = known.pop("bones")
    means: dict[str, Any] = {name: _mean(values) for name, values in known.items()}
    by_joint = {name: _mean(bones[:, j]) for j, name in enumerate(JOINTS) if j != _HIPS}
    return means | {
        "bones": {name: value for name, value in by_joint.items() if value is not None},
        "clips": {name: values.tolist() for name, values in known.items() if means[name] is not None},
    }


def _mean(values: Array) -> float | None:
    """None if the truth lacks what the figure needs, which is then NaN."""
    return float(values.mean()) if np.isfinite(values).all() else None


def figures_by_clip(lifted: Lifted, batch: Batch) -> dict[str, Array]:
    """Figures (B) of a lifter's answer for each sequence of a batch, NaN if the truth lacks what they need.

    Returns
    -------
    dict
        Those of `errors_by_clip`; ``global_deg`` error of the hips' rotation; ``bones_deg`` mean error of the
        other joints' rotations relative to the hips (Gram-Schmidt first makes every matrix a rotation),
        ``bones`` (B, J) the same by joint; ``velocity_gap`` and ``acceleration_gap`` how unnaturally the
        joints turn: the distance (Wasserstein's, of order 1) between the distributions over the clip's frames
        of the true and the said angular speeds, and of the magnitudes of angular accelerations, of the local
        rotations, mean over joints; ``mirrored_pct`` joints whose matrix has a negative determinant;
        ``illegal_pct`` elbows and knees that bend the wrong way by SAP-Net's formula; ``asymmetry_mm`` mean
        difference between left and right length of a limb bone; ``bone_std_mm`` mean standard deviation of a
        limb bone's length over the sequence.
    """
    joints = lifted.joints()
    left, right = limb_lengths(joints)
    said = matrix_from_6d(sixd_from_matrix(lifted.rotations)).numpy()
    true, rotated = batch.rotations.numpy(), batch.rotated.numpy() > 0
    relative = [np.swapaxes(x[:, :, :1], -1, -2) @ x for x in (said, true)]
    bones = np.where(rotated, rotation_errors(*relative).mean(1), np.nan)
    hips = rotation_errors(said[:, :, _HIPS], true[:, :, _HIPS]).mean(1)
    bones[:, _HIPS] = np.nan
    local = rotated & rotated[:, [max(parent, 0) for parent in PARENTS]]
    speeds, accelerations = zip(*(_turning(x) for x in (said, true)), strict=True)
    return errors_by_clip(lifted, batch) | {
        "global_deg": np.where(rotated[:, _HIPS], hips, np.nan),
        "bones_deg": _mean_of(bones, np.isfinite(bones)),
        "bones": bones,
        "velocity_gap": _mean_of(_gap(*speeds), local),
        "acceleration_gap": _mean_of(_gap(*accelerations), local),
        "mirrored_pct": 100 * (torch.linalg.det(lifted.rotations) < 0).float().mean((1, 2)).numpy(),
        "illegal_pct": 100 * (implausibility(joints) < 0).float().mean((1, 2)).numpy(),
        "asymmetry_mm": 1000 * (left - right).abs().mean((1, 2)).numpy(),
        "bone_std_mm": 1000 * torch.stack([left, right]).std(2).mean((0, 2)).numpy(),
    }


def _turning(world: Array) -> tuple[Array, Array]:
    """Angular speeds (B, T - 1, J), °/s, and accelerations (B, T - 2, J), °/s², of the local rotations."""
    local = local_rotations(world)
    turns = rotation_vector(np.swapaxes(local[:, :-1], -1, -2) @ local[:, 1:])
    velocity = np.degrees(turns) * LIFTER_FPS
    acceleration = np.diff(velocity, axis=1) * LIFTER_FPS
    return np.linalg.norm(velocity, axis=-1), np.linalg.norm(acceleration, axis=-1)


def _gap(said: Array, true: Array) -> Array:
    """Distance (B, J) between distributions over time, of which these are samples (B, T, J)."""
    return np.asarray(np.abs(np.sort(said, 1) - np.sort(true, 1)).mean(1))


def _mean_of(values: Array, known: Array) -> Array:
    """Means (B) of those of the values (B, J) that are known; NaN if none is."""
    count = known.sum(1)
    sums = np.where(known, values, 0).sum(1)
    return np.asarray(np.where(count > 0, sums / np.maximum(count, 1), np.nan))


def pace(model: Lifter, frames: int = 400) -> float:
    """Milliseconds for 1000 frames on this machine, mirror image included as in a capture; best of two."""
    draw = torch.Generator().manual_seed(0)
    rays = 0.1 * torch.randn(1, frames, 33, 2, generator=draw)
    seen = torch.ones(1, frames, 33)
    model.eval()
    took = []
    with torch.no_grad():
        for _ in range(2):
            begin = time.process_time()
            model(model.see(rays, seen), flip=True)
            took.append(time.process_time() - begin)
    return 1000 * min(took) * 1000 / frames


def truth(batches: list[Batch]) -> dict[str, float]:
    """Share of the true elbows and knees, percent, that SAP-Net's formula calls illegal."""
    joints = torch.cat([b.joints.flatten(0, 1) for b in batches])
    shares = 100 * (implausibility(joints) < 0).float().mean(0)
    return {"elbows": float(shares[:2].mean()), "knees": float(shares[2:].mean())}
