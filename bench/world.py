"""The body in the world: on the picture, on its floors and in its limits, against the targets.

    python -m bench.world [NAME...] [--only GROUP...] [--kept-lens] [--sheets] [--out FOLDER]

One run measures the benchmark clips, the videos without truth of ../shared/videos, and the *made* scenes of
scenes.py: the motion as it is exported, with planted feet. The capture isn't told the lens. Each group has a
table, whose last row holds the targets: of every clip or, where it says so, of the group's mean. What misses
its target is bold.

    off         mean distance of confident landmarks from the body in the picture, % of the person's height
    planting    how much of it the planting of the feet adds
    PA costs    how much planting adds to PA
    PA, SA, WA, straight, knee, elbow, tilt, accel, drift    as explained at the head of score.py
    head, down  how far the head looks away from where the true one looks, and how much farther down on
                average, as explained in known.py (`head_error`)
    slide       way of a heel or ball from frame to frame while it is planted, by our own contacts: mean, most
    hover       distance of planted heels and balls from the floor: mean, most
    found       frames in which the person was found
    height      mean error of the height of the hips over the level where the person begins, cm
    steps       largest error of the height of a step or box, cm
    peak        error of how high a jump is, % of its height; and of when it is highest, frames
    seat        error of the height of the hips while the person sits, cm

The detections are kept in --out until the video or the detector's sources change
(`detections.detection_key`), and so are the scenes' videos, so a second run only lifts and solves.
--kept-lens takes the lenses that were found together with the detections, for a quicker run. --sheets draws
contact sheets into --out: the body in the picture, from the side, from behind and from above (.body.jpg);
of clips with truth also the captured limbs over the true ones. With all clips, the time of everything after
the lifter is measured too: time of the processor, so that it doesn't depend on what else runs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from kinelift.bench.detections import ROOT, default_clips, detected, group_of
from kinelift.bench.feet import touching
from kinelift.bench.heights import floors, heights
from kinelift.bench.known import head_error
from kinelift.bench.long import repeated
from kinelift.bench.score import Figures, score
from kinelift.bench.sheets import body_sheet, sheet
from kinelift.bench.stage import films
from kinelift.core import quality
from kinelift.core.arrays import Floats
from kinelift.core.bvh import write_bvh
from kinelift.core.capture import Capture
from kinelift.core.contacts import CONTACT_THRESHOLD
from kinelift.core.errors import CaptureError
from kinelift.core.foot_ik import clean_up
from kinelift.core.motion import Motion
from kinelift.inference.pipeline import resolve

#: a landmark is confident from this visibility on
_CONFIDENT = 0.8
#: lengths of the motions whose solving is timed, frames, and the most seconds that it may take
_TIMED = {300: 1.0, 3000: 10.0}
#: group of the made-up scenes
_MADE = "made"
#: videos without truth
_VIDEOS = ROOT.parent / "shared/videos"
#: most PA that the mean of a group may have, mm
_PA = {"rendered": 45.0, "beam": 58.0, "pair": 70.0, "lab": 36.0}
#: most SA that the mean of a group may have, mm
_SA = {"rendered": 57.0, "beam": 75.0, "pair": 95.0, "lab": 46.0}


@dataclass(frozen=True)
class Column:
    """A figure in the tables.

    Attributes
    ----------
    heading : str
    decimals : int
    clip : (float, float), optional
        From where to where it may be in each clip.
    means : dict
        The same for the means of groups, by group; "" stands for every group.
    """

    heading: str
    decimals: int
    clip: tuple[float, float] | None = None
    means: dict[str, tuple[float, float]] = field(default_factory=dict)

    def target(self, group: str) -> tuple[float, float] | None:
        """What the mean of a group has to reach."""
        return self.means.get(group, self.means.get("", self.clip))


def _upto(most: float) -> tuple[float, float]:
    return -np.inf, most


#: the tables' columns by figure
COLUMNS = {
    "off_pct": Column("off %", 2, _upto(1.5)),
    "planting_pct": Column("planting %", 2, _upto(0.1)),
    "planting_pa_mm": Column("PA costs mm", 1, _upto(1)),
    "pa_mpjpe_mm": Column("PA mm", 1, means={g: _upto(most) for g, most in _PA.items()}),
    "sa_mpjpe_mm": Column("SA mm", 1, means={g: _upto(most) for g, most in _SA.items()}),
    "straight_deg": Column("straight °", 1, _upto(7)),
    "knee_deg": Column("knee °", 1, means={"": _upto(6)}),
    "elbow_deg": Column("elbow °", 1, means={"": _upto(11)}),
    "head_deg": Column("head °", 1, means={"": _upto(8)}),
    "head_down_deg": Column("down °", 1),
    "tilt_deg": Column("tilt °", 1, means={"beam": _upto(5)}),
    # who is put where a rule says stands stiller than anybody can: a ratio to that says nothing
    "accel_ratio": Column("accel", 2, means=dict.fromkeys(_PA, (0.85, 1.2))),
    "slide_mm": Column("slide mm", 2, _upto(0.5)),
    "slide_most_mm": Column("most", 1, _upto(3)),
    "hover_mm": Column("hover mm", 1),
    "hover_most_mm": Column("most", 0, _upto(10)),
    "wa_mpjpe_mm": Column("WA mm", 0, means={"": _upto(65)}),
    "root_drift_pct": Column("drift %", 1, means={"": _upto(3)}),
    "found_pct": Column("found %", 0),
    "height_cm": Column("height cm", 1),
    "steps_cm": Column("steps cm", 1, _upto(3)),
    "peak_pct": Column("peak %", 1, _upto(5)),
    "peak_frames": Column("frames", 1, _upto(1)),
    "seat_cm": Column("seat cm", 1, _upto(4)),
}


def off_picture(capture: Capture) -> Floats:
    """`quality.off_picture` (T, 33); NaN where a landmark isn't confident."""
    return np.where(capture.landmarks[..., 2] > _CONFIDENT, quality.off_picture(capture), np.nan)


