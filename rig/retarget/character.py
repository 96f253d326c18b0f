"""Characters from files: the armature and what hangs on it, added to the current scene."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
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
            called = _import(path)
    except (RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()[-1].removeprefix("Error: ").rstrip(".")
        raise CaptureError(f"Blender could not read the character {path}: {reason}.") from error
    new = [obj for obj in bpy.data.objects if obj not in before]
    armature = _choose_armature(new, path, name, called)
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


def _import(path: Path) -> dict[bpy.types.Object, str]:
    """Add all objects of a file; those of a .blend are in no scene yet.

    Returns
    -------
    dict
        What the objects of a .blend are called there: here others may have their names.
    """
    kind = path.suffix.lower()
    if kind == ".blend":
        with bpy.data.libraries.load(str(path), link=False) as (there, wanted):
            names = list(there.objects)
            wanted.objects = list(names)  # which gets the objects in their places
        return dict(zip(wanted.objects, names, strict=True))
    if kind == ".fbx":
        bpy.ops.import_scene.fbx(filepath=str(path))
    else:
        mend_context()
        bpy.ops.import_scene.gltf(filepath=str(path))
    return {}


def _choose_armature(
    new: list[bpy.types.Object], path: Path, name: str, called: Mapping[bpy.types.Object, str]
) -> bpy.types.Object:
    """The armature that its file calls `name`; without one, the only one, or the only one with a mesh.

    Raises
    ------
    CaptureError
        If that isn't one armature.
    """
    armatures = [obj for obj in new if obj.type == "ARMATURE"]
    names = {armature: called.get(armature, armature.name) for armature in armatures}
    fitting = [armature for armature in armatures if name in ("", names[armature])]
    if len(fitting) > 1:
        # metarigs and helpers carry no mesh
        dressed = [armature for armature in fitting if any(_carries(armature, obj) for obj in new)]
        fitting = dressed if len(dressed) == 1 else fitting
    if len(fitting) != 1:
        told = ", ".join(sorted(names.values()))
        there = f"It has {told}: name one of them after a colon" if told else "It has no armature"
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
