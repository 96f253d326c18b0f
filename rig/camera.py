"""The camera that filmed, as a Blender camera, with the video behind it."""

from __future__ import annotations

import os
import zlib
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt
from mathutils import Matrix

from ..core.camera import FILM_WIDTH_MM, Camera
from ..core.capture import Capture, Source
from ..core.clips import PICTURE_ENDINGS, is_clip, pictures_of
from ..core.errors import CaptureError
from ..core.motion import Motion
from ..core.rotations import continuous_quaternions, quaternion_from_matrix
from .action import FIRST_FRAME, Curves, Pace, cuts_at_rate
from .sampled import keys_of
from .takes import playing
from .versions import TURNS_VIDEOS, curves_of

#: what a video can be behind the camera
BACKGROUNDS = ("IMAGE", "MOVIE_CLIP")
#: what marks the empty on the floor, a custom property
FLOOR_PROPERTY = "kinelift_floor"
#: custom property of a camera: its shot, its lens and the 16 numbers of its place, as Kinelift set them
_SET = "kinelift_camera"
#: custom property of a camera that Kinelift animated: what tells its keys from others
_KEYS = "kinelift_camera_keys"
#: what Kinelift animates: of a camera that turns or travels, and of the data of one that zooms
_WAY, _LENS = ("location", "rotation_quaternion"), "lens"
#: what Kinelift animates of a camera's data where the video has another rate than the scene
_SHIFT = "background_images[0].image_user.frame_offset"
#: OpenCV's camera axes (y down, z forward) -> Blender's (y up, z backward)
_OPENCV_FROM_BLENDER = np.diag([1.0, -1.0, -1.0, 1.0])
#: metres
_FLOOR_SIZE = 0.5
#: a camera whose numbers differ by less is where it was put
_AS_SET = 1e-5
#: "The video is missing", on grey
_NOTICE = Path(__file__).with_name("video_missing.png")
#: longer side of the picture behind the camera that has it in its middle, pixels
_NOTICE_SIZE = 960


def add_cameras(
    scene: bpy.types.Scene, capture: Capture, parent: bpy.types.Object | None = None
) -> list[bpy.types.Object]:
    """Add the camera of each shot, see `add_camera`; where there are several, markers switch between them.

    A camera that moved is animated.
    """
    cameras = [add_camera(scene, shot.camera, parent, number) for number, shot in enumerate(capture.shots)]
    fps = scene.render.fps / scene.render.fps_base
    rate = fps / capture.motion.fps
    if len(cameras) > 1:
        for number, (camera, shot) in enumerate(zip(cameras, capture.motion.shots, strict=True), 1):
            camera.name = f"Camera Shot {number}"
            marker = scene.timeline_markers.new(
                f"Shot {number}", frame=FIRST_FRAME + round(shot.start * rate)
            )
            marker.camera = camera
        scene.camera = cameras[0]
    for number, camera in enumerate(cameras):
        _animate(camera, capture, number, fps, FIRST_FRAME)
    return cameras


def add_camera(
    scene: bpy.types.Scene, camera: Camera, parent: bpy.types.Object | None = None, shot: int = 0
) -> bpy.types.Object:
    """Add the camera that filmed to `scene`, make it the scene's camera and take over the picture's size.

    Parameters
    ----------
    scene : bpy.types.Scene
    camera : Camera
    parent : bpy.types.Object, optional
        The armature, wherever it is now: camera and armature keep seeing each other as they did.
    shot : int
        Which shot of the capture it filmed, from 0.
    """
    data = bpy.data.cameras.new("Camera")
    # AUTO: the sensor's 36 mm lie along the longer side, so that portrait works and mm are 35 mm equivalents
    data.sensor_fit = "AUTO"
    data.sensor_width = FILM_WIDTH_MM
    data.clip_end = 1000.0
    placed = bpy.data.objects.new("Camera", data)
    placed.parent = parent
    _set(placed, camera, shot)
    scene.collection.objects.link(placed)
    scene.camera = placed
    scene.render.resolution_x, scene.render.resolution_y = camera.size
    scene.render.resolution_percentage = 100
    scene.render.pixel_aspect_x = scene.render.pixel_aspect_y = 1.0
    return placed


