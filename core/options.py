"""Every option of Kinelift, declared once.

An options class is a frozen dataclass whose fields `option` makes. The command lines (`core.command_line`),
the columns of a batch's CSV (`batch.lists`) and Blender's properties (`state.derived`) are derived from it,
so a new option needs one field here and the stage that uses it.

This module imports neither numpy nor bpy: command lines are read before either is loaded.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from .errors import CaptureError, brief
from .files import MOTION_SUFFIX, name_of_person
from .option import option, options_of

Chosen = TypeVar("Chosen")


# --- capture ---


@dataclass(frozen=True)
class Place:
    """A place in the picture, pixels, at a time of the video, seconds (None: the start of the range)."""

    x: float
    y: float
    seconds: float | None


#: a number of pixels, seconds or people; longer ones mean nothing, and some are too long for Python
_NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
_PLACE = re.compile(rf"({_NUMBER}),({_NUMBER})(?:@({_NUMBER}))?")
#: captures everybody who counts, each for themselves
ALL = "all"
#: so many people are captured at once at most: as many as are looked at in a picture
MOST_PEOPLE = 6
#: words that name a person, and whom
PERSONS = {
    "largest": "The person who is largest in the picture for longest",
    "leftmost": "The person on the left of the picture most of the time",
    "rightmost": "The person on the right of the picture most of the time",
    ALL: f"Everybody who is there for long and large enough, in one world; at most {MOST_PEOPLE}",
}
#: stands between several people
AND = "+"


def several(person: str) -> bool:
    """Whether the option ``person`` asks for more than one person: each gets a capture, in one world."""
    return person == ALL or AND in person


def read_people(text: str) -> list[str | int | Place]:
    """Parse the option ``person``: one as `read_person` has it, or several with `AND` between them.

    Raises
    ------
    CaptureError
        If one of them is no person, or is everybody, or there are more than `MOST_PEOPLE`.
    """
    people = [read_person(one) for one in text.split(AND)]
    if len(people) > MOST_PEOPLE:
        raise CaptureError(
            f"'{brief(text)}' are {len(people)} people: name {MOST_PEOPLE} at most, and capture the others "
            "after them."
        )
    if len(people) > 1 and ALL in people:
        raise CaptureError(
            f"Nobody can be added to all in '{brief(text)}': say all alone, or name each person."
        )
    return people


def read_person(text: str) -> str | int | Place:
    """Parse one person: a word of `PERSONS`, a number (1 is the largest person), or a place.

    Raises
    ------
    CaptureError
        If it is none of these.
    """
    if text in PERSONS:
        return text
    if re.fullmatch(r"\d{1,9}", text) and int(text) >= 1:
        return int(text)
    if (place := _PLACE.fullmatch(text)) is not None:
        x, y, seconds = place.groups()
        return Place(float(x), float(y), float(seconds) if seconds else None)
    raise CaptureError(
        f"There is no person '{brief(text)}'; choose largest, leftmost, rightmost, all or a number from 1 "
        "on, or a place in the picture as X,Y@SECONDS."
    )


#: captures what is above the hips
UPPER = "upper"
# what a motion does where nobody is seen:
HOLD, TRIM, FADE = "hold", "trim", "fade"


@dataclass(frozen=True)
class Corrections:
    """What is corrected in a whole clip; by default nothing. The artist chooses it for each armature."""

    straighten_knees: float = option(
        0.0, "Straight Knees", "Share of their bend that is taken out of the knees",
        limits=(0, 1), metavar="SHARE", in_resolve=True,
    )  # fmt: skip
    lean: float = option(
        0.0, "Lean", "Degrees by which the trunk leans farther forwards, or back if negative",
        limits=(-45, 45), metavar="DEGREES", in_resolve=True,
    )  # fmt: skip
    head_pitch: float = option(
        0.0, "Head Pitch", "Degrees by which the head looks farther up, or down if negative",
        limits=(-45, 45), metavar="DEGREES", in_resolve=True,
    )  # fmt: skip
    floor_tilt: float = option(
        0.0, "Floor Tilt", "Degrees by which the floor rises away from the camera, or falls if negative",
        limits=(-30, 30), metavar="DEGREES", in_resolve=True,
    )  # fmt: skip
    floor_roll: float = option(
        0.0, "Floor Roll",
        "Degrees by which the floor rises to the right of the picture, or to its left if negative",
        limits=(-30, 30), metavar="DEGREES", in_resolve=True,
    )  # fmt: skip
    smooth_arms: float = option(
        0.0, "Smooth Arms", "Smooth out movements of the arms faster than this; 0: none",
        unit="s", limits=(0, 1), metavar="S", in_resolve=True,
    )  # fmt: skip
    smooth_legs: float = option(
        0.0, "Smooth Legs", "Smooth out movements of the legs faster than this; 0: none",
        unit="s", limits=(0, 1), metavar="S", in_resolve=True,
    )  # fmt: skip
    smooth_trunk: float = option(
        0.0, "Smooth Trunk", "Smooth out movements of the hips, spine and chest faster than this; 0: none",
        unit="s", limits=(0, 1), metavar="S", in_resolve=True,
    )  # fmt: skip
    smooth_head: float = option(
        0.0, "Smooth Head", "Smooth out movements of the head faster than this; 0: none",
        unit="s", limits=(0, 1), metavar="S", in_resolve=True,
    )  # fmt: skip


@dataclass(frozen=True)
class Settings(Corrections):
    """The options of a capture."""

    start: float = option(
        0.0, "Start", "Where to begin", unit="s", limits=(0, math.inf), metavar="S", in_panel=False,
        refusal="The start, {value} s, has to be 0 or more.",
    )  # fmt: skip
    end: float | None = option(
        None, "End", "Where to end; by default at the end of the video", unit="s", limits=(0, math.inf),
        metavar="S", in_panel=False,
    )  # fmt: skip
    fps: float | None = option(
        None, "Sampling Rate",
        "Frames per second of the motion, and of a sequence of pictures; by default the video's own, 24 for "
        "pictures",
        limits=(5, 240), metavar="N", suggestion=30.0,
        refusal="{value} frames per second won't do; choose {least} to {most}, or leave it out.",
    )  # fmt: skip
    slow_motion: float = option(
        1.0, "Slow Motion",
        "How many times slower than life the video plays, such as 4 if 120 frames per second play at 30; the "
        "motion is as slow as the video",
        limits=(0.1, 40), metavar="FACTOR", in_resolve=True,
        refusal="{value} times slower than life won't do; choose {least} to {most}, or leave it out.",
    )  # fmt: skip
    turn: str = option(
        "auto", "Turn",
        "Degrees by which to turn the picture clockwise, after what the file says of it; by default it is "
        "turned where people can't but lie on their side",
        choices={
            "auto": "As the file says; a picture that clearly lies on its side is stood up",
            "0": "As the file says",
            "90": "A quarter clockwise",
            "180": "Upside down",
            "270": "A quarter anticlockwise",
        },
    )  # fmt: skip
    focal: float | None = option(
        None, "Lens", "Focal length of the camera, as its 35 mm equivalent; by default it is estimated",
        unit="mm", limits=(5, 1000), metavar="MM", in_resolve=True,
        refusal="A focal length of {value} mm won't do; choose {least} to {most} mm, or leave it out.",
        suggestion=28.0,
    )  # fmt: skip
    person: str = option(
        "largest", "Follow",
        "Whom to capture: largest, leftmost, rightmost, a number (1 is the largest), X,Y@SECONDS for the "
        "person at that pixel at that time of the video, several of these with + between them, or all for "
        "everybody; of several, each gets a file of their own",
        check=read_people, metavar="WHO", in_resolve=True, in_panel=False,
    )  # fmt: skip
    height: float | None = option(
        None, "Height", "The person's standing height; by default 1.71 m", unit="m", limits=(0.3, 3),
        metavar="M", in_resolve=True, suggestion=1.75,
        refusal="A height of {value} m won't do; choose {least} to {most} m, or leave it out.",
    )  # fmt: skip
    body: str = option(
        "whole", "Body", "Which part of the body to capture",
        choices={
            "whole": "All of it; legs that nobody sees rest",
            UPPER: "What is above the hips; the legs rest, and no foot is planted",
        },
        in_resolve=True,
    )  # fmt: skip
    unseen: str = option(
        HOLD, "Unseen",
        "What the motion does before the person is seen first, after they are seen last, and while they "
        "aren't seen for more than a second in between",
        choices={
            HOLD: "It rests in the pose that was seen",
            TRIM: "It begins and ends with what is seen; in between it rests",
            FADE: "It slows down and rests; in between it goes evenly from pose to pose",
        },
    )  # fmt: skip
    quality: str = option(
        "normal", "Quality", "How carefully people are looked at",
        choices={
            "quick": "A smaller network, in less than half of the time",
            "normal": "The large network",
            "best": "The large network looks at everybody twice, which takes twice as long",
        },
    )  # fmt: skip
    device: str = option(
        "auto", "Device", "Where the neural network runs",
        choices={
            "auto": "A GPU if one can be used, else the processor",
            "cpu": "The processor",
            "cuda": "An NVIDIA GPU",
            "mps": "The GPU of an Apple computer",
        },
        in_resolve=True, in_panel=False,
    )  # fmt: skip


#: most stretches of a clip to detect at once: each takes about 200 MB of memory
MAX_THREADS = 4


def default_threads(captures: int = 1) -> int:
    """How many stretches of a clip to detect at once while `captures` captures run."""
    affinity = getattr(os, "sched_getaffinity", None)  # only on Linux: the cores that we may use
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    return max(1, min(MAX_THREADS, cores // captures))


# --- clean-up ---


@dataclass(frozen=True)
class CleanUp:
    """How to clean a motion. `first` and `last` are frames from 0; frames outside of them don't change."""

    feet: bool = option(True, "Plant Feet", "Hold the feet in place while they have contact")
    lock_toes: bool = option(
        True, "Lock Toes", "Lay the toes flat on the floor while the foot has contact", off="free-toes"
    )
    floor: float = option(
        0.0, "Floor", "Height of the floor above the origin", unit="m", limits=(-100, 100), metavar="M"
    )
    minimum: float = option(
        0.1, "Min. Contact", "Ignore contacts shorter than this", unit="s", limits=(0, 60), metavar="S"
    )
    smooth: float = option(
        0.0, "Smoothing", "Smooth out movements faster than this before the feet are planted; 0: none",
        unit="s", limits=(0, 60), metavar="S",
    )  # fmt: skip
    first: int | None = option(
        None, "First", "First frame to change, counted from 0; by default the first of the motion",
        limits=(0, math.inf), metavar="F", in_panel=False,
    )  # fmt: skip
    last: int | None = option(
        None, "Last", "Last frame to change, counted from 0; by default the last of the motion",
        limits=(0, math.inf), metavar="F", in_panel=False,
    )  # fmt: skip

    @property
    def frames(self) -> slice:
        """The frames that change."""
        return slice(self.first, None if self.last is None else self.last + 1)


