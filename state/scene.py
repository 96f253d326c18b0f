"""The settings of captures, kept in the scene, and facts about a captured armature, kept in its object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.app.translations import pgettext_rpt
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ..core.clips import is_clip
from ..core.errors import CaptureError
from ..core.option import options_of
from ..core.options import ALL, AND, PERSONS, CleanUp, Corrections, Settings
from .derived import property_of, values_of, with_options
from .live import slider_moved
from .probe_video import probe_video

#: whom to capture; a file keeps the place of what was chosen among them
_PEOPLE = (
    *((word, word.capitalize(), what) for word, what in PERSONS.items() if word != ALL),
    ("number", "Number", "The first, second, third... by size"),
    ("pick", "Pick on a Still", "Click on the person in a picture of the video"),
    (ALL, "Everybody", PERSONS[ALL]),
)


class VideoInfo(bpy.types.PropertyGroup):
    """What the worker found out about the chosen video."""

    frames: IntProperty(description="How many frames the video has")
    fps: FloatProperty(description="Its frames per second")
    width: IntProperty(description="Width of its upright picture, pixels")
    height: IntProperty(description="Height of its upright picture, pixels")
    seconds: FloatProperty(description="How long it is, seconds")
    advice: StringProperty(description="What would make it easier to capture; empty: nothing")
    problem: StringProperty(description="Why it can't be captured; empty: it can")


class ScenePerson(bpy.types.PropertyGroup):
    """Somebody whom the worker saw in the video; the name is what the option ``person`` calls them."""

    picture: StringProperty(description="File of a small picture, which lasts for the session")
    ticked: BoolProperty(name="Capture", description="Capture this person, too", default=True)


def _chosen(chosen: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    chosen.people.clear()
    probe_video(context)


def _cut(chosen: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    chosen.people.clear()  # somebody else may be in another range


@with_options(CleanUp)
class SceneCleanUp(bpy.types.PropertyGroup):
    """The settings of Clean Up Feet: the options of a clean-up, and a range of frames, also for Re-solve."""

    use_range: BoolProperty(
        name="Frame Range",
        description="Clean or solve only these frames; the others remain as they are",
    )
    first: IntProperty(name="First", description="First frame of the scene to change", default=1)
    last: IntProperty(name="Last", description="Last frame of the scene to change", default=250)

    def clean_up(self) -> CleanUp:
        """The chosen options, for all frames."""
        return CleanUp(**values_of(self, CleanUp))

    def frames(self) -> tuple[int, int] | None:
        """First and last frame of the scene to change; None: all."""
        return (self.first, self.last) if self.use_range else None


@with_options(Settings)
class SceneSettings(bpy.types.PropertyGroup):
    """The settings of Capture from Video."""

    video: StringProperty(
        name="Video",
        description="Video of the person to capture",
        subtype="FILE_PATH",
        update=_chosen,
    )
    turn: property_of(options_of(Settings)["turn"], update=_chosen)
    info: PointerProperty(type=VideoInfo, description="What the video is")
    person: EnumProperty(
        name="Follow",
        description="Whom to capture, if several people are in the picture",
        items=_PEOPLE,
    )
    number: IntProperty(name="Number", description="1 is the largest person", default=1, min=1, max=6)
    pick: FloatVectorProperty(size=2, options={"HIDDEN"})
    pick_time: FloatProperty(options={"HIDDEN"})
    picked: BoolProperty(options={"HIDDEN"})
    people: CollectionProperty(
        type=ScenePerson, description="Who can be captured, if that was looked for in this range of the video"
    )
    first: IntProperty(
        name="First Frame", description="First frame of the video to capture", default=1, min=1, update=_cut
    )
    last: IntProperty(
        name="Last Frame", description="Last frame of the video to capture; 0: to its end", default=0, min=0,
        update=_cut,
    )  # fmt: skip
    rate: EnumProperty(
        name="Frame Rate",
        description="At which frame rate the motion is keyed",
        items=(
            (
                "AUTO",
                "Automatic",
                "The video's in a scene in which nothing moves yet, else the scene's",
                "",
                2,
            ),
            ("SCENE", "Scene", "The scene keeps its frame rate; the motion plays at its real speed", "", 0),
            ("VIDEO", "Video", "The scene takes over the video's frame rate", "", 1),
        ),
        default="AUTO",
    )
    add_body: BoolProperty(name="Add Body", description="Give new captures a body", default=True)
    live: BoolProperty(
        name="Live",
        description="Solve again when the sliders rest; each such motion replaces the one before it",
        default=True,
    )
    last_motion: StringProperty(subtype="FILE_PATH", options={"HIDDEN"})
    clean_up: PointerProperty(type=SceneCleanUp, description="How feet are cleaned up")

    def who(self) -> str:
        """Whom to capture, as text for `options.Settings`; of everybody, those who are ticked."""
        if self.person == ALL:
            ticked = [person.name for person in self.people if person.ticked]
            return AND.join(ticked) if len(ticked) < len(self.people) else ALL
        if self.person == "number":
            return str(self.number)
        if self.person == "pick" and self.picked:
            return f"{self.pick[0]:.1f},{self.pick[1]:.1f}@{self.pick_time:.4f}"
        return "largest" if self.person == "pick" else str(self.person)

    def stretch(self) -> tuple[float, float | None]:
        """Start and end of the range in the video, seconds; an end of None is the video's."""
        if self.info.frames == 0:
            return 0.0, None
        to_end = self.last == 0 or self.last >= self.info.frames
        return (self.first - 1) / self.info.fps, None if to_end else self.last / self.info.fps

    def capture_settings(self, device: str) -> dict[str, Any]:
        """The values of `options.Settings` for a capture, by name."""
        start, end = self.stretch()
        return {
            **values_of(self, Settings), "person": self.who(), "start": start, "end": end, "device": device,
        }  # fmt: skip

    def chosen_video(self) -> Path:
        """The video to capture.

        Raises
        ------
        CaptureError
            If no video is chosen or it doesn't exist.
        """
        if not self.video:
            raise CaptureError("No video is chosen; choose one in the sidebar's Kinelift tab.")
        if self.video.startswith("//") and not bpy.data.filepath:
            raise CaptureError(
                "The video's path is relative to a Blender file that was never saved; save it, or choose the "
                "video again."
            )
        video = Path(bpy.path.abspath(self.video)).absolute()
        if not (video.exists() or is_clip(video)):
            gone = pgettext_rpt("{video} no longer exists; choose the video again.")
            raise CaptureError(gone.format(video=video))
        return video


