"""The detector's mistakes for whole batches at once, on the device that trains.

As in `synthesis`: what goes with the pose is said by an emulator of the detector, the rest is borrowed from
real detections; parts of the body leave the picture or vanish, the camera is held askew, the lens isn't the
one that is believed. And real detections themselves, window by window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kinelift.core.landmarks import MIRRORED, bridge
from kinelift.core.motion import CONTACT_MIRROR
from kinelift.core.rotations import axis_angle
from kinelift.core.skeleton import MIRROR, STANDARD_HEIGHT
from kinelift.training.detected import POSITIONED, ROTATED, DetectedSequence, DetectorModel
from kinelift.training.dice import Dice
from kinelift.training.emulator import tensor_errors
from kinelift.training.synthesis import Batch

#: how often a camera is held askew
_ASKEW_SHARE = 0.4
#: by how much (standard deviation) and by how much at most, radians
_ASKEW = math.radians(20)
_MOST_ASKEW = math.radians(60)
#: how often it is held anyhow, upside down too: as good as somebody on their hands
_ANYHOW_SHARE = 0.06
#: how often an edge of the picture cuts the body
_CUT_SHARE = 0.12
#: how often landmarks vanish
_VANISHED_SHARE = 0.15
#: how often nobody is found for a while
_LOST_SHARE = 0.12
#: how often the lens is mistaken
_LENS_SHARE = 0.6
#: by how much, as a logarithm of the focal length
_LENS = 0.12


class Mistakes:
    """The errors of detected sequences, frame after frame, on a device.

    Parameters
    ----------
    detector : DetectorModel
        With its emulator.
    device : str
    """

    def __init__(self, detector: DetectorModel, device: str) -> None:
        assert detector.emulator is not None
        self.device = torch.device(device)
        self.network: nn.Module = detector.emulator.network.to(self.device).eval()
        self.first, self.count = _places([len(e) for e in detector.errors], self.device)
        self.errors, self.visibility = (
            torch.as_tensor(np.concatenate(x).astype(np.float32)).to(self.device)
            for x in (detector.errors, detector.visibility)
        )

    def apply(self, dice: Dice, batch: Batch, points: Tensor) -> Batch:
        """A batch as the detector sees it, whose true landmarks are `points` (B, T, 33, 3)."""
        errors, visibility = self._borrowed(dice, *points.shape[:2])
        found = torch.isfinite(errors[..., :1, 0])
        mean_errors, mean_visibility = tensor_errors(self.network, points, batch.up)
        depth = points[..., 1:2].clamp(min=0.3)
        off = torch.where(found[..., None], errors + mean_errors, 0)
        return replace(
            batch,
            rays=batch.rays + off * STANDARD_HEIGHT / depth,
            confidence=torch.where(found, (mean_visibility + visibility).clamp(0, 1), 0),
        )

    def _borrowed(self, dice: Dice, count: int, frames: int) -> tuple[Tensor, Tensor]:
        """Stretches of errors in the picture (B, T, 33, 2), and of visibility (B, T, 33)."""
        which = (dice.uniform(0, 1, count) * len(self.first)).long()
        room = (self.count[which] - frames + 1).clamp(min=1)
        start = (dice.uniform(0, 1, count) * room).long()
        at = torch.minimum(
            start[:, None] + torch.arange(frames, device=self.device), self.count[which][:, None] - 1
        )
        at = self.first[which][:, None] + torch.where(dice.chance(0.5, count)[:, None], at.flip(1), at)
        errors, visibility = self.errors[at], self.visibility[at]
        errors = errors * dice.uniform(0.5, 1.2, count, 1, 1, 1)
        taken = dice.chance(0.5, count)[:, None, None]
        order = list(MIRRORED)
        signs = torch.tensor([-1.0, 1], device=self.device)
        return (
            torch.where(taken[..., None], errors[:, :, order] * signs, errors),
            torch.where(taken, visibility[:, :, order], visibility),
        )


class Detections:
    """Real detections, frame after frame, on a device.

    Parameters
    ----------
    sequences : sequence of DetectedSequence
    device : str
    """

    def __init__(self, sequences: Sequence[DetectedSequence], device: str) -> None:
        self.device = torch.device(device)
        self.first, self.count = _places([len(s.rays) for s in sequences], self.device)
        # where nobody was found the landmarks are bridged, as the tracker does
        seen = [bridge(s.rays, s.visibility) for s in sequences]
        columns = {
            "rays": [rays for rays, _ in seen],
            "confidence": [confidence for _, confidence in seen],
            **{name: [getattr(s, name) for s in sequences] for name in ("rotations", "joints", "contacts")},
        }
        self.frames = {
            name: torch.as_tensor(np.concatenate(parts).astype(np.float32)).to(self.device)
            for name, parts in columns.items()
        }
        self.lengths, self.up = (
            torch.as_tensor(np.stack([getattr(s, name) for s in sequences]).astype(np.float32)).to(
                self.device
            )
            for name in ("lengths", "up")
        )

    def draw(self, dice: Dice, count: int, frames: int) -> Batch:
        """`count` windows of `frames` frames, half of them in the mirror."""
        which = (dice.uniform(0, 1, count) * len(self.first)).long()
        speed = dice.uniform(0.8, 1.3, count, 1)
        last = (self.count[which] - 1).float()[:, None]
        room = last - speed * (frames - 1)
        at = dice.uniform(0, 1, count, 1) * room + speed * torch.arange(frames, device=self.device)
        at = self.first[which][:, None] + torch.minimum(at.clamp(min=0), last).round().long()
        drawn = {name: value[at] for name, value in self.frames.items()}
        every = [
            torch.as_tensor(x.astype(np.float32)).to(self.device).expand(count, -1)
            for x in (ROTATED, POSITIONED)
        ]
        batch = Batch(
            **drawn, rotated=every[0], positioned=every[1], lengths=self.lengths[which], up=self.up[which]
        )
        return mirrored(batch, dice.chance(0.5, count))


def _places(counts: Sequence[int], device: torch.device) -> tuple[Tensor, Tensor]:
    """First frames and lengths of sequences that lie end to end."""
    lengths = torch.tensor(counts, device=device)
    return lengths.cumsum(0) - lengths, lengths


def bridged(rays: Tensor, found: Tensor) -> Tensor:
    """Rays (B, T, 33, 2) with those frames interpolated that aren't `found` (B, T)."""
    frames = rays.shape[1]
    at = torch.arange(frames, device=rays.device).expand(found.shape)
    before = torch.where(found, at, -1).cummax(1).values
    after = torch.where(found, at, frames).flip(1).cummin(1).values.flip(1)
    low = torch.where(before < 0, after, before).clamp(0, frames - 1)
    high = torch.where(after >= frames, before, after).clamp(0, frames - 1)
    share = ((at - low) / (high - low).clamp(min=1))[..., None, None]
    rows = torch.arange(len(rays), device=rays.device)[:, None]
    return torch.lerp(rays[rows, low], rays[rows, high], share)


