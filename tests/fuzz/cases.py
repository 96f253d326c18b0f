"""One case: make a file, use it, and look at what came of it."""

from __future__ import annotations

import hashlib
import random
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kinelift.core.errors import CaptureError

from .targets import TARGETS, Place, Target

#: longest sentence for an artist, characters: what a file says isn't repeated at length
_SENTENCE = 2000


def random_of(kind: str, seed: int, number: int) -> random.Random:
    """The random numbers of a case."""
    return random.Random(f"{kind} {seed} {number}")


@contextmanager
def place() -> Iterator[Place]:
    """A new place, with something precious outside of the output folder."""
    with tempfile.TemporaryDirectory(prefix="kinelift-fuzz-") as folder:
        root = Path(folder)
        made = Place(root / "files", root / "out", root / "outside")
        for path in (made.files, made.out, made.outside, made.outside / "folder"):
            path.mkdir()
        (made.outside / "precious.txt").write_text("precious", encoding="utf-8")
        (made.outside / "folder" / "walk.mp4").write_text("a video", encoding="utf-8")
        yield made


def run_case(kind: str, seed: int, number: int) -> tuple[str, str]:
    """Make and use the file of a case: "sound", "refused" with the sentence, or what is wrong and how."""
    with place() as here:
        path = TARGETS[kind].make(here, random_of(kind, seed, number))
        return use(TARGETS[kind], path, here)


def use(target: Target, path: Path, here: Place) -> tuple[str, str]:
    """Use a file; see `run_case`."""
    before = _seen(here)
    how, what = "sound", ""
    try:
        target.use(path, here)
    except CaptureError as error:
        how, what = "refused", str(error)
        if (
            not what.strip()
            or len(what) > _SENTENCE
            or any(ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 for c in what)
        ):
            how = "mumbled"
    except Exception as error:  # noqa: BLE001 - the point of it: whatever it is, it is a finding
        where = traceback.extract_tb(error.__traceback__)[-1]
        how, what = (
            "raised",
            f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"[:300],
        )
    if _seen(here) != before:
        how, what = "touched", "something outside of the output folder was changed"
    return how, what


def _seen(here: Place) -> dict[str, str]:
    """Everything that lies outside of the output folder."""
    root = here.out.parent
    found = {}
    for path in sorted(root.rglob("*")):
        if path != here.out and here.out not in path.parents:
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[path.relative_to(root).as_posix()] = content
    return found
