"""The extension's manifest, and the zip that Blender's own tool builds from it and Blender installs."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


def toml(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def extension_tool() -> Path:
    spec = importlib.util.find_spec("bpy")
    assert spec is not None and spec.origin is not None
    (tool,) = Path(spec.origin).parent.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py")
    return tool


def run(*command: str | Path, **environment: str) -> str:
    result = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def extension_zip(extension_tool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zip")
    run(extension_tool, "build", "--source-dir", ROOT, "--output-dir", folder)
    return folder / f"kinelift-{toml('blender_manifest.toml')['version']}.zip"


def test_one_version_and_licence() -> None:
    manifest, project = toml("blender_manifest.toml"), toml("pyproject.toml")["project"]
    assert manifest["version"] == project["version"]
    assert manifest["license"] == ["SPDX:" + project["license"]]
    assert f"## {manifest['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_blender_accepts_the_zip(extension_tool: Path, extension_zip: Path) -> None:
    run(extension_tool, "validate", extension_zip)


@pytest.mark.slow
def test_the_zip_carries_the_extension_and_nothing_else(extension_zip: Path) -> None:
    names = zipfile.ZipFile(extension_zip).namelist()
    for package in ("batch", "core", "inference", "rig", "state", "operators", "ui"):
        for path in (ROOT / package).rglob("*.py"):
            assert path.relative_to(ROOT).as_posix() in names
    for needed in (
        "__init__.py",
        "registration.py",
        "kinelift.py",
        "batch.py",
        "LICENSE",
        "NOTICE",
        "inference/models/LICENSE",
        "inference/models/pose_landmarker_full.task",
        "inference/models/pose_landmarker_heavy.task",
        "inference/weights/pose.safetensors",
        "core/contacts.npz",
    ):
        assert needed in names
    development = {"bench", "docs", "out", "runs", "samples", "scripts", "tests", "training", "Makefile"}
    for name in names:
        parts = Path(name).parts
        assert parts[0] not in development, name
        assert not any(part.startswith(".") or part == "__pycache__" for part in parts), name


@pytest.mark.slow
def test_blender_installs_and_enables_it(extension_zip: Path, tmp_path: Path) -> None:
    script = tmp_path / "install.py"
    script.write_text(
        "import os, sys\n"
        "import bpy\n"
        "bpy.ops.extensions.package_install_files(\n"
        f"    filepath={str(extension_zip)!r}, repo='user_default', enable_on_install=True)\n"
        "print('enabled:', 'bl_ext.user_default.kinelift' in bpy.context.preferences.addons)\n"
        "sys.stdout.flush()\n"
        "os._exit(0)\n",  # bpy 4.5 would hang at the end
        encoding="utf-8",
    )
    assert "enabled: True" in run(script, BLENDER_USER_RESOURCES=str(tmp_path / "resources"))