# --- key reduction ---


@dataclass(frozen=True)
class KeyReduction:
    """How far a motion with fewer keys may be from what it was."""

    rotation: float = option(
        1.0,
        "Rotation in Degrees",
        "How far any bone may turn away from how it was turned",
        limits=(0.01, 45),
    )
    distance: float = option(
        10.0, "Distance", "How far the hips may be from where they were; the ankles half as far, so that no "
        "foot that stands slides farther", unit="mm", limits=(0.1, 1000),
    )  # fmt: skip


# --- retarget ---

#: parts of the body that can be left out: a description, and their joints without sides
_PARTS = {
    "hips": ("Hips, and the path through space", ("hips", "root")),
    "spine": ("Spine and chest", ("spine", "chest")),
    "head": ("Neck and head", ("neck", "head")),
    "arms": ("Shoulders, upper arms and forearms", ("shoulder", "upper_arm", "forearm")),
    "hands": ("Hands", ("hand",)),
    "legs": ("Thighs and shins", ("thigh", "shin")),
    "feet": ("Feet and toes", ("foot", "toe")),
}
#: joints of each part of the body, without sides
PARTS: Mapping[str, tuple[str, ...]] = {part: joints for part, (_, joints) in _PARTS.items()}
#: root motion on the hips alone
HIPS = "hips"
#: root motion on the root bone, and the hips above it
ROOT = "root"
#: no root motion
IN_PLACE = "in-place"


