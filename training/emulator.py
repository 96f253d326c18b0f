"""A detector's mistakes go with the pose: a small network says what it makes of a body, on the average.

Half of the error of the detector's 3D, and most of its visibility, is told by the pose and by where the
camera stands: depth is flattened, hidden limbs are guessed, backs are taken for fronts. A lifter that learns
from motion whose errors are borrowed at random from other poses learns not to believe the detector; with
errors that belong to the pose it learns to undo them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from kinelift.core.arrays import Array
from kinelift.core.landmarks import MIRRORED
from kinelift.training.detected import DetectedSequence, DetectorModel, landmarks_on, seen_straight

#: what one unit of the network's numbers is: of 3D and picture errors (metres, body heights), of visibility
_UNITS = np.array([0.1, 0.1, 0.1, 0.02, 0.02, 0.2], np.float32)
#: picture errors beyond this, body heights, are mistakes that no mean should follow
_MISTAKE = 0.1
_HINT, _RAYS, _VISIBILITY = slice(0, 3), slice(3, 5), 5
#: how many metres of the landmarks' places one unit of the input is
_METRES = 0.4
_WIDTH, _DROPOUT, _EPOCHS, _BATCH, _RATE = 384, 0.2, 40, 256, 1e-3
_LANDMARKS = len(MIRRORED)


@dataclass(frozen=True)
class Emulator:
    """What a detector says of a body, on the average.

    Attributes
    ----------
    network : nn.Module
        From what `_inputs` gives to (T, 33, 6): errors of 3D and picture, and visibility, in `_UNITS`.
    """

    network: nn.Module

    def errors(self, points: Array, up: Array) -> tuple[Array, Array, Array]:
        """Mean errors in the picture, visibility and mean errors in 3D, as `DetectorModel` has them.

        Parameters
        ----------
        points : (T, 33, 3)
            The body's landmarks from the camera, level axes, metres.
        up : (3,)
            Against gravity.
        """
        with torch.no_grad():
            said = self.network(_inputs(points, up)).unflatten(1, (_LANDMARKS, 6)).numpy() * _UNITS
        return said[..., _RAYS], said[..., _VISIBILITY], said[..., _HINT]


def _inputs(points: Array, up: Array) -> Tensor:
    """The network's input (T, 33 * 3 + 6): the body as seen straight, where it is, and gravity."""
    centre = points.mean(1)
    place = np.concatenate([np.log(centre[:, 1:2]), centre[:, ::2] / centre[:, 1:2]], 1)
    columns = [seen_straight(points).reshape(len(points), -1) / _METRES, place, np.tile(up, (len(points), 1))]
    return torch.as_tensor(np.concatenate(columns, 1), dtype=torch.float32)


def _mirrored(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs (B, 33 * 3 + 6) and answers (B, 33, 6) of the mirror image."""
    order = list(MIRRORED)
    solid, place, up = x.split([3 * _LANDMARKS, 3, 3], 1)
    turned = torch.tensor([-1.0, 1, 1])
    solid = solid.unflatten(1, (_LANDMARKS, 3))[:, order] * turned
    x = torch.cat([solid.flatten(1), place * torch.tensor([1.0, -1, 1]), up * turned], 1)
    return x, y[:, order] * torch.tensor([-1.0, 1, 1, -1, 1, 1])


def emulated(detector: DetectorModel, sequences: list[DetectedSequence], seed: int = 0) -> DetectorModel:
    """The same detector with an emulator, its errors what the emulator leaves of them.

    Parameters
    ----------
    detector : DetectorModel
        Fitted on `sequences`.
    """
    bodies = [landmarks_on(s.joints, s.rotations, detector.placement) for s in sequences]
    xs, ys = [], []
    for s, body, error, hint in zip(sequences, bodies, detector.errors, detector.hint_errors, strict=True):
        found = np.isfinite(error[:, 0, 0])
        rays = np.clip(error, -_MISTAKE, _MISTAKE)
        y = np.concatenate([hint, rays, s.visibility[..., None]], -1) / _UNITS
        xs.append(_inputs(body, s.up)[found])
        ys.append(torch.as_tensor(y[found], dtype=torch.float32))
    emulator = Emulator(_fitted(torch.cat(xs), torch.cat(ys), seed))
    said = [emulator.errors(body, s.up) for s, body in zip(sequences, bodies, strict=True)]
    wholes = (detector.errors, detector.visibility, detector.hint_errors)
    left: list[list[Array]] = [
        [whole - mean[kind] for whole, mean in zip(known, said, strict=True)]
        for kind, known in enumerate(wholes)
    ]
    errors, visibility, hints = left
    return DetectorModel(detector.placement, errors, visibility, hints, emulator)


def _fitted(x: Tensor, y: Tensor, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Linear(x.shape[1], _WIDTH), nn.GELU(), nn.Dropout(_DROPOUT),
            nn.Linear(_WIDTH, _WIDTH), nn.GELU(), nn.Dropout(_DROPOUT),
            nn.Linear(_WIDTH, 6 * _LANDMARKS),
        )  # fmt: skip
        optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE)
        steps = math.ceil(_EPOCHS * len(x) / _BATCH)
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = _RATE * (1 - step / steps)
            drawn = torch.randint(len(x), (_BATCH,))
            inputs, truth = x[drawn], y[drawn]
            if step % 2:
                inputs, truth = _mirrored(inputs, truth)
            left = cast(Tensor, network(inputs)).unflatten(1, (_LANDMARKS, 6)) - truth
            parts = (left[..., _HINT], left[..., _RAYS], left[..., _VISIBILITY:])
            # lengths, not squares: a mean that single great mistakes don't pull
            loss = torch.stack([torch.linalg.vector_norm(part, dim=-1).mean() for part in parts]).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return network.eval()
