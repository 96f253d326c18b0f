"""Capture from Video: the worker runs, the artist goes on working, the armature appears."""

from __future__ import annotations

import importlib
import itertools
import os
import sys
import time
from pathlib import Path
from typing import Any

import bpy
from bpy.app.translations import pgettext_rpt
from bpy.props import IntProperty

from ..core.errors import CaptureError
from ..core.options import MAX_LOOKS, default_threads
from .build import build, clip_name
from .jobs import Job, queue
from .settings import ADDON, preferences, redraw_sidebars, settings, worker_python

#: how often the worker's progress is looked at, seconds
_TICK = 0.1
#: drawing it gets about this share of the time at most, and so many seconds between are soon enough
_SHARE, _SOON = 0.04, 0.25
_numbers = itertools.count(1)
#: what a result is built with
_BUILDER = f"{ADDON}.rig.result"


def captures_folder(context: bpy.types.Context) -> Path:
    """Where captured motions are kept; it may not be there yet."""
    chosen = preferences(context).cache_folder
    if chosen:
        return Path(bpy.path.abspath(chosen)).absolute()
    return Path(bpy.utils.extension_path_user(ADDON, path="captures"))


def chosen_video(context: bpy.types.Context) -> Path:
    """The video of the scene's settings.

    Raises
    ------
    CaptureError
        If there is none.
    """
    chosen = settings(context).video
    if not chosen:
        raise CaptureError("No video is chosen; choose one in the sidebar's Kinelift tab.")
    if chosen.startswith("//") and not bpy.data.filepath:
        raise CaptureError(
            "The video's path is relative to a Blender file that was never saved; save it, or choose the "
            "video again."
        )
    video = Path(bpy.path.abspath(chosen)).absolute()
    if not video.exists():
        gone = pgettext_rpt("There is no {video} any more; choose the video again.")
        raise CaptureError(gone.format(video=video))
    return video


def new_job(context: bpy.types.Context) -> Job:
    """What pressing Capture asks for, by the scene's settings.

    Raises
    ------
    CaptureError
        If it can't be had.
    """
    chosen = settings(context)
    video = chosen_video(context)
    options = ["--person", chosen.who(), "--device", preferences(context).device]
    start, end = chosen.stretch()
    if start > 0:
        options += ["--start", f"{start:.6f}"]
    if end is not None:
        options += ["--end", f"{end:.6f}"]
    if chosen.use_focal:
        options += ["--focal", f"{chosen.focal:.6g}"]
    if chosen.use_height:
        options += ["--height", f"{chosen.height:.6g}"]
    options += ["--looks", str(MAX_LOOKS if chosen.look_twice else 1)]
    # a core is left to the artist, who goes on working
    options += ["--threads", str(max(1, default_threads() - 1))]
    motion = new_motion(context, video)
    return Job(
        worker_python(context), video, motion, tuple(options), context.scene.name, chosen.rate == "VIDEO"
    )


def new_motion(context: bpy.types.Context, source: Path) -> Path:
    """A file for a motion made from `source`, with a name that no other takes, of another Blender neither."""
    number = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{next(_numbers)}"
    return captures_folder(context) / f"{clip_name(source)}-{number}.motion.npz"


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
