"""How near the skeleton lies to the person in the picture, and how long a skinned body takes.

    python -m bench.body [NAME...] [--clips FOLDER] [--known-focal] [--sheets FOLDER]

FOLDER holds videos; those with a rendered truth (.npz) beside them are measured. All figures are mean
distances in the picture in per cent of the person's height there: of the detector's limb landmarks from their
places on the true body, which is the error that everything starts with; of the motion's joints, captured and
then with planted feet, from the true ones; and of the true motion on our skeleton, which lacks joints of a
real spine. --sheets draws the body over frames of every clip, below the frames. bench.playback measures how
fast a body plays in Blender's viewport.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

from kinelift.bench.detections import default_clips, known_focal_mm
from kinelift.bench.truth import true_capture
from kinelift.core.capture import Capture
from kinelift.core.errors import CaptureError
from kinelift.core.files import replacing
from kinelift.core.foot_ik import clean_up
from kinelift.core.landmarks import LANDMARKS, PLACES
from kinelift.core.mannequin import mannequin, rest_positions
from kinelift.core.motion import Motion
from kinelift.core.options import Settings
from kinelift.core.skeleton import INDEX, JOINTS, STANDARD_HEIGHT, TEMPLATE_OFFSETS
from kinelift.inference.figure import Figure
from kinelift.inference.pipeline import capture
from kinelift.inference.skinning import Skin
from kinelift.inference.video import VideoReader

_LIMBS = [
    i
    for i, name in enumerate(LANDMARKS)
    if name.split(".")[0] in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "heel", "foot_index")
]
#: headings of the figures
HEADINGS = ("landmarks", "lifted", "planted", "truth on our skeleton")
#: pictures side by side on a sheet
_ACROSS = 6
#: rows of pictures
_DOWN = 2
#: height of a picture, pixels
_HIGH = 300
#: height of the person over that of the picture
_FILLED = 0.7


def reprojection(capture: Capture, reference: Path) -> tuple[float, ...]:
    """The figures of `HEADINGS`, per cent of the person's height."""
    with np.load(reference, allow_pickle=False) as truth:
        names = [str(name) for name in truth["joint_names"]]
        pixels, height = truth["joints_px"], float(truth["person_height"])
    true_one = true_capture(reference)
    motion, true, camera = capture.motion, true_one.motion, true_one.camera
    depth = (true.joints @ camera.camera_from_world[2, :3] + camera.camera_from_world[2, 3]).mean(1)
    tall = height / depth[:, None] * camera.focal
    shared = [name for name in JOINTS if name in names]
    ours, theirs = [INDEX[name] for name in shared], [names.index(name) for name in shared]
    count = min(len(motion), len(pixels))

    def error(seen: npt.NDArray[Any], real: npt.NDArray[Any]) -> float:
        return float(np.nanmean(np.linalg.norm(seen[:count] - real[:count], axis=-1) / tall[:count]) * 100)

    found = [
        error(seen_by.project(m.joints)[:, ours], pixels[:, theirs])
        for m, seen_by in ((motion, capture.camera), (clean_up(motion), capture.camera), (true, camera))
    ]
    landmarks = error(capture.landmarks[:, _LIMBS, :2], camera.project(_shown_by(true))[:, _LIMBS])
    return landmarks, *found


def _shown_by(motion: Motion) -> npt.NDArray[np.float64]:
    """Places of the landmarks (T, 33, 3) on a moving body, metres."""
    at, by = [INDEX[at] for at, _, _ in PLACES], [INDEX[by] for _, by, _ in PLACES]
    arm = np.array([place for _, _, place in PLACES]) * (motion.height / STANDARD_HEIGHT)
    return np.asarray(motion.joints[:, at] + (motion.world_rotations[:, by] @ arm[..., None])[..., 0])


