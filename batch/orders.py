"""An `Order`: one clip, and what is to be made of it."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ..core.clips import pictures_of
from ..core.errors import CaptureError
from ..core.files import split_character
from ..core.option import options_of
from ..core.options import CleanUp, Outputs, RetargetSettings, Settings, endings_of, from_plain


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
    retarget : str
        The character to move as well, as ``batch.py --retarget`` takes it; absolute. Empty: none.
    retargeting : RetargetSettings
        How to move the character.
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
    def files(self) -> frozenset[str]:
        """Names of the files that are made for it, all in one folder."""
        stem = PurePosixPath(self.name).name
        return frozenset(f"{stem}{ending}" for ending in endings_of(self.outputs).values())

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The files that it reads: the clip and, if there is one, the character's."""
        return (self.clip, *((split_character(self.retarget)[0],) if self.retarget else ()))

    def settings(self) -> dict[str, Any]:
        """Everything but the clip's content that decides about the result; the journal compares it."""
        settings = asdict(self)
        del settings["clip"], settings["name"]
        return settings | {"motion": self.is_motion}

    def settings_hash(self) -> str:
        """SHA-256 of `settings`, with the content of the character's file in place of its path.

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
        retarget=plain["retarget"],
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
