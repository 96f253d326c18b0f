"""Look at it: a body on the armature, and the camera that filmed with its video behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ..core.errors import CaptureError
from ..state.access import captured, settings


class _OnCaptured:
    """Something that is done to a captured armature."""

    bl_options = frozenset({"REGISTER", "UNDO"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """A captured armature is active."""
        return captured(context) is not None and context.mode == "OBJECT"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do it, or say why not."""
        try:
            self.act(context, captured(context))
        except CaptureError as error:
            self.report({"ERROR"}, str(error))  # type: ignore[attr-defined]
            return {"CANCELLED"}
        return {"FINISHED"}

    def act(self, context: bpy.types.Context, armature: Any) -> None:
        raise NotImplementedError


class KINELIFT_OT_add_body(_OnCaptured, bpy.types.Operator):
    """Build a mannequin around the bones of the captured armature and bind it; an earlier one is replaced"""

    bl_idname = "kinelift.add_body"
    bl_label = "Add Body"

    def act(self, _context: bpy.types.Context, armature: Any) -> None:
        """Build it."""
        from ..rig.body import add_body

        add_body(armature)


class KINELIFT_OT_bind_mesh(_OnCaptured, bpy.types.Operator):
    """Bind the other selected mesh to the captured armature; meshes that are bound already are left so"""

    bl_idname = "kinelift.bind_mesh"
    bl_label = "Bind Own Mesh"

    by_distance: BoolProperty(
        name="By Distance",
        description="Weights by the distance to the bones, where Blender finds no automatic ones",
    )

    def act(self, context: bpy.types.Context, armature: Any) -> None:
        """Bind each selected mesh."""
        from ..rig.body import bind_mesh

        meshes = [other for other in context.selected_objects if other != armature]
        if not meshes:
            raise CaptureError(
                "No mesh is selected; select yours first, then the armature with Shift held down."
            )
        for mesh in meshes:
            bind_mesh(mesh, armature, self.by_distance)


class KINELIFT_OT_add_camera(_OnCaptured, bpy.types.Operator):
    """Add the camera that filmed, with the video behind it, and an empty on the floor"""

    bl_idname = "kinelift.add_camera"
    bl_label = "Add Capture Camera"

    video: StringProperty(
        name="Video",
        description="Where the video lies; empty: where it was captured, or beside the motion or this file",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    background: EnumProperty(
        name="Background",
        description="What the video is taken as",
        items=(
            ("IMAGE", "Background Image", "Keeps in time with the motion at every frame rate"),
            ("MOVIE_CLIP", "Movie Clip", "For Blender's trackers; the scene needs the video's frame rate"),
        ),
    )

    def act(self, context: bpy.types.Context, armature: Any) -> None:
        """Add camera and floor; what is wrong with the video is told."""
        from ..core.motion import Motion
        from ..rig.camera import add_camera, add_floor, find_video, show_video

        path = Path(bpy.path.abspath(armature.kinelift.motion))
        motion = Motion.load(path)
        # beside the motion, this file, or the sidebar's video, wherever these were moved to
        others = [Path(bpy.path.abspath(one)) for one in (bpy.data.filepath, settings(context).video) if one]
        chosen = Path(bpy.path.abspath(self.video)) if self.video else None
        video = chosen or find_video(motion, *(one.parent for one in (path, *others)))
        camera = add_camera(context.scene, motion.camera, armature)
        add_floor(context.scene, motion, armature)
        try:
            problem = show_video(camera, context.scene, motion, video, self.background)
        except CaptureError as error:
            problem = str(error)
        if problem:
            self.report({"WARNING"}, problem)


class KINELIFT_OT_show_confidence(_OnCaptured, bpy.types.Operator):
    """Colour the body by how well each part was seen, frame by frame: green seen, red guessed"""

    bl_idname = "kinelift.show_confidence"
    bl_label = "Show Confidence"

    def act(self, context: bpy.types.Context, armature: Any) -> None:
        """Colour it, with a body first where there is none, and let this viewport show it."""
        from ..core.motion import Motion
        from ..rig.body import add_body, body_of
        from ..rig.confidence import show_confidence

        motion = Motion.load(Path(bpy.path.abspath(armature.kinelift.motion)))
        show_confidence(body_of(armature) or add_body(armature), motion, context.scene)
        if context.area is not None and context.area.type == "VIEW_3D":
            context.space_data.shading.color_type = "VERTEX"


class KINELIFT_OT_view_camera(bpy.types.Operator):
    """Look through the capture camera of the active armature"""

    bl_idname = "kinelift.view_camera"
    bl_label = "View through Capture Camera"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """The armature has a camera, and there is a viewport."""
        return _camera(context) is not None and context.area is not None and context.area.type == "VIEW_3D"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make it the scene's camera and look through it."""
        context.scene.camera = _camera(context)
        context.space_data.region_3d.view_perspective = "CAMERA"
        return {"FINISHED"}


def _camera(context: bpy.types.Context) -> Any:
    armature = captured(context)
    cameras = [child for child in armature.children if child.type == "CAMERA"] if armature is not None else []
    return cameras[-1] if cameras else None
