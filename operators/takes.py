"""Go back to another motion of the active armature."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from ..core.errors import CaptureError
from ..state.access import active_armature
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
        from ..rig.takes import takes_of, use_take

        owner = active_armature(context)
        found = {take.name_full: take for take in takes_of(owner)}
        if self.action not in found:
            raise CaptureError(
                f"{owner.name} has no motion named {self.action}: choose one of the panel Motions."
            )
        use_take(owner, found[self.action])
