"""The sidebar's panel about solving again."""

from __future__ import annotations

import bpy

from ..core.option import options_of
from ..core.options import Settings
from ..operators.resolve import KINELIFT_OT_resolve
from ..state.access import TAB, captured, settings
from .options import draw_options, draw_person, draw_range

#: options of a capture that solving again doesn't change
_ONLY_CAPTURED = [name for name, one in options_of(Settings).items() if not one.in_resolve]


class PartOfResolve:
    """A panel within Re-solve's."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = TAB
    bl_parent_id = "KINELIFT_PT_resolve"
    bl_options = frozenset({"DEFAULT_CLOSED"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether a captured armature, or what it moves, is active."""
        return captured(context) is not None


class KINELIFT_PT_resolve(bpy.types.Panel):
    """Re-solve, with what it can change."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = TAB
    bl_label = "Re-solve"
    bl_order = 4

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether a captured armature is active."""
        return captured(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the settings, which a range of frames can't have of its own, then the button."""
        layout, chosen = self.layout, settings(context)
        layout.use_property_split = True
        layout.use_property_decorate = False
        whole = layout.column()
        whole.active = not chosen.clean_up.use_range
        if not captured(context).kinelift.one_of_several:
            draw_person(whole, chosen)
        draw_options(whole, chosen, Settings, but=_ONLY_CAPTURED)
        draw_range(layout, chosen.clean_up)
        layout.operator(KINELIFT_OT_resolve.bl_idname, icon="FILE_REFRESH")
