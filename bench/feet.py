"""How the feet stand: slide, penetration, contacts and the root's path, on clips whose truth is known.

    python -m bench.feet [NAME...] [--clips FOLDER] [--out FOLDER]

FOLDER holds videos with a reference .npz of the same name beside each. One run compares:

    MediaPipe       its own 3D, which has no root motion
    raw             Kinelift's capture before its feet are planted
    height lock     the raw motion with each foot held while it is lower than a threshold (as FreeMoCap does):
                    the legs aren't solved, so their bones stretch
    cleaned         Kinelift's capture
    truth raw       the true motion on our skeleton: what a perfect lifter would give
    truth cleaned   the same with planted feet

The figures of each, against the truth:

    slide       movement of a heel or ball from frame to frame in the truth's contacts, mm: mean and maximum
    under       largest depth of a heel or ball below the floor, mm
    over        largest height of a heel or ball above the floor during the truth's contacts, mm
    F1          of the contacts of heels and balls, correct within 2 frames; pooled over clips
    PA, WA, drift, tilt   as explained at the head of score.py
    jolt        the largest acceleration of any joint, mm/frame^2
    stretch     standard deviation of a shin's length, mm

Into --out go feet.md, feet.json, and feet.png with the paths of the balls of the feet from above.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from kinelift.bench.detections import default_clips
from kinelift.bench.score import score, similarity
from kinelift.bench.truth import true_capture
from kinelift.core.camera import WORLD_FROM_LEVEL_CAMERA
from kinelift.core.capture import Capture
from kinelift.core.contacts import CONTACT_THRESHOLD, runs
from kinelift.core.errors import CaptureError
from kinelift.core.foot_ik import clean_up
from kinelift.core.landmarks import LANDMARK
from kinelift.core.motion import Motion
from kinelift.core.options import Settings
from kinelift.core.skeleton import INDEX, JOINTS
from kinelift.inference.pipeline import capture

Array = npt.NDArray[Any]
Figures = dict[str, float | None]

#: methods, as in the head of this file
METHODS = ("MediaPipe", "raw", "height lock", "cleaned", "truth raw", "truth cleaned")
#: figures: (heading, decimals)
COLUMNS = {
    "slide": ("slide mm/frame", 2),
    "slide_max": ("at most", 1),
    "under": ("under mm", 1),
    "over": ("over mm", 0),
    "f1": ("contact F1", 3),
    "pa": ("PA mm", 1),
    "wa": ("WA mm", 0),
    "drift": ("drift %", 1),
    "tilt": ("tilt °", 1),
    "jolt": ("jolt", 0),
    "stretch": ("stretch mm", 1),
}
#: the height lock holds a foot that is lower than this, metres
_LOW = 0.05
#: tolerance of the contacts, frames
_NEAR = 2
_COLOURS = {"raw": "#9aa5b1", "cleaned": "#e8702a"}


@dataclass(frozen=True)
class Result:
    """A method's result: joints by name, soles (T, 4, 3), contacts (T, 4) or None if it has none."""

    names: tuple[str, ...]
    joints: Array
    soles: Array
    contacts: npt.NDArray[np.bool_] | None
    fps: float


def of_motion(motion: Motion) -> Result:
    """The result of a motion; its soles are lowered from the balls' joints to the floor."""
    return Result(JOINTS, motion.joints, touching(motion), motion.contacts >= CONTACT_THRESHOLD, motion.fps)


def touching(motion: Motion) -> Array:
    """Heels and balls (T, 4, 3) of a motion, the balls lowered from their joints to the sole."""
    points = motion.sole_points()
    points[..., 2] = motion.sole_heights()
    return points


def mediapipe(capture: Capture) -> Result:
    """MediaPipe's own 3D, kept in the capture: hips-centred, turned upright for a level camera."""
    motion, places = capture.motion, capture.world_landmarks.astype(float)
    seen = np.isfinite(places[:, 0, 0])
    frames = np.arange(len(places))
    flat = places.reshape(len(places), -1)
    filled = np.stack([np.interp(frames, frames[seen], column[seen]) for column in flat.T], 1)
    points = filled.reshape(places.shape) @ WORLD_FROM_LEVEL_CAMERA.T
    shown = {
        "upper_arm": "shoulder", "forearm": "elbow", "hand": "wrist", "thigh": "hip", "shin": "knee",
        "foot": "ankle", "toe": "foot_index",
    }  # fmt: skip
    pairs = [(f"{ours}.{side}", f"{theirs}.{side}") for ours, theirs in shown.items() for side in "LR"]
    soles = points[:, [LANDMARK[n] for n in ("heel.L", "foot_index.L", "heel.R", "foot_index.R")]]
    soles[..., 2] -= np.percentile(soles[..., 2].min(1), 5)
    return Result(
        tuple(ours for ours, _ in pairs), points[:, [LANDMARK[t] for _, t in pairs]], soles, None, motion.fps
    )


