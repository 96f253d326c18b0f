"""How accurate the capture is, beside MediaPipe's own 3D of the same videos in the same run.

    python -m bench.accuracy [NAME...] [--clips FOLDER] [--out FOLDER] [--known-focal] [--docs]

FOLDER holds videos with a reference .npz of the same name beside each; clips are grouped by the folder they
lie in (`rendered`, `real`). What each figure means stands at the head of score.py. Written into --out:
accuracy.md with its plots and a contact sheet per clip, accuracy.json, and the motions themselves; with
--docs the page and those of its pictures that may be published also become docs/accuracy.md.

What was detected is kept in --out, so that a second run only lifts and solves, for as long as neither the
video nor the detection's sources change. The lens is not told to the capture, as an artist often doesn't know
it; with --known-focal it is.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mediapipe
import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from kinelift.bench import mediapipe_baseline
from kinelift.bench.filters import butterworth, one_euro
from kinelift.bench.known import rotation_error, solver_seconds, swing_kept
from kinelift.bench.score import Figures, score
from kinelift.bench.sheets import sheet
from kinelift.core.bvh import write_bvh
from kinelift.core.camera import FILM_WIDTH_MM
from kinelift.core.capture import Capture
from kinelift.core.errors import CaptureError
from kinelift.core.files import replacing
from kinelift.core.foot_ik import clean_up
from kinelift.core.landmarks import bridge
from kinelift.core.options import MAX_LOOKS, Settings
from kinelift.core.skeleton import JOINTS
from kinelift.inference.lift import lift
from kinelift.inference.lifters.weights import load_weights
from kinelift.inference.pipeline import WEIGHTS, capture, resolve
from kinelift.inference.world import to_world

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
#: pictures of the clips of these folders may be published: they were made for Kinelift
PUBLIC = ("rendered", "samples")
#: what decides what is detected, and in whom
_DETECTION = (
    "inference/video.py",
    *(
        f"inference/detect/{name}.py"
        for name in ("people", "appearance", "landmarker", "augmentation", "detector")
    ),
    "inference/track.py",
    "inference/left_right.py",
    "inference/camera_motion.py",
    "core/landmarks.py",
)

METHODS = {
    "mediapipe": "MediaPipe",
    "mediapipe_euro": "MediaPipe, One-Euro",
    "mediapipe_butterworth": "MediaPipe, Butterworth",
    "lifter": "lifter alone",
    "lifter_euro": "lifter, One-Euro",
    "lifter_butterworth": "lifter, Butterworth",
    "solved": "**Kinelift, solved**",
    "cleaned": "**Kinelift, cleaned**",
}
BASELINE, FINAL = "mediapipe", "cleaned"
FILTERS: dict[str, Callable[[npt.NDArray[Any], float], npt.NDArray[np.float64]]] = {
    "euro": one_euro,
    "butterworth": butterworth,
}
#: figure: (heading, decimals)
COLUMNS = {
    "pa_mpjpe_mm": ("PA-MPJPE mm", 1),
    "sa_mpjpe_mm": ("SA-MPJPE mm", 1),
    "wa_mpjpe_mm": ("WA-MPJPE mm", 0),
    "ends_pa_mm": ("wrists, ankles PA mm", 1),
    "rotation_deg": ("bone rotation °", 1),
    "tilt_deg": ("tilt °", 1),
    "root_drift_pct": ("root drift %", 1),
    "accel_ratio": ("acceleration ratio", 2),
    "foot_slide_mm": ("foot slide mm/frame", 1),
    "bone_std_mm": ("bone std mm", 1),
    "asymmetry_mm": ("asymmetry mm", 1),
    "scale": ("scale", 2),
}
#: of these the ratio to MediaPipe is given too
HEADLINE = ("pa_mpjpe_mm", "sa_mpjpe_mm")


@dataclass(frozen=True)
class Target:
    """What a mean has to be: from least to most, in each group of clips."""

    figure: str
    ranges: dict[str, tuple[float, float]]


LIVELY = Target("accel_ratio", {"rendered": (0.8, 1.3), "real": (0.8, 1.8)})
TARGETS = (
    Target("pa_mpjpe_mm", {"rendered": (0, 45), "real": (0, 65)}),
    Target("sa_mpjpe_mm", {"rendered": (0, 62), "real": (0, 85)}),
    Target("tilt_deg", {"rendered": (0, 4), "real": (0, 6)}),
    LIVELY,
    Target("rotation_deg", {"rendered": (0, 16)}),
    Target("ends_pa_mm", {"rendered": (0, 65), "real": (0, 90)}),
)

#: clip or mean: method: figures
Results = dict[str, dict[str, Figures]]


def default_clips() -> Path:
    """The project's benchmark clips where they lie beside the checkout, else the sample clip."""
    shared = ROOT.parent / "shared/bench"
    return shared if shared.is_dir() else ROOT / "samples"


