"""Detector in the loop: dressed bodies in motion, drawn, filmed and shown to the detector.

    python -m training detect --out FOLDER --clips N [--seed S]

Motion is drawn as for training (`synthesis`, from mocap and from `poses`): every height, tilt, roll, lens and
distance of the camera, other proportions, mirrored, mixed, seated, lying. A mannequin is dressed and painted
by rule, drawn before a made-up background, with things before it now and then, and too large for the picture
now and then; the video goes through the capture's own detector. What it said is kept beside the truth, never
the pictures; `detected.load_sequences` reads it.
"""

from __future__ import annotations

import io
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from kinelift.core.arrays import Array
from kinelift.core.errors import CaptureError
from kinelift.core.files import replacing
from kinelift.core.kinematics import attached_points, joint_positions
from kinelift.core.landmarks import PLACES
from kinelift.core.mannequin import Mannequin, mannequin, rest_positions
from kinelift.core.rotations import rotation_between
from kinelift.core.skeleton import (
    END_POINTS,
    HEEL_OFFSET,
    INDEX,
    LENGTHS,
    STANDARD_HEIGHT,
    TEMPLATE_LENGTHS,
    TEMPLATE_OFFSETS,
    rest_offsets,
    standing_height,
)
from kinelift.inference.detect.detector import detect
from kinelift.inference.detect.people import Detections
from kinelift.inference.figure import rasterised
from kinelift.inference.skinning import Skin
from kinelift.inference.video import VideoReader
from kinelift.training.appearance import Appearance, normals
from kinelift.training.detected import FILE_JOINTS, DetectorModel, t_pose_turns
from kinelift.training.mocap import FPS, Clip
from kinelift.training.poses import made_clips
from kinelift.training.synthesis import Synthesis

Picture = npt.NDArray[np.uint8]
#: frames of a sequence, sequences of a part, clips by rule of each kind
_FRAMES, _PART, _MADE = 90, 10, 6
#: a sequence is kept if somebody was found in this share of it
_WORTH = 0.3
_PER_FRAME = (
    "landmarks", "world_landmarks", "joints_world", "joint_rotations", "contacts", "contact_points",
)  # fmt: skip
_SIZES = ((256, 256), (288, 288), (320, 240), (240, 320), (384, 216), (216, 384))
#: focal lengths, as shares of the longer side; shortest person that is worth a film, pixels
_SHORTEST, _LONGEST, _SMALLEST = 0.55, 2.4, 40
#: ends of the face, as the references have them, from the head joint
_NOSE = np.array([0.0, -0.12, 0.017])


@dataclass(frozen=True)
class Scene:
    """A body before a camera, level axes (x right, y forward, z up), metres.

    Attributes
    ----------
    rotations, joints : (T, J, 3, 3), (T, J, 3)
    lengths : (len(LENGTHS),)
    contacts : (T, 4)
    up : (3,)
    focal : float
        Pixels.
    size : (int, int)
        Of the picture, pixels.
    """

    rotations: Array
    joints: Array
    lengths: Array
    contacts: Array
    up: Array
    focal: float
    size: tuple[int, int]


def draw_scene(motions: Synthesis, rng: np.random.Generator) -> Scene:
    """A body in motion before a lens in which it is mostly to be seen."""
    while True:
        batch = motions.batch(1)
        rotations, joints, up = (
            x[0].numpy().astype(float) for x in (batch.rotations, batch.joints, batch.up)
        )
        lengths = _simple(batch.lengths[0].numpy().astype(float))
        joints = np.asarray(joint_positions(rotations, joints[:, 0], rest_offsets(lengths)))
        if joints[..., 1].min() < 0.5:
            continue
        # aimed at the person, more or less
        seen = joints[..., [0, 2]] / joints[..., 1:2]
        middle = (seen.min((0, 1)) + seen.max((0, 1))) / 2 + rng.normal(0, 0.04, 2)
        aim = np.asarray(rotation_between(np.array([middle[0], 1.0, middle[1]]), np.array([0.0, 1, 0])))
        rotations, joints, up = aim @ rotations, joints @ aim.T, aim @ up
        if joints[..., 1].min() < 0.5:
            continue
        size = _SIZES[rng.integers(len(_SIZES))]
        seen = joints[..., [0, 2]] / joints[..., 1:2]
        fits = (np.array(size) / 2 / (1.12 * np.abs(seen).max((0, 1)))).min()
        # one in six doesn't fit
        fill = rng.uniform(1.05, 1.6) if rng.random() < 0.17 else rng.uniform(0.55, 1.0)
        focal = float(np.clip(fits * fill, _SHORTEST * max(size), _LONGEST * max(size)))
        tall = float(np.median(np.ptp(seen, axis=1).max(-1))) * focal
        if tall > _SMALLEST:
            return Scene(rotations, joints, lengths, batch.contacts[0].numpy(), up, focal, size)


