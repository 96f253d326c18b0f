"""Draws made-up scenes: dressed bodies among boxes in a room, filmed by a camera."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from kinelift.bench.detections import ROOT
from kinelift.bench.puppet import FPS
from kinelift.bench.scenes import SCENES, Box, Scene, Vector
from kinelift.core.arrays import Floats
from kinelift.core.camera import Camera
from kinelift.core.errors import CaptureError
from kinelift.core.files import replacing
from kinelift.core.mannequin import mannequin, rest_positions
from kinelift.core.motion import Motion
from kinelift.core.rotations import unit
from kinelift.core.skeleton import JOINTS, TEMPLATE_OFFSETS
from kinelift.inference.figure import rasterised
from kinelift.inference.skinning import Skin
from kinelift.training.appearance import Appearance, normals

Picture = npt.NDArray[np.uint8]
#: width and height of the pictures, pixels
_SIZE = (1280, 720)
#: focal length, pixels
_FOCAL = 1150.0
#: files that decide what the pictures show
SOURCES = (
    "bench/stage.py", "bench/scenes.py", "bench/puppet.py", "core/mannequin.py", "training/appearance.py",
)  # fmt: skip
#: the room: the floor, and walls far behind everything
_ROOM = (
    Box((-30.0, -30.0, -1.0), (30.0, 30.0, 0.0), (168, 150, 128)),
    Box((-30.0, 6.0, 0.0), (30.0, 7.0, 8.0), (198, 196, 188)),
    Box((-30.0, -30.0, 0.0), (30.0, -29.0, 8.0), (190, 190, 190)),
    Box((-7.0, -30.0, 0.0), (-6.0, 30.0, 8.0), (186, 190, 194)),
)
#: the first scene's people, clothes and walls are drawn from this seed
_SEED = 20
#: direction to the light, and how bright what it doesn't reach is
_LIGHT = np.array([0.45, -0.55, 0.7])
_SHADE = 0.55
#: standard deviation of the camera's noise, of 255
_NOISE = 3.0


def films(out: Path) -> list[Path]:
    """Videos of all scenes with references beside them, kept in `out` until what they depend on changes.

    Raises
    ------
    CaptureError
        If there is no codec to write a video.
    """
    digest = hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in SOURCES))
    folder = out / f"scenes.{digest.hexdigest()[:12]}" / "made"
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for number, (name, make) in enumerate(SCENES.items()):
        scene = make()
        for view, (eye, target) in scene.cameras.items():
            video = folder / f"{name}_{view}.mp4"
            if not video.exists():
                camera = looking(eye, target)
                np.savez(video.with_suffix(".npz"), **reference(scene, camera))
                film(scene, [camera] * len(scene.motion), number, video)
            found.append(video)
    return found


def looking(eye: Vector, target: Vector) -> Camera:
    """The camera at one point that looks at another, with a level horizon."""
    ahead = unit(np.array(target) - np.array(eye))
    right = unit(np.cross(ahead, [0, 0, 1]))
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(ahead, right), ahead])
    pose[:3, 3] = -pose[:3, :3] @ np.array(eye)
    return Camera(_FOCAL, _SIZE, pose)


def reference(scene: Scene, camera: Camera) -> dict[str, npt.NDArray[np.generic]]:
    """The truth of a scene before a camera as other clips' references have it, its `levels` and `truth`."""
    motion = scene.motion
    planted = motion.contacts > 0.5
    x, y = camera.centre
    return {
        "fps": np.array(motion.fps),
        "joint_names": np.array(JOINTS),
        "joints_world": motion.joints,
        "contacts": np.stack([planted[:, :2].any(1), planted[:, 2:].any(1)], axis=1),
        "contact_points": planted,
        "levels": scene.levels,
        "K": np.array([[camera.focal, 0, x], [0, camera.focal, y], [0, 0, 1]]),
        "camera_from_world": camera.camera_from_world,
        "size": np.array(camera.size),
        "person_height": np.array(motion.height),
        **scene.truth,
    }


