"""What is measured of a `PoseLifter` besides `evaluate.figures`, and how its spreads are made to be true."""

from __future__ import annotations

from copy import deepcopy
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from kinelift.core.rotations import geodesic_angle
from kinelift.core.skeleton import JOINTS, LENGTHS
from kinelift.inference.lifters.lifter import Lifted, Spread
from kinelift.inference.lifters.pose_lifter import PoseLifter
from kinelift.training.pose_losses import frame_lengths, projected, residuals
from kinelift.training.synthesis import Batch

#: share of normal errors within one standard deviation
_WITHIN_ONE = 0.683
#: numbers of a `Spread` that each of its fields has
_COUNTS = (len(JOINTS), len(JOINTS), len(JOINTS), len(LENGTHS), 1, 1, 1)


def sight(model: PoseLifter, batches: list[Batch]) -> dict[str, float]:
    """Errors along and across the line of sight, of the bones' rotations, and how true the spreads are.

    Returns
    -------
    dict
        ``along_mm``, ``across_mm`` root-relative, means over the known joints; ``bones_deg`` mean angle of
        rotations relative to the hips; ``along_within_1`` and so on: shares of the joints' coordinates
        within one and two spreads, percent.
    """
    rows: list[dict[str, float]] = []
    with torch.no_grad():
        for batch in batches:
            lifted = model(model.see(batch.rays, batch.confidence), flip=True)
            squares, known = residuals(lifted, batch), _everywhere(batch.positioned, batch)
            relative = [x[:, :, :1].mT @ x[:, :, 1:] for x in (lifted.rotations, batch.rotations)]
            angles = geodesic_angle(*relative)[_everywhere(batch.rotated, batch)[..., 1:]]
            ratios = error_ratios(lifted, batch)
            rows.append(
                {
                    "along_mm": 1000 * float(squares.along[known].sqrt().mean()),
                    "across_mm": 1000 * float((2 * squares.across[known]).sqrt().mean()),
                    "bones_deg": float(torch.rad2deg(angles).mean()),
                    **{
                        f"{name}_within_{times}": 100 * float((getattr(ratios, name) < times).float().mean())
                        for name in ("along", "across")
                        for times in (1, 2)
                    },
                }
            )
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def error_ratios(lifted: Lifted, batch: Batch) -> Spread:
    """How many spreads each coordinate of the answers is off, for all that is known: (N) each."""
    spread = cast(Spread, lifted.spread)
    joints, true = lifted.joints(), batch.joints
    error = (joints - joints[:, :, :1]) - (true - true[:, :, :1])
    ray = nn.functional.normalize(true, dim=-1)
    along = (error * ray).sum(-1)
    aside = nn.functional.normalize(torch.stack([ray[..., 1], -ray[..., 0], 0 * ray[..., 2]], -1), dim=-1)
    known, turned = _everywhere(batch.positioned, batch), _everywhere(batch.rotated, batch)
    known[..., 0] = False  # what the others are measured from
    turn = lifted.rotations.mT @ batch.rotations
    about = torch.stack([turn[..., i, j] - turn[..., j, i] for i, j in ((2, 1), (0, 2), (1, 0))], -1)
    chord = torch.linalg.vector_norm((lifted.rotations - batch.rotations).flatten(-2), dim=-1) / 2**0.5
    about = nn.functional.normalize(about, dim=-1) * chord[..., None]
    root, true_root = joints[:, :, 0], true[:, :, 0]
    return Spread(
        along=(along.abs() / spread.along)[known],
        across=((error * aside).sum(-1).abs() / spread.across)[known],
        turn=(about.abs() / spread.turn[..., None])[turned].flatten(),
        lengths=((frame_lengths(lifted) - batch.lengths[:, None].log()).abs() / spread.lengths).flatten(),
        aside=((projected(root) - projected(true_root)).abs() / spread.aside[..., None]).flatten(),
        depth=((root[..., 1] / true_root[..., 1]).clamp(min=1e-3).log().abs() / spread.depth).flatten(),
        up=((lifted.up - batch.up[:, None])[..., :2].abs() / spread.up[..., None]).flatten(),
    )


def calibrated(model: PoseLifter, batches: list[Batch]) -> PoseLifter:
    """The same lifter whose spreads hold as many errors as those of a normal distribution would: 68 %.

    Errors have longer tails than normal ones, and the answers of a mirrored pair are nearer to the truth
    than either, so the likelihood alone makes spreads too wide. One factor for each field of a `Spread`, on
    batches that are seen as in use, goes into the bias of the last layer.
    """
    out = deepcopy(model).eval()
    parts: list[Spread] = []
    with torch.no_grad():
        for batch in batches:
            parts.append(error_ratios(out(out.see(batch.rays, batch.confidence), flip=True), batch))
        factors = [torch.cat(field).quantile(_WITHIN_ONE) for field in zip(*parts, strict=True)]
        shift = torch.cat([f.log().expand(n) for f, n in zip(factors, _COUNTS, strict=True)])
        bias = cast(nn.Linear, out.spread[-1]).bias
        bias.copy_(bias + shift.to(bias))
    return out


def _everywhere(known: Tensor, batch: Batch) -> Tensor:
    """Which joints are known (B, J), as a mask of every frame (B, T, J)."""
    return (known[:, None] > 0).expand(batch.joints.shape[:3]).clone()