def known_focal_mm(reference: Path) -> float:
    """35 mm equivalent of the focal length with which a reference clip was filmed."""
    with np.load(reference, allow_pickle=False) as data:
        return float(data["K"][0, 0] / max(data["size"]) * FILM_WIDTH_MM)


def detected(video: Path, out: Path, looks: int = MAX_LOOKS) -> tuple[Capture, Path]:
    """A capture of a video, to be solved again, and MediaPipe's own 3D of it; both are kept in `out`."""
    digest = hashlib.sha256(video.read_bytes() + mediapipe.__version__.encode() + bytes([looks]))
    for name in _DETECTION:
        digest.update((ROOT / name).read_bytes())
    kept, baseline = (
        out / f"{video.stem}.{digest.hexdigest()[:12]}.{what}.npz" for what in ("detected", "mediapipe")
    )
    if not baseline.exists():
        with replacing(baseline) as temporary:
            mediapipe_baseline.capture(video, temporary)
    if not kept.exists():
        capture(video, Settings(looks=looks)).save(kept)
    return Capture.load(kept), baseline


def lifted(capture: Capture) -> Capture:
    """What the lifter alone says of the landmarks that a capture keeps, through the lens that it has."""
    lens, fps = capture.camera, capture.motion.fps
    rays, confidence = bridge(lens.rays(capture.landmarks[..., :2])[..., :2], capture.landmarks[..., 2])
    model = load_weights(WEIGHTS, torch.device("cpu"))
    estimate = lift(rays, confidence, capture.world_landmarks.astype(float), fps, model)
    motion, camera = to_world(estimate, fps, capture.motion.start, lens.focal, lens.size)
    return replace(capture, motion=motion, camera=camera)


def measure(video: Path, out: Path, known_focal: bool) -> dict[str, Figures]:
    """Figures of all methods on one clip; motions and contact sheet are left in `out`."""
    reference = video.with_suffix(".npz")
    seen, baseline = detected(video, out)
    solved = resolve(seen, {"focal": known_focal_mm(reference)} if known_focal else {})
    cleaned = replace(solved, motion=clean_up(solved.motion))
    motions = {"lifter": lifted(solved).motion, "solved": solved.motion, "cleaned": cleaned.motion}
    with np.load(baseline, allow_pickle=False) as data:
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
    """Mean figures over clips, a figure that a clip lacks left out."""
    out: dict[str, Figures] = {}
    for method in METHODS:
        out[method] = {}
        for figure in COLUMNS:
            values = [clip[method].get(figure) for clip in results]
            there = [v for v in values if v is not None]
            out[method][figure] = float(np.mean(there)) if there else None
    return out


def _cell(value: float | None, decimals: int) -> str:
    return "–" if value is None else f"{value:.{decimals}f}"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |\n"


def _header(*cells: str) -> str:
    return _row(list(cells)) + "|---" * len(cells) + "|\n"


def table(row: dict[str, Figures]) -> str:
    """A markdown table of one clip or mean: a line per method, with the headline's ratio to MediaPipe."""
    text = _header("", *(heading for heading, _ in COLUMNS.values()))
    for method, label in METHODS.items():
        cells = [label]
        for figure, (_, decimals) in COLUMNS.items():
            value, before = row[method].get(figure), row[BASELINE].get(figure)
            cell = _cell(value, decimals)
            if figure in HEADLINE and method != BASELINE and value and before:
                cell += f" ({value / before:.2f})"
            cells.append(cell)
        text += _row(cells)
    return text


