"""A walk through a furnished room before cameras that move, with exact truth.

The cameras stand still, pan along, tilt, zoom, are held in a hand, go beside the person, roll towards them,
or go around them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from kinelift.bench.detections import ROOT
from kinelift.bench.puppet import FPS, SIDES, STANDING, Stance, curve, hanging, lowered, posed, stepping
from kinelift.bench.scenes import Box, Scene
from kinelift.bench.stage import SOURCES, film, looking, reference
from kinelift.core.arrays import Array, Floats
from kinelift.core.camera import Camera
from kinelift.core.motion import Motion
from kinelift.core.rotations import matrix_from_vector

#: how long the walk takes, seconds; how fast it is, m/s; time from step to step, and how long a foot stands
_LONG, _SPEED, _STEP, _STANDS = 6.0, 1.1, 0.55, 0.66
#: where the walk begins, metres
_FROM = 3.2
#: focal length, pixels
_FOCAL = 1150.0
#: what a hand does: frequencies, Hz, and at 1 Hz how much it turns, radians, and shifts, metres; less above
_SHAKE, _TURNS, _SHIFTS = (0.4, 0.7, 1.1, 1.9, 3.1, 5.3, 8.0), 0.006, 0.008
#: colours of what stands and hangs about, RGB
_COLOURS = ((150, 70, 60), (60, 90, 140), (90, 120, 70), (200, 170, 90), (110, 80, 130), (220, 220, 215))


def walk(seed: int = 0) -> Scene:
    """Somebody walks six metres along -Y through a room with shelves, pictures and boxes.

    Another seed is another room, and another pace.
    """
    motion = walking(np.arange(round(_LONG * FPS)) / FPS, _FROM, _SPEED * (1 - 0.15 * (seed % 3)))
    return Scene(motion, _furniture(seed), {}, on_the_floor(motion))


def walking(t: Floats, start: float, speed: float = _SPEED) -> Motion:
    """The motion of somebody who walks along -Y from `start`, metres; `t` (T,) begins at 0."""
    feet = {}
    for side, first in (("L", -2), ("R", -1)):
        stances = [
            Stance(n * _STEP, n * _STEP + _STANDS, start - speed * (n * _STEP + _STANDS / 2))
            for n in range(first, 3 + round(t[-1] / _STEP), 2)
        ]
        feet[side] = stepping(t, side, stances, roll=0.16, off=0.75, clear=0.10, x=0.08)
    root = np.stack([0 * t, start - speed * t, np.full_like(t, 0.99 * STANDING)], axis=1)
    swing = 0.4 * np.cos(np.pi * t / _STEP)
    arms = {side: hanging(t, side, 0.05 + sign * swing, 0.93) for side, sign in SIDES.items()}
    return posed(lowered(root, feet), 0.04 + 0 * t, 0.04 + 0 * t, feet, arms)


def on_the_floor(motion: Motion) -> Floats:
    """`Scene.levels` of a motion on one floor."""
    return np.where(motion.contacts > 0.5, 0.0, np.nan)


def _furniture(seed: int) -> tuple[Box, ...]:
    """Boxes along the walls and pictures on them."""
    rng = np.random.default_rng(5 + seed)
    found = []
    for y in np.arange(-7.0, 6.0, 1.1):
        deep, wide, high = rng.uniform((0.3, 0.4, 0.4), (1.2, 0.9, 1.6))
        colour = _COLOURS[rng.integers(len(_COLOURS))]
        found.append(Box((-5.9, y, 0.0), (-5.9 + deep, y + wide, high), colour))
        low = rng.uniform(1.8, 2.4)
        colour = _COLOURS[rng.integers(len(_COLOURS))]
        found.append(Box((-6.0, y + 0.1, low), (-5.95, y + 0.2 + 0.5 * wide, low + 0.6), colour))
    for x in (-2.6, -1.7):
        for y in np.arange(-6.0, 5.0, 1.9):
            high, wide = rng.uniform((0.15, 0.2), (0.5, 0.5))
            colour = _COLOURS[rng.integers(len(_COLOURS))]
            found.append(Box((x, y, 0.0), (x + wide, y + wide, high), colour))
    return tuple(found)


def _turned(camera: Camera, vector: Array) -> Camera:
    """A camera turned about its own axes by a rotation vector."""
    pose = np.array(camera.camera_from_world)
    pose[:3] = matrix_from_vector(np.asarray(vector)) @ pose[:3]
    return Camera(camera.focal, camera.size, pose)


def _shaken(t: Floats, seed: int, much: float) -> Floats:
    """How far a hand is off (T, 3) at each moment, by the amplitude at 1 Hz."""
    rng = np.random.default_rng(seed)
    waves = np.array(_SHAKE)
    phases = rng.uniform(0, 2 * np.pi, (len(waves), 3))
    size = much / np.maximum(waves, 0.7)[:, None] * rng.uniform(0.5, 1.2, phases.shape)
    return np.asarray((size * np.sin(2 * np.pi * waves[:, None] * t[:, None, None] + phases)).sum(1))


def _held(t: Floats, eyes: Floats, targets: Floats, seed: int) -> list[Camera]:
    """Cameras that a hand holds at some places, looking about at others."""
    places = eyes + _shaken(t, seed, _SHIFTS)
    turns = _shaken(t, seed + 1, _TURNS)
    return [
        _turned(looking(tuple(e), tuple(a)), turn) for e, a, turn in zip(places, targets, turns, strict=True)
    ]


def _smooth(x: Floats) -> Floats:
    """Rows of numbers without what is faster than about a second, as a camera follows somebody."""
    bell = np.hanning(33)[1:-1]
    padded = np.pad(x, ((15, 15), (0, 0)), mode="edge")
    return np.stack([np.convolve(c, bell / bell.sum(), "valid") for c in padded.T], axis=1)


def _still(t: Floats, _root: Floats) -> list[Camera]:
    return [looking((7.4, -0.3, 1.4), (0.0, -0.3, 1.0))] * len(t)


def _pan(t: Floats, root: Floats) -> list[Camera]:
    ys = _smooth(root)[:, 1]
    return [looking((4.4, -0.3, 1.4), (0.0, y, 1.0)) for y in ys]


def _tilt(t: Floats, _root: Floats) -> list[Camera]:
    camera = looking((7.4, -0.3, 1.4), (0.0, -0.3, 1.0))
    much = np.radians(7) * np.sin(2 * np.pi * t / 4)
    return [_turned(camera, np.array([angle, 0, 0])) for angle in much]


def _zoom(t: Floats, _root: Floats) -> list[Camera]:
    camera = looking((8.5, -0.3, 1.4), (0.0, -0.3, 1.0))
    focal = _FOCAL * curve(t, (0.5, 1.0), (4.5, 1.5), (6.0, 1.3))
    return [Camera(f, camera.size, camera.camera_from_world) for f in focal]


def _hand(t: Floats, _root: Floats) -> list[Camera]:
    eyes, targets = np.tile([7.4, -0.3, 1.5], (len(t), 1)), np.tile([0.0, -0.3, 1.0], (len(t), 1))
    return _held(t, eyes, targets, 11)


def _beside(t: Floats, root: Floats) -> list[Camera]:
    follows = _smooth(root)[:, 1]
    eyes = np.stack([0 * t + 4.6, follows + 0.4, 1.5 + 0.02 * np.sin(2 * np.pi * t / _STEP)], axis=1)
    return _held(t, eyes, np.stack([0 * t, follows, 0 * t + 1.0], axis=1), 21)


def _dolly(t: Floats, _root: Floats) -> list[Camera]:
    along = curve(t, (0.3, 9.0), (5.7, 7.0))
    return [looking((x, -0.3, 1.4), (0.0, -0.3, 1.0)) for x in along]


def _orbit(t: Floats, root: Floats) -> list[Camera]:
    angle = curve(t, (0.0, -0.45), (_LONG, 0.45))
    follows = _smooth(root)[:, 1]
    return [
        looking((5.0 * np.cos(a), 0.4 * y + 5.0 * np.sin(a), 1.5), (0.0, y, 1.0))
        for a, y in zip(angle, follows, strict=True)
    ]


#: how the camera moves: from the times (T,) and the path of the hips (T, 3) to a camera for each frame
CAMERAS: dict[str, Callable[[Floats, Floats], list[Camera]]] = {
    "still": _still,
    "pan": _pan,
    "tilt": _tilt,
    "zoom": _zoom,
    "hand": _hand,
    "beside": _beside,
    "dolly": _dolly,
    "orbit": _orbit,
}


def moving_films(out: Path, names: Iterable[str], seed: int = 0) -> dict[str, Path]:
    """Videos of the walk, by names of `CAMERAS`; they are kept until what they depend on changes.

    Another seed is another person, room and pace.

    A reference lies beside each; its `camera_from_world` is (T, 4, 4) and its `K` (T, 3, 3).

    Raises
    ------
    CaptureError
        If there is no codec to write a video.
    """
    digest = hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in (*SOURCES, "bench/moving.py")))
    folder = out / f"moving.{digest.hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    scene = walk(seed)
    t = np.arange(len(scene.motion)) / FPS
    found = {}
    for name in names:
        video = folder / f"walk{seed or ''}_{name}.mp4"
        if not video.exists():
            cameras = CAMERAS[name](t, np.asarray(scene.motion.root, float))
            each = [reference(scene, camera) for camera in cameras]
            paths = {key: np.stack([one[key] for one in each]) for key in ("K", "camera_from_world")}
            np.savez(video.with_suffix(".npz"), **{**each[0], **paths})
            film(scene, cameras, seed, video)
        found[name] = video
    return found
