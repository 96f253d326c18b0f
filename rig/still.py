"""A picture of the armature in its scene, made without a graphics card: armatures themselves don't render."""

from __future__ import annotations

import math
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ..core.arrays import Array
from ..core.colours import LEFT, RIGHT, linear
from .export import written_by_blender
from .scene import node

#: width and height, pixels
_SIZE = (480, 640)
_LENS_MM = 50.0
#: samples of a pixel with and without the denoiser, which halves the time; Debian's Blender lacks it
_SAMPLES = {True: 4, False: 12}
#: angle from where the person faces to the camera
_AZIMUTH = math.radians(35)
#: angle from the level to the camera
_ELEVATION = math.radians(12)
#: colours of the bones by side, scene-linear
_COLOURS = {"L": linear(LEFT), "R": linear(RIGHT), "": (0.80, 0.80, 0.78)}


def render_still(path: Path, armature: bpy.types.Object, frame: int) -> None:
    """Render a PNG of the pose at `frame`: octahedral bones, left orange and right blue, seen from the front.

    The scene is left as it was.

    Raises
    ------
    CaptureError
        If the file can't be written or Blender can't render it.
    """
    source = bpy.context.scene
    before = source.frame_current
    source.frame_set(frame)
    scene = source.copy()  # linked objects, floor and light are shared
    made: list[bpy.types.Object] = []
    try:
        made = _figure(armature)
        for part in made:
            scene.collection.objects.link(part)
        scene.camera = facing_camera(armature)
        made.append(scene.camera)
        scene.collection.objects.link(scene.camera)
        _render(scene, path)
    finally:
        bpy.data.scenes.remove(scene)
        for part in made:
            data = part.data
            bpy.data.objects.remove(part)
            bpy.data.batch_remove([data, *getattr(data, "materials", ())])
        source.frame_set(before)


def _render(scene: bpy.types.Scene, path: Path) -> None:
    import _cycles  # a part of bpy that can be imported only after it

    render = scene.render
    render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.use_denoising = bool(_cycles.with_openimagedenoise)
    scene.cycles.samples = _SAMPLES[scene.cycles.use_denoising]
    scene.cycles.denoising_prefilter = "FAST"
    render.resolution_x, render.resolution_y = _SIZE
    render.resolution_percentage = 100
    render.image_settings.file_format = "PNG"
    render.use_file_extension = False
    with written_by_blender(path) as scratch:
        render.filepath = str(scratch)
        bpy.ops.render.render(write_still=True, scene=scene.name)


def _figure(armature: bpy.types.Object) -> list[bpy.types.Object]:
    """Octahedra for the posed bones, balls on the joints, and rods where a bone does not touch its parent."""
    shapes: dict[str, list[tuple[Array, Array]]] = {side: [] for side in _COLOURS}
    for bone in armature.pose.bones:
        side = bone.name.rpartition(".")[2] if "." in bone.name else ""
        head, tail = np.array(bone.head), np.array(bone.tail)
        across, forwards = np.array(bone.x_axis), np.array(bone.z_axis)
        width = 0.09 * bone.length + 0.012
        shapes[side].append(_octahedron(head, tail, across * width, forwards * width, 0.12))
        shapes[side].append(_ball(head, 0.55 * width + 0.006))
        if bone.name == "head":
            shapes[side].append(_ball((head + tail) / 2, 0.55 * bone.length))
        if bone.parent and not bone.bone.use_connect:
            start = np.array(bone.parent.head if bone.parent.name == "hips" else bone.parent.tail)
            shapes[side].append(_octahedron(start, head, across * 0.012, forwards * 0.012, 0.5))
    out = []
    for side, parts in shapes.items():
        vertices, faces, count = [], [], 0
        for points, corners in parts:
            vertices.append(points)
            faces.extend((corners + count).tolist())
            count += len(points)
        mesh = bpy.data.meshes.new("Still")
        mesh.from_pydata(np.concatenate(vertices).tolist(), [], faces)
        material = bpy.data.materials.new("Still")
        shader = node(material, "BSDF_PRINCIPLED")
        shader.inputs["Base Color"].default_value = (*_COLOURS[side], 1)
        shader.inputs["Roughness"].default_value = 0.5
        mesh.materials.append(material)
        part = bpy.data.objects.new("Still", mesh)
        part.matrix_world = armature.matrix_world
        out.append(part)
    return out


def _octahedron(
    head: Array,
    tail: Array,
    across: Array,
    up: Array,
    waist: float,
) -> tuple[Array, Array]:
    middle = head + waist * (tail - head)
    points = np.stack([head, middle + across, middle + up, middle - across, middle - up, tail])
    sides = [(i, i % 4 + 1) for i in range(1, 5)]
    return points, np.array([(0, b, a) for a, b in sides] + [(5, a, b) for a, b in sides])


def _ball(centre: Array, radius: float) -> tuple[Array, Array]:
    rings, around = 8, 12
    polar = np.linspace(0, np.pi, rings + 1)[:, None]
    turn = np.linspace(0, 2 * np.pi, around, endpoint=False)[None]
    unit = np.stack(
        [np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar) + 0 * turn], axis=-1
    )
    corner = np.arange((rings + 1) * around).reshape(rings + 1, around)
    beside = np.roll(corner, -1, axis=1)
    faces = np.stack([corner[:-1], corner[1:], beside[1:], beside[:-1]], axis=-1).reshape(-1, 4)
    return centre + radius * unit.reshape(-1, 3), faces


def facing_camera(armature: bpy.types.Object) -> bpy.types.Object:
    """A camera that sees the whole posed figure from where the hips face, turned a little to the side."""
    ends = [armature.matrix_world @ end for bone in armature.pose.bones for end in (bone.head, bone.tail)]
    points = np.array(ends)
    middle = Vector((points.min(axis=0) + points.max(axis=0)) / 2)
    hips = armature.pose.bones["hips"]
    facing = armature.matrix_world.to_3x3() @ hips.z_axis  # forwards, as the bone's rest frame has it
    heading = math.atan2(facing.y, facing.x) + _AZIMUTH
    back = Vector(
        (
            math.cos(heading) * math.cos(_ELEVATION),
            math.sin(heading) * math.cos(_ELEVATION),
            math.sin(_ELEVATION),
        )
    )
    data = bpy.data.cameras.new("Still")
    data.lens = _LENS_MM
    placed = bpy.data.objects.new("Still", data)
    turn = back.to_track_quat("Z", "Y").to_matrix()
    inside = np.array([turn.transposed() @ (Vector(p) - middle) for p in points])
    # AUTO sensor fit: the film's 36 mm lie along the longer side
    slope = np.array(_SIZE) / max(_SIZE) * 18.0 / _LENS_MM
    distance = (np.abs(inside[:, :2]) / slope * 1.15 + inside[:, 2:]).max()
    placed.matrix_world = Matrix.LocRotScale(middle + back * float(distance), turn, None)
    return placed
