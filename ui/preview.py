"""The sidebar's panel for viewing the result."""

from __future__ import annotations

import bpy

from ..operators.body import KINELIFT_OT_add_body, KINELIFT_OT_bind_mesh, KINELIFT_OT_show_confidence
from ..operators.camera import (
    KINELIFT_OT_add_camera,
    KINELIFT_OT_still_camera,
    KINELIFT_OT_view_camera,
)
from ..operators.side_by_side import KINELIFT_OT_side_by_side
from ..state.access import TAB, captured


class KINELIFT_PT_preview(bpy.types.Panel):
    """The body and the capture camera."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = TAB
    bl_label = "Preview"
    bl_order = 5

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether a captured armature is active."""
        return captured(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the buttons."""
        from ..rig.body import body_of
        from ..rig.confidence import shows_confidence
        from ..rig.result import in_room
        from ..rig.takes import motion_of
        from ..rig.viewports import divided

        self.layout.operator(
            KINELIFT_OT_side_by_side.bl_idname, icon="VIEW3D", depress=divided(context.screen) is not None
        )
        column = self.layout.column(align=True)
        column.operator(KINELIFT_OT_add_body.bl_idname, icon="OUTLINER_OB_ARMATURE")
        column.operator(KINELIFT_OT_bind_mesh.bl_idname, icon="MOD_ARMATURE")
        column.operator(
            KINELIFT_OT_show_confidence.bl_idname,
            icon="COLOR",
            depress=shows_confidence(body_of(captured(context))),
        )
        column = self.layout.column(align=True)
        column.operator(KINELIFT_OT_add_camera.bl_idname, icon="VIEW_CAMERA")
        column.operator(KINELIFT_OT_view_camera.bl_idname, icon="HIDE_OFF")
        column.operator(
            KINELIFT_OT_still_camera.bl_idname,
            icon="CON_CAMERASOLVER",
            depress=in_room(motion_of(captured(context))) is not None,
        )
