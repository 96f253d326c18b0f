"""A small network that predicts the detector's mean errors from the pose.

The pose and the camera's position explain a part of the detector's errors and most of its visibility: it
guesses hidden limbs and takes backs for fronts. If training motion gets errors of other,
random poses, the lifter learns not to believe the detector. With the errors of its own pose, the lifter
learns to undo them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from kinelift.core.arrays import Array
from kinelift.core.files import replacing
from kinelift.core.landmarks import LANDMARK, MIRRORED, landmarks_on
from kinelift.training.detected import DetectedSequence, DetectorModel, seen_straight

#: size of one unit of the network's outputs: picture errors (body heights), visibility
_UNITS = np.array([0.02, 0.02, 0.2], np.float32)
#: picture errors are clipped to this (body heights): larger ones are blunders that the mean shouldn't follow
_MISTAKE = 0.1
#: the network's outputs for a landmark: errors in the picture
_RAYS = slice(0, 2)
#: visibility
_VISIBILITY = 2
#: size of one unit of the landmarks' positions in the input, metres
_METRES = 0.4
#: channels of the hidden layers
_WIDTH = 384
#: share of the hidden channels that are dropped in training
_DROPOUT = 0.2
#: passes over all frames
_EPOCHS = 40
#: frames of a step
_BATCH = 256
#: learning rate at the start; it falls linearly to 0
_RATE = 1e-3
_LANDMARKS = len(MIRRORED)
_HIPS = [LANDMARK["hip.L"], LANDMARK["hip.R"]]


@dataclass(frozen=True)
class Emulator:
    """The detector's mean output for a body.

    Attributes
    ----------
    network : nn.Module
        From the inputs of `_inputs` to (T, 33, 3): errors in the picture, and visibility, in `_UNITS`.
    """

    network: nn.Module

    def errors(self, points: Array, up: Array) -> tuple[Array, Array]:
        """Mean errors in the picture and mean visibility, as in `DetectorModel`.

        Parameters
        ----------
        points : (T, 33, 3)
            The body's landmarks from the camera, level axes, metres.
        up : (3,)
            Opposite to gravity.
        """
        with torch.no_grad():
            said = self.network(_inputs(points, up)).unflatten(1, (_LANDMARKS, 3)).numpy() * _UNITS
        return said[..., _RAYS], said[..., _VISIBILITY]


def _inputs(points: Array, up: Array) -> Tensor:
    """The network's input (T, 33 * 3 + 6): the landmarks seen straight, the body's place, and gravity."""
    centre = points.mean(1)
    place = np.concatenate([np.log(centre[:, 1:2]), centre[:, ::2] / centre[:, 1:2]], 1)
    columns = [seen_straight(points).reshape(len(points), -1) / _METRES, place, np.tile(up, (len(points), 1))]
    return torch.as_tensor(np.concatenate(columns, 1), dtype=torch.float32)


def _mirrored(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs (B, 33 * 3 + 6) and outputs (B, 33, 3) of the mirror image."""
    order = list(MIRRORED)
    solid, place, up = x.split([3 * _LANDMARKS, 3, 3], 1)
    turned = torch.tensor([-1.0, 1, 1])
    solid = solid.unflatten(1, (_LANDMARKS, 3))[:, order] * turned
    x = torch.cat([solid.flatten(1), place * torch.tensor([1.0, -1, 1]), up * turned], 1)
    return x, y[:, order] * torch.tensor([-1.0, 1, 1])


