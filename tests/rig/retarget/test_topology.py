"""Bones that are found by nothing but how they hang together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Matrix, Vector

from kinelift.rig.retarget.bone_map import MAIN
from kinelift.rig.retarget.bones import read_rig
from kinelift.rig.retarget.mapping import find_bone_map
from kinelift.rig.retarget.topology import guess_by_topology
from kinelift.tests.rig.retarget.characters import (
    add_bone,
    character,
    nameless,
)


def plain(target: bpy.types.Object) -> None:
    pass


def small_and_lying(target: bpy.types.Object) -> None:
    """As many importers leave it: centimetres, Y up, put right by the object."""
    target.data.transform(Matrix.Rotation(-np.pi / 2, 4, "X") @ Matrix.Scale(100, 4))
    target.rotation_euler, target.scale = (np.pi / 2, 0, 0), (0.01,) * 3


def y_up(target: bpy.types.Object) -> None:
    target.data.transform(Matrix.Rotation(-np.pi / 2, 4, "X"))


def sideways(target: bpy.types.Object) -> None:
    target.data.transform(Matrix.Rotation(np.pi / 2, 4, "Z"))


def backwards(target: bpy.types.Object) -> None:
    target.data.transform(Matrix.Rotation(np.pi, 4, "Z"))


def askew(target: bpy.types.Object) -> None:
    target.data.transform(Matrix.Rotation(np.radians(30), 4, "Z"))


def head_ends_in_a_leaf(target: bpy.types.Object) -> None:
    """As FBX writers leave it: a bone that only says where the head ends."""
    tail = target.data.bones["head"].tail_local.copy()
    add_bone(target, "head_end", "head", tail, tail + Vector((0, 0, 0.18)))


def twist_beside(target: bpy.types.Object) -> None:
    for joint, end in (("upper_arm", "forearm"), ("forearm", "hand"), ("thigh", "shin"), ("shin", "foot")):
        for side in "LR":
            a, b = (target.data.bones[f"{n}.{side}"].head_local.copy() for n in (joint, end))
            add_bone(target, f"{joint}_twist.{side}", f"{joint}.{side}", a.lerp(b, 0.5), b)


def twist_between(target: bpy.types.Object) -> None:
    for joint, end in (("upper_arm", "forearm"), ("forearm", "hand"), ("thigh", "shin"), ("shin", "foot")):
        for side in "LR":
            a, b = (target.data.bones[f"{n}.{side}"].head_local.copy() for n in (joint, end))
            add_bone(
                target, f"{joint}_twist.{side}", f"{joint}.{side}", a.lerp(b, 0.5), b, (f"{end}.{side}",)
            )


def several_necks(target: bpy.types.Object) -> None:
    a, b = (target.data.bones[n].head_local.copy() for n in ("neck", "head"))
    add_bone(target, "neck_2", "neck", a.lerp(b, 0.33), a.lerp(b, 0.66))
    add_bone(target, "neck_3", "neck_2", a.lerp(b, 0.66), b, ("head",))


def mittens(target: bpy.types.Object) -> None:
    for side in "LR":
        a, b = (target.data.bones[f"{n}.{side}"].head_local.copy() for n in ("forearm", "hand"))
        add_bone(target, f"mitten.{side}", f"hand.{side}", b + 0.3 * (b - a), b + 0.6 * (b - a))


def dressed(target: bpy.types.Object) -> None:
    """A tail, a skirt, hair, and what inverse kinematics hangs on the root."""
    hips, head = (target.data.bones[n].head_local.copy() for n in ("hips", "head"))
    for place in range(5):
        start = hips + Vector((0, 0.1 + 0.15 * place, 0))
        parent = f"tail{place - 1}" if place else "hips"
        add_bone(target, f"tail{place}", parent, start, start + Vector((0, 0.15, 0)))
    for strand in range(6):
        out = Vector((np.cos(strand + 0.2), np.sin(strand + 0.2), 0))
        for place in range(3):
            start = hips + 0.15 * out + Vector((0, 0, -0.2 * place))
            parent = f"skirt{strand}{place - 1}" if place else "hips"
            add_bone(target, f"skirt{strand}{place}", parent, start, start + Vector((0, 0, -0.2)))
            lock = head + 0.08 * out + Vector((0, 0, 0.15 - 0.12 * place))
            parent = f"hair{strand}{place - 1}" if place else "head"
            add_bone(target, f"hair{strand}{place}", parent, lock, lock + Vector((0, 0, -0.12)))
    for joint in ("hand", "foot"):
        for side in "LR":
            start = target.data.bones[f"{joint}.{side}"].head_local.copy()
            add_bone(target, f"ik_{joint}.{side}", "", start, start + Vector((0, 0, 0.1)))


@pytest.mark.parametrize(
    ("how", "change"),
    [
        ({}, plain), ({"droop": 45.0}, plain), ({"droop": 70.0}, plain), ({"droop": -30.0}, plain),
        ({"size": 100.0}, plain), ({}, small_and_lying), ({}, y_up), ({}, sideways), ({}, backwards),
        ({}, askew), ({"droop": 45.0, "roll": 0.7}, askew), ({}, head_ends_in_a_leaf),
        ({"leave_out": ("neck",)}, head_ends_in_a_leaf), ({"leave_out": ("toe", "foot")}, plain),
        ({"leave_out": ("shoulder", "neck", "toe", "spine"), "fingers": False}, plain),
        ({"leave_out": ("toe",)}, plain), ({"leave_out": ("spine",)}, plain), ({"spine_bones": 3}, plain),
        ({"leave_out": ("shoulder",)}, plain), ({"leave_out": ("neck",)}, plain), ({}, several_necks),
        ({}, twist_beside), ({}, twist_between), ({"fingers": False}, plain), ({"fingers": False}, mittens),
        ({}, dressed), ({"droop": 45.0, "fingers": False}, dressed),
    ],
)  # fmt: skip
def test_bones_are_found_without_names(
    how: dict[str, Any], change: Callable[[bpy.types.Object], None]
) -> None:
    target = character(**how)
    change(target)
    bpy.context.view_layer.update()
    renamed = nameless(target)
    found = find_bone_map(read_rig(target), target.data)
    main = {joint: renamed[joint] for joint in MAIN if joint in renamed}
    assert {joint: found.bones.get(joint) for joint in MAIN if joint in found.bones} == main
    assert all(0 < sure < 0.9 for sure in found.certainty.values())


def test_topology_refuses_what_is_no_body() -> None:
    target = character(leave_out=("thigh", "shin", "foot", "toe"))
    assert guess_by_topology(read_rig(target)) is None
