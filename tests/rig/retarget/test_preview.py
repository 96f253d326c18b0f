"""A target that follows its source without keys."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from kinelift.core.options import RetargetSettings
from kinelift.rig.action import animate
from kinelift.rig.armature import build_armature
from kinelift.rig.retarget import PREVIEW
from kinelift.rig.retarget.bones import read_rig
from kinelift.rig.retarget.mapping import find_bone_map
from kinelift.rig.retarget.preview import end_preview, previewing, resume_preview, start_preview
from kinelift.tests.rig.retarget.characters import OWN, character, limb_errors, walk


@pytest.mark.slow
def test_preview_follows_and_leaves_nothing() -> None:
    motion = walk()
    source = build_armature("Source", motion.offsets, bpy.context.scene.collection)
    animate(source, motion, "Take", 30.0)
    target = character()
    before = [tuple(tuple(r) for r in bone.matrix_basis) for bone in target.pose.bones]
    start_preview(source, target, find_bone_map(read_rig(target), target.data), RetargetSettings())
    assert limb_errors(target, motion, OWN).max() < 0.1
    end_preview()
    assert target.animation_data is None or target.animation_data.action is None
    after = [tuple(tuple(r) for r in bone.matrix_basis) for bone in target.pose.bones]
    np.testing.assert_allclose(after, before, atol=1e-6)


def test_preview_goes_on_when_the_file_is_loaded_again(tmp_path: Path) -> None:
    motion = walk()
    source = build_armature("Source", motion.offsets, bpy.context.scene.collection)
    animate(source, motion, "Take", 30.0)
    target = character()
    before = [tuple(tuple(r) for r in bone.matrix_basis) for bone in target.pose.bones]
    start_preview(source, target, find_bone_map(read_rig(target), target.data), RetargetSettings())
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "previewed.blend"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert not previewing()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "previewed.blend"))
    resume_preview()
    target = bpy.data.objects["Character"]
    assert previewing() and limb_errors(target, motion, OWN).max() < 0.1
    end_preview()
    assert not previewing()
    after = [tuple(tuple(r) for r in bone.matrix_basis) for bone in target.pose.bones]
    np.testing.assert_allclose(after, before, atol=1e-6)


def test_preview_of_a_file_whose_source_is_gone_gives_the_pose_back(tmp_path: Path) -> None:
    motion = walk()
    source = build_armature("Source", motion.offsets, bpy.context.scene.collection)
    animate(source, motion, "Take", 30.0)
    target = character()
    start_preview(source, target, find_bone_map(read_rig(target), target.data), RetargetSettings())
    assert not np.allclose(target.pose.bones["thigh.L"].matrix_basis, np.eye(4))
    bpy.data.objects.remove(source)
    resume_preview()
    assert not previewing()
    np.testing.assert_allclose(target.pose.bones["thigh.L"].matrix_basis, np.eye(4), atol=1e-6)


@pytest.mark.parametrize(
    "text", ["{", "[]", "7", "[" * 100_000, '{"source": "Character", "target": "Character"}',
             '{"source": [], "target": "Character", "pose": [], "properties": {}}']
)  # fmt: skip
def test_a_preview_that_was_changed_elsewhere_ends(text: str) -> None:
    character()
    bpy.context.scene[PREVIEW] = text
    resume_preview()
    assert not previewing()