def contact_sheet(capture: Capture, video: Path) -> npt.NDArray[np.uint8]:
    """Frames of the video, and the planted body drawn over each below it: RGB."""
    motion, camera = capture.motion, capture.camera
    cleaned = clean_up(motion)
    figure = Figure(replace(capture, motion=cleaned))
    wanted = np.linspace(0, len(motion) - 1, _ACROSS * _DOWN).round().astype(int).tolist()
    tiles: dict[int, npt.NDArray[np.uint8]] = {}
    for frame in VideoReader(video, motion.start, motion.start + len(motion) / motion.fps, motion.fps):
        if frame.index not in wanted:
            continue
        scale = frame.image.shape[1] / camera.size[0]
        seen = camera.project(cleaned.joints[frame.index]) * scale
        drawn = frame.image.copy()
        figure.draw(drawn, frame.index)
        both = [_around(image, seen) for image in (frame.image, drawn)]
        moment = f"{motion.start + frame.index / motion.fps:.1f}"
        cv2.putText(both[0], moment, (8, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 1, cv2.LINE_AA)
        tiles[frame.index] = np.concatenate(both)
    rows = np.array_split([tiles[index] for index in wanted], _DOWN)
    return np.concatenate([np.concatenate([*row], axis=1) for row in rows])


def _around(image: npt.NDArray[np.uint8], points: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """The part of a picture around a person's joints (J, 2), `_HIGH` pixels high and as wide."""
    points = points[np.isfinite(points).all(1)]
    side = max(float(np.ptp(points, axis=0).max()) / _FILLED, 16.0)
    left, top = (points.min(0) + points.max(0) - side) / 2
    scale = _HIGH / side
    shift = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    return np.asarray(cv2.warpAffine(image, shift, (_HIGH, _HIGH), flags=cv2.INTER_AREA), np.uint8)


def skinning_fps(threads: int, frames: int = 300) -> float:
    """Frames of the mannequin skinned in a second, the best of five runs."""
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


def binding_seconds() -> tuple[float, float]:
    """Seconds to build and bind the mannequin in Blender: the first time, and the best of five."""
    import bpy

    from kinelift.rig.armature import build_armature
    from kinelift.rig.body import add_body

    bpy.ops.wm.read_factory_settings(use_empty=True)
    armature = build_armature("Bench", TEMPLATE_OFFSETS, bpy.context.scene.collection)
    times = []
    for _ in range(6):
        began = time.perf_counter()
        add_body(armature)
        times.append(time.perf_counter() - began)
    return times[0], min(times)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these clips")
    parser.add_argument("--clips", type=Path, default=default_clips())
    parser.add_argument("--known-focal", action="store_true", help="give the capture the focal length")
    parser.add_argument(
        "--sheets", type=Path, metavar="FOLDER", help="write a contact sheet of every clip into it"
    )
    args = parser.parse_args()
    videos = [v for v in sorted(args.clips.rglob("*.mp4")) if not args.names or v.stem in args.names]
    if not videos:
        sys.exit(f"There is no such video in {args.clips}.")

    first, best = binding_seconds()
    speeds = ", ".join(f"{threads} threads {skinning_fps(threads):.0f}/s" for threads in (1, 2))
    print(f"skinning of {len(mannequin(TEMPLATE_OFFSETS).vertices)} vertices, {len(JOINTS)} bones: {speeds}")
    print(f"built and bound in {first:.2f} s, then {best:.2f} s\n")
    print(f"| clip | {' % | '.join(HEADINGS)} % |" + "\n" + "|---" * (len(HEADINGS) + 1) + "|", flush=True)
    rows = []
    for video in videos:
        reference = video.with_suffix(".npz")
        known = reference.exists()
        told = Settings(focal=known_focal_mm(reference)) if known and args.known_focal else Settings()
        try:
            captured = capture(video, told)
        except CaptureError as error:
            sys.exit(f"{video}: {error}")
        if args.sheets:
            with replacing(args.sheets / f"{video.stem}.png") as temporary:
                cv2.imwrite(str(temporary), cv2.cvtColor(contact_sheet(captured, video), cv2.COLOR_RGB2BGR))
        if known and "joints_px" in np.load(reference, allow_pickle=False):
            rows.append(reprojection(captured, reference))
            print(f"| {video.stem} | " + " | ".join(f"{value:.2f}" for value in rows[-1]) + " |", flush=True)
    if rows:
        print("| mean | " + " | ".join(f"{value:.2f}" for value in np.mean(rows, axis=0)) + " |")


if __name__ == "__main__":
    main()
