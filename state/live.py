"""Live corrections: a captured motion is solved again when its sliders have come to rest."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import bpy

from ..core.errors import CaptureError
from ..core.option import options_of
from ..core.options import CARRY, Corrections
from .access import captured, settings
from .derived import values_of
from .jobs import queue
from .motions import find_motion

#: sliders rest when nothing has moved them for so long, seconds
_REST = 0.4


class _Moved:
    """Whose sliders were moved last: the armature's `session_uid`, and when they will have rested."""

    owner = 0
    rested = 0.0


def slider_moved(corrections: Any, context: bpy.types.Context) -> None:
    """Solve again once the sliders rest, if the artist wants that; scripts solve when they want to."""
    if bpy.app.background or not settings(context).live:
        return
    _Moved.owner, _Moved.rested = corrections.id_data.session_uid, time.monotonic() + _REST
    if not bpy.app.timers.is_registered(_solve_at_rest):
        bpy.app.timers.register(_solve_at_rest, first_interval=_REST)


def end_live() -> None:
    """Forget what was moved."""
    if bpy.app.timers.is_registered(_solve_at_rest):
        bpy.app.timers.unregister(_solve_at_rest)


def _solve_at_rest() -> float | None:
    """Solve again if the sliders rest and nothing else is being solved; seconds to the next look, or None."""
    left = _Moved.rested - time.monotonic()
    if left > 0 or queue.jobs:
        return max(left, _REST)
    for window in bpy.context.window_manager.windows:
        with bpy.context.temp_override(window=window):
            armature = captured(bpy.context)
            if armature is None or armature.session_uid != _Moved.owner:
                continue
            if not _is_solved(armature):
                with suppress(RuntimeError):  # the panel says what is wrong
                    bpy.ops.kinelift.resolve("INVOKE_DEFAULT", preview=True, edits=CARRY)
            break
    return None


def _is_solved(armature: bpy.types.Object) -> bool:
    """Whether the motion of an armature was solved with what its sliders say."""
    from ..core.capture import Capture  # importing numpy takes longer than enabling an add-on may

    try:
        known = Capture.load(find_motion(bpy.context, armature.kinelift.motion)).settings
    except CaptureError:
        return False  # the solver will say why
    wanted = values_of(armature.kinelift.corrections, Corrections)
    return all(known.get(name, one.default) == wanted[name] for name, one in options_of(Corrections).items())