def summary(results: Results) -> str:
    """A markdown table: a line per clip or mean; MediaPipe's figure, Kinelift's, the headline's ratio."""

    def cell(row: dict[str, Figures], figure: str) -> str:
        before, after = row[BASELINE].get(figure), row[FINAL].get(figure)
        decimals = COLUMNS[figure][1]
        if before is None:
            return _cell(after, decimals)
        text = f"{_cell(before, decimals)} → {_cell(after, decimals)}"
        return f"{text} ({after / before:.2f})" if figure in HEADLINE and before and after else text

    text = _header("clip", *(heading for heading, _ in COLUMNS.values()))
    for name, row in results.items():
        text += _row([name, *(cell(row, figure) for figure in COLUMNS)])
    return text


def targets(means: Results, further: list[tuple[str, str, str]]) -> str:
    """Tables of the targets beside the means, and of further lines (what, target, measured)."""
    groups = [g for g in ("rendered", "real") if g in means]
    text = (
        _row(["mean", *(f"{g}: target | measured" for g in groups)]) + "|---" * (1 + 2 * len(groups)) + "|\n"
    )
    for target in TARGETS:
        heading, decimals = COLUMNS[target.figure]
        cells = [heading]
        for group in groups:
            value = means[group][FINAL].get(target.figure)
            if group not in target.ranges or value is None:
                cells += ["", _cell(value, decimals)]
                continue
            least, most = target.ranges[group]
            met = least <= value <= most
            cells += [
                f"{least:g} to {most:g}" if least else f"at most {most:g}",
                f"{_cell(value, decimals)} {'met' if met else '**missed**'}",
            ]
        text += _row(cells)
    text += "\n" + _header("", "target", "measured")
    return text + "".join(_row(list(line)) for line in further)


def further(references: list[Path]) -> list[tuple[str, str, str]]:
    """What else was asked for: lines of `targets`."""
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


def plot_clips(results: Results, path: Path) -> None:
    """Bars of the headline figures, a clip each."""
    figure = Figure(figsize=(10, 7), layout="constrained")
    axes = figure.subplots(len(HEADLINE), 1, sharex=True)
    at = np.arange(len(results))
    shown = {"mediapipe": "#9aa5b1", "lifter": "#f3c39b", "cleaned": "#e8702a"}
    for axis, key in zip(axes, HEADLINE, strict=True):
        for place, (method, colour) in zip((-0.27, 0.0, 0.27), shown.items(), strict=True):
            values = [row[method][key] for row in results.values()]
            bars = axis.bar(at + place, values, 0.27, label=METHODS[method].strip("*"), color=colour)
            axis.bar_label(bars, fmt="%.0f", fontsize=7)
        axis.set_ylabel(COLUMNS[key][0])
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, ncols=3)
    axes[-1].set_xticks(at, list(results), rotation=30, ha="right")
    figure.savefig(path, dpi=110)


def plot_filters(means: Results, path: Path) -> None:
    """Error against liveliness of every method, a group of clips each."""
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    axes = figure.subplots(1, len(means), squeeze=False)[0]
    colours = {"mediapipe": "#68727d", "lifter": "#c98344", "solved": "#d0460e", "cleaned": "#d0460e"}
    shapes = {"": "o", "euro": "^", "butterworth": "s"}
    for axis, (group, row) in zip(axes, means.items(), strict=True):
        axis.axvspan(*LIVELY.ranges.get(group, (1, 1)), color="#e7f3e7")
        for method, label in METHODS.items():
            of, _, way = method.partition("_")
            axis.scatter(
                [row[method]["accel_ratio"]], [row[method]["sa_mpjpe_mm"]], s=60, color=colours[of],
                marker="*" if method == FINAL else shapes[way], label=label.strip("*"),
            )  # fmt: skip
        axis.set_xscale("log")
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_xticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
        axis.set_title(group)
        axis.set_xlabel("acceleration over the truth's; the band is the target")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel(COLUMNS["sa_mpjpe_mm"][0])
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)


