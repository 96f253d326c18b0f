"""Add a body to the captured armature: a mannequin or the artist's own mesh, coloured by confidence."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty

from ..core.errors import CaptureError
from ..state.access import captured
from ..state.motions import find_motion
from .reporting import OnCaptured


class KINELIFT_OT_add_body(OnCaptured, bpy.types.Operator):
    """Build a mannequin around the bones of the captured armature and bind it; an earlier one is replaced"""

    bl_idname = "kinelift.add_body"
    bl_label = "Add Body"

    def work(self, context: bpy.types.Context) -> None:
        """Build the mannequin."""
        from ..rig.body import add_body, body_of
        from ..rig.confidence import hide_confidence, shows_confidence

        armature = captured(context)
        before = body_of(armature)
        if shows_confidence(before):
            hide_confidence(before, _shading(context))
        add_body(armature)


class KINELIFT_OT_bind_mesh(OnCaptured, bpy.types.Operator):
    """Bind the other selected meshes to the captured armature; those bound already stay as they are"""

    bl_idname = "kinelift.bind_mesh"
    bl_label = "Bind Own Mesh"

    by_distance: BoolProperty(
        name="By Distance",
        description="Weights by the distance to the bones, where Blender finds no automatic ones",
    )

    def work(self, context: bpy.types.Context) -> None:
        """Bind each selected mesh."""
        from ..rig.body import bind_mesh

        armature = captured(context)
        meshes = [other for other in context.selected_objects if other != armature]
        if not meshes:
            raise CaptureError(
                "No mesh is selected; select yours first, then the armature with Shift held down."
            )
        for mesh in meshes:
            bind_mesh(mesh, armature, self.by_distance)


class KINELIFT_OT_show_confidence(OnCaptured, bpy.types.Operator):
    """Colour the body, green where it is sure to red where it is a guess; again: the colours it had"""

    bl_idname = "kinelift.show_confidence"
    bl_label = "Show Confidence"

    def work(self, context: bpy.types.Context) -> None:
        """Colour the body, adding one if there is none, and show that in this viewport; or undo it."""
        from ..core.capture import Capture
        from ..rig.body import add_body, body_of
        from ..rig.confidence import hide_confidence, show_confidence, shows_confidence

        armature = captured(context)
        body = body_of(armature)
        if shows_confidence(body):
            hide_confidence(body, _shading(context))
            return
        capture = Capture.load(find_motion(context, armature.kinelift.motion))
        show_confidence(body or add_body(armature), capture, context.scene, _shading(context))


def _shading(context: bpy.types.Context) -> Any:
    """The shading of the viewport in which the button was pressed, or None."""
    in_viewport = context.area is not None and context.area.type == "VIEW_3D"
    return context.space_data.shading if in_viewport else None
