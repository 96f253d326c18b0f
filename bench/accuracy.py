"""How accurate the capture is, beside MediaPipe's own 3D of the same videos in the same run.

    python -m bench.accuracy [NAME...] [--clips FOLDER] [--out FOLDER] [--known-focal]

FOLDER holds videos with a reference .npz of the same name beside each; clips are grouped by the folder they
lie in (`rendered`, `real`). What each figure means stands at the head of score.py. Written into --out:
accuracy.md, accuracy.json, accuracy.png, and the motions themselves.

The lens is not told to the capture, as an artist often doesn't know it; with --known-focal it is.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from bench import mediapipe_baseline
from bench.score import Figures, score
from inference.bvh import write_bvh
from inference.camera import FILM_WIDTH_MM
from inference.errors import CaptureError
from inference.foot_ik import clean_up
from inference.pipeline import Settings, capture

ROOT = Path(__file__).resolve().parent.parent
METHODS = {"mediapipe": "MediaPipe", "kinelift": "Kinelift"}
#: figure: (heading, decimals)
COLUMNS = {
    "pa_mpjpe_mm": ("PA-MPJPE mm", 1),
    "sa_mpjpe_mm": ("SA-MPJPE mm", 1),
    "tilt_deg": ("tilt °", 1),
    "accel_ratio": ("acceleration ratio", 2),
    "foot_slide_mm": ("foot slide mm/frame", 1),
    "bone_std_mm": ("bone std mm", 2),
    "asymmetry_mm": ("asymmetry mm", 2),
    "root_drift_pct": ("root drift %", 1),
}
#: of these the ratio to MediaPipe is given too
HEADLINE = ("pa_mpjpe_mm", "sa_mpjpe_mm")

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


def measure(video: Path, out: Path, known_focal: bool) -> dict[str, Figures]:
    """Figures of both methods on one clip; the motions are left in `out`."""
    reference = video.with_suffix(".npz")
    baseline = out / f"{video.stem}.mediapipe.npz"
    mediapipe_baseline.capture(video, baseline)
    settings = Settings(focal=known_focal_mm(reference)) if known_focal else Settings()
    motion = capture(video, settings)
    bvh = out / f"{video.stem}.bvh"
    motion.save(out / f"{video.stem}.npz")
    write_bvh(clean_up(motion), bvh)  # as the exports are
    return {"mediapipe": score(baseline, reference), "kinelift": score(bvh, reference)}


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


def table(results: Results) -> str:
    """A markdown table; a cell holds MediaPipe's figure, Kinelift's, and of the headline their ratio."""

    def cell(row: dict[str, Figures], figure: str) -> str:
        before, after = (row[method].get(figure) for method in METHODS)
        decimals = COLUMNS[figure][1]
        texts = ["–" if v is None else f"{v:.{decimals}f}" for v in (before, after)]
        text = " → ".join(texts) if before is not None or after is not None else "–"
        return f"{text} ({after / before:.2f})" if figure in HEADLINE and before and after else text

    lines = [
        "| clip | " + " | ".join(heading for heading, _ in COLUMNS.values()) + " |",
        "|---" * (len(COLUMNS) + 1) + "|",
    ]
    for name, row in results.items():
        lines.append(f"| {name} | " + " | ".join(cell(row, figure) for figure in COLUMNS) + " |")
    return "\n".join(lines) + "\n"


def plot(results: Results, path: Path) -> None:
    """Bars of the headline figures of both methods, a clip each."""
    figure = Figure(figsize=(10, 7), layout="constrained")
    axes = figure.subplots(len(HEADLINE), 1, sharex=True)
    at = np.arange(len(results))
    for axis, key in zip(axes, HEADLINE, strict=True):
        for place, (method, label), colour in zip(
            (-0.2, 0.2), METHODS.items(), ("#9aa5b1", "#e8702a"), strict=True
        ):
            bars = axis.bar(
                at + place, [row[method][key] for row in results.values()], 0.4, label=label, color=colour
            )
            axis.bar_label(bars, fmt="%.0f", fontsize=8)
        axis.set_ylabel(COLUMNS[key][0])
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, ncols=2)
    axes[-1].set_xticks(at, list(results), rotation=30, ha="right")
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure, and write the table and the plot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these clips")
    parser.add_argument("--clips", type=Path, default=default_clips())
    parser.add_argument("--out", type=Path, default=Path("out/accuracy"))
    parser.add_argument("--known-focal", action="store_true", help="tell the capture the focal length")
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
        print(table({video.stem: results[video.stem]}).splitlines()[-1], flush=True)
    clips = list(results.values())
    for group, names in groups.items():
        results[f"mean of {group}"] = mean([results[name] for name in names])
    results["mean of all"] = mean(clips)

    lens = "known" if args.known_focal else "not known"
    text = f"MediaPipe's own 3D → Kinelift (ratio); the lens is {lens} to the capture.\n\n{table(results)}"
    (args.out / "accuracy.md").write_text(text, encoding="utf-8")
    (args.out / "accuracy.json").write_text(
        json.dumps({"known_focal": args.known_focal, "results": results}, indent=1) + "\n", encoding="utf-8"
    )
    plot(results, args.out / "accuracy.png")
    print(f"\n{text}\nWritten to {args.out}")


if __name__ == "__main__":
    main()
