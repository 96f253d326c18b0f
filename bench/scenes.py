"""Made-up scenes with exact truth: stairs, a jump from a box, a chair, running, the floor, a handstand.

Each is a body that is put where a rule says (`puppet`), the boxes on which it stands or sits, and cameras.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from kinelift.bench.puppet import (
    ANKLE,
    ARM,
    FPS,
    LEG,
    OFFSETS,
    SIDES,
    SIZE,
    STANDING,
    Foot,
    Stance,
    curve,
    hanging,
    heel_below,
    lowered,
    posed,
    standing_foot,
    stepping,
    turned,
)
from kinelift.core.arrays import Array, Floats
from kinelift.core.motion import Motion
from kinelift.core.skeleton import INDEX

#: gravity, m/s^2
_GRAVITY = 9.81
#: half the thickness of the body at the hips, which sit or lie on something, metres
THICK = 0.10 * SIZE
#: colours, RGB, 0 to 255
_WOOD, _STONE, _CLOTH = (150, 110, 75), (165, 160, 150), (70, 85, 120)
Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Box:
    """A box on the floor: its lowest and highest corner, metres, and its colour."""

    low: Vector
    high: Vector
    colour: Vector = _WOOD


@dataclass(frozen=True)
class Scene:
    """A motion with the things around it.

    Attributes
    ----------
    motion : Motion
        The truth; its contacts are exact.
    boxes : tuple of Box
    cameras : dict
        Eye of each camera and the point at which it looks, metres, by name.
    levels : (T, 4)
        Height of what each of `motion.CONTACT_POINTS` stands on, metres; NaN while it doesn't.
    truth : dict
        Of a jump: `flight`, when it begins and ends, seconds; `peak`, its time, and how much higher the hips
        are then than when the body stood before, metres. Of a chair: `seated` (T,) bool.
    others : tuple of Motion
        The other people, with exact contacts too.
    """

    motion: Motion
    boxes: tuple[Box, ...]
    cameras: dict[str, tuple[Vector, Vector]]
    levels: Floats
    truth: dict[str, Array] = field(default_factory=dict)
    others: tuple[Motion, ...] = ()


def _scene(
    motion: Motion,
    feet: dict[str, Foot],
    boxes: tuple[Box, ...],
    cameras: dict[str, tuple[Vector, Vector]],
    **truth: Array,
) -> Scene:
    levels = [np.where(foot.planted, foot.level[:, None], np.nan) for foot in feet.values()]
    return Scene(motion, boxes, cameras, np.concatenate(levels, axis=1), truth)


def _seconds(long: float) -> Floats:
    return np.arange(round(long * FPS)) / FPS


def _path(t: Floats, y: Array, z: Array) -> Floats:
    return np.stack([np.zeros_like(t), np.broadcast_to(y, t.shape), np.broadcast_to(z, t.shape)], axis=1)


#: height and depth of a step of the stairs, metres
_RISER, _TREAD = 0.17, 0.29
#: when the feet land: the right one on the first step, the left one on the second, then both on the third
_LANDINGS = (0.95, 1.57, 2.19, 2.81)
#: how long a foot swings, seconds
_SWING = 0.44


def _climbing(
    t: Floats, places: list[tuple[float, float]], roll: float, off: float, clear: float
) -> dict[str, Foot]:
    """The feet on stairs, from where they stand (y and height) over three steps; see `stepping`."""
    feet = {}
    for side, order, landed in (("L", (0, 2, 3), (1, 3)), ("R", (0, 1, 3), (0, 2))):
        begins = [0.0, *(_LANDINGS[n] for n in landed)]
        ends = [*(_LANDINGS[n] - _SWING for n in landed), t[-1]]
        way = [places[n] for n in order]
        stances = [Stance(b, e, y, z) for b, e, (y, z) in zip(begins, ends, way, strict=True)]
        feet[side] = stepping(t, side, stances, roll=roll, off=off, clear=clear)
    return feet


def _swinging(t: Floats) -> dict[str, Floats]:
    """Arms of somebody on stairs: each goes forward with the other side's leg."""
    step = _LANDINGS[1] - _LANDINGS[0]
    much = curve(t, (0.3, 0), (1.0, 0.3), (2.9, 0.3), (3.6, 0))
    swing = much * np.cos(np.pi * (t - _LANDINGS[0]) / step)
    return {side: hanging(t, side, 0.1 + sign * swing, 0.95) for side, sign in SIDES.items()}


