"""Detector in the loop: MediaPipe's landmarks of rendered bodies, with the truth on our skeleton.

Also a model of the detector (`DetectorModel`) that makes synthetic sequences look like its output: the place
of each landmark on the body, and stretches of the detector's real errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kinelift.core.arrays import Array
from kinelift.core.errors import CaptureError
from kinelift.core.landmarks import AT, LANDMARK, LANDMARKS, PLACES
from kinelift.core.rotations import rotation_between
from kinelift.core.skeleton import INDEX, JOINTS, LENGTHS, STANDARD_HEIGHT, TEMPLATE_LENGTHS, standing_height

if TYPE_CHECKING:
    from kinelift.training.emulator import Emulator


#: every n-th detected sequence is held out from training, to measure on real detections
HELD_OUT = 12
#: order of the joints in the files
FILE_JOINTS: tuple[str, ...] = (
    "hips", "neck", "head", "nose", "upper_arm.L", "upper_arm.R", "forearm.L", "forearm.R",
    "hand.L", "hand.R", "thigh.L", "thigh.R", "shin.L", "shin.R", "foot.L", "foot.R", "toe.L", "toe.R",
    "heel.L", "heel.R", "toe_tip.L", "toe_tip.R",
)  # fmt: skip
#: joints whose rotation the files give; their neck is a blend of two of our joints
ROTATED = np.array([n in FILE_JOINTS and n != "neck" for n in JOINTS])
#: joints whose position the files give
POSITIONED = np.array([n in FILE_JOINTS for n in JOINTS])
#: direction of the left hand in the bodies' A-pose; the joints give the directions of the other limbs
_HAND_DIRECTION = np.array([0.36, -0.80, -0.47])
_CHILD = {"upper_arm": "forearm", "forearm": "hand", "thigh": "shin", "shin": "foot"}


@dataclass(frozen=True)
class DetectedSequence:
    """One detected sequence in the camera's level axes (x right, y forward, z up), at `STANDARD_HEIGHT`.

    Attributes
    ----------
    source : str
        The mocap file it shows, and the first frame.
    rays : (T, 33, 2)
        The detector's landmarks, x / z and y / z (y down); NaN where it found nobody.
    visibility : (T, 33)
    rotations : (T, J, 3, 3)
        True world rotations, identity where `ROTATED` is false.
    joints : (T, J, 3)
        True positions from the camera, 0 where `POSITIONED` is false.
    contacts : (T, 4)
    lengths : (len(LENGTHS),)
    up : (3,)
    """

    source: str
    rays: Array
    visibility: Array
    rotations: Array
    joints: Array
    contacts: Array
    lengths: Array
    up: Array


def t_pose_turns(rest: Array) -> dict[str, Array]:
    """For each limb, the rotation from its direction in the bodies' rest pose to that in the T-pose."""
    turns = {}
    for side, sign in (("L", 1.0), ("R", -1.0)):
        down, out = np.array([0.0, 0, -1]), np.array([sign, 0, 0])
        for name, child in _CHILD.items():
            bone = rest[FILE_JOINTS.index(f"{child}.{side}")] - rest[FILE_JOINTS.index(f"{name}.{side}")]
            turns[f"{name}.{side}"] = rotation_between(bone, out if "arm" in name else down)
        turns[f"hand.{side}"] = rotation_between(_HAND_DIRECTION * [sign, 1, 1], out)
    return turns


def _bone_lengths(rest: Array) -> Array:
    """Our bone lengths from a body's rest joints; lengths that the joints don't show follow the template."""
    at = {n: rest[i] for i, n in enumerate(FILE_JOINTS)}
    template = dict(zip(LENGTHS, TEMPLATE_LENGTHS, strict=True))
    trunk = (at["neck"][2] - at["hips"][2]) / 0.56  # 0.56 m: hips to neck in the template
    shoulder = at["upper_arm.L"][0] / 0.174
    measured = {
        "forearm": np.linalg.norm(at["forearm.L"] - at["upper_arm.L"]),
        "hand": np.linalg.norm(at["hand.L"] - at["forearm.L"]),
        "thigh": np.linalg.norm(at["thigh.L"] - at["hips"]),
        "shin": np.linalg.norm(at["shin.L"] - at["thigh.L"]),
        "foot": np.linalg.norm(at["foot.L"] - at["shin.L"]),
        "toe": np.linalg.norm(at["toe.L"] - at["foot.L"]),
        "head": np.linalg.norm(at["head"] - at["neck"]),
        **{n: template[n] * trunk for n in ("spine", "chest", "neck")},
        **{n: template[n] * shoulder for n in ("shoulder", "upper_arm")},
    }
    return np.array([measured[n] for n in LENGTHS])


