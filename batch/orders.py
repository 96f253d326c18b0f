"""An `Order`: one clip, and what is to be made of it."""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ..core.clips import pictures_of
from ..core.errors import CaptureError
from ..core.files import split_character
from ..core.option import options_of
from ..core.options import (
    ALL,
    AND,
    MOST_PEOPLE,
    CleanUp,
    Outputs,
    RetargetSettings,
    Settings,
    endings_of,
    from_plain,
)

#: a character of a person by name
_FOR_PERSON = re.compile(rf"person([1-{MOST_PEOPLE}])=(.*)", re.DOTALL)


@dataclass(frozen=True)
class Order:
    """One clip, and what is to be made of it.

    Attributes
    ----------
    clip : Path
        The video or the captured motion; absolute.
    name : str
        Name of its files: a path relative to the output folder, with slashes, without ending.
    capture : dict
        Values of `Settings` by name; only those that were given.
    clean_up : CleanUp
    outputs : Outputs
    retarget : tuple of str
        The character to move as well for each person, see `characters_of`; absolute. Empty: none.
    retargeting : RetargetSettings
        How to move them.
    """

    clip: Path
    name: str
    capture: Mapping[str, Any]
    clean_up: CleanUp = field(default_factory=CleanUp)
    outputs: Outputs = field(default_factory=Outputs)
    retarget: tuple[str, ...] = ()
    retargeting: RetargetSettings = field(default_factory=RetargetSettings)

    @property
    def is_motion(self) -> bool:
        """Whether the clip is a motion that was captured earlier."""
        return self.clip.suffix == ".npz"

    @property
    def needs_capture(self) -> bool:
        """Whether this needs the Python that captures: for a video, or to solve a motion again."""
        return not self.is_motion or bool(self.solve_options.keys() - {"device"})

    @property
    def solve_options(self) -> dict[str, Any]:
        """Those values of `capture` with which a captured motion is solved again."""
        options = options_of(Settings)
        return {name: value for name, value in self.capture.items() if options[name].in_resolve}

    @property
    def most_people(self) -> int:
        """How many people may come of it at most; a motion is of one."""
        asked = "" if self.is_motion else self.capture.get("person", "")
        return MOST_PEOPLE if asked == ALL else len(asked.split(AND))

    @property
    def files(self) -> frozenset[str]:
        """Names of all files that may come of it, in one folder."""
        return self.files_of(self.most_people)

    def files_of(self, people: int) -> frozenset[str]:
        """Names of the files that are made for so many people."""
        stem = PurePosixPath(self.name).name
        return frozenset(
            f"{stem}{ending}"
            for number in range(1, people + 1)
            for ending in endings_of(self.outputs, number).values()
        )

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The files that it reads: the clip's, and those of characters."""
        return (self.clip, *(split_character(one)[0] for one in self.retarget if one))

    def settings(self) -> dict[str, Any]:
        """Everything but the clip's content that decides about the result; the journal compares it."""
        settings = asdict(self)
        del settings["clip"], settings["name"]
        return settings | {"motion": self.is_motion}

    def settings_hash(self) -> str:
        """SHA-256 of `settings`, with the contents of the characters' files in place of their paths.

        Raises
        ------
        CaptureError
            If a character can't be read.
        """
        settings = self.settings()
        characters = (split_character(one) if one else None for one in self.retarget)
        settings["retarget"] = [one and (file_hash(one[0]), one[1]) for one in characters]
        text = json.dumps(settings, sort_keys=True, ensure_ascii=False, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


def characters_of(texts: Sequence[str], placed: Callable[[str], Path]) -> tuple[str, ...]:
    """The character of each person, by order or by name.

    Parameters
    ----------
    texts : sequence of str
        ``person2=FILE`` is the second person's; the others are, in their order, of those who have none by
        name. One that is empty leaves a person without a character.
    placed : callable
        The absolute path that a text without the name means.

    Returns
    -------
    tuple of str
        A path for each person, as `files.split_character` takes it; empty: none.

    Raises
    ------
    ValueError
        With a phrase to put after the texts: "has two characters for person2".
    """
    if len(texts) > MOST_PEOPLE:
        raise ValueError(f"has {len(texts)} characters, and at most {MOST_PEOPLE} people are captured")
    found: dict[int, str] = {}
    by_order = []
    for text in texts:
        named = _FOR_PERSON.fullmatch(text)
        if named is None:
            by_order.append(text)
        elif (number := int(named[1])) in found:
            raise ValueError(f"has two characters for person{number}")
        else:
            found[number] = named[2]
    others = (number for number in range(1, MOST_PEOPLE + 1) if number not in found)
    found |= dict(zip(others, by_order, strict=False))
    last = max((number for number, text in found.items() if text), default=0)
    return tuple(str(placed(found[n])) if found.get(n) else "" for n in range(1, last + 1))


def order_from(plain: Mapping[str, Any]) -> Order:
    """The order that `dataclasses.asdict`, and JSON or a cluster's network, turned into plain data.

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
        retarget=tuple(plain["retarget"]),
        retargeting=from_plain(RetargetSettings, plain["retargeting"]),
    )


def input_problem(path: Path) -> str:
    """Why a path can't be read as a clip or a character, as a phrase; empty: it can.

    It isn't opened: to open a pipe is to wait for whoever writes into it.
    """
    if pictures_of(path):
        return ""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "doesn't exist"
    except (OSError, ValueError) as error:  # a ValueError: it has a NUL character
        return f"can't be read ({getattr(error, 'strerror', None) or error})"
    if stat.S_ISDIR(mode):
        return "is a folder"
    return "" if stat.S_ISREG(mode) else "is a pipe or a device, not a file"


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content, or of the names and contents of numbered pictures.

    Raises
    ------
    CaptureError
        If the file can't be read.
    """
    if pictures := pictures_of(path):
        told = [f"{file_hash(picture)} {picture.name}" for _, picture in pictures]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()
    if problem := input_problem(path):
        raise CaptureError(f"{path} {problem}; check the spelling of its name and folder.")
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CaptureError(f"{path} can't be read: {error.strerror or error}.") from error
