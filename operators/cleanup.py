"""Clean Up Feet: clean the raw motion again, with the artist's contacts and settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_rpt

from ..core.options import CARRY
from ..state.access import active_armature, settings
from .edits import AsksAboutEdits
from .reporting import OnActive

if TYPE_CHECKING:  # importing numpy takes longer than enabling an add-on may
    from ..rig.edits import Edits


class KINELIFT_OT_clean_up(AsksAboutEdits, OnActive, bpy.types.Operator):
    """Plant the feet where the contact curves say, in a new action; the raw one stays"""

    bl_idname = "kinelift.clean_up"
    bl_label = "Clean Up Feet"
    bl_options = {"REGISTER", "UNDO"}

    def found(self, context: bpy.types.Context) -> tuple[Edits | None, str]:
        """The edits in the frames to clean."""
        from ..rig.cleanup import edits_within

        return edits_within(active_armature(context), settings(context).clean_up.frames()), CARRY

    def work(self, context: bpy.types.Context) -> None:
        """Clean the active armature's motion."""
        # importing numpy takes longer than enabling an add-on may
        from ..rig.cleanup import clean_action, stands

        armature, chosen = active_armature(context), settings(context).clean_up
        frames = chosen.frames()
        render = context.scene.render
        fps = render.fps / render.fps_base
        action, told = clean_action(armature, chosen.clean_up(), fps, frames, self.edits)
        if told:
            self.report({"WARNING"}, told)
        elif chosen.feet and not stands(action):
            self.report(
                {"WARNING"},
                "No foot stands anywhere: key contact_foot.L and contact_foot.R to 1 where one does",
            )
        else:
            self.report({"INFO"}, pgettext_rpt("Made the action {name}").format(name=action.name))
