"""Fit a captured armature to other bone lengths, with the body that Kinelift made for it.

Everything moves by the difference between the two rest poses, so what the artist changed in the rest pose, or
in the body's shape, stays changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from ..core.arrays import Array, Floats
from ..core.mannequin import mannequin
from ..core.skeleton import INDEX
from .armature import offsets_of, rest_joints, rest_tails
from .body import body_of
from .takes import OFFSETS, note_offsets

#: offsets that differ by less are the same, metres
_SAME = 1e-6


def fit(armature: bpy.types.Object, offsets: Array) -> None:
    """Move the rest bones of a captured armature, and its mannequin with them.

    The artist's mode and selection stay, and so do constraints, other bones (each moves along with the place
    on the captured bone that it hangs on) and their settings. Data that other objects use too, or that is
    linked, is copied first. The takes of the armature note for which bones they were made.

    Parameters
    ----------
    armature : bpy.types.Object
        It has the bones of `build_armature`.
    offsets : (J, 3), metres
        The new rest offsets of the joints.

    Raises
    ------
    CaptureError
        If a bone would have no length.
    """
    before, offsets = offsets_of(armature), np.asarray(offsets, dtype=float)
    if np.allclose(before, offsets, rtol=0, atol=_SAME):
        return
    moved = _mannequin(offsets) - _mannequin(before)
    note_offsets(armature, before.ravel().tolist())
    with artist_kept():
        _own_data(armature)
        _fit_bones(armature.data, before, offsets)
        body = body_of(armature)
        # a body that the artist has made another mesh of is theirs
        if body is not None and body.type == "MESH" and len(body.data.vertices) == len(moved):
            _own_data(body)
            _move_vertices(body.data, moved)
    armature.data[OFFSETS] = offsets.ravel().tolist()


@contextmanager
def artist_kept() -> Iterator[None]:
    """Go to Object Mode, and back to the mode, the selection and the active object that the artist had."""
    layer = bpy.context.view_layer
    active, selected = layer.objects.active, list(bpy.context.selected_objects)
    mode = active.mode if active is not None else "OBJECT"
    if mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    try:
        yield
    finally:
        for other in bpy.context.selected_objects:
            other.select_set(other in selected)
        for other in selected:
            other.select_set(True)
        layer.objects.active = active
        if mode != "OBJECT":
            bpy.ops.object.mode_set(mode=mode)


def _own_data(owner: bpy.types.Object) -> None:
    """Give an object data of its own if it shares it, or if another file has it."""
    data = owner.data
    if data.library is not None or data.override_library is not None:
        owner.data = data.copy()
        owner.data.make_local()
    elif data.users - data.use_fake_user > 1:
        owner.data = data.copy()


def _mannequin(offsets: Array) -> Floats:
    """Vertices (V, 3) of the mannequin on the bones of these offsets."""
    return np.asarray(mannequin(offsets).vertices + rest_joints(offsets)[INDEX["hips"]])


def _fit_bones(data: bpy.types.Armature, before: Array, after: Array) -> None:
    """Move the rest bones from the places that they have for some offsets to those for others."""
    heads = rest_joints(after) - rest_joints(before)
    tails = rest_tails(after) - rest_tails(before)
    with _edit_bones(data) as bones:
        places = {}
        for bone in bones:
            top, carrier = bone, bone
            while carrier is not None and carrier.name not in INDEX:
                top, carrier = carrier, carrier.parent
            if carrier is None:
                continue
            head, tail = heads[INDEX[carrier.name]], tails[INDEX[carrier.name]]
            if carrier != bone:
                share = _share(top.head, carrier)
                head = tail = (1 - share) * head + share * tail
            places[bone] = bone.head + Vector(head), bone.tail + Vector(tail)
        for bone, (head, tail) in places.items():
            bone.head, bone.tail = head, tail


def _share(point: Vector, bone: bpy.types.EditBone) -> float:
    """How far along a bone a point lies: 0 at its head, 1 at its tail."""
    along = bone.tail - bone.head
    return float(np.clip((point - bone.head).dot(along) / along.length_squared, 0, 1))


@contextmanager
def _edit_bones(data: bpy.types.Armature) -> Iterator[Any]:
    """The edit bones of an armature, through an object of their own: its objects may be hidden."""
    layer, mirrored = bpy.context.view_layer, data.use_mirror_x
    editor = bpy.data.objects.new(data.name, data)
    bpy.context.scene.collection.objects.link(editor)
    for other in bpy.context.selected_objects:
        other.select_set(False)
    layer.objects.active = editor
    data.use_mirror_x = False
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        yield data.edit_bones
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
        data.use_mirror_x = mirrored
        bpy.data.objects.remove(editor)


def _move_vertices(mesh: bpy.types.Mesh, by: Floats) -> None:
    """Move the vertices (V, 3) of a mesh, in all of its shapes."""
    shapes = [key.data for key in mesh.shape_keys.key_blocks] if mesh.shape_keys is not None else []
    for points in (mesh.vertices, *shapes):
        flat = np.empty(by.size, dtype=np.float32)
        points.foreach_get("co", flat)
        points.foreach_set("co", flat + by.astype(np.float32).ravel())
    mesh.update()
