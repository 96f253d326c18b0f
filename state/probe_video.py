"""Probe the chosen video: a worker reads what it is while the artist works on, and the panel shows it."""

from __future__ import annotations

import bpy

from ..core.errors import CaptureError
from ..core.worker import Worker
from .access import redraw_sidebars, settings, worker_python
from .jobs import queue

#: seconds between two checks of the worker
_TICK = 0.1
#: the worker that probes, if any
_probing: list[Worker] = []


def probe_video(context: bpy.types.Context) -> None:
    """Forget what is known of the last video and begin to probe the scene's video."""
    end_probe()
    queue.problem = ""
    info = settings(context).info
    for name in ("frames", "fps", "width", "height", "seconds", "advice", "problem"):
        info.property_unset(name)
    if not settings(context).video:
        return
    try:
        python = worker_python(context)
    except CaptureError:
        return  # the panel Capture from Video says so already
    try:
        worker = Worker(
            python, ["probe", str(settings(context).chosen_video()), "--turn", settings(context).turn]
        )
    except CaptureError as error:
        info.problem = str(error)
        return
    _probing.append(worker)
    scene = context.scene.name

    def poll() -> float | None:
        if worker not in _probing or scene not in bpy.data.scenes:
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
        end_probe()
        redraw_sidebars(bpy.context)
        return None

    bpy.app.timers.register(poll, first_interval=_TICK)


def probing() -> bool:
    """Whether a video is being probed."""
    return bool(_probing)


def end_probe() -> None:
    """Stop probing."""
    while _probing:
        worker = _probing.pop()
        if worker.running:
            worker.cancel_soon()
