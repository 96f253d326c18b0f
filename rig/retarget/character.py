"""Characters from files: the armature and what hangs on it, added to the current scene."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy

from ...core.errors import CaptureError
from ...core.files import split_character
from ..versions import mend_context
from .humanoid import HUMANOID, read_humanoid

#: how files end that a character can come from
_KINDS = (".blend", ".fbx", ".glb", ".gltf", ".vrm")


def find_character(text: str) -> tuple[Path, str]:
    """The absolute file and the object of a character, as `files.split_character`.

    Raises
    ------
    CaptureError
        If there is no such file, or Blender can't read a character from its kind.
    """
    path, name = split_character(text)
    if path.suffix.lower() not in _KINDS:
        raise CaptureError(f"A character can't be read from {path.name}: give one of {', '.join(_KINDS)}.")
    if not path.is_file():
        raise CaptureError(f"There is no character {path}.")
    return path.absolute(), name


def load_character(path: Path, name: str = "") -> bpy.types.Object:
    """Add a file's character to the current scene: its armature, and what hangs on it.

    Parameters
    ----------
    path : Path
        Of one of the kinds .blend, .fbx, .glb, .gltf, .vrm.
    name : str
        The armature, where a .blend has several.

    Returns
    -------
    bpy.types.Object
        The armature.

    Raises
    ------
    CaptureError
        If the file can't be read, or holds no armature or several and none is named.
    """
    before = set(bpy.data.objects)
    try:
        with _pace_kept(bpy.context.scene):
            _import(path)
    except (RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()[-1].removeprefix("Error: ").rstrip(".")
        raise CaptureError(f"Blender could not read the character {path}: {reason}.") from error
    new = [obj for obj in bpy.data.objects if obj not in before]
    armature = _choose_armature(new, path, name)
    if path.suffix.lower() == ".blend":
        _keep_family(armature, new)
    elif path.suffix.lower() in (".glb", ".vrm") and (humanoid := read_humanoid(path)):
        armature.data[HUMANOID] = json.dumps(humanoid)
    bpy.context.view_layer.update()
    return armature


@contextmanager
def _pace_kept(scene: bpy.types.Scene) -> Iterator[None]:
    """Keep a scene's frame rate and range: importers set those of their file."""
    pace = {name: getattr(scene.render, name) for name in ("fps", "fps_base")}
    frames = {name: getattr(scene, name) for name in ("frame_start", "frame_end", "frame_current")}
    try:
        yield
    finally:
        for owner, kept in ((scene.render, pace), (scene, frames)):
            for setting, value in kept.items():
                setattr(owner, setting, value)


def _import(path: Path) -> None:
    """Add all objects of a file; those of a .blend are in no scene yet."""
    kind = path.suffix.lower()
    if kind == ".blend":
        with bpy.data.libraries.load(str(path), link=False) as (there, wanted):
            wanted.objects = list(there.objects)
    elif kind == ".fbx":
        bpy.ops.import_scene.fbx(filepath=str(path))
    else:
        mend_context()
        bpy.ops.import_scene.gltf(filepath=str(path))


def _choose_armature(new: list[bpy.types.Object], path: Path, name: str) -> bpy.types.Object:
    """The armature of that name; without one, the only armature, or the only one that carries a mesh.

    Raises
    ------
    CaptureError
        If that isn't one armature.
    """
    armatures = [obj for obj in new if obj.type == "ARMATURE"]
    fitting = [armature for armature in armatures if name in ("", armature.name)]
    if len(fitting) > 1:
        # metarigs and helpers carry no mesh
        dressed = [armature for armature in fitting if any(_carries(armature, obj) for obj in new)]
        fitting = dressed if len(dressed) == 1 else fitting
    if len(fitting) != 1:
        names = ", ".join(sorted(armature.name for armature in armatures))
        there = f"It has {names}: name one of them after a colon" if names else "It has no armature"
        raise CaptureError(f"Which armature of {path.name} is meant? {there}.")
    return fitting[0]


def _carries(armature: bpy.types.Object, obj: bpy.types.Object) -> bool:
    """Whether an object is a child of an armature or is deformed by it."""
    return obj.parent == armature or any(
        m.type == "ARMATURE" and m.object == armature for m in getattr(obj, "modifiers", ())
    )


def _keep_family(armature: bpy.types.Object, new: list[bpy.types.Object]) -> None:
    """Link the armature with what it carries into the scene, and forget the rest of its file."""
    family = {armature, *armature.children_recursive} | {obj for obj in new if _carries(armature, obj)}
    above = armature.parent
    while above is not None:
        family.add(above)
        above = above.parent
    for obj in new:
        if obj in family:
            bpy.context.scene.collection.objects.link(obj)
        elif obj.users == 0:
            bpy.data.objects.remove(obj)
