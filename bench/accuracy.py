"""How accurate the capture is, beside MediaPipe's own 3D of the same videos in the same run.

    python -m bench.accuracy [NAME...] [--clips FOLDER] [--out FOLDER] [--known-focal] [--docs]

FOLDER holds videos with a reference .npz of the same name beside each. Clips are grouped
(`detections.group_of`), because what helps one group can hurt another. The head of score.py explains the
figures. Into --out go accuracy.md with its plots and
a contact sheet for each clip, accuracy.json, and the motions. With --docs, the page and the pictures that may
be published also become docs/accuracy.md.

--out also keeps the detections, so that a second run only lifts and solves until the video, the detection's
sources or its settings change (`detections.detection_key`). The capture doesn't know the lens, as an artist
often doesn't either; --known-focal gives it the lens.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kinelift.bench.accuracy_page import (
    COLUMNS,
    FINAL,
    METHODS,
    Results,
    page,
    plot_clips,
    plot_filters,
    summary,
    targets,
)
from kinelift.bench.detections import (
    ROOT,
    baseline,
    default_clips,
    detected,
    group_of,
    known_focal_mm,
    lifted,
)
from kinelift.bench.filters import butterworth, one_euro
from kinelift.bench.known import rotation_error, solver_seconds, swing_kept
from kinelift.bench.score import Figures, score
from kinelift.bench.sheets import sheet
from kinelift.core.bvh import write_bvh
from kinelift.core.errors import CaptureError
from kinelift.core.foot_ik import clean_up
from kinelift.core.skeleton import JOINTS
from kinelift.inference.pipeline import resolve

DOCS = ROOT / "docs"
#: pictures of the clips of these folders may be published: they were made for Kinelift
PUBLIC = ("rendered", "samples")
#: filters of joints (T, J, 3) at a frame rate, by name
FILTERS: dict[str, Callable[[npt.NDArray[Any], float], npt.NDArray[np.float64]]] = {
    "euro": one_euro,
    "butterworth": butterworth,
}


def measure(video: Path, out: Path, known_focal: bool) -> dict[str, Figures]:
    """Figures of all methods on one clip; writes motions and contact sheet into `out`."""
    reference = video.with_suffix(".npz")
    solved = resolve(detected(video, out), {"focal": known_focal_mm(reference)} if known_focal else {})
    cleaned = replace(solved, motion=clean_up(solved.motion))
    motions = {"lifter": lifted(solved).motion, "solved": solved.motion, "cleaned": cleaned.motion}
    with np.load(baseline(video, out), allow_pickle=False) as data:
        plain = {"mediapipe": ([str(n) for n in data["joint_names"]], data["joints"], float(data["fps"]))}
    plain["lifter"] = (list(JOINTS), motions["lifter"].joints, solved.motion.fps)
    figures: dict[str, Figures] = {}
    for method in METHODS:
        of, _, way = method.partition("_")
        path = out / f"{video.stem}.{method}.npz"
        if method == FINAL:  # as the exports are
            path = path.with_suffix(".bvh")
            write_bvh(motions[method], path)
        elif of in plain:
            names, joints, fps = plain[of]
            if way:
                joints = FILTERS[way](joints, fps)
            np.savez(path, fps=fps, joint_names=np.array(names), joints=joints)
        else:
            np.savez(path, fps=solved.motion.fps, joint_names=np.array(JOINTS), joints=motions[method].joints)
        figures[method] = score(path, reference)
        if method in motions:
            figures[method]["rotation_deg"] = rotation_error(motions[method], reference)
    cleaned.save(out / f"{video.stem}.npz")
    sheet(video, cleaned, reference, out / f"{video.stem}.jpg")
    return figures


def mean(results: list[dict[str, Figures]]) -> dict[str, Figures]:
    """Mean figures over clips; a clip that lacks a figure doesn't count for it."""
    out: dict[str, Figures] = {}
    for method in METHODS:
        out[method] = {}
        for figure in COLUMNS:
            values = [clip[method].get(figure) for clip in results]
            there = [v for v in values if v is not None]
            out[method][figure] = float(np.mean(there)) if there else None
    return out


