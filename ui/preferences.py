"""The add-on's preferences: with what is captured, and where captures are kept."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy
from bpy.app.translations import pgettext_iface
from bpy.props import EnumProperty, StringProperty

from ..core.errors import CaptureError
from ..core.install import installed_python
from ..operators.runtime import (
    KINELIFT_OT_cancel_install,
    KINELIFT_OT_clear_cache,
    KINELIFT_OT_install_runtime,
    KINELIFT_OT_remove_runtime,
    KINELIFT_OT_test_runtime,
    captures,
    forget,
    size_text,
    state,
)
from ..operators.settings import ADDON, preferences, runtime_folder, worker_python
from .text import paragraph

__all__ = ["Preferences", "preferences"]


def _forget(_preferences: bpy.types.AddonPreferences, _context: bpy.types.Context) -> None:
    """What was told of another choice."""
    forget()


def _make_absolute(self: bpy.types.AddonPreferences, _context: bpy.types.Context) -> None:
    """Blender's file browser gives paths relative to the open file, which is another one tomorrow."""
    for name in ("python", "cache_folder"):
        path = bpy.path.abspath(getattr(self, name))
        if path != getattr(self, name):
            setattr(self, name, path)
    forget()


class Preferences(bpy.types.AddonPreferences):
    """What holds for every file of the artist."""

    bl_idname = ADDON

    python: StringProperty(
        name="Python",
        description="Python that captures; empty: the one that came with Kinelift",
        subtype="FILE_PATH",
        update=_make_absolute,
    )
    device: EnumProperty(
        name="Device",
        description="Where the network runs",
        items=(
            ("auto", "Automatic", "A GPU if there is one that can be used"),
            ("cpu", "CPU", "The processor"),
            ("cuda", "CUDA", "An NVIDIA GPU"),
            ("mps", "MPS", "The GPU of an Apple computer"),
        ),
        update=_forget,
    )
    cache_folder: StringProperty(
        name="Cache Folder",
        description="Folder that keeps captured motions; empty: in Blender's own folder for extensions",
        subtype="DIR_PATH",
        update=_make_absolute,
    )

    def draw(self, context: bpy.types.Context) -> None:
        """The preferences page."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        self._draw_runtime(context, layout.box())
        column = layout.column()
        column.prop(self, "cache_folder")
        kept = captures(context)
        size = sum(path.stat().st_size for path in kept)
        row = column.row()
        row.label(
            text=pgettext_iface("Captures: {count}, {size}").format(count=len(kept), size=size_text(size)),
            translate=False,
        )
        row.operator(KINELIFT_OT_clear_cache.bl_idname, icon="TRASH")

    def _draw_runtime(self, context: bpy.types.Context, layout: bpy.types.UILayout) -> None:
        """With what is captured, what that has, and how to come by another."""
        try:
            python = worker_python(context)
        except CaptureError as error:
            paragraph(layout, context, str(error), "ERROR")
        else:
            row = layout.split(factor=0.75)
            row.label(text=_runtime_name(python), icon="CHECKMARK")
            row.operator(
                KINELIFT_OT_test_runtime.bl_idname,
                text="Testing..." if state.test is not None else "Test",
            )
            column = layout.column(align=True)
            column.label(text=str(python), icon="BLANK1", translate=False)
            if state.about:
                for line in _facts(state.about):
                    column.label(text=line, icon="BLANK1", translate=False)
        if state.problem:
            paragraph(layout, context, state.problem, "ERROR")
        layout.prop(self, "device")
        layout.prop(self, "python")
        if state.installation is not None:
            row = layout.split(factor=0.75)
            row.label(text=state.installation.line or "...", icon="IMPORT", translate=False)
            row.operator(KINELIFT_OT_cancel_install.bl_idname)
        else:
            row = layout.row(align=True)
            row.operator(KINELIFT_OT_install_runtime.bl_idname, text="Install Runtime...", icon="IMPORT")
            if runtime_folder().exists():
                row.operator(KINELIFT_OT_remove_runtime.bl_idname, icon="TRASH")


def _runtime_name(python: Path) -> str:
    if python == Path(sys.executable):
        return "Captures with Blender's own Python"
    if python == installed_python(runtime_folder()):
        return "Captures with the runtime installed from here"
    return "Captures with another Python, which was named"


def _facts(about: dict[str, Any]) -> list[str]:
    """What a test told."""
    names = ("Python", "torch", "MediaPipe", "OpenCV")
    captures_on = pgettext_iface("Captures on {device}").format(device=about["device"].upper())
    return [
        ", ".join(f"{name} {about[name.lower()]}" for name in names),
        "; ".join(f"{kind.upper()}: {name}" for kind, name in about["devices"].items()),
        f"{captures_on}; {size_text(about['size'])}",
    ]