def fit_cameras(armature: bpy.types.Object, capture: Capture, fps: float, first: int = FIRST_FRAME) -> None:
    """Give the capture cameras of an armature the lens and the way of another solve of the same video.

    Those that the artist has animated, moved or given another lens stay.

    Parameters
    ----------
    armature : bpy.types.Object
    capture : Capture
    fps : float
        The scene's frames per second.
    first : int
        Frame of the scene for the motion's first frame.
    """
    shots = capture.shots
    for placed in armature.children:
        shot = round(placed[_SET][0]) if _SET in placed else len(shots)
        if shot < len(shots) and _is_as_set(placed):
            _set(placed, shots[shot].camera, shot)
            _animate(placed, capture, shot, fps, first)


def _is_as_set(placed: bpy.types.Object) -> bool:
    """Whether a camera is as Kinelift has set and animated it."""
    animation = placed.animation_data
    if animation is not None and animation.nla_tracks:
        return False
    if _KEYS in placed:
        return bool(placed[_KEYS] == _keys(placed))
    animated = animation is not None and animation.action
    return not animated and np.allclose(placed[_SET][1:], _as_set(placed), atol=_AS_SET)


def _animate(placed: bpy.types.Object, capture: Capture, shot: int, fps: float, first: int) -> None:
    """Let a camera move and zoom as that of its shot did; what Kinelift animated before goes."""
    if placed.pop(_KEYS, None) is not None:
        _without(placed, _WAY)
        _without(placed.data, (_LENS,))
    own = capture.motion.shots[shot]
    moves, zooms = capture.camera_aside[own].any(), (capture.camera_zooms[own] != 1).any()
    if not (moves or zooms):
        return
    pace, cameras = Pace(capture.motion, fps), capture.cameras
    cuts = (0, *cuts_at_rate(capture.motion, fps, pace.frames), len(pace.frames))
    here = slice(*cuts[shot : shot + 2])
    frames = pace.frames[here] + first
    axes = np.swapaxes(cameras.camera_from_world[:, :3, :3], 1, 2) @ _OPENCV_FROM_BLENDER[:3, :3]
    turns = continuous_quaternions(pace.turns(quaternion_from_matrix(axes))[here])
    places = pace.blend(cameras.eyes)[here]
    if moves:
        placed.rotation_mode = "QUATERNION"
        curves = _curves(placed, placed.name)
        for path, values in zip(_WAY, (places, turns), strict=True):
            for index, column in enumerate(values.T):
                curves.add(path, index, "Object Transforms", frames, column, "LINEAR")
    if zooms:
        lens = pace.blend(cameras.focal)[here] * (capture.camera.focal_mm / capture.camera.focal)
        _curves(placed.data, f"{placed.name} Lens").add(_LENS, 0, "Lens", frames, lens, "LINEAR")
    placed[_KEYS] = _keys(placed)


def _keys(placed: bpy.types.Object) -> str:
    """What tells the keys of a camera, and of its lens, from others."""
    found = 0
    for owner in (placed, placed.data):
        action = playing(owner)
        for (path, index), curve in sorted((curves_of(action, owner) if action else {}).items()):
            if owner == placed or path == _LENS:
                found = zlib.crc32(f"{path} {index}".encode() + keys_of(curve).tobytes(), found)
    return f"{found:08x}"


def _curves(owner: bpy.types.ID, name: str) -> Curves:
    """The curves of what a camera, or its data, plays; by default of a new action of that name."""
    return Curves(playing(owner) or bpy.data.actions.new(name), owner)


def _without(owner: bpy.types.ID, paths: Container[str]) -> None:
    """Remove curves of a camera or its data, and let go of the action that has no others.

    Blender doesn't save an action without users. It isn't removed: Blender 4.3 crashes if that is undone.
    """
    action = playing(owner)
    if action is None:
        return
    Curves(action, owner).drop(paths)
    if not curves_of(action, owner):
        owner.animation_data_clear()


def _set(placed: bpy.types.Object, camera: Camera, shot: int) -> None:
    """Give a camera its lens and its place, and note them with it."""
    placed.data.lens = camera.focal_mm
    placed.matrix_basis = Matrix(np.linalg.inv(camera.camera_from_world) @ _OPENCV_FROM_BLENDER)
    placed[_SET] = [float(shot), *_as_set(placed)]


