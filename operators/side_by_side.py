"""Show Side by Side: a body, the capture camera with its video, and two viewports that show both."""

from __future__ import annotations

import bpy

from ..core.errors import CaptureError
from ..state.access import captured
from .camera import add_capture_camera, camera_of, cameras_of
from .reporting import OnCaptured


class KINELIFT_OT_side_by_side(OnCaptured, bpy.types.Operator):
    """Show the body over the video, and beside that from the side; again: the viewport as it was"""

    bl_idname = "kinelift.side_by_side"
    bl_label = "Show Side by Side"

    def work(self, context: bpy.types.Context) -> None:
        """Add what is missing and divide the viewport, or make one of both again."""
        from ..rig.body import add_body, body_of
        from ..rig.viewports import divided, join

        window = None if bpy.app.background else context.window
        pair = divided(window.screen) if window is not None else None
        if pair is not None:
            join(window, pair)
            return
        armature = captured(context)
        if body_of(armature) is None:
            add_body(armature)
        problem = add_capture_camera(context, armature) if camera_of(armature) is None else ""
        if window is not None:
            _show(context, armature)
        if problem:
            self.report({"WARNING"}, problem)


def _show(context: bpy.types.Context, armature: bpy.types.Object) -> None:
    """Divide the viewport in which the button was pressed, or the largest.

    Raises
    ------
    CaptureError
        If there is none with room for two.
    """
    from ..rig.layer import read_played
    from ..rig.viewports import divide, world_of

    render, views = context.scene.render, [a for a in context.screen.areas if a.type == "VIEW_3D"]
    if context.scene.camera not in cameras_of(armature):  # that of another shot is right, too
        context.scene.camera = camera_of(armature)
    context.view_layer.update()
    motion = read_played(armature, render.fps / render.fps_base)
    largest = max(views, key=lambda area: area.width * area.height, default=None)
    area = context.area if context.area in views else largest
    picture = (render.resolution_x, render.resolution_y)
    if area is None or not divide(context.window, area, picture, world_of(motion.joints, armature)):
        raise CaptureError(
            "There is no 3D viewport with room for two views: make one larger, then press again. Body and "
            "camera are there."
        )
