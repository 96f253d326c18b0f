"""TP-Net (Dabral et al. 2018, section 4.2): two fully connected layers refine 20 poses of another lifter.

Table 4 compares it with an LSTM and with fewer poses. The last stage may be a skeleton fit.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from kinelift.core.skeleton import JOINTS
from kinelift.inference.lifters.view import View
from kinelift.training.methods.fit import with_lengths
from kinelift.training.methods.positions import PositionLifter, clip_lengths
from kinelift.training.methods.simple import SimpleBaseline


class TemporalPoseNet(PositionLifter):
    """Refines the poses of a simple baseline, whose finished weights stay fixed.

    Parameters
    ----------
    hidden : int
    online : bool
        Use the pose and those before it, else half of them before, the pose, and the others after.
    poses : int
        How many; 0 for an LSTM, which takes the pose and all before it, or all of the clip.
    fitted : bool
        Move the joints along their bones to the clip's mean lengths.
    channels, blocks, dropout
        Of the `SimpleBaseline` inside.
    """

    steady = False

    def __init__(
        self,
        hidden: int = 4096,
        online: bool = True,
        poses: int = 20,
        fitted: bool = False,
        channels: int = 1024,
        blocks: int = 2,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.config = {
            "hidden": hidden, "online": online, "poses": poses, "fitted": fitted, "channels": channels,
            "blocks": blocks, "dropout": dropout,
        }  # fmt: skip
        self.poses, self.fitted = poses, fitted
        self.after = 0 if online else poses // 2 - 1
        self.inner = SimpleBaseline(channels, blocks, dropout).requires_grad_(False)
        pose = 3 * len(JOINTS)
        if poses:
            self.layers: nn.Module = nn.Sequential(nn.Linear(poses * pose, hidden), nn.ReLU())
        else:
            self.layers = nn.LSTM(pose, hidden, batch_first=True, bidirectional=not online)
        self.head = nn.Linear(hidden if poses or online else 2 * hidden, pose)

    def train(self, mode: bool = True) -> TemporalPoseNet:
        """Set the training mode of everything except the baseline."""
        super().train(mode)
        self.inner.eval()
        return self

    def encode(self, features: Tensor) -> Tensor:
        """Positions, see `PositionLifter.encode`."""
        said = self.inner.encode(features).flatten(2)
        if self.poses:
            frames = said.shape[1]
            window = torch.arange(self.poses, device=said.device) - (self.poses - 1 - self.after)
            at = torch.arange(frames, device=said.device)[:, None] + window
            known = self.layers(said[:, at.clamp(0, frames - 1)].flatten(2))
        else:
            known = self.layers(said)[0]
        refined = cast(Tensor, self.head(known))
        return refined.float().reshape(*features.shape[:2], len(JOINTS), 3)

    def positions(self, seen: View, flip: bool = False) -> Tensor:
        """See `PositionLifter.positions`."""
        joints = super().positions(seen, flip)
        return with_lengths(joints, clip_lengths(joints)) if self.fitted else joints
