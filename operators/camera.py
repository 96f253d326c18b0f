"""Add the camera that filmed, with its video in the background, and look through it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.translations import pgettext_rpt
from bpy.props import EnumProperty, StringProperty

from ..core.errors import CaptureError
from ..core.options import CARRY, STILL_CAMERA
from ..state.access import captured, settings
from ..state.motions import find_motion
from .build import describe
from .edits import AsksAboutEdits
from .reporting import OnCaptured, names_of
from .takes import go_back
from .worker_operator import new_motion

if TYPE_CHECKING:  # importing numpy takes longer than enabling an add-on may
    from ..rig.edits import Edits


class KINELIFT_OT_add_camera(OnCaptured, bpy.types.Operator):
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
        description="What the video is loaded as",
        items=(
            ("IMAGE", "Background Image", "Keeps in time with the motion at every frame rate"),
            ("MOVIE_CLIP", "Movie Clip", "For Blender's trackers; the scene needs the video's frame rate"),
        ),
    )

    def work(self, context: bpy.types.Context) -> None:
        """Add camera and floor; a problem with the video is only a warning."""
        chosen = Path(bpy.path.abspath(self.video)) if self.video else None
        problem = add_capture_camera(context, captured(context), chosen, self.background)
        if problem:
            self.report({"WARNING"}, problem)


def add_capture_camera(
    context: bpy.types.Context,
    armature: Any,
    video: Path | None = None,
    background: str = "IMAGE",
) -> str:
    """Add the camera of a captured armature, with its video, and the floor.

    Parameters
    ----------
    context : bpy.types.Context
    armature : bpy.types.Object
    video : Path, optional
        Where the video lies; by default it is looked for.
    background : str
        One of `rig.camera.BACKGROUNDS`.

    Returns
    -------
    str
        What is wrong with the video, a sentence, or nothing.

    Raises
    ------
    CaptureError
        If the captured motion is gone.
    """
    from ..core.capture import Capture
    from ..rig.camera import add_cameras, add_floor, find_video, show_video

    path = find_motion(context, armature.kinelift.motion)
    capture = Capture.load(path)
    # the video may lie beside the motion, this file or the sidebar's video, wherever these were moved to
    others = [Path(bpy.path.abspath(one)) for one in (bpy.data.filepath, settings(context).video) if one]
    shown = video or find_video(capture.source, *(one.parent for one in (path, *others)))
    cameras = add_cameras(context.scene, capture, armature)
    add_floor(context.scene, capture.motion, armature)
    problem = ""
    try:
        for camera in cameras:
            problem = show_video(camera, context.scene, capture, shown, background)
    except CaptureError as error:
        problem = str(error)
    return problem


class KINELIFT_OT_view_camera(bpy.types.Operator):
    """Look through the capture camera of the active armature"""

    bl_idname = "kinelift.view_camera"
    bl_label = "View through Capture Camera"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether the armature has a camera and the area is a viewport."""
        cls.poll_message_set("Select a captured armature and press Add Capture Camera first")
        return (
            camera_of(captured(context)) is not None
            and context.area is not None
            and context.area.type == "VIEW_3D"
        )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make it the scene's camera and look through it."""
        context.scene.camera = camera_of(captured(context))
        context.space_data.region_3d.view_perspective = "CAMERA"
        return {"FINISHED"}


class KINELIFT_OT_still_camera(AsksAboutEdits, OnCaptured, bpy.types.Operator):
    """Keep a camera that moved still; whom it filmed moves in its place, in a new action; again: go back"""

    bl_idname = "kinelift.still_camera"
    bl_label = STILL_CAMERA

    def found(self, context: bpy.types.Context) -> tuple[Edits | None, str]:
        """The edits of the motion in the room."""
        from ..rig.edits import edits_of
        from ..rig.result import in_room
        from ..rig.takes import motion_of

        armature = captured(context)
        motion = motion_of(armature)
        return (edits_of(armature, motion) if in_room(motion) is None else None), CARRY

    def work(self, context: bpy.types.Context) -> None:
        """Make the motions of all whom the camera filmed, or go back to those in the room."""
        from ..rig.read import check_captured
        from ..rig.result import captured_with, in_room
        from ..rig.takes import check_replaceable, motion_of

        armature = captured(context)
        back = in_room(motion_of(armature)) is not None
        people = [
            one
            for one in (armature, *captured_with(armature))
            if one.kinelift.motion and (in_room(motion_of(one)) is not None) == back
        ]
        for one in people:  # all of them, or none
            check_captured(one)
            check_replaceable(one)
        if not back:
            self._hold(context, people)
            return
        told = [go_back(context, one, in_room(motion_of(one))) for one in people]
        if any(told):
            self.report({"WARNING"}, next(filter(None, told)))

    def _hold(self, context: bpy.types.Context, people: list[Any]) -> None:
        """Make the motions of people before a camera that is kept still.

        Raises
        ------
        CaptureError
            If the camera moved for none of them, or a file is gone or can't be written.
        """
        from ..core.capture import Capture
        from ..rig.result import keep_camera_still

        made = []
        for one in people:
            path = find_motion(context, one.kinelift.motion)
            capture = Capture.load(path)
            still = capture.with_still_camera()
            if still is capture:
                raise CaptureError(f"The camera of {one.name} keeps its place: there is nothing to hold.")
            out = new_motion(context, path)
            still.save(out)
            made.append((one, still, out))
        how = settings(context).clean_up.clean_up()
        render = context.scene.render
        fps = render.fps / render.fps_base
        actions = []
        for one, still, out in made:
            actions.append(keep_camera_still(one, still, how, fps, self.edits))
            describe(one, actions[-1], still, out)
        self.report({"INFO"}, pgettext_rpt("Made the action {name}").format(name=names_of(actions)))


def cameras_of(armature: Any) -> list[Any]:
    """The cameras of a captured armature; if it has none, those of whoever was captured with it."""
    from ..rig.result import captured_with

    for one in (armature, *captured_with(armature)):
        cameras = [child for child in one.children if child.type == "CAMERA"]
        if cameras:
            return cameras
    return []


def camera_of(armature: Any) -> Any:
    """The newest of `cameras_of` a captured armature, or None."""
    cameras = cameras_of(armature) if armature is not None else []
    return cameras[-1] if cameras else None
