"""What moves: captured motion, and animated armatures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
import numpy as np

from kinelift.rig.action import animate
from kinelift.rig.armature import build_armature
from kinelift.rig.retarget.source import frames_of, perform_armature, perform_motion
from kinelift.rig.versions import curves_of
from kinelift.tests.rig.retarget.characters import character, refused, walk


def test_source_may_be_an_armature(curves: Callable[..., dict[Any, Any]]) -> None:
    motion = walk()
    source = build_armature("Source", motion.offsets, bpy.context.scene.collection)
    animate(source, motion, "Take", 30.0)
    performance = perform_armature(source, frames_of(source), 30.0)
    truth = perform_motion(motion, 30.0)
    np.testing.assert_allclose(performance.world, truth.world, atol=1e-4)
    np.testing.assert_allclose(performance.root, truth.root, atol=1e-4)
    constraint = source.pose.bones["head"].constraints.new("LIMIT_SCALE")  # Blender has to be asked then
    asked = perform_armature(source, frames_of(source), 30.0)
    assert not constraint.mute
    np.testing.assert_allclose(asked.world, performance.world, atol=1e-4)
    assert bpy.context.scene.frame_current == 1


def test_nothing_keyed() -> None:
    target = character()
    assert "Nothing is keyed" in refused(lambda: frames_of(target))


def test_muted_channels_do_not_count_as_motion() -> None:
    motion = walk(5)
    source = build_armature("Source", motion.offsets, bpy.context.scene.collection)
    animate(source, motion, "Take", 30.0)
    assert len(frames_of(source)) == 5
    for curve in curves_of(source.animation_data.action, source).values():
        curve.mute = True
    assert "Nothing is keyed" in refused(lambda: frames_of(source))
