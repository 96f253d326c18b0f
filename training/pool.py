"""A pool of motion in memory, from which batches are drawn on the device that trains.

A training step learns from as many bodies and cameras as it sees, not from as many frames. So every window of
a batch, down to single frames, has a clip, a body, a camera and a mixture of limbs of its own. Everything is
drawn for the whole batch at once with tensor operations; it takes a few milliseconds, so nothing is kept or
prepared, and no two batches share a window. A batch depends on its seed alone, which makes a resumed training
see what an uninterrupted one would have seen.

What is drawn is what `synthesis.Synthesis` draws, with more variety (`variety`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kinelift.core.motion import CONTACT_MIRROR
from kinelift.core.rotations import matrix_from_6d, sixd_from_matrix
from kinelift.core.skeleton import (
    JOINTS,
    LENGTHS,
    MIRROR,
    STANDARD_HEIGHT,
    TEMPLATE_LENGTHS,
    standing_height,
)
from kinelift.training.detected import CARRIERS
from kinelift.training.dice import Dice
from kinelift.training.mistakes import Detections, Mistakes, spoiled
from kinelift.training.mocap import MocapSequence
from kinelift.training.synthesis import Batch
from kinelift.training.variety import about, positions, put, varied

Array = npt.NDArray[Any]

#: how the logarithms of bone lengths vary: each on its own, and those of a group together
_LENGTH_SPREAD = 0.05
_GROUP_SPREAD = 0.04
_GROUPS = (("spine", "chest", "neck", "head"), ("shoulder", "upper_arm"), ("forearm", "hand"),
           ("shin", "foot"))  # fmt: skip
#: frames before or after the window that the camera may be aimed at: nobody stays in the middle of a picture
_AIMED_WITHIN = 60
#: how the landmarks' places vary among people, as a factor and in metres
_PLACE_FACTOR = 0.05
_PLACE_METRES = 0.008
_AT, _BY = ([pair[i] for pair in CARRIERS] for i in (0, 1))


class Pool:
    """All clips, frame after frame, on a device.

    Parameters
    ----------
    clips : list of MocapSequence
    placement : (33, 3)
        Where each landmark sits on the body, see `detected.DetectorModel`.
    device : str
    mixed : bool
        Mix poses of clips; off, the clips are drawn as they are.
    mistakes : Mistakes, optional
        The detector's, for a share of the windows that `draw` is given.
    detections : Detections, optional
        Real ones, likewise.
    """

    def __init__(
        self,
        clips: Sequence[MocapSequence],
        placement: Array,
        device: str,
        mixed: bool = True,
        mistakes: Mistakes | None = None,
        detections: Detections | None = None,
    ) -> None:
        self.device, self.mixed = torch.device(device), mixed
        self.mistakes, self.detections = mistakes, detections
        clips = [clip for clip in clips if len(clip.root) > 1]
        self.rotations, self.root, self.contacts = (
            self._tensor(np.concatenate([getattr(clip, name) for clip in clips]))
            for name in ("rotations", "root", "contacts")
        )
        counts = np.array([len(clip.root) for clip in clips])
        self.first = self._tensor(np.concatenate([[0], np.cumsum(counts)[:-1]])).long()
        self.count = self._tensor(counts).long()
        # between every clip alike and every frame alike: dance is most of the frames, running few
        self.weight = self._tensor(counts**0.6)
        self.leg = self._tensor([clip.leg for clip in clips])
        self.lengths = self._tensor(np.stack([clip.lengths for clip in clips]))
        self.template = self._tensor(TEMPLATE_LENGTHS)
        self.placement = self._tensor(placement)
        self.mirror = self._tensor([-1.0, 1.0, 1.0])
        self.groups = self._tensor([[name in group for name in LENGTHS] for group in _GROUPS])

    def _tensor(self, x: Any) -> Tensor:
        return torch.as_tensor(np.asarray(x, np.float32)).to(self.device)

    def draw(self, count: int, frames: int, seed: int, emulated: float = 0.0, detected: float = 0.0) -> Batch:
        """Draw `count` windows of `frames` frames; the same for the same seed and device.

        Shares of them are seen with the detector's mistakes (`emulated`) and are real detections
        (`detected`); the others are seen perfectly.
        """
        dice = Dice(self.device, seed)
        wrong, real = round(emulated * count), round(detected * count)
        parts = []
        if count - wrong - real:
            parts.append(self._perfect(dice, count - wrong - real, frames)[0])
        if wrong and self.mistakes is not None:
            parts.append(spoiled(dice, self.mistakes.apply(dice, *self._perfect(dice, wrong, frames))))
        if real and self.detections is not None:
            parts.append(spoiled(dice, self.detections.draw(dice, real, frames)))
        return Batch(**{name: torch.cat([getattr(part, name) for part in parts]) for name in vars(parts[0])})

    def _perfect(self, dice: Dice, count: int, frames: int) -> tuple[Batch, Tensor]:
        """Windows that are perfectly seen, and their landmarks (B, T, 33, 3) from the camera."""
        clip, at = self._stretch(dice, count, frames)
        rotations, root, contacts = self._motion(clip, at)
        if self.mixed:
            others = [self._motion(*self._stretch(dice, count, frames)) for _ in range(2)]
            rotations, root, contacts = varied(dice, (rotations, root, contacts), others)
        aim = self._aim(dice, clip, at, root)
        rotations, root, contacts, aim = self._flipped(dice, rotations, root, contacts, aim)
        lengths = self._body(dice, clip)
        leg = lengths[:, [LENGTHS.index(n) for n in ("shin", "foot")]].sum(1)
        scale = (leg / self.leg[clip])[:, None]
        root, aim = root * scale[..., None], aim * scale
        to_level, eye = self._camera(dice, root, aim)
        rotations = to_level[:, None, None] @ rotations
        root = ((root - eye[:, None])[..., None, :] * to_level[:, None]).sum(-1)
        joints = positions(rotations, root, lengths)
        return self._seen(dice, rotations, joints, contacts, lengths, to_level[:, :, 2])

    def _stretch(self, dice: Dice, count: int, frames: int) -> tuple[Tensor, Tensor]:
        """Clips (B) and fractional frames of them (B, T), at a speed of each window's own."""
        clip = torch.multinomial(self.weight, count, replacement=True, generator=dice.generator)
        speed = dice.uniform(0.7, 1.4, count, 1) * (dice.normal(0.15, count, 1)).exp()
        speed = speed * (1 + dice.normal(0.1, count, 1) * torch.linspace(-1, 1, frames, device=self.device))
        at = torch.cumsum(speed, 1) - speed[:, :1]
        last = (self.count[clip] - 1).float()[:, None]
        room = last - at[:, -1:]
        start = dice.uniform(0, 1, count, 1) * room
        at = torch.minimum((start + at).clamp(min=0), last)
        return clip, at.round() if frames == 1 else at

    def _motion(self, clip: Tensor, at: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rotations, root and contacts of clips (B) at fractional frames (B, T), interpolated linearly."""
        first = self.first[clip][:, None]
        low = at.floor().long()
        near = first + at.round().long()
        if at.shape[1] == 1:
            return self.rotations[near], self.root[near], self.contacts[near]
        share = (at - low)[..., None]
        high = first + torch.minimum(low + 1, self.count[clip][:, None] - 1)
        low = first + low
        root = torch.lerp(self.root[low], self.root[high], share)
        turned = torch.lerp(self.rotations[low], self.rotations[high], share[..., None, None])
        return matrix_from_6d(sixd_from_matrix(turned)), root, self.contacts[near]

    def _aim(self, dice: Dice, clip: Tensor, at: Tensor, root: Tensor) -> Tensor:
        """What the camera is aimed at (B, 3): near the hips, in a frame around the window."""
        near = at[:, 0] + dice.uniform(-_AIMED_WITHIN, _AIMED_WITHIN, len(clip)).round()
        near = torch.minimum(near.clamp(min=0), (self.count[clip] - 1).float()).round().long()
        begin = self.root[self.first[clip] + at[:, 0].round().long()]
        moved = self.root[self.first[clip] + near] - begin
        return root[:, 0] + moved

    def _flipped(
        self, dice: Dice, rotations: Tensor, root: Tensor, contacts: Tensor, aim: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Half of the windows in the mirror."""
        taken = dice.chance(0.5, len(root))
        signs = self.mirror[:, None] * self.mirror
        every = list(range(len(JOINTS)))
        rotations = put(rotations, every, rotations[:, :, list(MIRROR)] * signs, taken)
        contacts = put(contacts, list(range(4)), contacts[..., CONTACT_MIRROR], taken)
        root = torch.where(taken[:, None, None], root * self.mirror, root)
        return rotations, root, contacts, torch.where(taken[:, None], aim * self.mirror, aim)

    def _body(self, dice: Dice, clip: Tensor) -> Tensor:
        """Bone lengths (B, len(LENGTHS)), metres: near the clip's, another clip's or the template's."""
        count = len(clip)
        kind = dice.uniform(0, 1, count)[:, None]
        other = torch.multinomial(self.weight, count, replacement=True, generator=dice.generator)
        base = torch.where(kind < 0.4, self.lengths[clip], self.template)
        base = torch.where(kind > 0.75, self.lengths[other], base)
        vary = dice.normal(_LENGTH_SPREAD, count, len(LENGTHS))
        vary = vary + dice.normal(_GROUP_SPREAD, count, len(_GROUPS)) @ self.groups
        lengths = base * vary.exp()
        scale: Tensor = STANDARD_HEIGHT / standing_height(lengths)
        return lengths * scale[:, None]

    def _camera(self, dice: Dice, root: Tensor, aim: Tensor) -> tuple[Tensor, Tensor]:
        """Cameras' level-axes-from-world rotations (B, 3, 3) and positions (B, 3)."""
        count = len(root)
        yaw = dice.uniform(-math.pi, math.pi, count)
        # most films are shot from near eye height, some from far above or below
        pitch = torch.where(
            dice.chance(0.75, count), 8 + dice.normal(10, count), dice.uniform(-30, 50, count)
        ).deg2rad()
        roll = dice.normal(math.radians(3), count)
        distance = dice.uniform(math.log(1.9), math.log(9.0), count).exp()
        target = aim + dice.normal(0.2, count, 3)
        aside, above = dice.normal(0.16, count), dice.normal(0.10, count)
        to_level = about(1, -roll) @ about(0, pitch) @ about(2, -yaw)
        look = torch.stack([aside, torch.ones_like(aside), above], -1)
        look = look / torch.linalg.vector_norm(look, dim=-1, keepdim=True)
        eye = target - distance[:, None] * (look[:, None] @ to_level)[:, 0]
        # nobody walks through the camera
        nearest = ((root - eye[:, None]) * to_level[:, None, 1]).sum(-1).amin(1)
        return to_level, eye - to_level[:, 1] * (1.3 - nearest).clamp(min=0)[:, None]

    def _seen(
        self, dice: Dice, rotations: Tensor, joints: Tensor, contacts: Tensor, lengths: Tensor, up: Tensor
    ) -> tuple[Batch, Tensor]:
        """The landmarks that lie on the bodies, projected, and where they are."""
        count, frames = joints.shape[:2]
        placement = self.placement * (1 + dice.normal(_PLACE_FACTOR, count, 33, 1))
        placement = placement + dice.normal(_PLACE_METRES, count, 33, 3)
        points = joints[:, :, _AT] + (rotations[:, :, _BY] * placement[:, None, :, None, :]).sum(-1)
        depth = points[..., 1:2].clamp(min=0.3)
        every = torch.ones(count, len(JOINTS), device=self.device)
        batch = Batch(
            rays=torch.cat([points[..., :1], -points[..., 2:]], -1) / depth,
            confidence=torch.ones(count, frames, 33, device=self.device),
            rotations=rotations,
            joints=joints,
            rotated=every,
            positioned=every,
            contacts=contacts,
            lengths=lengths,
            up=up,
        )
        return batch, points