def stairs_up() -> Scene:
    """Three steps up, from the floor to a platform."""
    t = _seconds(4.2)
    edges = [-0.32 - _TREAD * n for n in range(3)]
    places = [(0.0, 0.0), *((edge - 0.075, _RISER * (n + 1)) for n, edge in enumerate(edges))]
    feet = _climbing(t, places, 0.16, 0.6, 0.10)
    # when a foot lands, the hips are still nearer to the other one, and at its height
    ys, zs = [(0.0, 0.0), (_LANDINGS[0] - _SWING, 0.0)], [(0.0, STANDING), (0.45, STANDING)]
    for landing, (y, z), (ahead, _) in zip(_LANDINGS, places, [*places[1:], places[3]], strict=True):
        ys.append((landing, y + 0.42 * (ahead - y)))
        zs.append((landing, z + STANDING - 0.015))
    ys.append((_LANDINGS[3] + 0.35, places[3][0]))
    zs.append((_LANDINGS[3] + 0.35, places[3][1] + STANDING))
    root = lowered(_path(t, curve(t, *ys), curve(t, *zs)), feet)
    lean = curve(t, (0, 0.03), (1.0, 0.16), (2.8, 0.14), (3.6, 0.03))
    boxes = tuple(
        Box((-0.6, end, 0.0), (0.6, edge, _RISER * (n + 1)), _STONE)
        for n, (edge, end) in enumerate(zip(edges, [*edges[1:], edges[2] - 1.3], strict=True))
    )
    cameras = {
        "side": ((4.6, -1.0, 1.4), (0.0, -0.5, 1.0)),
        "back": ((2.2, 4.2, 1.7), (0.0, -0.45, 1.0)),
    }
    return _scene(posed(root, lean, 0.05 + 0 * t, feet, _swinging(t)), feet, boxes, cameras)


def stairs_down() -> Scene:
    """Three steps down, from a platform to the floor, towards the camera."""
    t = _seconds(4.2)
    top = _RISER * 3
    places = [(0.20, top), *((-0.10 - _TREAD * n, top - _RISER * (n + 1)) for n in range(3))]
    feet = _climbing(t, places, 0.2, 0.5, 0.05)
    ys, zs = [(0.0, places[0][0]), (0.4, places[0][0])], [(0.0, top + STANDING), (0.5, top + STANDING)]
    for landing, (y, z) in zip(_LANDINGS[:3], places[1:], strict=True):
        ys.append((landing, y + 0.12))
        zs.append((landing, z + STANDING + 0.05))
    ys.append((_LANDINGS[3] + 0.2, places[3][0]))
    zs.append((_LANDINGS[3] + 0.2, places[3][1] + STANDING))
    root = lowered(_path(t, curve(t, *ys), curve(t, *zs)), feet)
    boxes = tuple(Box((-0.6, -_TREAD * n, 0.0), (0.6, 1.4, top - _RISER * n), _STONE) for n in range(3))
    cameras = {"front": ((1.4, -4.9, 1.5), (0.0, -0.2, 1.1))}
    return _scene(posed(root, 0.04 + 0 * t, 0.05 + 0 * t, feet, _swinging(t)), feet, boxes, cameras)


#: height of the box, metres
_BOX = 0.4
#: how much higher than at the take-off the hips fly, metres
_RISE = 0.24
#: pitch of the feet when they leave the box, and when they land, radians
_OFF_TOES, _ON_TOES = 0.75, 0.35


def box_jump() -> Scene:
    """A jump up and forward from a box of 40 cm to the floor, with a parabola in flight."""
    t = _seconds(4.0)
    # the hips over legs that are almost straight, on the toes
    high_off, high_on = (
        STANDING + _on_toes(pitch) - bent for pitch, bent in ((_OFF_TOES, 0.02), (_ON_TOES, 0.06))
    )
    leaves, lands = np.array([-0.06, _BOX + high_off]), np.array([-0.81, high_on])
    speed = np.sqrt(2 * _GRAVITY * _RISE)
    flight = (speed + np.sqrt(speed**2 + 2 * _GRAVITY * (leaves[1] - lands[1]))) / _GRAVITY
    start, end = 1.45, 1.45 + flight
    times = (start - 0.26, start, end, end + 0.3, end + 1.1)
    stands, low = -0.93, 0.62
    y = _leap(
        t, times, (0.0, 0.06, leaves[0], lands[0], stands + 0.05, stands), (lands[0] - leaves[0]) / flight
    )
    z = _leap(t, times, (_BOX + STANDING, _BOX + low, leaves[1], lands[1], low, STANDING), speed, _GRAVITY)
    root = _path(t, y, z)
    feet = {side: _jumping_foot(t, side, root, times, leaves, lands, stands) for side in "LR"}
    crouch, _, _, soft, _ = times
    lean = curve(t, (0.5, 0.03), (crouch, 0.75), (start, 0.1), (end, 0.2), (soft, 0.75), (3.3, 0.03))
    raised = curve(t, (0.5, 0.05), (1.1, -0.9), (start, 1.9), (end, 1.0), (soft, 0.7), (3.3, 0.05))
    arms = {side: hanging(t, side, raised, 0.95) for side in "LR"}
    boxes = (Box((-0.45, -0.24, 0.0), (0.45, 0.5, _BOX)),)
    cameras = {
        "front": ((1.5, -5.2, 1.3), (0.0, -0.4, 1.2)),
        "side": ((5.1, -1.4, 1.3), (0.0, -0.45, 1.15)),
    }
    peak = np.array([start + speed / _GRAVITY, high_off + _RISE - STANDING])
    motion = posed(root, lean, 0.3 * lean, feet, arms)
    return _scene(motion, feet, boxes, cameras, flight=np.array([start, end]), peak=peak)


