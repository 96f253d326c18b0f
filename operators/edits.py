"""What operators that replace an action share: they ask what becomes of edits made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.translations import pgettext_rpt
from bpy.props import EnumProperty, StringProperty

from ..core.errors import CaptureError
from ..core.options import CARRY, EDITS

if TYPE_CHECKING:  # importing numpy takes longer than enabling an add-on may
    from ..rig.edits import Edits

#: names of bones that are told; of more, how many there are
_NAMED = 3
#: of the dialog, pixels
_WIDTH = 360


class AsksAboutEdits:
    """An operator that asks what becomes of edits, if there are any, before it is executed."""

    edits: EnumProperty(
        name="Edits by Hand",
        description="What becomes of what you have edited by hand",
        items=tuple((way, label, what) for way, (label, what) in EDITS.items()),
        default=CARRY,
        options={"SKIP_SAVE"},
    )
    told: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    layout: Any
    properties: Any

    def found(self, context: bpy.types.Context) -> tuple[Edits | None, str]:
        """The edits that are going to be replaced, and which of `options.EDITS` to suggest.

        Raises
        ------
        CaptureError
            If they can't be told.
        """
        raise NotImplementedError

    def start(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Do the work, once it is clear what becomes of edits."""
        return self.execute(context)  # type: ignore[attr-defined, no-any-return]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask if there are edits, unless it is said already; otherwise do the work."""
        if self.properties.is_property_set("edits"):
            return self.start(context, event)
        try:
            found, suggested = self.found(context)
        except CaptureError:
            found, suggested = None, CARRY  # the work itself says why it can't be done
        if found is None or not found.new:
            return self.start(context, event)
        self.edits, self.told = suggested, sentence(found)
        return set(context.window_manager.invoke_props_dialog(self, width=_WIDTH))

    def draw(self, _context: bpy.types.Context) -> None:
        """Draw what was found, and the choices."""
        if self.told:
            self.layout.label(text=self.told, translate=False)
            self.layout.column().prop(self, "edits", expand=True)


def sentence(edits: Edits) -> str:
    """What was edited, and where."""
    bones, frames = edits.bones, edits.range
    names = ", ".join(bones[:_NAMED]) or pgettext_rpt("other channels")
    if len(bones) > _NAMED:
        more = pgettext_rpt("{names} and {count} more")
        names = more.format(names=", ".join(bones[: _NAMED - 1]), count=len(bones) - _NAMED + 1)
    if frames is None:
        return str(pgettext_rpt("Edited by hand: {names}").format(names=names))
    if frames[0] == frames[1]:
        return str(
            pgettext_rpt("Edited by hand: {names} (frame {frame})").format(names=names, frame=frames[0])
        )
    told = pgettext_rpt("Edited by hand: {names} (frames {first} to {last})")
    return str(told.format(names=names, first=frames[0], last=frames[1]))
