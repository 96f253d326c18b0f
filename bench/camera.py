"""How well the motion of a camera is found, against the truth of made-up walks (`moving`).

    python -m bench.camera [NAME...] [--seed N] [--out FOLDER]

    turned      how far the camera truly turned at most, degrees
    turn        largest error of the turn, with the true focal length and with the one that was found
    zoom        largest error of the focal length over that of the first frame, %
    lens        error of the focal length that the turns tell, %, and how sure that says it is, %; nothing
                where they tell none
    misfit      how far the background's points are from where turns and zoom put them: median, thousandths of
                the picture's longer side. Cameras that travel have a large one, except when they come nearer
    ms/frame    following the points, without decoding, and finding the camera's motion by them
    camera      how far the captured camera is off where it truly was, % of its path's length: mean, up to a
                similarity; and the largest error of its turn, degrees
    PA          see `score`, mm
    path        how far the captured path of the hips is from that before the still camera, % of its length:
                mean, up to a similarity
    drift       the same from the true path, by `score`
    slide       how far planted feet move from frame to frame, mm

For what stands before the captured camera, people are told from the background by the true joints. A picture
of each film's paths from above is written to the folder, `NAME_above.png`: true ones are thin, captured ones
thick, hips green, cameras red.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from kinelift.bench.detections import detected
from kinelift.bench.moving import CAMERAS, moving_films
from kinelift.bench.score import score, similarity
from kinelift.bench.stage import Picture
from kinelift.bench.world import slide_mm
from kinelift.core.arrays import Array, Floats
from kinelift.core.bvh import write_bvh
from kinelift.core.camera import Camera, Cameras
from kinelift.core.rotations import geodesic_angle
from kinelift.inference.camera_path import camera_motion
from kinelift.inference.camera_turns import Background, focal_of, turns_of
from kinelift.inference.detect.people import Person
from kinelift.inference.video import VideoReader

Figures = dict[str, float]

#: pixels for a metre, and colours, BGR, of the pictures from above
_PIXELS, _GREEN, _RED = 50, (90, 160, 30), (60, 40, 220)
#: a camera whose place stays within this hardly has a path, metres
_TRAVELS = 0.1
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
    ("finding", "+ ms/frame", 1),
    ("camera", "camera %", 2),
    ("captured_turn", "its turn °", 2),
    ("pa", "PA mm", 1),
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
    background, seconds = Background((width, height)), 0.0
    for frame in VideoReader(video, 0.0, None, float(truth["fps"])):
        people = [somebody(truth["joints_world"][frame.index], cameras[frame.index])]
        begun = time.process_time()
        background.observe(frame.image, frame.time, people)
        seconds += time.process_time() - begun
    begun, points = time.process_time(), background.points
    camera_motion(background, len(points.pairs) + 1, None)
    finding = time.process_time() - begun
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
        "finding": 1000 * finding / count,
    }
    if np.isfinite(spread):
        figures["turn_found"] = _most(turns_of(points.pairs, found).rotations, true)
        figures |= {"lens": 100 * (found / first - 1), "sure": 100 * spread}
    return figures


def captured_path(video: Path, still: Path, out: Path) -> Figures:
    """Figures of the captured path of one film; what is detected is kept in `out`."""
    capture = detected(video, out)
    motion = capture.motion
    bvh = out / f"{video.stem}.bvh"
    write_bvh(motion, bvh)
    root, usual = (np.asarray(one.root, float) for one in (motion, detected(still, out).motion))
    scored = score(bvh, video.with_suffix(".npz"))
    figures = {
        "path": off_path(root, usual),
        "drift": float(scored["root_drift_pct"] or 0),
        "pa": float(scored["pa_mpjpe_mm"] or 0),
        "slide": float(slide_mm(motion).mean()),
    }
    with np.load(video.with_suffix(".npz"), allow_pickle=False) as data:
        poses, hips = data["camera_from_world"].astype(float), data["joints_world"][:, 0].astype(float)
        size, lens = tuple(int(side) for side in data["size"]), data["K"][:, 0, 0]
    true = Cameras(lens, (size[0], size[1]), poses)
    eyes = capture.cameras.eyes
    turns = capture.cameras.camera_from_world[:, :3, :3]
    figures["captured_turn"] = _most(turns @ turns[0].T, poses[:, :3, :3] @ poses[0, :3, :3].T)
    if np.ptp(true.eyes, axis=0).max() > _TRAVELS:
        figures["camera"] = off_path(eyes, true.eyes)
    scale, turn, shift = similarity(root, hips)
    placed = [scale * path @ turn.T + shift for path in (root, eyes)]
    picture = from_above(
        [(hips, _GREEN, 1), (true.eyes, _RED, 1), (placed[0], _GREEN, 3), (placed[1], _RED, 3)]
    )
    cv2.imwrite(str(out / f"{video.stem}_above.png"), picture)
    return figures


def off_path(path: Floats, other: Floats) -> float:
    """How far a path (T, 3) is from another one on average, % of that one's length, up to a similarity."""
    scale, turn, shift = similarity(path, other)
    off = np.linalg.norm(scale * path @ turn.T + shift - other, axis=1).mean()
    return 100 * float(off / np.linalg.norm(np.diff(other, axis=0), axis=1).sum())


def from_above(paths: Sequence[tuple[Floats, tuple[int, int, int], int]]) -> Picture:
    """A picture of paths (T, 3) from above, each with its colour, BGR, and width; a line is a metre."""
    every = np.concatenate([path[:, :2] for path, _, _ in paths])
    low, high = np.floor(every.min(0)) - 1, np.ceil(every.max(0)) + 1
    width, height = ((high - low) * _PIXELS).astype(int)
    picture = np.full((height, width, 3), 255, np.uint8)
    for x in range(0, width, _PIXELS):
        picture[:, x] = 225
    for y in range(0, height, _PIXELS):
        picture[y] = 225
    for path, colour, thick in paths:
        places = np.column_stack([path[:, 0] - low[0], high[1] - path[:, 1]]) * _PIXELS
        cv2.polylines(picture, [places.round().astype(np.int32)], False, colour, thick, cv2.LINE_AA)
        x, y = places[0].round().astype(int)
        cv2.circle(picture, [int(x), int(y)], 2 + thick, colour, -1, cv2.LINE_AA)
    return picture


def _most(some: Floats, others: Floats) -> float:
    return float(np.degrees(geodesic_angle(some, others)).max())


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these cameras")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another person, room and pace")
    parser.add_argument("--out", type=Path, default=Path("out/camera"), metavar="FOLDER")
    args = parser.parse_args()
    if not set(args.names) <= CAMERAS.keys():
        parser.error(f"there are the cameras {', '.join(CAMERAS)}")

    print(f"| camera | {' | '.join(heading for _, heading, _ in _COLUMNS)} |")
    print(f"|{'---|' * (len(_COLUMNS) + 1)}")
    (still,) = moving_films(args.out, ["still"], args.seed).values()
    for name, video in moving_films(args.out, args.names or list(CAMERAS), args.seed).items():
        figures = measure(video) | captured_path(video, still, args.out)
        cells = [f"{figures[key]:.{n}f}" if key in figures else "–" for key, _, n in _COLUMNS]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
