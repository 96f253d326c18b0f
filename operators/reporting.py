"""What operators share: when they are enabled, and how a refusal reaches the artist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy
from bpy.app.translations import pgettext_iface, pgettext_rpt

from ..core.errors import CaptureError
from ..state.access import active_armature, captured


def report_done(operator: Any, done: str, warnings: int, panel: str) -> None:
    """Report what was done, once: later reports would hide earlier ones, so a panel has the warnings.

    Parameters
    ----------
    operator : bpy.types.Operator
    done : str
        A sentence without its full stop, translated.
    warnings : int
        How many there are.
    panel : str
        The label of the panel that shows them.
    """
    if not warnings:
        operator.report({"INFO"}, done)
        return
    told = pgettext_rpt("{done}; warnings: {count}, in the panel {panel}")
    operator.report({"WARNING"}, told.format(done=done, count=warnings, panel=pgettext_iface(panel)))


def names_of(objects: Sequence[bpy.types.ID]) -> str:
    """The names of objects, or of other data, for a report."""
    return ", ".join(one.name for one in objects)


class Reporting:
    """An operator that reports a `CaptureError` of its `work` as an error."""

    report: Any

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do the work, or report why it can't be done."""
        try:
            self.work(context)
        except CaptureError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}

    def work(self, context: bpy.types.Context) -> None:
        """Do what the operator is for.

        Raises
        ------
        CaptureError
            If it can't be done.
        """
        raise NotImplementedError


class OnActive(Reporting):
    """An operator on the active armature, or on the one that moves the active mesh."""

    poll_message_set: Any

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is one; `work` says in a sentence if it is the wrong kind."""
        cls.poll_message_set("Select an armature, or a mesh that one moves")
        return active_armature(context) is not None


class OnCapturedInAnyMode(Reporting):
    """An operator on the active captured armature."""

    bl_options = frozenset({"REGISTER", "UNDO"})
    poll_message_set: Any

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether a captured armature is active."""
        cls.poll_message_set("Select a captured armature")
        return captured(context) is not None


class OnCaptured(OnCapturedInAnyMode):
    """An operator on the active captured armature, in Object Mode."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether a captured armature is active in Object Mode."""
        cls.poll_message_set("Select a captured armature, or its body, in Object Mode")
        return captured(context) is not None and context.mode == "OBJECT"
