"""Mocap sequences are what the BVH file says."""

import numpy as np

from kinelift.core.skeleton import STANDARD_HEIGHT
from kinelift.tests.motions import random_motion
from kinelift.training.mocap import load_mocap


def test_a_sequence_is_what_the_bvh_says_at_standard_size(mocap):
    motion = random_motion(60, 0)
    sequence = load_mocap(mocap)[0]
    scale = STANDARD_HEIGHT / motion.height
    assert np.allclose(sequence.rotations, motion.world_rotations, atol=1e-4)
    assert np.allclose(np.diff(sequence.root, axis=0), np.diff(motion.root, axis=0) * scale, atol=1e-4)
    assert np.allclose(sequence.lengths, motion.lengths * scale, atol=1e-4)
