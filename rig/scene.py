"""A scene that is ready to play: armature, frame rate, range, the camera that filmed, floor and light."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np

from ..core.capture import Capture
from ..core.motion import Motion
from .action import animate
from .armature import build_armature
from .camera import add_cameras
from .cleanup import animate_both

#: how far the floor extends beyond the path of the hips, metres
_FLOOR_MARGIN = 15.0


def build_scene(capture: Capture, name: str, cleaned: Motion | None = None) -> bpy.types.Object:
    """Add a capture to the current scene, with camera, floor and light, and set its frame rate and range.

    Parameters
    ----------
    capture : Capture
    name : str
        Name of the scene, the armature and the action.
    cleaned : Motion, optional
        The capture's motion after a clean-up: it is played, and the raw action is kept beside it.

    Returns
    -------
    bpy.types.Object
        The armature object, selected and active; the scene is at its first frame.
    """
    scene, motion = bpy.context.scene, capture.motion
    scene.name = name
    scene.render.fps, scene.render.fps_base = frame_rate(motion.fps)
    armature, action = _performer(scene, motion, name, cleaned)
    scene.frame_start, scene.frame_end = (round(frame) for frame in action.frame_range)
    add_cameras(scene, capture)
    _add_surroundings(scene, cleaned or motion)
    scene.frame_set(scene.frame_start)
    return armature


def add_beside(capture: Capture, name: str, cleaned: Motion) -> bpy.types.Object:
    """Add another person of a video to the scene that `build_scene` made for one; the armature."""
    armature, _ = _performer(bpy.context.scene, capture.motion, name, cleaned)
    return armature


def _performer(
    scene: bpy.types.Scene, motion: Motion, name: str, cleaned: Motion | None
) -> tuple[bpy.types.Object, bpy.types.Action]:
    """An armature that plays a motion, or what a clean-up made of it, at the scene's frame rate."""
    armature = build_armature(name, motion.offsets, scene.collection)
    fps = scene.render.fps / scene.render.fps_base
    if cleaned is None:
        return armature, animate(armature, motion, name, fps)
    return armature, animate_both(armature, motion, cleaned, name, fps)


def frame_rate(fps: float) -> tuple[int, float]:
    """Blender's `fps` and `fps_base` for frames per second: 29.97 is 30 / 1.001, 24 is 24 / 1."""
    whole = max(1, round(fps))
    ntsc = round(fps * 1.001)
    if math.isclose(fps, whole, rel_tol=1e-5):
        return whole, 1.0
    if math.isclose(fps, ntsc / 1.001, rel_tol=1e-5):
        return ntsc, 1.001
    return whole, whole / fps


def _add_surroundings(scene: bpy.types.Scene, motion: Motion) -> None:
    """A sun, a bright world and a floor with tiles of one metre at z = 0."""
    sun = bpy.data.lights.new("Sun", type="SUN")
    sun.energy = 4.0
    sun.angle = math.radians(3)
    light = bpy.data.objects.new("Sun", sun)
    light.location = (0, 0, 4)
    light.rotation_euler = (math.radians(40), math.radians(-15), math.radians(-30))
    scene.collection.objects.link(light)

    scene.world = bpy.data.worlds.new("World")
    background = node(scene.world, "BACKGROUND")
    background.inputs["Color"].default_value = (0.72, 0.80, 0.90, 1)
    background.inputs["Strength"].default_value = 0.5

    low = np.floor(motion.root[:, :2].min(axis=0) - _FLOOR_MARGIN)
    high = np.ceil(motion.root[:, :2].max(axis=0) + _FLOOR_MARGIN)
    corners = [(low[0], low[1], 0), (high[0], low[1], 0), (high[0], high[1], 0), (low[0], high[1], 0)]
    mesh = bpy.data.meshes.new("Floor")
    mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
    material = bpy.data.materials.new("Floor")
    shader = node(material, "BSDF_PRINCIPLED")
    shader.inputs["Roughness"].default_value = 0.9
    nodes, links = material.node_tree.nodes, material.node_tree.links
    tiles = nodes.new("ShaderNodeTexChecker")
    tiles.inputs["Color1"].default_value = (0.30, 0.31, 0.33, 1)
    tiles.inputs["Color2"].default_value = (0.40, 0.41, 0.43, 1)
    tiles.inputs["Scale"].default_value = 1.0
    links.new(nodes.new("ShaderNodeTexCoord").outputs["Object"], tiles.inputs["Vector"])
    links.new(tiles.outputs["Color"], shader.inputs["Base Color"])
    mesh.materials.append(material)
    scene.collection.objects.link(bpy.data.objects.new("Floor", mesh))


def node(owner: Any, kind: str) -> Any:
    """The node of a type in a new world or material, which has one of them."""
    if owner.node_tree is None:
        owner.use_nodes = True
    return next(n for n in owner.node_tree.nodes if n.type == kind)