def _on_toes(pitch: float) -> float:
    """How much higher the ankle is over its ball when the foot is pitched, metres."""
    toe = OFFSETS[INDEX["toe.L"]]
    return float((toe - turned(np.array(pitch)) @ toe)[2])


def _leap(
    t: Floats, times: tuple[float, ...], values: tuple[float, ...], speed: float, fall: float = 0.0
) -> Floats:
    """A coordinate (T,) of the hips in a jump.

    Parameters
    ----------
    t : (T,), seconds
    times : (float, ...)
        When they are lowest before it, leave, land, are lowest after it, and stand.
    values : (float, ...)
        The coordinate before, and at these times, metres.
    speed, fall : float
        Speed when they leave, and how it falls in flight, m/s and m/s^2.
    """
    crouch, start, end, soft, up = times
    in_flight = t - start
    return np.asarray(
        np.select(
            [t < crouch, t < start, t <= end, t < soft],
            [
                curve(t, (0.5, values[0]), (crouch, values[1])),
                _hermite(t, (crouch, values[1], 0.0), (start, values[2], speed)),
                values[2] + speed * in_flight - fall / 2 * in_flight**2,
                _hermite(t, (end, values[3], speed - fall * (end - start)), (soft, values[4], 0.0)),
            ],
            curve(t, (soft, values[4]), (up, values[5])),
        )
    )


def _hermite(t: Floats, begin: tuple[float, float, float], end: tuple[float, float, float]) -> Floats:
    """The cubic (T,) from a time, value and speed to others."""
    long = end[0] - begin[0]
    s = (t - begin[0]) / long
    return np.asarray(
        begin[1] * (1 + 2 * s) * (1 - s) ** 2
        + end[1] * s * s * (3 - 2 * s)
        + long * s * (1 - s) * (begin[2] * (1 - s) - end[2] * s)
    )


def _jumping_foot(
    t: Floats, side: str, root: Floats, times: tuple[float, ...], leaves: Floats, lands: Floats, stands: float
) -> Foot:
    """On the box, with the hips in flight, and on the floor at `stands`; `times` as for `_leap`."""
    _, start, end, _, _ = times
    rolls, flat = start - 0.14, end + 0.08
    from_ankle = OFFSETS[INDEX[f"toe.{side}"]]
    base = np.array([SIDES[side] * 0.11, 0.0, ANKLE]) + from_ankle
    on_box, on_floor = base + np.array([0, 0, _BOX]), base + np.array([0, stands, 0])
    s = np.clip((t - start) / (end - start), 0, 1)[:, None]
    before, after = on_box - [0, *leaves], on_floor - [0, *lands]
    tuck = 0.10 * np.sin(np.pi * s) ** 2 * [0, 0, 1]
    ball = root + before + s * s * (3 - 2 * s) * (after - before) + tuck
    ball[t <= start], ball[t >= end] = on_box, on_floor
    pitch = np.where(
        t < end,
        curve(t, (rolls, 0), (start, _OFF_TOES), (start + 0.3, 0.5), (end, _ON_TOES)),
        curve(t, (end, _ON_TOES), (flat, 0)),
    )
    planted = np.stack([(t <= rolls) | (t >= flat), (t <= start) | (t >= end)], axis=1)
    level = np.where(t <= start, _BOX, np.where(t >= end, 0.0, np.nan))
    return Foot(ball - turned(pitch) @ from_ankle, pitch, planted, level)


