"""What the chosen video is: a worker looks at it while the artist goes on, and the panel says it."""

from __future__ import annotations

import bpy

from ..core.client import Worker
from ..core.errors import CaptureError
from .capture import chosen_video
from .jobs import queue
from .settings import redraw_sidebars, settings, worker_python

_TICK = 0.1
_looking: list[Worker] = []


def look(context: bpy.types.Context) -> None:
    """Begin to look at the scene's video; what was known of another one is forgotten."""
    end_look()
    queue.problem = ""
    info = settings(context).info
    for name in ("frames", "fps", "width", "height", "seconds", "advice", "problem"):
        info.property_unset(name)
    if not settings(context).video:
        return
    try:
        python = worker_python(context)
    except CaptureError:
        return  # the panel with the button says so already
    try:
        worker = Worker(python, ["probe", str(chosen_video(context))])
    except CaptureError as error:
        info.problem = str(error)
        return
    _looking.append(worker)
    scene = context.scene.name

    def hear() -> float | None:
        if worker not in _looking or scene not in bpy.data.scenes:
            return None
        chosen = bpy.data.scenes[scene].kinelift
        try:
            for said in worker.said(wait=False):
                for name, value in said.items():
                    setattr(chosen.info, name, value)
                chosen.first, chosen.last = 1, said["frames"]
                redraw_sidebars(bpy.context)
        except CaptureError as error:
            chosen.info.problem = str(error)
        if worker.running:
            return _TICK
        end_look()
        redraw_sidebars(bpy.context)
        return None

    bpy.app.timers.register(hear, first_interval=_TICK)


def looking() -> bool:
    """Whether a video is being looked at."""
    return bool(_looking)


def end_look() -> None:
    """Stop looking."""
    while _looking:
        worker = _looking.pop()
        if worker.running:
            worker.cancel_soon()
