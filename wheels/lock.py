"""The lock: the wheels of each platform and Python, by name, version and hash."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "wheels" / "lock.toml"
CACHE = ROOT / ".cache" / "wheels"

#: Blender's names of the platforms, and the wheel platforms that run there
PLATFORMS = {
    "linux-x64": (
        "manylinux_2_28_x86_64",
        "manylinux_2_27_x86_64",
        "manylinux_2_17_x86_64",
        "manylinux2014_x86_64",
    ),
    "windows-x64": ("win_amd64",),
    "macos-arm64": ("macosx_14_0_arm64",),
}
#: Pythons of the supported Blenders, each with the first Blender that no longer has it
PYTHONS = {"3.11": "5.1.0", "3.13": ""}
#: pinned packages that Blender has itself: 4.2 has numpy 1.24, 4.5 has 1.26, 5.1 has 2.3
_BLENDERS_OWN = ("numpy",)
#: Packages that the pinned ones import during a capture, not all that they require: sympy, networkx and the
#: like only serve torch's compiler, and Blender finds the wheels of extensions before its own packages.
#: matplotlib 3.11 and contourpy 1.3.3 don't run on the numpy of Blender 4.2.
_IMPORTED = (
    "cffi",
    "contourpy<1.3.3",
    "cycler",
    "fonttools",
    "kiwisolver",
    "matplotlib<3.11",
    "packaging",
    "pillow",
    "pyparsing",
    "python-dateutil",
    "sounddevice",
    "typing-extensions",
)


@dataclass(frozen=True)
class Wheel:
    """A file that pip can fetch.

    Attributes
    ----------
    name, version, file, sha256 : str
    platforms, pythons : list of str
        Where it runs: of `PLATFORMS`, of `PYTHONS`.
    """

    name: str
    version: str
    file: str
    sha256: str
    platforms: list[str]
    pythons: list[str]


def read_lock() -> list[Wheel]:
    """The locked wheels."""
    return [Wheel(**entry) for entry in tomllib.loads(LOCK.read_text(encoding="utf-8"))["wheel"]]


def pythons_of(platform: str, wheels: Sequence[Wheel]) -> tuple[str, ...]:
    """The Pythons for which a platform has every package."""
    names = {wheel.name for wheel in wheels}
    return tuple(
        python
        for python in PYTHONS
        if names == {w.name for w in wheels if platform in w.platforms and python in w.pythons}
    )


def write_lock() -> None:
    """Ask pip which wheels exist and write the lock; print what pip can't find."""
    found: dict[str, tuple[str, str, str, set[tuple[str, str]]]] = {}
    for platform in PLATFORMS:
        for python in PYTHONS:
            for requirement in _requirements(platform):
                try:
                    name, version, file, sha256 = _ask(requirement, platform, python)
                except LookupError:
                    print(f"{platform}, Python {python}: there is no wheel of {requirement}")
                    continue
                found.setdefault(file, (name, version, sha256, set()))[3].add((platform, python))
    lines = ["# Written by `python -m wheels lock`."]
    for file, (name, version, sha256, targets) in sorted(found.items(), key=lambda item: item[0].lower()):
        platforms = [p for p in PLATFORMS if any(p == target[0] for target in targets)]
        pythons = [p for p in PYTHONS if any(p == target[1] for target in targets)]
        lines += [
            "",
            "[[wheel]]",
            f'name = "{name}"',
            f'version = "{version}"',
            f'file = "{file}"',
            f'sha256 = "{sha256}"',
            f"platforms = {json.dumps(platforms)}",
            f"pythons = {json.dumps(pythons)}",
        ]
    LOCK.write_text("\n".join(lines) + "\n", encoding="utf-8")


def fetch(wheels: Sequence[Wheel]) -> list[Path]:
    """The wheels' files in the given order; pip fetches those not in the cache, and hashes are checked.

    Stops the program with one sentence if one can't be had or isn't what was locked.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    paths = []
    for wheel in wheels:
        path = CACHE / wheel.file
        if not (path.exists() and _sha256(path) == wheel.sha256):
            platform = [f"--platform={tag}" for name in wheel.platforms for tag in PLATFORMS[name]]
            with tempfile.TemporaryDirectory(dir=CACHE) as folder:
                said = _pip(
                    "download", "--dest", folder, *platform, f"--python-version={wheel.pythons[0]}",
                    f"{wheel.name}=={wheel.version}",
                )  # fmt: skip
                fetched = Path(folder) / wheel.file
                if not fetched.exists():
                    sys.exit(f"pip can't fetch {wheel.file}: {said}.{_cpu_hint(wheel)}")
                if _sha256(fetched) != wheel.sha256:
                    sys.exit(f"{wheel.file} isn't the one that was locked: its hash differs.")
                fetched.replace(path)
        paths.append(path)
    return paths


def _requirements(platform: str) -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = [pin for pin in project["dependencies"] if pin.partition("==")[0] not in _BLENDERS_OWN]
    # a plain Linux torch brings gigabytes of CUDA
    cpu = "+cpu" if platform == "linux-x64" else ""
    return [pin + cpu if pin.startswith("torch==") else pin for pin in pins] + list(_IMPORTED)


def _ask(requirement: str, platform: str, python: str) -> tuple[str, str, str, str]:
    """Name, version, file and hash of the wheels that pip would take; LookupError if it finds none."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        tags = [f"--platform={tag}" for tag in PLATFORMS[platform]]
        _pip(
            "install", "--dry-run", "--ignore-installed", "--target", folder, "--report", str(report), *tags,
            f"--python-version={python}", requirement,
        )  # fmt: skip
        if not report.exists():
            raise LookupError(requirement)
        (item,) = json.loads(report.read_text(encoding="utf-8"))["install"]
    source, metadata = item["download_info"], item["metadata"]
    file = source["url"].rpartition("/")[2].replace("%2B", "+")
    name = re.sub(r"[-_.]+", "-", metadata["name"]).lower()
    return name, metadata["version"], file, source["archive_info"]["hashes"]["sha256"]


def _pip(command: str, *arguments: str) -> str:
    """Run pip for wheels only, without dependencies; return the last line of its output."""
    result = subprocess.run(
        [sys.executable, "-m", "pip", command, "--quiet", "--no-deps", "--only-binary=:all:", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    return (result.stderr.strip().splitlines() or [""])[-1]


def _cpu_hint(wheel: Wheel) -> str:
    if not wheel.version.endswith("+cpu"):
        return ""
    return " torch's builds for the CPU alone lie on an index of their own: name it in pip's configuration."


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
