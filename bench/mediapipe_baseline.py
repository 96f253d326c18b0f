"""Writes MediaPipe's own 3D of a video, what a user gets without a lifter, as a file that score.py reads.

    python -m bench.mediapipe_baseline VIDEO OUT.npz [--task pose_landmarker.task]

The camera's axes are turned so that up is up for a level camera; the person has no root motion (MediaPipe's
3D is centred on the hips in every frame).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import cv2
import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision

TASK = Path(__file__).resolve().parent.parent / "inference/models/pose_landmarker_full.task"
#: MediaPipe's landmark of each joint
LANDMARKS = {
    "upper_arm.L": 11, "upper_arm.R": 12, "forearm.L": 13, "forearm.R": 14, "hand.L": 15, "hand.R": 16,
    "thigh.L": 23, "thigh.R": 24, "shin.L": 25, "shin.R": 26, "foot.L": 27, "foot.R": 28,
    "toe.L": 31, "toe.R": 32,
}  # fmt: skip


def capture(video: Path, out: Path, task: Path = TASK) -> float:
    """Write MediaPipe's own 3D of `video` to `out` (.npz).

    Returns
    -------
    float
        Seconds in the detector, its creation included, without decoding and colour conversion.

    Raises
    ------
    ValueError
        If the detector finds nobody in the video.
    """
    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(task)), running_mode=vision.RunningMode.VIDEO
    )
    source = cv2.VideoCapture(str(video))
    fps = source.get(cv2.CAP_PROP_FPS)
    frames: list[list[list[float]] | None] = []
    last = None
    began = time.perf_counter()
    with vision.PoseLandmarker.create_from_options(options) as landmarker:
        seconds = time.perf_counter() - began
        while True:
            ok, image = source.read()
            if not ok:
                break
            rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            began = time.perf_counter()
            picture = mp.Image(image_format=mp.ImageFormat.SRGB, data=rgb)
            found = landmarker.detect_for_video(picture, int(len(frames) * 1000 / fps)).pose_world_landmarks
            seconds += time.perf_counter() - began
            if found:
                last = [[found[0][i].x, found[0][i].z, -found[0][i].y] for i in LANDMARKS.values()]
            frames.append(last)
    first = next((f for f in frames if f is not None), None)
    if first is None:
        raise ValueError(f"no person found in {video}")
    joints = np.array([first if f is None else f for f in frames], np.float32)
    np.savez_compressed(out, fps=fps, joint_names=np.array(list(LANDMARKS)), joints=joints)
    return seconds


def main() -> None:
    """Write MediaPipe's own 3D of one video."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("video", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--task", type=Path, default=TASK)
    args = parser.parse_args()
    try:
        capture(args.video, args.out, args.task)
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
