"""The body on a captured armature: the mannequin fitted to its bones, or the artist's own mesh, bound."""

from __future__ import annotations

import bpy
import numpy as np

from ..core.arrays import Array, Floats
from ..core.colours import LEFT, RIGHT, linear
from ..core.errors import CaptureError
from ..core.mannequin import largest, mannequin
from ..core.skeleton import INDEX, JOINTS, PARENTS, lengths_of, rest_offsets, standing_height
from .scene import node

#: custom property that marks the object of a body that Kinelift made
BODY_PROPERTY = "kinelift_body"
#: materials of the two sides, scene-linear
COLOURS = {"Kinelift Left": linear(LEFT), "Kinelift Right": linear(RIGHT)}
#: how far a joint may lie from its place in the T-pose, as a share of the height
_ASKEW = 0.02
#: power of the distance by which a farther bone's share fades
_FADING = 6
#: how often the shares of neighbouring vertices are averaged
_EVENING = 4
#: added to distances, as a share of the longest bone: on a bone's very axis the others don't vanish at once
_SLACK = 0.02


def add_body(armature: bpy.types.Object) -> bpy.types.Object:
    """Build the mannequin around the bones of a captured armature and bind it.

    An armature modifier moves it: linear blend skinning. It replaces a body that was added before. The
    selection stays as it is.

    Parameters
    ----------
    armature : bpy.types.Object
        Made by `build_armature`, and perhaps moved, scaled or animated since.

    Returns
    -------
    bpy.types.Object
        The mesh object, a child of the armature, with a vertex group for each bone and one material for each
        side.

    Raises
    ------
    CaptureError
        If bones are missing, have no length or are not in the T-pose in Edit Mode.
    """
    offsets, hips = rest_of(armature)
    body = mannequin(offsets)
    before = body_of(armature)
    if before is not None:
        _remove(before)
    mesh = bpy.data.meshes.new(f"{armature.name} Body")
    count = len(body.faces)
    mesh.vertices.add(len(body.vertices))
    mesh.vertices.foreach_set("co", (body.vertices + hips).astype(np.float32).ravel())
    mesh.loops.add(4 * count)
    mesh.loops.foreach_set("vertex_index", body.faces.astype(np.int32).ravel())
    mesh.polygons.add(count)
    mesh.polygons.foreach_set("loop_start", np.arange(0, 4 * count, 4, dtype=np.int32))
    mesh.polygons.foreach_set("material_index", np.where(body.left, 0, 1).astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(count, dtype=bool))
    mesh.update(calc_edges=True)
    for name in COLOURS:
        mesh.materials.append(_material(name))
    made = bpy.data.objects.new(mesh.name, mesh)
    made[BODY_PROPERTY] = True
    (armature.users_collection or (bpy.context.scene.collection,))[0].objects.link(made)
    made.parent = armature
    _set_weights(made, body.weights)
    _add_modifier(made, armature)
    return made


def body_of(armature: bpy.types.Object) -> bpy.types.Object | None:
    """The body that Kinelift made for an armature, if there is one."""
    return next((child for child in armature.children if child.get(BODY_PROPERTY)), None)


def rest_of(armature: bpy.types.Object) -> tuple[Floats, Floats]:
    """Rest offsets (J, 3) of the joints of a captured armature, and its hips (3,), in the object's space.

    Raises
    ------
    CaptureError
        If Kinelift didn't make the armature, or its rest pose was changed.
    """
    bones = armature.data.bones if armature.type == "ARMATURE" else {}
    missing = [name for name in JOINTS if name not in bones]
    if missing:
        raise CaptureError(
            f"{armature.name} lacks the bone '{missing[0]}', so it can't be dressed; choose an armature that "
            "Kinelift captured."
        )
    heads = np.array([bones[name].head_local for name in JOINTS], dtype=float)
    offsets = heads - heads[[max(parent, 0) for parent in PARENTS]]
    lengths = lengths_of(offsets)
    askew = np.linalg.norm(offsets - rest_offsets(lengths), axis=1)
    if askew.max() > _ASKEW * float(standing_height(lengths)):
        raise CaptureError(
            f"The rest pose of {armature.name} is no longer the T-pose of its capture: the bone "
            f"'{JOINTS[int(askew.argmax())]}' was moved. Add the armature once more with From File, or bind "
            "a mesh of your own."
        )
    return offsets, heads[INDEX["hips"]]


