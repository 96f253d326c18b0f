"""Lifters whose output is joint positions; the skeleton fit (`fit`) makes a body of them."""

from __future__ import annotations

from abc import abstractmethod
from typing import cast

import torch
from torch import Tensor

from kinelift.core.motion import CONTACT_POINTS
from kinelift.core.skeleton import JOINTS, LENGTHS, MIRROR, PARENTS, STANDARD_HEIGHT, standing_height
from kinelift.inference.lifters.lifter import Lifted, Lifter, placed
from kinelift.inference.lifters.view import View, mirror_features
from kinelift.training.methods.fit import turned_onto


class PositionLifter(Lifter):
    """A lifter whose output is joint positions; it knows neither contacts nor gravity."""

    @abstractmethod
    def encode(self, features: Tensor) -> Tensor:
        """Positions (B, T, J, 3) from the hips, metres, in the virtual cameras' axes.

        The hips' three numbers are the root in the form that `lifter.placed` takes.
        """

    def positions(self, seen: View, flip: bool = False) -> Tensor:
        """Positions of the joints (B, T, J, 3) from the camera, metres; `flip` as in `Lifter.forward`."""
        said = self.encode(seen.features)
        if flip:
            x = torch.tensor([-1.0, 1, 1]).to(said)
            said = (said + self.encode(mirror_features(seen.features))[..., list(MIRROR), :] * x) / 2
        with torch.autocast(said.device.type, enabled=False):
            root = placed(seen, said[..., 0, :])[:, :, None]
            relative = (seen.turn[:, :, None] @ said[..., 1:, :, None])[..., 0]
            return torch.cat([root, root + relative], -2)

    def forward(self, seen: View, flip: bool = False) -> Lifted:
        """A body with the mean bone lengths over the frames, posed by the positions' directions."""
        joints = self.positions(seen, flip)
        up = torch.tensor([0.0, 0, 1]).to(joints).expand(*joints.shape[:2], 3)
        contacts = joints.new_zeros(*joints.shape[:2], len(CONTACT_POINTS))
        return Lifted(clip_lengths(joints), turned_onto(joints), joints[:, :, 0], contacts, up, joints)


def clip_lengths(joints: Tensor) -> Tensor:
    """Symmetric mean bone lengths (B, len(LENGTHS)) of joints (B, T, J, 3), scaled to `STANDARD_HEIGHT`."""
    parents = [max(p, 0) for p in PARENTS]
    metres = torch.linalg.vector_norm(joints - joints[..., parents, :], dim=-1).mean(1)
    names = [n.split(".")[0] for n in JOINTS]
    lengths = torch.stack(
        [metres[:, [j for j, n in enumerate(names) if n == length]].mean(1) for length in LENGTHS], -1
    )
    return cast(Tensor, lengths * (STANDARD_HEIGHT / standing_height(lengths))[:, None])
