"""Every option of Kinelift, declared once.

An options class is a frozen dataclass whose fields are made by `option`. From the declaration follow the
command lines (`core.command_line`), the columns of a batch's CSV (`batch.lists`) and Blender's properties
(`properties.derived`), so a new option is one field here and the stage that uses it.

This module imports neither numpy nor bpy: command lines are read before either is there.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar, get_args, get_type_hints

from .errors import CaptureError

#: how text says that an optional value is not known
AUTO = "auto"
Chosen = TypeVar("Chosen")
#: texts for a switch that is on, and for one that is off
_SWITCHES = {
    "yes": True,
    "true": True,
    "on": True,
    "1": True,
    "no": False,
    "false": False,
    "off": False,
    "0": False,
}


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes
    ----------
    label : str
        What a panel calls it.
    help : str
        What it does, for help texts and tooltips: begins with a capital letter and ends without a full stop.
    unit : str
        ``s``, ``m``, ``mm`` or empty.
    limits : (float, float)
        The least and the most that it may be.
    choices : dict
        If not empty: the values that it may have, and what each means. For an optional value: of `AUTO` too.
    check : callable, optional
        Raises CaptureError for a text that it may not be.
    metavar : str
        Stands for the value in help texts.
    refusal : str
        The sentence that refuses a value, with ``{value}``, ``{least}`` and ``{most}``.
    off : str
        The flag that switches off what is on by default; empty: ``no-NAME``.
    in_resolve : bool
        Whether a captured motion can be solved again with another value.
    in_panel : bool
        Whether Blender's panel asks for it as it stands here; it asks for the others in ways of its own.
    suggestion : float
        What a panel shows first for an optional value.
    name, kind, optional, default
        The field's name, its type without None, whether it may be None, and its default; `options_of` fills
        them in.
    """

    label: str
    help: str
    unit: str = ""
    limits: tuple[float, float] = (-math.inf, math.inf)
    choices: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[str], object] | None = None
    metavar: str = ""
    refusal: str = ""
    off: str = ""
    in_resolve: bool = False
    in_panel: bool = True
    suggestion: float = 0.0
    name: str = ""
    kind: type = str
    optional: bool = False
    default: Any = None

    @property
    def flag(self) -> str:
        """What it is called on a command line and in a CSV."""
        return self.name.replace("_", "-")

    @property
    def switch(self) -> str:
        """The flag, without dashes in front, that turns a boolean into what it isn't by default."""
        return (self.off or f"no-{self.flag}") if self.default else self.flag

    def read(self, text: str) -> Any:
        """The value that a text stands for.

        Raises
        ------
        ValueError
            With a phrase that follows the text: "isn't a number".
        """
        text = text.strip()
        if self.optional and text == AUTO:
            return None
        if self.kind is bool:
            if text.lower() not in _SWITCHES:
                raise ValueError("isn't yes or no")
            return _SWITCHES[text.lower()]
        if self.kind is tuple:
            return self._read_several(text)
        if self.kind in (int, float):
            try:
                return self.kind(text)
            except ValueError:
                raise ValueError("isn't a whole number" if self.kind is int else "isn't a number") from None
        if self.choices and text not in self.choices:
            raise ValueError(f"isn't one of {', '.join(self.choices)}")
        return text

    def _read_several(self, text: str) -> tuple[str, ...]:
        several = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
        for part in several:
            if part not in self.choices:
                raise ValueError(f"has '{part}'; there are {', '.join(self.choices)}")
        return several

    def write(self, value: Any) -> str:
        """The text that `read` turns into `value`."""
        if value is None:
            return AUTO
        if self.kind is bool:
            return "yes" if value else "no"
        if self.kind is tuple:
            return ",".join(value)
        return f"{value:.9g}" if self.kind is float else str(value)

    def problem(self, value: Any) -> str:
        """What is wrong with a value: "18, which is not within 0.3 and 3"; empty: nothing."""
        if value is None and self.optional:
            return ""
        if self.kind in (int, float):
            least, most = self.limits
            if type(value) not in (int, self.kind) or not math.isfinite(value):
                return f"{value}, which isn't a number"
            return "" if least <= value <= most else f"{value:g}, which is not within {least:g} and {most:g}"
        if not isinstance(value, self.kind):
            return f"{value}, which isn't {'yes or no' if self.kind is bool else 'text'}"
        try:
            self.read(self.write(value))
            if self.check is not None:
                self.check(str(value))
        except ValueError as error:
            return f"'{self.write(value)}', which {error}"
        except CaptureError as error:
            return f"'{value}': {str(error)[0].lower()}{str(error)[1:].rstrip('.')}"
        return ""


