"""What is asked for: files, folders and lists become one `Order` for each clip."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from ..core.errors import CaptureError
from ..core.files import MOTION_SUFFIX, VIDEO_ENDINGS, file_stem, split_character
from ..core.options import CleanUp, Outputs, RetargetSettings, Settings, from_plain, options_of, problems_of

#: what a row of a CSV can say of its clip alone, beside its name and its character
_OPTIONS = (Settings, CleanUp, RetargetSettings, Outputs)
_COLUMNS = ("clip", "name", *(one.flag for cls in _OPTIONS for one in options_of(cls).values()), "retarget")


@dataclass(frozen=True)
class Order:
    """One clip, and what is to be made of it.

    Attributes
    ----------
    clip : Path
        The video or the captured motion; absolute.
    name : str
        What its files are called: a path relative to the output folder, with slashes, without ending.
    capture : dict
        Values of `Settings` by name; only those that were given.
    clean_up : CleanUp
    outputs : Outputs
    retarget : str
        The character to move as well, as ``batch.py --retarget`` takes it; absolute, empty: none.
    retargeting : RetargetSettings
        How to move it.
    """

    clip: Path
    name: str
    capture: Mapping[str, Any]
    clean_up: CleanUp = field(default_factory=CleanUp)
    outputs: Outputs = field(default_factory=Outputs)
    retarget: str = ""
    retargeting: RetargetSettings = field(default_factory=RetargetSettings)

    @property
    def is_motion(self) -> bool:
        """Whether it was captured earlier."""
        return self.clip.suffix == ".npz"

    @property
    def needs_capture(self) -> bool:
        """Whether the Python that captures is needed, as the clip is a video or is solved again."""
        return not self.is_motion or bool(self.solve_options.keys() - {"device"})

    @property
    def solve_options(self) -> dict[str, Any]:
        """Those of `capture` by which a captured motion is solved again."""
        options = options_of(Settings)
        return {name: value for name, value in self.capture.items() if options[name].in_resolve}

    def settings(self) -> dict[str, Any]:
        """All that decides what is made of the clip's content; the journal compares it."""
        settings = asdict(self)
        del settings["clip"], settings["name"]
        return settings | {"motion": self.is_motion}

    def settings_hash(self) -> str:
        """Of `settings`; a character counts by its content.

        Raises
        ------
        CaptureError
            If the character can't be read.
        """
        settings = self.settings()
        if self.retarget:
            file, name = split_character(self.retarget)
            settings["retarget"] = [file_hash(file), name]
        text = json.dumps(settings, sort_keys=True, ensure_ascii=False, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


def order_from(plain: Mapping[str, Any]) -> Order:
    """An order that went through JSON, or through a cluster, as `dataclasses.asdict` made it.

    Raises
    ------
    CaptureError
        If its options aren't those of this version.
    """
    from_plain(Settings, plain["capture"])
    return Order(
        clip=Path(plain["clip"]),
        name=plain["name"],
        capture=plain["capture"],
        clean_up=from_plain(CleanUp, plain["clean_up"]),
        outputs=from_plain(Outputs, plain["outputs"]),
        retarget=plain["retarget"],
        retargeting=from_plain(RetargetSettings, plain["retargeting"]),
    )


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content.

    Raises
    ------
    CaptureError
        If it can't be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise CaptureError(f"There is no file {path}; check the spelling of its name and folder.") from error
    except OSError as error:
        raise CaptureError(f"{path} can't be read: {error.strerror or error}.") from error


def orders_of(
    given: Sequence[Path], lists: Sequence[Path], common: Order, out: Path, pattern: str = ""
) -> list[Order]:
    """Everything that the command line asks for.

    Parameters
    ----------
    given : sequence of Path
        Files, and folders that are searched with all folders in them; what comes from a folder keeps its path
        in it.
    lists : sequence of Path
        A clip on each line, or CSV (by the ending) with the column ``clip`` and, as wanted, ``name``,
        ``retarget`` and every option of a capture, a clean-up, a retarget and the outputs; an empty cell
        leaves what the command line says. Paths are relative to the list.
    common : Order
        What the command line says for all; its `clip` and `name` don't count.
    out : Path
        The output folder; nothing is taken from it.
    pattern : str
        Which files of the folders, such as ``*_front.mp4``; empty: all videos.

    Raises
    ------
    CaptureError
        With all that is wrong, if anything is: nothing has run then.
    """
    wrong: list[str] = []
    orders: list[Order] = []
    for path in given:
        if path.is_dir():
            found = list(_in_folder(path.absolute(), common, out, pattern))
            if not found:
                wrong.append(f"there is {f'no {pattern}' if pattern else 'no video'} in the folder {path}")
            orders += found
        else:
            orders.append(replace(common, clip=path.absolute(), name=file_stem(path)))
    for path in lists:
        orders += _listed(path.absolute(), common, wrong)
    orders = _once(orders, wrong)
    for order in orders:
        result = out / f"{order.name}{MOTION_SUFFIX}"
        if order.is_motion and order.needs_capture and result.exists() and result.samefile(order.clip):
            wrong.append(f"the motion {order.clip} is not overwritten by another: give another --out")
    if wrong:
        raise CaptureError(f"Nothing was captured, as {'; '.join(wrong)}. Correct this and try again.")
    if not orders:
        raise CaptureError("There is no clip to capture: name videos, folders of them or a --list.")
    return orders


def _in_folder(folder: Path, common: Order, out: Path, pattern: str) -> Iterator[Order]:
    if folder.resolve() == out.resolve():
        raise CaptureError(
            f"The folder {folder} can't be searched for clips and get the results too: give another --out."
        )
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if f[0] != "." and (Path(here) / f).resolve() != out.resolve())
        for file in sorted(files):
            path = Path(here) / file
            wanted = fnmatch(file, pattern) if pattern else path.suffix.lower() in VIDEO_ENDINGS
            if wanted and file[0] != ".":
                name = (path.relative_to(folder).parent / file_stem(path)).as_posix()
                yield replace(common, clip=path, name=name)


