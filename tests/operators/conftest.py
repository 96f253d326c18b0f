"""Kinelift enabled in an empty file, as Blender would."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest

import kinelift
from kinelift.operators import retarget
from kinelift.state import access as place


@pytest.fixture(autouse=True)
def enabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # Blender has a folder for it only where Kinelift is installed as an extension
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
