"""What the artist does to the contact curves is what is read back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import bpy
import numpy as np
import pytest

from kinelift.core.errors import CaptureError
from kinelift.core.stances import feet
from kinelift.rig.action import animate, contact_points
from kinelift.rig.armature import build_armature
from kinelift.rig.contacts import CONTACT_CURVES, read_contacts
from kinelift.rig.versions import curves_of
from kinelift.tests.motions import random_motion
from kinelift.tests.walks import walk

Curves = Callable[[bpy.types.Object], dict[tuple[str, int], Any]]
FRAMES = np.arange(1, 121, dtype=float)


def walker() -> bpy.types.Object:
    motion = walk()
    armature = build_armature("Walk", motion.offsets, bpy.context.scene.collection)
    animate(armature, motion, "Walk", 30.0)
    return armature


def test_contacts_come_back_as_they_went_in() -> None:
    motion = replace(walk(), contacts=np.round(random_motion(120, seed=3).contacts))
    armature = build_armature("Walk", motion.offsets, bpy.context.scene.collection)
    action = animate(armature, motion, "Walk", 30.0)
    np.testing.assert_array_equal(contact_points(action), motion.contacts == 1)
    np.testing.assert_array_equal(
        read_contacts(curves_of(action, armature), FRAMES), feet(motion.contacts == 1)
    )


def test_the_artists_keys_decide_and_half_is_contact() -> None:
    armature = walker()
    curve = curves_of(armature.animation_data.action, armature)[CONTACT_CURVES["L"]]
    curve.keyframe_points.clear()
    for frame, value in ((1, 0.0), (41, 1.0), (81, 0.0)):
        curve.keyframe_points.insert(frame, value).interpolation = "LINEAR"
    standing = read_contacts(curves_of(armature.animation_data.action, armature), FRAMES)
    expected = np.interp(FRAMES, [1, 41, 81], [0, 1, 0]) >= 0.5 - 1e-6
    np.testing.assert_array_equal(standing[:, 0], expected)


@pytest.mark.parametrize("how", ["curve", "keys"])
def test_a_deleted_curve_is_named(how: str) -> None:
    armature = walker()
    action = armature.animation_data.action
    curve = curves_of(action, armature)[CONTACT_CURVES["R"]]
    if how == "keys":
        curve.keyframe_points.clear()
    elif hasattr(action, "slots"):
        action.layers[0].strips[0].channelbags[0].fcurves.remove(curve)
    else:
        action.fcurves.remove(curve)
    with pytest.raises(CaptureError, match=r"contact_foot\.R") as told:
        read_contacts(curves_of(action, armature), FRAMES)
    assert "contact_foot.L" not in str(told.value)
