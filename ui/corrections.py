"""The sidebar's panel of whole-clip corrections, a part of Re-solve's."""

from __future__ import annotations

import bpy

from ..core.options import Corrections
from ..operators.corrections import KINELIFT_OT_reset_corrections
from ..state.access import captured, settings
from ..state.derived import panel_options
from .resolve import PartOfResolve


class KINELIFT_PT_corrections(PartOfResolve, bpy.types.Panel):
    """Live, a slider for each correction, and Reset."""

    bl_label = "Corrections"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the sliders, then the button."""
        layout, corrections = self.layout, captured(context).kinelift.corrections
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(settings(context), "live")
        column = layout.column(align=True)
        for name in panel_options(Corrections):
            column.prop(corrections, name, slider=True)
        layout.operator(KINELIFT_OT_reset_corrections.bl_idname, icon="LOOP_BACK")
