"""Damaged and hostile files give one sentence or a sound result, and touch nothing outside the output folder.

Hours of it by hand: ``python -m tests.fuzz KIND --count N --seed S``.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .cases import place, run_case, use
from .targets import TARGETS

#: files with which something went wrong once, in a folder for each kind
_CASES = sorted((Path(__file__).parent / "cases").glob("*/*"))
#: how many new cases of each kind a run tries: together about 30 s
_COUNTS = {
    "captures": 120,
    "captures-in-full": 8,
    "bvh": 120,
    "presets": 120,
    "characters": 120,
    "lists": 80,
    "journals": 40,
    "videos": 6,
}


@pytest.mark.parametrize("path", _CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_went_wrong_once(path: Path) -> None:
    with place() as here:
        given = here.files / path.name.split("-", 2)[-1]
        shutil.copyfile(path, given)
        for name in ("a.mp4", "b.mp4", "sound.json"):
            sound = Path(__file__).resolve().parents[2] / "rig/presets/mixamo.json"
            shutil.copyfile(sound, here.files / name)
        how, what = use(TARGETS[path.parent.name], given, here)
    assert how in ("sound", "refused"), what


@pytest.mark.slow
@pytest.mark.parametrize("kind", TARGETS)
def test_new_ones(kind: str) -> None:
    seed = 1
    wrong = {}
    for number in range(_COUNTS[kind]):
        how, what = run_case(kind, seed, number)
        if how not in ("sound", "refused"):
            wrong[f"{kind}, seed {seed}, case {number}"] = f"{how}: {what}"
    assert not wrong