def slide_mm(motion: Motion) -> Floats:
    """Ways (N,) of planted heels and balls from each frame to the next, mm."""
    planted = motion.contacts >= CONTACT_THRESHOLD
    stays = planted[1:] & planted[:-1]
    stays[[cut - 1 for cut in motion.cuts]] = False
    return np.asarray(1000 * np.linalg.norm(np.diff(touching(motion), axis=0), axis=-1)[stays])


def hover_mm(motion: Motion, levels: Sequence[float]) -> Floats:
    """Distances (N,) of planted heels and balls from the nearest of some levels, mm.

    A capture's zero may be any of the levels (metres): it is the one that fits best.
    """
    height = touching(motion)[..., 2][motion.contacts >= CONTACT_THRESHOLD]
    known = np.array(levels)
    away = [np.abs(height[:, None] - (known - zero)).min(axis=1) for zero in levels]
    return np.asarray(1000 * min(away, key=np.sum))


def measure(video: Path, out: Path, kept_lens: bool, sheets: bool) -> Figures:
    """Figures of one clip; writes the captured and the exported motion, and a contact sheet, into `out`."""
    seen = detected(video, out)
    captured = resolve(seen, {"focal": seen.camera.focal_mm} if kept_lens else {})
    exported = replace(captured, motion=clean_up(captured.motion))
    off, before = (100 * float(np.nanmean(off_picture(one))) for one in (exported, captured))
    slide = slide_mm(exported.motion)
    figures: Figures = {
        "off_pct": off,
        "planting_pct": off - before,
        "slide_mm": _or_none(slide, np.mean),
        "slide_most_mm": _or_none(slide, np.max),
        "found_pct": 100 * quality.detected_share(seen),
    }
    reference = video.with_suffix(".npz")
    levels = [0.0]
    if sheets:
        body_sheet(video, exported, out / f"{video.stem}.body.jpg")
    if reference.exists():
        of = {}
        for name, motion in (("captured", captured.motion), ("exported", exported.motion)):
            path = out / f"{video.stem}.{name}.bvh"
            write_bvh(motion, path)
            of[name] = score(path, reference)
        figures |= of["exported"] | head_error(exported.motion, reference)
        costs = [of[name]["pa_mpjpe_mm"] for name in ("exported", "captured")]
        figures["planting_pa_mm"] = float(costs[0] or 0) - float(costs[1] or 0)
        with np.load(reference, allow_pickle=False) as data:
            truth = dict(data)
        scale = float(figures["scale"] or 1)
        levels = [level / scale for level in floors(truth)]
        if "levels" in truth:
            figures |= heights(exported.motion, truth, scale)
        if sheets:
            sheet(video, exported, reference, out / f"{video.stem}.jpg", ("side", "back", "top"))
    hover = hover_mm(exported.motion, levels)
    return figures | {"hover_mm": _or_none(hover, np.mean), "hover_most_mm": _or_none(hover, np.max)}


