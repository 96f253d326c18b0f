"""What `PoseLifter` learns from besides MotioNet's losses: rays, straight limbs, and how far off it is."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kinelift.core.skeleton import INDEX, STANDARD_HEIGHT, TEMPLATE_LENGTHS, standing_height
from kinelift.inference.lifters.lifter import Lifted, Spread
from kinelift.inference.lifters.view import View
from kinelift.training.losses import losses
from kinelift.training.synthesis import Batch

#: how much each loss counts: joints are in metres, rotations in squared chord length, the picture in sizes of
#: the person, spreads in nats a coordinate
WEIGHTS: dict[str, float] = {
    "joints": 10.0,
    "velocity": 10.0,
    "rotations": 0.5,
    "lengths": 1.0,
    "depth": 0.5,
    "picture": 4.0,
    "straight": 0.5,
    "contacts": 0.1,
    "slide": 1.0,
    "up": 1.0,
    "spread": 0.1,
}
#: a limb bent by less than about this (chord of the angle) counts up to three times
_NEARLY_STRAIGHT = math.radians(20)
_LIMBS = [
    [INDEX[f"{name}.{side}"] for name in limb]
    for limb in (("upper_arm", "forearm", "hand"), ("thigh", "shin", "foot"))
    for side in "LR"
]


def pose_losses(lifted: Lifted, seen: View, truth: Batch) -> dict[str, Tensor]:
    """Each loss of a batch of windows, unweighted, as a scalar."""
    joints = lifted.joints()
    known = truth.positioned[:, None].expand(joints.shape[:3])
    said, true = (projected(x) for x in (joints, truth.joints))
    off = torch.linalg.vector_norm(said - true, dim=-1) / seen.size[..., None]
    out = losses(lifted, truth) | {"picture": _mean(off, known), "straight": straight_loss(joints, truth)}
    if lifted.spread is not None:
        out["spread"] = spread_loss(lifted.spread, residuals(lifted, truth), truth)
    return out


def straight_loss(joints: Tensor, truth: Batch) -> Tensor:
    """How wrong the bends of elbows and knees are, as chords of the angle; most where the truth is straight.

    Many limbs are quite straight and none is bent backwards: a mean of guesses about the joints bends them
    all.
    """
    parts = []
    for limb in _LIMBS:
        known = truth.positioned[:, None, limb].prod(-1).expand(joints.shape[:2])
        said, true = (_bend(x[:, :, limb]) for x in (joints, truth.joints))
        weight = known * (1 + 2 * torch.exp(-((true / _NEARLY_STRAIGHT) ** 2)))
        parts.append(_mean((said - true).abs(), weight))
    return torch.stack(parts).mean()


def _bend(limb: Tensor) -> Tensor:
    """Chord of the angle (...) between the two bones of three joints (..., 3, 3)."""
    bones = torch.nn.functional.normalize(torch.diff(limb, dim=-2), dim=-1)
    chord: Tensor = torch.linalg.vector_norm(bones[..., 1, :] - bones[..., 0, :], dim=-1)
    return chord


def projected(points: Tensor) -> Tensor:
    """Where points (..., 3) in level camera axes appear: (..., 2) right and up, as tangents."""
    return points[..., ::2] / points[..., 1:2].clamp(min=0.3)


def residuals(lifted: Lifted, truth: Batch) -> Spread:
    """The errors that the numbers of a `Spread` speak of: squared, and a mean over their coordinates.

    Gradients don't pass.
    """
    joints, true = lifted.joints().detach(), truth.joints
    error = (joints - joints[:, :, :1]) - (true - true[:, :, :1])
    ray = torch.nn.functional.normalize(true, dim=-1)
    along = (error * ray).sum(-1) ** 2
    across = ((error**2).sum(-1) - along).clamp(min=0) / 2
    # the chord of a turn t is sqrt(8) sin(t / 2): squared and halved about t squared
    turn = ((lifted.rotations.detach() - truth.rotations) ** 2).sum((-2, -1)) / 2 / 3
    lengths = (frame_lengths(lifted).detach() - truth.lengths[:, None].log()) ** 2
    root, true_root = joints[:, :, 0], true[:, :, 0]
    aside = ((projected(root) - projected(true_root)) ** 2).sum(-1) / 2
    depth = (root[..., 1].clamp(min=0.3) / true_root[..., 1].clamp(min=0.3)).log() ** 2
    up = ((lifted.up.detach() - truth.up[:, None]) ** 2).sum(-1) / 2
    return Spread(along, across, turn, lengths, aside, depth, up)


def frame_lengths(lifted: Lifted) -> Tensor:
    """Logarithms of the bone lengths (B, T, len(LENGTHS)) that each frame alone tells, at standard height."""
    lengths = lifted.raw["lengths"]
    metres = torch.as_tensor(TEMPLATE_LENGTHS).to(lengths) * lengths.exp()
    logs: Tensor = (metres * (STANDARD_HEIGHT / standing_height(metres))[..., None]).log()
    return logs


def spread_loss(spread: Spread, squares: Spread, truth: Batch) -> Tensor:
    """Mean negative log likelihood of errors, whose squares are given, as normal ones of those spreads."""
    positioned, rotated = truth.positioned[:, None], truth.rotated[:, None]
    known = {"along": positioned, "across": positioned, "turn": rotated}
    parts = []
    for name, deviation in spread._asdict().items():
        likely = 0.5 * getattr(squares, name) / deviation**2 + deviation.log()
        weight = known[name].expand_as(likely) if name in known else torch.ones_like(likely)
        parts.append(_mean(likely, weight))
    return torch.stack(parts).sum()


def _mean(value: Tensor, weight: Tensor) -> Tensor:
    return (value * weight).sum() / weight.sum().clamp(min=1)
