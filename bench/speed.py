"""How fast the capture is and how much memory it takes, beside plain ways of doing it in the same run.

    python -m bench.speed [--video FILE] [--repeat N] [--out FOLDER]

Times are medians over the repetitions. Both ways take turns, so that a busy machine slows them alike. The
ratio is Kinelift over the other. Into --out go speed.md and speed.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np

from kinelift.bench import mediapipe_baseline
from kinelift.bench.long import repeated
from kinelift.core.capture import Capture
from kinelift.core.errors import CaptureError
from kinelift.core.motion import Motion
from kinelift.core.options import Settings
from kinelift.inference.blazepose.task import HEAVY
from kinelift.inference.pipeline import capture
from kinelift.inference.video import VideoReader

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "samples/walk_front.mp4"
#: repetitions of the sample in the long clip
LONG = 15
#: frames that are keyframed in bulk
KEYED_FRAMES = 3000
#: frames that `keyframe_insert` keyframes: fewer, as it slows down with every key
INSERTED_FRAMES = 300


@dataclass
class Row:
    """One line of the table: two figures of a kind."""

    what: str
    kinelift: float
    against: str
    other: float
    unit: str

    @property
    def ratio(self) -> float:
        """Kinelift over the other."""
        return self.kinelift / self.other


def seconds(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def read_plainly(video: Path) -> None:
    """Decode a video with OpenCV in a loop."""
    source = cv2.VideoCapture(str(video))
    while True:
        ok, image = source.read()
        if not ok:
            break
        cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def capture_rows(video: Path, repeat: int, folder: Path) -> list[Row]:
    """Compare decoding, and the whole capture with detection alone."""
    times: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        times.setdefault(name, []).append(value)

    def whole(quality: str, threads: int) -> None:
        capture(video, Settings(quality=quality), threads=threads).save(folder / "motion.npz")

    def bare() -> float:
        return mediapipe_baseline.capture(video, folder / "baseline.npz", HEAVY)

    whole("normal", 1)  # the first run loads libraries and models
    for _ in range(repeat):
        note("plain decoding", seconds(lambda: read_plainly(video)))
        note("decoding", seconds(lambda: sum(1 for _ in VideoReader(video))))
        note("detector", bare())
        note("normal", seconds(partial(whole, "normal", 1)))
        note("two", seconds(partial(whole, "normal", 2)))
        note("quick", seconds(partial(whole, "quick", 1)))
        note("best", seconds(partial(whole, "best", 1)))
    t = {name: median(values) for name, values in times.items()}
    return [
        Row("decoding", t["decoding"], "OpenCV in a loop", t["plain decoding"], "s"),
        Row("whole capture, one thread", t["normal"], "MediaPipe's heavy model alone", t["detector"], "s"),
        Row("whole capture, two threads", t["two"], "one", t["normal"], "s"),
        Row("whole capture, --quality quick", t["quick"], "normal", t["normal"], "s"),
        Row("whole capture, --quality best", t["best"], "normal", t["normal"], "s"),
    ]


def blender_rows(motion_file: Path, repeat: int) -> list[Row]:
    """Compare keyframing in bulk with `keyframe_insert`; time the whole result in fresh Blenders."""
    import bpy

    from kinelift.rig.action import animate
    from kinelift.rig.armature import build_armature

    long = repeated(Capture.load(motion_file), KEYED_FRAMES)
    long_file = motion_file.with_name("long.motion.npz")
    long.save(long_file)

    def insert(armature: Any) -> None:
        bones = armature.pose.bones
        for frame in range(INSERTED_FRAMES):
            bones["hips"].location = long.motion.root[frame]
            bones["hips"].keyframe_insert("location", frame=frame)
            for bone, rotation in zip(bones, long.motion.rotations[frame], strict=True):
                bone.rotation_quaternion = rotation
                bone.keyframe_insert("rotation_quaternion", frame=frame)

    times: dict[str, list[float]] = {"bulk": [], "single": [], "result": []}
    for _ in range(repeat):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        collection = bpy.context.scene.collection
        one, other = (build_armature(name, long.motion.offsets, collection) for name in ("bulk", "single"))
        times["bulk"].append(seconds(partial(animate, one, long.motion, "bulk", long.motion.fps)))
        times["single"].append(seconds(partial(insert, other)))
        times["result"].append(
            in_fresh_blender(
                f"build(Path({str(long_file)!r}), 'long', bpy.context.scene.name, True)",
                # modules are loaded a moment before
                "register(); from kinelift.operators.build import build; import kinelift.rig.result",
            )
        )
    often = KEYED_FRAMES // INSERTED_FRAMES
    t = {name: median(values) for name, values in times.items()}
    return [
        Row(
            f"keyframing {KEYED_FRAMES} frames", t["bulk"],
            f"keyframe_insert, {INSERTED_FRAMES} frames times {often} (at least)", t["single"] * often, "s",
        ),
        Row(f"building the result of {KEYED_FRAMES} frames", t["result"], "allowed", 0.5, "s"),
    ]  # fmt: skip


def peak_mb(video: Path, out: Path, threads: int = 1) -> float:
    """Peak memory in MB of a worker that captures `video`."""
    command = [sys.executable, "-m", "inference", "capture", str(video), "--out", str(out)]
    command += ["--threads", str(threads)]
    worker = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(worker.pid, 0)
    worker.returncode = os.waitstatus_to_exitcode(status)
    if worker.returncode != 0:
        sys.exit(f"The worker failed on {video}: run {' '.join(command)} to see why.")
    return usage.ru_maxrss / 1024


def longer(video: Path, times: int) -> Path:
    """Write the sample `times` times in a row, forwards and backwards in turn."""
    source = cv2.VideoCapture(str(SAMPLE))
    images = []
    while (read := source.read())[0]:
        images.append(read[1])
    height, width = images[0].shape[:2]
    writer = cv2.VideoWriter(
        str(video), cv2.VideoWriter.fourcc(*"mp4v"), source.get(cv2.CAP_PROP_FPS), (width, height)
    )
    for back in range(times):
        for image in images[:: -1 if back % 2 else 1]:
            writer.write(image)
    writer.release()
    return video


def memory_rows(folder: Path) -> list[Row]:
    """Compare the memory for a clip ten times as long, and for two stretches at once."""
    one, ten = (
        peak_mb(longer(folder / f"{times}_times.mp4", times), folder / f"{times}_times.npz")
        for times in (1, 10)
    )
    two = peak_mb(folder / "10_times.mp4", folder / "10_times.npz", threads=2)
    return [
        Row("memory of a clip ten times as long", ten, "the clip itself", one, "MB"),
        Row("memory of the same in 2 stretches at once", two, "one at a time", ten, "MB"),
    ]


def stretches_rows(repeat: int, folder: Path) -> list[Row]:
    """Compare a long clip in two stretches at once and one at a time: times, differences of the motion."""
    video = longer(folder / "long.mp4", LONG)
    times: dict[str, list[float]] = {}
    motions: dict[int, Motion] = {}

    def timed(threads: int) -> None:
        began = time.perf_counter()

        def progress(stage: str, frame: int, _of: int) -> None:
            if (stage, frame) == ("lift", 0):
                times.setdefault(f"detection {threads}", []).append(time.perf_counter() - began)

        motions[threads] = capture(video, Settings(), progress, threads).motion
        times.setdefault(f"whole {threads}", []).append(time.perf_counter() - began)

    for _ in range(repeat):
        timed(1)
        timed(2)
    t = {name: median(values) for name, values in times.items()}
    one, two = motions[1], motions[2]
    off = float(np.linalg.norm(one.joints - two.joints, axis=-1).max()) * 1000
    alike = np.abs((one.rotations * two.rotations).sum(-1)).clip(0, 1)
    turned = float(np.degrees(2 * np.arccos(alike)).max())
    what = f"{len(one)} frames in 2 stretches"
    return [
        Row(f"detection, {what}", t["detection 2"], "one at a time", t["detection 1"], "s"),
        Row(f"whole capture, {what}", t["whole 2"], "one at a time", t["whole 1"], "s"),
        Row("largest difference of a joint's place", off, "allowed", 1.0, "mm"),
        Row("largest difference of a joint's rotation", turned, "allowed", 0.5, "degrees"),
    ]


def in_fresh_blender(measured: str, before: str = "") -> float:
    """Seconds that a statement takes in a fresh Blender, where `register()` enables the extension."""
    code = f"""\
