"""Capture from Video, and cancelling a capture."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface
from bpy.props import StringProperty

from ..core.errors import CaptureError
from ..core.options import ALL, default_threads
from ..state.access import preferences, redraw_sidebars, settings, worker_python
from ..state.jobs import Job, queue
from .worker_operator import WorkerOperator, new_motion


def new_job(context: bpy.types.Context) -> Job:
    """Queue the capture that the scene's settings describe.

    Raises
    ------
    CaptureError
        If there is no video, nobody to capture or no Python that captures, or the capture is queued already.
    """
    chosen = settings(context)
    if chosen.person == ALL and chosen.people and not any(person.ticked for person in chosen.people):
        raise CaptureError("Nobody is ticked: tick whom to capture under Person & Range.")
    video = chosen.chosen_video()
    # leave one core to the artist, who goes on working
    threads = max(1, default_threads() - 1)
    return Job(
        python=worker_python(context),
        video=video,
        motion=new_motion(context, video),
        settings=chosen.capture_settings(preferences(context).device),
        scene=context.scene.session_uid,
        rate=chosen.rate,
        arguments=("--threads", str(threads)),
    )


class KINELIFT_OT_capture(WorkerOperator, bpy.types.Operator):
    """Capture the person in the video; Blender stays usable meanwhile"""

    bl_idname = "kinelift.capture"
    bl_label = "Capture from Video"
    bl_options = {"UNDO"}

    done = "Captured {name}"

    def new_job(self, context: bpy.types.Context) -> Job:
        """Queue the capture that the scene's settings describe."""
        return new_job(context)


class KINELIFT_OT_cancel(bpy.types.Operator):
    """End this capture and leave the scene as it is"""

    bl_idname = "kinelift.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    motion: StringProperty(options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first if more than half is done."""
        if not any(job.half_done for job in self._jobs()):
            return self.execute(context)
        answer: set[str] = context.window_manager.invoke_confirm(
            self,
            event,
            title=pgettext_iface("End this capture?"),
            message=pgettext_iface("More than half of it is done."),
            confirm_text=pgettext_iface("End Capture"),
        )
        return answer

    def execute(self, context: bpy.types.Context) -> set[str]:
        """End the job; its modal operator notices."""
        for job in self._jobs():
            job.end()
        redraw_sidebars(context)
        return {"FINISHED"}

    def _jobs(self) -> list[Job]:
        """The job that makes the motion; it may have ended since the button was drawn."""
        return [job for job in queue.jobs if str(job.motion) == self.motion]