def _or_none(values: Floats, of: Callable[[Floats], float]) -> float | None:
    return float(of(values)) if len(values) else None


def mean(clips: Sequence[Figures]) -> Figures:
    """Mean figures of clips; a clip that lacks a figure doesn't count for it."""
    known = {name: [value for clip in clips if (value := clip.get(name)) is not None] for name in COLUMNS}
    return {name: float(np.mean(values)) for name, values in known.items() if values}


def table(group: str, clips: dict[str, Figures]) -> str:
    """A markdown table of a group: a clip a row, their mean, and the targets; no columns without figures."""
    middle = mean(list(clips.values()))
    columns = {key: column for key, column in COLUMNS.items() if key in middle}
    rows = [
        [group, *(column.heading for column in columns.values())],
        ["---"] * (len(columns) + 1),
        *(
            [name, *(_cell(column, figures.get(key), column.clip) for key, column in columns.items())]
            for name, figures in clips.items()
        ),
        ["mean", *(_cell(column, middle[key], column.target(group)) for key, column in columns.items())],
        ["target", *(_said(column, group) for column in columns.values())],
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(column: Column, value: float | None, target: tuple[float, float] | None) -> str:
    if value is None:
        return "–"
    text = f"{value:.{column.decimals}f}"
    return text if target is None or target[0] <= value <= target[1] else f"**{text}**"


def _said(column: Column, group: str) -> str:
    target = column.target(group)
    if target is None:
        return ""
    said = f"≤ {target[1]:g}" if np.isinf(target[0]) else f"{target[0]:g} to {target[1]:g}"
    return said if column.clip is not None else f"{said} (mean)"


def solving_seconds(capture: Capture, frames: int) -> float:
    """Seconds of the processor for all that follows the lifter, for so many frames of a capture.

    The capture goes forwards and backwards, and its lens is told.
    """
    lifted = 0.0

    def progress(stage: str, frame: int, of: int) -> None:
        nonlocal lifted
        if stage == "lift":
            lifted = time.process_time()

    solved = resolve(repeated(capture, frames), {"focal": capture.camera.focal_mm}, progress)
    clean_up(solved.motion)
    return time.process_time() - lifted


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these clips")
    parser.add_argument("--only", nargs="+", metavar="GROUP", help="only these groups")
    parser.add_argument("--kept-lens", action="store_true", help="don't search for the lenses again")
    parser.add_argument("--sheets", action="store_true", help="draw contact sheets")
    parser.add_argument("--out", type=Path, default=Path("out/world"), metavar="FOLDER")
    args = parser.parse_args()

    args.out.mkdir(parents=True, exist_ok=True)
    found = [path for folder in (default_clips(), _VIDEOS) for path in sorted(folder.rglob("*.mp4"))]
    if not args.only or _MADE in args.only:
        found += films(args.out)
    videos: dict[str, list[Path]] = {}
    for video in found:
        group = group_of(video)
        if (not args.names or video.stem in args.names) and (not args.only or group in args.only):
            videos.setdefault(group, []).append(video)
    if not videos:
        parser.error("there is no such clip")
    results: dict[str, dict[str, Figures]] = {}
    for group, clips in videos.items():
        results[group] = {}
        for video in clips:
            try:
                results[group][video.stem] = measure(video, args.out, args.kept_lens, args.sheets)
            except (CaptureError, ValueError) as error:
                sys.exit(f"{video}: {error}")
        print(f"\n{table(group, results[group])}", flush=True)
    if not (args.names or args.only):
        seen = detected(next(iter(videos.values()))[0], args.out)
        print("\n| after the lifter | processor s | target |\n|---|---|---|")
        for frames, most in _TIMED.items():
            print(f"| {frames} frames | {solving_seconds(seen, frames):.1f} | ≤ {most:g} |", flush=True)
    (args.out / "world.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
