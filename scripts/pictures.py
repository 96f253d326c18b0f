"""Make the README's pictures: run `.venv/bin/python -m scripts.pictures` from the checkout.

strip.png shows the sample clip: the video, the skeleton on it, and the body through the capture camera. The
others are parts of the screenshots that `make test-gui` leaves in out/gui; without these they stay unchanged.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from kinelift.core.capture import Capture

Image = npt.NDArray[np.uint8]

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "samples" / "walk_front.mp4"
#: screenshots, by Blender
SHOTS = ROOT / "out/gui"
#: the README's pictures
PICTURES = ROOT / "docs/images"
#: frames of the clip in the strip, from 0
MOMENTS = (14, 30, 46, 62, 94)
#: height of a cell over that of the person
AROUND = 1.4
#: size of a cell, pixels
CELL = (180, 260)
#: space between cells, pixels
GAP = 4
#: columns of the panels
COLUMNS = 4
#: grey between the panels, 0 to 255
BACKGROUND = 48


def pictures(film: Path, wanted: tuple[int, ...]) -> list[Image]:
    """The `wanted` frames of a video."""
    source, found, index = cv2.VideoCapture(str(film)), [], 0
    while (read := source.read())[0]:
        if index in wanted:
            found.append(np.asarray(read[1], dtype=np.uint8))
        index += 1
    return found


def bodies(capture: Capture, folder: Path) -> list[Image]:
    """Render the body through the capture camera at the strip's moments."""
    import bpy

    from kinelift.core.foot_ik import clean_up
    from kinelift.rig.body import add_body
    from kinelift.rig.render import render
    from kinelift.rig.scene import build_scene

    bpy.ops.wm.read_factory_settings(use_empty=True)
    armature = build_scene(capture, SAMPLE.stem, clean_up(capture.motion))
    add_body(armature)
    found = []
    for moment in MOMENTS:
        bpy.context.scene.frame_start = bpy.context.scene.frame_end = moment + 1
        film = folder / f"{moment}.mp4"
        render("side-by-side", film, armature, capture, SAMPLE)
        (both,) = pictures(film, (0,))
        found.append(both[:, both.shape[1] // 2 :])
    return found


def cut(image: Image, joints: npt.NDArray[np.float64]) -> Image:
    """The part of a picture around a person's joints (J, 2), pixels."""
    low, high = joints.min(axis=0), joints.max(axis=0)
    scale = CELL[1] / (AROUND * (high[1] - low[1]))
    place = np.hstack([scale * np.eye(2), (np.array(CELL) / 2 - scale * (low + high) / 2)[:, None]])
    return np.asarray(cv2.warpAffine(image, place, CELL, flags=cv2.INTER_AREA), dtype=np.uint8)


def joined(parts: list[Image], axis: int) -> Image:
    """Join pictures along an axis with a gap between them."""
    shape = list(parts[0].shape)
    shape[axis] = GAP
    gap = np.full(shape, 255, dtype=np.uint8)
    spaced = [part for picture in parts for part in (gap, picture)][1:]
    return np.concatenate(spaced, axis=axis)


def strip(folder: Path) -> Image:
    """Moments of the sample clip: the video, the skeleton on it, the body."""
    file, drawn = folder / "motion.npz", folder / "drawn.mp4"
    command = [sys.executable, "-m", "inference", "capture", SAMPLE, "--out", file, "--overlay", drawn]
    subprocess.run(command, cwd=ROOT, check=True)
    capture = Capture.load(file)
    joints = capture.camera.project(capture.motion.joints)[list(MOMENTS)]
    rows = [pictures(SAMPLE, MOMENTS), pictures(drawn, MOMENTS), bodies(capture, folder)]
    lines = [[cut(image, there) for image, there in zip(row, joints, strict=True)] for row in rows]
    return joined([joined(line, axis=1) for line in lines], axis=0)


def panels(shots: Path) -> Image:
    """All panels of the sidebar, open, in columns from top to bottom and left to right."""
    boxes = json.loads((shots / "panels.json").read_text(encoding="utf-8"))
    parts = []
    for name, (left, top, right, bottom) in boxes.items():
        (shot,) = shots.glob(f"*_panel_{name.replace(' ', '_')}.png")
        part = cv2.imread(str(shot))[top : bottom - GAP, left + GAP : right - 2 * GAP]
        parts.append(cv2.copyMakeBorder(part, 0, GAP, 0, GAP, cv2.BORDER_CONSTANT, value=[BACKGROUND] * 3))
    heights = [len(part) for part in parts]
    highest = 1.25 * max(*heights, sum(heights) / COLUMNS)
    columns: list[list[Image]] = [[]]
    for part in parts:
        if columns[-1] and sum(map(len, columns[-1])) + len(part) > highest and len(columns) < COLUMNS:
            columns.append([])
        columns[-1].append(part)
    stacked = [np.concatenate(column) for column in columns]
    high = max(map(len, stacked))
    return np.hstack(
        [np.pad(c, ((0, high - len(c)), (0, 0), (0, 0)), constant_values=BACKGROUND) for c in stacked]
    )


def from_the_window(shots: Path) -> None:
    """The window after a capture, the sidebar while it runs, and all panels."""
    (window,) = shots.glob("*_playing.png")
    save("window.png", cv2.imread(str(window)))
    (progress,) = shots.glob("*_progress.png")
    left, top, right, bottom = json.loads((shots / "progress.json").read_text(encoding="utf-8"))
    save("progress.png", cv2.imread(str(progress))[top:bottom, left:right])
    save("panels.png", panels(shots))


def save(name: str, image: Image) -> None:
    """Write a picture of the README."""
    cv2.imwrite(str(PICTURES / name), image, [cv2.IMWRITE_PNG_COMPRESSION, 9])


def main() -> None:
    """Make them all."""
    with tempfile.TemporaryDirectory() as folder:
        save("strip.png", strip(Path(folder)))
    for shots in sorted(SHOTS.glob("*"))[-1:]:  # of the newest Blender
        from_the_window(shots)
    os._exit(0)  # bpy 4.5 would hang at the interpreter's exit


if __name__ == "__main__":
    main()
