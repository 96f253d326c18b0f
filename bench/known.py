"""Figures from a reference's rotations, and of the solver on its own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from kinelift.bench.score import LIMBS, Figures, similarity
from kinelift.bench.truth import true_capture
from kinelift.core.camera import WORLD_FROM_LEVEL_CAMERA
from kinelift.core.capture import Capture
from kinelift.core.kinematics import joint_positions
from kinelift.core.landmarks import PLACES
from kinelift.core.motion import Motion
from kinelift.core.rotations import axis_angle, geodesic_angle, rotation_between
from kinelift.core.skeleton import INDEX, STANDARD_HEIGHT, rest_offsets
from kinelift.inference.lift import Estimate
from kinelift.inference.solve.problem import Evidence
from kinelift.inference.solve.solver import solve

Array = npt.NDArray[np.float64]

#: joint at the other end of each limb
_CHILD = {"upper_arm": "forearm", "forearm": "hand", "thigh": "shin", "shin": "foot"}
#: direction of the left hand in the references' rest pose, an A-pose
_HAND = np.array([0.36, -0.80, -0.47])
#: joints without a comparable rotation: the references' neck blends two of ours; the others end bones
_NO_TURN = {"neck", "nose", "heel", "toe_tip"}
_CPU = torch.device("cpu")


class _Compared(NamedTuple):
    """A captured motion beside the truth.

    Attributes
    ----------
    truth : dict
        The reference's arrays.
    names : list of str
        Its joints.
    frames : (N,)
        The captured frames that show the truth's first N.
    turn : (3, 3)
        The one rotation of the clip that `sa_mpjpe_mm` removes, from the captured world to the true one.
    """

    truth: dict[str, Any]
    names: list[str]
    frames: npt.NDArray[np.int64]
    turn: Array

    def true(self, joint: str) -> Array:
        """World rotations (N, 3, 3) of a joint's bone, relative to the reference's rest pose."""
        rotations = self.truth["joint_rotations"][: len(self.frames), self.names.index(joint)]
        return np.asarray(rotations.astype(float))


def _compared(motion: Motion, reference: Path) -> _Compared | None:
    """A motion beside a reference; None if that has no rotations."""
    with np.load(reference, allow_pickle=False) as data:
        d: dict[str, Any] = dict(data)
    if "joint_rotations" not in d:
        return None
    names = [str(n) for n in d["joint_names"]]
    frames = np.round(np.arange(len(d["joints_world"])) * motion.fps / float(d["fps"])).astype(int)
    frames = frames[frames < len(motion)]
    truth, captured = d["joints_world"][: len(frames)].astype(float), motion.joints[frames]
    pairs = [
        (captured[:, [INDEX[n] for n in LIMBS]], captured[:, [INDEX[f"thigh.{s}"] for s in "LR"]]),
        (truth[:, [names.index(n) for n in LIMBS]], truth[:, [names.index(f"thigh.{s}") for s in "LR"]]),
    ]
    a, b = ((limbs - hips.mean(1, keepdims=True)).reshape(-1, 3) for limbs, hips in pairs)
    return _Compared(d, names, frames, similarity(a, b)[1])


def rotation_error(motion: Motion, reference: Path) -> float | None:
    """Mean angle, degrees, between the captured bones' rotations and the true ones, all three axes of each.

    Both are relative to the T-pose. One rotation of the whole clip (that of `sa_mpjpe_mm`) is removed first,
    as the captured world's heading is arbitrary. None if the reference has no rotations.
    """
    both = _compared(motion, reference)
    if both is None:
        return None
    rest = {n: both.truth["joint_rest"][i].astype(float) for i, n in enumerate(both.names)}
    errors = []
    for name in both.names:
        base, _, side = name.partition(".")
        if base in _NO_TURN:
            continue
        true = both.true(name)
        sign = -1.0 if side == "R" else 1.0
        if base == "hand":
            true = true @ rotation_between(_HAND * [sign, 1, 1], np.array([sign, 0, 0])).T
        elif base in _CHILD:
            bone = rest[f"{_CHILD[base]}.{side}"] - rest[name]
            out = np.array([sign, 0, 0]) if "arm" in base else np.array([0.0, 0, -1])
            true = true @ rotation_between(bone, out).T
        captured = both.turn @ motion.world_rotations[both.frames, INDEX[name]]
        errors.append(geodesic_angle(captured, true).mean())
    return float(np.degrees(np.mean(errors)))


def head_error(motion: Motion, reference: Path) -> Figures:
    """How far the captured head looks away from where the true one looks, degrees.

    The captured world is turned about the vertical first, as its heading is arbitrary: what is wrong with its
    gravity counts. Nothing if the reference has no rotations.

    Returns
    -------
    dict
        ``head_deg``: the mean angle between both directions; ``head_down_deg``: how much farther down the
        captured head looks, on average.
    """
    both = _compared(motion, reference)
    if both is None:
        return {}
    turn = both.turn
    heading = axis_angle(np.array([0.0, 0, 1]), np.arctan2(turn[1, 0] - turn[0, 1], turn[0, 0] + turn[1, 1]))
    captured, true = (
        -rotations[..., 1]
        for rotations in (heading @ motion.world_rotations[both.frames, INDEX["head"]], both.true("head"))
    )
    away = np.arccos(np.clip((captured * true).sum(1), -1, 1))
    down = [np.arcsin(np.clip(-look[:, 2], -1, 1)) for look in (captured, true)]
    return {
        "head_deg": float(np.degrees(away.mean())),
        "head_down_deg": float(np.degrees((down[0] - down[1]).mean())),
    }


def _before_camera(capture: Capture) -> tuple[Estimate, Array, Array]:
    """A true motion as a perfect lifter's estimate, with a perfect detector's rays and confidence."""
    motion = capture.motion
    pose = WORLD_FROM_LEVEL_CAMERA @ capture.camera.camera_from_world[:3]
    estimate = Estimate(
        lengths=motion.lengths,
        rotations=pose[:, :3] @ motion.world_rotations,
        root=motion.root.astype(float) @ pose[:, :3].T + pose[:, 3],
        contacts=motion.contacts.astype(float),
        up=pose[:, 2],
    )
    scale, at = motion.height / STANDARD_HEIGHT, _joints(estimate)
    points = np.stack(
        [at[:, INDEX[a]] + estimate.rotations[:, INDEX[b]] @ (np.array(p) * scale) for a, b, p in PLACES],
        axis=1,
    )
    rays = np.stack([points[..., 0], -points[..., 2]], -1) / points[..., 1:2]
    return estimate, rays, np.ones(rays.shape[:2])


def _joints(estimate: Estimate) -> Array:
    return np.asarray(joint_positions(estimate.rotations, estimate.root, rest_offsets(estimate.lengths)))


def swing_kept(reference: Path) -> float:
    """Width of the wrists' swing in the solver's answer to true rotations and landmarks, over the truth's.

    The width is the root mean square distance of both wrists, relative to the chest, from their means over
    one second.
    """
    capture = true_capture(reference)
    motion = capture.motion
    estimate, rays, confidence = _before_camera(capture)
    solved = solve(Evidence(estimate, rays, confidence, motion.fps, _CPU))
    width = []
    for one in (solved, estimate):
        joints = _joints(one)
        arms = joints[:, [INDEX["hand.L"], INDEX["hand.R"]]] - joints[:, INDEX["chest"], None]
        second = int(motion.fps)
        sums = np.cumsum(np.concatenate([np.zeros((1, 2, 3)), arms]), axis=0)
        mean = (sums[second:] - sums[:-second]) / second
        swing = arms[second // 2 : second // 2 + len(mean)] - mean
        width.append(np.sqrt((swing**2).sum(-1).mean()))
    return float(width[0] / width[1])


def solver_seconds(reference: Path, frames: int = 300, repeat: int = 3) -> float:
    """Seconds that the solver takes for `frames` frames on one thread: the best of `repeat` runs."""
    capture = true_capture(reference)
    motion = capture.motion
    estimate, rays, confidence = _before_camera(capture)
    last = len(motion) - 1
    to_and_fro = last - np.abs(np.arange(frames) % (2 * last) - last)
    longer = Estimate(
        estimate.lengths,
        estimate.rotations[to_and_fro],
        estimate.root[to_and_fro],
        estimate.contacts[to_and_fro],
        estimate.up,
    )
    times = []
    for _ in range(repeat):
        began = time.perf_counter()
        solve(Evidence(longer, rays[to_and_fro], confidence[to_and_fro], motion.fps, _CPU))
        times.append(time.perf_counter() - began)
    return min(times)
