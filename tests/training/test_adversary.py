"""MotioNet's discriminator judges each joint by itself."""

import torch

from kinelift.core.rotations import axis_angle
from kinelift.core.skeleton import INDEX, JOINTS
from kinelift.training.adversary import Discriminator, adversarial_loss, discriminator_loss


def test_the_discriminator_tells_stillness_from_motion_joint_by_joint():
    torch.manual_seed(0)
    judge = Discriminator(4)
    still = torch.eye(3).repeat(2, 30, len(JOINTS), 1, 1)
    swinging = still.clone()
    arm = INDEX["hand.L"]  # a leaf: no other joint's local rotation changes with it
    angle = torch.sin(torch.arange(30) / 3)
    swinging[:, :, arm] = axis_angle(torch.tensor([0.0, 1, 0]).expand(30, 3), angle)
    with torch.no_grad():
        moved = (judge(still) - judge(swinging)).abs().amax((0, 2))
    assert moved[arm] > 0 and moved[[j for j in range(len(JOINTS)) if j != arm]].max() == 0
    optimiser = torch.optim.Adam(judge.parameters(), 1e-2)
    before = discriminator_loss(judge, swinging, still).item()
    for _ in range(8):
        optimiser.zero_grad()
        discriminator_loss(judge, swinging, still).backward()
        optimiser.step()
    assert discriminator_loss(judge, swinging, still).item() < before
    assert adversarial_loss(judge, still).item() > adversarial_loss(judge, swinging).item()
