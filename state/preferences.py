"""The add-on's preferences, which hold for every file."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from ..core.option import options_of
from ..core.options import Settings
from .derived import property_of
from .runtime import forget


def _forget(_preferences: bpy.types.AddonPreferences, _context: bpy.types.Context) -> None:
    """Discard the result of a test, which was for another choice."""
    forget()


def _make_absolute(self: bpy.types.AddonPreferences, _context: bpy.types.Context) -> None:
    """Make paths absolute: Blender's file browser gives them relative to the open file."""
    for name in ("python", "cache_folder"):
        path = bpy.path.abspath(getattr(self, name))
        if path != getattr(self, name):
            setattr(self, name, path)
    forget()


class Preferences:
    """The add-on's preferences; `ui.preferences` draws them."""

    python: StringProperty(
        name="Python",
        description="Python that captures; empty: the one that came with Kinelift",
        subtype="FILE_PATH",
        update=_make_absolute,
    )
    device: property_of(options_of(Settings)["device"], update=_forget)
    cache_folder: StringProperty(
        name="Cache Folder",
        description="Folder that keeps captured motions; empty: in Blender's own folder for extensions",
        subtype="DIR_PATH",
        update=_make_absolute,
    )
