"""Make the checkout importable as the package `kinelift`, whatever its folder is called.

Blender loads the extension under a name of its own and never reads this file. Everything else that runs
Kinelift (the worker, a batch, tests, benchmarks, trainings) has this folder on its path: ``import kinelift``
finds this file, and this file puts the package in its place.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent
_spec = importlib.util.spec_from_file_location(
    "kinelift", _FOLDER / "__init__.py", submodule_search_locations=[str(_FOLDER)]
)
assert _spec is not None and _spec.loader is not None
sys.modules["kinelift"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sys.modules["kinelift"])
