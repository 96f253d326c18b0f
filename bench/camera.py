"""How well the motion of a camera is found, against the truth of made-up walks (`moving`).

    python -m bench.camera [NAME...] [--out FOLDER]

    turned      how far the camera truly turned at most, degrees
    turn        largest error of the turn, with the true focal length and with the one that was found
    zoom        largest error of the focal length over that of the first frame, %
    lens        error of the focal length that the turns tell, %, and how sure that says it is, %; nothing
                where they tell none
    misfit      how far the background's points are from where turns and zoom put them: median, thousandths of
                the picture's longer side. Cameras that travel have a large one, except when they come nearer
    ms/frame    following the points, without decoding
    path        how far the captured path of the hips is from that before the still camera, % of its length:
                mean, up to a similarity
    drift       the same from the true path, by `score`
    slide       how far planted feet move from frame to frame, mm

For all but the last three, people are told from the background by the true joints. Paths of cameras that
travel aren't found yet: bodies are solved as before a still one.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from kinelift.bench.detections import detected
from kinelift.bench.moving import CAMERAS, moving_films
from kinelift.bench.score import score, similarity
from kinelift.bench.world import slide_mm
from kinelift.core.arrays import Array, Floats
from kinelift.core.bvh import write_bvh
from kinelift.core.camera import Camera
from kinelift.core.rotations import geodesic_angle
from kinelift.inference.camera_motion import small_grey
from kinelift.inference.camera_turns import CameraPoints, focal_of, turns_of
from kinelift.inference.detect.people import Person
from kinelift.inference.video import VideoReader

Figures = dict[str, float]

#: columns: figure, heading, decimals
_COLUMNS = (
    ("turned", "turned °", 1),
    ("turn", "turn °", 2),
    ("turn_found", "with the found lens °", 2),
    ("zoom", "zoom %", 2),
    ("lens", "lens %", 1),
    ("sure", "± %", 1),
    ("misfit", "misfit ‰", 2),
    ("ms", "ms/frame", 1),
    ("path", "path %", 2),
    ("drift", "drift %", 2),
    ("slide", "slide mm", 2),
)


def somebody(joints: Array, camera: Camera) -> Person:
    """A person whose landmarks are joints (J, 3) of the world seen by a camera."""
    landmarks = np.concatenate([camera.project(joints), np.ones((len(joints), 1))], axis=1)
    return Person(landmarks, joints, np.zeros(22), 0)


def measure(video: Path) -> Figures:
    """Figures of one film of `moving_films`."""
    with np.load(video.with_suffix(".npz"), allow_pickle=False) as data:
        truth = dict(data)
    width, height = (int(side) for side in truth["size"])
    cameras = [
        Camera(float(lens[0, 0]), (width, height), pose)
        for lens, pose in zip(truth["K"], truth["camera_from_world"], strict=True)
    ]
    points, seconds = CameraPoints((width, height)), 0.0
    for frame in VideoReader(video, 0.0, None, float(truth["fps"])):
        people = [somebody(truth["joints_world"][frame.index], cameras[frame.index])]
        begun = time.process_time()
        points.observe(small_grey(frame.image), people)
        seconds += time.process_time() - begun
    first = cameras[0].focal / width
    found, spread = focal_of(points.pairs)
    turned = turns_of(points.pairs, first)
    count = len(turned.zooms)
    poses = truth["camera_from_world"][:count, :3, :3].astype(float)
    true = poses @ poses[0].T
    zooms = truth["K"][:count, 0, 0] / truth["K"][0, 0, 0]
    figures = {
        "turned": _most(true, np.eye(3)),
        "turn": _most(turned.rotations, true),
        "zoom": 100 * float(np.abs(turned.zooms / zooms - 1).max()),
        "misfit": 1000 * float(np.nanmedian(turned.misfit)),
        "ms": 1000 * seconds / count,
    }
    if np.isfinite(spread):
        figures["turn_found"] = _most(turns_of(points.pairs, found).rotations, true)
        figures |= {"lens": 100 * (found / first - 1), "sure": 100 * spread}
    return figures


def captured_path(video: Path, still: Path, out: Path) -> Figures:
    """Figures of the captured path of one film; what is detected is kept in `out`."""
    motion = detected(video, out).motion
    bvh = out / f"{video.stem}.bvh"
    write_bvh(motion, bvh)
    root, usual = (np.asarray(one.root, float) for one in (motion, detected(still, out).motion))
    scale, turn, shift = similarity(root, usual)
    off = np.linalg.norm(scale * root @ turn.T + shift - usual, axis=1).mean()
    return {
        "path": 100 * float(off / np.linalg.norm(np.diff(usual, axis=0), axis=1).sum()),
        "drift": float(score(bvh, video.with_suffix(".npz"))["root_drift_pct"] or 0),
        "slide": float(slide_mm(motion).mean()),
    }


def _most(some: Floats, others: Floats) -> float:
    return float(np.degrees(geodesic_angle(some, others)).max())


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these cameras")
    parser.add_argument("--out", type=Path, default=Path("out/camera"), metavar="FOLDER")
    args = parser.parse_args()
    if not set(args.names) <= CAMERAS.keys():
        parser.error(f"there are the cameras {', '.join(CAMERAS)}")

    print(f"| camera | {' | '.join(heading for _, heading, _ in _COLUMNS)} |")
    print(f"|{'---|' * (len(_COLUMNS) + 1)}")
    (still,) = moving_films(args.out, ["still"]).values()
    for name, video in moving_films(args.out, args.names or list(CAMERAS)).items():
        figures = measure(video) | captured_path(video, still, args.out)
        cells = [f"{figures[key]:.{n}f}" if key in figures else "–" for key, _, n in _COLUMNS]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
