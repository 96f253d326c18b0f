"""Read lists of clips: text with a clip on each line, or a CSV with options for each clip."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.files import file_stem, split_character
from ..core.names import name_problem, normalised, safe_name
from ..core.option import options_of
from ..core.options import CleanUp, Outputs, RetargetSettings, Settings, problems_of
from .orders import Order, characters_of, input_problem

#: classes of the options that have columns of their own in a CSV
_OPTIONS = (Settings, CleanUp, RetargetSettings, Outputs)
#: all columns that a CSV may have; only ``clip`` has to be there
_COLUMNS = ("clip", "name", *(one.flag for cls in _OPTIONS for one in options_of(cls).values()), "retarget")
#: stands between the characters of several people in a cell; no file of Windows has it in its name
_BETWEEN = "|"
#: bytes of the largest list: a hundred thousand rows are smaller
_LARGEST = 16 << 20
#: characters of the longest cell
_LONGEST = 1000
#: a list isn't read further when more things than this are wrong
MANY_WRONG = 50
#: each row's number, from 1, its cells by column, and whether it has more cells than there are columns
_Rows = Iterable[tuple[int, dict[str, str], bool]]


def read_list(file: Path, common: Order, wrong: list[str]) -> Iterator[Order]:
    """Yield the clips of a list; add what is wrong with it to `wrong`, until there is more than `MANY_WRONG`.

    Parameters
    ----------
    file : Path
        Absolute. A CSV, by its ending, with the column ``clip`` and, optionally, ``name``, ``retarget`` and
        the options of a capture, a clean-up, a retarget and the outputs. Otherwise text with a clip on each
        line. Paths in it are relative to its folder.
    common : Order
        The options of the command line; they hold where a cell is empty.
    wrong : list of str
        Gets phrases such as "the list clips.csv needs one column 'clip'".
    """
    text = _text_of(file, wrong)
    rows = _csv_rows(text, file.name, wrong) if file.suffix.lower() == ".csv" else _text_rows(text)
    for number, row, surplus in rows:
        cells = {column: cell.strip() for column, cell in row.items()}
        if not any(cells.values()) and not surplus:
            continue
        if len(wrong) > MANY_WRONG:
            return
        problems = [
            f"has more than {_LONGEST} characters in the column {column}"
            for column, cell in cells.items()
            if len(cell) > _LONGEST
        ]
        if surplus:
            problems.append("has more cells than there are columns")
        order = None if problems else _order_of(cells, file.parent, common, problems)
        if problems:
            wrong.append(f"row {number} of {file.name} {' and '.join(problems)}")
        elif order is not None:
            yield order


def _text_of(file: Path, wrong: list[str]) -> str:
    """The content of a list, with all lines ended alike; empty if it can't be read."""
    if problem := input_problem(file):
        wrong.append(f"the list {file} {problem}")
        return ""
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST + 1)
    except OSError as error:
        wrong.append(f"the list {file} can't be read ({error.strerror or error})")
        return ""
    if len(content) > _LARGEST:
        wrong.append(f"the list {file} is larger than {_LARGEST >> 20} MB")
        return ""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        wrong.append(f"row {row} of the list {file} isn't UTF-8 text")
        return ""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        wrong.append(f"row {row} of the list {file} has a NUL character, so it isn't UTF-8 text")
        return ""
    return text


def _text_rows(text: str) -> _Rows:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.lstrip().startswith("#"):
            yield number, {"clip": line}, False


def _csv_rows(text: str, name: str, wrong: list[str]) -> _Rows:
    if not text:
        return
    # spreadsheets separate with semicolons where a comma is the decimal point
    delimiter = ";" if ";" in text.partition("\n")[0] else ","
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter, strict=True)
    columns: list[str] | None = None
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            wrong.append(f"row {number} of {name} isn't valid CSV ({error})")
            return
        if columns is not None:
            cells = [*row, *[""] * len(columns)]  # rows may end early
            yield number, dict(zip(columns, cells, strict=False)), len(row) > len(columns)
            continue
        columns = [column.strip().lower() for column in row]
        if problem := _problem_of_columns(columns):
            wrong.append(f"the list {name} {problem} (there are {', '.join(_COLUMNS)})")
            return


def _problem_of_columns(columns: list[str]) -> str:
    """What is wrong with the first row of a CSV, as a phrase; empty: nothing."""
    for column in columns:
        if column not in _COLUMNS:
            return f"has the unknown column '{column[:_LONGEST]}'"
        if columns.count(column) > 1:
            return f"has the column '{column}' more than once"
    return "" if "clip" in columns else "needs one column 'clip'"


def _order_of(cells: dict[str, str], folder: Path, common: Order, problems: list[str]) -> Order:
    """The order of a row; adds what is wrong with the row to `problems`."""
    clip = _path(cells["clip"], folder)
    if not cells["clip"]:
        problems.append("names no clip")
    elif problem := input_problem(clip):
        problems.append(f"names {cells['clip']}, which {problem}")
    own = {cls: _options_of_row(cells, cls, problems) for cls in _OPTIONS}
    capture = {**common.capture, **own[Settings]}
    problems += problems_of(Settings, capture)
    name = normalised(cells.get("name", "")) or safe_name(_mirrored(clip, folder))
    if problem := name_problem(name):
        problems.append(f"has the name '{name}', which {problem}")
    characters = common.retarget
    if cells.get("retarget"):
        characters = _characters(cells["retarget"], folder, problems)
    return Order(
        clip=clip,
        name=name,
        capture=capture,
        clean_up=replace(common.clean_up, **own[CleanUp]),
        outputs=replace(common.outputs, **own[Outputs]),
        retarget=characters,
        retargeting=replace(common.retargeting, **own[RetargetSettings]),
    )


def _characters(cell: str, folder: Path, problems: list[str]) -> tuple[str, ...]:
    """The characters in a cell; adds what is wrong with them to `problems`."""

    def placed(text: str) -> Path:
        path = _path(text, folder)
        file, _ = split_character(str(path))
        if problem := input_problem(file):
            problems.append(f"names the character {text}, which {problem}")
        return path

    try:
        return characters_of([text.strip() for text in cell.split(_BETWEEN)], placed)
    except ValueError as error:
        problems.append(str(error))
        return ()


def _path(text: str, folder: Path) -> Path:
    """The path that a cell of a list in `folder` means."""
    path = Path(text)
    with suppress(RuntimeError):  # there is no such user, so it may be a file's own name
        path = path.expanduser()
    return folder / path


def _options_of_row(cells: dict[str, str], cls: type, problems: list[str]) -> dict[str, Any]:
    """The values that a row gives for an options class; adds what is wrong with them to `problems`."""
    own = {}
    for name, one in options_of(cls).items():
        if text := cells.get(one.flag):
            try:
                own[name] = one.read(text)
            except ValueError as error:
                problems.append(f"says {one.flag} '{text}', which {error}")
    if cls is not Settings:  # `_order_of` checks those together with the command line's
        problems += problems_of(cls, own)
    return own


def _mirrored(clip: Path, folder: Path) -> str:
    """The name of a clip in a list: its path relative to the list, or its bare name if it lies elsewhere."""
    parent = Path(os.path.normpath(clip)).parent
    return (
        (parent.relative_to(folder) / file_stem(clip)).as_posix()
        if parent.is_relative_to(folder)
        else file_stem(clip)
    )