def emulated(
    detector: DetectorModel, sequences: list[DetectedSequence], seed: int = 0, kept: Path | None = None
) -> DetectorModel:
    """The same detector with an emulator fitted to it; its errors become the residuals of the emulator.

    Parameters
    ----------
    detector : DetectorModel
        Fitted on `sequences`.
    kept : Path, optional
        File that keeps the network: read if it exists, else written.
    """
    bodies = [landmarks_on(s.joints, s.rotations, detector.placement) for s in sequences]
    xs, ys = [], []
    for s, body, error in zip(sequences, bodies, detector.errors, strict=True):
        found = np.isfinite(error[:, 0, 0])
        rays = np.clip(error, -_MISTAKE, _MISTAKE)
        y = np.concatenate([rays, s.visibility[..., None]], -1) / _UNITS
        xs.append(_inputs(body, s.up)[found])
        ys.append(torch.as_tensor(y[found], dtype=torch.float32))
    network = _network(xs[0].shape[1])
    if kept is not None and kept.exists():
        network.load_state_dict(torch.load(kept, weights_only=True))
    else:
        network = _fitted(torch.cat(xs), torch.cat(ys), seed)
        if kept is not None:
            with replacing(kept) as temporary:
                torch.save(network.state_dict(), temporary)
    emulator = Emulator(network.eval())
    said = [emulator.errors(body, s.up) for s, body in zip(sequences, bodies, strict=True)]
    wholes = (detector.errors, detector.visibility)
    left: list[list[Array]] = [
        [whole - mean[kind] for whole, mean in zip(known, said, strict=True)]
        for kind, known in enumerate(wholes)
    ]
    errors, visibility = left
    return DetectorModel(detector.placement, errors, visibility, emulator)


def _network(inputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(inputs, _WIDTH), nn.GELU(), nn.Dropout(_DROPOUT),
        nn.Linear(_WIDTH, _WIDTH), nn.GELU(), nn.Dropout(_DROPOUT),
        nn.Linear(_WIDTH, 3 * _LANDMARKS),
    )  # fmt: skip


def _fitted(x: Tensor, y: Tensor, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _network(x.shape[1])
        optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE)
        steps = math.ceil(_EPOCHS * len(x) / _BATCH)
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = _RATE * (1 - step / steps)
            drawn = torch.randint(len(x), (_BATCH,))
            inputs, truth = x[drawn], y[drawn]
            if step % 2:
                inputs, truth = _mirrored(inputs, truth)
            left = cast(Tensor, network(inputs)).unflatten(1, (_LANDMARKS, 3)) - truth
            parts = (left[..., _RAYS], left[..., _VISIBILITY:])
            # lengths, not squares, so that single blunders don't pull the mean
            loss = torch.stack([torch.linalg.vector_norm(part, dim=-1).mean() for part in parts]).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return network.eval()


def tensor_errors(network: nn.Module, points: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    """`Emulator.errors` for a batch: landmarks (B, T, 33, 3) and gravity (B, 3), on any device."""
    frames = points.shape[1]
    centre = points.mean(2)
    depth = centre[..., 1:2].clamp(min=0.3)
    solid = tensor_seen_straight(points).flatten(2) / _METRES
    inputs = torch.cat([solid, depth.log(), centre[..., ::2] / depth, up[:, None].expand(-1, frames, -1)], -1)
    with torch.no_grad():
        said = cast(Tensor, network(inputs.flatten(0, 1))).unflatten(1, (_LANDMARKS, 3))
    said = (said * torch.as_tensor(_UNITS).to(said)).unflatten(0, points.shape[:2])
    return said[..., _RAYS], said[..., _VISIBILITY]


def tensor_seen_straight(points: Tensor) -> Tensor:
    """`detected.seen_straight` for tensors (..., 33, 3)."""
    camera = torch.stack([points[..., 0], -points[..., 2], points[..., 1]], -1)
    forward = functional.normalize(camera[..., _HIPS, :].mean(-2), dim=-1)
    down = torch.tensor([0.0, 1, 0], device=points.device).expand_as(forward)
    right = functional.normalize(torch.cross(down, forward, dim=-1), dim=-1)
    look = torch.stack([right, torch.cross(forward, right, dim=-1), forward], -2)
    seen = camera @ look.mT
    return seen - seen[..., _HIPS, :].mean(-2, keepdim=True)