def option(default: Any, label: str, help: str, **how: Any) -> Any:  # noqa: A002 - argparse's word
    """A field of an options class: its default, and an `Option` with what else is known of it."""
    return field(default=default, metadata={"option": Option(label, help, **how)})


_declared: dict[type, Mapping[str, Option]] = {}


def options_of(cls: type) -> Mapping[str, Option]:
    """The options of an options class by name."""
    if cls not in _declared:
        _declared[cls] = _read_declaration(cls)
    return _declared[cls]


def _read_declaration(cls: type) -> dict[str, Option]:
    types = get_type_hints(cls)
    found = {}
    for one in fields(cls):
        if "option" not in one.metadata:
            continue
        parts = [part for part in get_args(types[one.name]) if part in (bool, int, float, str, type(None))]
        kind = types[one.name]
        optional = type(None) in parts
        if optional:
            (kind,) = (part for part in parts if part is not type(None))
        if getattr(kind, "__origin__", None) is tuple:
            kind = tuple
        found[one.name] = replace(
            one.metadata["option"], name=one.name, kind=kind, optional=optional, default=one.default
        )
    return found


def problems_of(cls: type, values: Mapping[str, Any]) -> list[str]:
    """What can't be right about values of an options class, as phrases: "says fps 1000, which is ..."."""
    options = options_of(cls)
    found = [
        f"says {options[name].flag} {problem}"
        for name, value in values.items()
        if (problem := options[name].problem(value))
    ]
    start, end = values.get("start", 0.0), values.get("end")
    if cls is Settings and not found and end is not None and end <= start:
        found.append(f"asks for {start:g} to {end:g} s, but the end has to lie after the start")
    return found


def check_options(chosen: Any) -> None:
    """Refuse an options object that has a value outside its limits.

    Raises
    ------
    CaptureError
        With the first one.
    """
    for name, one in options_of(type(chosen)).items():
        value = getattr(chosen, name)
        if not (problem := one.problem(value)):
            continue
        if one.check is not None:
            one.check(str(value))
        if not one.refusal:
            raise CaptureError(f"The option {one.flag} is {problem}: correct it, or leave it out.")
        least, most = (f"{limit:g}" for limit in one.limits)
        shown = one.write(value) if isinstance(value, one.kind) else value
        raise CaptureError(one.refusal.format(value=shown, least=least, most=most))
    if isinstance(chosen, Settings) and chosen.end is not None and chosen.end <= chosen.start:
        raise CaptureError(
            f"The range from {chosen.start:g} s to {chosen.end:g} s is empty; the end has to lie after the "
            "start."
        )


def from_plain(cls: type[Chosen], values: Any) -> Chosen:
    """An options object from plain data: what `dataclasses.asdict` and JSON made of one, or a part of it.

    Raises
    ------
    CaptureError
        If a value isn't what the option may be, or no option has its name.
    """
    if not isinstance(values, Mapping) or not values.keys() <= options_of(cls).keys():
        raise CaptureError(f"{values} are not the options that this version of Kinelift has: set them anew.")
    chosen = cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})
    check_options(chosen)
    return chosen


# --- capture ---


@dataclass(frozen=True)
class Place:
    """Where somebody is in the picture: pixels, at a time of the video in seconds (None: its start)."""

    x: float
    y: float
    seconds: float | None


