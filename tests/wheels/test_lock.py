"""The lock names what every platform's zip carries; what is fetched is what was locked."""

from __future__ import annotations

import hashlib
import re
import tomllib
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from kinelift.core.runtime import RUNTIME_MODULES
from kinelift.wheels import lock
from kinelift.wheels.lock import LOCK, PLATFORMS, PYTHONS, Wheel, fetch, pythons_of, read_lock

PROJECT = tomllib.loads((LOCK.parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_pins_are_the_projects() -> None:
    locked = {(wheel.name, wheel.version.partition("+")[0]) for wheel in read_lock()}
    for pin in PROJECT["dependencies"]:
        name, version = pin.split("==")
        assert ((name, version) in locked) == (name != "numpy"), name


def test_every_platform_can_be_built_for_the_blenders_that_have_torch() -> None:
    wheels = read_lock()
    assert {platform: pythons_of(platform, wheels) for platform in PLATFORMS} == {
        "linux-x64": ("3.11",),  # no torch for the CPU alone and Python 3.13 is to be had
        "windows-x64": ("3.11", "3.13"),
        "macos-arm64": ("3.11", "3.13"),
    }


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_nothing_twice(platform: str, python: str) -> None:
    names = Counter(w.name for w in read_lock() if platform in w.platforms and python in w.pythons)
    assert names and set(names.values()) == {1}
    # two OpenCV packages in one folder corrupt each other
    assert [name for name in names if name.startswith("opencv")] == ["opencv-contrib-python"]


def test_files_fit_where_they_go() -> None:
    for wheel in read_lock():
        python, abi, platform = wheel.file.removesuffix(".whl").split("-")[-3:]
        if python.startswith("cp") and abi != "abi3":
            assert [python] == ["cp" + p.replace(".", "") for p in wheel.pythons], wheel.file
        if platform != "any":
            (name,) = wheel.platforms
            assert {"linux-x64": "linux", "windows-x64": "win_amd64", "macos-arm64": "macosx"}[
                name
            ] in platform


def test_no_addresses() -> None:
    text = LOCK.read_text(encoding="utf-8")
    assert not re.search(r"https?:|/|\borg\b", text)
    assert re.fullmatch(r"[0-9a-f]{64}", read_lock()[0].sha256)


def test_the_lock_serves_the_modules_the_worker_needs() -> None:
    names = {wheel.name for wheel in read_lock()} | {"numpy"}
    package = {"cv2": "opencv-contrib-python"}
    assert {package.get(module, module) for module in RUNTIME_MODULES} <= names


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel of our own that pip finds in a folder; the cache is empty."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    path = shelf / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny.py", "")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr(
            "tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny-1.0.dist-info/RECORD", "tiny.py,,\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    monkeypatch.setattr(lock, "CACHE", tmp_path / "cache")
    return path


def entry(file: str, sha256: str) -> Wheel:
    return Wheel("tiny", "1.0", file, sha256, list(PLATFORMS), list(PYTHONS))


def test_fetch_fetches_and_mends_the_cache(tiny: Path) -> None:
    wheel = entry(tiny.name, hashlib.sha256(tiny.read_bytes()).hexdigest())
    (path,) = fetch([wheel])
    assert path.read_bytes() == tiny.read_bytes()
    path.write_bytes(b"cut off")
    assert fetch([wheel]) == [path]
    assert path.read_bytes() == tiny.read_bytes()
    tiny.unlink()
    assert fetch([wheel]) == [path]  # from the cache


def test_fetch_refuses_another_file(tiny: Path) -> None:
    with pytest.raises(SystemExit, match="isn't the one that was locked"):
        fetch([entry(tiny.name, "0" * 64)])
    assert not list(lock.CACHE.iterdir())


def test_fetch_says_what_is_not_there(tiny: Path) -> None:
    tiny.unlink()
    with pytest.raises(SystemExit, match=r"can't fetch tiny-1\.0-.*: .*No matching distribution"):
        fetch([entry(tiny.name, "0" * 64)])