def mirrored(batch: Batch, taken: Tensor) -> Batch:
    """The batch with those windows in the mirror that are `taken` (B)."""
    flip = torch.tensor([-1.0, 1, 1], device=taken.device)
    landmarks, joints = list(MIRRORED), list(MIRROR)
    other: dict[str, Any] = {
        "rays": batch.rays[:, :, landmarks] * flip[:2],
        "confidence": batch.confidence[:, :, landmarks],
        "rotations": batch.rotations[:, :, joints] * (flip[:, None] * flip),
        "joints": batch.joints[:, :, joints] * flip,
        "contacts": batch.contacts[..., CONTACT_MIRROR],
        "up": batch.up * flip,
    }
    for name, value in other.items():
        own = getattr(batch, name)
        other[name] = torch.where(taken.reshape(-1, *[1] * (own.ndim - 1)), value, own)
    return replace(batch, **other)


def spoiled(dice: Dice, batch: Batch) -> Batch:
    """Cut, blind, hold askew and mistake the lens of some windows, as real footage is."""
    batch = _askew(dice, batch)
    count, frames = batch.rays.shape[:2]
    rays, confidence = batch.rays, batch.confidence
    confidence = torch.where(_cut(dice, rays), 0, confidence)
    # single landmarks vanish for a while
    some = dice.uniform(0, 1, count, 1, 33) < dice.uniform(0.03, 0.16, count, 1, 1)
    some = some & _while(dice, count, frames, 3, 40)[..., None]
    confidence = torch.where(some & dice.chance(_VANISHED_SHARE, count)[:, None, None], 0, confidence)
    if frames > 1:
        lost = _while(dice, count, frames, 1, 12) & dice.chance(_LOST_SHARE, count)[:, None]
        rays = bridged(rays, ~lost)
        confidence = torch.where(lost[..., None], 0, confidence)
    # a lens taken for one that is `longer` times as long: rays too narrow, everything appears farther away
    longer = (dice.normal(_LENS, count) * dice.chance(_LENS_SHARE, count)).exp()[:, None, None, None]
    hips = batch.joints[:, :, :1]
    deeper = torch.cat([hips[..., :1], hips[..., 1:2] * longer, hips[..., 2:]], -1)
    joints = batch.joints - hips + deeper
    return replace(batch, rays=rays / longer, confidence=confidence, joints=joints)


