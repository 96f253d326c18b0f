"""Reduce Keys, pressed."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest

from kinelift.rig.takes import takes_of
from kinelift.tests.operators.test_cleanup import walker


def test_it_makes_another_motion_of_the_one_that_is_played(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    before = armature.animation_data.action
    assert bpy.ops.kinelift.reduce_keys(rotation=2.0, distance=20.0) == {"FINISHED"}
    assert [take.name for take in takes_of(armature)] == ["Walk", "Walk raw", "Walk reduced"]
    assert armature.animation_data.action.name == "Walk reduced"
    # what follows works on it as on any other
    assert bpy.ops.kinelift.clean_up() == {"FINISHED"}
    assert bpy.ops.kinelift.use_take(action="Walk") == {"FINISHED"}
    assert armature.animation_data.action == before


def test_a_motion_without_keys_is_refused(tmp_path: Path) -> None:
    armature = walker(tmp_path)
    armature.animation_data.action = bpy.data.actions.new("Empty")
    with pytest.raises(RuntimeError, match=r"Empty .* has no keys on bones"):
        bpy.ops.kinelift.reduce_keys()
