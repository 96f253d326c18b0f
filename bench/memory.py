"""How much memory a capture of a long clip takes, over time, as a picture.

    python -m bench.memory [--minutes N] [--quality NAME] [--clip FILE] [--out FILE.svg]

The clip is the sample in 1080p, forwards and backwards in turn; it is made unless --clip is there already.
The worker captures it in a process of its own. Every second its resident memory is noted, and its stage.
Printed are the peaks of the first and of the last fifth of the time, for all and for each stage that takes
longer than ten seconds.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import cv2
from matplotlib import rc_context
from matplotlib.figure import Figure

from kinelift.core.errors import CaptureError
from kinelift.core.files import replacing
from kinelift.core.options import Settings
from kinelift.core.worker import Worker

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "samples/walk_front.mp4"
#: width and height of the clip, pixels
SIZE = (1920, 1080)
#: seconds between two looks at the memory
TICK = 1.0
#: stages shorter than this have no first and last fifth worth telling, seconds
LONG = 10.0
#: colours of the stages in the picture
COLOURS = {"start": "#e4e8ec", "shots": "#ece4ec", "detect": "#dcebf9", "lift": "#f9efd7", "solve": "#dff2df"}


class Moment(NamedTuple):
    """Memory, MB, some seconds after the start, in a stage."""

    seconds: float
    stage: str
    memory: float


def make_clip(clip: Path, minutes: float) -> None:
    """Write the sample forwards and backwards for some minutes, in the middle of a picture of `SIZE`."""
    source = cv2.VideoCapture(str(SAMPLE))
    images = []
    while (read := source.read())[0]:
        across = round(read[1].shape[1] * SIZE[1] / read[1].shape[0])
        beside = SIZE[0] - across
        image = cv2.resize(read[1], (across, SIZE[1]))
        borders = (0, 0, beside // 2, beside - beside // 2)
        images.append(cv2.copyMakeBorder(image, *borders, cv2.BORDER_REPLICATE))
    fps = source.get(cv2.CAP_PROP_FPS)
    there_and_back = images + images[::-1]
    with replacing(clip) as temporary:
        writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter.fourcc(*"mp4v"), fps, SIZE)
        for frame in range(round(minutes * 60 * fps)):
            writer.write(there_and_back[frame % len(there_and_back)])
        writer.release()


def watch(clip: Path, quality: str) -> list[Moment]:
    """Capture a clip in a process of its own, and note its memory."""
    with tempfile.TemporaryDirectory(prefix="kinelift-memory-") as folder:
        out = Path(folder) / "motion.npz"
        worker = Worker(
            Path(sys.executable), ["capture", str(clip.absolute()), "--out", str(out), "--quality", quality]
        )
        began, stage, moments = time.monotonic(), "start", []
        try:
            while worker.running:
                for message in worker.messages(wait=False):
                    stage = message.stage
                # without a process there is no memory
                if memory := worker.memory:
                    moments.append(Moment(time.monotonic() - began, stage, memory))
                time.sleep(TICK)
        finally:
            worker.cancel()
    return moments


def fifths(moments: list[Moment]) -> tuple[float, float]:
    """The peaks of the first and of the last fifth, MB."""
    fifth = max(1, len(moments) // 5)
    first, last = (max(moment.memory for moment in part) for part in (moments[:fifth], moments[-fifth:]))
    return first, last


def draw(moments: list[Moment], title: str, path: Path) -> None:
    """Draw the memory over time as an SVG file, the stages in colours behind it."""
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "kinelift", "font.size": 10}):
        figure = Figure(figsize=(9.6, 3.6), layout="constrained")
        axes = figure.add_subplot()
        minutes = [moment.seconds / 60 for moment in moments]
        for stage, colour in COLOURS.items():
            there = [m for m, moment in zip(minutes, moments, strict=True) if moment.stage == stage]
            if there:
                axes.axvspan(there[0], there[-1] + TICK / 60, color=colour, lw=0, label=stage)
        axes.plot(minutes, [moment.memory for moment in moments], color="#3278c8", lw=1.2)
        axes.set(xlabel="minutes", ylabel="resident memory, MB", title=title, ylim=(0, None))
        axes.set_xlim(0, minutes[-1])
        axes.legend(loc="lower right", ncols=len(COLOURS), facecolor="white", framealpha=1)
        with replacing(path) as temporary:
            figure.savefig(temporary, metadata={"Date": None})


def main() -> None:
    """Measure, print the peaks and draw the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--quality", default=Settings.quality)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/images/memory.svg")
    args = parser.parse_args()
    clip = args.clip or Path(tempfile.gettempdir()) / f"kinelift-{args.minutes:g}-minutes.mp4"
    try:
        if not clip.exists():
            make_clip(clip, args.minutes)
        moments = watch(clip, args.quality)
    except CaptureError as error:
        sys.exit(f"{clip}: {error}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    for stage in COLOURS:
        there = [moment for moment in moments if moment.stage == stage]
        if there and (took := there[-1].seconds - there[0].seconds) > LONG:
            first, last = fifths(there)
            print(f"{stage}: {took:.0f} s; first fifth {first:.0f} MB, last fifth {last:.0f} MB at most")
    first, last = fifths(moments)
    print(f"all: {moments[-1].seconds:.0f} s; first fifth {first:.0f} MB, last fifth {last:.0f} MB at most")
    print(f"peak: {peak:.0f} MB")
    draw(moments, f"{args.minutes:g} minutes of 1080p: at most {peak:.0f} MB", args.out)


if __name__ == "__main__":
    main()
