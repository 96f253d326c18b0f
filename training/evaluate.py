"""Measures a lifter on motion that it has not seen: `python -m training evaluate`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from kinelift.core.arrays import Array
from kinelift.core.landmarks import joint_confidence
from kinelift.core.skeleton import INDEX, JOINTS
from kinelift.inference.lift import Estimate, straightened
from kinelift.inference.lifters.lifter import LIFTER_FPS, Lifted, Lifter
from kinelift.inference.solve.problem import Evidence
from kinelift.inference.solve.solver import solve
from kinelift.inference.solve.terms import turn_between
from kinelift.training.detected import DetectedSequence, DetectorModel, perfect
from kinelift.training.mocap import MocapSequence
from kinelift.training.synthesis import Batch, Synthesis

#: the joints that `bench/score.py` scores
LIMBS = [INDEX[f"{n}.{s}"] for n in ("upper_arm", "forearm", "hand", "thigh", "shin", "foot") for s in "LR"]


def similarity_aligned(a: Array, b: Array) -> Array:
    """Points a (..., N, 3), each set moved onto b by its best similarity (Umeyama 1991)."""
    ma, mb = a.mean(-2, keepdims=True), b.mean(-2, keepdims=True)
    x, y = a - ma, b - mb
    u, d, vt = np.linalg.svd(np.swapaxes(y, -1, -2) @ x)
    sign = np.ones_like(d)
    sign[..., 2] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign[..., None, :]) @ vt
    scale = (d * sign).sum(-1) / (x**2).sum((-2, -1))
    return np.asarray(scale[..., None, None] * x @ np.swapaxes(rotation, -1, -2) + mb)


def errors(lifted: Lifted, batch: Batch) -> dict[str, float]:
    """Errors of a lifter's answer for a batch: means of `errors_by_clip`."""
    return {name: float(values.mean()) for name, values in errors_by_clip(lifted, batch).items()}


def errors_by_clip(lifted: Lifted, batch: Batch) -> dict[str, Array]:
    """Errors (B) of a lifter's answer for each sequence of a batch.

    Returns
    -------
    dict
        ``mpjpe_mm`` root-relative, all known joints; ``pa_mpjpe_mm`` each frame aligned and ``sa_mpjpe_mm``
        each sequence aligned, limb joints; ``mpjve_mm`` from frame to frame, root-relative, known joints;
        ``pck_pct`` limb joints within 150 mm and ``auc_pct`` mean share within 5, 10, ... 150 mm, as for
        MPI-INF-3DHP.
    """
    joints, truth = (x.numpy().astype(float) for x in (lifted.joints(), batch.joints))
    joints, truth = joints - joints[:, :, :1], truth - truth[:, :, :1]
    known = batch.positioned.numpy()[:, None] * np.ones(truth.shape[:3])
    away = np.linalg.norm(joints - truth, axis=-1)
    moved = np.linalg.norm(np.diff(joints - truth, axis=1), axis=-1)
    limbs, true_limbs = joints[:, :, LIMBS], truth[:, :, LIMBS]
    hips = [LIMBS.index(INDEX["thigh.L"]), LIMBS.index(INDEX["thigh.R"])]
    centred = [x - x[:, :, hips].mean(2, keepdims=True) for x in (limbs, true_limbs)]
    said, true = (x.reshape(len(limbs), -1, 3) for x in centred)
    each = (1, 2)
    within = [(away[:, :, LIMBS] <= limit).mean(each) for limit in 0.005 * np.arange(1, 31)]
    return {
        "mpjpe_mm": 1000 * (away * known).sum(each) / known.sum(each),
        "pa_mpjpe_mm": 1000 * _distances(similarity_aligned(limbs, true_limbs), true_limbs),
        "sa_mpjpe_mm": 1000 * _distances(similarity_aligned(said, true), true),
        "mpjve_mm": 1000 * (moved * known[:, 1:]).sum(each) / known[:, 1:].sum(each),
        "pck_pct": 100 * within[-1],
        "auc_pct": 100 * np.mean(within, axis=0),
    }


def rotation_errors(rotations: Array, truth: Array) -> Array:
    """Angles in degrees (...) between rotations (..., 3, 3)."""
    cosine = (np.einsum("...ki,...ki->...", rotations, truth) - 1) / 2
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def solved(lifted: Lifted, batch: Batch) -> Lifted:
    """Run the solver on a lifter's answer and the landmarks, as a capture does."""
    up = torch.nn.functional.normalize(lifted.up.mean(1), dim=-1)
    estimates = []
    for i in range(len(batch.rays)):
        said = (lifted.lengths, lifted.rotations, lifted.root, lifted.contacts.sigmoid(), up)
        estimate = Estimate(*(x[i].double().numpy() for x in said))
        rays, confidence = (x[i].double().numpy() for x in (batch.rays, batch.confidence))
        estimates.append(solve(Evidence(estimate, rays, confidence, LIFTER_FPS, torch.device("cpu"))))
    lengths, rotations, root, ups = (
        torch.as_tensor(np.stack([getattr(one, name) for one in estimates])).float()
        for name in ("lengths", "rotations", "root", "up")
    )
    up = ups[:, None].expand_as(lifted.up)
    return replace(lifted, lengths=lengths, rotations=rotations, root=root, up=up)