class Stretch(bpy.types.PropertyGroup):
    """A stretch of frames of the scene; its name is the limb that is unsure, or empty: the whole body."""

    first: IntProperty(description="Its first frame in the scene")
    last: IntProperty(description="Its last frame in the scene")


class Sentence(bpy.types.PropertyGroup):
    """A sentence, kept as the name."""


@with_options(Corrections, update=slider_moved)
class ArmatureCorrections(bpy.types.PropertyGroup):
    """What is corrected in the motion of a captured armature."""


class PinnedBone(bpy.types.PropertyGroup):
    """A bone of a pin; its name is the joint's."""

    turn: FloatVectorProperty(size=4, description="World rotation against the rest pose: w, x, y, z")


class Pin(bpy.types.PropertyGroup):
    """How the body is in a frame of the scene, which Re-solve passes through."""

    frame: IntProperty(description="Frame of the scene")
    use: BoolProperty(name="Use", description="Re-solve passes through this pin", default=True)
    strength: FloatProperty(
        name="Strength",
        description="What the pin says counts by this share",
        default=1.0,
        min=0.05,
        max=1.0,
        subtype="FACTOR",
    )
    bones: CollectionProperty(type=PinnedBone, description="The bones that are pinned")
    use_hips: BoolProperty(description="Whether the place of the hips is pinned")
    hips: FloatVectorProperty(size=3, description="The place of the hips, metres")


def _pin_chosen(kept: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    """Show the frame of the pin that is chosen in the list; a pose without keys stays where it is shown."""
    if kept.pin < len(kept.pins) and kept.pins[kept.pin].frame != context.scene.frame_current:
        context.scene.frame_set(kept.pins[kept.pin].frame)


class Result(bpy.types.PropertyGroup):
    """The facts about a captured armature; `motion` is empty on all other objects."""

    motion: StringProperty(description="File of the captured motion", subtype="FILE_PATH")
    packed: PointerProperty(type=bpy.types.Text, description="The captured motion, packed in the .blend file")
    video: StringProperty(description="Name of the video that it was captured from")
    detected: FloatProperty(description="Share of the frames in which the person was seen")
    guessed_limbs: FloatProperty(description="Share of the frames with limbs that were hardly seen")
    off_picture: FloatProperty(description="Share of the frames with limbs that lie elsewhere in the picture")
    unsure_sides: FloatProperty(description="Share of the frames in which left may be right")
    unsure: CollectionProperty(
        type=Stretch, description="Where a limb or the body was hardly seen or lies elsewhere in the picture"
    )
    one_of_several: BoolProperty(
        description="Whether others were captured at once: each stays who they are in the world they share"
    )
    warnings: CollectionProperty(type=Sentence, description="Problems that the capture noticed")
    corrections: PointerProperty(type=ArmatureCorrections, description="What Re-solve corrects in the motion")
    accepted: CollectionProperty(type=Stretch, description="Doubtful moments that the artist has accepted")
    pins: CollectionProperty(type=Pin, description="Poses that Re-solve passes through, by frame")
    pin: IntProperty(description="Which pin is chosen", update=_pin_chosen, options={"HIDDEN"})
