"""Lifters that answer where the joints are: the skeleton fit turns their answer into a body."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from ..motion import CONTACT_POINTS
from ..skeleton import JOINTS, LENGTHS, MIRROR, PARENTS, STANDARD_HEIGHT, standing_height
from .fit import turned_onto
from .lifter import Lifted
from .view import View, mirror_features


class PositionLifter(nn.Module):
    """Landmarks to joint positions; the answer for the mirrored clip is the mirrored one when `flip` is on.

    Attributes
    ----------
    config : dict
        The arguments that make the same network again.
    """

    config: dict[str, int | float | bool | str]

    @abstractmethod
    def encode(self, features: Tensor) -> Tensor:
        """Positions (B, T, J, 3) from the hips, metres, in the virtual cameras' axes.

        The hips' three numbers are the root as `Lifter` has it.
        """

    def pose(self, seen: View, flip: bool = False) -> Tensor:
        """Positions of the joints (B, T, J, 3) from the camera, metres."""
        said = self.encode(seen.features)
        if flip:
            x = torch.tensor([-1.0, 1, 1]).to(said)
            said = (said + self.encode(mirror_features(seen.features))[..., list(MIRROR), :] * x) / 2
        with torch.autocast(said.device.type, enabled=False):
            root = said[..., :1, :]
            distance = root[..., 2].clamp(-3, 3).exp() / seen.size[..., None]
            aside = root[..., :2] * seen.size[..., None, None]
            place = torch.stack([aside[..., 0], torch.ones_like(distance), -aside[..., 1]], -1)
            relative = torch.cat([torch.zeros_like(root), said[..., 1:, :]], -2)
            return (seen.turn[:, :, None] @ (relative + place * distance[..., None])[..., None])[..., 0]

    def forward(self, seen: View, flip: bool = False) -> Lifted:
        """The same as a body: mean lengths of the clip, bones as they point; contacts and gravity unknown."""
        joints = self.pose(seen, flip)
        up = torch.tensor([0.0, 0, 1]).to(joints).expand(*joints.shape[:2], 3)
        contacts = joints.new_zeros(*joints.shape[:2], len(CONTACT_POINTS))
        return Lifted(clip_lengths(joints), turned_onto(joints), joints[:, :, 0], contacts, up)


def clip_lengths(joints: Tensor) -> Tensor:
    """Symmetric mean bone lengths (B, len(LENGTHS)) of joints (B, T, J, 3), scaled to `STANDARD_HEIGHT`."""
    parents = [max(p, 0) for p in PARENTS]
    metres = torch.linalg.vector_norm(joints - joints[..., parents, :], dim=-1).mean(1)
    names = [n.split(".")[0] for n in JOINTS]
    lengths = torch.stack(
        [metres[:, [j for j, n in enumerate(names) if n == length]].mean(1) for length in LENGTHS], -1
    )
    return lengths * (STANDARD_HEIGHT / standing_height(lengths))[:, None]