def film(
    scene: Scene, cameras: Sequence[Camera], seed: int, out: Path, only: Sequence[int] | None = None
) -> None:
    """Write the video of a scene, with the camera of each frame; another seed means other people and room.

    Parameters
    ----------
    scene : Scene
    cameras : sequence of Camera
    seed : int
    out : Path
    only : sequence of int, optional
        Who is shown, by number: the scene's `motion` is 0, its `others` follow. By default everybody.

    Raises
    ------
    CaptureError
        If there is no codec to write a video.
    """
    stage = Stage(scene, cameras, np.random.default_rng(_SEED + seed), only)
    with replacing(out) as temporary:
        writer = cv2.VideoWriter(
            str(temporary), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), FPS, cameras[0].size
        )
        if not writer.isOpened():
            raise CaptureError(
                "This OpenCV can't write MPEG-4; install opencv-contrib-python from its wheel."
            )
        try:
            for index in range(len(scene.motion)):
                writer.write(cv2.cvtColor(stage.frame(index), cv2.COLOR_RGB2BGR))
        finally:
            writer.release()


class Stage:
    """Draws the pictures of a scene, with the camera of each frame, and everybody in it or `only` some."""

    def __init__(
        self,
        scene: Scene,
        cameras: Sequence[Camera],
        rng: np.random.Generator,
        only: Sequence[int] | None = None,
    ) -> None:
        self._cameras, self._rng = cameras, rng
        self._boxes = (*_ROOM, *scene.boxes)
        self._shown = cameras[0]
        self._tints = 1 + rng.normal(0, 0.05, (len(self._boxes), 3))
        self._back, self._near = room(self._boxes, cameras[0], self._tints)
        self._noise = _NOISE * rng.standard_normal(self._back.shape, np.float32)
        # who isn't shown has clothes too, so that the others wear the same without them
        bodies = [_Body(motion, Appearance(rng)) for motion in (scene.motion, *scene.others)]
        self._bodies = bodies if only is None else [bodies[number] for number in only]

    def frame(self, index: int) -> Picture:
        """Draw the RGB picture (h, w, 3) of a frame."""
        camera = self._cameras[index]
        if camera is not self._shown:
            self._shown = camera
            self._back, self._near = room(self._boxes, camera, self._tints)
        image, near = self._back.copy(), self._near
        for body in self._bodies:
            near = body.draw(index, camera, image, near)
        # the same noise, shifted, is as good as new noise, and quick
        image += np.roll(self._noise, self._rng.integers(0, camera.size[1], 2), axis=(0, 1))
        return np.asarray(image.clip(0, 255), dtype=np.uint8)


