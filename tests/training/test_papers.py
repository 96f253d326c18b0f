"""The papers' losses against values worked out by hand."""

import pytest
import torch

from kinelift.core.kinematics import joint_positions, world_rotations
from kinelift.core.rotations import axis_angle
from kinelift.core.skeleton import INDEX, JOINTS, TEMPLATE_LENGTHS, rest_offsets
from kinelift.training.adversary import Discriminator, adversarial_loss, discriminator_loss
from kinelift.training.motion_loss import motion_loss
from kinelift.training.structure import bone_ratio, illegal_angle, implausibility, symmetry


@pytest.mark.parametrize(("operator", "value"), [("subtraction", 2**0.5), ("inner", 1.0), ("cross", 2.0)])
def test_the_motion_loss_is_what_it_is_by_hand(operator, value):
    """Said: from x to y; true: from x to x, and at the longer interval nothing."""
    x, y = torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 1, 0])
    said = torch.stack([x, 2 * y if operator == "cross" else y])[None, :, None]
    true = torch.stack([x, x])[None, :, None]
    assert motion_loss(said, true, operator, (1, 5)).item() == pytest.approx(value)
    assert motion_loss(true, true, operator, (1,)).item() == 0


def bent(forearm, shin):
    """A body with its arms hanging, its elbows bent forward and its knees backward by those angles."""
    turns = torch.eye(3).repeat(len(JOINTS), 1, 1)
    for side, sign in (("L", 1.0), ("R", -1.0)):
        turns[INDEX[f"upper_arm.{side}"]] = axis_angle(torch.tensor([0.0, 1, 0]), torch.tensor(sign * 1.3))
        turns[INDEX[f"forearm.{side}"]] = axis_angle(torch.tensor([0.0, 0, 1]), torch.tensor(-sign * forearm))
        turns[INDEX[f"shin.{side}"]] = axis_angle(torch.tensor([1.0, 0, 0]), torch.tensor(shin))
    offsets = rest_offsets(torch.as_tensor(TEMPLATE_LENGTHS).float())
    return joint_positions(world_rotations(turns), torch.zeros(3), offsets)


def test_elbows_bend_forward_and_knees_backward():
    assert illegal_angle(bent(0.8, 0.8)) == 0
    assert (implausibility(bent(-0.8, -0.8)) < 0).all()
    assert illegal_angle(bent(-0.8, 0.8)) > 0
    assert illegal_angle(bent(0.8, -0.8)) > 0


def test_symmetry_and_ratio_are_nothing_on_the_template_and_something_off_it():
    joints = bent(0.4, 0.4)
    assert symmetry(joints) < 1e-5
    assert bone_ratio(joints) < 1e-9
    joints[INDEX["hand.L"]] += 0.1
    assert symmetry(joints) > 0.01
    assert bone_ratio(joints) > 1e-4


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
