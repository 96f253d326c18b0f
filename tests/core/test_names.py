"""Safe names stay inside their folder and mean one file on every system."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from kinelift.core.names import name_problem, normalised, safe_name, same_file_key

SAFE = [
    "walk",
    "day 1/walk",
    "Übung ダンス",
    "a.chart",
    "walk-2 (take 3)",
    "con crete",
    "x" * 200,
    "naïve/été",
    "a~b",
]
UNSAFE = [
    "", ".", "..", "/etc/x", "a//b", "a/", "../up", "a/../../up", ".kinelift/journal", "a/.hidden",
    "..\\up", "C:/x", "C:x", "\\\\host\\share", "CON", "con.txt", "a/NUL", "com1", "COM¹", "lpt9.x",
    "CONIN$", "name.", "name ", " name", "a /b", "nul\0", "tab\tbed", "line\nbreak", "a|b", "what?",
    "star*", 'quo"te', "<a>", "\udcff", "x" * 201, "é" * 101, "a/" * 501 + "a", "rtl\u202efdp",
]  # fmt: skip


@pytest.mark.parametrize("name", SAFE)
def test_names_that_artists_give_are_safe(name: str, tmp_path: Path) -> None:
    assert name_problem(name) == ""
    path = tmp_path / (name + ".side-by-side.mp4")
    path.parent.mkdir(exist_ok=True)
    path.touch()
    assert path.resolve().is_relative_to(tmp_path.resolve())


@pytest.mark.parametrize("name", UNSAFE)
def test_other_names_are_refused_with_a_reason(name: str) -> None:
    problem = name_problem(name)
    assert problem and "\n" not in problem and problem.isprintable()


def test_one_name_in_two_unicode_forms_or_cases_is_one_file() -> None:
    composed, decomposed = (unicodedata.normalize(form, "Café") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert normalised(composed) == normalised(decomposed) == composed
    assert len({same_file_key(name) for name in (composed, decomposed, "CAFÉ", "café")}) == 1
    assert same_file_key("straße") == same_file_key("STRASSE")
    assert same_file_key("a") != same_file_key("b")


@pytest.mark.parametrize("name", [*SAFE, *UNSAFE])
def test_every_file_has_a_safe_name_near_its_own(name: str) -> None:
    safe = safe_name(name)
    assert name_problem(safe) == "" or len(safe) > 1000
    assert safe_name(safe) == safe
    assert (safe == normalised(name)) == (name_problem(name) == "" or len(safe) > 1000)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("take 1:2", "take 1_2"),
        ("CON", "_CON"),
        ("day 1/walk ", "day 1/walk_"),
        ("Jos\udce9", "Jos_"),
        ("line\nbreak", "line_break"),
        ("ダ" * 80, "ダ" * 66),
    ],
)
def test_what_is_forbidden_becomes_an_underscore(name: str, safe: str) -> None:
    assert safe_name(name) == safe
