"""Motion made by rule stays within what joints allow, and on the floor."""

import numpy as np

from kinelift.core.kinematics import joint_positions
from kinelift.core.skeleton import (
    INDEX,
    rest_offsets,
)
from kinelift.training.poses import made_sequences


def test_made_motion_stays_within_what_joints_allow_and_on_the_floor():
    clips = made_sequences(3, seed=4)
    assert len({clip.name for clip in clips}) == len(clips) / 3 >= 5
    for clip in clips:
        turns = clip.rotations
        np.testing.assert_allclose(turns @ np.swapaxes(turns, -1, -2), np.eye(3) + 0 * turns, atol=1e-9)
        joints = joint_positions(turns, clip.root, rest_offsets(clip.lengths))
        assert joints[..., 2].min() > 0.0 and joints[..., 2].min(1).max() < 0.3
        for side, sign in (("L", 1.0), ("R", -1.0)):
            for upper, lower, bone, towards in (
                ("thigh", "shin", [0, 0, -1.0], [0, 1.0, 0]),
                ("upper_arm", "forearm", [sign, 0, 0], [0, -1.0, 0]),
            ):
                along = turns[:, INDEX[f"{lower}.{side}"]] @ bone
                bent = (along * (turns[:, INDEX[f"{upper}.{side}"]] @ towards)).sum(-1)
                assert bent.min() > -1e-6
        quickest = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max() * 30
        assert quickest < 14
    again = made_sequences(3, seed=4)
    assert all((a.rotations == b.rotations).all() for a, b in zip(clips, again, strict=True))