def bind_mesh(mesh: bpy.types.Object, armature: bpy.types.Object, by_distance: bool = False) -> None:
    """Bind the artist's own mesh to an armature, where it is now relative to the rest pose.

    Vertex groups of other names, modifiers and shape stay as they are.

    Parameters
    ----------
    mesh : bpy.types.Object
    armature : bpy.types.Object
    by_distance : bool
        Weights by the distance to the bones, which work for every mesh, not Blender's automatic ones.

    Raises
    ------
    CaptureError
        If the mesh has no faces, is bound already, can't be edited, or Blender finds no automatic weights.
        The mesh is then as it was.
    """
    _check_free(mesh, armature)
    bones = [bone.name for bone in armature.data.bones if bone.use_deform]
    kept = [group.name for group in mesh.vertex_groups if group.name in bones]
    if kept:
        raise CaptureError(
            f"{mesh.name} has weights of its own for the bone '{kept[0]}'; they were kept. Give it an "
            "armature modifier to use them, or remove its vertex groups to bind it anew."
        )
    if by_distance:
        into = armature.matrix_world.inverted() @ mesh.matrix_world
        turn, shift = np.array(into.to_3x3()), np.array(into.translation)
        points = np.empty(3 * len(mesh.data.vertices), dtype=np.float32)
        mesh.data.vertices.foreach_get("co", points)
        ends = [(bone.head_local, bone.tail_local) for bone in armature.data.bones if bone.use_deform]
        edges = np.empty(2 * len(mesh.data.edges), dtype=np.int32)
        mesh.data.edges.foreach_get("vertices", edges)
        weights = distance_weights(
            points.reshape(-1, 3) @ turn.T + shift, np.array(ends, dtype=float), edges.reshape(-1, 2)
        )
        _set_weights(mesh, weights, bones)
        _add_modifier(mesh, armature)
        world = mesh.matrix_world.copy()
        mesh.parent = armature
        mesh.matrix_world = world
        return
    parent, world, modifiers = mesh.parent, mesh.matrix_world.copy(), list(mesh.modifiers)
    with bpy.context.temp_override(
        object=armature, active_object=armature, selected_objects=[mesh, armature],
        selected_editable_objects=[mesh, armature],
    ):  # fmt: skip
        bpy.ops.object.parent_set(type="ARMATURE_AUTO", keep_transform=True)
    if _unweighted(mesh, bones):
        for group in [group for group in mesh.vertex_groups if group.name in bones]:
            mesh.vertex_groups.remove(group)
        for modifier in [m for m in mesh.modifiers if m not in modifiers]:
            mesh.modifiers.remove(modifier)
        mesh.parent = parent
        mesh.matrix_world = world
        raise CaptureError(
            f"Blender finds no automatic weights for {mesh.name}: parts of it lie where no bone sees them, "
            "overlap, or it is not to scale with the armature. Bind it by distance, or merge its doubled "
            "vertices and try again."
        )


