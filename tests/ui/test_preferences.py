"""The add-on's preferences, used by a script after the light zip was installed into an artist's folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from kinelift.wheels.build import build_light

# captures, detects or starts other programs
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The state after each step, from one Blender with the installed extension."""
    home = tmp_path_factory.mktemp("Künstler Ordner")
    code = f"""
        import json, os, sys
        from pathlib import Path
        import bpy
        home = Path({str(home)!r})
        answer = {{}}
        bpy.ops.extensions.package_install_files(
            filepath={str(build_light(home))!r}, repo="user_default", enable_on_install=True)
        name = "bl_ext.user_default.kinelift"
        preferences = bpy.context.preferences.addons[name].preferences
        from bl_ext.user_default.kinelift.state.runtime import state
        from bl_ext.user_default.kinelift.state.access import runtime_folder

        def attempt(operator):
            try:
                return sorted(operator())
            except RuntimeError as error:
                return str(error)

        answer["runtime"] = str(runtime_folder())
        answer["test"], answer["about"] = attempt(bpy.ops.kinelift.test_runtime), state.about
        preferences.device = "mps"
        answer["forgotten"] = state.about == {{}}
        attempt(bpy.ops.kinelift.test_runtime)
        answer["no device"], answer["no device about"] = state.problem, state.about
        preferences.device = "auto"
        answer["problem forgotten"] = state.problem == ""

        bpy.ops.wm.save_as_mainfile(filepath=str(home / "scene.blend"))
        preferences.python, preferences.cache_folder = "//bare/python", "//captures/"
        answer["python"], answer["cache"] = preferences.python, preferences.cache_folder
        answer["gone"] = attempt(bpy.ops.kinelift.test_runtime)
        preferences.python = ""

        captures = home / "captures"
        captures.mkdir()
        (captures / "a.motion.npz").touch()
        (captures / "novel.txt").touch()
        answer["clear"] = attempt(bpy.ops.kinelift.clear_cache)
        answer["left"] = sorted(path.name for path in captures.iterdir())
        answer["clear again"] = attempt(bpy.ops.kinelift.clear_cache)

        answer["offline"] = attempt(bpy.ops.kinelift.install_runtime)
        answer["remove nothing"] = attempt(bpy.ops.kinelift.remove_runtime)
        (runtime_folder() / "bin").mkdir(parents=True)
        answer["remove"] = attempt(bpy.ops.kinelift.remove_runtime)
        answer["removed"] = not runtime_folder().exists()
        print("answer:" + json.dumps(answer))
        sys.stdout.flush()
        os._exit(0)  # bpy 4.5 would hang at the end
        """
    script = home / "script.py"
    script.write_text(textwrap.dedent(code), encoding="utf-8")
    resources = home / "resources"
    environment = {name: value for name, value in os.environ.items() if name != "KINELIFT_PYTHON"}
    result = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**environment, "BLENDER_USER_RESOURCES": str(resources)},
    )
    said = [line for line in result.stdout.splitlines() if line.startswith("answer:")]
    assert said, result.stdout + result.stderr
    return {**json.loads(said[0].removeprefix("answer:")), "home": str(home)}


def test_the_runtime_is_tested(answer: dict[str, Any]) -> None:
    assert answer["test"] == ["FINISHED"]
    assert answer["about"]["executable"] == sys.executable and answer["about"]["devices"]["cpu"]


def test_a_choice_makes_the_last_test_void(answer: dict[str, Any]) -> None:
    assert answer["forgotten"] and answer["problem forgotten"]


@pytest.mark.skipif(sys.platform == "darwin", reason="there may be an MPS device")
def test_a_device_that_is_not_there_is_told(answer: dict[str, Any]) -> None:
    assert answer["no device"] == "There is no mps device on this computer; choose auto or cpu."
    assert answer["no device about"] == {}


def test_paths_do_not_depend_on_the_open_file(answer: dict[str, Any]) -> None:
    assert answer["python"] == str(Path(answer["home"], "bare", "python"))
    assert answer["cache"] == str(Path(answer["home"], "captures")) + os.sep
    assert f"There is no Python at {answer['python']}: correct" in answer["gone"]


def test_clear_deletes_captures_and_nothing_else(answer: dict[str, Any]) -> None:
    assert answer["clear"] == ["FINISHED"] and answer["left"] == ["novel.txt"]
    assert "There are no captured motions" in answer["clear again"]


def test_nothing_is_fetched_without_leave(answer: dict[str, Any]) -> None:
    assert "Allow Online Access" in answer["offline"]


def test_the_installed_runtime_can_be_removed(answer: dict[str, Any]) -> None:
    assert answer["runtime"].startswith(str(Path(answer["home"], "resources")))
    assert "nothing was installed from here" in answer["remove nothing"]
    assert answer["remove"] == ["FINISHED"] and answer["removed"]