class _Body:
    """Somebody dressed who moves."""

    def __init__(self, motion: Motion, look: Appearance) -> None:
        self._motion, self._look = motion, look
        template = mannequin(TEMPLATE_OFFSETS)
        soles = template.vertices[:, 2].min()
        self._places = (template.vertices - np.array([0, 0, soles])).astype(np.float32)
        body = mannequin(motion.offsets)
        dressed = look.shape(body, self._places.astype(float))
        parts = (dressed, body.weights, rest_positions(motion.offsets))
        self._skin = Skin(*(torch.as_tensor(a, dtype=torch.float32) for a in parts))
        self._faces = torch.as_tensor(body.faces)
        self._triangles = np.concatenate([body.faces[:, [0, 1, 2]], body.faces[:, [0, 2, 3]]])

    def draw(self, index: int, camera: Camera, image: npt.NDArray[np.float32], nearest: Floats) -> Floats:
        """Draw the body into `image` (h, w, 3) where it is nearer than what is `nearest` (h, w): 1 / depth.

        Returns
        -------
        (h, w)
            How near things are with the body.
        """
        turns, joints = (
            torch.as_tensor(a[index : index + 1], dtype=torch.float32)
            for a in (self._motion.world_rotations, self._motion.joints)
        )
        moved = self._skin(turns, joints)[0]
        bright = _SHADE + (1 - _SHADE) * np.clip(normals(moved, self._faces).numpy() @ _LIGHT, 0, 1)
        vertices = moved.numpy().astype(float)
        depth = vertices @ camera.camera_from_world[2, :3] + camera.camera_from_world[2, 3]
        values = np.column_stack([1 / depth, 1 / depth, bright, self._places])
        pixels = (camera.project(vertices) - 0.5).astype(np.float32)
        found = rasterised(pixels, values, self._triangles, camera.size[::-1])
        if found is None:
            return nearest
        box, where, _, (near, shade, *places) = found
        part = image[box]
        layer = np.zeros((part.shape[0] * part.shape[1], 4), np.float32)
        before = near > nearest[box].ravel()[where]
        colour = self._look.paint(np.stack(places, 1).astype(float)) * shade[:, None]
        layer[where[before], :3], layer[where[before], 3] = colour[before], 1
        smooth = cv2.GaussianBlur(layer.reshape(*part.shape[:2], 4), (3, 3), 0.5)
        part[:] = part * (1 - smooth[..., 3:]) + smooth[..., :3]
        nearest = nearest.copy()
        here = nearest[box].ravel()
        here[where[before]] = near[before]
        nearest[box] = here.reshape(part.shape[:2])
        return nearest


def room(boxes: tuple[Box, ...], camera: Camera, tints: Floats) -> tuple[npt.NDArray[np.float32], Floats]:
    """The picture (h, w, 3) of boxes, each with its tint (N, 3), and how near (h, w) they are: 1 / depth."""
    wide, high = camera.size
    pixels = np.stack(np.meshgrid(np.arange(wide) + 0.5, np.arange(high) + 0.5), axis=-1)
    ways = camera.rays(pixels) @ camera.camera_from_world[:3, :3]
    whole_near = np.full((high, wide), 1e-6)
    whole = np.full((high, wide, 3), 205, np.float32)
    for box, tint in zip(boxes, tints, strict=True):
        part = _around(box, camera)
        way, near, image = ways[part], whole_near[part], whole[part]
        # the faces that a ray enters are the last of those that look towards it
        with np.errstate(divide="ignore", invalid="ignore"):
            sides = (np.array([box.low, box.high])[:, None, None] - camera.eye) / way
        enters, leaves = sides.min(0), sides.max(0)
        face = enters.argmax(-1)
        first = enters.max(-1)
        hit = (first < leaves.min(-1)) & (first > 0.05) & (1 / np.maximum(first, 1e-9) > near)
        place = camera.eye + first[hit][:, None] * way[hit]
        outwards = -np.sign(np.take_along_axis(way[hit], face[hit][:, None], 1)[:, 0])
        light = _SHADE + (1 - _SHADE) * np.clip(outwards * _LIGHT[face[hit]], 0, 1)
        # boards and plaster: without any pattern, nothing would say where the floor is
        boards = np.floor(place / 0.45).sum(1) % 2
        colour = np.array(box.colour) * tint * (0.94 + 0.06 * boards[:, None])
        image[hit], near[hit] = colour * light[:, None], 1 / first[hit]
    return np.asarray(cv2.GaussianBlur(whole, (0, 0), 0.7)), whole_near


def _around(box: Box, camera: Camera) -> tuple[slice, slice]:
    """Rows and columns of the picture in which a box may be seen."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    places = camera.project(np.where(corners, box.high, box.low))
    if np.isnan(places).any():  # some of it is behind the camera
        return slice(None), slice(None)
    limits = np.array(camera.size)
    (left, top), (right, low) = (
        np.clip(edge, 0, limits).astype(int) for edge in (np.floor(places.min(0)), np.ceil(places.max(0)) + 1)
    )
    return slice(top, low), slice(left, right)
