"""Kill a batch and its workers repeatedly: each clip must be done once, and no file may be half-written.

    python -m tests.batch.soak FOLDER [--clips N] [--jobs N] [--kills N] [--every S]
    python -m tests.batch.soak FOLDER --full-disk

FOLDER gets the clips, one in five a video and the others captured motions, and the results. SIGKILL ends a
random worker every few seconds, and the batch itself a few times. With --full-disk, a batch of one clip runs
on disks of different sizes instead, and again when there is room. Linux only.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

from kinelift.batch.journal import Journal
from kinelift.batch.run import FOLDER, JOURNAL
from kinelift.core.bvh import read_bvh
from kinelift.core.capture import Capture
from kinelift.tests.motions import random_capture

ROOT = Path(__file__).resolve().parents[2]

_PNG_END = b"IEND\xaeB`\x82"
#: how .blend files begin: as they are, or compressed in two ways; and .fbx and .glb
_BEGINNINGS = (b"BLENDER", b"\x28\xb5\x2f\xfd", b"\x1f\x8b", b"Kaydara FBX", b"glTF")
#: sizes of disks, kB: from too small for the journal to large enough
_DISKS = (40, 120, 200, 300, 450, 600, 900, 1400, 2000, 3000, 6000)


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
        except OSError:  # it has just ended
            continue
        if int(parent) == pid:
            found.append(int(stat.parent.name))
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked about doesn't."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2][1]
            != "Z"
        )
    except (OSError, IndexError):
        return False


def results(out: Path) -> dict[str, int]:
    """Sizes of the files that the batch has put in place, by path."""
    found = {}
    for here, folders, files in os.walk(out):
        folders[:] = [folder for folder in folders if folder != FOLDER]
        for path in (Path(here) / file for file in files if file != "report.html"):
            found[path.relative_to(out).as_posix()] = path.stat().st_size
    return found


def check_whole(out: Path) -> None:
    """Assert that no result is half-written."""
    for name in results(out):
        path = out / name
        if name.endswith(".npz"):
            Capture.load(path)
        elif name.endswith(".bvh"):
            read_bvh(path)
        elif name.endswith(".json"):
            json.loads(path.read_text(encoding="utf-8"))
        elif name.endswith(".svg"):
            ElementTree.parse(path)
        elif name.endswith(".png"):
            assert path.read_bytes().endswith(_PNG_END), name
        else:
            assert name.endswith((".blend", ".fbx", ".glb")), name
            assert path.read_bytes().startswith(_BEGINNINGS), name


def check_agreed(out: Path, clips: int) -> int:
    """Assert that each clip was done once and that the journal agrees with the files; return their number."""
    path = out / FOLDER / JOURNAL
    journal = Journal(path)
    entries = journal.entries()
    journal.close()
    assert len(entries) == clips
    assert {(entry.state, entry.completions) for entry in entries} == {("done", 1)}
    told = {(Path(e.name).parent / file).as_posix(): size for e in entries for file, size in e.files.items()}
    assert told == results(out)
    assert [p.name for p in path.parent.iterdir()] == [JOURNAL]
    return len(told)


def soak(command: list[str], out: Path, clips: int, kills: int, every: float, most: float = math.inf) -> str:
    """Run a batch, again after each kill, until all clips are done.

    Parameters
    ----------
    command : list of str
        Command line of the batch; the only format it writes is BVH.
    out : Path
        Its output folder.
    clips : int
        Number of clips.
    kills : int
        Kills of the batch itself, evenly over its work.
    every : float
        Seconds between two kills of a worker, on average.
    most : float
        Most kills of workers; without it, clips that take much longer than `every` would never be done.

    Returns
    -------
    str
        A summary.
    """
    dice, began = random.Random(1), time.monotonic()
    workers_killed, statuses = 0, []
    killed = 0
    while True:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        strike = time.monotonic() + every
        while process.poll() is None:
            time.sleep(0.1)
            finished = sum(name.endswith(".summary.json") for name in results(out))
            if killed < kills and finished >= clips * (killed + 1) / (kills + 1):
                process.send_signal(signal.SIGKILL)
                killed += 1
                break
            if workers_killed < most and time.monotonic() > strike and (workers := children(process.pid)):
                os.kill(dice.choice(workers), signal.SIGKILL)
                workers_killed += 1
                strike = time.monotonic() + every * dice.uniform(0.5, 1.5)
        statuses.append(process.wait())
        check_whole(out)
        assert statuses[-1] in (0, 3, -signal.SIGKILL), statuses
        if statuses[-1] == 0:
            break
    assert killed == kills and workers_killed
    files = check_agreed(out, clips)
    return (
        f"{clips} clips, each done once; the journal agrees with {files} files, all whole. "
        f"Workers killed: {workers_killed}; the batch: {killed}; runs ended with {statuses}; "
        f"{time.monotonic() - began:.0f} s."
    )


def fill(folder: Path) -> str:
    """Make a clip on small disks, with all its files: what is in place must be whole, whatever had no room.

    Returns
    -------
    str
        A summary.
    """
    disk = folder / "disk"
    for path in (folder, disk):
        path.mkdir(exist_ok=True)
    words = [sys.executable, str(ROOT / "batch.py"), str(ROOT / "samples/walk_front.mp4"), "--end", "0.5"]
    words += ["--out", str(disk / "out"), "--resume"]
    said = []
    for kilobytes in _DISKS:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(disk)], check=True)
        try:
            first = subprocess.run(words, capture_output=True, text=True, check=False)
            assert first.returncode in (0, 1, 4) and "Traceback" not in first.stderr, first.stderr
            assert first.returncode == 0 or "full" in first.stderr or "No space" in first.stderr, first.stderr
            check_whole(disk / "out")
            subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
            again = subprocess.run(words, capture_output=True, text=True, check=False)
            assert again.returncode == 0, again.stderr
            check_whole(disk / "out")
            check_agreed(disk / "out", clips=1)
        finally:
            subprocess.run(["umount", str(disk)], check=True)
        said.append(f"{kilobytes} kB: {first.returncode}")
    assert first.returncode == 0, "there was never room enough"
    return f"Each time the clip was done once there was room. Exit status before: {', '.join(said)}."


def main() -> None:
    """Soak 200 short clips."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--jobs", default="2")
    parser.add_argument("--kills", type=int, default=3, help="of the batch itself")
    parser.add_argument("--every", type=float, default=4.0, metavar="S", help="a worker is killed")
    parser.add_argument("--full-disk", action="store_true", help="fill disks instead")
    args = parser.parse_args()
    if args.full_disk:
        print(fill(args.folder))
        return
    clips, out = args.folder / "clips", args.folder / "out"
    for folder in (clips, out):
        shutil.rmtree(folder, ignore_errors=True)
    for number in range(args.clips):
        path = clips / f"day {number % 3}" / f"clip {number:03}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number % 5:
            random_capture(6, number).save(path.with_suffix(".motion.npz"))
        else:
            shutil.copyfile(ROOT / "samples/walk_front.mp4", path.with_suffix(".mp4"))
    command = [sys.executable, str(ROOT / "batch.py"), str(clips), "--out", str(out), "--resume"]
    options = ["--pattern", "*", "--format", "bvh", "--end", "0.2", "--jobs", args.jobs]
    print(soak([*command, *options], out, args.clips, args.kills, args.every))


if __name__ == "__main__":
    main()