def figures(
    model: Lifter,
    batches: list[Batch],
    flip: bool = True,
    then: Callable[[Lifted, Batch], Lifted] | None = None,
) -> dict[str, float]:
    """Mean errors over batches, of the lifter's answers, or of what `then` makes of them.

    Returns
    -------
    dict
        Those of `errors`; ``rotation_deg`` world rotations; ``up_deg`` gravity; ``contact_f1``;
        ``acceleration_ratio`` mean acceleration over that of the truth.
    """
    model.eval()
    sums: dict[str, list[float]] = {}
    true_positive = false = 0.0
    with torch.no_grad():
        for batch in batches:
            lifted = model(model.see(batch.rays, batch.confidence), flip=flip)
            if then is not None:
                lifted = then(lifted, batch)
            angle = rotation_errors(lifted.rotations.numpy(), batch.rotations.numpy())
            rotated = batch.rotated.numpy()[:, None] * np.ones_like(angle)
            up = torch.nn.functional.normalize(lifted.up.mean(1), dim=-1)
            accelerations = [
                np.linalg.norm(np.diff((x - x[:, :, :1])[:, :, LIMBS].numpy(), 2, axis=1), axis=-1).mean()
                for x in (lifted.joints(), batch.joints)
            ]
            values = errors(lifted, batch) | {
                "rotation_deg": (angle * rotated).sum() / rotated.sum(),
                "up_deg": float(torch.rad2deg(torch.arccos((up * batch.up).sum(-1).clamp(-1, 1))).mean()),
                "acceleration_ratio": accelerations[0] / accelerations[1],
            }
            for name, value in values.items():
                sums.setdefault(name, []).append(float(value))
            said, label = lifted.contacts.numpy() > 0, batch.contacts.numpy() > 0.5
            true_positive += float((said & label).sum())
            false += float((said ^ label).sum())
    out = {name: float(np.mean(values)) for name, values in sums.items()}
    # where nothing stands and nothing is said to stand, all is right
    out["contact_f1"] = true_positive / (true_positive + false / 2) if true_positive + false else 1.0
    return out


def turn_errors(model: Lifter, batches: list[Batch]) -> dict[str, list[float | None]]:
    """How far off the rotations are of which a capture's solver begins, by joint and confidence.

    Returns
    -------
    dict
        For each kind of joint that the truth knows, what 68 % of the errors about each axis are below,
        degrees, where its confidence is less than 0.4, between, and 0.8 or more; None for fewer than 100.
    """
    errors, seen, known = [], [], []
    with torch.no_grad():
        for batch in batches:
            lifted = model(model.see(batch.rays, batch.confidence), flip=True)
            said = torch.from_numpy(
                np.stack([straightened(one) for one in lifted.rotations.double().numpy()])
            )
            errors.append(turn_between(batch.rotations.double(), said).abs().numpy())
            seen.append(np.stack([joint_confidence(one) for one in batch.confidence.numpy()]))
            known.append(np.broadcast_to(batch.rotated.numpy()[:, None] > 0, seen[-1].shape))
    off, confidence, there = (np.concatenate(x) for x in (errors, seen, known))
    out: dict[str, list[float | None]] = {}
    kinds = [joint.split(".")[0] for joint in JOINTS]
    for kind in dict.fromkeys(kinds):
        of = [j for j, other in enumerate(kinds) if other == kind]
        sure = np.digitize(confidence[..., of], (0.4, 0.8))
        found = [off[:, :, of][there[..., of] & (sure == k)] for k in range(3)]
        if any(map(len, found)):
            out[kind] = [
                float(np.degrees(np.quantile(one, 0.683))) if one.size >= 100 else None for one in found
            ]
    return out


def _distances(a: Array, b: Array) -> Array:
    """Mean distances (B) of points (B, ..., 3)."""
    away = np.linalg.norm(a - b, axis=-1)
    return np.asarray(away.mean(tuple(range(1, away.ndim))))


def test_batches(
    mocap: list[MocapSequence],
    detector: DetectorModel,
    noisy: bool,
    frames: int = 90,
    count: int = 8,
    size: int = 32,
) -> list[Batch]:
    """The same stretches of `mocap` before the same cameras every time, with or without errors."""
    seen = detector if noisy else perfect(detector.placement, frames)
    draw = Synthesis(mocap, [], seen, frames, 0.0, seed=1, spoil=False)
    return [draw.batch(size) for _ in range(count)]


def detected_batches(
    sequences: list[DetectedSequence], detector: DetectorModel, frames: int = 64
) -> list[Batch]:
    """Real detections of held-out sequences, unchanged, with their truth."""
    draw = Synthesis([], sequences, detector, frames, 1.0, seed=2, spoil=False)
    return [draw.batch(min(64, 2 * len(sequences)))]