def _simple(lengths: Array) -> Array:
    """The same trunk and shoulders, of the template's proportions: all that the files can hold."""
    out = lengths.copy()
    for names in (("spine", "chest", "neck"), ("shoulder", "upper_arm")):
        at = [LENGTHS.index(name) for name in names]
        out[at] = TEMPLATE_LENGTHS[at] * (lengths[at].sum() / TEMPLATE_LENGTHS[at].sum())
    return np.asarray(out * (STANDARD_HEIGHT / standing_height(out)))


#: of the mannequin in the T-pose, from the floor
_HIPS_HEIGHT = float(-rest_positions(TEMPLATE_OFFSETS)[INDEX["foot.L"], 2]) + 0.09


@cache
def _template() -> Mannequin:
    return mannequin(TEMPLATE_OFFSETS)


# --- the film -----------------------------------------------------------------------------------------------


class Film:
    """The pictures of a scene, one after the other."""

    def __init__(self, scene: Scene, rng: np.random.Generator) -> None:
        self._scene, self._rng = scene, rng
        self._appearance = Appearance(rng)
        template = _template()
        self._places = (template.vertices + np.array([0, 0, _HIPS_HEIGHT])).astype(np.float32)
        offsets = rest_offsets(scene.lengths)
        body = mannequin(offsets)
        dressed = self._appearance.shape(body, self._places.astype(float))
        parts = (dressed, body.weights, rest_positions(offsets))
        self._skin = Skin(*(torch.as_tensor(a, dtype=torch.float32) for a in parts))
        self._faces = torch.as_tensor(body.faces)
        self._triangles = np.concatenate([body.faces[:, [0, 1, 2]], body.faces[:, [0, 2, 3]]])
        # camera axes from level ones: x right, y down, z forward
        self._axes = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
        light = rng.normal(0, 0.6, 3) + np.array([0, -0.7, -0.7])
        self._light = (light / np.linalg.norm(light)).astype(np.float32)
        self._ambient, self._tint = rng.uniform(0.35, 0.7), rng.uniform(0.9, 1.05, 3)
        self._back = background(scene.size, rng)
        self._front = _things(scene.size, rng) if rng.random() < 0.15 else None
        self._noise, self._blur = rng.uniform(0, 7), rng.uniform(0.3, 1.0)

    def __len__(self) -> int:
        return len(self._scene.joints)

    def frame(self, index: int) -> Picture:
        """The RGB picture (h, w, 3)."""
        scene = self._scene
        turns = torch.as_tensor(self._axes @ scene.rotations[index : index + 1], dtype=torch.float32)
        joints = torch.as_tensor(scene.joints[index : index + 1] @ self._axes.T, dtype=torch.float32)
        moved = self._skin(turns, joints)[0]
        lit = normals(moved, self._faces).numpy() @ self._light
        vertices = moved.numpy()
        depth = np.maximum(vertices[:, 2], 0.05)
        centre = np.array(scene.size, np.float32) / 2 - 0.5
        pixels = (vertices[:, :2] / depth[:, None] * np.float32(scene.focal) + centre).astype(np.float32)
        shade = self._ambient + (1 - self._ambient) * np.clip(lit, 0, 1)
        values = np.column_stack([1 / depth, shade, self._places])
        shown = np.flatnonzero((vertices[:, 2] > 0.1)[self._triangles].all(1))
        image = self._back.copy()
        found = rasterised(pixels, values, self._triangles[shown], (scene.size[1], scene.size[0]))
        if found is not None:
            box, where, _, inside = found
            colour = self._appearance.paint(inside[1:].T.astype(float)) * inside[0][:, None] * self._tint
            part = image[box]
            layer = np.zeros((part.shape[0] * part.shape[1], 4), np.float32)
            layer[where, :3], layer[where, 3] = colour, 1
            smooth = cv2.GaussianBlur(layer.reshape(*part.shape[:2], 4), (3, 3), 0.5)
            part[:] = part * (1 - smooth[..., 3:]) + smooth[..., :3]
        if self._front is not None:
            image = np.where(self._front[..., 3:] > 0, self._front[..., :3], image)
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), self._blur))
        image += self._rng.standard_normal(image.shape, np.float32) * np.float32(self._noise)
        return image.clip(0, 255).astype(np.uint8)


