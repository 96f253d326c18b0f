"""All files of a clip in one folder, made from its motion: the second half of what the batch does."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bpy

from ..core.capture import Capture
from ..core.chart import save_chart
from ..core.files import replacing
from ..core.foot_ik import clean_up
from ..core.motion import Motion
from ..core.options import CleanUp, Outputs, RetargetSettings, body_render, endings_of
from ..core.quality import detected_share, limbs_off_picture, shares, stretches, unsure_stretches
from .body import add_body
from .camera import find_video, show_video
from .export import export
from .render import render
from .retarget.apply import retarget
from .retarget.bones import read_rig
from .retarget.character import find_character, load_character
from .retarget.mapping import find_bone_map
from .retarget.source import perform_motion
from .scene import build_scene
from .still import render_still


def deliver(
    motion_path: Path,
    clip: Path,
    outputs: Outputs,
    how: CleanUp,
    character: str = "",
    retargeting: RetargetSettings = RetargetSettings(),  # noqa: B008 - frozen
) -> tuple[str, ...]:
    """Make a clip's files beside its motion; what is open in Blender is lost.

    Parameters
    ----------
    motion_path : Path
        ``NAME.motion.npz``; everything is called NAME.
    clip : Path
        What it was captured from, or the motion that it is a copy of.
    outputs : Outputs
        Which files to make.
    how : CleanUp
        For all files but the motion.
    character : str
        A character to retarget to as well, which .fbx and .glb then hold; empty: none.
    retargeting : RetargetSettings
        How to move it.

    Returns
    -------
    tuple of str
        What the artist should know, a sentence each.

    Raises
    ------
    CaptureError
        If a file can't be made.
    """
    folder, name = motion_path.parent, motion_path.name.removesuffix(".motion.npz")
    capture = Capture.load(motion_path)
    if outputs.still_camera:
        capture = capture.with_still_camera()
    cleaned = clean_up(capture.motion, how)
    # a file of its own for every clip, whatever the user's preferences
    bpy.ops.wm.read_factory_settings(use_empty=True)
    armature = build_scene(capture, name, cleaned)
    warnings = capture.warnings
    played = armature
    # a motion from a file names its video
    video = clip if clip.suffix != ".npz" else find_video(capture.source, clip.parent)
    scene = bpy.context.scene
    if "blend" in outputs.format:
        for camera in [one for one in scene.objects if one.type == "CAMERA"]:
            show_video(camera, scene, capture, video.absolute())
    if character:
        played, told = _retargeted(character, cleaned, name, retargeting)
        warnings += told
    files = {kind: folder / f"{name}{ending}" for kind, ending in endings_of(outputs).items()}
    for kind in outputs.format:
        export(kind, files[kind], played, cleaned)
    render_still(files["still"], armature, (scene.frame_start + scene.frame_end) // 2)
    if outputs.render:
        add_body(armature)
    for kind in outputs.render:
        render(kind, files[body_render(kind)], armature, capture, video)
    save_chart(capture, files["chart"])
    with replacing(files["summary"]) as temporary:
        summary = _summary(capture, armature, files)
        temporary.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return warnings


def _retargeted(
    character: str, motion: Motion, name: str, how: RetargetSettings
) -> tuple[bpy.types.Object, tuple[str, ...]]:
    """Add a character to the scene and let it play the motion; also what the artist should know."""
    scene = bpy.context.scene.render
    target = load_character(*find_character(character))
    performance = perform_motion(motion, scene.fps / scene.fps_base)
    bone_map = find_bone_map(read_rig(target), target.data)
    result = retarget(performance, target, bone_map, how, f"{target.name} {name}")
    return target, result.warnings


def _summary(capture: Capture, armature: bpy.types.Object, files: dict[str, Path]) -> dict[str, Any]:
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
