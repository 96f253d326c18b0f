"""The sidebar's panel about retargeting."""

from __future__ import annotations

import bpy

from ..core.options import PARTS, RetargetSettings
from ..operators.retarget import (
    KINELIFT_OT_detect_bones,
    KINELIFT_OT_load_bone_map,
    KINELIFT_OT_preview_retarget,
    KINELIFT_OT_retarget,
    KINELIFT_OT_save_bone_map,
    KINELIFT_OT_swap_sides,
)
from ..rig.retarget import PREVIEW
from ..state.access import TAB, active_armature, retarget_settings
from .options import draw_options
from .text import paragraph

#: least certainty of a bone that gets a check mark instead of a question mark
_CERTAIN = 0.9


class KINELIFT_PT_retarget(bpy.types.Panel):
    """Retarget onto a character."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = TAB
    bl_label = "Retarget"
    bl_order = 6
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether an armature, or what it moves, is active."""
        return active_armature(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the source, the settings, the buttons and the bone map."""
        layout, chosen = self.layout, retarget_settings(context)
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(chosen, "source")
        draw_options(layout.column(align=True), chosen, RetargetSettings, but=("parts",))
        column = layout.column(align=True)
        column.use_property_split = False  # which would repeat each part's name before its button
        column.label(text=chosen.bl_rna.properties["parts"].name)
        grid = column.grid_flow(row_major=True, columns=2, even_columns=True, align=True)
        for part in PARTS:
            grid.prop_enum(chosen, "parts", part)
        runs = PREVIEW in context.scene
        layout.operator(
            KINELIFT_OT_preview_retarget.bl_idname, icon="PAUSE" if runs else "PLAY", depress=runs
        )
        row = layout.row()
        row.scale_y = 1.4
        row.operator(KINELIFT_OT_retarget.bl_idname, icon="ARMATURE_DATA")
        if chosen.target == active_armature(context):
            for warning in chosen.warnings:
                paragraph(layout, context, warning.name, "ERROR")
        self._bones(context)

    def _bones(self, context: bpy.types.Context) -> None:
        layout, chosen, target = self.layout, retarget_settings(context), active_armature(context)
        known = chosen.target == target and len(chosen.bones) > 0
        icon = "DISCLOSURE_TRI_DOWN" if chosen.show_bones else "DISCLOSURE_TRI_RIGHT"
        row = layout.row(align=True)
        row.use_property_split = False
        row.prop(chosen, "show_bones", icon=icon, emboss=False)
        row.operator(KINELIFT_OT_detect_bones.bl_idname, icon="VIEWZOOM")
        if not chosen.show_bones:
            return
        if known:
            layout.label(text=chosen.map_name, icon="BONE_DATA", translate=False)
            column = layout.column(align=True)
            for entry in chosen.bones:
                line = column.row(align=True)
                line.prop_search(entry, "bone", target.data, "bones", text=entry.name)
                sure = entry.bone and entry.certainty >= _CERTAIN
                line.label(text="", icon="CHECKMARK" if sure else "QUESTION" if entry.bone else "BLANK1")
        row = layout.row(align=True)
        row.operator(KINELIFT_OT_swap_sides.bl_idname, icon="ARROW_LEFTRIGHT")
        row.operator(KINELIFT_OT_load_bone_map.bl_idname, text="", icon="FILE_FOLDER")
        row.operator(KINELIFT_OT_save_bone_map.bl_idname, text="", icon="FILE_TICK")