def further(references: list[Path]) -> list[tuple[str, str, str]]:
    """Further targets: lines (what, target, measured) for `targets`."""
    with_truth = []
    for reference in references:
        with np.load(reference, allow_pickle=False) as data:
            if "joint_rotations" in data.files:
                with_truth.append(reference)
    lines = []
    if with_truth:
        kept = {r.stem: swing_kept(r) for r in with_truth}
        worst = min(kept, key=lambda name: kept[name])
        lines += [
            (
                "width of arm swings in the solver's answer to true motion, over the truth",
                "0.97 or more",
                f"mean {np.mean(list(kept.values())):.3f}, least {kept[worst]:.3f} ({worst})",
            ),
            (
                "solver, 300 frames, one thread",
                "5 s or less",
                f"{solver_seconds(with_truth[0]):.1f} s",
            ),
        ]
    test = ROOT.parent / "shared/mocap/test"
    if test.is_dir():
        said = subprocess.run(
            [sys.executable, "-m", "training", "evaluate"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        sets = json.loads(said.stdout)
        alone, solved = (sets[name]["mpjpe_mm"] for name in ("perfect 2D", "perfect 2D, solved"))
        lines.append(
            (
                "motion kept from training, perfect 2D, MPJPE",
                "35 mm or less",
                f"the lifter {alone:.1f} mm, solved {solved:.1f} mm",
            )
        )
    return lines


def main() -> None:
    """Measure, and write page, plots and sheets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these clips")
    parser.add_argument("--clips", type=Path, default=default_clips())
    parser.add_argument("--out", type=Path, default=Path("out/accuracy"))
    parser.add_argument("--known-focal", action="store_true", help="give the capture the focal length")
    parser.add_argument("--docs", action="store_true", help="write docs/accuracy.md too")
    args = parser.parse_args()

    videos = sorted(p for p in args.clips.rglob("*.mp4") if p.with_suffix(".npz").exists())
    videos = [p for p in videos if not args.names or p.stem in args.names]
    if not videos:
        sys.exit(f"There is no video with a reference .npz beside it in {args.clips}.")
    args.out.mkdir(parents=True, exist_ok=True)
    results: Results = {}
    groups: dict[str, list[str]] = {}
    for video in videos:
        try:
            results[video.stem] = measure(video, args.out, args.known_focal)
        except (CaptureError, ValueError) as error:
            sys.exit(f"{video}: {error}")
        groups.setdefault(group_of(video), []).append(video.stem)
        print(summary({video.stem: results[video.stem]}).splitlines()[-1], flush=True)
    means = {group: mean([results[name] for name in names]) for group, names in groups.items()}
    means["all"] = mean(list(results.values()))

    plots = {"clips": "clips.png", "filters": "filters.png"}
    plot_clips(results, args.out / plots["clips"])
    plot_filters({group: means[group] for group in groups}, args.out / plots["filters"])
    lens = "knows" if args.known_focal else "doesn't know"
    extra = targets(means, further([v.with_suffix(".npz") for v in videos]))
    sheets = {v.stem: f"{v.stem}.jpg" for v in videos}
    (args.out / "accuracy.md").write_text(page(results, means, extra, lens, plots | sheets), encoding="utf-8")
    (args.out / "accuracy.json").write_text(
        json.dumps({"known_focal": args.known_focal, "results": results, "means": means}, indent=1) + "\n",
        encoding="utf-8",
    )
    if args.docs:
        public = plots | {v.stem: sheets[v.stem] for v in videos if group_of(v) in PUBLIC}
        folder = DOCS / "images/accuracy"
        folder.mkdir(parents=True, exist_ok=True)
        for name in public.values():
            (folder / name).write_bytes((args.out / name).read_bytes())
        shown = {key: f"images/accuracy/{name}" for key, name in public.items()}
        (DOCS / "accuracy.md").write_text(page(results, means, extra, lens, shown), encoding="utf-8")
    last = summary({f"mean of {group}": row for group, row in means.items()})
    print(f"\n{extra}\n{last}\nWritten to {args.out}")


if __name__ == "__main__":
    main()
