"""All files of a clip in one folder, made from its motion: the second half of what the batch does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import bpy

from ..core.capture import Capture
from ..core.chart import save_chart
from ..core.files import MOTION_SUFFIX, everybodys, name_of_person, replacing, split_character
from ..core.foot_ik import clean_up
from ..core.motion import Motion
from ..core.options import TOGETHER, CleanUp, Outputs, RetargetSettings, body_render, endings_of
from ..core.quality import detected_share, limbs_off_picture, shares, stretches, unsure_stretches
from .body import add_body
from .camera import find_video, show_video
from .export import export
from .render import render
from .result import gather
from .retarget.apply import retarget
from .retarget.bones import read_rig
from .retarget.character import find_character, load_character
from .retarget.mapping import find_bone_map
from .retarget.source import perform_motion
from .scene import add_beside, build_scene
from .still import render_still


@dataclass(frozen=True)
class _Person:
    """One person of a clip, with their files by what a summary calls them."""

    name: str
    capture: Capture
    cleaned: Motion
    character: str
    files: Mapping[str, Path]


def deliver(
    motion_path: Path,
    clip: Path,
    outputs: Outputs,
    how: CleanUp,
    characters: Sequence[str] = (),
    retargeting: RetargetSettings = RetargetSettings(),  # noqa: B008 - frozen
) -> dict[Path, tuple[str, ...]]:
    """Make the files of a clip's people beside their motions; what is open in Blender is lost.

    Parameters
    ----------
    motion_path : Path
        ``NAME.motion.npz`` of the first person, whose files are called NAME; `files.name_of_person` says what
        those of the others are called.
    clip : Path
        What it was captured from, or the motion that it is a copy of.
    outputs : Outputs
        Which files to make.
    how : CleanUp
        For all files but the motions.
    characters : sequence of str
        A character to retarget to as well for each person, which .fbx and .glb then hold; empty: none.
    retargeting : RetargetSettings
        How to move them.

    Returns
    -------
    dict
        By each person's motion what the artist should know of them, a sentence each; what is true of several
        is said of the first of them.

    Raises
    ------
    CaptureError
        If a file can't be made.
    """
    people = _people(motion_path, outputs, how, characters)
    groups = [people] if outputs.everybody == TOGETHER else [[one] for one in people]
    # several stay where they were to each other
    origin = (0.0, 0.0) if len(people) > 1 else None
    told = [said for group in groups for said in _deliver(group, clip, outputs, retargeting, origin)]
    told[0] += _without_person(people, characters)
    if any(characters):
        told = [said + _without_character(one) for one, said in zip(people, told, strict=True)]
    known: dict[str, Path] = {}
    for one, said in zip(people, told, strict=True):
        for sentence in said:
            known.setdefault(sentence, one.files["motion"])
    return {
        path: tuple(sentence for sentence, first in known.items() if first == path)
        for path in (one.files["motion"] for one in people)
    }


def _people(motion_path: Path, outputs: Outputs, how: CleanUp, characters: Sequence[str]) -> list[_Person]:
    """Everybody whom one capture has beside `motion_path`."""
    name = motion_path.name.removesuffix(MOTION_SUFFIX)
    people = []
    for number, path in enumerate(everybodys(motion_path, Capture.load(motion_path).people), 1):
        capture = Capture.load(path)
        if outputs.still_camera:
            capture = capture.with_still_camera()
        people.append(
            _Person(
                name_of_person(name, number),
                capture,
                clean_up(capture.motion, how),
                characters[number - 1] if number <= len(characters) else "",
                {kind: path.with_name(f"{name}{end}") for kind, end in endings_of(outputs, number).items()},
            )
        )
    return people


def _without_person(people: Sequence[_Person], characters: Sequence[str]) -> tuple[str, ...]:
    """A sentence about characters for whom there is no person, if there are any."""
    left = ", ".join(split_character(one)[0].name for one in characters[len(people) :] if one)
    captured = "one person was" if len(people) == 1 else f"{len(people)} people were"
    return (f"Only {captured} captured, so there is no motion for {left}.",) if left else ()


def _without_character(person: _Person) -> tuple[str, ...]:
    """A sentence about a person for whom there is no character."""
    if person.character:
        return ()
    return (f"There is no character for {person.name}: give one more --retarget; all else was made.",)


def _deliver(
    people: Sequence[_Person],
    clip: Path,
    outputs: Outputs,
    retargeting: RetargetSettings,
    origin: tuple[float, float] | None,
) -> list[tuple[str, ...]]:
    """Make the files of people who share a scene; what the artist should know of each, sentences."""
    first = people[0]
    # a file of its own for every clip, whatever the user's preferences
    bpy.ops.wm.read_factory_settings(use_empty=True)
    armatures = [build_scene(first.capture, first.name, first.cleaned)]
    armatures += [add_beside(one.capture, one.name, one.cleaned) for one in people[1:]]
    if len(people) > 1:
        gather(armatures, first.name)
    # a motion from a file names its video
    video = clip if clip.suffix != ".npz" else find_video(first.capture.source, clip.parent)
    scene = bpy.context.scene
    if "blend" in outputs.format:
        for camera in [one for one in scene.objects if one.type == "CAMERA"]:
            show_video(camera, scene, first.capture, video.absolute())
    told = [one.capture.warnings for one in people]
    played = list(armatures)
    for number, one in enumerate(people):
        if one.character:
            played[number], said = _retargeted(one, retargeting, origin)
            told[number] += said
    for one in people:
        for kind in outputs.format:
            if kind in one.files:
                export(kind, one.files[kind], played, one.cleaned)
    for one, armature in zip(people, armatures, strict=True):
        render_still(one.files["still"], armature, (scene.frame_start + scene.frame_end) // 2)
    if outputs.render:
        for armature in armatures:
            add_body(armature)
    for one, armature in zip(people, armatures, strict=True):
        for kind in outputs.render:
            render(kind, one.files[body_render(kind)], armature, one.capture, video)
        save_chart(one.capture, one.files["chart"])
        # those that hold everybody are the first one's
        files = {**{kind: first.files[kind] for kind in outputs.format}, **one.files}
        with replacing(one.files["summary"]) as temporary:
            summary = _summary(one.capture, armature, files)
            temporary.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return told


def _retargeted(
    person: _Person, how: RetargetSettings, origin: tuple[float, float] | None
) -> tuple[bpy.types.Object, tuple[str, ...]]:
    """Add a person's character to the scene and let it play their motion; also what the artist should know.

    `origin` is as `retarget` takes it.
    """
    scene = bpy.context.scene.render
    target = load_character(*find_character(person.character))
    performance = perform_motion(person.cleaned, scene.fps / scene.fps_base)
    bone_map = find_bone_map(read_rig(target), target.data)
    name = f"{target.name} {person.name}"
    result = retarget(performance, target, bone_map, how, name, origin=origin)
    return target, result.warnings


def _summary(capture: Capture, armature: bpy.types.Object, files: Mapping[str, Path]) -> dict[str, Any]:
    """What was captured, in figures: metres, seconds."""
    motion = capture.motion
    return {
        "frames": len(motion),
        "seconds": round(len(motion) / motion.fps, 3),
        "fps": motion.fps,
        "detected": round(detected_share(capture), 4),
        "shares": {state: round(share, 4) for state, share in shares(capture).items()},
        "stretches": stretches(capture),
        "unsure": [stretch._asdict() for stretch in unsure_stretches(capture)],
        "off_picture": {
            limb: None if off is None else round(off, 4) for limb, off in limbs_off_picture(capture).items()
        },
        "shots": [
            {
                "first": shot.start,
                "start": round(motion.start + shot.start / motion.fps, 3),
                "end": round(motion.start + shot.stop / motion.fps, 3),
            }
            for shot in motion.shots
        ],
        "height": round(motion.height, 4),
        "bone_lengths": {
            bone.name.removesuffix(".L"): round(bone.length, 5)
            for bone in armature.data.bones
            if not bone.name.endswith(".R")
        },
        "settings": capture.settings,
        "source": asdict(capture.source),
        "warnings": list(capture.warnings),
        "files": {kind: path.name for kind, path in files.items() if kind != "summary"},
    }
