"""Re-solve: solve a captured motion again with another lens, height or person."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..core.errors import CaptureError
from ..core.option import options_of
from ..core.options import Settings
from ..state.access import captured, preferences, settings, worker_python
from ..state.jobs import Job
from .worker_operator import WorkerOperator, new_motion


class KINELIFT_OT_resolve(WorkerOperator, bpy.types.Operator):
    """Solve the captured motion again with the lens, height and person chosen above, without its video"""

    bl_idname = "kinelift.resolve"
    bl_label = "Re-solve"
    bl_options = {"UNDO"}

    done = "Solved {name} again"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether a captured armature is active."""
        return captured(context) is not None

    def new_job(self, context: bpy.types.Context) -> Job:
        """Queue the active armature's motion, to be solved with the scene's settings."""
        chosen = settings(context)
        motion = Path(bpy.path.abspath(captured(context).kinelift.motion)).absolute()
        if not motion.is_file():
            raise CaptureError(
                f"The captured motion {motion} is gone: capture the video again. "
                "Clean Up Feet works without it."
            )
        values = chosen.capture_settings(preferences(context).device)
        return Job(
            python=worker_python(context),
            video=motion,
            motion=new_motion(context, motion),
            settings={name: values[name] for name, one in options_of(Settings).items() if one.in_resolve},
            scene=context.scene.name,
            video_rate=chosen.rate == "VIDEO",
            command="solve",
            arguments=("--no-feet",),
        )