@dataclass(frozen=True)
class RetargetSettings:
    """The options of a retarget."""

    parts: tuple[str, ...] = option(
        tuple(PARTS), "Body", "Parts of the body that take over the motion; the others keep theirs",
        choices={part: what for part, (what, _) in _PARTS.items()}, metavar="PARTS",
    )  # fmt: skip
    root_motion: str = option(
        HIPS, "Root Motion", "What carries the character through space",
        choices={
            HIPS: "The hips move through space",
            ROOT: "The root bone moves along the floor, the hips above it",
            IN_PLACE: "The character stays where it is",
        },
    )  # fmt: skip
    posed: bool = option(
        False,
        "Pose is Rest",
        "Use the character's current pose as its T-pose, instead of its rest pose",
    )
    plant: bool = option(
        True, "Plant Feet", "Plant the feet on the character's floor where the source's feet stand"
    )
    ik: bool = option(
        True, "IK Controls",
        "Key the controls of inverse kinematics, too: switching to them then leaves the pose as it is",
    )  # fmt: skip
    strip: bool = option(False, "As NLA Strip", "Put the result into an NLA strip; the active action stays")


# --- what an artist made by hand ---

# what becomes of it in an action that Kinelift makes anew:
CARRY, LAYER, RAW = "carry", "layer", "raw"
#: the choices: a label, and a description
EDITS: Mapping[str, tuple[str, str]] = {
    CARRY: (
        "Carry Over",
        "The new action has the edits too, on top of the new motion; feet are planted with them",
    ),
    LAYER: (
        "Keep on a Layer",
        "The edits become an action of their own, which you go on editing; the new motion lies below it in "
        "the NLA editor",
    ),
    RAW: (
        "Start from the Raw Motion",
        "The edits stay in the earlier action alone, which the panel Motions lists",
    ),
}


