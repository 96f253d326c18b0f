"""MotioNet (Shi et al. 2020, arXiv 2006.12075): E_S and E_Q with the forward-kinematics layer between them.

E_S sees the whole clip and answers one set of symmetric bone lengths. E_Q answers, for every frame, the
joints' rotations, the root and the contacts. What differs from the paper, and why:

- The input is normalised by one number for both picture axes, through a camera that looks at the person
  (`view`).
- Rotations come in 6D form and pass Gram-Schmidt, not as quaternions: continuous (arXiv 1812.07035). They
  are world rotations; local ones follow. Errors then don't add up along a limb.
- The stages of parallel convolutions (kernels 5, 3, 1) keep the clip's length and are dilated 1, 2, 4, 8: a
  frame sees two seconds around it, where two plain stages see a third of a second.
- E_Q also answers which way is up: a lifter that doesn't know gravity leaves the artist with a leaning floor.
- Contacts are heel and toe of both feet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..kinematics import joint_positions
from ..motion import CONTACT_POINTS
from ..rotations import matrix_from_6d
from ..skeleton import (
    JOINTS,
    LENGTHS,
    MIRROR,
    STANDARD_HEIGHT,
    TEMPLATE_LENGTHS,
    rest_offsets,
    standing_height,
)
from .view import FEATURES, View, mirror_features

#: frames per second that every lifter is trained at
LIFTER_FPS = 30.0
_CONTACT_MIRROR = [2, 3, 0, 1]


@dataclass(frozen=True)
class Lifted:
    """A lifter's answer for a batch of clips, in the axes of a level camera (x right, y forward, z up).

    Attributes
    ----------
    lengths : (B, len(LENGTHS))
        Bone lengths in metres of a body of `STANDARD_HEIGHT`.
    rotations : (B, T, J, 3, 3)
        World rotations of the joints.
    root : (B, T, 3)
        Position of the hips from the camera, metres.
    contacts : (B, T, 4)
        Logits for `CONTACT_POINTS`.
    up : (B, T, 3)
        Unit vector against gravity.
    """

    lengths: Tensor
    rotations: Tensor
    root: Tensor
    contacts: Tensor
    up: Tensor

    def joints(self) -> Tensor:
        """Positions of the joints (B, T, J, 3) from the camera, metres."""
        return cast(Tensor, joint_positions(self.rotations, self.root, rest_offsets(self.lengths)[:, None]))


class _Branch(nn.Sequential):
    """One convolution over time that keeps the clip's length, normalised and activated."""

    def __init__(self, channels: int, kernel: int, dilation: int) -> None:
        reach = kernel // 2 * dilation
        super().__init__(
            nn.Conv1d(channels, channels, kernel, padding=reach, dilation=dilation, padding_mode="replicate"),
            nn.BatchNorm1d(channels),
            nn.LeakyReLU(0.1),
        )


class _Stage(nn.Module):
    """Parallel branches with kernels 5, 3 and 1, summed, beside a residual path."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(_Branch(channels, kernel, dilation) for kernel in (5, 3, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Channels (B, C, T) to the same."""
        return x + torch.stack([branch(x) for branch in self.branches]).mean(0)


class SkeletonEncoder(nn.Module):
    """E_S: (B, FEATURES, T) to log ratios (B, len(LENGTHS)) of the template's bone lengths."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(FEATURES, channels, 3, stride=2, padding=1), nn.LeakyReLU(0.1),
            nn.Conv1d(channels, channels, 3, stride=2, padding=1), nn.LeakyReLU(0.1),
            nn.Conv1d(channels, channels, 3, padding=1), nn.LeakyReLU(0.1),
        )  # fmt: skip
        self.head = nn.Linear(channels, len(LENGTHS))

    def forward(self, x: Tensor) -> Tensor:
        """Log ratios (B, len(LENGTHS)) from features (B, FEATURES, T)."""
        return cast(Tensor, self.head(self.body(x).amax(-1)))


class MotionEncoder(nn.Module):
    """E_Q: (B, FEATURES, T) to rotations in 6D, root, contacts and up, (B, T, OUTPUTS)."""

    OUTPUTS = 6 * len(JOINTS) + 3 + len(CONTACT_POINTS) + 3

    def __init__(self, channels: int, stages: int) -> None:
        super().__init__()
        self.inside = nn.Sequential(nn.Conv1d(FEATURES, channels, 1), nn.LeakyReLU(0.1))
        self.stages = nn.Sequential(*(_Stage(channels, 2**i) for i in range(stages)))
        self.head = nn.Conv1d(channels, self.OUTPUTS, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Numbers (B, T, OUTPUTS) from features (B, FEATURES, T)."""
        return cast(Tensor, self.head(self.stages(self.inside(x))).transpose(1, 2))


