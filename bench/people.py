"""Several people in one world, against the truth of made-up scenes (`gatherings`), and of `pair_*`.

    python -m bench.people [NAME...] [--out FOLDER]

Everybody is captured at once; neither lens nor heights are told. There is a row for each person:

    found       frames in which one of the captures shows the person, %
    changes     how often that becomes another one
    PA          as `score` explains, mm
    alone       PA of the same person filmed alone, before the same camera; of `pair_*`, followed alone
    slide       how far planted feet move from frame to frame, mm

and one for each two of them:

    apart       error of the distance between their hips, seen from above, % of the true one: of its mean
    each        the same, mean of each frame's
    touch       distance of wrists that truly touch, median, mm

Sizes are those of the first capture, whose height is made the true one. Of `pair_*` one person's truth is
known. Into FOLDER go pictures of the paths from above (.paths.png): true ones thin, captured ones thick.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np

from kinelift.bench.detections import default_clips, detected
from kinelift.bench.gatherings import GATHERINGS, Gathering, gatherings
from kinelift.bench.score import score
from kinelift.bench.stage import Picture
from kinelift.bench.world import slide_mm
from kinelift.core.arrays import Indices
from kinelift.core.bvh import write_bvh
from kinelift.core.capture import Capture
from kinelift.core.landmarks import LANDMARK
from kinelift.core.motion import Motion
from kinelift.core.options import ALL, Settings
from kinelift.core.skeleton import INDEX
from kinelift.inference.pipeline import captures, resolve

Figures = dict[str, float]

#: columns: figure, heading, decimals
_COLUMNS = (
    ("found", "found %", 0),
    ("changes", "changes", 0),
    ("pa", "PA mm", 1),
    ("alone", "alone mm", 1),
    ("slide", "slide mm", 2),
    ("apart", "apart %", 1),
    ("each", "each frame %", 1),
    ("touch", "touch mm", 0),
)
#: joints by which somebody is told from others, and the landmarks that show them
_SHOWN = {
    f"{joint}.{side}": LANDMARK[f"{landmark}.{side}"]
    for joint, landmark in (
        ("upper_arm", "shoulder"), ("forearm", "elbow"), ("hand", "wrist"), ("thigh", "hip"),
        ("shin", "knee"), ("foot", "ankle"),
    )
    for side in "LR"
}  # fmt: skip
#: landmarks are of a person if they are nearer than this on average, as a share of the person's extent
_NEAR = 0.15
#: two whose wrists are nearer than this touch, metres
_TOUCHING = 0.09
_WRISTS = [INDEX["hand.L"], INDEX["hand.R"]]
#: pixels of a metre in pictures of the paths, metres around the paths, and colours, BGR
_SCALE, _AROUND = 120, 0.6
_COLOURS = ((200, 90, 30), (40, 60, 210), (60, 150, 40))


def shown_by(found: Sequence[Capture], reference: Path) -> Indices:
    """Which of some captures shows the person of a reference in each frame (T,); -1 where none does."""
    with np.load(reference, allow_pickle=False) as data:
        truth = dict(data)
    at = [list(truth["joint_names"]).index(name) for name in _SHOWN]
    joints = truth["joints_world"][:, at].astype(float)
    pose = truth["camera_from_world"]
    there = (joints @ pose[:3, :3].T + pose[:3, 3]) @ truth["K"].T
    pixels = there[..., :2] / there[..., 2:]
    size = np.linalg.norm(np.ptp(pixels, axis=1), axis=-1)
    off = np.array(
        [
            np.linalg.norm(one.landmarks[:, list(_SHOWN.values()), :2] - pixels, axis=-1).mean(1)
            for one in found
        ]
    )
    off = np.nan_to_num(off / size, nan=np.inf)
    return np.where(off.min(0) < _NEAR, off.argmin(0), -1)


def of_a_scene(gathering: Gathering, out: Path) -> dict[str, Figures]:
    """Figures of a made-up scene, by who or which two they are about."""
    people = [gathering.scene.motion, *gathering.scene.others]
    found = captures(gathering.film, Settings(person=ALL))
    results, who = {}, []
    for number, video in enumerate(gathering.alone):
        results[f"{number}"], captured = _of_one(found, video, video, out)
        who.append(found[captured])
    first = int(np.argmax([one is found[0] for one in who]))
    size = people[first].height / found[0].motion.height
    for a, b in combinations(range(len(people)), 2):
        results[f"{a} – {b}"] = _between((who[a].motion, who[b].motion), (people[a], people[b]), size)
    paths = [(true, one.motion) for true, one in zip(people, who, strict=True)]
    cv2.imwrite(str(out / f"{gathering.film.stem}.paths.png"), paths_from_above(paths, size))
    return results


def of_a_pair(video: Path, out: Path) -> dict[str, Figures]:
    """Figures of a real clip in which the truth tells of one person."""
    figures, _ = _of_one(captures(video, Settings(person=ALL)), video, video, out)
    return {"0": figures}


def _of_one(found: Sequence[Capture], video: Path, alone: Path, out: Path) -> tuple[Figures, int]:
    """Figures of the person of a video's reference among captures, and which one shows them longest."""
    reference = video.with_suffix(".npz")
    shown = shown_by(found, reference)
    seen = shown[shown >= 0]
    which = int(np.bincount(seen).argmax()) if len(seen) else 0
    return {
        "found": 100 * float((shown >= 0).mean()),
        "changes": int(np.count_nonzero(np.diff(seen))),
        "pa": _pa(found[which], reference, out),
        "alone": _pa(resolve(detected(alone, out)), reference, out),
        "slide": float(slide_mm(found[which].motion).mean()),
    }, which


