"""Channels of pose bones: rotation modes, locks and drivers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kinelift.core.options import RetargetSettings
from kinelift.core.skeleton import INDEX
from kinelift.rig.retarget.apply import retarget
from kinelift.rig.retarget.bones import read_rig
from kinelift.rig.retarget.channels import rotation_values, rotations_of
from kinelift.rig.retarget.mapping import find_bone_map
from kinelift.rig.retarget.source import perform_motion
from kinelift.tests.motions import random_motion
from kinelift.tests.rig.retarget.characters import OWN, character, limb_errors, put, walk


@pytest.mark.parametrize("mode", ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX", "AXIS_ANGLE"])
def test_rotation_modes_are_kept(mode: str) -> None:
    target, motion = character(), walk()
    for bone in target.pose.bones:
        bone.rotation_mode = mode
    put(target, motion)
    assert {bone.rotation_mode for bone in target.pose.bones} == {mode}
    assert limb_errors(target, motion, OWN).max() < 0.1


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX", "AXIS_ANGLE"])
def test_channels_say_the_same_rotation_without_jumps(mode: str) -> None:
    turned = random_motion(200, seed=4).world_rotations[:, INDEX["hand.L"]]
    values = rotation_values(turned, mode)
    np.testing.assert_allclose(rotations_of(values, mode), turned, atol=1e-6)
    if mode != "AXIS_ANGLE":
        assert np.abs(np.diff(values, axis=0)).max() < 2.0


def test_locked_and_driven_channels_are_named_and_left(curves: Callable[..., dict[Any, Any]]) -> None:
    target, motion = character(), walk()
    shin, head, hips = (target.pose.bones[name] for name in ("shin.L", "head", "hips"))
    shin.lock_rotation = (False, True, True)
    hips.lock_location = (True, False, False)
    head.rotation_mode = "XYZ"
    driver = head.driver_add("rotation_euler", 1)
    driver.driver.expression = "0.1"
    bone_map = find_bone_map(read_rig(target), target.data)
    result = retarget(perform_motion(motion, 30.0), target, bone_map, RetargetSettings(), "x")
    told = " ".join(result.warnings)
    assert "shin.L has locked" in told and "hips has locked location" in told and "driver" in told
    keyed = curves(target).keys()
    assert ('pose.bones["shin.L"].rotation_quaternion', 2) not in keyed
    assert ('pose.bones["shin.L"].rotation_quaternion', 1) in keyed
    assert ('pose.bones["head"].rotation_euler', 1) not in keyed
    assert len([key for key in keyed if key[0].endswith('["hips"].location')]) == 2
