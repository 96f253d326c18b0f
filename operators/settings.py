"""Where the artist's choices are kept: in the scene, and in the add-on's preferences."""

from __future__ import annotations

from typing import Any

import bpy

#: what Blender calls this add-on: `kinelift`, or `bl_ext.<repository>.kinelift`
ADDON = __package__.rpartition(".")[0]


def preferences(context: bpy.types.Context) -> Any:
    """The add-on's preferences (`ui.preferences.Preferences`)."""
    return context.preferences.addons[ADDON].preferences


def settings(context: bpy.types.Context) -> Any:
    """The scene's settings (`ui.properties.SceneSettings`)."""
    return context.scene.kinelift
