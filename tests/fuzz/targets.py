"""What is fuzzed: how each kind of file is made, and what Kinelift does with it."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import sqlite3
import struct
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from kinelift.batch.collect import orders_of
from kinelift.batch.journal import Journal, Made
from kinelift.batch.lists import _COLUMNS
from kinelift.batch.orders import Order
from kinelift.batch.report import REPORT, write_report
from kinelift.batch.run import FOLDER, JOURNAL, STAGING, run
from kinelift.core.bvh import read_bvh, write_bvh
from kinelift.core.capture import Capture
from kinelift.core.chart import quality_strip, save_chart
from kinelift.core.foot_ik import clean_up
from kinelift.core.options import CleanUp, Outputs
from kinelift.tests.motions import random_capture
from kinelift.tests.videos import read_video, write_video

from .mutations import NUMBERS, TEXTS, json_text, mutated_bytes, mutated_json, mutated_npz, mutated_text


@dataclass(frozen=True)
class Place:
    """Where a case lives: `files` holds what it reads, `out` what it may write, `outside` what it may not."""

    files: Path
    out: Path
    outside: Path


@dataclass(frozen=True)
class Target:
    """A kind of file.

    Attributes
    ----------
    make : callable
        Writes a mutated file into a place; returns its path.
    use : callable
        Does with the file what Kinelift does. May raise `CaptureError` and nothing else.
    """

    make: Callable[[Place, random.Random], Path]
    use: Callable[[Path, Place], None]


def _finite(*arrays: Any) -> None:
    for array in arrays:
        assert np.isfinite(array).all(), "a result has a NaN or an infinity in it"


# --- captures ---


@cache
def _capture() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.motion.npz"
        random_capture(20, size=(640, 480)).save(path)
        return path.read_bytes()


def _make_capture(place: Place, rng: random.Random) -> Path:
    path = place.files / "walk.motion.npz"
    path.write_bytes(mutated_npz(_capture(), rng))
    return path


def _use_capture(path: Path, place: Place) -> None:
    capture = Capture.load(path)
    motion = clean_up(capture.motion, CleanUp())
    _finite(motion.rotations, motion.root, motion.contacts, motion.joints, motion.fps, capture.confidence)
    write_bvh(motion, place.out / "walk.bvh")
    again = read_bvh(place.out / "walk.bvh")
    _finite(again.rotations, again.root, again.fps)
    save_chart(capture, place.out / "walk.chart.svg")
    assert "nan" not in quality_strip(capture)
    capture.save(place.out / "walk.motion.npz")
    Capture.load(place.out / "walk.motion.npz")


def _use_capture_in_full(path: Path, place: Place) -> None:
    """Solve it again and build the scene as well, which takes a second."""
    import bpy

    from kinelift.inference.pipeline import resolve
    from kinelift.rig.scene import build_scene

    capture = Capture.load(path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    armature = build_scene(capture, "walk", clean_up(capture.motion, CleanUp()))
    _finite(*(bone.matrix for bone in armature.pose.bones))
    solved = resolve(capture, {"height": 1.8})
    _finite(solved.motion.rotations, solved.motion.root, solved.motion.contacts, solved.confidence)


# --- BVH ---


@cache
def _bvh() -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.bvh"
        write_bvh(random_capture(10).motion, path)
        return path.read_text(encoding="utf-8")


def _make_bvh(place: Place, rng: random.Random) -> Path:
    path = place.files / "walk.bvh"
    if rng.random() < 0.3:
        path.write_bytes(mutated_bytes(_bvh().encode(), rng))
    else:
        path.write_text(mutated_text(_bvh(), rng), encoding="utf-8", errors="surrogatepass")
    return path


def _use_bvh(path: Path, place: Place) -> None:
    bvh = read_bvh(path)
    _finite(bvh.rotations, bvh.root, bvh.offsets, bvh.fps)
    assert bvh.fps > 0


# --- bone maps ---


def _make_preset(place: Place, rng: random.Random) -> Path:
    from kinelift.rig.retarget.presets import PRESETS

    source = rng.choice(sorted(PRESETS.glob("*.json")))
    text = source.read_text(encoding="utf-8")
    path = place.files / "own.json"
    if rng.random() < 0.3:
        path.write_bytes(mutated_bytes(text.encode(), rng))
    else:
        path.write_text(
            json_text(mutated_json(json.loads(text), rng), rng), encoding="utf-8", errors="surrogatepass"
        )
    (place.files / "sound.json").write_text(text, encoding="utf-8")
    return path


def _use_preset(path: Path, place: Place) -> None:
    from kinelift.rig.retarget.bones import Rig
    from kinelift.rig.retarget.presets import apply_preset, load_preset, own_presets

    found, _ = own_presets(path.parent)
    assert found, "a damaged bone map keeps a sound one from loading"
    names = dict.fromkeys([name for names in found[-1].bones.values() for name in names] + ["a" * 60])
    count = len(names)
    rest = np.tile(np.eye(4), (count, 1, 1))
    rig = Rig(tuple(names), np.arange(count) - 1, rest, rest[:, :3, 3], np.eye(4), np.zeros(count, bool), {})
    for preset in found:
        preset.score(rig)
    preset = load_preset(path)
    _finite(*(value for values in preset.properties.values() for value in values.values()))
    apply_preset(rig, preset)


# --- characters ---


def _make_character(place: Place, rng: random.Random) -> Path:
    bones = [{"bone": name, "node": number} for number, name in enumerate(("hips", "spine", "leftUpperArm"))]
    data = {
        "asset": {"version": "2.0"},
        "nodes": [{"name": f"J_{number}", "children": [number + 1]} for number in range(3)],
        "extensions": rng.choice(
            (
                {"VRM": {"humanoid": {"humanBones": bones}}},
                {"VRMC_vrm": {"humanoid": {"humanBones": {b["bone"]: {"node": b["node"]} for b in bones}}}},
            )
        ),
    }
    text = json_text(mutated_json(data, rng), rng).encode("utf-8", "surrogatepass")
    size = rng.choice((len(text), len(text), 0, 0xFFFFFFFF))
    content = b"glTF" + struct.pack("<IIII", 2, 20 + len(text), size, 0x4E4F534A) + text
    path = place.files / "hero.vrm"
    path.write_bytes(mutated_bytes(content, rng) if rng.random() < 0.2 else content)
    return path


def _use_character(path: Path, place: Place) -> None:
    from kinelift.rig.retarget.humanoid import read_humanoid

    assert all(isinstance(text, str) for pair in read_humanoid(path).items() for text in pair)


# --- lists ---


def _make_list(place: Place, rng: random.Random) -> Path:
    for name in ("a.mp4", "b.mp4", "é.mov", "a.chart.mp4"):
        (place.files / name).write_bytes(b"video")
    os.mkfifo(place.files / "pipe.mp4")
    rows = [["clip", "name", "start", "height", "person", "format"]]
    for number, clip in enumerate(rng.sample(("a.mp4", "b.mp4", "é.mov", "a.chart.mp4"), k=3)):
        name = rng.choice(("", f"take {number}", f"day {number}/a", rng.choice(TEXTS)))
        rows.append([clip, name, rng.choice(("", "0.5")), "1.8", rng.choice(("largest", "3,4@1")), "blend"])
    if rng.random() < 0.1:
        rows[1][0] = rng.choice(("pipe.mp4", "."))
    if rng.random() < 0.1:
        rows[0][rng.randrange(1, 6)] = rng.choice(_COLUMNS)
    if rng.random() < 0.4:
        rows[rng.randrange(len(rows))][rng.randrange(6)] = str(
            rng.choice((rng.choice(TEXTS), rng.choice(NUMBERS)))
        )
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    content = text.getvalue()
    if rng.random() < 0.4:
        content = mutated_text(content, rng)
    data = content.encode("utf-8", "surrogatepass")
    path = place.files / rng.choice(("clips.csv", "clips.csv", "clips.txt"))
    path.write_bytes(mutated_bytes(data, rng) if rng.random() < 0.2 else data)
    return path


def _use_list(path: Path, place: Place) -> None:
    common = Order(Path(), "", {}, CleanUp(), Outputs(format=("bvh",)))
    orders = orders_of([], [path], common, place.out)
    with closing(Journal(place.out / FOLDER / JOURNAL)) as journal:
        run(orders, journal, place.out, _made, 1, lambda *_: None)
        write_report(journal.entries(), place.out / REPORT)


def _made(order: Order, staging: Path, progress: Any, stop: threading.Event) -> Made:
    """Make a clip's files without capturing."""
    folder = Path(tempfile.mkdtemp(dir=staging))
    path = folder / f"{Path(order.name).name}.bvh"
    path.write_text("HIERARCHY", encoding="utf-8")
    return Made(str(folder), {path.name: 9}, frames=2, fps=30.0, detected=1.0, confidence=1.0)


