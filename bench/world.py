"""The body in the world: on the picture, on its floors and in its limits, against the targets.

    python -m bench.world [NAME...] [--only GROUP...] [--kept-lens] [--out FOLDER]

One run measures the benchmark clips, and the videos without truth of ../shared/videos: the motion as it is
exported, with planted feet. The capture isn't told the lens. Each group has a table, whose last row holds the
targets: of every clip or, where it says so, of the group's mean. What misses its target is bold.

    off         mean distance of confident landmarks from the body in the picture, % of the person's height
    planting    how much of it the planting of the feet adds
    PA costs    how much planting adds to PA
    PA, SA, WA, straight, knee, elbow, tilt, accel, drift    as explained at the head of score.py
    slide       way of a heel or ball from frame to frame while it is planted, by our own contacts: mean, most
    hover       distance of planted heels and balls from the floor: mean, most
    found       frames in which the person was found

The detections are kept in --out until the video or the detector's sources change
(`detections.detection_key`), so a second run only lifts and solves. --kept-lens takes the lenses that were
found together with them, for a quicker run. With all clips, the time of everything after the lifter is
measured too: time of the processor, so that it doesn't depend on what else runs.
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
from kinelift.bench.long import repeated
from kinelift.bench.score import Figures, score
from kinelift.core.arrays import Floats
from kinelift.core.bvh import write_bvh
from kinelift.core.camera import FILM_WIDTH_MM
from kinelift.core.capture import Capture
from kinelift.core.contacts import CONTACT_THRESHOLD
from kinelift.core.errors import CaptureError
from kinelift.core.foot_ik import clean_up
from kinelift.core.landmarks import PLACES
from kinelift.core.motion import Motion
from kinelift.core.quality import detected_share
from kinelift.core.skeleton import INDEX, STANDARD_HEIGHT
from kinelift.inference.pipeline import resolve

#: a landmark is confident from this visibility on
_CONFIDENT = 0.8
#: lengths of the motions whose solving is timed, frames, and the most seconds that it may take
_TIMED = {300: 1.0, 3000: 10.0}
#: groups whose means have targets of their own
_PA = {"rendered": 45.0, "beam": 58.0, "pair": 70.0, "lab": 36.0}
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


COLUMNS = {
    "off_pct": Column("off %", 2, _upto(1.5)),
    "planting_pct": Column("planting %", 2, _upto(0.1)),
    "planting_pa_mm": Column("PA costs mm", 1, _upto(1)),
    "pa_mpjpe_mm": Column("PA mm", 1, means={g: _upto(most) for g, most in _PA.items()}),
    "sa_mpjpe_mm": Column("SA mm", 1, means={g: _upto(most) for g, most in _SA.items()}),
    "straight_deg": Column("straight °", 1, _upto(7)),
    "knee_deg": Column("knee °", 1, means={"": _upto(6)}),
    "elbow_deg": Column("elbow °", 1, means={"": _upto(11)}),
    "tilt_deg": Column("tilt °", 1, means={"beam": _upto(5)}),
    "accel_ratio": Column("accel", 2, means={"": (0.85, 1.2)}),
    "slide_mm": Column("slide mm", 2, _upto(0.5)),
    "slide_most_mm": Column("most", 1, _upto(3)),
    "hover_mm": Column("hover mm", 1),
    "hover_most_mm": Column("most", 0, _upto(10)),
    "wa_mpjpe_mm": Column("WA mm", 0, means={"": _upto(65)}),
    "root_drift_pct": Column("drift %", 1, means={"": _upto(3)}),
    "found_pct": Column("found %", 0),
}


def off_picture(capture: Capture) -> Floats:
    """How far (T, 33) confident landmarks are from their places on the body, as a share of its height.

    The height is that of the person standing upright where the hips are. NaN: the landmark isn't confident.
    """
    return np.concatenate([_off_picture(shot) for shot in capture.shots])


def _off_picture(shot: Capture) -> Floats:
    motion, camera = shot.motion, shot.camera
    size = motion.height / STANDARD_HEIGHT
    places = np.stack(
        [
            motion.joints[:, INDEX[joint]]
            + (motion.world_rotations[:, INDEX[carrier]] @ (size * np.array(offset)))
            for joint, carrier, offset in PLACES
        ],
        axis=1,
    )
    away = motion.root @ camera.camera_from_world[2, :3] + camera.camera_from_world[2, 3]
    tall = motion.height * camera.focal / away
    off = np.linalg.norm(camera.project(places) - shot.landmarks[..., :2], axis=-1) / tall[:, None]
    return np.where(shot.landmarks[..., 2] > _CONFIDENT, off, np.nan)


def slide_mm(motion: Motion) -> Floats:
    """Ways (N,) of planted heels and balls from each frame to the next, mm."""
    planted = motion.contacts >= CONTACT_THRESHOLD
    stays = planted[1:] & planted[:-1]
    stays[[cut - 1 for cut in motion.cuts]] = False
    return np.asarray(1000 * np.linalg.norm(np.diff(touching(motion), axis=0), axis=-1)[stays])


def hover_mm(motion: Motion, floors: Sequence[float]) -> Floats:
    """Distances (N,) of planted heels and balls from the nearest of the floors' heights, mm."""
    heights = touching(motion)[..., 2][motion.contacts >= CONTACT_THRESHOLD]
    return np.asarray(1000 * np.abs(heights[:, None] - np.array(floors)).min(axis=1))


