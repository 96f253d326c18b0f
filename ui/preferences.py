"""The add-on's page in the preferences: the Python that captures, and the folder of captured motions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy
from bpy.app.translations import pgettext_iface

from ..core.errors import CaptureError
from ..core.runtime import installed_python
from ..operators.runtime import (
    KINELIFT_OT_cancel_install,
    KINELIFT_OT_clear_cache,
    KINELIFT_OT_install_runtime,
    KINELIFT_OT_remove_runtime,
    KINELIFT_OT_test_runtime,
    captures,
    size_text,
)
from ..state.access import ADDON, runtime_folder, worker_python
from ..state.preferences import Preferences
from ..state.runtime import state
from .text import paragraph


class AddonPreferences(Preferences, bpy.types.AddonPreferences):
    """The preferences page."""

    bl_idname = ADDON

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the page."""
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
        """Draw the Python that captures, the result of its test, and how to install or choose another."""
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
    return "Captures with a Python of your choice"


def _facts(about: dict[str, Any]) -> list[str]:
    """The lines that show the result of a test."""
    names = ("Python", "torch", "MediaPipe", "OpenCV")
    captures_on = pgettext_iface("Captures on {device}").format(device=about["device"].upper())
    return [
        ", ".join(f"{name} {about[name.lower()]}" for name in names),
        "; ".join(f"{kind.upper()}: {name}" for kind, name in about["devices"].items()),
        f"{captures_on}; {size_text(about['size'])}",
    ]