#: height of the chair, metres
_SEAT = 0.45


def chair() -> Scene:
    """Sitting down on a chair of 45 cm, and getting up."""
    t = _seconds(4.6)
    feet = {side: standing_foot(t, side) for side in "LR"}
    seated = _SEAT + THICK
    y = curve(t, (0.5, 0.0), (1.15, 0.24), (1.7, 0.42), (2.9, 0.42), (3.35, 0.25), (4.05, 0.0))
    z = curve(t, (0.5, STANDING), (1.7, seated), (2.95, seated), (4.1, STANDING))
    lean = curve(t, (0.4, 0.03), (1.15, 0.6), (1.75, 0.0), (2.6, 0.0), (3.2, 0.6), (4.1, 0.03))
    raised = curve(t, (0.4, 0.05), (1.15, 0.5), (1.75, 0.75), (2.6, 0.75), (3.2, 0.5), (4.1, 0.05))
    arms = {
        side: hanging(t, side, raised, curve(t, (0.4, 0.97), (1.7, 0.82), (2.7, 0.82), (4.1, 0.97)))
        for side in "LR"
    }
    root = lowered(_path(t, y, z), feet)
    legs = tuple(
        Box((x - 0.02, y - 0.02, 0.0), (x + 0.02, y + 0.02, _SEAT - 0.04))
        for x in (-0.2, 0.2)
        for y in (0.26, 0.66)
    )
    boxes = (
        *legs,
        Box((-0.23, 0.22, _SEAT - 0.04), (0.23, 0.70, _SEAT), _CLOTH),
        Box((-0.23, 0.66, _SEAT), (0.23, 0.70, 0.92), _CLOTH),
    )
    cameras = {
        "front": ((1.5, -4.4, 1.4), (0.0, 0.1, 0.85)),
        "side": ((4.5, -0.9, 1.3), (0.0, 0.2, 0.85)),
    }
    truth = {"seated": (t >= 1.75) & (t <= 2.9)}
    return _scene(posed(root, lean, 0.35 * lean, feet, arms), feet, boxes, cameras, **truth)


#: how fast the runner is, m/s; how long a foot stands, and nobody's, seconds
_SPEED, _STANDS, _FLIES = 2.9, 0.24, 0.13


def run() -> Scene:
    """Running: between two steps, no foot is on the floor for 0.13 s."""
    t = _seconds(2.6)
    step = _STANDS + _FLIES
    feet = {}
    for side, first in (("L", -2), ("R", -1)):
        stances = [
            Stance(n * step, n * step + _STANDS, -_SPEED * (n * step + 0.42 * _STANDS))
            for n in range(first, 2 + round(t[-1] / step), 2)
        ]
        feet[side] = stepping(t, side, stances, roll=0.13, off=0.95, clear=0.34, x=0.05)
    kick = _GRAVITY * _FLIES / 2
    after = np.mod(t, step)
    flying = after - _STANDS
    z = np.where(flying < 0, -kick * after * (1 - after / _STANDS), kick * flying - _GRAVITY / 2 * flying**2)
    root = _path(t, -_SPEED * t, 0.90 * STANDING + z)
    swing = 0.75 * np.sin(np.pi * (t - 0.42 * _STANDS) / step)
    # each arm goes with the other side's leg
    arms = {side: hanging(t, side, 0.15 + sign * swing, 0.72) for side, sign in SIDES.items()}
    cameras = {
        "side": ((8.4, -3.6, 1.3), (0.0, -3.6, 0.95)),
        "front": ((1.0, -12.8, 1.5), (0.0, -3.0, 0.9)),
    }
    return _scene(posed(root, 0.14 + 0 * t, 0.06 + 0 * t, feet, arms), feet, (), cameras)


