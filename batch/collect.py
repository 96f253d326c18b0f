"""Collect the clips of a batch from files, folders and lists: one `Order` for each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

from ..core.errors import CaptureError
from ..core.files import MOTION_SUFFIX, VIDEO_ENDINGS, file_stem
from .lists import read_list
from .orders import Order


def orders_of(
    given: Sequence[Path], lists: Sequence[Path], common: Order, out: Path, pattern: str = ""
) -> list[Order]:
    """All clips that a command line names.

    Parameters
    ----------
    given : sequence of Path
        Files, and folders that are searched with all their subfolders; a file from a folder keeps its path
        in that folder as its name.
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
        orders += read_list(path.absolute(), common, wrong)
    orders = _once(orders, wrong)
    for order in orders:
        result = out / f"{order.name}{MOTION_SUFFIX}"
        if order.is_motion and order.needs_capture and result.exists() and result.samefile(order.clip):
            wrong.append(f"solving {order.clip} again would overwrite it: give another --out")
    if wrong:
        raise CaptureError(f"Nothing was captured because {'; '.join(wrong)}. Correct this and try again.")
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


def _once(orders: list[Order], wrong: list[str]) -> list[Order]:
    """The orders without repetitions; adds different orders of the same name to `wrong`."""
    by_name: dict[str, Order] = {}
    for order in orders:
        # many file systems don't distinguish upper from lower case
        before = by_name.setdefault(order.name.casefold(), order)
        if before is order:
            continue
        same_file = before.clip.resolve() == order.clip.resolve()
        if not same_file:
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
