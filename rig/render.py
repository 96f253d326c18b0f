"""Pictures and films of the body, rendered by Workbench: a still, a turntable, beside the video."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..core.capture import Capture
from ..core.clips import PICTURE_ENDINGS, pictures_of
from ..core.errors import CaptureError
from ..core.motion import Motion
from .action import FIRST_FRAME, Curves
from .camera import placing_of, video_frames
from .export import written_by_blender
from .still import facing_camera
from .versions import current_window, render_as_film, strips_of

#: width and height of a still, pixels
_STILL_SIZE = (720, 960)
#: width and height of a turntable, pixels
_TURNTABLE_SIZE = (720, 720)
#: greatest height of the film beside the video, pixels
_HIGHEST = 720
_LENS_MM = 50.0
#: share of the turntable's height that an upright person takes
_SHARE = 0.62
#: angle from the level to the turntable's camera
_ELEVATION = math.radians(8)
#: colour behind the person
_BACKDROP = (0.55, 0.58, 0.62)


def render(
    kind: str, path: Path, armature: bpy.types.Object, capture: Capture, video: Path | None = None
) -> None:
    """Render the current scene and leave it as it was.

    Parameters
    ----------
    kind : str
        One of `options.RENDERS`: a PNG of the middle frame, an MP4 that turns once round the moving person,
        or an MP4 of the video beside what the capture camera sees.
    path : Path
    armature : bpy.types.Object
        It has a body.
    capture : Capture
        What it plays, and the camera that filmed.
    video : Path, optional
        For ``side-by-side``.

    Raises
    ------
    CaptureError
        If the video is not there, Blender can't render it, or the file can't be written.
    """
    source = bpy.context.scene
    if kind == "side-by-side" and (video is None or not _readable(video)):
        raise CaptureError(
            f"The video {video or capture.source.video} is not there, so nothing can be rendered "
            "beside it; put it beside the motion."
        )
    before, window = source.frame_current, current_window()
    with _made() as made:
        scene = source.copy()
        made.append(scene)
        made.append(_workbench(scene))
        window.scene = scene
        try:
            if kind == "still":
                scene.frame_set((scene.frame_start + scene.frame_end) // 2)
                scene.camera = facing_camera(armature)
                made.extend([scene.camera, scene.camera.data])
                scene.collection.objects.link(scene.camera)
                scene.render.resolution_x, scene.render.resolution_y = _STILL_SIZE
                _picture(scene, path)
            elif kind == "turntable":
                made.extend(_turning_camera(scene, armature, capture.motion))
                scene.render.resolution_x, scene.render.resolution_y = _TURNTABLE_SIZE
                _film(scene, path)
            else:
                assert video is not None
                made.append(_beside(scene, capture, video))
                window.scene = made[-1]
                _film(made[-1], path)
        finally:
            window.scene = source
    source.frame_set(before)


@contextmanager
def _made() -> Iterator[list[Any]]:
    """A list for what is made for a render; at the end all of it is removed."""
    made: list[Any] = []
    try:
        yield made
    finally:
        actions = [m.animation_data.action for m in made if getattr(m, "animation_data", None)]
        for scene in [m for m in made if isinstance(m, bpy.types.Scene)][::-1]:
            bpy.data.scenes.remove(scene)
        bpy.data.batch_remove([m for m in made if not isinstance(m, bpy.types.Scene)])
        bpy.data.batch_remove([a for a in actions if a is not None and a.users == 0])


def _workbench(scene: bpy.types.Scene) -> bpy.types.World:
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.resolution_percentage = 100
    scene.render.use_file_extension = False
    scene.view_settings.view_transform = "Standard"
    scene.display.render_aa = "5"
    shading = scene.display.shading
    shading.light, shading.color_type = "STUDIO", "MATERIAL"
    shading.show_cavity = shading.show_shadows = True
    shading.cavity_type = "WORLD"
    shading.shadow_intensity = 0.35
    # Workbench shows the world's own colour, not its nodes
    scene.world = bpy.data.worlds.new("Backdrop")
    scene.world.color = _BACKDROP
    return scene.world


def _picture(scene: bpy.types.Scene, path: Path) -> None:
    scene.render.image_settings.file_format = "PNG"
    with written_by_blender(path) as scratch:
        scene.render.filepath = str(scratch)
        bpy.ops.render.render(write_still=True, scene=scene.name)


def _film(scene: bpy.types.Scene, path: Path) -> None:
    render_as_film(scene.render.image_settings)
    scene.render.ffmpeg.format = "MPEG4"
    scene.render.ffmpeg.codec = "H264"
    scene.render.ffmpeg.constant_rate_factor = "HIGH"
    scene.render.ffmpeg.audio_codec = "NONE"
    with written_by_blender(path) as scratch:
        scene.render.filepath = str(scratch)
        bpy.ops.render.render(animation=True, scene=scene.name)


def _turning_camera(scene: bpy.types.Scene, armature: bpy.types.Object, motion: Motion) -> list[Any]:
    """Give the scene a camera that goes round the person once; returns what was made for it."""
    data = bpy.data.cameras.new("Turntable")
    data.lens = _LENS_MM
    camera = bpy.data.objects.new("Turntable", data)
    pivot = bpy.data.objects.new("Turntable", None)
    for one in (camera, pivot):
        scene.collection.objects.link(one)
    camera.parent = pivot
    # the film's 36 mm lie along the picture, which is square
    distance = motion.height / _SHARE * _LENS_MM / data.sensor_width
    camera.location = (0, -distance * math.cos(_ELEVATION), distance * math.sin(_ELEVATION))
    camera.rotation_euler = (math.pi / 2 - _ELEVATION, 0, 0)
    pivot.location = (0, 0, 0.5 * motion.height)
    follow = pivot.constraints.new("COPY_LOCATION")
    follow.target, follow.subtarget, follow.use_z = armature, "hips", False
    curves = Curves(bpy.data.actions.new("Turntable"), pivot)
    ends = np.array([scene.frame_start, scene.frame_end + 1], dtype=float)
    curves.add("rotation_euler", 2, "Turntable", ends, np.array([0, 2 * math.pi]), "LINEAR")
    scene.camera = camera
    return [camera, data, pivot]


def _readable(video: Path) -> bool:
    return os.access(next((picture for _, picture in pictures_of(video)), video), os.R_OK)


def _beside(scene: bpy.types.Scene, capture: Capture, video: Path) -> bpy.types.Scene:
    """A scene that shows the video on the left and `scene`, through the capture camera, on the right."""
    width, height = capture.camera.size
    scale = min(1.0, _HIGHEST / height)
    # films have an even number of pixels each way
    wide, high = (max(2 * round(scale * side / 2), 2) for side in (width, height))
    scene.render.resolution_x, scene.render.resolution_y = wide, high
    both = bpy.data.scenes.new("Side by Side")
    both.frame_start, both.frame_end = scene.frame_start, scene.frame_end
    both.render.fps, both.render.fps_base = scene.render.fps, scene.render.fps_base
    both.render.resolution_x, both.render.resolution_y = 2 * wide, high
    both.render.resolution_percentage = 100
    both.render.use_file_extension = False
    both.view_settings.view_transform = "Standard"
    strips = strips_of(both.sequence_editor_create())
    frames = np.arange(scene.frame_start, scene.frame_end + 1)
    pictures = pictures_of(video) or ([(1, video)] if video.suffix.lower() in PICTURE_ENDINGS else [])
    clip = bpy.data.movieclips.load(str(pictures[0][1] if pictures else video))
    # pictures have the motion's rate
    rate = clip.fps or capture.motion.fps
    wanted = video_frames(capture.motion, scene.render.fps / scene.render.fps_base, rate, frames)
    count, shown = clip.frame_duration, clip.size[:]
    if pictures:
        count = pictures[-1][0] - pictures[0][0] + 1
    placing = placing_of(capture)
    across, down = (high / height * side / own for side, own in zip(placing.size, shown, strict=True))
    wanted = np.clip(wanted, FIRST_FRAME, count)
    bpy.data.movieclips.remove(clip)
    # where the rates differ, a strip for every run of frames that follow each other
    starts = np.flatnonzero(np.diff(wanted, prepend=wanted[0] - 2) != 1)
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(frames)], strict=True)):
        if pictures:
            numbers = [one for one, _ in pictures]
            at = np.searchsorted(numbers, numbers[0] + wanted[start:end] - 1, side="right") - 1
            strip = strips.new_image(
                f"Video {number}", str(pictures[at[0]][1]), 1, int(frames[start]), fit_method="FIT"
            )
            for one in at[1:]:
                strip.elements.append(pictures[one][1].name)
        else:
            strip = strips.new_movie(
                f"Video {number}", str(video), 1, int(frames[start] - wanted[start] + 1), fit_method="FIT"
            )
            strip.frame_offset_start = int(wanted[start] - 1)
        strip.frame_final_duration = int(end - start)
        strip.transform.scale_x, strip.transform.scale_y = across, down
        # a strip is mirrored last, with its place and its turn
        strip.use_flip_x = placing.mirrored
        side = -1 if placing.mirrored else 1
        strip.transform.offset_x = side * -wide / 2
        strip.transform.rotation = side * -math.radians(placing.turn)
        strip.channel = 1
    strip = strips.new_scene("Body", scene, 2, scene.frame_start)
    strip.transform.offset_x = wide / 2
    strip.transform.scale_x = strip.transform.scale_y = 1.0
    return both
