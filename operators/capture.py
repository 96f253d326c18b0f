"""Capture from Video: the worker runs, the artist goes on working, the armature appears."""

from __future__ import annotations

import importlib
import itertools
import sys
import time
from pathlib import Path
from typing import Any

import bpy
from bpy.app.translations import pgettext_rpt
from bpy.props import IntProperty

from ..core.errors import CaptureError
from ..core.files import clip_name, new_motion_name
from ..core.options import default_threads
from ..state.access import ADDON, captures_folder, preferences, redraw_sidebars, settings, worker_python
from ..state.jobs import Job, queue
from .build import build

#: how often the worker's progress is looked at, seconds
_TICK = 0.1
#: drawing it gets about this share of the time at most, and so many seconds between are soon enough
_SHARE, _SOON = 0.04, 0.25
_numbers = itertools.count(1)
#: what a result is built with
_BUILDER = f"{ADDON}.rig.result"


def new_job(context: bpy.types.Context) -> Job:
    """What pressing Capture asks for, by the scene's settings.

    Raises
    ------
    CaptureError
        If it can't be had.
    """
    chosen = settings(context)
    video = chosen.chosen_video()
    # a core is left to the artist, who goes on working
    threads = max(1, default_threads() - 1)
    return Job(
        python=worker_python(context),
        video=video,
        motion=new_motion(context, video),
        settings=chosen.capture_settings(preferences(context).device),
        scene=context.scene.name,
        video_rate=chosen.rate == "VIDEO",
        arguments=("--threads", str(threads)),
    )


def new_motion(context: bpy.types.Context, source: Path) -> Path:
    """A file for a motion made from `source`, with a name that no other takes, of another Blender neither."""
    return captures_folder(context) / new_motion_name(source, next(_numbers))


class Working:
    """An operator whose worker works while the artist goes on; the armature appears at its end.

    Attributes
    ----------
    done : str
        What is reported then, with the armature's ``{name}``.
    """

    done: str
    report: Any

    def new_job(self, context: bpy.types.Context) -> Job:
        """What is asked for.

        Raises
        ------
        CaptureError
            If it can't be had.
        """
        raise NotImplementedError

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Begin, and go on in `modal`."""
        queue.problem = ""
        try:
            self._job = self.new_job(context)
        except CaptureError as error:
            return self._refuse(error)
        self._timer = context.window_manager.event_timer_add(_TICK, window=context.window)
        context.window_manager.modal_handler_add(self)
        redraw_sidebars(context)
        self._pace = _Pace()
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do it at once and wait for it: for scripts."""
        queue.problem = ""
        try:
            job = self.new_job(context)
            try:
                while not job.step():
                    time.sleep(_TICK)
                return self._build(job)
            finally:
                job.end()
        except CaptureError as error:
            return self._refuse(error)

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Look at the worker's progress now and then; everything else is the artist's."""
        job = self._job
        if event.type == "ESC" and event.value == "PRESS":
            queue.jobs[0].end()
            redraw_sidebars(context)
            return self._leave(context, {"CANCELLED"}) if job not in queue.jobs else {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if job not in queue.jobs:
            return self._leave(context, {"CANCELLED"})
        try:
            if job.step() and not _busy(context):
                if _BUILDER in sys.modules:
                    return self._leave(context, self._build(job))
                importlib.import_module(_BUILDER)  # numpy takes as long as building: a moment of its own
        except CaptureError as error:
            return self._leave(context, self._refuse(error))
        if self._pace.due():
            redraw_sidebars(context)
        return {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender is closing, or another file is being loaded."""
        self._leave(context, {"CANCELLED"})

    def _build(self, job: Job) -> set[str]:
        armature = build(job.motion, clip_name(job.video), job.scene, job.video_rate)
        self.report({"INFO"}, pgettext_rpt(self.done).format(name=armature.name))
        return {"FINISHED"}

    def _refuse(self, error: CaptureError) -> set[str]:
        queue.problem = str(error)
        self.report({"ERROR"}, str(error))
        return {"CANCELLED"}

    def _leave(self, context: bpy.types.Context, how: set[str]) -> set[str]:
        self._job.end()
        context.window_manager.event_timer_remove(self._timer)
        redraw_sidebars(context)
        return how


def _busy(context: bpy.types.Context) -> bool:
    """Whether the artist is in the middle of something that a new object would disturb: moving, rendering."""
    working = {cls.__name__ for cls in Working.__subclasses__()}
    others = (
        operator.bl_idname
        for window in context.window_manager.windows
        for operator in window.modal_operators
        if operator.bl_idname not in working
    )
    return any(others) or bpy.app.is_job_running("RENDER")


class _Pace:
    """When progress is to be drawn: the sooner, the less time drawing takes here."""

    def __init__(self) -> None:
        self._began = self._next = time.monotonic()

    def due(self) -> bool:
        """Whether to draw now."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._began, self._next = now, now + _SOON
        # drawing has begun by then, and ends first
        bpy.app.timers.register(self._drawn, first_interval=_SHARE * _SOON)
        return True

    def _drawn(self) -> None:
        now = time.monotonic()
        self._next = max(self._next, now + (now - self._began) / _SHARE)


class KINELIFT_OT_capture(Working, bpy.types.Operator):
    """Capture the person in the video; Blender stays usable, Escape cancels"""

    bl_idname = "kinelift.capture"
    bl_label = "Capture from Video"
    bl_options = {"UNDO"}

    done = "Captured {name}"

    def new_job(self, context: bpy.types.Context) -> Job:
        """The capture that the scene's settings say."""
        return new_job(context)


class KINELIFT_OT_cancel(bpy.types.Operator):
    """End this capture and leave the scene as it is"""

    bl_idname = "kinelift.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    index: IntProperty(options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """End the job; its operator notices."""
        if self.index < len(queue.jobs):
            queue.jobs[self.index].end()
        redraw_sidebars(context)
        return {"FINISHED"}
