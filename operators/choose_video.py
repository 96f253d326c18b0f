"""Choose the scene's video: by File > Import, or by dropping a file into a 3D viewport."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import StringProperty
from bpy_extras.io_utils import ImportHelper

from ..core.clips import PICTURE_ENDINGS, VIDEO_ENDINGS
from ..state.access import settings


class KINELIFT_OT_choose_video(bpy.types.Operator):
    """Choose the video that Capture from Video takes"""

    bl_idname = "kinelift.choose_video"
    # Blender shows this label in its menu when a video is dropped
    bl_label = "Motion from Video"
    bl_options = {"UNDO", "INTERNAL"}

    filepath: StringProperty(
        name="Video",
        description="Video of the person to capture",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Choose the video and open the sidebar, where the artist goes on."""
        settings(context).video = self.filepath
        if context.area is not None and context.area.type == "VIEW_3D":
            context.space_data.show_region_ui = True
        self.report({"INFO"}, "Video chosen: go on in the sidebar's Kinelift tab")
        return {"FINISHED"}


class KINELIFT_OT_import_video(bpy.types.Operator, ImportHelper):
    """Capture the person in a video as an animated armature"""

    bl_idname = "kinelift.import_video"
    bl_label = "Motion from Video"

    filter_glob: StringProperty(
        default=";".join(f"*{e}" for e in (*VIDEO_ENDINGS, *PICTURE_ENDINGS)), options={"HIDDEN"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Choose the video and press Capture."""
        settings(context).video = self.filepath
        how = "EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT"
        captured: Any = bpy.ops.kinelift.capture(how)
        return {"CANCELLED"} if "CANCELLED" in captured else {"FINISHED"}


class KINELIFT_FH_video(bpy.types.FileHandler):
    """A video dropped into a 3D viewport."""

    bl_idname = "KINELIFT_FH_video"
    bl_label = "Motion from Video"
    bl_import_operator = "kinelift.choose_video"
    bl_file_extensions = ";".join(VIDEO_ENDINGS)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Whether the area is a 3D viewport, which has the sidebar."""
        return context.area is not None and context.area.type == "VIEW_3D"
