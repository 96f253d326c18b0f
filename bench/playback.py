"""How fast a body plays in Blender's viewport, in a real window, beside a mesh that only has a modifier.

    scripts/in_debian.py trixie .venv/bin/python -m bench.playback [--frames N] [--rounds N]

A window on its own virtual screen plays N frames of a walk as fast as it can draw them, each way in turn: the
armature alone; a copy of the mannequin with only Blender's armature modifier; our body; our body with its
confidence shown. It prints the best times in milliseconds for a frame. It needs `Xvfb` and `blender`, which
that Debian has.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
#: the virtual screen
_SCREEN = ":78"
#: size of the window, pixels: small, as the processor draws it
_SIZE = (480, 360)
#: time until the window is usable, seconds
_SETTLE = 4.0


def walk(frames: int) -> Any:
    """The sample's true `Capture`, forwards and backwards for `frames` frames, with random confidence."""
    from kinelift.bench.long import repeated
    from kinelift.bench.truth import true_capture
    from kinelift.core.skeleton import JOINTS

    capture = repeated(true_capture(ROOT / "samples/walk_front.npz"), frames)
    return replace(capture, confidence=np.random.default_rng(0).uniform(0, 1, (frames, len(JOINTS))))


def main() -> None:
    """Show the window, and print what it measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    for program in ("Xvfb", "blender"):
        if shutil.which(program) is None:
            sys.exit(f"There is no {program} here; run this with scripts/in_debian.py.")
    with tempfile.TemporaryDirectory() as folder:
        motion, told = Path(folder, "walk.npz"), Path(folder, "told.json")
        walk(args.frames).save(motion)
        screen = subprocess.Popen(
            ["Xvfb", _SCREEN, "-screen", "0", f"{_SIZE[0]}x{_SIZE[1]}x24", "-nolisten", "tcp"]
        )
        try:
            time.sleep(2)
            asked = {"motion": str(motion), "told": str(told), "rounds": args.rounds}
            subprocess.run(
                ["blender", "--factory-startup", "--window-geometry", "0", "0", *map(str, _SIZE),
                 "--python-exit-code", "1", "--python", __file__],
                env={
                    **os.environ, "DISPLAY": _SCREEN, "LIBGL_ALWAYS_SOFTWARE": "1",
                    "BLENDER_USER_RESOURCES": folder, "KINELIFT_PLAYBACK": json.dumps(asked),
                },
                check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            found = json.loads(told.read_text(encoding="utf-8"))
        finally:
            screen.kill()
            screen.wait()
    print(f"Blender {found.pop('version')}, {args.frames} frames, best of {args.rounds}, ms a frame")
    for way, seconds in found.items():
        print(f"{way:38} {1e3 * min(seconds) / args.frames:7.2f}")


# --- in Blender ---


def _ways(capture: Any, armature: Any) -> Iterator[tuple[str, Callable[[], list[Any]]]]:
    """Yield the name of each way, and a function that makes its objects."""
    import bpy

    from kinelift.rig.body import add_body
    from kinelift.rig.confidence import show_confidence

    def plain() -> list[Any]:
        theirs = ours()[0]
        mesh = bpy.data.objects.new("Plain", theirs.data)  # groups and weights lie in the mesh
        bpy.data.objects.remove(theirs)
        bpy.context.scene.collection.objects.link(mesh)
        mesh.modifiers.new("Armature", "ARMATURE").object = armature
        return [mesh]

    def ours() -> list[Any]:
        return [add_body(armature)]

    def shown() -> list[Any]:
        made = ours()
        show_confidence(made[0], capture, bpy.context.scene)
        return made

    yield "armature alone", lambda: []
    yield "mesh with Blender's armature modifier", plain
    yield "body", ours
    yield "body with confidence", shown


def _measure() -> None:
    """Play each way in turn, write the times and quit Blender."""
    import bpy

    from kinelift.core.capture import Capture
    from kinelift.rig.scene import build_scene

    asked = json.loads(os.environ["KINELIFT_PLAYBACK"])
    capture = Capture.load(Path(asked["motion"]))
    window = bpy.context.window_manager.windows[0]
    area = next(a for a in window.screen.areas if a.type == "VIEW_3D")
    with bpy.context.temp_override(window=window, area=area):
        bpy.ops.screen.screen_full_area(use_hide_panels=True)  # draw nothing else
    area = next(a for a in window.screen.areas if a.type == "VIEW_3D")
    bpy.data.batch_remove(list(bpy.data.objects))
    armature = build_scene(capture, "walk")
    scene = bpy.context.scene
    area.spaces.active.overlay.show_overlays = area.spaces.active.show_gizmo = False
    shading = area.spaces.active.shading
    told: dict[str, Any] = {}
    region = next(r for r in area.regions if r.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_selected()
        for _ in range(asked["rounds"]):
            for way, make in _ways(capture, armature):
                made = make()
                shading.color_type = "VERTEX" if "confidence" in way else "MATERIAL"
                scene.frame_set(scene.frame_start)
                bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=5)
                began = time.process_time()
                bpy.ops.wm.redraw_timer(type="ANIM_PLAY", iterations=1)
                told.setdefault(way, []).append(time.process_time() - began)
                bpy.data.batch_remove([one.data for one in made])
                bpy.data.batch_remove([*bpy.data.node_groups])
    told["version"] = bpy.app.version_string
    Path(asked["told"]).write_text(json.dumps(told), encoding="utf-8")
    bpy.ops.wm.quit_blender()


if __name__ == "__main__":
    if "KINELIFT_PLAYBACK" in os.environ:
        sys.path.insert(0, str(ROOT))
        import bpy

        bpy.context.preferences.view.show_splash = False
        bpy.app.timers.register(_measure, first_interval=_SETTLE)
    else:
        main()