class MotioNet(nn.Module):
    """Landmarks to motion; the answer for the mirrored clip is the mirrored answer when `flip` is on."""

    def __init__(self, channels: int = 256, static_channels: int = 128, stages: int = 4) -> None:
        super().__init__()
        self.config = {"channels": channels, "static_channels": static_channels, "stages": stages}
        self.static = SkeletonEncoder(static_channels)
        self.dynamic = MotionEncoder(channels, stages)

    def forward(self, seen: View, flip: bool = False) -> Lifted:
        """Lift a batch of clips.

        Parameters
        ----------
        seen : View
            What `view` made of the landmarks at `LIFTER_FPS`.
        flip : bool
            Average with the mirrored clip's answer: twice the work, no favourite side.
        """
        lengths, rest = self._encode(seen.features)
        sixd, root, contacts, up = rest
        if flip:
            mirrored_lengths, mirrored = self._encode(mirror_features(seen.features))
            lengths = (lengths + mirrored_lengths) / 2
            # S R S with S = diag(-1, 1, 1), on the first two columns
            signs = torch.tensor([1.0, -1, -1, -1, 1, 1]).to(sixd)
            sixd = sixd + mirrored[0][..., list(MIRROR), :] * signs
            x = torch.tensor([-1.0, 1, 1]).to(root)
            root = (root + mirrored[1] * x) / 2
            contacts = (contacts + mirrored[2][..., _CONTACT_MIRROR]) / 2
            up = up + mirrored[3] * x
        # geometry stays in full precision when training autocasts the networks
        with torch.autocast(sixd.device.type, enabled=False):
            return _place(seen, lengths, sixd, root, contacts, up)

    def _encode(self, features: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor, Tensor]]:
        x = features.transpose(1, 2)
        lengths = self.static(x).float()
        out = self.dynamic(x).float()
        rotations = 6 * len(JOINTS)
        sixd = out[..., :rotations].unflatten(-1, (len(JOINTS), 6))
        root, contacts, up = out[..., rotations:].split([3, len(CONTACT_POINTS), 3], -1)
        # rest pose, upright, before anything is learnt
        identity = torch.tensor([1.0, 0, 0, 0, 1, 0]).to(sixd)
        return lengths, (sixd + identity, root, contacts, up + torch.tensor([0.0, 0, 1]).to(up))


def _place(
    seen: View, log_ratios: Tensor, sixd: Tensor, root: Tensor, contacts: Tensor, up: Tensor
) -> Lifted:
    """From the networks' numbers, said in the virtual cameras, to a body before the real one."""
    metres = torch.as_tensor(TEMPLATE_LENGTHS).to(log_ratios) * log_ratios.exp()
    metres = metres * (STANDARD_HEIGHT / standing_height(metres))[:, None]
    # the root is relative to the torso's middle, in units of the person's apparent size
    distance = root[..., 2].clamp(-3, 3).exp() / seen.size
    aside = root[..., :2] * seen.size[..., None]
    position = torch.stack([aside[..., 0], torch.ones_like(distance), -aside[..., 1]], -1)
    return Lifted(
        lengths=metres,
        rotations=seen.turn[:, :, None] @ matrix_from_6d(sixd),
        root=(seen.turn @ (position * distance[..., None])[..., None])[..., 0],
        contacts=contacts,
        up=(seen.turn @ functional.normalize(up, dim=-1)[..., None])[..., 0],
    )
