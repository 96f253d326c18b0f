"""Made-up scenes of several people with exact truth: they cross, hug, stand in a row, hold hands, lift.

Everybody moves as a rule says (`puppet`), and is put somewhere, turned some way, and more or less tall.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kinelift.bench.detections import ROOT
from kinelift.bench.moving import on_the_floor, walking
from kinelift.bench.puppet import (
    ANKLE,
    FPS,
    OFFSETS,
    SIDES,
    STANDING,
    Foot,
    Stance,
    curve,
    hanging,
    lowered,
    posed,
    standing_foot,
    stepping,
)
from kinelift.bench.scenes import Box, Scene
from kinelift.bench.stage import SOURCES, film, looking, reference
from kinelift.core.arrays import Array, Floats
from kinelift.core.camera import Camera
from kinelift.core.motion import Motion
from kinelift.core.rotations import axis_angle
from kinelift.core.skeleton import INDEX

#: one of two people is so many times as tall as the other
_SMALLER = 0.93
_SHOULDERS = {
    side: sum(OFFSETS[INDEX[name]] for name in ("spine", "chest", f"shoulder.{side}", f"upper_arm.{side}"))
    for side in SIDES
}


def _put(motion: Motion, x: float, y: float, turn: float = 0.0, tall: float = 1.0) -> Motion:
    """A motion put somewhere, metres, turned about the vertical, degrees, and so many times as tall."""
    way = np.eye(4)
    way[:3, :3] = axis_angle(np.array([0.0, 0, 1]), np.array(np.radians(turn)))
    way[:2, 3] = x, y
    return replace(motion, offsets=motion.offsets * tall, root=motion.root * tall).moved(way)


def _scene(people: list[Motion], camera: tuple[tuple[float, float, float], ...], *boxes: Box) -> Scene:
    first, *others = people
    eye, target = camera
    return Scene(first, boxes, {"": (eye, target)}, on_the_floor(first), others=tuple(others))


def _seconds(long: float) -> Floats:
    return np.arange(round(long * FPS)) / FPS


def _standing(t: Floats, arms: dict[str, Floats], bend: Array | float = 0.0) -> Motion:
    """Somebody who stands and bends the knees by so much, metres."""
    feet = {side: standing_foot(t, side) for side in SIDES}
    height = np.broadcast_to(0.99 * STANDING - np.asarray(bend), t.shape)
    root = np.stack([0 * t, 0.3 * (height - height.max()), height], axis=1)
    return posed(lowered(root, feet), 0 * t, 0 * t, feet, arms)


def _to(t: Floats, side: str, root: Floats, wrist: Array) -> Floats:
    """The way (T, 3) from the shoulder of an upright body to where its wrist is to be."""
    return np.asarray(np.broadcast_to(wrist, (len(t), 3)) - root - _SHOULDERS[side])


def crossing() -> Scene:
    """Two walk past each other before the camera."""
    t = _seconds(3.2)
    people = [_put(walking(t, 1.8), 0.4, 0.0), _put(walking(t, 1.8), -0.5, 0.0, 180, _SMALLER)]
    return _scene(people, ((5.6, 0.3, 1.4), (0.0, 0.0, 0.95)))


def post() -> Scene:
    """Two change places behind a post."""
    t = _seconds(3.2)
    people = [_put(walking(t, 1.8), 0.3, 0.0), _put(walking(t, 1.8), -0.4, 0.0, 180, _SMALLER)]
    return _scene(people, ((6.0, 0.0, 1.4), (0.0, 0.0, 0.95)), Box((1.0, -0.3, 0.0), (1.4, 0.3, 2.6)))


def row() -> Scene:
    """Three stand in a row: one waves, one bends the knees, one raises both arms."""
    t = _seconds(3.0)
    down = {side: hanging(t, side, 0.1 + 0 * t, 0.95) for side in SIDES}
    wave = hanging(t, "L", 2.4 + 0.4 * np.sin(2 * np.pi * t / 0.8), 0.85, 0.3)
    up = {side: hanging(t, side, curve(t, (0.3, 0.1), (1.4, 1.5), (2.6, 0.1)), 0.95) for side in SIDES}
    people = [
        _put(_standing(t, {**down, "L": wave}), 0.8, 0.2),
        _put(_standing(t, down, curve(t, (0.3, 0.0), (1.3, 0.25), (2.4, 0.0))), 0.0, -0.1, 0, _SMALLER),
        _put(_standing(t, up), -0.8, 0.4, 0, 0.97),
    ]
    return _scene(people, ((0.8, -5.2, 1.5), (0.0, 0.0, 0.9)))


def hug() -> Scene:
    """Somebody walks up to another one, and they embrace."""
    t = _seconds(4.0)
    held = curve(t, (1.2, 0.0), (2.0, 1.0), (3.3, 1.0), (3.9, 0.0))[:, None]

    def arms(height: float) -> dict[str, Floats]:
        return {
            side: (1 - held) * hanging(t, side, 0.1 + 0 * t, 0.95)
            + held * np.array([-0.10 * sign, -0.40, height])
            for side, sign in SIDES.items()
        }

    feet = {
        "L": stepping(
            t, "L", [Stance(-1, 0.4, 0.9), Stance(0.85, 1.35, 0.4), Stance(1.75, 9, 0.0)],
            roll=0.15, off=0.5, clear=0.08,
        ),
        "R": stepping(t, "R", [Stance(-1, 0.8, 0.9), Stance(1.3, 9, 0.0)], roll=0.15, off=0.5, clear=0.08),
    }  # fmt: skip
    y = curve(t, (0.1, 0.9), (0.8, 0.6), (1.3, 0.2), (1.9, 0.0))
    root = np.stack([0 * t, y, np.full_like(t, 0.99 * STANDING)], axis=1)
    comes = posed(lowered(root, feet), 0 * t, 0 * t, feet, arms(-0.02))
    people = [_put(_standing(t, arms(-0.26)), 0.0, -0.17, 180, _SMALLER), _put(comes, 0.0, 0.17)]
    return _scene(people, ((4.8, 0.9, 1.5), (0.0, 0.2, 0.9)))


def hands() -> Scene:
    """Two stand side by side and swing the hands that they hold."""
    t = _seconds(3.2)
    swing = 2 * np.pi * t / 1.6
    wrist = np.stack([0 * t, 0.25 * np.sin(swing), 0.92 - 0.04 * np.cos(2 * swing)], axis=1)
    people = []
    for side, x, tall in (("L", -0.38, 1.0), ("R", 0.36, _SMALLER)):
        # wrists beside each other, as hands that hold each other have them
        held = (wrist - [x + SIDES[side] * 0.03, 0, 0]) / tall
        bend = 0.03 + 0.03 * np.sin(swing)
        root = _standing(t, {}, bend).root
        other = "R" if side == "L" else "L"
        arms = {side: _to(t, side, root, held), other: hanging(t, other, 0.15 * np.sin(swing), 0.95)}
        people.append(_put(_standing(t, arms, bend), x, 0.0, 0, tall))
    return _scene(people, ((2.4, -4.6, 1.4), (0.0, 0.0, 0.9)))


def lift() -> Scene:
    """Somebody lifts another one by the waist, holds them in the air, and puts them down."""
    t = _seconds(4.2)
    rise = curve(t, (0.9, 0.0), (1.7, 0.40), (2.7, 0.40), (3.5, 0.0))
    apart = 0.36
    stands = rise < 1e-3
    feet = {}
    for side, sign in SIDES.items():
        ankle = np.stack([np.full_like(t, 0.1 * sign), 0 * t, ANKLE + rise / _SMALLER], axis=1)
        pitch = curve(t, (0.9, 0.0), (1.4, 0.6), (3.0, 0.6), (3.5, 0.0))
        feet[side] = Foot(ankle, pitch, np.stack([stands, stands], 1), np.where(stands, 0.0, np.nan))
    root = np.stack([0 * t, 0 * t, 0.985 * STANDING + rise / _SMALLER], axis=1)
    # on the other one's upper arms
    resting = {
        side: curve(t, (0.2, 0.0), (0.8, 1.0), (3.6, 1.0), (4.0, 0.0))[:, None]
        * (np.array([0.02 * sign, -0.26, -0.12]) - hanging(t, side, 0.1 + 0 * t, 0.95))
        + hanging(t, side, 0.1 + 0 * t, 0.95)
        for side, sign in SIDES.items()
    }
    lifted = posed(root, 0 * t, 0 * t, feet, resting)
    grasp = curve(t, (0.2, 0.0), (0.8, 1.0), (3.6, 1.0), (4.0, 0.0))[:, None]
    bend = curve(t, (0.4, 0.0), (0.9, 0.12), (1.6, 0.0), (2.8, 0.0), (3.5, 0.12), (4.1, 0.0))
    own = _standing(t, {}, bend).root
    arms = {}
    for side, sign in SIDES.items():
        waist = np.stack([0.15 * sign + 0 * t, 0 * t - apart + 0.02, 1.02 * _SMALLER + rise], axis=1)
        free = hanging(t, side, 0.1 + 0 * t, 0.95)
        arms[side] = free + grasp * (_to(t, side, own, waist) - free)
    people = [_put(_standing(t, arms, bend), 0.0, apart / 2), _put(lifted, 0.0, -apart / 2, 180, _SMALLER)]
    return _scene(people, ((4.9, -0.8, 1.5), (0.0, 0.0, 1.0)))


#: the scenes by name
GATHERINGS: dict[str, Callable[[], Scene]] = {
    "crossing": crossing, "post": post, "row": row, "hug": hug, "hands": hands, "lift": lift,
}  # fmt: skip


@dataclass(frozen=True)
class Gathering:
    """A film of several people, and one of each of them alone, before the same camera.

    Attributes
    ----------
    scene : Scene
    camera : Camera
    film : Path
    alone : list of Path
        A reference lies beside each.
    """

    scene: Scene
    camera: Camera
    film: Path
    alone: list[Path]


def gatherings(out: Path, names: Iterable[str]) -> dict[str, Gathering]:
    """Films by names of `GATHERINGS`; they are kept until what they depend on changes.

    Raises
    ------
    CaptureError
        If there is no codec to write a video.
    """
    sources = (*SOURCES, "bench/moving.py", "bench/gatherings.py")
    digest = hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in sources))
    folder = out / f"gatherings.{digest.hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for number, name in enumerate(GATHERINGS):
        if name not in names:
            continue
        scene = GATHERINGS[name]()
        camera = looking(*scene.cameras[""])
        cameras = [camera] * len(scene.motion)
        whole = folder / f"{name}.mp4"
        if not whole.exists():
            film(scene, cameras, number, whole)
        alone = []
        for one, motion in enumerate((scene.motion, *scene.others)):
            video = folder / f"{name}_{one}.mp4"
            if not video.exists():
                own = Scene(motion, scene.boxes, {}, on_the_floor(motion))
                np.savez(video.with_suffix(".npz"), **reference(own, camera))
                film(scene, cameras, number, video, [one])
            alone.append(video)
        found[name] = Gathering(scene, camera, whole, alone)
    return found
