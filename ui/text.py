"""Sentences in panels, wrapped: Blender cuts a label off at the end of its line."""

from __future__ import annotations

from collections.abc import Iterator

import blf
import bpy
from bpy.app.translations import pgettext_rpt


def paragraph(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE") -> None:
    """Draw a sentence, translated like a report, on as many lines as it needs, with an icon on the first."""
    scale = context.preferences.system.ui_scale
    points = context.preferences.ui_styles[0].widget.points
    blf.size(0, points * scale)
    # subtract the margins of region, panel and box; the icon indents every line
    width = context.region.width - (60 + (20 if icon != "NONE" else 0)) * scale
    lines = [""]
    for word in _fitting(pgettext_rpt(text), width):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and blf.dimensions(0, longer)[0] > width:
            lines.append(word)
        else:
            lines[-1] = longer
    column = layout.column(align=True)
    column.scale_y = 0.8
    for i, line in enumerate(lines):
        column.label(text=line, icon=icon if i == 0 or icon == "NONE" else "BLANK1", translate=False)


def _fitting(text: str, width: float) -> Iterator[str]:
    """Yield the words of a sentence, and those that are wider than a line, such as paths, in parts."""
    for word in text.split():
        rest = word
        while len(rest) > 1 and blf.dimensions(0, rest)[0] > width:
            # take at least one character, or this would never end in a narrow sidebar
            fits = max(1, sum(blf.dimensions(0, rest[:n])[0] <= width for n in range(1, len(rest))))
            yield rest[:fits]
            rest = rest[fits:]
        yield rest