def _while(dice: Dice, count: int, frames: int, least: int, most: int) -> Tensor:
    """A stretch of every window (B, T)."""
    start = (dice.uniform(0, 1, count, 1) * frames).long()
    length = dice.uniform(least, most, count, 1).long()
    at = torch.arange(frames, device=start.device)
    return (at >= start) & (at < start + length)


def _cut(dice: Dice, rays: Tensor) -> Tensor:
    """Landmarks (B, T, 33) beyond an edge of the picture, in some of the windows."""
    count = len(rays)
    axis = (dice.uniform(0, 1, count) < 0.5).long()
    sign = torch.where(dice.chance(0.5, count), 1.0, -1.0)
    place = (
        rays.gather(-1, axis[:, None, None, None].expand(*rays.shape[:3], 1))[..., 0] * sign[:, None, None]
    )
    ordered = place.flatten(1).sort(1).values
    share = 1 - dice.uniform(0.05, 0.35, count, 1)
    edge = ordered.gather(1, (share * (ordered.shape[1] - 1)).long())
    return (place > edge[..., None]) & dice.chance(_CUT_SHARE, count)[:, None, None]


def _askew(dice: Dice, batch: Batch) -> Batch:
    """Some windows as a camera sees them that is turned about its viewing direction."""
    count = len(batch.rays)
    angle = dice.normal(_ASKEW, count).clamp(-_MOST_ASKEW, _MOST_ASKEW)
    angle = angle * dice.chance(_ASKEW_SHARE, count)
    anyhow = dice.chance(_ANYHOW_SHARE, count)
    angle = torch.where(anyhow, dice.uniform(-math.pi, math.pi, count), angle)
    turn = axis_angle(torch.tensor([0.0, 1, 0], device=angle.device).expand(count, 3), angle)
    cosine, sine = angle.cos(), angle.sin()
    flat = torch.stack([torch.stack([cosine, sine], -1), torch.stack([-sine, cosine], -1)], 1)
    return replace(
        batch,
        rays=batch.rays @ flat[:, None],
        rotations=turn[:, None, None] @ batch.rotations,
        joints=batch.joints @ turn.mT[:, None],
        up=(turn @ batch.up[..., None])[..., 0],
    )
