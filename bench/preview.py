"""How near the skeleton lies to the person through the capture camera, and how fast a body is skinned.

    python -m bench.preview [--clips FOLDER]

Reprojection is the mean distance in the picture of the joints that motion and truth share, in per cent of the
person's height there; for comparison the truth's own joints through the same projection (what the camera
itself adds). FOLDER holds rendered clips with their .npz, as for bench.accuracy; the lens is told.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from bench.accuracy import default_clips, known_focal_mm
from inference.camera import Camera
from inference.foot_ik import clean_up
from inference.mannequin import mannequin, rest_positions
from inference.pipeline import Settings, capture
from inference.skeleton import JOINTS, TEMPLATE_OFFSETS
from inference.skinning import Skin


def reprojection(video: Path) -> tuple[float, float, float]:
    """Per cent of the height: the lifted motion, the cleaned one, and the camera with the truth's joints."""
    with np.load(video.with_suffix(".npz"), allow_pickle=False) as truth:
        names = [str(name) for name in truth["joint_names"]]
        world, pixels = truth["joints_world"], truth["joints_px"]
        size = (int(truth["size"][0]), int(truth["size"][1]))
        filmed = Camera(float(truth["K"][0, 0]), size, truth["camera_from_world"])
        height = float(truth["person_height"])
    depth = (world @ filmed.camera_from_world[:3, :3].T + filmed.camera_from_world[:3, 3])[..., 2].mean(1)
    tall = height / depth[:, None] * filmed.focal
    motion = capture(video, Settings(focal=known_focal_mm(video.with_suffix(".npz"))))
    shared = [name for name in JOINTS if name in names]
    ours, theirs = [JOINTS.index(name) for name in shared], [names.index(name) for name in shared]
    count = min(len(motion), len(pixels))

    def error(seen: npt.NDArray[Any], real: npt.NDArray[Any]) -> float:
        return float(np.nanmean(np.linalg.norm(seen[:count] - real[:count], axis=-1) / tall[:count]) * 100)

    found = [
        error(m.camera.project(m.joints)[:, ours], pixels[:, theirs]) for m in (motion, clean_up(motion))
    ]
    return found[0], found[1], error(filmed.project(world), pixels)


def skinning_fps(threads: int, frames: int = 300) -> float:
    """Frames a second of the mannequin, the best of five."""
    torch.set_num_threads(threads)
    body = mannequin(TEMPLATE_OFFSETS)
    rest = rest_positions(TEMPLATE_OFFSETS)
    skin = Skin(*(torch.as_tensor(a, dtype=torch.float32) for a in (body.vertices, body.weights, rest)))
    rotations, joints = torch.eye(3).repeat(frames, len(JOINTS), 1, 1), torch.zeros(frames, len(JOINTS), 3)
    times = []
    for _ in range(5):
        began = time.perf_counter()
        for first in range(0, frames, 32):
            skin(rotations[first : first + 32], joints[first : first + 32])
        times.append(time.perf_counter() - began)
    return frames / min(times)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=Path, default=default_clips())
    args = parser.parse_args()
    vertices = len(mannequin(TEMPLATE_OFFSETS).vertices)
    speeds = ", ".join(f"{threads} threads {skinning_fps(threads):.0f}/s" for threads in (1, 2))
    print(f"skinning of {vertices} vertices, {len(JOINTS)} bones: {speeds}\n")
    print("| clip | lifted % | cleaned % | truth's joints % |\n|---|---|---|---|", flush=True)
    rows = []
    for video in sorted(args.clips.rglob("*.mp4")):
        reference = video.with_suffix(".npz")
        if reference.exists() and "joints_px" in np.load(reference, allow_pickle=False):
            rows.append(reprojection(video))
            print(f"| {video.stem} | " + " | ".join(f"{value:.2f}" for value in rows[-1]) + " |", flush=True)
    if rows:
        print("| mean | " + " | ".join(f"{value:.2f}" for value in np.mean(rows, axis=0)) + " |")


if __name__ == "__main__":
    main()
