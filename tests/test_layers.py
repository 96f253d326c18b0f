"""What each room of the project may import, and that every module has one name."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.any_blender

ROOT = Path(__file__).resolve().parent.parent

BLENDER = {"bpy", "bpy_extras", "mathutils", "idprop", "addon_utils", "blf", "_cycles"}
WORKER = {"av", "cv2", "mediapipe", "safetensors", "torch"}
#: by room: the rooms, and the packages besides Python's own, that its files may import
MAY_IMPORT: dict[str, tuple[set[str], set[str]]] = {
    "core": (set(), {"numpy"}),
    "inference": ({"core"}, {"numpy", *WORKER}),
    "batch": ({"core"}, {"distributed", "rich"}),
    "rig": ({"core"}, {"numpy", *BLENDER}),
    "state": ({"core"}, BLENDER),
    "operators": ({"core", "rig", "state"}, BLENDER),
    "ui": ({"core", "rig", "state", "operators"}, BLENDER),
    "training": ({"core", "inference"}, {"numpy", "matplotlib", *WORKER}),
    "bench": (
        {"core", "inference", "batch", "rig"},
        {"numpy", "matplotlib", "distributed", *BLENDER, *WORKER},
    ),
    "wheels": (set(), set()),
}
#: the rooms that are in the zip
SHIPPED = ("core", "inference", "batch", "rig", "state", "operators", "ui")
#: joins rooms that know nothing of each other: `rig` builds the clips of a batch, Blender's command asks the
#: preferences, a benchmark presses the panel's buttons, and others show bodies that training draws
JOINTS = {
    "batch/build.py": {"rig"},
    "batch/command.py": {"state"},
    "bench/panel.py": {"operators", "registration"},
    "bench/spread.py": {"training"},
    "bench/stage.py": {"training"},
}


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


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_what_it_may(room: str) -> None:
    rooms, packages = MAY_IMPORT[room]
    for path in sources(room):
        joined = JOINTS.get(path.relative_to(ROOT).as_posix(), set())
        bpy = {"bpy"} if joined else set()
        allowed = {room, *rooms, *packages, *joined, *bpy} | sys.stdlib_module_names
        used = {name[0] for name in imports(path)}
        assert used <= allowed, f"{path} imports {used - allowed}"


def test_imports_name_a_module_as_everything_else_does() -> None:
    # Blender calls the extension by a name of its own, so what is shipped finds its neighbours relatively.
    # What a command line names (`python -m training`) is in no package then, and needs the whole name
    for room in MAY_IMPORT:
        for path in sources(room):
            shipped = room in SHIPPED and path.relative_to(ROOT).as_posix() != "inference/__main__.py"
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    assert shipped or not node.level, f"{path} imports relatively"
                    names = [] if node.level else [node.module or ""]
                else:
                    continue
                for name in names:
                    assert name.split(".")[0] not in MAY_IMPORT, f"{path} imports {name}"
                    assert not (shipped and name.startswith("kinelift")), f"{path} imports {name}"


def test_one_module_knows_blenders_versions() -> None:
    def asks(node: ast.AST, room: str) -> bool:
        """Whether code asks for the version, or whether something of Blender's is there."""
        if isinstance(node, ast.Attribute) and node.attr in {"version", "version_string"}:
            return ast.unparse(node.value).endswith("app")
        return isinstance(node, ast.Name) and node.id == "hasattr" and "bpy" in MAY_IMPORT[room][1]

    askers = {
        path.relative_to(ROOT).as_posix()
        for room in SHIPPED
        for path in sources(room)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if asks(node, room)
    }
    assert askers == {"rig/versions.py"}


def run_python(code: str) -> None:
    """Run `code` in a Python of its own, which finds the checkout as `kinelift`."""
    bootstrap = f"import os, sys; sys.path.insert(0, {str(ROOT)!r})"
    leave = "sys.stdout.flush(); os._exit(0)"  # bpy 4.5 would hang at the end
    script = "\n".join([bootstrap, textwrap.dedent(code), leave])
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
        for name in {sorted(WORKER)}:
            sys.modules[name] = None
        for module in {modules}:
            importlib.import_module("kinelift." + module)
        """
    )


def test_register_is_light_and_unregister_undoes_it() -> None:
    run_python(
        f"""
        import kinelift
        for _ in range(2):
            kinelift.register()
            kinelift.unregister()
        heavy = {sorted(WORKER)}
        assert not [name for name in heavy if name in sys.modules]
        """
    )


@pytest.mark.slow
def test_every_module_has_one_name() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for room in MAY_IMPORT
        for path in sources(room)
        if path.name != "__main__.py"
    ]
    run_python(
        f"""
        import importlib
        from collections import Counter
        for module in {modules}:
            importlib.import_module("kinelift." + module)
        root = {str(ROOT)!r} + os.sep
        loaded = [getattr(module, "__file__", None) or "" for module in sys.modules.values()]
        files = Counter(file for file in loaded if file.startswith(root) and os.sep + ".venv" not in file)
        assert len(files) > 100
        twice = [file for file, names in files.items() if names > 1]
        assert not twice, twice
        """
    )