import os, time, bpy, numpy
from pathlib import Path
def register():
    import kinelift
    kinelift.register()
{before}
began = time.perf_counter()
{measured}
print(time.perf_counter() - began, flush=True)
os._exit(0)
"""
    blender = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return float(blender.stdout.split()[-1])


def register_row() -> Row:
    """Compare enabling the extension with its limit."""
    return Row("register()", in_fresh_blender("register()") * 1000, "allowed", 50.0, "ms")


def main() -> None:
    """Measure, and print the table."""
    beam = ROOT.parent / "shared/bench/real/beam_cam4.mp4"
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--video", type=Path, default=beam if beam.exists() else SAMPLE)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("out/speed"))
    args = parser.parse_args()

    folder = Path(tempfile.mkdtemp(prefix="kinelift-speed-"))
    try:
        rows = capture_rows(args.video, args.repeat, folder)
        rows += [*stretches_rows(args.repeat, folder), *memory_rows(folder), register_row()]
        rows += blender_rows(folder / "motion.npz", args.repeat)
    except (CaptureError, ValueError) as error:
        sys.exit(f"{args.video}: {error}")
    finally:
        shutil.rmtree(folder)
    lines = ["| what | Kinelift | against | | ratio |", "|---|---|---|---|---|"]
    for r in rows:
        figures = f"{r.kinelift:.3g} {r.unit} | {r.against} | {r.other:.3g} {r.unit} | {r.ratio:.3g}"
        lines.append(f"| {r.what} | {figures} |")
    head = f"{args.video.name}, medians of {args.repeat}; {os.cpu_count()} CPU cores."
    text = f"{head}\n\n" + "\n".join(lines) + "\n"
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "speed.md").write_text(text, encoding="utf-8")
    listed = [{**dataclasses.asdict(row), "ratio": row.ratio} for row in rows]
    (args.out / "speed.json").write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    print(text, flush=True)
    os._exit(0)  # bpy 4.5 would hang at the interpreter's exit


if __name__ == "__main__":
    main()