def load_detected(*folders: Path) -> list[DetectedSequence]:
    """Read every ``part_*.npz`` of the folders, in this order."""
    out = []
    for path in (path for folder in folders for path in sorted(folder.glob("part_*.npz"))):
        with np.load(path, allow_pickle=False) as data:
            d = {name: data[name] for name in data.files}
        first = d["first"]
        for i, (a, b) in enumerate(pairwise(first)):
            out.append(
                as_sequence({k: d[k][a:b] if len(d[k]) == first[-1] else d[k][i] for k in d if k != "first"})
            )
    if not out:
        raise CaptureError(
            f"There are no detected sequences (part_*.npz) in {' or '.join(map(str, folders))}; name their "
            "folder with --detected."
        )
    return out


#: landmarks that show whether the detector followed the person
_COMPARED = [
    k
    for k, name in enumerate(LANDMARKS)
    if name.split(".")[0] in ("shoulder", "elbow", "hip", "knee", "ankle")
]
#: their largest mean distance from the true joints, body heights
_NEAR = 0.1
#: least share of the frames in which they have to be nearer than `_NEAR`
_MOSTLY = 0.8
#: least depth that a point is projected at, metres
NEAREST = 0.3


def is_seen(sequence: DetectedSequence) -> bool:
    """Whether the detector followed the person, and not the background or an object in it."""
    joints = sequence.joints[:, [AT[k] for k in _COMPARED]]
    depth = np.maximum(joints[..., 1:2], NEAREST)
    off = sequence.rays[:, _COMPARED] - rays_through(joints, depth)
    away = np.linalg.norm(off * depth, axis=-1).mean(1) / STANDARD_HEIGHT
    return bool((away < _NEAR).mean() > _MOSTLY)


def level_from_world(camera_from_world: Array) -> Array:
    """The camera's pose (3, 4) in level axes (x right, y forward, z up), from its pose (4, 4) in OpenCV's."""
    return np.asarray(np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]) @ camera_from_world[:3].astype(float))


def as_sequence(d: dict[str, Array]) -> DetectedSequence:
    """Make a sequence of the arrays that the files hold of it."""
    lengths = _bone_lengths(d["joint_rest"].astype(float))
    scale = STANDARD_HEIGHT / float(standing_height(lengths))
    level = level_from_world(d["camera_from_world"])
    joints = np.zeros((len(d["landmarks"]), len(JOINTS), 3))
    rotations = np.tile(np.eye(3), (len(joints), len(JOINTS), 1, 1))
    turns = t_pose_turns(d["joint_rest"].astype(float))
    for name, j in INDEX.items():
        if not POSITIONED[j]:
            continue
        k = FILE_JOINTS.index(name)
        joints[:, j] = (d["joints_world"][:, k] @ level[:, :3].T + level[:, 3]) * scale
        if ROTATED[j]:
            turn = turns.get(name, np.eye(3))
            rotations[:, j] = level[:, :3] @ d["joint_rotations"][:, k].astype(float) @ turn.T
    focal, centre = d["K"][0, 0], d["K"][:2, 2]
    return DetectedSequence(
        source=str(d["source"]),
        rays=(d["landmarks"][..., :2] - centre) / focal,
        visibility=np.nan_to_num(d["landmarks"][..., 3]),
        rotations=rotations,
        joints=joints,
        contacts=d["contact_points"],
        lengths=lengths * scale,
        up=level[:, 2],
    )


#: for each landmark: the joint that it lies at, and the joint whose rotation carries it
CARRIERS = tuple((INDEX[at], INDEX[by]) for at, by, _ in PLACES)
assert all(ROTATED[by] for _, by in CARRIERS)
_HIPS = [LANDMARK["hip.L"], LANDMARK["hip.R"]]


