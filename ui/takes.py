"""The sidebar's panel that lists the motions of an armature."""

from __future__ import annotations

import bpy

from ..operators.reduce_keys import KINELIFT_OT_reduce_keys
from ..operators.takes import KINELIFT_OT_use_take
from ..rig.takes import playing, takes_of
from ..state.access import TAB, active_armature


class KINELIFT_PT_takes(bpy.types.Panel):
    """All motions that the active armature was given, to go back to."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = TAB
    bl_label = "Motions"
    bl_order = 4

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it has any."""
        owner = active_armature(context)
        return owner is not None and bool(takes_of(owner))

    def draw(self, context: bpy.types.Context) -> None:
        """Draw a button for each motion, the one that is played pressed, and what thins it out."""
        column, owner = self.layout.column(align=True), active_armature(context)
        for take in takes_of(owner):
            shown = take == playing(owner)
            column.operator(
                KINELIFT_OT_use_take.bl_idname, text=take.name_full, translate=False,
                icon="ACTION", depress=shown,
            ).action = take.name_full  # fmt: skip
        self.layout.operator(KINELIFT_OT_reduce_keys.bl_idname, icon="KEYFRAME")
