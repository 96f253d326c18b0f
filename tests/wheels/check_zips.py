"""The zips in Blenders that have nothing else: the full one captures, the light one says what it lacks.

Run by `make test-zip`.

Each Blender is the bpy module in a bare Python with what Blender itself carries; the artist's folder is new,
and its path has spaces and letters that aren't ASCII.
"""

from __future__ import annotations

import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kinelift.core.capture import Capture
from kinelift.core.runtime import RUNTIME_MODULES
from kinelift.wheels.lock import PLATFORMS, pythons_of, read_lock

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLE = ROOT / "samples" / "walk_front.mp4"
#: numpy of the Blenders
NUMPY = {"4.2": "1.24.3", "4.5": "1.26.4", "5.0": "1.26.4"}
BPY = {path.name.removeprefix("bpy-"): path for path in (ROOT / ".cache").glob("bpy-*")}

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="the zip for linux-x64 is tried"
)


def test_every_supported_blender_is_here() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)
    (newest,) = project["dependency-groups"]["blender"]
    assert set(BPY) >= {newest.removeprefix("bpy=="), *project["tool"]["kinelift"]["other-blenders"]}


def built(ending: str) -> Path:
    """A zip that was built before."""
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    return ROOT / "out" / f"kinelift-{manifest['version']}{ending}.zip"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """An artist's home; what Blender unpacks there is large and doesn't stay."""
    yield tmp_path
    subprocess.run(["chmod", "-R", "u+w", tmp_path], check=True)
    shutil.rmtree(tmp_path)


def resources(home: Path) -> Path:
    return home / "Künstlerin Ødegård 作品"


def bare_python(version: str) -> Path:
    """A Python that has Blender and what it carries; kept."""
    folder = ROOT / ".cache" / f"bare-{version}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        carried = [f"numpy=={NUMPY[version.rpartition('.')[0]]}", "requests", "zstandard"]
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *carried]
        subprocess.run(pip, check=True)
        (packages,) = folder.glob("lib/python*/site-packages")
        (packages / "bpy").symlink_to(BPY[version] / "bpy")
        (folder / "ready").touch()
    return python


