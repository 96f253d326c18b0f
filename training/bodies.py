"""Detector in the loop: draws dressed bodies in motion and runs the detector on them.

    python -m training detect --out FOLDER --clips N [--seed S]

The motion is drawn as for training (`synthesis`, from mocap and from `poses`): the camera's height, tilt,
roll, lens and distance vary, and so do the body's proportions; motion is mirrored, mixed, seated or lying.
`appearance` dresses and paints a mannequin, `film` draws it before a made-up background, sometimes behind an
object or too large for the picture. The capture's own detector sees the video. The files keep the detections
and the truth, not the pictures; `detected.load_detected` reads them.
"""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path

import numpy as np

from kinelift.core.arrays import Array
from kinelift.core.files import replacing
from kinelift.core.kinematics import attached_points
from kinelift.core.landmarks import PLACE
from kinelift.core.mannequin import rest_positions
from kinelift.core.rotations import rotation_between
from kinelift.core.skeleton import (
    END_POINTS,
    HEEL_OFFSET,
    INDEX,
    STANDARD_HEIGHT,
    rest_offsets,
    standing_height,
)
from kinelift.inference.detect.people import Detections
from kinelift.training.detected import FILE_JOINTS, perfect, t_pose_turns
from kinelift.training.film import Film, filmed
from kinelift.training.mocap import FPS, MocapSequence
from kinelift.training.poses import made_sequences
from kinelift.training.scene import Scene, draw_scene
from kinelift.training.synthesis import Synthesis

#: frames of a sequence, 1.5 s: a window of the training, at its fastest
_FRAMES = 45
#: sequences of a file
_PART = 10
#: sequences made by rule (`poses`) of each kind, among the mocap
_MADE = 6
#: a sequence is kept if the detector found somebody in at least this share of its frames
_WORTH = 0.3
#: arrays of the files with a row for each frame
_PER_FRAME = (
    "landmarks", "joints_world", "joint_rotations", "contacts", "contact_points",
)  # fmt: skip
#: the nose from the head joint, as in the references, metres
_NOSE = np.array([0.0, -0.12, 0.017])


def _said(detections: Detections, frames: int) -> Array:
    """Landmarks (T, 33, 4) of the person seen best; NaN in empty frames."""
    landmarks = np.full((frames, 33, 4), np.nan, np.float32)
    for when, people in zip(detections.times, detections.people, strict=True):
        at = round((when - detections.start) * FPS)
        if people and at < frames:
            best = max(people, key=lambda person: float(person.landmarks[:, 2].sum()))
            landmarks[at, :, :2], landmarks[at, :, 3] = best.landmarks[:, :2], best.landmarks[:, 2]
    landmarks[np.isfinite(landmarks[:, 0, 0]), :, 2] = 0  # the files don't keep the detector's depth
    return landmarks


def truth(scene: Scene) -> tuple[dict[str, Array], dict[str, Array]]:
    """The truth of a scene as the files hold it: arrays by frame, and arrays of the whole sequence."""
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
    # from the world to level axes, then to camera axes (x right, y down, z forward)
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


def make(folder: Path, mocap: list[MocapSequence], count: int, seed: int) -> None:
    """Write `count` sequences as ``part_*.npz``; existing parts stay as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    everything = [*mocap, *made_sequences(_MADE, seed)]
    for part in range(-(-count // _PART)):
        path = folder / f"part_{seed:03d}_{part:04d}.npz"
        if path.exists():
            continue
        rng = np.random.default_rng((seed, part))
        motions = Synthesis(
            everything, [], perfect(PLACE, _FRAMES), _FRAMES, 0.0, seed=int(rng.integers(1 << 31))
        )
        began = time.perf_counter()
        rows: dict[str, list[Array]] = {}
        shares: list[float] = []
        with tempfile.TemporaryDirectory() as temporary:
            for _ in range(min(_PART, count - part * _PART)):
                scene = draw_scene(motions, rng)
                said = _said(filmed(Film(scene, rng), Path(temporary)), len(scene.joints))
                shares.append(np.isfinite(said[:, 0, 0]).mean())
                if shares[-1] < _WORTH:
                    continue
                of_frames, once = truth(scene)
                once |= {"source": np.array(f"made:{seed}:{part}")}
                for name, value in (of_frames | once | {"landmarks": said}).items():
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
