"""A captured motion in the scene that the artist works in, which is otherwise left as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import bpy
import numpy as np
from mathutils import Vector

from ..core.capture import Capture
from ..core.motion import Motion
from ..core.options import CARRY, CleanUp
from .action import FIRST_FRAME
from .armature import build_armature
from .camera import fit_cameras
from .cleanup import animate_again, animate_cleaned, base_name, raw_action
from .fit import artist_kept, fit
from .read import check_captured
from .scene import frame_rate
from .takes import check_replaceable, motion_of, noted_offsets, use_take
from .versions import current_window

#: custom property of an action for a camera that is kept still: that of the person in the room
_ROOM = "kinelift_room"
#: what marks the collection of those who were captured at once, a custom property
_TOGETHER = "kinelift_together"


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


def gather(armatures: Sequence[bpy.types.Object], name: str) -> None:
    """Put the armatures of one capture into a collection of their own, within that in which they are.

    If the last one was active, the first one is, and all of them are selected.
    """
    layer = bpy.context.view_layer
    shown = layer.objects.active == armatures[-1]
    (around,) = armatures[0].users_collection
    together = bpy.data.collections.new(name)
    together[_TOGETHER] = True
    around.children.link(together)
    for armature in armatures:
        together.objects.link(armature)
        around.objects.unlink(armature)
    if shown:
        for armature in armatures:
            armature.select_set(True)
        layer.objects.active = armatures[0]


def captured_with(armature: bpy.types.Object) -> list[bpy.types.Object]:
    """The other armatures of the capture that an armature is of, which one camera filmed."""
    return [
        one
        for collection in armature.users_collection
        if _TOGETHER in collection
        for one in collection.objects
        if one.type == "ARMATURE" and one != armature
    ]


@contextmanager
def _object_mode(scene: bpy.types.Scene) -> Iterator[None]:
    """Go to Object Mode of `scene`, and back to what the artist was doing if that was something else."""
    active = bpy.context.view_layer.objects.active
    before = bpy.context.scene
    with artist_kept() if active is not None and active.mode != "OBJECT" else nullcontext():
        if scene != before:
            current_window().scene = scene
        try:
            yield
        finally:
            if scene != before:
                current_window().scene = before


def renew_result(
    armature: bpy.types.Object,
    capture: Capture,
    how: CleanUp,
    fps: float,
    first: int = FIRST_FRAME,
    way: str = CARRY,
) -> bpy.types.Action:
    """Give a captured armature that is there, perhaps in use, the motion of another solve of its video.

    Its bones, the mannequin and the capture camera fit the new solve; whatever else the artist made of it
    stays, and so does what it played (`takes`).

    Parameters
    ----------
    armature : bpy.types.Object
    capture : Capture
    how : CleanUp
        Of the feet.
    fps : float
        The scene's frames per second.
    first : int
        Frame of the scene for the motion's first frame.
    way : str
        What becomes of the artist's edits in what it plays: one of `options.EDITS`.

    Returns
    -------
    bpy.types.Action
        The cleaned one, which `armature` plays.

    Raises
    ------
    CaptureError
        If it lacks captured bones or can't be animated; it is left as it was.
    """
    check_captured(armature)
    check_replaceable(armature)
    before = motion_of(armature)
    name = armature.name if before is None else base_name(before)
    fit(armature, capture.motion.offsets)
    fit_cameras(armature, capture, fps, first)
    return animate_again(armature, capture.motion, name, fps, how, first, way)


def keep_camera_still(
    armature: bpy.types.Object, capture: Capture, how: CleanUp, fps: float, way: str = CARRY
) -> bpy.types.Action:
    """Give a captured armature a motion in the place of its camera's, to go back from with `in_room`.

    Parameters
    ----------
    armature, how, fps, way
        See `renew_result`.
    capture : Capture
        Of `Capture.with_still_camera`, from what the armature plays.

    Returns
    -------
    bpy.types.Action
        The cleaned one, which `armature` plays, on the frames of the one before.

    Raises
    ------
    CaptureError
        See `renew_result`.
    """
    before = motion_of(armature)
    first = FIRST_FRAME if before is None else round(before.frame_range[0])
    action = renew_result(armature, capture, how, fps, first, way)
    for made in (action, raw_action(action)):
        made[_ROOM] = before
    return action


def in_room(action: bpy.types.Action | None) -> bpy.types.Action | None:
    """The motion in the room that one of `keep_camera_still` was made from; None for any other."""
    return action.get(_ROOM) if action is not None else None


def play_take(owner: bpy.types.Object, take: bpy.types.Action) -> None:
    """Let an armature play one of its takes, on the bones that it was made for; what it played is kept.

    Raises
    ------
    CaptureError
        See `takes.check_replaceable`.
    """
    use_take(owner, take)
    offsets = noted_offsets(take)
    if offsets is not None:
        fit(owner, np.reshape(offsets, (-1, 3)))
