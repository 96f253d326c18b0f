"""Captured motions go with the .blend file: packed when it is saved, found again wherever it is opened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

import bpy
from bpy.app.handlers import persistent
from bpy.app.translations import pgettext_rpt

from ..core.errors import CaptureError
from ..core.files import replacing
from ..core.names import safe_name
from .access import captures_folder

#: bytes of the largest motion that is packed; a minute of one person at 30 frames per second has some 3 MB
PACKED_UP_TO = 50_000_000
#: custom properties of a text: the bytes of a motion, and the path that it was captured to
_BYTES, _PATH = "kinelift_motion", "kinelift_path"


def find_motion(context: bpy.types.Context, kept: str) -> Path:
    """Where a captured motion lies now.

    That is where it was captured to, else beside the .blend file, else in the cache folder. If it is nowhere
    but packed in the .blend file, it is written into the cache folder.

    Parameters
    ----------
    context : bpy.types.Context
    kept : str
        The path that it was captured to, perhaps on another computer.

    Raises
    ------
    CaptureError
        If it is nowhere, or can't be written.
    """
    there = _path(kept)
    if there.is_file():
        return there
    # a path of another computer may be one of another system
    name = safe_name(PureWindowsPath(kept).name)
    packed = next((text.get(_BYTES) for text in bpy.data.texts if text.get(_PATH) == kept), None)
    if isinstance(packed, bytes):
        return _unpacked(packed, captures_folder(context), name)
    home = [Path(bpy.data.filepath).parent] if bpy.data.filepath else []
    for folder in (*home, captures_folder(context)):
        if (folder / name).is_file():
            return folder / name
    gone = pgettext_rpt(
        "The captured motion {name} is gone: put it beside this Blender file, or capture the video again. "
        "Clean Up Feet works without it."
    )
    raise CaptureError(gone.format(name=name))


def _unpacked(content: bytes, folder: Path, name: str) -> Path:
    """The file with this content in a folder; written, beside others of that name, if there is none."""
    path, number = folder / name, 1
    while path.exists():
        if path.read_bytes() == content:
            return path
        number += 1
        path = folder / f"{number}-{name}"
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return path


def _path(kept: str) -> Path:
    return Path(bpy.path.abspath(kept)).absolute()


def _results() -> Iterator[bpy.types.PropertyGroup]:
    """What this file itself knows of its captured armatures."""
    for obj in bpy.data.objects:
        if obj.kinelift.motion and obj.library is None and obj.override_library is None:
            yield obj.kinelift


@persistent  # type: ignore[untyped-decorator]
def pack_motions(*_: object) -> None:
    """Pack the motions of the file that is saved, those of at most `PACKED_UP_TO` bytes, and no others."""
    there = {text[_PATH]: text for text in bpy.data.texts if _PATH in text and text.library is None}
    wanted = {result.motion for result in _results()}
    wanted |= {scene.kinelift.last_motion for scene in bpy.data.scenes} - {""}
    for kept in wanted - there.keys():
        path = _path(kept)
        if path.is_file() and path.stat().st_size <= PACKED_UP_TO:
            there[kept] = text = bpy.data.texts.new(path.name)
            text[_PATH], text[_BYTES] = kept, path.read_bytes()
    for kept in there.keys() - wanted:
        bpy.data.texts.remove(there.pop(kept))
    for result in _results():
        # whoever appends the armature gets its motion too
        result.packed = there.get(result.motion)
