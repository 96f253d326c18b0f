"""The clips that benchmarks measure, and what the detector says of them, kept between runs."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import mediapipe
import numpy as np
import torch

from kinelift.bench import mediapipe_baseline
from kinelift.core.camera import FILM_WIDTH_MM
from kinelift.core.capture import Capture
from kinelift.core.files import replacing
from kinelift.core.landmarks import bridge
from kinelift.core.options import Settings
from kinelift.inference.lift import lift
from kinelift.inference.lifters.weights import load_weights
from kinelift.inference.pipeline import WEIGHTS, capture
from kinelift.inference.world import to_world

ROOT = Path(__file__).resolve().parent.parent
#: files, and folders of Python files, that decide what is detected, whom the capture follows, and how the
#: camera moves
_SOURCES = (
    "inference/detect", "inference/blazepose", "inference/video.py", "inference/track.py",
    "inference/left_right.py", "inference/camera_motion.py", "inference/camera_turns.py",
    "inference/camera_path.py", "inference/camera_travel.py", "inference/bundle.py", "core/landmarks.py",
    "inference/models/pose_landmarker_full.task", "inference/models/pose_landmarker_heavy.task",
    "bench/mediapipe_baseline.py",
)  # fmt: skip

#: whom to follow in clips with several people, see `options.read_person`: of whom the truth tells
PEOPLE = {"pair_cam2": "550,811", "pair_cam4": "259,970"}


def default_clips() -> Path:
    """The project's benchmark clips if they lie beside the checkout, else the sample clip."""
    shared = ROOT.parent / "shared/bench"
    return shared if shared.is_dir() else ROOT / "samples"


def group_of(video: Path) -> str:
    """The group of a clip: its folder; the first word of its name if that folder has real footage."""
    folder = video.parent.name
    return video.stem.split("_")[0] if folder == "real" else folder


def known_focal_mm(reference: Path) -> float:
    """35 mm equivalent of the focal length with which a reference clip was filmed."""
    with np.load(reference, allow_pickle=False) as data:
        return float(data["K"][0, 0] / max(data["size"]) * FILM_WIDTH_MM)


def detection_key(video: Path, quality: str, root: Path = ROOT) -> str:
    """A key that changes with everything that detections depend on, and with nothing else.

    It hashes the contents of the video, of the detection's sources and of the detector's models, MediaPipe's
    version, and the setting `quality`. The video's name and place don't count.

    Parameters
    ----------
    video : Path
    quality : str
        See `Settings`.
    root : Path
        The checkout that holds the sources.
    """
    digest = hashlib.sha256(video.read_bytes() + mediapipe.__version__.encode() + quality.encode())
    for name in _SOURCES:
        path = root / name
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def detected(video: Path, out: Path, quality: str = Settings.quality) -> Capture:
    """A capture of a video, to be solved again; it is kept in `out`."""
    kept = out / f"{detection_key(video, quality)}.detected.npz"
    if not kept.exists():
        capture(video, Settings(quality=quality, person=PEOPLE.get(video.stem, Settings.person))).save(kept)
    return Capture.load(kept)


def baseline(video: Path, out: Path, quality: str = Settings.quality) -> Path:
    """MediaPipe's own 3D of a video; it is kept in `out`."""
    kept = out / f"{detection_key(video, quality)}.mediapipe.npz"
    if not kept.exists():
        with replacing(kept) as temporary:
            mediapipe_baseline.capture(video, temporary)
    return kept


def lifted(capture: Capture) -> Capture:
    """The lifter's answer alone, from the landmarks and the lens of a capture, before the solver."""
    lens, fps = capture.camera, capture.motion.fps
    rays, confidence = bridge(lens.rays(capture.landmarks[..., :2])[..., :2], capture.landmarks[..., 2])
    model = load_weights(WEIGHTS, torch.device("cpu"))
    estimate = lift(rays, confidence, fps, model)
    motion, camera = to_world(estimate, fps, capture.motion.start, lens.focal, lens.size)
    return replace(capture, motion=motion, camera=camera)
