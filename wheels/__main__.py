"""The command line: ``python -m wheels lock``, ``fetch`` and ``build``."""

from __future__ import annotations

import argparse
from pathlib import Path

from kinelift.wheels.build import build_full, build_light
from kinelift.wheels.lock import PLATFORMS, PYTHONS, ROOT, fetch, pythons_of, read_lock, write_lock

_LIGHT = "light"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m wheels", description="Wheels, and the extension's zips.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("lock", help="ask pip anew which wheels there are, and write lock.toml")
    get = commands.add_parser("fetch", help="fetch wheels into the cache and check their hashes")
    get.add_argument("platform", nargs="+", choices=PLATFORMS)
    build = commands.add_parser("build", help="build zips; wheels are fetched as needed")
    build.add_argument("zip", nargs="+", choices=(_LIGHT, *PLATFORMS))
    build.add_argument("--out", type=Path, default=ROOT / "out", metavar="DIR", help="default: out")
    args = parser.parse_args()
    if args.command == "lock":
        write_lock()
    elif args.command == "fetch":
        wheels = [wheel for wheel in read_lock() if set(wheel.platforms) & set(args.platform)]
        size = sum(path.stat().st_size for path in fetch(wheels))
        print(f"{len(wheels)} wheels, {_megabytes(size)}")
    else:
        for what in args.zip:
            path = build_light(args.out) if what == _LIGHT else build_full(what, args.out)
            print(f"{path.name}  {_megabytes(path.stat().st_size)}{_missing(what)}")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _missing(what: str) -> str:
    if what == _LIGHT:
        return ""
    there = pythons_of(what, read_lock())
    lacking = [python for python in PYTHONS if python not in there]
    return f"  (not for Python {', '.join(lacking)}: no such wheels of torch for the CPU)" if lacking else ""


if __name__ == "__main__":
    main()