_PLACE = re.compile(r"(\d+(?:\.\d+)?),(\d+(?:\.\d+)?)(?:@(\d+(?:\.\d+)?))?")
#: persons that a word names
PERSONS = {
    "largest": "Who is large in the picture, and for long",
    "leftmost": "Who is on the left of the picture most of the time",
    "rightmost": "Who is on the right of the picture most of the time",
}


def read_person(text: str) -> str | int | Place:
    """Whom an option ``person`` names: a word of `PERSONS`, a number from 1 on by size, or a place.

    Raises
    ------
    CaptureError
        If it names nobody.
    """
    if text in PERSONS:
        return text
    if text.isdecimal() and int(text) >= 1:
        return int(text)
    if (place := _PLACE.fullmatch(text)) is not None:
        x, y, seconds = place.groups()
        return Place(float(x), float(y), float(seconds) if seconds else None)
    raise CaptureError(
        f"There is no person '{text}'; choose largest, leftmost, rightmost or a number from 1 on, or a place "
        "in the picture as X,Y@SECONDS."
    )


#: how often the detector may look at each frame; each further time is test-time augmentation
MAX_LOOKS = 2


@dataclass(frozen=True)
class Settings:
    """What a capture is asked for."""

    start: float = option(
        0.0, "Start", "Begin here", unit="s", limits=(0, math.inf), metavar="S", in_panel=False,
        refusal="The start, {value} s, has to be 0 or more.",
    )  # fmt: skip
    end: float | None = option(
        None, "End", "End here; by default at the video's end", unit="s", limits=(0, math.inf), metavar="S",
        in_panel=False,
    )  # fmt: skip
    fps: float | None = option(
        None, "Sampling Rate", "Frames per second of the motion; by default the video's own",
        limits=(5, 240), metavar="N", suggestion=30.0,
        refusal="{value} frames per second won't do; choose {least} to {most}, or leave it out.",
    )  # fmt: skip
    focal: float | None = option(
        None, "Lens", "Focal length that filmed, as its 35 mm equivalent; by default the likeliest is found",
        unit="mm", limits=(5, 1000), metavar="MM", in_resolve=True,
        refusal="A focal length of {value} mm won't do; choose {least} to {most} mm, or leave it out.",
        suggestion=28.0,
    )  # fmt: skip
    person: str = option(
        "largest", "Follow",
        "Whom to capture: largest, leftmost, rightmost, a number by size, or X,Y@SECONDS: who is at that "
        "pixel at that time of the video",
        check=read_person, metavar="WHO", in_resolve=True, in_panel=False,
    )  # fmt: skip
    height: float | None = option(
        None, "Height", "The person's standing height; by default 1.71 m", unit="m", limits=(0.3, 3),
        metavar="M", in_resolve=True, suggestion=1.75,
        refusal="A height of {value} m won't do; choose {least} to {most} m, or leave it out.",
    )  # fmt: skip
    looks: int = option(
        MAX_LOOKS, "Looks",
        "How often the detector looks at each frame: 2 is more exact, 1 takes half the time",
        limits=(1, MAX_LOOKS), metavar="N",
        refusal="Looking {value} times at each frame won't do; choose {least} to {most}, or leave it out.",
    )  # fmt: skip
    device: str = option(
        "auto", "Device", "Where the network runs",
        choices={
            "auto": "A GPU if there is one that can be used",
            "cpu": "The processor",
            "cuda": "An NVIDIA GPU",
            "mps": "The GPU of an Apple computer",
        },
        in_resolve=True, in_panel=False,
    )  # fmt: skip


#: more stretches of a clip than this are not detected at once: each takes some 200 MB
MAX_THREADS = 4


