"""SAP-Net's bone-structure losses on bodies that are known to be right or wrong."""

import torch

from kinelift.core.kinematics import joint_positions, world_rotations
from kinelift.core.rotations import axis_angle
from kinelift.core.skeleton import INDEX, JOINTS, TEMPLATE_LENGTHS, rest_offsets
from kinelift.training.bone_structure import bone_ratio, illegal_angle, implausibility, symmetry


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


def test_shoulders_and_hips_keep_their_ratio_too():
    """Both bones of a pair as long as each other, or one of them longer."""
    for bone, near in (("upper_arm", "shoulder.L"), ("thigh", "hips")):
        joints = bent(0.4, 0.4)
        side = [j for name, j in INDEX.items() if name.endswith(".L") and name != near]
        joints[side] += joints[INDEX[f"{bone}.L"]] - joints[INDEX[near]]
        assert bone_ratio(joints) > 0.01, bone
