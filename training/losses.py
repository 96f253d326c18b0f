"""MotioNet's supervised losses (Shi et al. 2020, section 3.3) and those of positions, on one batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from kinelift.core.kinematics import attached_points
from kinelift.core.skeleton import HEEL_OFFSET, INDEX
from kinelift.inference.lifters.lifter import Lifted
from kinelift.training.synthesis import Batch

#: weight of each loss; joints and velocities are in metres, rotations in squared chord length
WEIGHTS: dict[str, float] = {
    "joints": 10.0,
    "velocity": 10.0,
    "rotations": 1.0,
    "lengths": 2.0,
    "depth": 1.0,
    "aside": 2.0,
    "contacts": 0.2,
    "slide": 4.0,
    "up": 2.0,
}


def position_losses(joints: Tensor, truth: Batch) -> dict[str, Tensor]:
    """The losses of joints (B, T, J, 3) from the camera, metres: unweighted scalars."""
    relative, true_relative = (x - x[:, :, :1] for x in (joints, truth.joints))
    known = truth.positioned[:, None, :].expand(relative.shape[:3])
    moved = torch.diff(relative, dim=1) - torch.diff(true_relative, dim=1)
    root, true_root = joints[:, :, 0], truth.joints[:, :, 0]
    depth, true_depth = root[..., 1].clamp(min=0.2), true_root[..., 1].clamp(min=0.2)
    aside = (root[..., ::2] / depth[..., None] - true_root[..., ::2] / true_depth[..., None]) * true_depth[
        ..., None
    ]
    return {
        "joints": _mean(torch.linalg.vector_norm(relative - true_relative, dim=-1), known),
        # as UGCN (equation 5) and the simple baseline (equation 1) have it
        "squared": _mean(((relative - true_relative) ** 2).sum(-1), known),
        "velocity": _mean(torch.linalg.vector_norm(moved, dim=-1), known[:, 1:]),
        "depth": (depth.log() - true_depth.log()).abs().mean(),
        "aside": aside.abs().mean(),
    }


def losses(lifted: Lifted, truth: Batch) -> dict[str, Tensor]:
    """The losses of a body, those of its positions included: unweighted scalars."""
    joints = lifted.joints()
    turned = truth.rotated[:, None, :].expand(joints.shape[:3])
    chord = ((lifted.rotations - truth.rotations) ** 2).sum((-2, -1))
    # planted feet stay where they are in the frame of the camera, which doesn't move
    heel = torch.tensor(HEEL_OFFSET, dtype=joints.dtype, device=joints.device)
    feet = []
    for side in "LR":
        feet.append(attached_points(lifted.rotations, joints, INDEX[f"foot.{side}"], heel))
        feet.append(joints[:, :, INDEX[f"toe.{side}"]])
    step = torch.linalg.vector_norm(torch.diff(torch.stack(feet, 2), dim=1), dim=-1)
    standing = truth.contacts[:, 1:] * truth.contacts[:, :-1]
    return position_losses(joints, truth) | {
        "rotations": _mean(chord, turned),
        "lengths": (lifted.lengths.log() - truth.lengths.log()).abs().mean(),
        "contacts": functional.binary_cross_entropy_with_logits(lifted.contacts, truth.contacts),
        "slide": _mean(step, standing),
        "up": (1 - (lifted.up * truth.up[:, None]).sum(-1)).mean(),
    }


def _mean(value: Tensor, weight: Tensor) -> Tensor:
    return (value * weight).sum() / weight.sum().clamp(min=1)


def total(parts: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    """The weighted sum of the losses named in `weights`."""
    return torch.stack([weight * parts[name] for name, weight in weights.items()]).sum()
