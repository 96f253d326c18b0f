"""Look where it matters: the most doubtful moments of a capture, one after the other."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_rpt

from ..core.errors import CaptureError
from ..state.access import captured
from ..state.motions import find_motion
from .reporting import OnCapturedInAnyMode

#: a moment is done with if a pin, or what was accepted, is nearer than this, seconds
_NEAR = 0.5
#: a report names so many bones
_NAMED = 3


class KINELIFT_OT_next_doubt(OnCapturedInAnyMode, bpy.types.Operator):
    """Go to the most doubtful moment that you have neither pinned nor accepted"""

    bl_idname = "kinelift.next_doubt"
    bl_label = "Next Doubt"

    def work(self, context: bpy.types.Context) -> None:
        """Go there, and name the bones that are likely to be farthest off.

        Raises
        ------
        CaptureError
            If the captured motion is gone, the armature plays another one, or there is none left.
        """
        from ..core.capture import Capture
        from ..core.quality import doubtful_moments, expected_error
        from ..core.skeleton import JOINTS
        from ..rig.cleanup import asked_of

        armature, render = captured(context), context.scene.render
        fps = render.fps / render.fps_base
        capture = Capture.load(find_motion(context, armature.kinelift.motion))
        asked = asked_of(armature, capture, fps)
        if asked is None:
            raise CaptureError(
                f"{armature.name} plays nothing that was captured, so its doubts can't be found: choose the "
                "captured motion in the panel Motions."
            )
        kept = armature.kinelift
        done = [one.frame for one in kept.pins] + [one.first for one in kept.accepted]
        for moment in doubtful_moments(capture):
            frame = round(asked.first + moment * asked.per_frame)
            if all(abs(frame - other) >= _NEAR * fps for other in done):
                break
        else:
            raise CaptureError(f"No doubtful moment of {armature.name} is left: each is pinned or accepted.")
        context.scene.frame_set(frame)
        likely = expected_error(capture)[moment]
        most = likely.argsort()[::-1][:_NAMED]
        bones = [f"{JOINTS[joint]} ({100 * likely[joint]:.0f} cm)" for joint in most]
        told = pgettext_rpt("Frame {frame}: probably most off are {bones}")
        self.report({"INFO"}, told.format(frame=frame, bones=", ".join(bones)))


class KINELIFT_OT_accept_doubt(OnCapturedInAnyMode, bpy.types.Operator):
    """The pose of this frame is right: Next Doubt doesn't come back to it"""

    bl_idname = "kinelift.accept_doubt"
    bl_label = "Accept"

    def work(self, context: bpy.types.Context) -> None:
        """Note the frame."""
        from ..rig.takes import check_replaceable

        armature, frame = captured(context), context.scene.frame_current
        check_replaceable(armature)
        one = armature.kinelift.accepted.add()
        one.first = one.last = frame
        self.report({"INFO"}, pgettext_rpt("Accepted frame {frame}").format(frame=frame))
