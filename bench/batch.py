"""How many clips a minute a batch captures, beside a plain loop in the same run.

    python -m bench.batch [--video FILE] [--clips N] [--repeat N] [--out FOLDER]

The loop only captures each clip and builds its files. All ways take turns, and the best of the repetitions
counts. Into --out go batch.md and batch.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import distributed

from kinelift.batch.journal import Journal
from kinelift.batch.orders import Order
from kinelift.batch.run import DEFAULT_MEMORY, FOLDER, JOB_MB, JOURNAL
from kinelift.core.files import MOTION_SUFFIX

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "samples/walk_front.mp4"
#: clips at once in the runs with several jobs
JOBS = 2


def quietly(command: Sequence[str | Path]) -> None:
    """Run a program to its end; exit with its errors if it fails."""
    done = subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed: {done.stderr}")


def loop(clips: Path, out: Path) -> None:
    """Capture and build one clip after another."""
    for clip in sorted(clips.iterdir()):
        out.mkdir(parents=True, exist_ok=True)
        motion, request = out / f"{clip.stem}{MOTION_SUFFIX}", out / f"{clip.stem}.request.json"
        order = asdict(Order(clip, clip.stem, {}))
        asked = {"order": {**order, "clip": str(clip)}, "motion": str(motion)}
        request.write_text(json.dumps(asked), encoding="utf-8")
        quietly([sys.executable, "-m", "inference", "capture", clip, "--out", motion, "--progress", "json"])
        quietly([sys.executable, ROOT / "batch.py", "--build", request])


def batch(clips: Path, out: Path, options: Sequence[str]) -> None:
    """Do the same with ``batch.py``."""
    quietly([sys.executable, ROOT / "batch.py", clips, "--out", out, *options])


def most_memory(out: Path) -> float:
    """Memory of the largest process of a batch, MB."""
    journal = Journal(out / FOLDER / JOURNAL)
    most = max(entry.memory or 0.0 for entry in journal.entries())
    journal.close()
    return most


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--video", type=Path, default=SAMPLE)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("out/batch"))
    args = parser.parse_args()

    folder = Path(tempfile.mkdtemp(prefix="kinelift-batch-"))
    clips = folder / "clips"
    clips.mkdir()
    for number in range(args.clips):
        shutil.copyfile(args.video, clips / f"clip{number:02}{args.video.suffix}")
    best: dict[str, float] = {}
    try:
        with distributed.LocalCluster(
            n_workers=JOBS, threads_per_worker=1, dashboard_address=None, preload=["kinelift"],
            local_directory=str(folder),
        ) as cluster:  # fmt: skip
            ways: dict[str, Callable[[Path, Path], None]] = {
                "loop": loop,
                "1 job": partial(batch, options=("--jobs", "1")),
                f"{JOBS} jobs": partial(batch, options=("--jobs", str(JOBS))),
                f"Dask, {JOBS} workers": partial(batch, options=("--scheduler", cluster.scheduler_address)),
            }
            for _ in range(args.repeat):
                for name, way in ways.items():
                    out = folder / name
                    shutil.rmtree(out, ignore_errors=True)
                    began = time.perf_counter()
                    way(clips, out)
                    best[name] = min(best.get(name, float("inf")), time.perf_counter() - began)
        memory = most_memory(folder / f"{JOBS} jobs")
    finally:
        shutil.rmtree(folder)
    rates = {name: 60 * args.clips / seconds for name, seconds in best.items()}
    one = rates["1 job"]
    lines = ["| way | clips a minute | against one job |", "|---|---|---|"]
    lines += [f"| {name} | {rate:.2f} | {rate / one:.2f} |" for name, rate in rates.items()]
    overhead = best["1 job"] / best["loop"] - 1
    head = f"{args.clips} times {args.video.name}, best of {args.repeat}; {os.cpu_count()} CPU cores."
    tail = (
        f"Overhead of a batch with one job against the loop: {overhead:.1%}. The largest process took "
        f"{memory:.0f} MB; {JOB_MB} MB are reckoned for a job, and one is ended at {DEFAULT_MEMORY} MB."
    )
    text = "\n\n".join([head, "\n".join(lines), tail]) + "\n"
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "batch.md").write_text(text, encoding="utf-8")
    figures = {"clips_a_minute": rates, "overhead": overhead, "memory": memory}
    (args.out / "batch.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(text, flush=True)


if __name__ == "__main__":
    main()
