"""MotioNet's adversarial loss (Shi et al. 2020): each joint's rotation has to change like real ones."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from kinelift.core.kinematics import local_rotations
from kinelift.core.rotations import sixd_from_matrix
from kinelift.core.skeleton import JOINTS

#: learning rate of the discriminator
RATE = 1e-3
#: frames between the two rotations of a difference
INTERVAL = 5


def rotation_differences(world: Tensor) -> Tensor:
    """Differences (B, 6 J, T - INTERVAL) of local rotations in 6D, from world rotations (B, T, J, 3, 3)."""
    local = sixd_from_matrix(local_rotations(world))
    return cast(Tensor, (local[:, INTERVAL:] - local[:, :-INTERVAL]).flatten(2).transpose(1, 2))


class Discriminator(nn.Module):
    """A small convolutional network for each joint; none sees another joint."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        joints = len(JOINTS)
        self.layers = nn.Sequential(
            nn.Conv1d(6 * joints, channels * joints, 3, padding=1, groups=joints),
            nn.LeakyReLU(0.1),
            nn.Conv1d(channels * joints, channels * joints, 3, padding=1, groups=joints),
            nn.LeakyReLU(0.1),
            nn.Conv1d(channels * joints, joints, 1, groups=joints),
        )

    def forward(self, world: Tensor) -> Tensor:
        """Scores (B, J, T - INTERVAL) of world rotations (B, T, J, 3, 3); 1 means real."""
        return cast(Tensor, self.layers(rotation_differences(world)))


def discriminator_loss(judge: Discriminator, real: Tensor, said: Tensor) -> Tensor:
    """LSGAN (Mao et al. 2017) for the discriminator: 1 for real rotations, 0 for the lifter's."""
    return cast(Tensor, ((judge(real) - 1) ** 2).mean() + (judge(said.detach()) ** 2).mean())


def adversarial_loss(judge: Discriminator, said: Tensor) -> Tensor:
    """LSGAN for the lifter: its rotations should get the score of real ones."""
    return cast(Tensor, ((judge(said) - 1) ** 2).mean())
