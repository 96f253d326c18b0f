"""Reset: correct nothing in a captured motion any more."""

from __future__ import annotations

import bpy

from ..core.option import options_of
from ..core.options import Corrections
from ..state.access import captured


class KINELIFT_OT_reset_corrections(bpy.types.Operator):
    """Set all corrections of the captured armature to nothing; its motion follows with Re-solve"""

    bl_idname = "kinelift.reset_corrections"
    bl_label = "Reset"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether a captured armature is active."""
        cls.poll_message_set("Select a captured armature, or its body")
        return captured(context) is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set them to their defaults."""
        for name, one in options_of(Corrections).items():
            setattr(captured(context).kinelift.corrections, name, one.default)
        return {"FINISHED"}