def _as_set(placed: bpy.types.Object) -> list[float]:
    return [placed.data.lens, *(number for row in placed.matrix_basis for number in row)]


def add_floor(
    scene: bpy.types.Scene, motion: Motion, parent: bpy.types.Object | None = None
) -> bpy.types.Object:
    """Add an empty on the floor of the capture, below where the hips are first."""
    floor = bpy.data.objects.new("Capture Floor", None)
    floor.empty_display_type = "CIRCLE"
    floor.empty_display_size = _FLOOR_SIZE
    floor.parent = parent
    # the circle of an empty stands upright in its X and Z
    floor.matrix_basis = Matrix.Translation((*motion.root[0, :2].tolist(), 0)) @ Matrix.Rotation(
        np.pi / 2, 4, "X"
    )
    floor[FLOOR_PROPERTY] = True
    scene.collection.objects.link(floor)
    return floor


def find_video(source: Source, *folders: Path) -> Path:
    """Where the video of a capture lies now: where it was captured from, or in one of `folders`.

    It need not be there: then, where it was.
    """
    name = source.video or "video"
    places = [folder / name for folder in (*([Path(source.folder)] if source.folder else []), *folders)]
    return next((place for place in places if is_clip(place)), places[0] if places else Path(name))


def show_video(
    placed: bpy.types.Object,
    scene: bpy.types.Scene,
    capture: Capture,
    video: Path,
    kind: str = BACKGROUNDS[0],
) -> str:
    """Put the video behind what the camera sees, each of its frames when the scene shows that moment.

    Parameters
    ----------
    placed : bpy.types.Object
        Made by `add_camera`; an earlier background is replaced.
    scene : bpy.types.Scene
        Its frame rate counts.
    capture : Capture
    video : Path
        Where it lies now; it need not be there.
    kind : str
        One of `BACKGROUNDS`. A movie clip, which Blender's trackers work with, can only be played frame for
        frame.

    Returns
    -------
    str
        What is wrong with the background, a sentence, or nothing. Where the video can't be shown the camera
        gets a picture that says so.

    Raises
    ------
    CaptureError
        If a movie clip would run at another speed than the motion; the background is left as it was.
    """
    pictures = pictures_of(video)
    first, path = pictures[0] if pictures else (1, video)
    clip = _movie_clip(path)
    if clip is None:
        _fresh_background(placed.data).image = _notice(f"{video.name} is missing", capture.camera.size)
        return (
            f"{video} is not there or can't be read, so the camera has no video behind it; put it back and "
            "add the camera again."
        )
    frames = np.arange(FIRST_FRAME, max(scene.frame_end, FIRST_FRAME) + 1)
    rate = clip.fps or capture.motion.fps  # pictures have the motion's
    shift = video_frames(capture.motion, scene.render.fps / scene.render.fps_base, rate, frames) - frames
    steady = bool((shift == shift[0]).all())
    if kind == "MOVIE_CLIP":
        if not steady:
            raise CaptureError(
                f"{video.name} has {rate:g} frames a second and the scene {scene.render.fps:g}: a movie "
                "clip would run away from the motion. Take it as a background image, or give the scene the "
                "video's frame rate."
            )
        background = _fresh_background(placed.data)
        background.source = "MOVIE_CLIP"
        clip.frame_start, clip.frame_offset = FIRST_FRAME, int(shift[0]) + FIRST_FRAME - 1
        background.clip = clip
    else:
        background = _fresh_background(placed.data)
        background.image = bpy.data.images.load(_kept(path), check_existing=True)
        if pictures:
            background.image.source = "SEQUENCE"
            shift = shift + first - 1  # Blender counts them as they are numbered
        user = background.image_user
        user.frame_start, user.frame_duration = FIRST_FRAME, int(frames[-1])
        user.frame_offset = int(shift[0]) + FIRST_FRAME - 1
        user.use_auto_refresh = True
        if not steady:
            values = shift + FIRST_FRAME - 1
            curves = _curves(placed.data, placed.name)
            curves.add(_SHIFT, 0, "Video", frames.astype(float), values.astype(float), "CONSTANT")
    placing = placing_of(capture)
    background.rotation = np.radians(placing.turn)
    background.use_flip_x = placing.mirrored
    for shown in (clip, background.image):
        if shown is not None:  # pixels needn't be square
            shown.display_aspect = (placing.size[0] / placing.size[1] / (clip.size[0] / clip.size[1]), 1.0)
    if placing.turn % 180:  # it was fitted lying on its side
        background.scale = max(placing.size) / min(placing.size)
    if background.source == "IMAGE" and clip.users == 0:
        bpy.data.movieclips.remove(clip)
    return ""


