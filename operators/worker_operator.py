"""What Capture and Re-solve share: a worker runs while the artist works on, then an armature appears."""

from __future__ import annotations

import importlib
import itertools
import sys
import time
from pathlib import Path
from typing import Any

import bpy
from bpy.app.translations import pgettext_rpt

from ..core.errors import CaptureError
from ..core.files import clip_name, new_motion_name
from ..state.access import ADDON, captures_folder, over_tab, redraw_sidebars
from ..state.jobs import Job, queue
from .build import build, present, takes_rate
from .reporting import names_of, report_done

#: seconds between two checks of the worker's progress
_TICK = 0.1
#: largest share of the time that drawing the progress may take
_DRAWING_SHARE = 0.04
#: fewest seconds between two drawings; more often helps nobody
_REDRAW_AFTER = 0.25
#: module that builds results; importing it the first time is as slow as building one
_BUILDER = f"{ADDON}.rig.result"
#: numbers the motions of this Blender
_numbers = itertools.count(1)


def new_motion(context: bpy.types.Context, source: Path) -> Path:
    """A new path for a motion made from `source`; no capture of this or another Blender has the same."""
    return captures_folder(context) / new_motion_name(source, next(_numbers))


def scene_of(job: Job) -> bpy.types.Scene:
    """The scene that gets what a job makes; the current one if that scene is gone."""
    return next((one for one in bpy.data.scenes if one.session_uid == job.scene), bpy.context.scene)


class WorkerOperator:
    """An operator that queues a job, follows it without blocking Blender, and builds the armature at its end.

    Attributes
    ----------
    done : str
        The report at the end; ``{name}`` is the armature's, or each one's.
    """

    done: str
    report: Any

    def new_job(self, context: bpy.types.Context) -> Job:
        """Queue the job.

        Raises
        ------
        CaptureError
            If the settings don't allow it, or it is queued already.
        """
        raise NotImplementedError

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Queue the job; `modal` follows it."""
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
        """Run the job and wait for it: for scripts."""
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
        """Check the worker's progress at each tick of the timer; pass all other events on.

        Escape over the progress is the running job's Cancel. Elsewhere it is the artist's own: it ends the
        playback, for example.
        """
        job = self._job
        escaped = event.type == "ESC" and event.value == "PRESS" and over_tab(context, event)
        if escaped and queue.jobs[:1] == [job]:
            bpy.ops.kinelift.cancel("INVOKE_DEFAULT", motion=str(job.motion))
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if job not in queue.jobs:
            return self._leave(context, {"CANCELLED"})
        try:
            if job.step() and not _busy(context):
                if _BUILDER in sys.modules:
                    return self._leave(context, self._build(job))
                importlib.import_module(_BUILDER)  # in a tick of its own, so that Blender pauses half as long
        except CaptureError as error:
            return self._leave(context, self._refuse(error))
        if self._pace.due():
            redraw_sidebars(context)
        return {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        """End the job, as Blender closes or loads another file."""
        self._leave(context, {"CANCELLED"})

    def add(self, job: Job) -> list[bpy.types.Object]:
        """Add what the job made; the armatures.

        Raises
        ------
        CaptureError
            If that can't be done.
        """
        scene = scene_of(job)
        armatures = build(job.motion, clip_name(job.video), scene.name, takes_rate(scene, job.rate))
        for armature in armatures:
            present(bpy.context, armature)
        return armatures

    def _build(self, job: Job) -> set[str]:
        armatures = self.add(job)
        done = pgettext_rpt(self.done).format(name=names_of(armatures))
        report_done(self, done, sum(len(one.kinelift.warnings) for one in armatures), "Result")
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
    """Whether the artist is doing something that a new object would disturb, such as moving or rendering."""
    ours = {cls.__name__ for cls in WorkerOperator.__subclasses__()}
    others = (
        operator.bl_idname
        for window in context.window_manager.windows
        for operator in window.modal_operators
        if operator.bl_idname not in ours
    )
    return any(others) or bpy.app.is_job_running("RENDER")


class _Pace:
    """Decides when to draw progress: less often where drawing takes longer."""

    def __init__(self) -> None:
        self._began = self._next = time.monotonic()

    def due(self) -> bool:
        """Whether to draw now."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._began, self._next = now, now + _REDRAW_AFTER
        # drawing has begun by then, and this timer runs after it
        bpy.app.timers.register(self._drawn, first_interval=_DRAWING_SHARE * _REDRAW_AFTER)
        return True

    def _drawn(self) -> None:
        now = time.monotonic()
        self._next = max(self._next, now + (now - self._began) / _DRAWING_SHARE)
