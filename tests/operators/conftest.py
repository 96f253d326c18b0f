"""Kinelift enabled in an empty file, as Blender would."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import bpy
import pytest

import kinelift
from kinelift.core.capture import Source
from kinelift.operators import retarget
from kinelift.operators.build import build
from kinelift.state import access as place
from kinelift.tests.motions import random_capture


@pytest.fixture(autouse=True)
def enabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # Blender gives these folders only to an installed extension
    monkeypatch.setattr(place, "runtime_folder", lambda: tmp_path / "runtime")
    monkeypatch.setattr(retarget, "maps_folder", lambda: tmp_path / "bone_maps")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    kinelift.register()
    addon = bpy.context.preferences.addons.new()
    addon.module = "kinelift"
    addon.preferences.python = sys.executable
    addon.preferences.cache_folder = str(tmp_path / "captures")
    bpy.context.scene.render.fps = 30
    yield
    bpy.context.preferences.addons.remove(addon)
    kinelift.unregister()


@pytest.fixture
def armature(tmp_path: Path) -> bpy.types.Object:
    """A captured armature."""
    source = Source("walk.mp4", str(tmp_path / "clips"))
    replace(random_capture(10, size=(64, 48)), source=source).save(tmp_path / "walk.motion.npz")
    (built,) = build(tmp_path / "walk.motion.npz", "walk", bpy.context.scene.name, True)
    assert isinstance(built, bpy.types.Object)
    return built
