"""Trains the network that reads how a head is turned, on detected faces with their truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kinelift.core.arrays import Floats
from kinelift.core.skeleton import INDEX
from kinelift.inference.lifters.head import FEATURES, HeadReader, features, head_turns, mirrored
from kinelift.inference.lifters.weights import save_weights
from kinelift.training.detected import HELD_OUT, DetectedSequence, is_seen

#: steps of the training, and faces of each
_STEPS, _BATCH = 4000, 512
#: standard deviation of what is added to the features, and of the logarithm of the size, which no camera sees
_NOISE, _SIZE = 0.05, 0.06
_FLIP = np.diag([-1.0, 1, 1])


def train_head(sequences: list[DetectedSequence], out: Path, steps: int = _STEPS, seed: int = 0) -> float:
    """Train the network and write its weights.

    Every `HELD_OUT`-th recording is held out: all sequences that show it.

    Returns
    -------
    float
        Mean angle, degrees, between the directions in which held-out heads look and those that it tells.
    """
    seen = [s for s in sequences if is_seen(s)]
    names = sorted({_recording(s) for s in seen})[::HELD_OUT]
    held = [s for s in seen if _recording(s) in names]
    x, y = _faces([s for s in seen if _recording(s) not in names])
    torch.manual_seed(seed)
    model = HeadReader()
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, steps)
    for _ in range(steps):
        at = torch.randint(len(x), (_BATCH,))
        noisy = x[at] * torch.exp(_SIZE * torch.randn(_BATCH, 1)) + _NOISE * torch.randn(_BATCH, FEATURES)
        told, spread = model(noisy)
        loss = _unlikely(told, spread, y[at])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    model.eval()
    save_weights(model, out, {"head": HeadReader})
    return _error(model, held)


def _recording(sequence: DetectedSequence) -> str:
    return sequence.source.split(":")[0]


def _found(sequence: DetectedSequence) -> tuple[Floats, Floats, Floats]:
    """Rays, distance and head of the frames in which somebody was found."""
    found = np.isfinite(sequence.rays).all(axis=(1, 2))
    return sequence.rays[found], sequence.joints[found, 0, 1], sequence.rotations[found, INDEX["head"]]


def _faces(sequences: list[DetectedSequence]) -> tuple[Tensor, Tensor]:
    """Features and rotations of all faces, and of all in the mirror."""
    xs, ys = [], []
    for rays, distance, head in map(_found, sequences):
        x, axes = features(rays, distance)
        turns = axes @ head
        xs += [x, mirrored(x)]
        ys += [turns, _FLIP @ turns @ _FLIP]
    faces, turned = (torch.as_tensor(np.concatenate(parts), dtype=torch.float32) for parts in (xs, ys))
    return faces, turned


def _unlikely(told: Tensor, spread: Tensor, true: Tensor) -> Tensor:
    """Negative log likelihood of rotations whose angle off falls exponentially, mean and robust."""
    cosine = ((told * true).sum((1, 2)) - 1) / 2
    angle = torch.acos(cosine.clamp(-1 + 1e-5, 1 - 1e-5))
    return (angle / spread + 2 * spread.log()).mean()


def _error(model: HeadReader, sequences: list[DetectedSequence]) -> float:
    off = []
    for rays, distance, head in map(_found, sequences):
        told, _ = head_turns(rays, distance, model)
        off.append(np.arccos(np.clip((told[..., 1] * head[..., 1]).sum(1), -1, 1)))
    return float(np.degrees(np.concatenate(off).mean()))
