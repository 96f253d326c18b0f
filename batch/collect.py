"""Collect the clips of a batch from files, folders and lists: one `Order` for each."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatch
from functools import cache
from pathlib import Path, PurePosixPath

from ..core.clips import VIDEO_ENDINGS, looks_like_video, patterns_in
from ..core.errors import CaptureError
from ..core.files import file_stem
from ..core.names import is_unicode, name_problem, safe_name, same_file_key
from .lists import MANY_WRONG, read_list
from .orders import Order
from .report import REPORT
from .run import FOLDER, STAGING

#: a folder of the length of those that the batch makes for each clip while it works on it
_WHILE_MADE = f"{FOLDER}/{STAGING}/tmp00000000"


def orders_of(
    given: Sequence[Path], lists: Sequence[Path], common: Order, out: Path, pattern: str = ""
) -> list[Order]:
    """All clips that a command line names.

    Parameters
    ----------
    given : sequence of Path
        Files, patterns of numbered pictures, and folders, which are searched with all their subfolders; a
        clip from a folder keeps its path in that folder as its name, but for what `names.safe_name` changes.
    lists : sequence of Path
        Lists, as `lists.read_list` takes them.
    common : Order
        The options of the command line, for all clips; its `clip` and `name` are ignored.
    out : Path
        The output folder, which isn't searched.
    pattern : str
        Which files to take from folders, such as ``*_front.mp4``; empty: all videos.

    Raises
    ------
    CaptureError
        With everything that is wrong, so that nothing runs before all of it is right.
    """
    if not is_unicode(str(out)):
        raise CaptureError(f"The name of {out} isn't valid text: give another --out.")
    wrong: list[str] = []
    orders: list[Order] = []
    for path in given:
        if _is_folder(path):
            found = list(_in_folder(path.absolute(), common, out, pattern))
            if not found:
                wrong.append(f"there is {f'no {pattern}' if pattern else 'no video'} in the folder {path}")
            orders += found
        else:
            orders.append(replace(common, clip=path.absolute(), name=safe_name(file_stem(path))))
    for path in lists:
        orders += read_list(path.absolute(), common, wrong)
    orders = _once(orders, wrong)
    for order in orders:
        wrong += _problems_of(order, out)
    wrong += _shared_files(orders, out)
    if wrong:
        more = "; and so on" if len(wrong) > MANY_WRONG else ""
        reasons = "; ".join(wrong[:MANY_WRONG])
        raise CaptureError(f"Nothing was captured because {reasons}{more}. Correct this and try again.")
    if not orders:
        raise CaptureError("There is no clip to capture: name videos, folders of them or a --list.")
    return orders


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # it can't be read, and fails on its own as a clip
        return False


def _in_folder(folder: Path, common: Order, out: Path, pattern: str) -> Iterator[Order]:
    results = os.path.realpath(out)
    if os.path.realpath(folder) == results:
        raise CaptureError(
            f"The folder {folder} can't be searched for clips and get the results too: give another --out."
        )
    for here, files in _walk(folder, out):
        taken = [here / file for file in files if file[0] != "." and _wanted(file, pattern)]
        if not pattern:
            with suppress(OSError):
                taken += patterns_in(here)
        for path in taken:
            name = (path.relative_to(folder).parent / file_stem(path)).as_posix()
            yield replace(common, clip=path, name=safe_name(name))


def _wanted(file: str, pattern: str) -> bool:
    return fnmatch(file, pattern) if pattern else Path(file).suffix.lower() in VIDEO_ENDINGS


def passed_over(given: Sequence[Path], out: Path) -> list[Path]:
    """Files in the given folders that look like videos but have none of their endings, so aren't taken."""
    found = []
    for folder in filter(_is_folder, given):
        for here, files in _walk(folder.absolute(), out):
            found += [
                path
                for path in (here / file for file in files if file[0] != "." and not _wanted(file, ""))
                if looks_like_video(path)
            ]
    return found


def _walk(folder: Path, out: Path) -> Iterator[tuple[Path, list[str]]]:
    """The folders in a folder, without hidden ones and the one of the results, with the files in each."""
    results = os.path.realpath(out)
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if f[0] != "." and os.path.realpath(Path(here) / f) != results)
        yield Path(here), sorted(files)


def _once(orders: list[Order], wrong: list[str]) -> list[Order]:
    """The orders without repetitions; adds different orders of the same name to `wrong`."""
    by_name: dict[str, Order] = {}
    for order in orders:
        before = by_name.setdefault(same_file_key(order.name), order)
        if before is order:
            continue
        if os.path.realpath(before.clip) != os.path.realpath(order.clip):
            wrong.append(
                f"two clips are called {order.name} ({before.clip} and {order.clip}): name one of them in a "
                "CSV, or give each an --out of its own"
            )
        elif before.settings() != order.settings():
            wrong.append(
                f"{order.clip.name} is listed twice under the name {order.name} with different options: give "
                "its rows different names"
            )
    return list(by_name.values())


def _problems_of(order: Order, out: Path) -> list[str]:
    """What is wrong with the characters of an order, and with its paths, as phrases."""
    wrong = [
        f"the name of {path} isn't valid text: rename it"
        for path in order.inputs
        if not is_unicode(str(path))  # neither the journal nor Blender could note it
    ]
    if len(order.retarget) > order.most_people and not order.is_motion:
        wrong.append(
            f"{order.clip.name} has characters for {len(order.retarget)} people, and --person asks for "
            f"{order.most_people}: ask for all, or give fewer characters"
        )
    if problem := name_problem(order.name):
        wrong.append(f"the name of {order.clip} in its folder {problem}: name it in a CSV")
    try:
        (out / _WHILE_MADE / order.name).with_name(max(order.files, key=len)).lstat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            wrong.append(f"{out} and {order.name} together are too long for a path: give a shorter --out")
    return wrong


def _shared_files(orders: list[Order], out: Path) -> list[str]:
    """Which results would share a file with each other, with the report or with an input, as phrases."""
    real = cache(os.path.realpath)

    def key(path: Path) -> str:
        return same_file_key(f"{real(path.parent)}/{path.name}")

    wrong = []
    owners = {key(out / REPORT): REPORT}
    for order in orders:
        for file in sorted(order.files):
            owner = owners.setdefault(key((out / order.name).parent / file), order.name)
            if owner != order.name:
                wrong.append(
                    f"{owner} and {order.name} would both write {file}: give one another name in a CSV"
                )
    for order in orders:
        for folder in list(PurePosixPath(order.name).parents)[:-1]:
            if file_of := owners.get(key(out / folder)):
                wrong.append(
                    f"{folder} would be a folder of {order.name} and a file of {file_of}: give one another "
                    "name in a CSV"
                )
        for path in order.inputs:
            # what a link leads to counts, and the link itself
            writer = owners.get(key(path)) or owners.get(same_file_key(real(path)))
            # a motion that isn't solved again becomes a copy of itself
            if writer and (writer != order.name or order.needs_capture or path != order.clip):
                wrong.append(f"{path} is an input, and {writer} would overwrite it: give another --out")
    return wrong
