"""What the artist can set, kept in the scene, and what is known of a captured armature, kept with it."""

from __future__ import annotations

import bpy
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

from ..operators.look import look
from .cleanup import CleanUpSettings


class VideoInfo(bpy.types.PropertyGroup):
    """What the worker said of the chosen video."""

    frames: IntProperty(description="How many frames the video has")
    fps: FloatProperty(description="Its frames per second")
    width: IntProperty(description="Width of its upright picture, pixels")
    height: IntProperty(description="Height of its upright picture, pixels")
    seconds: FloatProperty(description="How long it is, seconds")
    advice: StringProperty(description="What would make it easier to capture; empty: nothing")
    problem: StringProperty(description="Why it can't be captured; empty: it can")


def _chosen(_settings: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    look(context)


class SceneSettings(bpy.types.PropertyGroup):
    """What Capture from Video is asked for."""

    video: StringProperty(
        name="Video",
        description="Video of the person to capture",
        subtype="FILE_PATH",
        update=_chosen,
    )
    info: PointerProperty(type=VideoInfo, description="What the video is")
    person: EnumProperty(
        name="Follow",
        description="Whom to capture, if several people are in the picture",
        items=(
            ("largest", "Largest", "Who is large in the picture, and for long"),
            ("leftmost", "Leftmost", "Who is on the left of the picture most of the time"),
            ("rightmost", "Rightmost", "Who is on the right of the picture most of the time"),
            ("number", "Number", "The first, second, third... by size"),
            ("pick", "Pick on a Still", "Click on the person in a picture of the video"),
        ),
    )
    number: IntProperty(name="Number", description="1 is the largest person", default=1, min=1, max=6)
    pick: FloatVectorProperty(size=2, options={"HIDDEN"})
    pick_time: FloatProperty(options={"HIDDEN"})
    picked: BoolProperty(options={"HIDDEN"})
    first: IntProperty(
        name="First Frame", description="First frame of the video to capture", default=1, min=1
    )
    last: IntProperty(
        name="Last Frame", description="Last frame of the video to capture; 0: to its end", default=0, min=0
    )
    rate: EnumProperty(
        name="Frame Rate",
        description="At which frame rate the motion is keyed",
        items=(
            ("SCENE", "Scene", "The scene keeps its frame rate; the motion plays at its real speed"),
            ("VIDEO", "Video", "The scene takes over the video's frame rate"),
        ),
    )
    use_height: BoolProperty(
        name="Height Known", description="Give the armature the person's height; otherwise it is 1.71 m"
    )
    height: FloatProperty(
        name="Height",
        description="The person's standing height",
        subtype="DISTANCE",
        default=1.75,
        min=0.3,
        max=3.0,
        precision=3,
    )
    use_focal: BoolProperty(
        name="Lens Known", description="Say which lens filmed; otherwise the likeliest is found"
    )
    focal: FloatProperty(
        name="Lens",
        description="Focal length that filmed, as its 35 mm equivalent",
        subtype="DISTANCE_CAMERA",
        default=28.0,
        min=5.0,
        max=1000.0,
    )
    look_twice: BoolProperty(
        name="Look Twice",
        description="Have the detector look at every frame a second time, mirrored: more exact, and slower",
        default=True,
    )
    last_motion: StringProperty(subtype="FILE_PATH", options={"HIDDEN"})
    clean_up: PointerProperty(type=CleanUpSettings, description="How feet are cleaned up")

    def who(self) -> str:
        """The person to follow, as the worker takes it."""
        if self.person == "number":
            return str(self.number)
        if self.person == "pick" and self.picked:
            return f"{self.pick[0]:.1f},{self.pick[1]:.1f}@{self.pick_time:.4f}"
        return "largest" if self.person == "pick" else str(self.person)

    def stretch(self) -> tuple[float, float | None]:
        """Start and end of the range in the video, seconds; end None: the video's."""
        if self.info.frames == 0:
            return 0.0, None
        to_end = self.last == 0 or self.last >= self.info.frames
        return (self.first - 1) / self.info.fps, None if to_end else self.last / self.info.fps


class Stretch(bpy.types.PropertyGroup):
    """A stretch of frames of the scene."""

    first: IntProperty(description="Its first frame in the scene")
    last: IntProperty(description="Its last frame in the scene")


class Sentence(bpy.types.PropertyGroup):
    """A sentence, as its name."""


class Result(bpy.types.PropertyGroup):
    """What is known of a captured armature; `motion` is empty on all other objects."""

    motion: StringProperty(description="File of the captured motion", subtype="FILE_PATH")
    video: StringProperty(description="Name of the video that it was captured from")
    detected: FloatProperty(description="Share of the frames in which the person was seen")
    unsure: CollectionProperty(type=Stretch, description="Where little of the person was seen")
    warnings: CollectionProperty(type=Sentence, description="What there is to know about the capture")