def _check_free(mesh: bpy.types.Object, armature: bpy.types.Object) -> None:
    if mesh.type != "MESH":
        raise CaptureError(f"{mesh.name} is not a mesh; choose the mesh that {armature.name} is to move.")
    if mesh.library is not None or mesh.data.library is not None:
        raise CaptureError(f"{mesh.name} is linked from another file and can't be bound; append it instead.")
    if len(mesh.data.polygons) == 0:
        raise CaptureError(f"{mesh.name} has no faces, so there is nothing to bind; choose another mesh.")
    bound = [m.object for m in mesh.modifiers if m.type == "ARMATURE" and m.object is not None]
    if mesh.parent is not None and mesh.parent.type == "ARMATURE" and mesh.parent_type == "ARMATURE":
        bound.append(mesh.parent)
    if bound:
        raise CaptureError(
            f"{mesh.name} is bound to {bound[0].name} already and was left so; to bind it to "
            f"{armature.name}, duplicate it and remove its armature modifier."
        )


def _unweighted(mesh: bpy.types.Object, bones: list[str]) -> bool:
    """Whether some vertices are moved by none of the bones."""
    indices = {group.index for group in mesh.vertex_groups if group.name in bones}
    return any(
        not any(entry.group in indices and entry.weight > 0 for entry in vertex.groups)
        for vertex in mesh.data.vertices
    )


def distance_weights(points: Array, bones: Floats, edges: Array) -> Floats:
    """Weights (V, B) that fade with the distance to each bone and are averaged along the mesh.

    Parameters
    ----------
    points : (V, 3)
    bones : (B, 2, 3)
        Heads and tails, in the same space.
    edges : (E, 2)
    """
    along = bones[:, 1] - bones[:, 0]
    square = np.maximum((along**2).sum(1), 1e-12)
    share = np.clip(((points[:, None] - bones[:, 0]) * along).sum(-1) / square, 0, 1)
    apart = np.linalg.norm(points[:, None] - bones[:, 0] - share[..., None] * along, axis=-1)
    least = apart.min(1, keepdims=True)
    slack = _SLACK * np.sqrt(square.max())
    weights = ((least + slack) / (apart + slack)) ** _FADING
    weights /= weights.sum(1, keepdims=True)
    valence = np.bincount(edges.ravel(), minlength=len(points))[:, None]
    for _ in range(_EVENING):
        sums = np.zeros_like(weights)
        np.add.at(sums, edges[:, 0], weights[edges[:, 1]])
        np.add.at(sums, edges[:, 1], weights[edges[:, 0]])
        weights = np.where(valence > 0, (weights + sums / np.maximum(valence, 1)) / 2, weights)
    return largest(weights)


def _set_weights(
    owner: bpy.types.Object, weights: Floats, names: list[str] | tuple[str, ...] = JOINTS
) -> None:
    """Make vertex groups of weights (V, J); vertices of equal weight are added in one call."""
    for column, name in zip(weights.T.astype(np.float32), names, strict=True):
        group = owner.vertex_groups.new(name=name)
        moved = np.flatnonzero(column)
        if len(moved) == 0:
            continue
        moved = moved[np.argsort(column[moved], kind="stable")]
        values, first = np.unique(column[moved], return_index=True)
        for value, vertices in zip(values.tolist(), np.split(moved, first[1:]), strict=True):
            group.add(vertices.tolist(), value, "REPLACE")


def _add_modifier(mesh: bpy.types.Object, armature: bpy.types.Object) -> None:
    modifier = mesh.modifiers.new(armature.name, "ARMATURE")
    modifier.object = armature
    modifier.use_vertex_groups = True
    modifier.use_bone_envelopes = False
    modifier.use_deform_preserve_volume = False


def _material(name: str) -> bpy.types.Material:
    """One of the two materials that all bodies of the file share."""
    found = bpy.data.materials.get(name)
    if found is not None:
        return found
    material = bpy.data.materials.new(name)
    material.diffuse_color = (*COLOURS[name], 1)
    material.roughness = 0.5
    shader = node(material, "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*COLOURS[name], 1)
    shader.inputs["Roughness"].default_value = 0.5
    return material


def _remove(body: bpy.types.Object) -> None:
    mesh = body.data
    bpy.data.objects.remove(body)
    if mesh.users == 0:
        bpy.data.meshes.remove(mesh)