def default_threads(captures: int = 1) -> int:
    """How many stretches of a clip to detect at once, where `captures` run beside each other."""
    affinity = getattr(os, "sched_getaffinity", None)  # only Linux says which cores are ours
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    return max(1, min(MAX_THREADS, cores // captures))


# --- clean-up ---


@dataclass(frozen=True)
class CleanUp:
    """How to clean a motion. `first` and `last` are frames from 0; outside of them nothing changes."""

    feet: bool = option(
        True, "Plant Feet", "Keep the feet where they are while the contacts say that they stand"
    )
    lock_toes: bool = option(
        True, "Lock Toes", "Lay the toes flat on the floor while the foot stands", off="free-toes"
    )
    floor: float = option(
        0.0, "Floor", "Height of the floor above the origin", unit="m", limits=(-100, 100), metavar="M"
    )
    minimum: float = option(
        0.1, "Min. Contact", "Ignore shorter contacts", unit="s", limits=(0, 60), metavar="S"
    )
    smooth: float = option(
        0.0, "Smoothing", "Even out movements quicker than this first; 0: none", unit="s", limits=(0, 60),
        metavar="S",
    )  # fmt: skip
    first: int | None = option(
        None, "First", "Leave the frames before this one as they are (from 0)", limits=(0, math.inf),
        metavar="F", in_panel=False,
    )  # fmt: skip
    last: int | None = option(
        None, "Last", "Leave the frames after this one as they are (from 0)", limits=(0, math.inf),
        metavar="F", in_panel=False,
    )  # fmt: skip


# --- retarget ---

#: parts of the body that can be left out: what each holds, for people and as joints (without their sides)
_PARTS = {
    "hips": ("Hips, and the way through space", ("hips", "root")),
    "spine": ("Spine and chest", ("spine", "chest")),
    "head": ("Neck and head", ("neck", "head")),
    "arms": ("Shoulders, upper arms and forearms", ("shoulder", "upper_arm", "forearm")),
    "hands": ("Hands", ("hand",)),
    "legs": ("Thighs and shins", ("thigh", "shin")),
    "feet": ("Feet and toes", ("foot", "toe")),
}
PARTS: Mapping[str, tuple[str, ...]] = {part: joints for part, (_, joints) in _PARTS.items()}
#: values of `RetargetSettings.root_motion`
HIPS, ROOT, IN_PLACE = "hips", "root", "in-place"


@dataclass(frozen=True)
class RetargetSettings:
    """How to move a character."""

    parts: tuple[str, ...] = option(
        tuple(PARTS), "Body", "Parts of the body that get the motion; the others keep theirs",
        choices={part: what for part, (what, _) in _PARTS.items()}, metavar="PARTS",
    )  # fmt: skip
    root_motion: str = option(
        HIPS, "Path", "What carries the character through space",
        choices={
            HIPS: "The hips move through space",
            ROOT: "The root bone moves along the floor, the hips above it",
            IN_PLACE: "The character stays where it is",
        },
    )  # fmt: skip
    posed: bool = option(
        False,
        "Pose is Rest",
        "Take the character's pose as it is now for the T-pose, instead of its rest pose",
    )
    plant: bool = option(
        True, "Plant Feet", "Plant the feet on the character's floor where the source's feet stand"
    )
    strip: bool = option(False, "As NLA Strip", "Put the result into an NLA strip; the active action stays")


# --- what is written ---

#: how an overlay draws the motion over the video
OVERLAY_STYLES = {"skeleton": "Bones", "body": "A shaded body"}
#: files that a batch can write
FORMATS = {"blend": "A scene", "bvh": "The skeleton", "fbx": "For other programs", "glb": "glTF"}
#: what a batch can render of the body: how the file ends, and what it shows
_RENDERS = {
    "still": (".png", "A picture of the middle"),
    "turntable": (".mp4", "The camera turns round the body once"),
    "side-by-side": (".mp4", "The video, and the body beside it"),
}
RENDERS = {kind: ending for kind, (ending, _) in _RENDERS.items()}


@dataclass(frozen=True)
class Outputs:
    """What a batch writes for a clip, beside its motion, a still picture and a summary."""

    format: tuple[str, ...] = option(
        tuple(FORMATS), "Formats", "Files to write", choices=FORMATS, metavar="KINDS"
    )  # fmt: skip
    render: tuple[str, ...] = option(
        (), "Renders", "Also render the body",
        choices={kind: shown for kind, (_, shown) in _RENDERS.items()}, metavar="KINDS",
    )  # fmt: skip
