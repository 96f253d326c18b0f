"""The body moves as our own skinning says, and what belongs to the artist is kept."""

from __future__ import annotations

import bpy
import numpy as np
import numpy.typing as npt
import pytest
import torch
from mathutils import Matrix, Vector

from kinelift.core.errors import CaptureError
from kinelift.core.mannequin import MOST_BONES, mannequin, rest_positions
from kinelift.core.skeleton import (
    JOINTS,
    LENGTHS,
    STANDARD_HEIGHT,
    TEMPLATE_LENGTHS,
    TEMPLATE_OFFSETS,
    rest_offsets,
)
from kinelift.inference.skinning import Skin
from kinelift.rig.armature import build_armature
from kinelift.rig.body import add_body, bind_mesh, body_of
from kinelift.rig.scene import build_scene
from kinelift.tests.motions import capture_of, random_capture, random_motion


def places(owner: bpy.types.Object) -> npt.NDArray[np.float64]:
    """World positions (V, 3) of the evaluated mesh."""
    evaluated = owner.evaluated_get(bpy.context.evaluated_depsgraph_get())
    flat = np.empty(3 * len(evaluated.data.vertices), dtype=np.float32)
    evaluated.data.vertices.foreach_get("co", flat)
    world = np.array(evaluated.matrix_world)
    return np.asarray(flat.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3])


@pytest.mark.parametrize("seed", [0, 1])
def test_our_skinning_is_blenders(seed: int) -> None:
    motion = random_motion(12, seed=seed)
    made = add_body(build_scene(capture_of(motion), "clip"))
    body = mannequin(motion.offsets)
    rest = rest_positions(motion.offsets)
    skin = Skin(*(torch.as_tensor(a, dtype=torch.float32) for a in (body.vertices, body.weights, rest)))
    rotations, joints = (
        torch.as_tensor(a, dtype=torch.float32) for a in (motion.world_rotations, motion.joints)
    )
    ours = skin(rotations, joints).numpy()
    for frame in range(len(motion)):
        bpy.context.scene.frame_set(frame + 1)
        assert np.abs(places(made) - ours[frame]).max() < 1e-5  # 0.01 mm


def test_groups_materials_modifier() -> None:
    armature = build_scene(random_capture(3), "clip")
    made = add_body(armature)
    assert [group.name for group in made.vertex_groups] == list(JOINTS)
    for vertex in made.data.vertices:
        shares = [entry.weight for entry in vertex.groups]
        assert len(shares) <= MOST_BONES and abs(sum(shares) - 1) < 1e-6 and min(shares) > 0
    left, right = (
        [polygon.center.x for polygon in made.data.polygons if polygon.material_index == side]
        for side in (0, 1)
    )
    assert len(left) == len(right) and min(left) > 0 > max(right)
    assert [material.name for material in made.data.materials] == ["Kinelift Left", "Kinelift Right"]
    (modifier,) = made.modifiers
    assert modifier.object == armature and not modifier.use_deform_preserve_volume
    assert not made.data.validate()
    assert bpy.context.selected_objects == [armature] == [bpy.context.object]


def test_the_second_body_replaces_the_first() -> None:
    armature = build_scene(random_capture(3), "clip")
    add_body(armature)
    second = add_body(armature)
    assert body_of(armature) == second
    assert [o for o in bpy.data.objects if o.type == "MESH" and o.name != "Floor"] == [second]
    assert {material.name for material in second.data.materials} == {"Kinelift Left", "Kinelift Right"}


def test_an_armature_that_was_moved_and_scaled() -> None:
    motion = random_motion(3)
    armature = build_scene(capture_of(motion), "clip")
    made = add_body(armature)
    before = places(made)
    armature.matrix_world = Matrix.LocRotScale(Vector((1, 2, 3)), None, Vector((2, 2, 2)))
    bpy.context.view_layer.update()
    np.testing.assert_allclose(places(made), before * 2 + [1, 2, 3], atol=1e-4)
    again = add_body(armature)
    np.testing.assert_allclose(places(again), before * 2 + [1, 2, 3], atol=1e-4)


def test_armatures_that_cannot_be_dressed() -> None:
    collection = bpy.context.scene.collection
    other = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    with pytest.raises(CaptureError, match="Rig lacks the bone 'hips'"):
        add_body(other)
    lengths = TEMPLATE_LENGTHS.copy()
    lengths[LENGTHS.index("forearm")] = 0
    flat = build_armature("Flat", np.asarray(rest_offsets(lengths)), collection)
    with pytest.raises(CaptureError, match=r"lacks the bone|no length"):  # Blender drops bones without length
        add_body(flat)
    bent = build_armature("Bent", TEMPLATE_OFFSETS, collection)
    bpy.ops.object.mode_set(mode="EDIT")
    bent.data.edit_bones["forearm.L"].head.z -= 0.2
    bpy.ops.object.mode_set(mode="OBJECT")
    with pytest.raises(CaptureError, match=r"T-pose.*'hand.L' was moved"):
        add_body(bent)
    assert not [o for o in bpy.data.objects if o.type == "MESH"]