def background(size: tuple[int, int], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """A wall, a floor, things and stains: RGB (h, w, 3), 0 to 255."""
    width, height = size
    wall, floor = (rng.uniform(20, 235) + rng.normal(0, 18, 3) for _ in range(2))
    image = np.empty((height, width, 3), np.float32)
    edge = int(height * rng.uniform(0.35, 0.85))
    slope = np.linspace(rng.uniform(0.75, 1.1), rng.uniform(0.75, 1.1), height)[:, None, None]
    image[:] = wall * slope
    image[edge:] = floor * slope[edge:]
    for _ in range(rng.integers(0, 9)):
        at = rng.uniform(0, 1, 2) * size
        half = rng.uniform(0.03, 0.25, 2) * size
        low, high = ((at + sign * half).astype(int).tolist() for sign in (-1, 1))
        colour = (rng.uniform(10, 245) + rng.normal(0, 30, 3)).clip(0, 255).tolist()
        if rng.random() < 0.7:
            cv2.rectangle(image, low, high, colour, -1)
        else:
            cv2.ellipse(
                image,
                at.astype(int).tolist(),
                half.astype(int).tolist(),
                rng.uniform(0, 180),
                0,
                360,
                colour,
                -1,
            )
    for cells, strength in ((6, rng.uniform(0, 30)), (24, rng.uniform(0, 18)), (90, rng.uniform(0, 12))):
        grain = rng.normal(0, strength, (cells, cells, 1)).astype(np.float32)
        image += cv2.resize(grain, size, interpolation=cv2.INTER_CUBIC)[..., None]
    return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 3.0)).clip(0, 255))


def _things(size: tuple[int, int], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """One or two things before the person, RGBA (h, w, 4)."""
    layer = np.zeros((size[1], size[0], 4), np.float32)
    for _ in range(rng.integers(1, 3)):
        at = (rng.uniform(0.15, 0.85), rng.uniform(0.45, 1.0)) * np.array(size)
        half = rng.uniform(0.05, 0.16, 2) * size
        low, high = ((at + sign * half).astype(int).tolist() for sign in (-1, 1))
        cv2.rectangle(layer, low, high, [*rng.uniform(10, 240, 3).tolist(), 1.0], -1)
    return layer


def filmed(film: Film, folder: Path) -> Detections:
    """What the capture's detector says of a film; its video is gone again afterwards."""
    path = folder / "film.mp4"
    first = film.frame(0)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, first.shape[1::-1])
    if not writer.isOpened():
        raise CaptureError("This OpenCV can't write MPEG-4; install opencv-contrib-python from its wheel.")
    try:
        for index in range(len(film)):
            writer.write(cv2.cvtColor(film.frame(index) if index else first, cv2.COLOR_RGB2BGR))
    finally:
        writer.release()
    try:
        return detect(VideoReader(path))
    finally:
        path.unlink()


# --- the files ----------------------------------------------------------------------------------------------


def _said(detections: Detections, frames: int) -> tuple[Array, Array]:
    """Landmarks (T, 33, 4) and world landmarks (T, 33, 3) of who was seen best; NaN where nobody was."""
    landmarks, world = (
        np.full((frames, 33, 4), np.nan, np.float32),
        np.full((frames, 33, 3), np.nan, np.float16),
    )
    for when, people in zip(detections.times, detections.people, strict=True):
        at = round((when - detections.start) * FPS)
        if people and at < frames:
            best = max(people, key=lambda person: float(person.landmarks[:, 2].sum()))
            landmarks[at, :, :2], landmarks[at, :, 3] = best.landmarks[:, :2], best.landmarks[:, 2]
            world[at] = best.world_landmarks
    landmarks[np.isfinite(landmarks[:, 0, 0]), :, 2] = 0  # the detector's own depth isn't kept
    return landmarks, world


