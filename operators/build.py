"""From a captured motion's file to the armature, at the end of a capture or again later."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.app.translations import pgettext_rpt
from bpy.props import StringProperty

from ..core.errors import CaptureError
from ..core.files import clip_name
from ..state.access import settings
from ..state.jobs import queue


def build(path: Path, name: str, scene_name: str, video_rate: bool) -> bpy.types.Object:
    """Add the armature that plays the motion of a file, with what there is to know about it.

    Parameters
    ----------
    path : Path
        The .npz.
    name : str
        Of the clip.
    scene_name : str
        The scene that gets it; one that is gone is replaced by the current one.
    video_rate : bool
        Whether the scene takes over the video's frame rate.

    Raises
    ------
    CaptureError
        If the file is missing or damaged.
    """
    # numpy's import takes longer than enabling an add-on may
    from ..core.motion import Motion
    from ..core.quality import detected_share, unsure_stretches
    from ..rig.result import add_result

    motion = Motion.load(path)
    scene = bpy.data.scenes.get(scene_name) or bpy.context.scene
    armature, action = add_result(scene, motion, name, video_rate)
    result = armature.kinelift
    result.motion = str(path)
    result.video = motion.settings.get("video", "")
    result.detected = detected_share(motion)
    first, last = action.frame_range
    per_frame = (last - first) / max(len(motion) - 1, 1)
    for begin, end in unsure_stretches(motion):
        stretch = result.unsure.add()
        stretch.first, stretch.last = round(first + begin * per_frame), round(first + end * per_frame)
    for warning in motion.warnings:
        result.warnings.add().name = warning
    scene.kinelift.last_motion = queue.last_motion = str(path)
    return armature


class KINELIFT_OT_rebuild(bpy.types.Operator):
    """Add the captured motion once more, as it was captured"""

    bl_idname = "kinelift.rebuild"
    bl_label = "Rebuild"
    bl_options = {"REGISTER", "UNDO"}

    motion: StringProperty(
        name="Motion",
        description="The captured motion's file; empty: of the last capture",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Build it in the current scene."""
        chosen = settings(context)
        path = self.motion or chosen.last_motion or queue.last_motion
        try:
            if not path:
                raise CaptureError("Nothing was captured yet; press Capture from Video.")
            path = Path(bpy.path.abspath(path)).absolute()
            armature = build(path, clip_name(path), context.scene.name, chosen.rate == "VIDEO")
        except CaptureError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, pgettext_rpt("Rebuilt {name}").format(name=armature.name))
        return {"FINISHED"}
