"""How long each press of the panel keeps Blender waiting, with the capture of a long clip.

    python -m bench.panel [--frames N] [--character FILE]

The sample's true motion, forwards and backwards in turn, is the capture. --character is retargeted to;
without it, a second captured armature is. Printed are the seconds that each takes and those that the
processor works for it, which a busy machine changes less, and what the memory has grown to.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import bpy

from kinelift.bench.playback import walk
from kinelift.core.options import RetargetSettings
from kinelift.registration import register

#: frames that are played
_PLAYED = 20


def main() -> None:
    """Press one after the other, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=36_000)
    parser.add_argument("--character", type=Path)
    args = parser.parse_args()

    register()
    from kinelift.operators.build import build
    from kinelift.rig.armature import build_armature
    from kinelift.rig.retarget.apply import retarget
    from kinelift.rig.retarget.bones import read_rig
    from kinelift.rig.retarget.character import load_character
    from kinelift.rig.retarget.mapping import find_bone_map
    from kinelift.rig.retarget.preview import end_preview, start_preview
    from kinelift.rig.retarget.source import frames_of, perform_armature

    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene, objects = bpy.context.scene, bpy.context.view_layer.objects
    capture = walk(args.frames)
    with tempfile.TemporaryDirectory(prefix="kinelift-panel-") as folder:
        motion = Path(folder) / "long.motion.npz"
        capture.save(motion)

        def timed(what: str, work: Callable[[], object]) -> None:
            began, computed = time.perf_counter(), time.process_time()
            work()
            took, computed = time.perf_counter() - began, time.process_time() - computed
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"| {what} | {took:.2f} | {computed:.2f} | {memory:.0f} |", flush=True)

        def play() -> None:
            middle = args.frames // 2
            for frame in range(middle, middle + _PLAYED):
                scene.frame_set(frame)

        print(
            f"{args.frames} frames\n\n| what | seconds | of the processor | memory, MB |\n|---|---|---|---|"
        )
        timed("build the armature", lambda: build(motion, "long", scene.name, True))
        armature = bpy.context.active_object
        timed("Clean Up Feet", bpy.ops.kinelift.clean_up)
        timed("Rebuild", bpy.ops.kinelift.rebuild)
        for what, button in (
            ("Add Camera", bpy.ops.kinelift.add_camera),
            ("Add Body", bpy.ops.kinelift.add_body),
            ("Show Confidence", bpy.ops.kinelift.show_confidence),
            ("Mark Unsure", bpy.ops.kinelift.mark_unsure),
        ):
            objects.active = armature
            timed(what, button)
        timed(f"play {_PLAYED} frames", play)
        if args.character is not None:
            target = load_character(args.character)
        else:
            target = build_armature("Character", capture.motion.offsets, scene.collection)
        bone_map, how = find_bone_map(read_rig(target), target.data), RetargetSettings()
        timed("Live Preview", lambda: start_preview(armature, target, bone_map, how))
        timed(f"play {_PLAYED} frames of it", play)
        timed("end it", end_preview)
        fps = capture.motion.fps
        timed(
            "Retarget",
            lambda: retarget(
                perform_armature(armature, frames_of(armature), fps), target, bone_map, how, "retargeted"
            ),
        )
        objects.active = armature
        out = str(Path(folder) / "out.bvh")
        timed("export BVH", lambda: bpy.ops.kinelift.export(kind="bvh", filepath=out))
    os._exit(0)  # bpy 4.5 would hang at the interpreter's exit


if __name__ == "__main__":
    main()
