"""Motion that the mocap lacks, made by rule within the joints' limits: running, squats, floor work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kinelift.core.arrays import Array
from kinelift.core.kinematics import attached_points, joint_positions, world_rotations
from kinelift.core.rotations import matrix_from_vector
from kinelift.core.skeleton import (
    BALL_HEIGHT,
    END_POINTS,
    HEEL_OFFSET,
    INDEX,
    JOINTS,
    TEMPLATE_LENGTHS,
    rest_offsets,
)
from kinelift.training.mocap import FPS, MocapSequence, contact_labels

#: axes of the rest pose: left, back, up
_X, _Y, _Z = np.eye(3)
#: half the thickness of the body at joints that may lie on the floor, metres
_THICK = {"hips": 0.10, "chest": 0.12, "head": 0.08, "shin": 0.055, "forearm": 0.04, "hand": 0.03}


class _Posing:
    """Rotations of the joints over time, built up by degrees about axes of the rest pose."""

    def __init__(self, frames: int) -> None:
        self.local = np.tile(np.eye(3), (frames, len(JOINTS), 1, 1))
        self.frames = frames

    def turn(self, joint: str, axis: Array, degrees: Any) -> None:
        angle = np.radians(np.broadcast_to(degrees, (self.frames,)))
        at = INDEX[joint]
        self.local[:, at] = self.local[:, at] @ matrix_from_vector(angle[:, None] * axis)

    def arm(self, side: str, down: Any, forward: Any, elbow: Any) -> None:
        """Lower the upper arm from the T-pose, then move it forward; bend the elbow to the front."""
        sign = 1.0 if side == "L" else -1.0
        self.turn(f"upper_arm.{side}", _X, -np.asarray(forward))
        self.turn(f"upper_arm.{side}", _Y, sign * np.asarray(down))
        self.turn(f"forearm.{side}", _Z, -sign * np.clip(elbow, 0, 145))

    def leg(self, side: str, forward: Any, apart: Any, knee: Any, foot: Any = 0.0) -> None:
        """Move the thigh forward and out, the shin back, the tip of the foot up."""
        sign = 1.0 if side == "L" else -1.0
        self.turn(f"thigh.{side}", _Y, -sign * np.asarray(apart))
        self.turn(f"thigh.{side}", _X, -np.clip(forward, -30, 125))
        self.turn(f"shin.{side}", _X, np.clip(knee, 0, 150))
        self.turn(f"foot.{side}", _X, -np.clip(foot, -50, 30))

    def back(self, forward: Any, aside: Any = 0.0, twist: Any = 0.0) -> None:
        """Bend spine and chest by half each."""
        for joint in ("spine", "chest"):
            self.turn(joint, _X, np.clip(np.asarray(forward) / 2, -20, 40))
            self.turn(joint, _Y, np.clip(np.asarray(aside) / 2, -15, 15))
            self.turn(joint, _Z, np.clip(np.asarray(twist) / 2, -20, 20))

    def sequence(self, name: str, path: Array, above: Any = 0.0) -> MocapSequence:
        """The sequence: hips above the path (T, 2), lowest point of the body `above` the floor, metres."""
        world = np.asarray(world_rotations(self.local))
        offsets = rest_offsets(TEMPLATE_LENGTHS)
        joints = np.asarray(joint_positions(world, np.zeros((self.frames, 3)), offsets))
        lowest = [joints[:, INDEX[name], 2] - thick for name, thick in _both(_THICK)]
        feet = []
        for side in "LR":
            feet.append(attached_points(world, joints, INDEX[f"foot.{side}"], np.array(HEEL_OFFSET)))
            toe = INDEX[f"toe.{side}"]
            feet.append(joints[:, toe])
            tip = attached_points(world, joints, toe, np.array(END_POINTS[f"toe.{side}"]))
            lowest += [feet[-2][:, 2], feet[-1][:, 2] - BALL_HEIGHT, tip[:, 2] - BALL_HEIGHT / 2]
        root = np.concatenate([path, (above - np.min(lowest, axis=0))[:, None]], 1)
        contacts = contact_labels(np.stack(feet, 1) + root[:, None], FPS)
        leg = float(offsets[INDEX["shin.L"], 2] + offsets[INDEX["foot.L"], 2])
        return MocapSequence(name, world, root, abs(leg), contacts, TEMPLATE_LENGTHS)


def _both(table: dict[str, float]) -> list[tuple[str, float]]:
    sides = ((n, (n,) if n in INDEX else (f"{n}.L", f"{n}.R")) for n in table)
    return [(name, table[n]) for n, names in sides for name in names]


def _runner(posing: _Posing, rng: np.random.Generator) -> MocapSequence:
    t = np.arange(posing.frames) / FPS
    cadence, effort = rng.uniform(1.2, 1.7), rng.uniform(0.7, 1.2)
    lean = rng.uniform(3, 15)
    posing.turn("hips", _X, np.full(posing.frames, lean))
    for side, phase in (("L", 0.0), ("R", np.pi)):
        cycle = 2 * np.pi * cadence * t + phase
        swing = np.sin(cycle)
        # the knee bends most while the thigh swings forward
        knee = effort * (20 + 80 * np.clip(np.cos(cycle + 0.3), 0, 1) ** 1.5)
        posing.leg(side, effort * (12 + 35 * swing), 2, knee, 10 * swing - 10)
        posing.arm(side, rng.uniform(65, 78), -effort * 35 * swing, rng.uniform(75, 100) - 15 * swing)
    posing.back(4, 0, 12 * np.sin(2 * np.pi * cadence * t + np.pi))
    hop = 0.05 * effort * np.clip(np.cos(4 * np.pi * cadence * t), 0, 1)
    speed = rng.uniform(0.0, 3.5)  # or on the spot
    return posing.sequence("run", np.stack([0 * t, -speed * t], 1), hop)


def _squats(posing: _Posing, rng: np.random.Generator) -> MocapSequence:
    t = np.arange(posing.frames) / FPS
    depth = rng.uniform(60, 120) * (0.5 - 0.5 * np.cos(2 * np.pi * rng.uniform(0.25, 0.6) * t))
    split = rng.choice([0.0, rng.uniform(15, 35)])  # or a lunge
    apart = rng.uniform(3, 25)
    posing.turn("hips", _X, depth * rng.uniform(0.15, 0.4))
    reach = rng.choice([0.0, rng.uniform(30, 90)])
    for side, sign in (("L", 1.0), ("R", -1.0)):
        posing.leg(side, depth * 0.95 + sign * split, apart, depth * 1.1, depth * 0.15)
        posing.arm(side, rng.uniform(60, 80), reach * depth / 120 + rng.normal(0, 8), rng.uniform(5, 110))
    posing.back(depth * rng.uniform(0.0, 0.3))
    return posing.sequence("squats", np.zeros((posing.frames, 2)))


def _crawler(posing: _Posing, rng: np.random.Generator) -> MocapSequence:
    t = np.arange(posing.frames) / FPS
    cycle = 2 * np.pi * rng.uniform(0.4, 0.9) * t
    posing.turn("hips", _X, np.full(posing.frames, rng.uniform(75, 95)))
    for side, phase in (("L", 0.0), ("R", np.pi)):
        swing = np.sin(cycle + phase)
        posing.leg(side, 90 + 18 * swing, 4, 90 + rng.uniform(-5, 5), -40)
        posing.arm(side, 80, 85 - 18 * swing, rng.uniform(5, 20))
    posing.back(rng.uniform(-15, 15), 0, 6 * np.sin(cycle))
    posing.turn("head", _X, np.full(posing.frames, rng.uniform(-45, 0)))
    return posing.sequence("crawl", np.stack([0 * t, -rng.uniform(0, 0.5) * t], 1))


def _plank(posing: _Posing, rng: np.random.Generator) -> MocapSequence:
    t = np.arange(posing.frames) / FPS
    down = rng.uniform(0, 1) * (0.5 - 0.5 * np.cos(2 * np.pi * rng.uniform(0.4, 0.8) * t))
    posing.turn("hips", _X, 72 + 12 * down)
    for side in "LR":
        posing.leg(side, rng.uniform(-5, 10), rng.uniform(1, 10), rng.uniform(0, 10), 20)
        posing.arm(side, 75 - 40 * down, 80 - 40 * down, 95 * down)
    posing.turn("head", _X, np.full(posing.frames, rng.uniform(-30, 0)))
    return posing.sequence("plank", np.zeros((posing.frames, 2)))


def _on_the_floor(posing: _Posing, rng: np.random.Generator) -> MocapSequence:
    """Sit on the floor or kneel, and move the arms."""
    t = np.arange(posing.frames) / FPS
    sway = np.sin(2 * np.pi * rng.uniform(0.1, 0.4) * t)
    kneels = rng.random() < 0.4
    posing.turn("hips", _X, rng.uniform(-25, 10) + 4 * sway)
    crossed = rng.random() < 0.4
    for side in "LR":
        if kneels:
            posing.leg(side, rng.uniform(0, 60), rng.uniform(0, 15), rng.uniform(90, 140), -45)
        elif crossed:
            posing.leg(side, 75, 50, 130, -10)
        else:
            posing.leg(side, rng.uniform(50, 100), rng.uniform(0, 25), rng.uniform(5, 120), 0)
        swing = rng.uniform(0, 40) * np.sin(2 * np.pi * rng.uniform(0.2, 0.9) * t + rng.uniform(0, 6))
        posing.arm(side, rng.uniform(20, 80), rng.uniform(-30, 70) + swing, rng.uniform(5, 100))
    posing.back(rng.uniform(0, 45) + 5 * sway, 8 * sway, rng.uniform(-25, 25))
    return posing.sequence("floor", np.zeros((posing.frames, 2)))


_KINDS: tuple[Callable[[_Posing, np.random.Generator], MocapSequence], ...] = (
    _runner, _squats, _crawler, _plank, _on_the_floor,
)  # fmt: skip


def made_sequences(count: int, seed: int, frames: int = 120) -> list[MocapSequence]:
    """`count` sequences of every kind from a seed: 30 fps, template proportions, facing -Y."""
    rng = np.random.default_rng(seed)
    return [kind(_Posing(frames), rng) for _ in range(count) for kind in _KINDS]
