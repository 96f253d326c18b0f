"""An armature is fitted to other bone lengths, and nothing that the artist made of it is lost."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Vector

from kinelift.core.mannequin import mannequin
from kinelift.core.skeleton import JOINTS, TEMPLATE_LENGTHS, rest_offsets
from kinelift.rig.armature import build_armature, offsets_of, rest_joints, rest_tails
from kinelift.rig.body import add_body, body_of
from kinelift.rig.fit import fit

BEFORE = rest_offsets(TEMPLATE_LENGTHS)
AFTER = rest_offsets(TEMPLATE_LENGTHS * np.linspace(0.8, 1.2, len(TEMPLATE_LENGTHS)))


@pytest.fixture
def armature() -> bpy.types.Object:
    return build_armature("Person", BEFORE, bpy.context.scene.collection)


def ends(armature: bpy.types.Object) -> np.ndarray:
    bones = [armature.data.bones[name] for name in JOINTS]
    return np.array([[bone.head_local, bone.tail_local] for bone in bones])


def wanted(offsets: np.ndarray) -> np.ndarray:
    return np.stack([rest_joints(offsets), rest_tails(offsets)], axis=1)


def vertices(points: bpy.types.bpy_prop_collection) -> np.ndarray:
    flat = np.empty(3 * len(points), dtype=np.float32)
    points.foreach_get("co", flat)
    return flat.reshape(-1, 3)


def skin(offsets: np.ndarray) -> np.ndarray:
    return np.asarray(mannequin(offsets).vertices + rest_joints(offsets)[0])


def test_it_is_as_if_built_for_them(armature: bpy.types.Object) -> None:
    fit(armature, AFTER)
    fresh = build_armature("Fresh", AFTER, bpy.context.scene.collection)
    np.testing.assert_allclose(ends(armature), wanted(AFTER), atol=1e-6)
    for bone, other in zip(armature.data.bones, fresh.data.bones, strict=True):
        np.testing.assert_allclose(np.array(bone.matrix_local), np.array(other.matrix_local), atol=1e-5)
        assert bone.use_connect == other.use_connect
    np.testing.assert_array_equal(offsets_of(armature), AFTER)


def test_it_is_told_where_bones_were_put_without_a_note(armature: bpy.types.Object) -> None:
    del armature.data["kinelift_offsets"]
    np.testing.assert_allclose(offsets_of(armature), BEFORE, atol=1e-6)
    fit(armature, AFTER)
    np.testing.assert_allclose(ends(armature), wanted(AFTER), atol=1e-5)


def test_what_the_artist_changed_in_the_rest_pose_stays_changed(armature: bpy.types.Object) -> None:
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    bones["hand.L"].tail += Vector((0, 0.05, 0))
    bones["upper_arm.R"].roll = 0.4
    for side, off in (("L", 0.1), ("R", 0.3)):
        pin = bones.new(f"pin.{side}")
        pin.parent = bones[f"forearm.{side}"]
        pin.head = (pin.parent.head + pin.parent.tail) / 2 + Vector((0, 0, off))
        pin.tail = pin.head + Vector((0, 0, 0.1))
        tip = bones.new(f"tip.{side}")
        tip.parent, tip.use_connect = pin, True
        tip.tail = tip.head + Vector((0.1, 0, 0))
    root = bones.new("root")
    root.tail = (0, 0.3, 0)
    bones["hips"].parent = root
    bpy.ops.object.mode_set(mode="OBJECT")
    armature.data.use_mirror_x = True
    fit(armature, AFTER)
    moved = ends(armature)
    hand = JOINTS.index("hand.L")
    np.testing.assert_allclose(moved[hand, 1], wanted(AFTER)[hand, 1] + [0, 0.05, 0], atol=1e-6)
    bones = armature.data.bones
    for side, off in (("L", 0.1), ("R", 0.3)):
        middle = (bones[f"forearm.{side}"].head_local + bones[f"forearm.{side}"].tail_local) / 2
        np.testing.assert_allclose(bones[f"pin.{side}"].head_local, middle + Vector((0, 0, off)), atol=1e-6)
        assert bones[f"pin.{side}"].length == pytest.approx(0.1, abs=1e-6)
        assert bones[f"tip.{side}"].length == pytest.approx(0.1, abs=1e-6)
        assert bones[f"tip.{side}"].use_connect
    np.testing.assert_array_equal(bones["root"].tail_local, np.float32([0, 0.3, 0]))
    assert armature.data.use_mirror_x
    fit(armature, BEFORE)
    np.testing.assert_allclose(ends(armature)[:hand], wanted(BEFORE)[:hand], atol=1e-5)


@pytest.mark.parametrize("mode", ["EDIT", "POSE", "OBJECT"])
def test_the_artist_stays_in_the_mode_and_the_selection(armature: bpy.types.Object, mode: str) -> None:
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    armature.select_set(True)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode=mode)
    objects = set(bpy.data.objects)
    fit(armature, AFTER)
    assert bpy.context.object == armature and armature.mode == mode
    assert set(bpy.context.selected_objects) == {cube, armature} and set(bpy.data.objects) == objects
    bpy.ops.object.mode_set(mode="OBJECT")
    np.testing.assert_allclose(ends(armature), wanted(AFTER), atol=1e-6)


def test_it_may_be_hidden_or_in_another_scene_while_a_mesh_is_edited(armature: bpy.types.Object) -> None:
    armature.hide_set(True)
    bpy.context.window.scene = other = bpy.data.scenes.new("Other")
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    bpy.ops.object.mode_set(mode="EDIT")
    fit(armature, AFTER)
    np.testing.assert_allclose(ends(armature), wanted(AFTER), atol=1e-6)
    assert bpy.context.object == cube and cube.mode == "EDIT" and list(other.objects) == [cube]


def test_the_body_follows_and_stays_sculpted(armature: bpy.types.Object) -> None:
    body = add_body(armature)
    body.shape_key_add(name="Basis")
    smile = body.shape_key_add(name="Smile")
    smile.data[7].co.z += 0.02
    fit(armature, AFTER)
    basis = vertices(body.data.shape_keys.key_blocks["Basis"].data)
    np.testing.assert_allclose(basis, skin(AFTER), atol=1e-5)
    np.testing.assert_allclose(vertices(smile.data)[7] - basis[7], [0, 0, 0.02], atol=1e-5)
    # a body of which the artist has made another mesh is theirs
    for key in reversed(body.data.shape_keys.key_blocks):
        body.shape_key_remove(key)
    body.data.vertices.add(1)
    kept = vertices(body.data.vertices)
    fit(armature, BEFORE)
    np.testing.assert_array_equal(vertices(body.data.vertices), kept)


def test_what_others_share_is_theirs(armature: bpy.types.Object) -> None:
    body = add_body(armature)
    twin = armature.copy()
    body_twin = body.copy()
    body_twin.parent = twin
    for one in (twin, body_twin):
        bpy.context.scene.collection.objects.link(one)
    fit(armature, AFTER)
    np.testing.assert_allclose(ends(twin), wanted(BEFORE), atol=1e-6)
    np.testing.assert_allclose(vertices(body_twin.data.vertices), skin(BEFORE), atol=1e-5)
    np.testing.assert_allclose(ends(armature), wanted(AFTER), atol=1e-6)
    np.testing.assert_allclose(vertices(body.data.vertices), skin(AFTER), atol=1e-5)
    np.testing.assert_allclose(offsets_of(twin), BEFORE)


def test_an_override_gets_bones_of_its_own(armature: bpy.types.Object, tmp_path: Path) -> None:
    body = add_body(armature)
    bpy.data.libraries.write(str(tmp_path / "library.blend"), {armature, body})
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (there, into):
        into.objects = list(there.objects)
    linked = bpy.data.objects["Person"]
    bpy.context.scene.collection.objects.link(linked)
    armature = linked.override_hierarchy_create(
        bpy.context.scene, bpy.context.view_layer, do_fully_editable=True
    )
    fit(armature, AFTER)
    for _ in range(2):
        np.testing.assert_allclose(ends(armature), wanted(AFTER), atol=1e-6)
        body = body_of(armature)
        np.testing.assert_allclose(vertices(body.data.vertices), skin(AFTER), atol=1e-5)
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
        armature = next(one for one in bpy.data.objects if one.type == "ARMATURE" and one.library is None)