def truth(scene: Scene) -> tuple[dict[str, Array], dict[str, Array]]:
    """What the files say of a scene: of every frame, and once."""
    upright = np.asarray(rotation_between(scene.up, np.array([0.0, 0, 1])))
    rotations, joints = upright @ scene.rotations, scene.joints @ upright.T
    rest = rest_positions(rest_offsets(scene.lengths))
    scale = float(standing_height(scene.lengths)) / STANDARD_HEIGHT
    ends = {"nose": ("head", _NOSE)}
    for side in "LR":
        ends[f"heel.{side}"] = (f"foot.{side}", np.array(HEEL_OFFSET))
        ends[f"toe_tip.{side}"] = (f"toe.{side}", np.array(END_POINTS[f"toe.{side}"]))
    places, carried, resting = [], [], []
    for name in FILE_JOINTS:
        carrier, offset = ends.get(name, (name, np.zeros(3)))
        at = INDEX[carrier]
        places.append(attached_points(rotations, joints, at, offset * scale))
        carried.append(rotations[:, at])
        resting.append(rest[at] + offset * scale)
    position, joint_rest = np.stack(places, 1), np.array(resting)
    floor = position[..., 2].min()
    joint_rest[:, 2] -= joint_rest[:, 2].min()
    turns = t_pose_turns(joint_rest)
    turned = np.stack(
        [
            matrices @ turns[name] if name in turns else matrices
            for name, matrices in zip(FILE_JOINTS, carried, strict=True)
        ],
        axis=1,
    )
    pose = np.eye(4)
    # camera axes (x right, y down, z forward) from level ones, from the world
    pose[:3, :3] = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]) @ upright.T
    pose[:3, 3] = pose[:3, :3] @ [0, 0, floor]
    planted = scene.contacts > 0.5
    width, height = scene.size
    of_frames = {
        "joints_world": (position - [0, 0, floor]).astype(np.float32),
        "joint_rotations": turned.astype(np.float16),
        "contacts": np.stack([planted[:, :2].any(1), planted[:, 2:].any(1)], 1),
        "contact_points": planted,
    }
    once: dict[str, Array] = {
        "K": np.array([[scene.focal, 0, width / 2], [0, scene.focal, height / 2], [0, 0, 1]], np.float32),
        "camera_from_world": pose.astype(np.float32),
        "size": np.array(scene.size, np.float32),
        "joint_rest": joint_rest.astype(np.float32),
        "person_height": np.array(standing_height(scene.lengths), np.float32),
    }
    return of_frames, once


def make(folder: Path, clips: list[Clip], count: int, seed: int) -> None:
    """Write `count` sequences as ``part_*.npz``; parts that are there already are left as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    rays, seen, hints = ([np.zeros((_FRAMES, *shape), np.float32)] for shape in ((33, 2), (33,), (33, 3)))
    nothing = DetectorModel(np.array([place for _, _, place in PLACES]), rays, seen, hints)
    everything = [*clips, *made_clips(_MADE, seed)]
    for part in range(-(-count // _PART)):
        path = folder / f"part_{seed:03d}_{part:04d}.npz"
        if path.exists():
            continue
        rng = np.random.default_rng((seed, part))
        motions = Synthesis(everything, [], nothing, _FRAMES, 0.0, seed=int(rng.integers(1 << 31)))
        began = time.perf_counter()
        rows: dict[str, list[Array]] = {}
        shares: list[float] = []
        with tempfile.TemporaryDirectory() as temporary:
            for _ in range(min(_PART, count - part * _PART)):
                scene = draw_scene(motions, rng)
                said = _said(filmed(Film(scene, rng), Path(temporary)), len(scene.joints))
                shares.append(np.isfinite(said[0][:, 0, 0]).mean())
                if shares[-1] < _WORTH:
                    continue
                of_frames, once = truth(scene)
                of_frames |= dict(zip(("landmarks", "world_landmarks"), said, strict=True))
                for name, value in (of_frames | once | {"source": np.array(f"made:{seed}:{part}")}).items():
                    rows.setdefault(name, []).append(value)
        lengths = [len(one) for one in rows["landmarks"]]
        content = io.BytesIO()
        np.savez_compressed(
            content,
            first=np.cumsum([0, *lengths]).astype(np.int32),
            **{n: np.concatenate(v) if n in _PER_FRAME else np.array(v) for n, v in rows.items()},
        )
        with replacing(path) as whole:
            whole.write_bytes(content.getbuffer())
        seconds = time.perf_counter() - began
        print(
            f"{path.name}: {len(lengths)} sequences, somebody found in {100 * np.mean(shares):.0f} % of the "
            f"frames, {len(shares) * _FRAMES / seconds:.1f} frames/s",
            flush=True,
        )