@dataclass(frozen=True)
class DetectorModel:
    """What a detector makes of a body: its landmarks' places, and its errors.

    Attributes
    ----------
    placement : (33, 3)
        Place of each landmark from its joint of `CARRIERS`, in the rest frame, metres at `STANDARD_HEIGHT`.
    errors : list of (T, 33, 2)
        Errors in the picture, by sequence, as fractions of `STANDARD_HEIGHT` at the person's distance; NaN
        where the detector found nobody.
    visibility : list of (T, 33)
    emulator : Emulator, optional
        Predicts the part that depends on the pose (`emulator.emulated`); errors and visibility are then the
        residuals.
    """

    placement: Array
    errors: list[Array]
    visibility: list[Array]
    emulator: Emulator | None = None


def perfect(placement: Array, frames: int) -> DetectorModel:
    """A detector that sees the landmarks where they lie, `placement` (33, 3), all of them in each frame."""
    return DetectorModel(
        placement, [np.zeros((frames, 33, 2), np.float32)], [np.ones((frames, 33), np.float32)]
    )


def fit_detector(sequences: list[DetectedSequence], iterations: int = 6) -> DetectorModel:
    """Place the landmarks on the body by robust Gauss-Newton on their rays; the residuals are the errors."""
    placement = np.zeros((33, 3))
    for landmark, (at, by) in enumerate(CARRIERS):
        rotation = np.concatenate([s.rotations[:, by] for s in sequences])
        joint = np.concatenate([s.joints[:, at] for s in sequences])
        ray = np.concatenate([s.rays[:, landmark] for s in sequences])
        known = np.isfinite(ray[:, 0])
        rotation, joint, ray = rotation[known], joint[known], ray[known]
        for _ in range(iterations):
            error, slope = _ray_error(rotation, joint, placement[landmark], ray)
            weight = 1 / (1 + (error**2).sum(-1) / 0.02**2)
            a = np.einsum("tij,tik,t->jk", slope, slope, weight)
            b = np.einsum("tij,ti,t->j", slope, error, weight)
            placement[landmark] += np.linalg.solve(a, b)
    mirrored = placement[[LANDMARK[_swap(n)] for n in LANDMARKS]] * [-1, 1, 1]
    placement = (placement + mirrored) / 2
    errors = []
    for s in sequences:
        parts = [
            _ray_error(s.rotations[:, by], s.joints[:, at], placement[k], s.rays[:, k])[0]
            for k, (at, by) in enumerate(CARRIERS)
        ]
        errors.append(np.stack(parts, 1).astype(np.float32))
    visibility = [s.visibility.astype(np.float32) for s in sequences]
    return DetectorModel(placement, errors, visibility)


def rays_through(points: Array, depth: Array) -> Array:
    """Rays (..., 2) through points (..., 3) in level axes at `depth` (..., 1): x / z and y / z, y down."""
    return np.asarray(np.stack([points[..., 0], -points[..., 2]], -1) / depth)


def seen_straight(points: Array) -> Array:
    """Turn landmarks (T, 33, 3) from level axes into the axes of a camera that looks straight at the hips.

    From the middle of the hips, x right, y down, z forward.
    """
    camera = np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1)
    forward = camera[:, _HIPS].mean(1)
    forward = forward / np.linalg.norm(forward, axis=1, keepdims=True)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    axes = np.stack([right, np.cross(forward, right), forward], 1)
    seen = camera @ np.swapaxes(axes, 1, 2)
    return np.asarray(seen - seen[:, _HIPS].mean(1, keepdims=True))


def _swap(landmark: str) -> str:
    return landmark[:-1] + {"L": "R", "R": "L"}[landmark[-1]] if landmark[-2] == "." else landmark


def _ray_error(rotation: Array, joint: Array, placement: Array, ray: Array) -> tuple[Array, Array]:
    """The ray's error (T, 2) from the placed landmark, in body heights, and its Jacobian (T, 2, 3)."""
    point = joint + rotation @ placement
    depth = point[:, 1:2]
    predicted = rays_through(point, depth)
    height = STANDARD_HEIGHT / depth
    slope = np.stack([rotation[:, 0], -rotation[:, 2]], 1) - predicted[..., None] * rotation[:, None, 1]
    return (ray - predicted) / height, slope / depth[..., None] / height[..., None]