@pytest.mark.parametrize("size", [0.3, 2.0])
def test_children_and_giants(size: float) -> None:
    offsets = np.asarray(rest_offsets(TEMPLATE_LENGTHS * size))
    armature = build_armature("Somebody", offsets, bpy.context.scene.collection)
    made = add_body(armature)
    points = places(made)
    assert np.ptp(points[:, 2]) == pytest.approx(size * STANDARD_HEIGHT, rel=0.02)
    # and it bends where the bones do
    armature.pose.bones["forearm.L"].rotation_mode = "XYZ"
    armature.pose.bones["forearm.L"].rotation_euler.z = np.pi / 2
    bpy.context.view_layer.update()
    moved = np.linalg.norm(places(made) - points, axis=1)
    assert 0.2 * size < moved.max() < 0.8 * size and np.median(moved) == 0


def copy_of(body: bpy.types.Object) -> bpy.types.Object:
    """A mesh of the artist's, a body by chance."""
    mesh = bpy.data.objects.new("Mine", body.data.copy())
    bpy.context.scene.collection.objects.link(mesh)
    mesh.vertex_groups.clear()
    return mesh


@pytest.mark.parametrize("by_distance", [False, True])
def test_own_mesh(by_distance: bool) -> None:
    motion = random_motion(3)
    armature = build_scene(capture_of(motion), "clip")
    made = add_body(armature)
    mesh = copy_of(made)
    pinned = mesh.vertex_groups.new(name="pinned")
    pinned.add([0, 1], 0.5, "REPLACE")
    bpy.context.view_layer.update()
    bind_mesh(mesh, armature, by_distance)
    assert mesh.parent == armature and [m.object for m in mesh.modifiers] == [armature]
    assert mesh.vertex_groups["pinned"].weight(1) == 0.5
    bpy.context.scene.frame_set(2)
    apart = np.linalg.norm(places(mesh) - places(made), axis=1)
    # other weights, the same motion
    assert apart.mean() < 0.02 and np.percentile(apart, 99) < 0.10
    with pytest.raises(CaptureError, match="bound to clip already"):
        bind_mesh(mesh, armature, by_distance)


def test_where_blender_finds_no_weights() -> None:
    armature = build_scene(random_capture(3), "clip")
    made = add_body(armature)
    tiny = copy_of(made)  # as if modelled in other units
    tiny.data.transform(Matrix.Scale(1e-4, 4))
    tiny.modifiers.new("Smooth", "SMOOTH")
    tiny.vertex_groups.new(name="pinned").add([0, 1], 0.5, "REPLACE")
    with pytest.raises(CaptureError, match="no automatic weights for Mine"):
        bind_mesh(tiny, armature)
    assert [m.type for m in tiny.modifiers] == ["SMOOTH"] and tiny.parent is None
    assert [group.name for group in tiny.vertex_groups] == ["pinned"]
    bind_mesh(tiny, armature, by_distance=True)
    assert [m.type for m in tiny.modifiers] == ["SMOOTH", "ARMATURE"]
    weights = [[e.weight for e in v.groups if e.group > 0] for v in tiny.data.vertices]
    assert all(abs(sum(w) - 1) < 1e-6 and 1 <= len(w) <= MOST_BONES for w in weights)


def test_meshes_that_are_kept_as_they_are() -> None:
    armature = build_scene(random_capture(3), "clip")
    other = build_armature("Other", TEMPLATE_OFFSETS, bpy.context.scene.collection)
    theirs = add_body(other)
    before = [(m.type, m.object) for m in theirs.modifiers]
    for by_distance in (False, True):
        with pytest.raises(CaptureError, match="bound to Other already"):
            bind_mesh(theirs, armature, by_distance)
    assert [(m.type, m.object) for m in theirs.modifiers] == before and theirs.parent == other
    empty = bpy.data.objects.new("Empty", bpy.data.meshes.new("Empty"))
    with pytest.raises(CaptureError, match="no faces"):
        bind_mesh(empty, armature)
    with pytest.raises(CaptureError, match="not a mesh"):
        bind_mesh(other, armature)
    weighted = copy_of(theirs)
    weighted.vertex_groups.new(name="hips").add([0], 1, "REPLACE")
    with pytest.raises(CaptureError, match="weights of its own"):
        bind_mesh(weighted, armature)
    assert weighted.vertex_groups["hips"].weight(0) == 1