# --- journals ---


def _make_journal(place: Place, rng: random.Random) -> Path:
    (place.files / "a.mp4").write_bytes(b"video")
    path = place.out / FOLDER / JOURNAL
    staging = path.parent / STAGING
    with closing(Journal(path)) as journal:
        for number, state in enumerate(("queued", "running", "staged", "done", "failed")):
            name = f"day/clip{number}"
            journal.queue(name, place.files / "a.mp4", {}, "settings")
            if state != "queued":
                journal.claim(name, "content")
            if state in ("staged", "done"):
                made = Made(
                    str(staging / "x"),
                    {f"clip{number}.bvh": 9},
                    3,
                    25.0,
                    0.9,
                    0.8,
                    600.0,
                    "",
                    ("Odd.",),
                )
                journal.staged(name, made)
            if state == "done":
                journal.done(name, {f"clip{number}.bvh": 9})
            if state == "failed":
                journal.failed(name, "Nobody is in it.")
    (staging / "x").mkdir(parents=True)
    (staging / "x" / "clip2.bvh").write_text("HIERARCHY", encoding="utf-8")
    kind = rng.randrange(10)
    if kind < 3:
        path.write_bytes(mutated_bytes(path.read_bytes(), rng))
    elif kind < 9:
        _change_rows(path, place, rng)
    else:
        (staging / "x" / "clip2.bvh").unlink()
        (staging / "x").rmdir()
        staging.rmdir()
        staging.symlink_to(place.outside)
    return path