# --- what is written ---

#: styles of an overlay: how it draws the motion over the video
OVERLAY_STYLES = {"skeleton": "Bones", "body": "A shaded body"}
#: formats that a batch can write
FORMATS = {"blend": "A Blender scene", "bvh": "The skeleton", "fbx": "For other programs", "glb": "glTF"}
#: formats of which one file holds several people
_OF_SEVERAL = ("blend", "fbx", "glb")
# how everybody of a clip is written:
TOGETHER, APART = "together", "apart"
#: renders of the body: the ending of the file, and what it shows
_RENDERS = {
    "still": (".png", "A picture of the middle frame"),
    "turntable": (".mp4", "The camera turns once around the body"),
    "side-by-side": (".mp4", "The video, and the body beside it"),
}
#: ending of each render's file
RENDERS = {kind: ending for kind, (ending, _) in _RENDERS.items()}


#: what the switch of a camera that moved is called
STILL_CAMERA = "Still Camera"


@dataclass(frozen=True)
class Outputs:
    """The files that a batch writes for each person of a clip, beside their motion, a still and a summary."""

    format: tuple[str, ...] = option(
        tuple(FORMATS), "Formats", "Files to write", choices=FORMATS, metavar="KINDS"
    )  # fmt: skip
    render: tuple[str, ...] = option(
        (), "Renders", "Also render the body",
        choices={kind: shown for kind, (_, shown) in _RENDERS.items()}, metavar="KINDS",
    )  # fmt: skip
    everybody: str = option(
        TOGETHER, "Everybody", "How the .blend, .fbx and .glb hold several people of a clip",
        choices={
            TOGETHER: "All of them in one file, where they were to each other",
            APART: "Each of them in a file of their own",
        },
    )  # fmt: skip
    still_camera: bool = option(
        False, STILL_CAMERA, "Keep a camera that moved still, and let the person move in its place"
    )  # fmt: skip


def body_render(kind: str) -> str:
    """What a summary calls one of `RENDERS`: its still shows the body, the plain one the skeleton."""
    return "body" if kind == "still" else kind


def endings_of(outputs: Outputs, number: int = 1) -> dict[str, str]:
    """What the files of a clip's numbered person add to its name, by what a summary calls them.

    Files that hold everybody are the first one's.
    """
    own = number == 1 or outputs.everybody == APART
    renders = {body_render(kind): RENDERS[kind] for kind in outputs.render}
    endings = {
        **{kind: f".{kind}" for kind in outputs.format if own or kind not in _OF_SEVERAL},
        "still": ".png",
        **{kind: f".{kind}{ending}" for kind, ending in renders.items()},
        "chart": ".chart.svg",
        "motion": MOTION_SUFFIX,
        "summary": ".summary.json",
    }
    return {kind: name_of_person("", number) + ending for kind, ending in endings.items()}


# --- checks ---


def problems_of(cls: type, values: Mapping[str, Any]) -> list[str]:
    """What is wrong with values of an options class, as phrases: "says fps 1000, which is ..."."""
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
    """Refuse an options object with a value that isn't allowed.

    Raises
    ------
    CaptureError
        About the first such value.
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
        shown = one.write(value) if isinstance(value, one.kind) else brief(value)
        raise CaptureError(one.refusal.format(value=shown, least=least, most=most))
    if isinstance(chosen, Settings) and chosen.end is not None and chosen.end <= chosen.start:
        raise CaptureError(
            f"The range from {chosen.start:g} s to {chosen.end:g} s is empty; the end has to lie after the "
            "start."
        )


def from_plain(cls: type[Chosen], values: Any) -> Chosen:
    """An options object from plain data: all or some fields, as `dataclasses.asdict` and JSON give them.

    Raises
    ------
    CaptureError
        If a value isn't allowed or an option doesn't exist.
    """
    if not isinstance(values, Mapping) or not values.keys() <= options_of(cls).keys():
        raise CaptureError(
            f"{brief(values)} are not the options that this version of Kinelift has: set them anew."
        )
    chosen = cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})
    check_options(chosen)
    return chosen
