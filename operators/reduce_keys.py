"""Reduce Keys: the motion with as few keys as a tolerance allows, in a new action."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_rpt

from ..core.options import KeyReduction
from ..state.access import active_armature
from ..state.derived import values_of, with_options
from .reporting import OnActive


@with_options(KeyReduction)
class KINELIFT_OT_reduce_keys(OnActive, bpy.types.Operator):
    """Keep only the keys that the motion needs, in a new action with smooth curves; this one stays"""

    bl_idname = "kinelift.reduce_keys"
    bl_label = "Reduce Keys"
    bl_options = {"REGISTER", "UNDO"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for the tolerance."""
        return set(context.window_manager.invoke_props_dialog(self))

    def work(self, context: bpy.types.Context) -> None:
        """Reduce the active armature's motion."""
        # importing numpy takes longer than enabling an add-on may
        from ..rig.key_reduction import reduce_keys

        done = reduce_keys(active_armature(context), KeyReduction(**values_of(self, KeyReduction)))
        made = pgettext_rpt("Made the action {name}: {after} keys instead of {before}").format(
            name=done.action.name, after=done.after, before=done.before
        )
        if done.ankles is None:
            unwatched = pgettext_rpt("{made}; no feet were found to keep in place")
            self.report({"WARNING"}, unwatched.format(made=made))
            return
        near = pgettext_rpt("{made}; ankles are up to {distance:.1f} mm from where they were")
        self.report({"INFO"}, near.format(made=made, distance=done.ankles))