def _change_rows(path: Path, place: Place, rng: random.Random) -> None:
    with closing(sqlite3.connect(path)) as db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(clips)")]
        db.execute("PRAGMA ignore_check_constraints = ON")
        for _ in range(rng.choice((1, 2, 6))):
            column = rng.choice([*columns, "staged", "staged", "files", "name"])
            evil: list[Any] = [
                json.dumps({"folder": str(place.outside), "files": {"precious.txt": 8}}),
                json.dumps({"folder": "../../../outside", "files": {}}),
                json.dumps({"folder": "x", "files": {"../../../../outside/precious.txt": 8}}),
                json.dumps({f"../../outside/{rng.choice(TEXTS)}": 1}),
                json_text(mutated_json({"folder": "x", "files": {"clip2.bvh": 9}}, rng), rng),
                json_text(mutated_json(["Odd."], rng), rng),
                rng.choice(TEXTS),
                rng.randbytes(20),
                None,
                rng.choice((0, -1, 2**62, 1e308, float("inf"), float("nan"))),
                f"{place.outside}/precious",
                "running",
            ]
            value = rng.choice(evil)
            if isinstance(value, str):
                value = value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
            where = "" if rng.random() < 0.3 and column != "name" else f" WHERE rowid = {rng.randrange(1, 6)}"
            try:
                db.execute(f"UPDATE clips SET {column} = ?{where}", (value,))
            except sqlite3.IntegrityError:
                continue
        if rng.random() < 0.1:
            db.execute("CREATE TRIGGER evil AFTER UPDATE ON clips BEGIN DELETE FROM clips; END")
        db.commit()


def _use_journal(path: Path, place: Place) -> None:
    common = Order(place.files / "a.mp4", "", {}, CleanUp(), Outputs(format=("bvh",)))
    orders = [replace(common, name=f"day/clip{number}") for number in range(5)]
    with closing(Journal(path)) as journal:
        run(orders, journal, place.out, _made, 1, lambda *_: None)
        write_report(journal.entries(), place.out / REPORT)
        page = (place.out / REPORT).read_text(encoding="utf-8")
        assert "<script" not in page


# --- videos ---


@cache
def _video() -> bytes:
    from kinelift.tests.videos import SAMPLE

    with tempfile.TemporaryDirectory() as folder:
        images = [image[::3, ::3] for image in read_video(SAMPLE)[:12]]
        return write_video(Path(folder) / "a.mp4", images).read_bytes()


def _make_video(place: Place, rng: random.Random) -> Path:
    content = _video()
    path = place.files / rng.choice(("walk.mp4", "walk.mp4", "walk.mov", "walk.avi"))
    if rng.random() < 0.4:  # its headers: everything but the pictures lies in the last part
        at = content.rfind(b"moov")
        path.write_bytes(content[:at] + mutated_bytes(content[at:], rng))
    else:
        path.write_bytes(mutated_bytes(content, rng))
    return path


def _use_video(path: Path, place: Place) -> None:
    from kinelift.core.options import Settings
    from kinelift.inference.pipeline import capture
    from kinelift.inference.probe import probe

    told = probe(path)
    _finite(told.fps, told.seconds, told.frames)
    captured = capture(path, Settings(quality="quick", end=2.0), threads=1)
    _finite(captured.motion.rotations, captured.motion.root, captured.confidence)
    captured.save(place.out / "walk.motion.npz")
    Capture.load(place.out / "walk.motion.npz")


TARGETS = {
    "captures": Target(_make_capture, _use_capture),
    "captures-in-full": Target(_make_capture, _use_capture_in_full),
    "bvh": Target(_make_bvh, _use_bvh),
    "presets": Target(_make_preset, _use_preset),
    "characters": Target(_make_character, _use_character),
    "lists": Target(_make_list, _use_list),
    "journals": Target(_make_journal, _use_journal),
    "videos": Target(_make_video, _use_video),
}
