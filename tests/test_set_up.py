"""The two commands: pins, quoting, and what is said where Python 3.11 is missing."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    # run by make itself, the suite's environment carries the outer make's flags
    outer = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "VIDEO", "OUT")
    clean = {name: value for name, value in os.environ.items() if name not in outer}
    return subprocess.run(
        [str(shutil.which("make")), "-C", str(ROOT), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**clean, **environment},
    )


@pytest.mark.parametrize(
    "name", ["it's a clip.mp4", 'the "best" $HOME.mp4', "Übung ダンス.mp4", "a;b & c#d.mp4"]
)
def test_any_file_name_reaches_the_capture(name: str, tmp_path: Path) -> None:
    said = tmp_path / "said"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{said}"\n', encoding="utf-8")
    python.chmod(0o755)
    # -o: take the set-up as done
    asked = make("-o", ".venv/ready", "capture", f"VIDEO={name}", f"OUT=out/{name}", f"PYTHON={python}")
    assert asked.returncode == 0, asked.stderr
    arguments = said.read_text(encoding="utf-8").splitlines()
    assert arguments[1] == name
    assert arguments[arguments.index("--out") + 1] == f"out/{name}"


def test_without_python_311_it_says_so_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "sh").symlink_to(str(shutil.which("sh")))
    # -W: as if the pins had just changed, so that the set-up is wanted
    asked = make("-W", "pyproject.toml", ".venv/ready", PATH=str(tmp_path))
    assert asked.returncode != 0
    assert asked.stderr.startswith("Kinelift needs Python 3.11")


def test_every_pin_is_exact_and_the_other_blenders_are_read_from_the_same_file() -> None:
    spec = importlib.util.spec_from_file_location("set_up", ROOT / "scripts/set_up.py")
    assert spec is not None and spec.loader is not None
    set_up = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(set_up)
    for requirement in set_up.requirements():
        assert "==" in requirement and "*" not in requirement
    tried = make("-n", "-o", ".venv/ready", "test-blenders").stdout
    for version in ("4.2.23", "4.5.15"):
        assert f'/.cache/bpy-{version}" .venv/bin/python -m pytest' in tried
