"""Pictures that panels show: files, as icons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy.utils.previews

#: the icons, by file; they go with the session, as the files do
_icons: list[Any] = []


def icon_of(picture: str) -> int:
    """The icon of a picture, a file; 0 if that is gone."""
    if not Path(picture).is_file():
        return 0
    if not _icons:
        _icons.append(bpy.utils.previews.new())
    found = _icons[0].get(picture) or _icons[0].load(picture, picture, "IMAGE")
    return int(found.icon_id)


def forget_icons() -> None:
    """Free all icons."""
    while _icons:
        bpy.utils.previews.remove(_icons.pop())
