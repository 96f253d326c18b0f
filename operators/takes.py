"""Go back to another motion of the active armature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.app.translations import pgettext_rpt
from bpy.props import StringProperty

from ..core.errors import CaptureError
from ..state.access import active_armature
from ..state.motions import find_motion
from .build import describe, show_corrections
from .reporting import OnActive


class KINELIFT_OT_use_take(OnActive, bpy.types.Operator):
    """Let the armature play this motion; the one that it plays now is kept"""

    bl_idname = "kinelift.use_take"
    bl_label = "Use Motion"
    bl_options = {"REGISTER", "UNDO"}

    action: StringProperty(
        name="Action", description="Name of the action, with its library's if it is linked"
    )

    def work(self, context: bpy.types.Context) -> None:
        """Assign the action."""
        from ..rig.takes import takes_of

        owner = active_armature(context)
        found = {take.name_full: take for take in takes_of(owner)}
        if self.action not in found:
            raise CaptureError(
                f"{owner.name} has no motion named {self.action}: choose one of the panel Motions."
            )
        told = go_back(context, owner, found[self.action])
        if told:
            self.report({"WARNING"}, told)


def go_back(context: bpy.types.Context, owner: Any, action: Any) -> str:
    """Let an armature play one of its takes, and its cameras and the panel Result follow.

    Returns
    -------
    str
        Why they don't follow, a sentence, or nothing.

    Raises
    ------
    CaptureError
        If the take can't be assigned.
    """
    from ..core.capture import Capture
    from ..rig.camera import fit_cameras
    from ..rig.result import play_take
    from ..rig.takes import motion_of, noted_motion

    play_take(owner, action)
    take = motion_of(owner) or action
    motion = noted_motion(take)
    if motion in ("", owner.kinelift.motion):
        return ""
    try:
        capture = Capture.load(find_motion(context, motion))
    except CaptureError as error:
        told = pgettext_rpt("The panel Result and the capture camera stay with the other motion. {error}")
        return str(told.format(error=error))
    render = context.scene.render
    fit_cameras(owner, capture, render.fps / render.fps_base, round(take.frame_range[0]))
    describe(owner, take, capture, Path(motion))
    show_corrections(owner, capture)
    return ""
