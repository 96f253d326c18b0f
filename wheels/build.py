"""The zips that artists install, built with Blender's own extension tool."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

from kinelift.wheels.lock import PYTHONS, ROOT, fetch, pythons_of, read_lock


def build_light(folder: Path) -> Path:
    """Build the zip without wheels, for computers with a runtime; return its path."""
    return _build(ROOT, folder)


def build_full(platform: str, folder: Path) -> Path:
    """Build a platform's self-contained zip, the light one with wheels; return its path.

    Stops the program with one sentence where wheels are missing.
    """
    locked = read_lock()
    pythons = pythons_of(platform, locked)
    if not pythons:
        sys.exit(f"There is no zip for {platform}: wheels/lock.toml lacks wheels for it.")
    wheels = [w for w in locked if platform in w.platforms and set(pythons) & set(w.pythons)]
    paths = fetch(wheels)
    with tempfile.TemporaryDirectory() as temporary:
        light = build_light(Path(temporary))
        source = Path(temporary) / "source"
        with zipfile.ZipFile(light) as archive:
            archive.extractall(source)
        for path in paths:
            (source / "wheels" / path.name).symlink_to(path)
        manifest = source / "blender_manifest.toml"
        # before the first table
        top, mark, tables = manifest.read_text(encoding="utf-8").partition("\n[")
        top += f"\nplatforms = {json.dumps([platform])}"
        if last := PYTHONS[pythons[-1]]:
            top += f'\nblender_version_max = "{last}"'
        top += f"\nwheels = {json.dumps(['./wheels/' + path.name for path in paths], indent=2)}\n"
        manifest.write_text(top + mark + tables, encoding="utf-8")
        return _build(source, folder)


def extension_tool() -> Path:
    """Blender's own extension tool, of the installed bpy."""
    spec = importlib.util.find_spec("bpy")
    assert spec is not None and spec.origin is not None
    (tool,) = Path(spec.origin).parent.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py")
    return tool


def _build(source: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    manifest = tomllib.loads((source / "blender_manifest.toml").read_text(encoding="utf-8"))
    name = "-".join([manifest["id"], manifest["version"], *manifest.get("platforms", ())])
    path = folder / f"{name}.zip"
    for command in (
        ["build", "--source-dir", str(source), "--output-filepath", str(path)],
        ["validate", str(path)],
    ):
        result = subprocess.run(
            [sys.executable, str(extension_tool()), *command], capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            sys.exit(f"Blender's extension tool refuses: {(result.stdout + result.stderr).strip()}")
    return path
