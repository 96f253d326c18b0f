"""What each part of the capture gains: solves the same detections without it.

    python -m bench.ablation [NAME...] [--clips FOLDER] [--out FOLDER]

Clips, figures and kept detections are those of bench.accuracy. The means over each group, of the solved
motion before its feet are planted, go into OUT/ablation.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from kinelift.bench.accuracy_page import COLUMNS
from kinelift.bench.detections import default_clips, detected, group_of, known_focal_mm, lifted
from kinelift.bench.known import rotation_error
from kinelift.bench.score import Figures, score
from kinelift.core.camera import DEFAULT_FOCAL_MM
from kinelift.core.capture import Capture
from kinelift.core.errors import CaptureError
from kinelift.core.options import Settings
from kinelift.core.skeleton import JOINTS
from kinelift.inference.pipeline import resolve

#: figures of the table
_SHOWN = ("pa_mpjpe_mm", "sa_mpjpe_mm", "ends_pa_mm", "rotation_deg", "tilt_deg", "accel_ratio")


def _without_confidence(capture: Capture) -> Capture:
    landmarks = capture.landmarks.copy()
    landmarks[..., 2] = np.where(np.isfinite(landmarks[..., 2]), 1.0, np.nan)
    return replace(capture, landmarks=landmarks)


#: variants that detect in another quality
_QUALITIES = {f"lens told, --quality {quality}": quality for quality in ("quick", "best")}
#: variants of the capture: from the detections and the true lens, mm
VARIANTS: dict[str, Callable[[Capture, float], Capture]] = {
    "all of it, lens told": lambda seen, lens: resolve(seen, {"focal": lens}),
    **{name: lambda seen, lens: resolve(seen, {"focal": lens}) for name in _QUALITIES},
    "lens searched (as shipped)": lambda seen, lens: resolve(seen),
    f"lens taken for {DEFAULT_FOCAL_MM:g} mm": lambda seen, lens: resolve(seen, {"focal": DEFAULT_FOCAL_MM}),
    "lens told, without confidence": lambda seen, lens: resolve(_without_confidence(seen), {"focal": lens}),
    "lens told, without the solver": lambda seen, lens: lifted(resolve(seen, {"focal": lens})),
}


def _has_camera(reference: Path) -> bool:
    with np.load(reference, allow_pickle=False) as data:
        return "K" in data.files


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these clips")
    parser.add_argument("--clips", type=Path, default=default_clips())
    parser.add_argument("--out", type=Path, default=Path("out/accuracy"))
    args = parser.parse_args()
    videos = sorted(p for p in args.clips.rglob("*.mp4") if p.with_suffix(".npz").exists())
    videos = [p for p in videos if _has_camera(p.with_suffix(".npz")) and p.stem in (args.names or [p.stem])]
    if not videos:
        sys.exit(f"There is no video with a reference .npz beside it that knows the camera in {args.clips}.")
    args.out.mkdir(parents=True, exist_ok=True)
    groups: dict[str, dict[str, list[Figures]]] = {}
    for video in videos:
        reference = video.with_suffix(".npz")
        try:
            for name, variant in VARIANTS.items():
                seen = detected(video, args.out, _QUALITIES.get(name, Settings.quality))
                motion = variant(seen, known_focal_mm(reference)).motion
                path = args.out / "ablation.npz"
                np.savez(path, fps=motion.fps, joint_names=np.array(JOINTS), joints=motion.joints)
                figures = score(path, reference) | {"rotation_deg": rotation_error(motion, reference)}
                groups.setdefault(group_of(video), {}).setdefault(name, []).append(figures)
        except (CaptureError, ValueError) as error:
            sys.exit(f"{video}: {error}")
        print(video.stem, flush=True)
    text = ""
    for group, rows in groups.items():
        text += f"\n| {group} | " + " | ".join(COLUMNS[f][0] for f in _SHOWN) + " |\n"
        text += "|---" * (1 + len(_SHOWN)) + "|\n"
        for name, measured in rows.items():
            cells = []
            for figure in _SHOWN:
                there = [v for v in (one.get(figure) for one in measured) if v is not None]
                cells.append(f"{np.mean(there):.{COLUMNS[figure][1]}f}" if there else "–")
            text += f"| {name} | " + " | ".join(cells) + " |\n"
    (args.out / "ablation.md").write_text(text.lstrip(), encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
