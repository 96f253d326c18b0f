"""What pinned poses mend: the true pose of the worst frames, and what becomes of the rest.

    python -m bench.corrections [NAME...] [--out FOLDER]

Benchmark clips with a true camera. The true pose is put on the captured skeleton, by least squares, as an
artist would pose it; it is pinned, and the motion is solved again.

    PA          pa_mpjpe of the exported motion, mm (see score.py)
    worst       the same of the worst frame
    own         and of its true pose, on the captured skeleton: a pin can't do better
    pinned      the same of that frame, once it is pinned
    around      how the error within half a second of it changes, %
    clip        how that of the whole clip changes, %
    three       the same with pins in the three worst frames, half a second from each other at least
    asked       the same with pins in the first three `doubtful_moments`, to which *Next Doubt* goes
    found       share of the ten worst moments near which one of the first ten of them lies, %
    met         how far joints of the pinned frame are from the pin before feet are planted, against the hips:
                most, mm and degrees
    pop         largest acceleration near the pin, as a share of the largest one of the motion without it
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kinelift.bench.detections import default_clips, detected
from kinelift.bench.score import LIMBS, similarity
from kinelift.core.arrays import Floats
from kinelift.core.capture import Capture
from kinelift.core.foot_ik import clean_up
from kinelift.core.kinematics import joint_positions
from kinelift.core.motion import Motion
from kinelift.core.pins import Pins
from kinelift.core.quality import doubtful_moments
from kinelift.core.rotations import geodesic_angle, matrix_from_vector, rotation_between, unit
from kinelift.core.skeleton import INDEX, JOINTS
from kinelift.inference.pipeline import resolve

#: an error is near a pin within this, seconds
_NEAR = 0.5
#: the body follows the truth through these joints; what the truth doesn't show turns with the bone before
_POSED = ("hips", "spine", "chest", "shoulder", "upper_arm", "forearm", "thigh", "shin")
_RIDES = {"hand": "forearm", "neck": "chest", "head": "chest", "foot": "shin", "toe": "foot"}
#: bones that begin the fit along the true ones
_BONES = {"upper_arm": "forearm", "forearm": "hand", "thigh": "shin", "shin": "foot"}
#: Gauss-Newton steps of the fit; spreads of joints, metres, and of turns, radians
_STEPS, _SPREAD, _TURN = 5, 0.01, 0.5
_COLUMNS = (
    "PA",
    "worst",
    "own",
    "pinned",
    "around %",
    "clip %",
    "three %",
    "asked %",
    "found %",
    "met mm",
    "met °",
    "pop",
)


class Truth(NamedTuple):
    """A reference at the times of a capture's frames.

    Attributes
    ----------
    joints : (N, K, 3)
        World positions of the `LIMBS` that it has, metres; N frames may be fewer than the capture's.
    at : list of int
        Their numbers among our joints.
    placed : (N, K, 3)
        The same before the capture's camera: in the world of the capture, up to size.
    """

    joints: Floats
    at: list[int]
    placed: Floats


def truth_of(reference: Path, capture: Capture) -> Truth | None:
    """The truth of a clip; None if it doesn't say where the camera was."""
    with np.load(reference, allow_pickle=False) as data:
        d: dict[str, Any] = dict(data)
    if "camera_from_world" not in d:
        return None
    names = [str(name) for name in d["joint_names"]]
    limbs = [name for name in LIMBS if name in names]
    motion, fps = capture.motion, float(d["fps"])
    told = d["joints_world"][:, [names.index(name) for name in limbs]].astype(float)
    times = np.arange(len(motion)) / motion.fps
    times = times[times <= (len(told) - 1) / fps + 1e-6]
    columns = told.reshape(len(told), -1).T
    joints = np.stack([np.interp(times * fps, np.arange(len(told)), column) for column in columns], 1)
    joints = joints.reshape(len(times), len(limbs), 3)
    pose, ours = d["camera_from_world"].astype(float), capture.camera.camera_from_world
    seen = joints @ pose[:3, :3].T + pose[:3, 3]
    return Truth(joints, [INDEX[name] for name in limbs], (seen - ours[:3, 3]) @ ours[:3, :3])


def errors(motion: Motion, truth: Truth) -> Floats:
    """PA-MPJPE (N,) of each frame, mm."""
    out = []
    for ours, true in zip(motion.joints[:, truth.at], truth.joints, strict=False):
        scale, turn, shift = similarity(ours, true)
        out.append(1000 * np.linalg.norm(scale * ours @ turn.T + shift - true, axis=1).mean())
    return np.array(out)


