"""A click on the body, or on a character's mesh, means its armature, whatever is pressed then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy
import pytest

from kinelift.rig.body import add_body
from kinelift.state.access import active_armature, captured
from kinelift.tests.rig.retarget.characters import MIXAMO, character


def by_modifier(mesh: bpy.types.Object, armature: bpy.types.Object) -> None:
    mesh.modifiers.new("Armature", "ARMATURE").object = armature


def by_parent(mesh: bpy.types.Object, armature: bpy.types.Object) -> None:
    mesh.parent, mesh.parent_type = armature, "ARMATURE"


def on_a_bone(mesh: bpy.types.Object, armature: bpy.types.Object) -> None:
    mesh.parent, mesh.parent_type, mesh.parent_bone = armature, "BONE", armature.data.bones[0].name


def on_an_empty(mesh: bpy.types.Object, armature: bpy.types.Object) -> None:
    empty = bpy.data.objects.new("Empty", None)
    bpy.context.scene.collection.objects.link(empty)
    empty.parent, mesh.parent = armature, empty


WAYS = (by_modifier, by_parent, on_a_bone, on_an_empty)


def clicked(dress: Callable[[bpy.types.Object, bpy.types.Object], None], armature: bpy.types.Object) -> None:
    """Dress an armature and click on what it wears."""
    bpy.ops.mesh.primitive_cube_add()
    dress(bpy.context.object, armature)
    assert bpy.context.object.type == "MESH"


@pytest.mark.parametrize("dress", WAYS)
def test_a_mesh_means_its_armature(
    armature: bpy.types.Object, dress: Callable[[bpy.types.Object, bpy.types.Object], None]
) -> None:
    clicked(dress, armature)
    assert active_armature(bpy.context) == armature == captured(bpy.context)


def test_a_mesh_of_its_own_means_none() -> None:
    assert active_armature(bpy.context) is None
    bpy.ops.mesh.primitive_cube_add()
    assert active_armature(bpy.context) is None and captured(bpy.context) is None
    bpy.context.object.modifiers.new("Armature", "ARMATURE")  # that names no object
    assert active_armature(bpy.context) is None
    for name in ("clean_up", "retarget", "detect_bones", "resolve", "export"):
        assert not getattr(bpy.ops.kinelift, name).poll()


def test_everything_works_with_the_body_clicked(armature: bpy.types.Object, tmp_path: Path) -> None:
    body = add_body(armature)
    bpy.context.view_layer.objects.active = body
    action = armature.animation_data.action
    assert bpy.ops.kinelift.clean_up() == {"FINISHED"}
    assert armature.animation_data.action != action
    for operator in (bpy.ops.kinelift.show_confidence, bpy.ops.kinelift.add_camera):
        assert operator() == {"FINISHED"}
    bpy.ops.object.mode_set(mode="EDIT")
    for kind in ("bvh", "fbx", "glb"):
        out = tmp_path / f"walk.{kind}"
        assert bpy.ops.kinelift.export(kind=kind, filepath=str(out)) == {"FINISHED"} and out.exists()
        assert bpy.context.object == body and body.mode == "EDIT"
    bpy.ops.object.mode_set(mode="OBJECT")
    assert bpy.ops.kinelift.resolve.poll()


def test_a_character_is_retargeted_by_its_mesh(armature: bpy.types.Object) -> None:
    target = character(MIXAMO)
    clicked(by_modifier, target)
    assert bpy.ops.kinelift.retarget() == {"FINISHED"}
    assert target.animation_data.action is not None
    assert bpy.context.scene.kinelift_retarget.target == target


def test_the_capture_is_no_character(armature: bpy.types.Object) -> None:
    add_body(armature)
    character(MIXAMO)
    for clicked_on in (armature, armature.children[0]):
        bpy.context.view_layer.objects.active = clicked_on
        with pytest.raises(RuntimeError, match="Select the character that is to get the motion: walk is a"):
            bpy.ops.kinelift.retarget()
