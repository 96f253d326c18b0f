"""Draw the options of a capture, a clean-up or a retarget, and what goes with them, as rows of a panel."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import bpy

from ..operators.pick_person import KINELIFT_OT_pick_person
from ..state.derived import panel_options, use


def draw_options(layout: bpy.types.UILayout, group: Any, cls: type, but: Collection[str] = ()) -> None:
    """Draw a row for each option that panels show directly; an optional one begins with a checkbox.

    Parameters
    ----------
    layout : bpy.types.UILayout
    group : bpy.types.PropertyGroup
        Made by `state.derived.with_options`.
    cls : type
        The options class.
    but : collection of str
        Options to leave out, which the panel draws in its own way.
    """
    for name, one in panel_options(cls).items():
        if name in but:
            continue
        if not one.optional:
            layout.prop(group, name)
            continue
        row = layout.row(heading=one.label)
        row.prop(group, use(name), text="")
        row = row.row()
        row.active = getattr(group, use(name))
        row.prop(group, name, text="")


def draw_person(layout: bpy.types.UILayout, chosen: Any) -> None:
    """Draw whom to follow, by the scene's settings."""
    column = layout.column(align=True)
    column.prop(chosen, "person")
    if chosen.person == "number":
        column.prop(chosen, "number")
    elif chosen.person == "pick":
        split = column.split(factor=0.4)  # as property rows are split
        split.label()
        split.operator(
            KINELIFT_OT_pick_person.bl_idname,
            text="Pick Again" if chosen.picked else "Pick",
            icon="EYEDROPPER",
        )


def draw_range(layout: bpy.types.UILayout, chosen: Any) -> None:
    """Draw the range of frames to change, by the settings of a clean-up."""
    row = layout.row(heading="Frame Range")
    row.prop(chosen, "use_range", text="")
    row = row.row(align=True)
    row.active = chosen.use_range
    row.prop(chosen, "first", text="")
    row.prop(chosen, "last", text="")
