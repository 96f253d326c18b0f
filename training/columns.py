"""The columns of the comparison: the figures of a lifter's answers."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

from kinelift.core.rotations import matrix_from_6d, sixd_from_matrix
from kinelift.core.skeleton import INDEX, JOINTS
from kinelift.inference.lifters.lifter import Lifter
from kinelift.training.bone_structure import implausibility, limb_lengths
from kinelift.training.evaluate import errors, rotation_errors
from kinelift.training.synthesis import Batch

#: figures of every set of sequences, and their headings
COLUMNS: dict[str, str] = {
    "mpjpe_mm": "MPJPE mm",
    "pa_mpjpe_mm": "PA mm",
    "sa_mpjpe_mm": "SA mm",
    "mpjve_mm": "MPJVE mm",
    "global_deg": "global rotation °",
    "bones_deg": "bones °",
    "illegal_pct": "illegal angles %",
    "asymmetry_mm": "asymmetry mm",
    "bone_std_mm": "bone deviation mm",
}


def measure(model: Lifter, batches: list[Batch]) -> dict[str, Any]:
    """Mean figures over batches; like a capture, each answer is the mean with that of the mirror image.

    Returns
    -------
    dict
        `COLUMNS`: the first four by `evaluate.errors`; ``global_deg`` error of the hips' rotation;
        ``bones_deg`` mean error of the other joints' rotations relative to the hips (Gram-Schmidt first makes
        every matrix a rotation), ``bones`` the same by joint; ``illegal_pct`` elbows and knees that bend the
        wrong way by SAP-Net's formula; ``asymmetry_mm`` mean difference between left and right length of a
        limb bone; ``bone_std_mm`` mean standard deviation of a limb bone's length over a sequence. None if
        the truth lacks what a figure needs.
    """
    model.eval()
    sums: dict[str, list[float]] = {}
    angles = [np.zeros(len(JOINTS)), np.zeros(len(JOINTS))]
    with torch.no_grad():
        for batch in batches:
            lifted = model(model.see(batch.rays, batch.confidence, batch.hint), flip=True)
            joints = lifted.joints()
            left, right = limb_lengths(joints)
            said = matrix_from_6d(sixd_from_matrix(lifted.rotations)).numpy()
            true = batch.rotations.numpy()
            relative = [np.swapaxes(x[:, :, :1], -1, -2) @ x for x in (said, true)]
            angle = rotation_errors(*relative)
            angle[:, :, 0] = rotation_errors(said[:, :, 0], true[:, :, 0])
            rotated = batch.rotated.numpy()[:, None] * np.ones_like(angle)
            angles[0] += (angle * rotated).sum((0, 1))
            angles[1] += rotated.sum((0, 1))
            values = errors(lifted, batch) | {
                "illegal_pct": 100 * float((implausibility(joints) < 0).float().mean()),
                "asymmetry_mm": 1000 * float((left - right).abs().mean()),
                "bone_std_mm": 1000 * float(torch.stack([left, right]).std(2).mean()),
            }
            for name, value in values.items():
                sums.setdefault(name, []).append(float(value))
    out: dict[str, Any] = {name: float(np.mean(values)) for name, values in sums.items()}
    seen, hips = angles[1] > 0, INDEX["hips"]
    mean = angles[0] / np.maximum(angles[1], 1)
    out["bones"] = {name: float(mean[j]) for j, name in enumerate(JOINTS) if seen[j] and j != hips}
    out["global_deg"] = float(mean[hips]) if seen[hips] else None
    out["bones_deg"] = float(np.mean(list(out["bones"].values()))) if out["bones"] else None
    return out


def pace(model: Lifter, frames: int = 400) -> float:
    """Milliseconds for 1000 frames on this machine, mirror image included as in a capture; best of two."""
    draw = torch.Generator().manual_seed(0)
    rays = 0.1 * torch.randn(1, frames, 33, 2, generator=draw)
    seen = torch.ones(1, frames, 33)
    hint = torch.full((1, frames, 33, 3), torch.nan)
    model.eval()
    took = []
    with torch.no_grad():
        for _ in range(2):
            begin = time.perf_counter()
            model(model.see(rays, seen, hint), flip=True)
            took.append(time.perf_counter() - begin)
    return 1000 * min(took) * 1000 / frames


def truth(batches: list[Batch]) -> dict[str, float]:
    """Share of the true elbows and knees, percent, that SAP-Net's formula calls illegal."""
    joints = torch.cat([b.joints.flatten(0, 1) for b in batches])
    shares = 100 * (implausibility(joints) < 0).float().mean(0)
    return {"elbows": float(shares[:2].mean()), "knees": float(shares[2:].mean())}
