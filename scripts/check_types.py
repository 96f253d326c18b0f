"""Check the types of the whole project in one run, under the one name that every module has: ``kinelift.…``.

mypy names modules after their folders, and the checkout's folder may be called anything; here each file is
given its name.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mypy import build, main

ROOT = Path(__file__).resolve().parent.parent
#: rooms whose types are checked, and single files
CHECKED = (
    "core",
    "inference",
    "batch",
    "rig",
    "state",
    "operators",
    "ui",
    "training",
    "bench",
    "wheels",
    "registration.py",
)


def sources() -> list[build.BuildSource]:
    """Every file that is checked, with the name of its module."""
    files = [ROOT / "__init__.py"]
    for checked in CHECKED:
        path = ROOT / checked
        files += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    found = []
    for file in files:
        parts = ("kinelift", *file.relative_to(ROOT).with_suffix("").parts)
        found.append(build.BuildSource(str(file), ".".join(parts).removesuffix(".__init__")))
    return found


if __name__ == "__main__":
    _, options = main.process_options(["--config-file", str(ROOT / "pyproject.toml"), "-c", "pass"])
    try:
        errors = build.build(sources(), options).errors
    except build.CompileError as error:
        errors = error.messages
    print("\n".join(errors) or "The types are right.")
    sys.exit(bool(errors))
