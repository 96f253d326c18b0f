"""A captured motion in the scene that the artist works in, which is otherwise left as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy
from mathutils import Vector

from ..core.motion import Motion
from ..core.options import CleanUp
from .armature import build_armature
from .cleanup import animate_cleaned
from .scene import frame_rate
from .versions import current_window


def is_still(scene: bpy.types.Scene) -> bool:
    """Whether no object of a scene is animated, so that its range and frame rate are nobody's choice yet."""
    animations = (obj.animation_data for obj in scene.objects)
    return not any(one is not None and (one.action or one.nla_tracks) for one in animations)


def add_result(
    scene: bpy.types.Scene, motion: Motion, name: str, video_rate: bool, place: Vector
) -> tuple[bpy.types.Object, bpy.types.Action]:
    """Add an armature that plays `motion`, its feet planted, to a scene.

    Parameters
    ----------
    scene : bpy.types.Scene
    motion : Motion
    name : str
        Name of the armature and of its action.
    video_rate : bool
        Whether the scene takes over the video's frame rate; otherwise the motion is keyed at the scene's.
    place : Vector
        Of the armature in the world, metres.

    Returns
    -------
    armature, action
        The armature is selected and active, unless the artist was busy in another mode or scene: then they
        stay there. The scene's range is made longer where the motion is; if nothing moved in it, it becomes
        the motion's.
    """
    still = is_still(scene)
    with _object_mode(scene):
        layer = bpy.context.view_layer.active_layer_collection
        armature = build_armature(
            name, motion.offsets, layer.collection if layer.is_visible else scene.collection
        )
        armature.location = place
        if video_rate:
            scene.render.fps, scene.render.fps_base = frame_rate(motion.fps)
        action = animate_cleaned(armature, motion, name, scene.render.fps / scene.render.fps_base, CleanUp())
        first, last = (round(frame) for frame in action.frame_range)
        scene.frame_start = first if still else scene.frame_start
        scene.frame_end = last if still else max(scene.frame_end, last)
    return armature, action


@contextmanager
def _object_mode(scene: bpy.types.Scene) -> Iterator[None]:
    """Go to Object Mode of `scene`, and back to what the artist was doing if that was something else."""
    active = bpy.context.view_layer.objects.active
    mode = active.mode if active is not None else "OBJECT"
    before = bpy.context.scene
    selected = list(bpy.context.selected_objects)
    elsewhere = scene != before
    if mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    if elsewhere:
        current_window().scene = scene
    try:
        yield
    finally:
        if elsewhere:
            current_window().scene = before
        if mode != "OBJECT":
            for other in bpy.context.selected_objects:
                other.select_set(other in selected)
            for other in selected:
                other.select_set(True)
            bpy.context.view_layer.objects.active = active
            bpy.ops.object.mode_set(mode=mode)
