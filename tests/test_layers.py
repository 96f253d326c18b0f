"""Imports go one way, and each layer runs where it has to: rig in Blender's Python, inference outside it."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: which of the project's packages each package may import
ALLOWED = {
    "inference": {"inference"},
    "rig": {"rig", "inference"},
    "operators": {"operators", "rig", "inference"},
    "ui": {"ui", "operators", "rig", "inference"},
    "training": {"training", "inference"},
    "bench": {"bench", "rig", "inference"},
}
#: Blender's Python has only numpy: these stay in the worker
WORKER_ONLY = {"torch", "cv2", "mediapipe", "safetensors"}
BLENDER = {"bpy", "bpy_extras", "mathutils", "bmesh", "gpu"}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> set[tuple[str, ...]]:
    """Modules that a file imports anywhere in it; those of the project begin with its package's name."""
    here = path.relative_to(ROOT).with_suffix("").parts
    found: set[tuple[str, ...]] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {tuple(alias.name.split(".")) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            found |= {(*module, alias.name) for alias in node.names}
    return {name[1:] if name[0] == "kinelift" else name for name in found}


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_go_one_way(package: str) -> None:
    for path in sources(package):
        used = {name[0] for name in imports(path)} & {*ALLOWED, "batch", "tests"}
        assert used <= ALLOWED[package], f"{path} imports {used - ALLOWED[package]}"


def test_inference_knows_no_blender() -> None:
    for path in sources("inference"):
        used = {name[0] for name in imports(path)} & BLENDER
        assert not used, f"{path} imports {used}"


@pytest.mark.parametrize("package", ["rig", "operators", "ui"])
def test_what_blender_runs_needs_no_worker_packages(package: str) -> None:
    for path in [*sources(package), ROOT / "__init__.py"]:
        used = {name[0] for name in imports(path)} & WORKER_ONLY
        assert not used, f"{path} imports {used}"


def test_inside_the_packages_imports_are_relative() -> None:
    # the extension is called bl_ext.<repository>.kinelift in Blender: an absolute import would not be found
    for package in ("inference", "rig", "operators", "ui"):
        for path in sources(package):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.level == 0:
                    names = [node.module or ""]
                else:
                    continue
                for name in names:
                    assert name.split(".")[0] not in {*ALLOWED, "kinelift"}, f"{path} imports {name}"


def test_one_module_knows_blenders_versions() -> None:
    askers = {
        str(path.relative_to(ROOT))
        for package in ("rig", "operators", "ui", "inference")
        for path in sources(package)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in {"version", "version_string"}
        and ast.unparse(node.value).endswith("app")
    }
    assert askers <= {"rig/action.py"}


def run_python(code: str) -> None:
    """Run `code` in a Python of its own, with `load()` at hand, which makes the package `kinelift`."""
    bootstrap = f"""
        import importlib.util, sys, os
        def load():
            spec = importlib.util.spec_from_file_location(
                "kinelift", {str(ROOT / "__init__.py")!r}, submodule_search_locations=[{str(ROOT)!r}])
            sys.modules["kinelift"] = package = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(package)
            return package
    """
    leave = "sys.stdout.flush(); os._exit(0)"  # bpy 4.5 would hang at the end
    script = "\n".join([textwrap.dedent(bootstrap), textwrap.dedent(code), leave])
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr


def test_rig_imports_where_only_numpy_is_installed() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sources("rig")
    ]
    assert len(modules) > 1
    run_python(
        f"""
        import importlib
        for name in {sorted(WORKER_ONLY)}:
            sys.modules[name] = None
        load()
        for module in {modules}:
            importlib.import_module("kinelift." + module)
        """
    )


def test_register_is_light_and_unregister_undoes_it() -> None:
    run_python(
        f"""
        package = load()
        for _ in range(2):
            package.register()
            package.unregister()
        heavy = {sorted(WORKER_ONLY)}
        assert not [name for name in heavy if name in sys.modules]
        """
    )
