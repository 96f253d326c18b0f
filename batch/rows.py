"""What a row of the journal may hold: a file that somebody gave away with its folder may say anything."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from ..core.errors import readable
from ..core.names import name_problem
from ..core.options import MOST_PEOPLE

#: types of columns; the others have text or nothing
_TYPES = {
    **dict.fromkeys(("name", "clip", "settings_hash", "state"), str),
    **dict.fromkeys(("attempts", "completions"), int),
    "frames": int | None,
    **dict.fromkeys(("started", "ended", "fps", "detected", "confidence", "memory"), float | None),
}
#: characters of the longest text that is written into a column
_LONGEST_TEXT = 1 << 12
#: name of a clip's folder in staging
_FOLDER_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
#: what follows the clip's name in the names of its files
_ENDING = re.compile(r"\.[A-Za-z0-9_.-]{1,40}")


def as_text(text: str) -> str:
    """A text as a column takes it."""
    return readable(text)[:_LONGEST_TEXT]


def as_number(value: float) -> float | None:
    """A number as a column takes it: a motion's may be infinite."""
    return value if math.isfinite(value) else None


def checked(row: dict[str, Any]) -> dict[str, Any]:
    """The values of a row by column, with JSON read, if they are what a batch writes.

    Raises
    ------
    ValueError, RecursionError
        If they aren't.
    """
    for column, value in row.items():
        if not isinstance(value, _TYPES.get(column, str | None)):
            raise ValueError(f"a value of '{column}' is of another type")
        if isinstance(value, int | float) and not 0 <= value < math.inf:
            raise ValueError(f"a value of '{column}' is {value}")
    if problem := name_problem(row["name"]):
        raise ValueError(f"a name {problem}")
    stem = row["name"].rpartition("/")[2]
    return row | {
        "warnings": _warnings(json.loads(row["warnings"] or "[]")),
        "others": _others(json.loads(row["others"] or "[]")),
        "files": _files(json.loads(row["files"] or "{}"), stem),
        "staged": _staged(json.loads(row["staged"] or "null"), stem),
    }


def _warnings(told: Any) -> tuple[str, ...]:
    if not isinstance(told, list) or not all(isinstance(warning, str) for warning in told):
        raise ValueError("the warnings of a clip aren't a list of texts")
    return tuple(told)


def _others(told: Any) -> list[dict[str, Any]]:
    """What is said of a clip's further people, checked."""
    if not isinstance(told, list) or len(told) >= MOST_PEOPLE:
        raise ValueError("the people of a clip are no list")
    for one in told:
        if not isinstance(one, dict) or one.keys() != {"detected", "confidence", "strip", "warnings"}:
            raise ValueError("a person of a clip is told in another way")
        for share in (one["detected"], one["confidence"]):
            if share is not None and not (type(share) in (int, float) and 0 <= share < math.inf):
                raise ValueError("a share of a person is no number")
        if not isinstance(one["strip"], str):
            raise ValueError("a strip of a person is no text")
    return [one | {"warnings": _warnings(one["warnings"])} for one in told]


def _files(told: Any, stem: str) -> dict[str, int]:
    """The sizes of a clip's files by name, checked: they are plain names that begin with the clip's."""
    if not isinstance(told, dict):
        raise ValueError("the files of a clip aren't named")
    for file, size in told.items():
        if not (file.startswith(stem) and _ENDING.fullmatch(file, len(stem))):
            raise ValueError("a file's name isn't one of its clip's")
        if type(size) is not int or size < 0:
            raise ValueError("a file's size is no number")
    return told


def _staged(told: Any, stem: str) -> dict[str, Any] | None:
    """The files and their folder in staging, checked: a plain name."""
    if told is None:
        return None
    if not isinstance(told, dict) or told.keys() != {"folder", "files"}:
        raise ValueError("what is staged is told in another way")
    folder = told["folder"]
    if not isinstance(folder, str) or not _FOLDER_NAME.fullmatch(folder):
        raise ValueError("a folder in staging has a path for a name")
    return {"folder": folder, "files": _files(told["files"], stem)}
