"""The networks' forward kinematics against what Blender makes of the same motion."""

from __future__ import annotations

from collections.abc import Callable

import bpy
import numpy as np
import torch

from kinelift.core.motion import CONTACT_POINTS
from kinelift.inference.lifters.lifter import Lifted
from kinelift.rig.action import animate
from kinelift.rig.armature import build_armature
from kinelift.tests.motions import random_motion


def test_the_layers_joints_are_blenders(heads: Callable[..., np.ndarray]) -> None:
    motion = random_motion(25, seed=6)
    frames = len(motion)
    lifted = Lifted(
        lengths=torch.as_tensor(motion.lengths)[None],
        rotations=torch.as_tensor(motion.world_rotations)[None],
        root=torch.as_tensor(motion.root)[None],
        contacts=torch.zeros(1, frames, len(CONTACT_POINTS)),
        up=torch.zeros(1, frames, 3),
    )
    armature = build_armature("Layer", motion.offsets, bpy.context.scene.collection)
    animate(armature, motion, "Layer", motion.fps)
    found = heads(armature, range(1, frames + 1))
    assert np.abs(found - lifted.joints()[0].numpy()).max() < 1e-4
