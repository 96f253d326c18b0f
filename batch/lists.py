"""Read lists of clips: text with a clip on each line, or a CSV with options for each clip."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from ..core.files import file_stem, split_character
from ..core.option import options_of
from ..core.options import CleanUp, Outputs, RetargetSettings, Settings, problems_of
from .orders import Order

#: classes of the options that have columns of their own in a CSV
_OPTIONS = (Settings, CleanUp, RetargetSettings, Outputs)
#: all columns that a CSV may have; only ``clip`` has to be there
_COLUMNS = ("clip", "name", *(one.flag for cls in _OPTIONS for one in options_of(cls).values()), "retarget")
#: each row's number, from 1, and its cells by column; surplus cells are under None
_Rows = Iterable[tuple[int, dict[str | None, Any]]]


def read_list(file: Path, common: Order, wrong: list[str]) -> Iterator[Order]:
    """Yield the clips of a list; add everything that is wrong with it to `wrong`.

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
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        wrong.append(f"the list {file} isn't UTF-8 text")
        return
    except OSError as error:
        wrong.append(f"the list {file} can't be read ({error.strerror or error})")
        return
    lines = text.splitlines()
    rows = _csv_rows(lines, file.name, wrong) if file.suffix.lower() == ".csv" else _text_rows(lines)
    for number, row in rows:
        problems: list[str] = []
        cells = {key: (value or "").strip() for key, value in row.items() if key is not None}
        if None in row:
            problems.append("has more cells than there are columns")
        if not any(cells.values()):
            continue
        order = _order_of(cells, file.parent, common, problems)
        if problems:
            wrong.append(f"row {number} of {file.name} {' and '.join(problems)}")
        else:
            yield order


def _text_rows(lines: list[str]) -> _Rows:
    for number, line in enumerate(lines, 1):
        if not line.lstrip().startswith("#"):
            yield number, {"clip": line}


def _csv_rows(lines: list[str], name: str, wrong: list[str]) -> _Rows:
    # spreadsheets separate with semicolons where a comma is the decimal point
    reader = csv.DictReader(lines, delimiter=";" if lines and ";" in lines[0] else ",", strict=True)
    columns = [(column or "").strip().lower() for column in reader.fieldnames or ()]
    unknown = [column for column in columns if column not in _COLUMNS]
    if "clip" not in columns or unknown or len(set(columns)) < len(columns):
        problem = f"has the unknown column '{unknown[0]}'" if unknown else "needs one column 'clip'"
        wrong.append(f"the list {name} {problem} (there are {', '.join(_COLUMNS)})")
        return
    reader.fieldnames = columns
    try:
        for row in reader:
            yield reader.line_num, dict(row)
    except csv.Error as error:
        wrong.append(f"row {reader.line_num} of {name} isn't valid CSV ({error})")


def _order_of(cells: dict[str, str], folder: Path, common: Order, problems: list[str]) -> Order:
    """The order of a row; adds what is wrong with the row to `problems`."""
    clip = folder / Path(cells["clip"]).expanduser()
    if not cells["clip"]:
        problems.append("names no clip")
    elif not clip.is_file():
        problems.append(f"names {cells['clip']}, which doesn't exist")
    own = {cls: _options_of_row(cells, cls, problems) for cls in _OPTIONS}
    capture = {**common.capture, **own[Settings]}
    problems += problems_of(Settings, capture)
    name = cells.get("name") or _mirrored(clip, folder)
    if name != PurePosixPath(name).as_posix() or PurePosixPath(name).is_absolute() or ".." in name.split("/"):
        problems.append(f"has the name '{name}', which isn't a path inside the output folder")
    character = common.retarget
    if cells.get("retarget"):
        file, target = split_character(cells["retarget"])
        character = str(folder / file) + (f":{target}" if target else "")
        if not (folder / file).is_file():
            problems.append(f"names the character {file}, which doesn't exist")
    return Order(
        clip=clip,
        name=name,
        capture=capture,
        clean_up=replace(common.clean_up, **own[CleanUp]),
        outputs=replace(common.outputs, **own[Outputs]),
        retarget=character,
        retargeting=replace(common.retargeting, **own[RetargetSettings]),
    )


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