def true_pose(motion: Motion, frame: int, truth: Truth) -> Floats:
    """World rotations (J, 3, 3) of the captured skeleton in the true pose."""
    rotations, wanted = motion.world_rotations[frame].copy(), truth.placed[frame]
    place = dict(zip(truth.at, wanted, strict=True))
    now, offsets = motion.joints[frame], motion.offsets.astype(float)
    for bone, child in _BONES.items():
        for side in "LR":
            a, b = INDEX[f"{bone}.{side}"], INDEX[f"{child}.{side}"]
            rotations[a] = rotation_between(unit(now[b] - now[a]), unit(place[b] - place[a])) @ rotations[a]
    free = [number for number, joint in enumerate(JOINTS) if joint.split(".")[0] in _POSED]

    def posed(turns: Floats) -> Floats:
        out = rotations.copy()
        out[free] = matrix_from_vector(turns.reshape(-1, 3)) @ out[free]
        return np.asarray(out)

    def off(turns: Floats) -> Floats:
        ours = joint_positions(posed(turns), np.zeros(3), offsets)[truth.at]
        ours, true = (points - points.mean(0) for points in (ours, wanted))
        true = true * np.linalg.norm(ours) / np.linalg.norm(true)
        return np.concatenate([((ours - true) / _SPREAD).ravel(), turns / _TURN])

    turns, step = np.zeros(3 * len(free)), 1e-5
    for _ in range(_STEPS):
        here = off(turns)
        slope = np.stack([(off(turns + step * one) - here) / step for one in np.eye(len(turns))], 1)
        turns = turns - np.linalg.solve(slope.T @ slope, slope.T @ here)
    out, before = posed(turns), motion.world_rotations[frame]
    for joint, number in INDEX.items():
        name, _, side = joint.partition(".")
        if name in _RIDES:
            carrier = INDEX[f"{_RIDES[name]}.{side}" if side else _RIDES[name]]
            out[number] = out[carrier] @ before[carrier].T @ before[number]
    return out


def pins_of(motion: Motion, frames: list[int], truth: Truth) -> Pins:
    """The true poses of some frames."""
    poses = np.array([true_pose(motion, frame, truth) for frame in frames])
    return Pins(np.array(frames), poses, np.full((len(frames), 3), np.nan), np.ones(len(frames)))


def worst_frames(error: Floats, count: int, fps: float) -> list[int]:
    """So many frames with large errors, apart from each other."""
    left = error.copy()
    found: list[int] = []
    while len(found) < count and left.max() >= 0:
        found.append(int(left.argmax()))
        left[np.abs(np.arange(len(left)) - found[-1]) < _NEAR * fps] = -1
    return sorted(found)


def measure(captured: Capture, truth: Truth) -> list[float]:
    """Figures of a clip, as `_COLUMNS`."""
    motion = captured.motion
    before = clean_up(motion)
    error = errors(before, truth)
    (frame,) = worst_frames(error, 1, motion.fps)
    pins = pins_of(motion, [frame], truth)
    asked = [moment for moment in doubtful_moments(captured) if moment < len(error)]
    worst, three = worst_frames(error, 10, motion.fps), worst_frames(error, 3, motion.fps)
    raw, *others = (
        resolve(captured, pins=pins_of(motion, frames, truth)).motion
        for frames in ([frame], three, sorted(asked[:3]))
    )
    after = clean_up(raw)
    one, *several = (errors(cleaned, truth) for cleaned in (after, *map(clean_up, others)))
    near_asked = [min(abs(moment - at) for at in asked[:10]) <= _NEAR / 2 * motion.fps for moment in worst]
    near = np.abs(np.arange(len(error)) - frame) <= _NEAR * motion.fps
    own = joint_positions(pins.rotations[0], np.zeros(3), motion.offsets.astype(float))
    (scale, turn, shift), limbs = similarity(own[truth.at], truth.joints[frame]), own[truth.at]
    met = np.linalg.norm(raw.joints[frame] - raw.root[frame] - own, axis=1).max()
    turned = geodesic_angle(raw.world_rotations[frame], pins.rotations[0]).max()
    quick = [np.linalg.norm(np.diff(m.joints, 2, axis=0), axis=2).max(1) for m in (before, after)]
    return [
        float(error.mean()), float(error[frame]),
        1000 * float(np.linalg.norm(scale * limbs @ turn.T + shift - truth.joints[frame], axis=1).mean()),
        float(one[frame]),
        *(100 * float(new[part].mean() / error[part].mean() - 1)
          for new, part in ((one, near), *((new, slice(None)) for new in (one, *several)))),
        100 * float(np.mean(near_asked)),
        1000 * float(met), float(np.degrees(turned)),
        float(quick[1][max(frame - 4, 0) : frame + 3].max() / quick[0].max()),
    ]  # fmt: skip


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these clips")
    parser.add_argument("--out", type=Path, default=Path("out/world"), metavar="FOLDER")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    print(f"| clip | {' | '.join(_COLUMNS)} |\n|{'---|' * (len(_COLUMNS) + 1)}")
    rows = []
    for video in sorted(default_clips().rglob("*.mp4")):
        if args.names and video.stem not in args.names:
            continue
        seen = detected(video, args.out)
        captured = resolve(seen, {"focal": seen.camera.focal_mm})
        truth = truth_of(video.with_suffix(".npz"), captured)
        if truth is None:
            continue
        rows.append(measure(captured, truth))
        print(f"| {video.stem} | {' | '.join(f'{value:.1f}' for value in rows[-1])} |", flush=True)
    if rows:
        print(f"| mean | {' | '.join(f'{value:.1f}' for value in np.mean(rows, axis=0))} |")


if __name__ == "__main__":
    main()
