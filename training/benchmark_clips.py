"""Batches of the benchmark clips as MediaPipe sees them: the comparison measures lifters on them too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from kinelift.core.arrays import Array
from kinelift.core.errors import CaptureError
from kinelift.core.kinematics import joint_positions
from kinelift.core.landmarks import bridge
from kinelift.core.skeleton import INDEX, JOINTS, TEMPLATE_LENGTHS, rest_offsets
from kinelift.inference.detect.detector import detect
from kinelift.inference.lifters.lifter import LIFTER_FPS
from kinelift.inference.track import track
from kinelift.inference.video import VideoReader
from kinelift.training.detected import (
    FILE_JOINTS,
    POSITIONED,
    ROTATED,
    DetectedSequence,
    as_sequence,
    level_from_world,
)
from kinelift.training.synthesis import Batch

#: bones, as pairs of joints, that give the size of a body without a rest pose
_BONES = [(f"{a}.{s}", f"{b}.{s}") for s in "LR" for a, b in (
    ("upper_arm", "forearm"), ("forearm", "hand"), ("thigh", "shin"), ("shin", "foot"))]  # fmt: skip


def load_batches(folder: Path) -> dict[str, Batch]:
    """Load every video below `folder` that has a reference .npz with a camera beside it, each a batch of one.

    Frames are at `LIFTER_FPS`, rays go through the reference's lens; keys are folder and name of the video.
    """
    videos = sorted(p for p in folder.rglob("*.mp4") if _has_camera(p.with_suffix(".npz")))
    if not videos:
        raise CaptureError(f"No video in {folder} has a reference .npz with a camera beside it; use --clips.")
    return {f"{video.parent.name}/{video.stem}": _batch(video) for video in videos}


def _has_camera(reference: Path) -> bool:
    """Whether a reference .npz is there and says where the camera was."""
    if not reference.exists():
        return False
    with np.load(reference, allow_pickle=False) as data:
        return "camera_from_world" in data.files


def _batch(video: Path) -> Batch:
    with np.load(video.with_suffix(".npz"), allow_pickle=False) as data:
        d = {name: data[name] for name in data.files}
    step = round(float(d["fps"]) / LIFTER_FPS)
    person = track(detect(VideoReader(video)))
    frames = slice(0, min(len(person.landmarks), len(d["joints_world"])), step)
    landmarks = np.where(person.found[:, None, None], person.landmarks, np.nan)[frames]
    d["landmarks"] = np.insert(landmarks, 2, 0, axis=2)
    d["source"] = np.array(video.stem)
    for name in ("joints_world", "joint_rotations", "contact_points"):
        if name in d:
            d[name] = d[name][frames]
    whole = tuple(d["joint_names"]) == FILE_JOINTS
    sequence = as_sequence(d) if whole else _joints_only(d)
    positioned, rotated = POSITIONED, ROTATED & whole
    if not whole:
        positioned = np.array([name == "hips" or name in d["joint_names"] for name in JOINTS])
    rays, confidence = bridge(sequence.rays, sequence.visibility)
    arrays = {
        "rays": rays, "confidence": confidence, "rotations": sequence.rotations,
        "joints": sequence.joints, "rotated": rotated, "positioned": positioned,
        "contacts": sequence.contacts, "lengths": sequence.lengths, "up": sequence.up,
    }  # fmt: skip
    return Batch(**{name: torch.from_numpy(x.astype(np.float32))[None] for name, x in arrays.items()})


def _joints_only(d: dict[str, Array]) -> DetectedSequence:
    """A sequence of a reference without rotations and rest pose, scaled to the template's limb lengths."""
    level = level_from_world(d["camera_from_world"])
    at = dict(zip(d["joint_names"].tolist(), np.moveaxis(d["joints_world"].astype(float), 1, 0), strict=True))
    bones = [(at[a], at[b]) for a, b in _BONES]
    template = joint_positions(
        np.tile(np.eye(3), (len(JOINTS), 1, 1)), np.zeros(3), rest_offsets(TEMPLATE_LENGTHS)
    )
    usual = sum(np.linalg.norm(template[INDEX[a]] - template[INDEX[b]]) for a, b in _BONES)
    scale = usual / sum(np.median(np.linalg.norm(a - b, axis=1)) for a, b in bones)
    at["hips"] = (at["thigh.L"] + at["thigh.R"]) / 2
    frames = len(d["landmarks"])
    joints = np.zeros((frames, len(JOINTS), 3))
    for name, j in INDEX.items():
        if name in at:
            joints[:, j] = (at[name] @ level[:, :3].T + level[:, 3]) * scale
    return DetectedSequence(
        source=str(d["source"]),
        rays=(d["landmarks"][..., :2] - d["K"][:2, 2]) / d["K"][[0, 1], [0, 1]],
        visibility=np.nan_to_num(d["landmarks"][..., 3]),
        rotations=np.tile(np.eye(3), (frames, len(JOINTS), 1, 1)),
        joints=joints,
        contacts=np.zeros((frames, 4)),
        lengths=TEMPLATE_LENGTHS,
        up=level[:, 2],
    )
