import numpy as np
import torch

from kinelift.core import kinematics, skeleton
from kinelift.core.rotations import axis_angle, matrix_from_6d

INDEX = skeleton.INDEX


def random_rotations(shape, seed=0):
    numbers = torch.randn(*shape, len(skeleton.JOINTS), 6, generator=torch.Generator().manual_seed(seed))
    return matrix_from_6d(numbers.double())


def test_the_rest_pose_is_a_symmetric_t_pose_facing_minus_y():
    offsets = skeleton.rest_offsets(skeleton.TEMPLATE_LENGTHS)
    rest = np.tile(np.eye(3), (len(skeleton.JOINTS), 1, 1))
    joints = kinematics.joint_positions(rest, np.zeros(3), offsets)
    assert np.allclose(joints[list(skeleton.MIRROR)], joints * [-1, 1, 1])
    arm = joints[[INDEX[n] for n in ("upper_arm.L", "forearm.L", "hand.L")]]
    assert np.allclose(arm[:, 1:], arm[0, 1:]) and (np.diff(arm[:, 0]) > 0).all()
    assert joints[INDEX["toe.L"], 1] < joints[INDEX["foot.L"], 1]
    assert joints[INDEX["head"], 2] > joints[INDEX["hips"], 2] > joints[INDEX["foot.R"], 2]


def test_a_bent_elbow_moves_what_hangs_on_it_and_nothing_else():
    offsets = skeleton.rest_offsets(skeleton.TEMPLATE_LENGTHS)
    local = np.tile(np.eye(3), (len(skeleton.JOINTS), 1, 1))
    rest = kinematics.joint_positions(kinematics.world_rotations(local), np.zeros(3), offsets)
    local[INDEX["forearm.L"]] = axis_angle(np.array([0.0, 0, 1]), np.array(-np.pi / 2))  # forwards
    bent = kinematics.joint_positions(kinematics.world_rotations(local), np.zeros(3), offsets)
    moved = np.flatnonzero(np.linalg.norm(bent - rest, axis=1) > 1e-9)
    assert [skeleton.JOINTS[j] for j in moved] == ["hand.L"]
    assert np.allclose(bent[INDEX["hand.L"]], rest[INDEX["forearm.L"]] + [0, -0.245, 0])


def test_lengths_are_kept_whatever_the_pose_and_are_one_number_for_both_sides():
    lengths = torch.rand(len(skeleton.LENGTHS), dtype=torch.float64) + 0.1
    world = kinematics.world_rotations(random_rotations((7,)))
    joints = kinematics.joint_positions(world, torch.randn(7, 3).double(), skeleton.rest_offsets(lengths))
    for j, parent in enumerate(skeleton.PARENTS):
        if parent >= 0:
            name = skeleton.JOINTS[j].split(".")[0]
            length = torch.linalg.vector_norm(joints[:, j] - joints[:, parent], dim=-1)
            assert torch.allclose(length, lengths[skeleton.LENGTHS.index(name)].expand(7))
    assert np.allclose(skeleton.lengths_of(skeleton.rest_offsets(lengths.numpy())), lengths.numpy())


def test_local_and_world_rotations_are_inverse():
    local = random_rotations((3, 4))
    assert torch.allclose(kinematics.local_rotations(kinematics.world_rotations(local)), local)


def test_numpy_and_torch_agree_and_gradients_pass():
    local = random_rotations((5,))
    offsets = skeleton.rest_offsets(torch.as_tensor(skeleton.TEMPLATE_LENGTHS)).requires_grad_()
    root = torch.randn(5, 3, dtype=torch.float64)
    joints = kinematics.joint_positions(kinematics.world_rotations(local), root, offsets)
    same = kinematics.joint_positions(
        kinematics.world_rotations(local.numpy()), root.numpy(), offsets.detach().numpy()
    )
    assert np.allclose(joints.detach().numpy(), same)
    joints[:, INDEX["hand.L"]].sum().backward()
    moved = offsets.grad.abs().sum(-1) > 0
    # the chain from the hips to the hand, and no other joint
    chain = ["spine", "chest", "shoulder.L", "upper_arm.L", "forearm.L", "hand.L"]
    assert {skeleton.JOINTS[j] for j in torch.nonzero(moved).flatten()} == set(chain)


def test_standing_height_scales_with_the_skeleton():
    lengths = skeleton.TEMPLATE_LENGTHS
    assert np.isclose(skeleton.standing_height(lengths * 1.3), 1.3 * skeleton.STANDARD_HEIGHT)
    # sole to ankle, the leg, the trunk and the top of the head add up
    offsets = dict(zip(skeleton.JOINTS, skeleton.TEMPLATE_OFFSETS, strict=True))
    trunk = sum(offsets[n][2] for n in ("spine", "chest", "neck", "head"))
    leg = -offsets["shin.L"][2] - offsets["foot.L"][2]
    total = skeleton.ANKLE_HEIGHT + leg + trunk + skeleton.END_POINTS["head"][2]
    assert np.isclose(total, skeleton.STANDARD_HEIGHT, atol=2e-3)
