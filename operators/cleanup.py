"""Clean Up Feet and Re-solve: from the raw motion again, with the artist's contacts or another lens."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.app.translations import pgettext_rpt

from ..core.errors import CaptureError
from ..core.options import Settings, options_of
from ..state.access import captured, preferences, settings, worker_python
from ..state.jobs import Job
from .capture import Working, new_motion


class KINELIFT_OT_clean_up(bpy.types.Operator):
    """Plant the feet where the contact curves say, in a new action; the raw one stays"""

    bl_idname = "kinelift.clean_up"
    bl_label = "Clean Up Feet"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Something is active; whether it can be cleaned is told in a sentence."""
        return context.active_object is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Clean the active armature's motion."""
        # numpy's import takes longer than enabling an add-on may
        from ..rig.cleanup import clean_action, stands

        armature, chosen = context.active_object, settings(context).clean_up
        frames = (chosen.first, chosen.last) if chosen.use_range else None
        render = context.scene.render
        try:
            action = clean_action(armature, chosen.clean_up(), render.fps / render.fps_base, frames)
        except CaptureError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if chosen.feet and not stands(action):
            self.report(
                {"WARNING"},
                "No foot stands anywhere: key contact_foot.L and contact_foot.R to 1 where one does",
            )
        else:
            self.report({"INFO"}, pgettext_rpt("Made the action {name}").format(name=action.name))
        return {"FINISHED"}


class KINELIFT_OT_resolve(Working, bpy.types.Operator):
    """Solve the captured motion again with the lens, height and person chosen above, without its video"""

    bl_idname = "kinelift.resolve"
    bl_label = "Re-solve"
    bl_options = {"UNDO"}

    done = "Solved {name} again"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """A captured armature is active."""
        return captured(context) is not None

    def new_job(self, context: bpy.types.Context) -> Job:
        """The active armature's motion, solved as the scene's settings say."""
        chosen = settings(context)
        motion = Path(bpy.path.abspath(captured(context).kinelift.motion)).absolute()
        if not motion.is_file():
            raise CaptureError(
                f"The captured motion {motion} is gone: capture the video again. "
                "Clean Up Feet works without it."
            )
        asked = chosen.capture_settings(preferences(context).device)
        return Job(
            python=worker_python(context),
            video=motion,
            motion=new_motion(context, motion),
            settings={name: asked[name] for name, one in options_of(Settings).items() if one.in_resolve},
            scene=context.scene.name,
            video_rate=chosen.rate == "VIDEO",
            command="solve",
            arguments=("--no-feet",),
        )