def _listed(file: Path, common: Order, wrong: list[str]) -> Iterator[Order]:
    """The clips of a list; what is wrong with it is added to `wrong`."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        wrong.append(f"the list {file} is no text in UTF-8")
        return
    except OSError as error:
        wrong.append(f"the list {file} can't be read ({error.strerror or error})")
        return
    lines = text.splitlines()
    rows: Iterable[tuple[int, dict[str | None, Any]]]
    if file.suffix.lower() == ".csv":
        # spreadsheets of half the world separate with semicolons
        reader = csv.DictReader(lines, delimiter=";" if lines and ";" in lines[0] else ",", strict=True)
        columns = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        unknown = [name for name in columns if name not in _COLUMNS]
        if "clip" not in columns or unknown or len(set(columns)) < len(columns):
            problem = f"has the unknown column '{unknown[0]}'" if unknown else "needs one column 'clip'"
            wrong.append(f"the list {file.name} {problem} (there are {', '.join(_COLUMNS)})")
            return
        reader.fieldnames = columns
        rows = _csv_rows(reader, file.name, wrong)
    else:
        rows = ((n, {"clip": line}) for n, line in enumerate(lines, 1) if not line.lstrip().startswith("#"))
    for number, row in rows:
        problems: list[str] = []
        cells = {key: (value or "").strip() for key, value in row.items() if key is not None}
        if None in row:
            problems.append("has more cells than there are columns")
        if not any(cells.values()):
            continue
        order = _of_row(cells, file.parent, common, problems)
        if problems:
            wrong.append(f"row {number} of {file.name} {' and '.join(problems)}")
        else:
            yield order


def _csv_rows(
    reader: csv.DictReader[str], name: str, wrong: list[str]
) -> Iterator[tuple[int, dict[str | None, Any]]]:
    try:
        for row in reader:
            yield reader.line_num, dict(row)
    except csv.Error as error:
        wrong.append(f"row {reader.line_num} of {name} is no CSV ({error})")


def _of_row(cells: dict[str, str], folder: Path, common: Order, problems: list[str]) -> Order:
    """The order of one row; what is wrong with it is added to `problems`."""
    clip = folder / Path(cells["clip"]).expanduser()
    if not cells["clip"]:
        problems.append("names no clip")
    elif not clip.is_file():
        problems.append(f"names {cells['clip']}, which is not there")
    own = {cls: _options_of_row(cells, cls, problems) for cls in _OPTIONS}
    capture = {**common.capture, **own[Settings]}
    problems += problems_of(Settings, capture)
    name = cells.get("name") or _mirrored(clip, folder)
    if name != PurePosixPath(name).as_posix() or PurePosixPath(name).is_absolute() or ".." in name.split("/"):
        problems.append(f"has the name '{name}', which is no path inside the output folder")
    character = common.retarget
    if cells.get("retarget"):
        file, target = split_character(cells["retarget"])
        character = str(folder / file) + (f":{target}" if target else "")
        if not (folder / file).is_file():
            problems.append(f"names the character {file}, which is not there")
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
    """The values of an options class in a row; what is wrong with them is added to `problems`."""
    own = {}
    for name, one in options_of(cls).items():
        if text := cells.get(one.flag):
            try:
                own[name] = one.read(text)
            except ValueError as error:
                problems.append(f"says {one.flag} '{text}', which {error}")
    if cls is not Settings:  # those are checked together with the command line's
        problems += problems_of(cls, own)
    return own


def _mirrored(clip: Path, folder: Path) -> str:
    """The name of a clip in a list: its path beside the list, or its bare name if it lies elsewhere."""
    parent = Path(os.path.normpath(clip)).parent
    return (
        (parent.relative_to(folder) / file_stem(clip)).as_posix()
        if parent.is_relative_to(folder)
        else file_stem(clip)
    )


def _once(orders: list[Order], wrong: list[str]) -> list[Order]:
    """The orders without those that came twice; different ones of one name are added to `wrong`."""
    by_name: dict[str, Order] = {}
    for order in orders:
        # file systems of artists don't tell upper from lower case
        before = by_name.setdefault(order.name.casefold(), order)
        if before is order:
            continue
        same_file = before.clip.resolve() == order.clip.resolve()
        if not same_file:
            wrong.append(
                f"two clips are called {order.name} ({before.clip} and {order.clip}): name one of them in a "
                "CSV, or give them --out folders of their own"
            )
        elif before.settings() != order.settings():
            wrong.append(
                f"{order.clip.name} is asked for twice, with different options, under the one name "
                f"{order.name}: give its rows names"
            )
    return list(by_name.values())
