"""Add the armature of a captured motion to the scene: what Capture, Re-solve and Rebuild end with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ..state.jobs import queue

if TYPE_CHECKING:  # importing numpy takes longer than enabling an add-on may
    from ..core.capture import Capture


def build(path: Path, name: str, scene_name: str, video_rate: bool) -> bpy.types.Object:
    """Add an armature that plays the motion of a file and keeps its quality and warnings.

    Parameters
    ----------
    path : Path
        The .npz.
    name : str
        Name of the clip.
    scene_name : str
        Scene that gets the armature; the current one if that scene is gone.
    video_rate : bool
        Whether the scene takes over the video's frame rate.

    Raises
    ------
    CaptureError
        If the file is missing or damaged.
    """
    # importing numpy takes longer than enabling an add-on may
    from ..core.capture import Capture
    from ..rig.result import add_result

    capture = Capture.load(path)
    scene = bpy.data.scenes.get(scene_name) or bpy.context.scene
    armature, action = add_result(scene, capture.motion, name, video_rate)
    describe(armature, action, capture, path)
    scene.kinelift.last_motion = queue.last_motion = str(path)
    return armature


def describe(armature: bpy.types.Object, action: bpy.types.Action, capture: Capture, path: Path) -> None:
    """Note the quality and the warnings of a capture, a file at `path`, with the armature that plays it."""
    from ..core.quality import detected_share, shares, unsure_stretches

    result = armature.kinelift
    result.unsure.clear()
    result.warnings.clear()
    result.motion = str(path)
    result.video = capture.source.video
    result.detected = detected_share(capture)
    known = shares(capture)
    for state in ("guessed_limbs", "off_picture", "unsure_sides"):
        setattr(result, state, known[state])
    first, last = action.frame_range
    per_frame = (last - first) / max(len(capture) - 1, 1)
    for begin, end, limb in unsure_stretches(capture):
        stretch = result.unsure.add()
        stretch.name = limb
        stretch.first, stretch.last = round(first + begin * per_frame), round(first + end * per_frame)
    for warning in capture.warnings:
        result.warnings.add().name = warning
