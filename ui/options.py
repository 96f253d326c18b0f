"""Draw the options of a capture, a clean-up or a retarget as rows of a panel."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import bpy

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