def _pa(capture: Capture, reference: Path, out: Path) -> float:
    bvh = out / f"{reference.stem}.bvh"
    write_bvh(capture.motion, bvh)
    return float(score(bvh, reference)["pa_mpjpe_mm"] or 0)


def _between(found: tuple[Motion, Motion], true: tuple[Motion, Motion], size: float) -> Figures:
    """Figures of two people, whose captured motions are `size` times too small."""
    apart, asked = (np.linalg.norm((a.root - b.root)[:, :2], axis=1).astype(float) for a, b in (found, true))
    apart *= size
    figures = {
        "apart": 100 * float(apart.mean() / asked.mean() - 1),
        "each": 100 * float(np.abs(apart - asked).mean() / asked.mean()),
    }
    ways, wanted = (
        np.linalg.norm(a.joints[:, _WRISTS, None] - b.joints[:, None, _WRISTS], axis=-1)
        for a, b in (found, true)
    )
    touching = wanted < _TOUCHING
    if touching.any():
        figures["touch"] = 1000 * float(np.median(size * ways[touching]))
    return figures


def paths_from_above(paths: Sequence[tuple[Motion, Motion]], size: float) -> Picture:
    """A picture of the ways of hips from above: true ones thin, captured ones, `size` times larger, thick.

    All captured ones are turned and shifted together, so that they lie on the true ones.
    """
    true, found = (
        np.stack([np.asarray(one.root[:, :2], float) for one in some]) for some in zip(*paths, strict=True)
    )
    found = found * size
    middles = [of.reshape(-1, 2).mean(0) for of in (true, found)]
    a, b = ((of - middle).reshape(-1, 2) @ [1, 1j] for of, middle in zip((true, found), middles, strict=True))
    turn = np.vdot(b, a) / abs(np.vdot(b, a))
    moved = (b * turn).reshape(found.shape[:2])
    moved = np.stack([moved.real, moved.imag], -1) + middles[0]
    everything = np.concatenate([true, moved]).reshape(-1, 2)
    low, high = everything.min(0) - _AROUND, everything.max(0) + _AROUND
    wide, deep = (_SCALE * (high - low)).astype(int)
    picture = np.full((deep, wide, 3), 255, np.uint8)
    for ways, width in ((moved, 5), (true, 1)):
        for way, colour in zip(ways, _COLOURS, strict=False):
            pixels = np.round(_SCALE * (way - [low[0], high[1]]) * [1, -1]).astype(np.int32)
            cv2.polylines(picture, [pixels[:, None]], False, colour, width, cv2.LINE_AA)
            cv2.circle(picture, pixels[0].tolist(), 4 + width, colour, -1, cv2.LINE_AA)
    return picture


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these scenes")
    parser.add_argument("--out", type=Path, default=Path("out/people"), metavar="FOLDER")
    args = parser.parse_args()
    pairs = {one.stem: one for one in sorted(default_clips().rglob("pair_*.mp4"))}
    known = [*GATHERINGS, *pairs]
    if not set(args.names) <= set(known):
        parser.error(f"there are the scenes {', '.join(known)}")
    names = args.names or known

    args.out.mkdir(parents=True, exist_ok=True)
    print(f"| scene | who | {' | '.join(heading for _, heading, _ in _COLUMNS)} |")
    print(f"|{'---|' * (len(_COLUMNS) + 2)}")
    for name in names:
        if name in pairs:
            results = of_a_pair(pairs[name], args.out)
        else:
            results = of_a_scene(gatherings(args.out, [name])[name], args.out)
        for who, figures in results.items():
            cells = [f"{figures[key]:.{n}f}" if key in figures else "–" for key, _, n in _COLUMNS]
            print(f"| {name} | {who} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
