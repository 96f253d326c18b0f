"""Sentences in panels, which Blender would cut off where a line ends."""

from __future__ import annotations

import blf
import bpy


def paragraph(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE") -> None:
    """Lay out a sentence over as many lines as the region's width asks for, with an icon before the first."""
    scale = context.preferences.system.ui_scale
    points = context.preferences.ui_styles[0].widget.points
    blf.size(0, points * scale)
    # margins of region, panel and box; the icon indents every line
    width = context.region.width - (60 + (20 if icon != "NONE" else 0)) * scale
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and blf.dimensions(0, longer)[0] > width:
            lines.append(word)
        else:
            lines[-1] = longer
    column = layout.column(align=True)
    column.scale_y = 0.8
    for i, line in enumerate(lines):
        column.label(text=line, icon=icon if i == 0 or icon == "NONE" else "BLANK1", translate=False)
