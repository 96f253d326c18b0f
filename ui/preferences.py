"""The add-on's preferences: with what is captured, and where captures are kept."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, StringProperty

from ..operators.settings import ADDON, preferences

__all__ = ["Preferences", "preferences"]


class Preferences(bpy.types.AddonPreferences):
    """What holds for every file of the artist."""

    bl_idname = ADDON

    python: StringProperty(  # type: ignore[valid-type]
        name="Python",
        description="Python that captures; empty: the one that came with Kinelift",
        subtype="FILE_PATH",
    )
    device: EnumProperty(  # type: ignore[valid-type]
        name="Device",
        description="Where the network runs",
        items=(
            ("auto", "Automatic", "A GPU if there is one that can be used"),
            ("cpu", "CPU", "The processor"),
            ("cuda", "CUDA", "An NVIDIA GPU"),
            ("mps", "MPS", "The GPU of an Apple computer"),
        ),
    )
    cache_folder: StringProperty(  # type: ignore[valid-type]
        name="Cache Folder",
        description="Folder that keeps captured motions; empty: in Blender's own folder for extensions",
        subtype="DIR_PATH",
    )

    def draw(self, _context: bpy.types.Context) -> None:
        """The preferences page."""
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "python")
        layout.prop(self, "device")
        layout.prop(self, "cache_folder")