_HEAD = """# Accuracy

Written by `python -m bench.accuracy --docs`; don't edit it. The lens is {lens} to the capture. Every clip has
a reference that was made without MediaPipe or Kinelift; what each figure means stands at the head of
`bench/score.py`. *Rendered* clips are dressed bodies that move to motion capture which was kept from
training, with exact truth; *real* ones show a man balancing on a beam, filmed by calibrated cameras, with
joints triangulated from four of them (good to about 25 mm). *Wrists, ankles PA* is the PA-MPJPE of those four
alone. *Bone rotation* is the mean angle to the true rotation, all three axes, of {bones} bones, after the one
turn of the clip that SA-MPJPE takes out too.

- **MediaPipe**: its own 3D landmarks, which is what a user gets without Kinelift.
- **lifter alone**: the network's answer, frame by frame on one skeleton, before the solver.
- **Kinelift, solved**: after the solver; **cleaned**: feet planted too, as everything is exported.
- **One-Euro** (Casiez, Roussel and Vogel 2012; 1 Hz, 3 Hz more for every m/s) and **Butterworth** (second
  order, there and back, 6 Hz; Winter 2009) smooth the joints of MediaPipe and of the lifter: what the solver
  has to beat.

In brackets: over MediaPipe's figure in the same run.
"""


def page(results: Results, means: Results, extra: str, lens: str, pictures: dict[str, str]) -> str:
    """The whole page; `pictures` names plots and sheets that it may show."""
    text = _HEAD.format(lens=lens, bones=16)
    text += f"\n## Targets\n\n{extra}\n## Means\n"
    for group, row in means.items():
        text += f"\n{group}\n\n{table(row)}"
    text += f"\n![Error against liveliness]({pictures['filters']})\n"
    everything = results | {f"mean of {group}": row for group, row in means.items()}
    text += f"\n## Clips, MediaPipe → Kinelift (cleaned)\n\n{summary(everything)}"
    text += f"\n![Headline figures of every clip]({pictures['clips']})\n"
    text += (
        "\n## Every clip\n\nOn the sheets: above, the captured skeleton over the picture; below, the same "
        "moments from the camera's\nright, captured (orange left, blue right) over true (grey). Pictures of "
        "the real clips may not be published:\nthey are left in `--out`.\n"
    )
    for name, row in results.items():
        text += f"\n### {name}\n\n{table(row)}"
        if name in pictures:
            text += f"\n![{name}]({pictures[name]})\n"
    return text


def main() -> None:
    """Measure, and write page, plots and sheets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these clips")
    parser.add_argument("--clips", type=Path, default=default_clips())
    parser.add_argument("--out", type=Path, default=Path("out/accuracy"))
    parser.add_argument("--known-focal", action="store_true", help="tell the capture the focal length")
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
        groups.setdefault(video.parent.name, []).append(video.stem)
        print(summary({video.stem: results[video.stem]}).splitlines()[-1], flush=True)
    means = {group: mean([results[name] for name in names]) for group, names in groups.items()}
    means["all"] = mean(list(results.values()))

    plots = {"clips": "clips.png", "filters": "filters.png"}
    plot_clips(results, args.out / plots["clips"])
    plot_filters({group: means[group] for group in groups}, args.out / plots["filters"])
    lens = "known" if args.known_focal else "not known"
    extra = targets(means, further([v.with_suffix(".npz") for v in videos]))
    sheets = {v.stem: f"{v.stem}.jpg" for v in videos}
    (args.out / "accuracy.md").write_text(page(results, means, extra, lens, plots | sheets), encoding="utf-8")
    (args.out / "accuracy.json").write_text(
        json.dumps({"known_focal": args.known_focal, "results": results, "means": means}, indent=1) + "\n",
        encoding="utf-8",
    )
    if args.docs:
        public = plots | {v.stem: sheets[v.stem] for v in videos if v.parent.name in PUBLIC}
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
