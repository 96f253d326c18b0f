"""Fuzz Kinelift with thousands of damaged and hostile files: each gives one sentence or a sound result.

    python -m tests.fuzz captures --count 10000 [--seed N] [--first N]

A case is known by its kind, the seed and its number. What fails is kept in the folder given with --keep.
"""

from __future__ import annotations

import argparse
import collections
import os
import select
import shutil
import signal
import sys
import time
from pathlib import Path

from . import cases
from .targets import TARGETS

#: seconds after which a case counts as hanging
_HANG = 30.0


def main() -> int:
    """Run the cases of a kind in processes of their own; the exit status is 1 if any failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("kind", choices=tuple(TARGETS))
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the files of the cases that fail")
    args = parser.parse_args()
    counts: collections.Counter[str] = collections.Counter()
    number, last = args.first, args.first + args.count
    began = time.monotonic()
    while number < last:
        number = _some(args.kind, args.seed, number, last, counts, args.keep)
    print(f"{args.kind}, seed {args.seed}: {dict(counts)} in {time.monotonic() - began:.0f} s", flush=True)
    return 1 if counts.keys() - {"sound", "refused"} else 0


def _some(
    kind: str, seed: int, first: int, last: int, counts: collections.Counter[str], keep: Path | None
) -> int:
    """Run cases in a forked process until one of them crashes or hangs; the number of the next case."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.close(reading)
        _child(kind, seed, first, last, writing)
    os.close(writing)
    number = first
    with os.fdopen(reading, "rb", buffering=0) as told:
        text = b""
        while number < last:
            if not select.select([told], [], [], _HANG)[0]:
                os.kill(child, signal.SIGKILL)
                _failed(kind, seed, number, f"hangs for more than {_HANG:.0f} s", counts, "hung", keep)
                number += 1
                break
            piece = told.read(4096)
            if not piece:
                _failed(kind, seed, number, "ends the process", counts, "crashed", keep)
                number += 1
                break
            text += piece
            while b"\n" in text:
                line, _, text = text.partition(b"\n")
                how, _, what = line.decode().partition(" ")
                if how in ("sound", "refused"):
                    counts[how] += 1
                else:
                    _failed(kind, seed, number, what, counts, how, keep)
                number += 1
    os.waitpid(child, 0)
    return number


def _child(kind: str, seed: int, first: int, last: int, writing: int) -> None:
    silent = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silent, stream)  # native libraries have much to say about damaged files
    for number in range(first, last):
        how, what = cases.run_case(kind, seed, number)
        os.write(writing, f"{how} {what}".replace("\n", " | ").encode("utf-8", "replace") + b"\n")
    os._exit(0)


def _failed(
    kind: str,
    seed: int,
    number: int,
    what: str,
    counts: collections.Counter[str],
    how: str,
    keep: Path | None,
) -> None:
    counts[how] += 1
    print(f"{kind} seed {seed} case {number}: {how}: {what}", flush=True)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        with cases.place() as place:
            path = TARGETS[kind].make(place, cases.random_of(kind, seed, number))
            shutil.copyfile(path, keep / f"{seed}-{number}-{path.name}")


if __name__ == "__main__":
    sys.exit(main())
