"""Mark the stretches on the timeline in which the body, or a limb, is unsure."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_data, pgettext_rpt

from ..state.access import captured

#: names of the markers at the start of a stretch and behind its end
_NAMES = ("Unsure", "Sure")


class KINELIFT_OT_mark_unsure(bpy.types.Operator):
    """Set markers on the timeline where a limb or the body was hardly seen or isn't on the picture"""

    bl_idname = "kinelift.mark_unsure"
    bl_label = "Mark on Timeline"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether the active armature has such a stretch."""
        cls.poll_message_set("Select a captured armature that is unsure somewhere")
        armature = captured(context)
        return armature is not None and len(armature.kinelift.unsure) > 0

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the markers that aren't there yet."""
        markers = context.scene.timeline_markers
        there = {(marker.name, marker.frame) for marker in markers}
        unsure, sure = (pgettext_data(name) for name in _NAMES)
        stretches = captured(context).kinelift.unsure
        for stretch in stretches:
            limb = f": {pgettext_data(stretch.name)}" if stretch.name else ""
            for name, frame in ((unsure + limb, stretch.first), (sure + limb, stretch.last + 1)):
                if (name, frame) not in there:
                    markers.new(name, frame=frame)
        self.report({"INFO"}, pgettext_rpt("{count} stretches marked").format(count=len(stretches)))
        return {"FINISHED"}
