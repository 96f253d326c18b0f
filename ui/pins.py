"""The sidebar's panel of pinned poses, a part of Re-solve's."""

from __future__ import annotations

from typing import Any

import bpy

from ..operators.doubts import KINELIFT_OT_accept_doubt, KINELIFT_OT_next_doubt
from ..operators.pins import KINELIFT_OT_pin_bones, KINELIFT_OT_pin_pose, KINELIFT_OT_remove_pin
from ..state.access import captured
from .resolve import PartOfResolve


class KINELIFT_UL_pins(bpy.types.UIList):
    """Pins: whether each counts, its frame, its bones and its strength."""

    def draw_item(
        self,
        _context: bpy.types.Context,
        layout: bpy.types.UILayout,
        _data: Any,
        item: Any,
        _icon: int,
        _active_data: Any,
        _active_property: str,
    ) -> None:
        """Draw a row."""
        row = layout.row(align=True)
        row.prop(item, "use", text="")
        row.label(text=f"{item.frame}  {item.name}", translate=False)
        row.prop(item, "strength", text="", slider=True)


class KINELIFT_PT_pins(PartOfResolve, bpy.types.Panel):
    """Buttons that pin, and the list of pins."""

    bl_label = "Pins"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the buttons, then the list."""
        layout, kept = self.layout, captured(context).kinelift
        row = layout.row(align=True)
        row.operator(KINELIFT_OT_next_doubt.bl_idname, icon="VIEWZOOM")
        row.operator(KINELIFT_OT_accept_doubt.bl_idname, icon="CHECKMARK")
        row = layout.row(align=True)
        row.operator(KINELIFT_OT_pin_pose.bl_idname, icon="PINNED")
        row.operator(KINELIFT_OT_pin_bones.bl_idname)
        if kept.pins:
            row = layout.row()
            row.template_list("KINELIFT_UL_pins", "", kept, "pins", kept, "pin", rows=3)
            row.operator(KINELIFT_OT_remove_pin.bl_idname, text="", icon="REMOVE")