def measure(video: Path, out: Path, kept_lens: bool) -> Figures:
    """Figures of one clip; writes the captured and the exported motion into `out`."""
    seen = detected(video, out)
    captured = resolve(seen, {"focal": _lens_mm(seen)} if kept_lens else {})
    exported = replace(captured, motion=clean_up(captured.motion))
    off, before = (100 * float(np.nanmean(off_picture(one))) for one in (exported, captured))
    slide, hover = slide_mm(exported.motion), hover_mm(exported.motion, [0.0])
    figures: Figures = {
        "off_pct": off,
        "planting_pct": off - before,
        "slide_mm": _or_none(slide, np.mean),
        "slide_most_mm": _or_none(slide, np.max),
        "hover_mm": _or_none(hover, np.mean),
        "hover_most_mm": _or_none(hover, np.max),
        "found_pct": 100 * detected_share(seen),
    }
    reference = video.with_suffix(".npz")
    if reference.exists():
        of = {}
        for name, motion in (("captured", captured.motion), ("exported", exported.motion)):
            path = out / f"{video.stem}.{name}.bvh"
            write_bvh(motion, path)
            of[name] = score(path, reference)
        figures |= of["exported"]
        costs = [of[name]["pa_mpjpe_mm"] for name in ("exported", "captured")]
        figures["planting_pa_mm"] = float(costs[0] or 0) - float(costs[1] or 0)
    return figures


def _lens_mm(capture: Capture) -> float:
    camera = capture.camera
    return camera.focal / max(camera.size) * FILM_WIDTH_MM


def _or_none(values: Floats, of: Callable[[Floats], float]) -> float | None:
    return float(of(values)) if len(values) else None


def mean(clips: Sequence[Figures]) -> Figures:
    """Mean figures of clips; a clip that lacks a figure doesn't count for it."""
    known = {name: [value for clip in clips if (value := clip.get(name)) is not None] for name in COLUMNS}
    return {name: float(np.mean(values)) for name, values in known.items() if values}


def table(group: str, clips: dict[str, Figures]) -> str:
    """A markdown table of a group: a clip a row, their mean, and the targets."""
    lines = [
        f"| {group} | " + " | ".join(column.heading for column in COLUMNS.values()) + " |",
        "|---" * (len(COLUMNS) + 1) + "|",
    ]
    for name, figures in clips.items():
        cells = (_cell(column, figures.get(key), column.clip) for key, column in COLUMNS.items())
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    middle = mean(list(clips.values()))
    cells = (_cell(column, middle.get(key), column.target(group)) for key, column in COLUMNS.items())
    lines.append("| mean | " + " | ".join(cells) + " |")
    lines.append("| target | " + " | ".join(_said(column, group) for column in COLUMNS.values()) + " |")
    return "\n".join(lines)


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

    solved = resolve(repeated(capture, frames), {"focal": _lens_mm(capture)}, progress)
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
    parser.add_argument("--out", type=Path, default=Path("out/world"), metavar="FOLDER")
    args = parser.parse_args()

    videos: dict[str, list[Path]] = {}
    for folder in (default_clips(), ROOT.parent / "shared/videos"):
        for video in sorted(folder.rglob("*.mp4")):
            group = group_of(video)
            if (not args.names or video.stem in args.names) and (not args.only or group in args.only):
                videos.setdefault(group, []).append(video)
    if not videos:
        parser.error("there is no such clip")
    args.out.mkdir(parents=True, exist_ok=True)
    results: dict[str, dict[str, Figures]] = {}
    for group, clips in videos.items():
        results[group] = {}
        for video in clips:
            try:
                results[group][video.stem] = measure(video, args.out, args.kept_lens)
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
