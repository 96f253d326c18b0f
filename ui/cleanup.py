"""The sidebar's part about feet, and what the artist can set there."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, FloatProperty, IntProperty

from ..operators.cleanup import KINELIFT_OT_clean_up, KINELIFT_OT_resolve
from ..operators.settings import captured, settings


class CleanUpSettings(bpy.types.PropertyGroup):
    """How Clean Up Feet works; the defaults are those of a capture."""

    feet: BoolProperty(
        name="Plant Feet",
        description="Keep the feet where they are while the contact curves say that they stand",
        default=True,
    )
    lock_toes: BoolProperty(
        name="Lock Toes", description="Lay the toes flat on the floor while the foot stands", default=True
    )
    floor: FloatProperty(
        name="Floor",
        description="Height of the floor above the armature's origin",
        subtype="DISTANCE",
        soft_min=-1.0,
        soft_max=1.0,
    )
    minimum: FloatProperty(
        name="Min. Contact",
        description="Shorter contacts are ignored",
        subtype="TIME_ABSOLUTE",
        unit="TIME_ABSOLUTE",
        default=0.1,
        min=0.0,
        soft_max=1.0,
    )
    smooth: FloatProperty(
        name="Smoothing",
        description="Movements quicker than this are evened out first; 0: none",
        subtype="TIME_ABSOLUTE",
        unit="TIME_ABSOLUTE",
        min=0.0,
        soft_max=1.0,
    )
    use_range: BoolProperty(
        name="Frame Range", description="Clean only these frames; the others remain as they are"
    )
    first: IntProperty(name="First", description="First frame of the scene to clean", default=1)
    last: IntProperty(name="Last", description="Last frame of the scene to clean", default=250)


class KINELIFT_PT_clean_up(bpy.types.Panel):
    """Feet."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Kinelift"
    bl_label = "Clean Up Feet"
    bl_order = 4

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """An armature is active."""
        return context.active_object is not None and context.active_object.type == "ARMATURE"

    def draw(self, context: bpy.types.Context) -> None:
        """The settings, then the buttons."""
        layout, chosen = self.layout, settings(context).clean_up
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column(align=True)
        column.prop(chosen, "feet")
        feet = column.column(align=True)
        feet.active = chosen.feet
        for name in ("lock_toes", "floor", "minimum"):
            feet.prop(chosen, name)
        layout.prop(chosen, "smooth")
        row = layout.row(heading="Frame Range")
        row.prop(chosen, "use_range", text="")
        row = row.row(align=True)
        row.active = chosen.use_range
        row.prop(chosen, "first", text="")
        row.prop(chosen, "last", text="")
        layout.operator(KINELIFT_OT_clean_up.bl_idname, icon="CON_FLOOR")
        if captured(context) is not None:
            layout.operator(KINELIFT_OT_resolve.bl_idname, icon="FILE_REFRESH")
