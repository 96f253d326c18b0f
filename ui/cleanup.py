"""The sidebar's panel about feet."""

from __future__ import annotations

import bpy

from ..core.options import CleanUp
from ..operators.cleanup import KINELIFT_OT_clean_up
from ..state.access import TAB, active_armature, settings
from .options import draw_options, draw_range


class KINELIFT_PT_clean_up(bpy.types.Panel):
    """Clean Up Feet."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = TAB
    bl_label = "Clean Up Feet"
    bl_order = 4

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether an armature, or what it moves, is active."""
        return active_armature(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the settings, then the button."""
        layout, chosen = self.layout, settings(context).clean_up
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column(align=True)
        column.prop(chosen, "feet")
        feet = column.column(align=True)
        feet.active = chosen.feet
        draw_options(feet, chosen, CleanUp, but=("feet", "smooth"))
        layout.prop(chosen, "smooth")
        draw_range(layout, chosen)
        layout.operator(KINELIFT_OT_clean_up.bl_idname, icon="CON_FLOOR")
