"""TP-Net (Dabral et al. 2018, section 4.2): two fully connected layers refine 20 poses of another lifter."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from kinelift.core.skeleton import JOINTS
from kinelift.training.methods.positions import PositionLifter
from kinelift.training.methods.simple import SimpleBaseline

#: poses of the input
POSES = 20


class TemporalPoseNet(PositionLifter):
    """Refines the poses of a simple baseline, whose finished weights stay fixed.

    Parameters
    ----------
    hidden : int
    online : bool
        Use the pose and the 19 before it, else ten before, the pose and nine after.
    channels, blocks, dropout
        Of the `SimpleBaseline` inside.
    """

    def __init__(
        self,
        hidden: int = 4096,
        online: bool = True,
        channels: int = 1024,
        blocks: int = 2,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.config = {
            "hidden": hidden, "online": online, "channels": channels, "blocks": blocks, "dropout": dropout
        }  # fmt: skip
        self.after = 0 if online else POSES // 2 - 1
        self.inner = SimpleBaseline(channels, blocks, dropout).requires_grad_(False)
        poses = 3 * len(JOINTS)
        self.layers = nn.Sequential(nn.Linear(POSES * poses, hidden), nn.ReLU(), nn.Linear(hidden, poses))

    def train(self, mode: bool = True) -> TemporalPoseNet:
        """Set the training mode of everything except the baseline."""
        super().train(mode)
        self.inner.eval()
        return self

    def encode(self, features: Tensor) -> Tensor:
        """Positions, see `PositionLifter.encode`."""
        said = self.inner.encode(features).flatten(2)
        frames = said.shape[1]
        at = torch.arange(frames, device=said.device)[:, None] + torch.arange(POSES, device=said.device)
        at = (at - (POSES - 1 - self.after)).clamp(0, frames - 1)
        refined = cast(Tensor, self.layers(said[:, at].flatten(2)))
        return refined.float().reshape(*features.shape[:2], len(JOINTS), 3)