def in_blender(version: str, home: Path, code: str) -> dict[str, object]:
    """Run code in a Blender; it leaves what is to be known in `answer`."""
    script = home / "script.py"
    end = "print('answer:' + json.dumps(answer)); sys.stdout.flush(); os._exit(0)"
    script.write_text("\n".join(["import json, os, sys", textwrap.dedent(code), end]), encoding="utf-8")
    result = subprocess.run(
        [bare_python(version), "-I", script],
        env={
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "BLENDER_USER_RESOURCES": str(resources(home)),
        },
        cwd=home,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    answers = [line for line in result.stdout.splitlines() if line.startswith("answer:")]
    assert result.returncode == 0 and answers, result.stdout[-3000:] + result.stderr[-3000:]
    answer: dict[str, object] = json.loads(answers[0].removeprefix("answer:"))
    return answer


def files(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize("version", sorted(BPY))
def test_it_captures_with_its_own_wheels_alone(version: str, home: Path) -> None:
    installed = in_blender(
        version,
        home,
        f"""
        import bpy, importlib.util
        before = importlib.util.find_spec("torch"), importlib.util.find_spec("cv2")
        bpy.ops.extensions.package_install_files(
            filepath={str(built("-linux-x64"))!r}, repo="user_default", enable_on_install=True)
        answer = {{
            "empty": before == (None, None),
            "enabled": "bl_ext.user_default.kinelift" in bpy.context.preferences.addons,
            "torch": importlib.util.find_spec("torch").origin,
            "numpy": importlib.util.find_spec("numpy").origin,
        }}
        """,
    )
    assert installed["empty"] and installed["enabled"]
    assert str(installed["torch"]).startswith(str(resources(home)))
    assert not str(installed["numpy"]).startswith(str(resources(home)))  # Blender's own stays in place
    extension = resources(home) / "extensions" / "user_default" / "kinelift"
    as_installed = files(extension)
    # a studio's folder may be read-only (root doesn't notice: then the comparison below tells)
    for path in [extension, *extension.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)

    out = home / "Aufnahmen für später"
    captured = in_blender(
        version,
        home,
        f"""
        import bpy
        # the module bpy starts with factory settings
        bpy.ops.preferences.addon_enable(module="bl_ext.user_default.kinelift")
        from bl_ext.user_default.kinelift.batch.command import command
        from bl_ext.user_default.kinelift.state.runtime import state
        bpy.ops.kinelift.test_runtime()
        answer = {{"about": state.about, "status": command([{str(SAMPLE)!r}, "--out", {str(out)!r}])}}
        """,
    )
    assert captured["status"] == 0
    about = captured["about"]
    assert isinstance(about, dict)
    assert about["executable"] == str(bare_python(version))
    assert about["torch"] == "2.13.0+cpu"
    names = {path.name.removeprefix(SAMPLE.stem) for path in out.iterdir()}
    assert names >= {".blend", ".bvh", ".fbx", ".glb", ".png", ".motion.npz", ".summary.json"}
    motion = Capture.load(out / f"{SAMPLE.stem}.motion.npz")
    summary = json.loads((out / f"{SAMPLE.stem}.summary.json").read_text(encoding="utf-8"))
    assert len(motion) == summary["frames"] > 30 and summary["detected"] > 0.95
    assert files(extension) == as_installed


@pytest.mark.parametrize("version", sorted(BPY)[-1:])
def test_the_light_zip_says_what_it_lacks(version: str, home: Path) -> None:
    answer = in_blender(
        version,
        home,
        f"""
        import bpy, contextlib, io
        bpy.ops.extensions.package_install_files(
            filepath={str(built(""))!r}, repo="user_default", enable_on_install=True)
        from bl_ext.user_default.kinelift.batch.command import command

        def said(call):
            words = io.StringIO()
            with contextlib.redirect_stderr(words):
                try:
                    print(call(), file=words)
                except RuntimeError as error:
                    print(error, file=words)
            return words.getvalue().strip()

        bpy.context.scene.kinelift.video = {str(SAMPLE)!r}
        answer = {{
            "command": said(lambda: command([{str(SAMPLE)!r}, "--out", {str(home / "out")!r}])),
            "capture": said(bpy.ops.kinelift.capture),
            "test": said(bpy.ops.kinelift.test_runtime),
            "install": said(bpy.ops.kinelift.install_runtime),
        }}
        """,
    )
    lacks = "lacks av, cv2, mediapipe, safetensors, torch: take the Kinelift zip that brings them, or install"
    for asked in ("command", "capture", "test"):
        assert lacks in str(answer[asked]), answer
    assert str(answer["command"]).endswith("\n1") and str(answer["command"]).count("\n") == 1
    assert "Allow Online Access" in str(answer["install"])


#: what those wheels name for one platform alone, and a capture doesn't import: checked by hand
NOT_IMPORTED = {"colorama"}
ZIPS = sorted((ROOT / "out").glob("kinelift-*-*.zip"))


@pytest.mark.parametrize("path", ZIPS, ids=lambda path: path.stem)
def test_a_zip_holds_what_its_platform_needs(path: Path) -> None:
    manifest_file, wheels = "blender_manifest.toml", {}
    with zipfile.ZipFile(path) as archive:
        manifest = tomllib.loads(archive.read(manifest_file).decode())
        held = [name for name in archive.namelist() if name.endswith(".whl")]
        for name in held:
            wheels[name] = zipfile.ZipFile(io.BytesIO(archive.read(name)))
    (platform_name,) = manifest["platforms"]
    locked = [wheel for wheel in read_lock() if platform_name in wheel.platforms]
    pythons = set(pythons_of(platform_name, read_lock()))
    assert sorted(manifest["wheels"]) == sorted(f"./{name}" for name in held)
    assert {Path(name).name for name in held} == {w.file for w in locked if pythons & set(w.pythons)}
    for python in pythons:
        version = python.replace(".", "")
        mine = {
            name: wheel for name, wheel in wheels.items() if fits(Path(name).name, version, platform_name)
        }
        files = [
            file for wheel in mine.values() for file in wheel.namelist() if not file.endswith("/")
        ]  # of two wheels that bring the same file, one would be overwritten
        assert len(files) == len(set(files))
        brought = {file.split("/")[0].removesuffix(".py") for file in files}
        assert {module for module in RUNTIME_MODULES if module != "numpy"} <= brought
        names = {w.name for w in locked if python in w.pythons} | {"numpy"}
        assert names == {w.name for w in read_lock() if "linux-x64" in w.platforms} | {"numpy"}
        for name, wheel in mine.items():
            (metadata,) = (f for f in wheel.namelist() if f.endswith(".dist-info/METADATA"))
            for line in wheel.read(metadata).decode().splitlines():
                requirement, _, condition = line.removeprefix("Requires-Dist:").partition(";")
                if line.startswith("Requires-Dist:") and re.search("win32|Windows|darwin|Darwin", condition):
                    needed = re.split(r"[^\w.-]", requirement.strip())[0].lower().replace("_", "-")
                    assert needed in names | NOT_IMPORTED or "extra" in condition, (name, line)


def fits(file: str, version: str, platform_name: str) -> bool:
    """Whether a Python of Blender takes a wheel, which must be one for the platform."""
    python, abi, tags = file.removesuffix(".whl").split("-")[-3:]
    runs = ["any", *PLATFORMS[platform_name]]
    macs = [re.fullmatch(r"macosx_(\d+)_\d+_(arm64|universal2)", tag) for tag in tags.split(".")]
    mac = platform_name == "macos-arm64" and any(int(tag[1]) <= 14 for tag in macs if tag)
    assert mac or set(tags.split(".")) & set(runs), f"{file} doesn't run on {platform_name}"
    return python in {f"cp{version}", "py3", "py2.py3"} or abi == "abi3"