def height_lock(motion: Motion) -> Result:
    """Hold a foot where it came down while it is low; the leg bones stretch to follow."""
    joints, soles = motion.joints.copy(), touching(motion)
    contacts = np.zeros((len(motion), 4), bool)
    for side, name in enumerate("LR"):
        columns = slice(2 * side, 2 * side + 2)
        low = soles[:, columns, 2].min(axis=1) < _LOW
        contacts[:, columns] = low[:, None]
        for first, end in zip(*runs(low), strict=True):
            held = soles[first, columns].copy()
            shift = held.mean(0) - soles[first:end, columns].mean(1)
            shift[:, 2] = -soles[first:end, columns, 2].min(axis=1)
            soles[first:end, columns] += shift[:, None]
            joints[first:end, [INDEX[f"foot.{name}"], INDEX[f"toe.{name}"]]] += shift[:, None]
    return Result(JOINTS, joints, soles, contacts, motion.fps)


def contact_counts(found: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> npt.NDArray[np.int_]:
    """Numbers of contacts that are right, wrong and missed."""
    near, hit = _widened(truth), _widened(found)
    return np.array([(found & near).sum(), (found & ~near).sum(), (truth & ~hit).sum()])


def _widened(labels: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    out = labels.copy()
    for step in range(1, _NEAR + 1):
        out[step:] |= labels[:-step]
        out[:-step] |= labels[step:]
    return out


def f1(counts: npt.NDArray[np.int_]) -> float | None:
    """The F1 of `contact_counts`; None without any contact."""
    right, wrong, missed = counts
    return float(2 * right / (2 * right + wrong + missed)) if right + wrong + missed else None


def measure(result: Result, reference: Path, scratch: Path) -> Figures:
    """Figures of one method on one clip."""
    np.savez(scratch, fps=result.fps, joint_names=np.array(result.names), joints=result.joints)
    scored = score(scratch, reference)
    with np.load(reference, allow_pickle=False) as data:
        truth = data["contact_points"][: len(result.soles)]
    soles = result.soles[: len(truth)]
    moved = np.linalg.norm(np.diff(soles, axis=0), axis=-1)[truth[1:] & truth[:-1]] * 1000
    standing = soles[..., 2][truth] * 1000
    names = result.names
    shins = [
        np.linalg.norm(
            result.joints[:, names.index(f"foot.{s}")] - result.joints[:, names.index(f"shin.{s}")], axis=-1
        )
        for s in "LR"
    ]
    return {
        "slide": float(moved.mean()) if len(moved) else None,
        "slide_max": float(moved.max()) if len(moved) else None,
        "under": float(np.maximum(0, -soles[..., 2]).max() * 1000),
        "over": float(max(0, standing.max())) if len(standing) else None,
        "f1": None if result.contacts is None else f1(contact_counts(result.contacts[: len(truth)], truth)),
        "pa": scored["pa_mpjpe_mm"],
        "wa": scored["wa_mpjpe_mm"],
        "drift": scored["root_drift_pct"],
        "tilt": scored["tilt_deg"],
        "jolt": float(np.linalg.norm(np.diff(result.joints, 2, axis=0), axis=-1).max() * 1000),
        "stretch": float(np.mean([s.std() for s in shins]) * 1000),
    }


def table(figures: dict[str, Figures], heading: str) -> str:
    """A markdown table, a method a row."""

    def text(value: float | None, decimals: int) -> str:
        return "–" if value is None else f"{value:.{decimals}f}"

    lines = [
        f"| {heading} | " + " | ".join(h for h, _ in COLUMNS.values()) + " |",
        "|---" * (len(COLUMNS) + 1) + "|",
    ]
    for method, row in figures.items():
        lines.append(f"| {method} | " + " | ".join(text(row[k], d) for k, (_, d) in COLUMNS.items()) + " |")
    return "\n".join(lines) + "\n"


def plot(paths: dict[str, dict[str, Array]], path: Path) -> None:
    """The balls' paths from above, metres: the truth black, in its own place; planted spots are dots."""
    columns = min(4, len(paths))
    rows = -(-len(paths) // columns)
    figure = Figure(figsize=(4 * columns, 4 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, (name, feet) in zip(axes, paths.items(), strict=False):
        for side, style in ((0, "-"), (1, "--")):
            axis.plot(*feet["truth"][:, side, :2].T, style, color="black", lw=0.8)
            for method, colour in _COLOURS.items():
                axis.plot(*feet[method][:, side, :2].T, style, color=colour, lw=1.2)
            down = feet["contacts"][:, side] > 0
            axis.plot(*feet["cleaned"][down, side, :2].T, ".", color="#b3001b", ms=4)
        axis.set_title(name, fontsize=10)
        axis.set_aspect("equal", adjustable="datalim")
        axis.tick_params(labelsize=7)
    for axis in axes[len(paths) :]:
        axis.axis("off")
    handles = [axes[0].plot([], [], color=c)[0] for c in ("black", *_COLOURS.values())]
    figure.legend(handles, ["truth", *_COLOURS], loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, dpi=110)


def _paths(raw: Motion, cleaned: Motion, reference: Path) -> dict[str, Array]:
    """The balls' paths (T, 2, 3), the captured ones moved onto the truth by one similarity."""
    with np.load(reference, allow_pickle=False) as data:
        names = [str(n) for n in data["joint_names"]]
        truth = data["joints_world"].astype(float)
    balls = [INDEX["toe.L"], INDEX["toe.R"]]
    limbs = [n for n in JOINTS if n in names]
    count = min(len(truth), len(cleaned))
    ours = cleaned.joints[:count, [INDEX[n] for n in limbs]].reshape(-1, 3)
    theirs = truth[:count, [names.index(n) for n in limbs]].reshape(-1, 3)
    scale, turn, shift = similarity(ours, theirs)
    return {
        "truth": truth[:, [names.index("toe.L"), names.index("toe.R")]],
        "raw": scale * raw.joints[:, balls] @ turn.T + shift,
        "cleaned": scale * cleaned.joints[:, balls] @ turn.T + shift,
        "contacts": raw.contacts[:, [1, 3]],
    }


def _mean(rows: list[Figures]) -> Figures:
    out: Figures = {}
    for figure in COLUMNS:
        values = [v for v in (row[figure] for row in rows) if v is not None]
        worst = figure in ("slide_max", "under", "over", "jolt")
        out[figure] = float(max(values) if worst else np.mean(values)) if values else None
    return out


def main() -> None:
    """Measure, and write the tables and the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these clips")
    parser.add_argument("--clips", type=Path, default=default_clips())
    parser.add_argument("--out", type=Path, default=Path("out/feet"))
    args = parser.parse_args()
    videos = [p for p in sorted(args.clips.rglob("*.mp4")) if not args.names or p.stem in args.names]
    videos = [
        p
        for p in videos
        if p.with_suffix(".npz").exists()
        and "contact_points" in np.load(p.with_suffix(".npz"), allow_pickle=False)
    ]
    if not videos:
        sys.exit(f"There is no video with a reference .npz with contacts beside it in {args.clips}.")
    args.out.mkdir(parents=True, exist_ok=True)
    results: dict[str, dict[str, Figures]] = {}
    counts = {method: np.zeros(3, int) for method in METHODS}
    paths = {}
    for video in videos:
        reference = video.with_suffix(".npz")
        try:
            captured = capture(video, Settings())
            raw = captured.motion
        except CaptureError as error:
            sys.exit(f"{video}: {error}")
        cleaned, truth = clean_up(raw), true_capture(reference).motion
        made = dict(
            zip(
                METHODS,
                (
                    mediapipe(captured), of_motion(raw), height_lock(raw), of_motion(cleaned),
                    of_motion(truth), of_motion(clean_up(truth)),
                ),
                strict=True,
            )
        )  # fmt: skip
        results[video.stem] = {m: measure(r, reference, args.out / "scratch.npz") for m, r in made.items()}
        with np.load(reference, allow_pickle=False) as data:
            contact_points = data["contact_points"]
        for method, result in made.items():
            if result.contacts is not None:
                counts[method] += contact_counts(result.contacts[: len(contact_points)], contact_points)
        paths[video.stem] = _paths(raw, cleaned, reference)
        print(table(results[video.stem], video.stem), flush=True)
    (args.out / "scratch.npz").unlink()
    overall = {m: _mean([clip[m] for clip in results.values()]) | {"f1": f1(counts[m])} for m in METHODS}
    text = table(overall, "all clips") + "\n" + "\n".join(table(r, n) for n, r in results.items())
    note = "Means over the clips; at most, under, over and jolt are the worst of any clip.\n\n"
    (args.out / "feet.md").write_text(note + text, encoding="utf-8")
    (args.out / "feet.json").write_text(
        json.dumps({"all": overall, **results}, indent=1) + "\n", encoding="utf-8"
    )
    plot(paths, args.out / "feet.png")
    print(f"{note}{table(overall, 'all clips')}\nWritten to {args.out}")


if __name__ == "__main__":
    main()
