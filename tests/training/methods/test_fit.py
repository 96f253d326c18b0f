"""The skeleton fit keeps directions and rolls."""

import torch

from kinelift.core.kinematics import joint_positions
from kinelift.core.skeleton import JOINTS, PARENTS, rest_offsets
from kinelift.tests.motions import random_motion
from kinelift.training.methods.fit import turned_onto, with_lengths


def known():
    motion = random_motion(40, 3)
    return motion, torch.as_tensor(motion.joints)[None], torch.as_tensor(motion.lengths)[None]


def test_known_lengths_change_no_direction():
    _, joints, lengths = known()
    stretched = with_lengths(joints, 1.3 * lengths)
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            old, new = (x[..., joint, :] - x[..., parent, :] for x in (joints, stretched))
            assert torch.allclose(new, 1.3 * old, atol=1e-5), JOINTS[joint]
    assert torch.allclose(with_lengths(stretched, lengths), joints, atol=1e-5)


def test_rotations_from_joints_put_a_rigid_body_back_where_it_was():
    motion, joints, lengths = known()
    offsets = rest_offsets(lengths)[:, None]
    assert torch.allclose(joint_positions(turned_onto(joints), joints[:, :, 0], offsets), joints, atol=1e-3)
    true = torch.as_tensor(motion.world_rotations)[None]
    assert torch.allclose(turned_onto(joints, true), true, atol=1e-3)  # nothing to turn, so the roll stays