def video_frames(
    motion: Motion, scene_fps: float, video_fps: float, frames: npt.NDArray[Any]
) -> npt.NDArray[np.int64]:
    """Which frame of the video, the first is 1, was filmed when the motion is at frames (N,) of a scene."""
    seconds = motion.start + (np.asarray(frames) - FIRST_FRAME) / scene_fps
    # halfway between two the earlier one, whatever rounding made of it
    return np.asarray(np.ceil(seconds * video_fps - 0.5 - 1e-3).astype(np.int64) + 1)


@dataclass(frozen=True)
class Placing:
    """How a picture of a video, as Blender shows it, becomes the one that was captured.

    Attributes
    ----------
    mirrored : bool
        Whether left and right are exchanged.
    turn : int
        Degrees by which it is turned clockwise then.
    size : (int, int)
        Its width and height before that, in pixels of the captured picture.
    """

    mirrored: bool
    turn: int
    size: tuple[int, int]


def placing_of(capture: Capture) -> Placing:
    """How the pictures of a capture's video are placed.

    Phones film lying on the side and note it in the file; Blender heeds that from 4.4 on, but not a mirror,
    which it takes for a turn by half a circle more.
    """
    source = capture.source
    if source.mirrored:
        # turned and then mirrored is mirrored and then turned the other way
        turn = source.turned - source.turn + (180 - source.turn if TURNS_VIDEOS else 0)
    else:
        turn = source.turned + (0 if TURNS_VIDEOS else source.turn)
    size = capture.camera.size
    return Placing(source.mirrored, turn % 360, size if turn % 180 == 0 else size[::-1])


def _kept(video: Path) -> str:
    """How Blender's file keeps the path: relative to itself, if it was saved, so that both may be moved."""
    home = bpy.data.filepath
    relative = home and bpy.context.preferences.filepaths.use_relative_paths
    if relative and Path(home).drive == video.absolute().drive:
        return str(bpy.path.relpath(str(video.absolute())))
    return str(video)


def _movie_clip(video: Path) -> Any:
    if not os.access(video, os.R_OK):
        return None
    try:
        clip = bpy.data.movieclips.load(_kept(video), check_existing=True)
    except RuntimeError:
        return None
    moves = clip.fps > 0 or video.suffix.lower() in PICTURE_ENDINGS
    if not (moves and all(clip.size)):
        bpy.data.movieclips.remove(clip)
        return None
    return clip


def _fresh_background(data: bpy.types.Camera) -> Any:
    """The camera's only background, new."""
    data.background_images.clear()
    _without(data, (_SHIFT,))
    data.show_background_images = True
    background = data.background_images.new()
    background.display_depth = "BACK"
    background.frame_method = "FIT"
    background.alpha = 1.0
    return background


def _notice(name: str, size: tuple[int, int]) -> bpy.types.Image:
    """A grey picture with a video's proportions that says what is missing, as its name does."""
    width, height = (max(side * _NOTICE_SIZE // max(size), 1) for side in size)
    drawn = bpy.data.images.load(str(_NOTICE))
    letters = np.array(drawn.pixels, np.float32).reshape(drawn.size[1], drawn.size[0], 4)[:height, :width]
    bpy.data.images.remove(drawn)
    rows, columns = letters.shape[:2]
    top, left = (height - rows) // 2, (width - columns) // 2
    picture = np.tile(letters[0, 0], (height, width, 1))
    picture[top : top + rows, left : left + columns] = letters
    image = bpy.data.images.new(name, width, height)
    image.pixels.foreach_set(picture.ravel())
    image.update()
    image.pack()
    return image