def lie_down() -> Scene:
    """Sitting down on the floor, lying down on the back, and getting up again."""
    t = _seconds(6.2)
    half = 3.1
    there = half - np.abs(t - half)  # getting up is the same backwards
    pitch = curve(there, (1.75, 0.0), (2.5, -1.35))
    y = curve(there, (0.4, 0.0), (1.0, 0.22), (1.6, 0.46), (2.5, 0.5))
    z = curve(there, (0.4, STANDING), (1.1, 0.42), (1.6, 0.16), (1.9, THICK), (2.6, THICK))
    lean = curve(there, (0.4, 0.03), (1.0, 0.55), (1.6, -0.25), (2.6, -np.pi / 2))
    curl = curve(there, (0.4, 0.0), (1.0, 0.35), (1.6, 0.5), (2.5, 0.0))
    feet = {}
    for side, sign in SIDES.items():
        ankle = np.stack(
            [
                np.full_like(t, 0.1 * sign),
                curve(there, (1.75, 0.0), (2.5, 0.5 - 0.985 * LEG)),
                curve(there, (1.75, ANKLE), (2.1, ANKLE + 0.08), (2.5, heel_below(-1.35))),
            ],
            axis=1,
        )
        flat = there <= 1.75
        feet[side] = Foot(ankle, pitch, np.stack([flat, flat], 1), np.where(flat, 0.0, np.nan))
    root = _path(t, y, z)
    root = np.where((there < 1.6)[:, None], lowered(root, feet), root)
    raised = curve(there, (0.4, 0.05), (1.0, 1.0), (1.7, 0.9), (2.6, np.pi / 2))
    arms = {side: hanging(t, side, raised, 0.95, 0.25) for side in "LR"}
    cameras = {
        "front": ((2.2, -4.2, 1.7), (0.0, 0.3, 0.7)),
        "side": ((4.6, 0.0, 1.4), (0.0, 0.35, 0.75)),
    }
    return _scene(posed(root, lean, curl, feet, arms), feet, (), cameras)


def handstand() -> Scene:
    """Hands to the floor, a kick, a handstand of a second, and back."""
    t = _seconds(5.4)
    half = 2.7
    there = half - np.abs(t - half)
    down, up = 1.55, 2.15
    bent = 1.95
    lean = np.where(
        there < down, curve(there, (0.5, 0.0), (down, bent)), curve(there, (down, bent), (up, np.pi))
    )
    # shoulders above the hands while these are on the floor
    wrist, reach = 0.055, 0.985
    trunk = sum(OFFSETS[INDEX[name]] for name in ("spine", "chest", "shoulder.L", "upper_arm.L"))
    shoulder = np.array([0.0, -0.86, wrist + reach * ARM * np.cos(0.06)])
    held = shoulder - turned(lean) @ (trunk * [0, 1, 1])
    s = curve(there, (0.5, 0.0), (down, 1.0))[:, None]
    standing = np.array([0.0, 0.0, STANDING])
    stooped = shoulder - turned(np.array(bent)) @ (trunk * [0, 1, 1])
    root = np.where((there < down)[:, None], standing + s * (stooped - standing), held)
    feet = {
        "L": _kicking_foot(t, there, "L", root, 1.25, 2.05),
        "R": _kicking_foot(t, there, "R", root, 1.6, 2.2),
    }
    root = np.where((there < 1.25)[:, None], lowered(root, feet), root)
    arms = {
        side: hanging(t, side, curve(there, (0.5, 0.0), (1.1, 0.35), (down, 0.0)), reach, 0.06)
        for side in "LR"
    }
    flat = curve(there, (1.2, 0.0), (down, 1.0))
    cameras = {
        "front": ((2.0, -5.6, 1.3), (0.0, -0.55, 1.0)),
        "side": ((5.4, -0.9, 1.2), (0.0, -0.55, 1.0)),
    }
    motion = posed(root, lean, 0 * t, feet, arms, flat)
    return _scene(motion, feet, (), cameras)


def _kicking_foot(t: Floats, there: Floats, side: str, root: Floats, off: float, up: float) -> Foot:
    """A foot that stands until `off` and is straight above the hips from `up` on; `there` is the time."""
    hip = root + OFFSETS[INDEX[f"thigh.{side}"]]
    planted = there <= off
    place = np.array([SIDES[side] * 0.103, 0.0, ANKLE])
    at = int(np.flatnonzero(planted & (t < t[-1] / 2))[-1])
    way = place - hip[at]
    angle = np.arctan2(way[1], -way[2])
    first, far = float(there[at]), float(np.linalg.norm(way[1:]))
    turn = curve(there, (first, angle), (up, np.pi))
    reach = curve(there, (first, far), (up, 0.995 * LEG))
    ankle = hip + np.stack([0 * t, reach * np.sin(turn), -reach * np.cos(turn)], axis=1)
    ankle[planted] = place
    pitch = curve(there, (first + 0.15, 0.0), (up, np.pi + 0.5))
    return Foot(ankle, pitch, np.stack([planted, planted], 1), np.where(planted, 0.0, np.nan))


#: the scenes by name
SCENES: dict[str, Callable[[], Scene]] = {
    "stairs_up": stairs_up, "stairs_down": stairs_down, "box_jump": box_jump, "chair": chair, "run": run,
    "lie_down": lie_down, "handstand": handstand,
}  # fmt: skip
