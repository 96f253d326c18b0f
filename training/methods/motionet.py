"""MotioNet (Shi et al. 2020, arXiv 2006.12075): E_S and E_Q with the forward-kinematics layer between them.

E_S predicts one set of symmetric bone lengths from all frames. E_Q predicts the joints' rotations, the root
and the contacts in every frame. Differences from the paper, and their reasons:

- The input is normalised by one number for both picture axes, through a camera that looks at the person
  (`view`).
- Rotations are in 6D form, which is continuous (arXiv 1812.07035), rather than quaternions. They are world
  rotations, so that errors don't add up along a limb.
- The stages of parallel convolutions (kernels 5, 3, 1) keep the number of frames and are dilated 1, 2, 4, 8:
  the receptive field is two seconds, where two plain stages have a third of a second.
- E_Q also predicts the direction of gravity: without it the artist would get a leaning floor.
- Contacts are heel and toe of both feet.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from kinelift.core.skeleton import JOINTS, LENGTHS
from kinelift.inference.lifters.lifter import REST, Numbers, RotationLifter, numbers
from kinelift.inference.lifters.view import FEATURES


class _Branch(nn.Sequential):
    """One convolution over time that keeps the number of frames, normalised and activated."""

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
    """E_Q: (B, FEATURES, T) to rotations in 6D, root, contacts and up, (B, T, outputs)."""

    def __init__(self, channels: int, stages: int, outputs: int) -> None:
        super().__init__()
        self.inside = nn.Sequential(nn.Conv1d(FEATURES, channels, 1), nn.LeakyReLU(0.1))
        self.stages = nn.Sequential(*(_Stage(channels, 2**i) for i in range(stages)))
        self.head = nn.Conv1d(channels, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Numbers (B, T, outputs) from features (B, FEATURES, T)."""
        return cast(Tensor, self.head(self.stages(self.inside(x))).transpose(1, 2))


class MotioNet(RotationLifter):
    """E_S and E_Q, which both take the landmarks.

    Parameters
    ----------
    channels, stages : int
        Of E_Q.
    static_channels : int
        Of E_S; 0: there is no E_S, and E_Q predicts bone lengths for every frame.
    """

    def __init__(self, channels: int = 256, static_channels: int = 128, stages: int = 4) -> None:
        super().__init__()
        self.config = {"channels": channels, "static_channels": static_channels, "stages": stages}
        self.static = SkeletonEncoder(static_channels) if static_channels else None
        self.outputs = [6 * len(JOINTS), REST, 0 if static_channels else len(LENGTHS)]
        self.dynamic = MotionEncoder(channels, stages, sum(self.outputs))

    def encode(self, features: Tensor) -> tuple[Numbers, dict[str, Tensor]]:
        """Bone lengths and motion, see `RotationLifter.encode`."""
        x = features.transpose(1, 2)
        rotations, rest, lengths = self.dynamic(x).float().split(self.outputs, -1)
        if self.static is not None:
            lengths = self.static(x)
        # an untrained network predicts the rest pose
        sixd = rotations.unflatten(-1, (len(JOINTS), 6))
        return numbers(lengths, sixd + torch.tensor([1.0, 0, 0, 0, 1, 0]).to(sixd), rest), {}
