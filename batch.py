"""Clips to files without a window: videos, or motions captured earlier, become .blend, BVH, FBX and GLB.

    blender --command kinelift VIDEO... --out DIR               (the extension, enabled)
    blender -b --python batch.py -- VIDEO... --out DIR --format blend,bvh,fbx,glb
    .venv/bin/python batch.py VIDEO... --out DIR

Next to the files of each clip lie its motion, a rendered still and a summary, all named after it. A clip that
fails is told in one sentence, the others go on, and the exit status is 1. Feet are planted in all files but
the motion; in the .blend the raw action lies beside the cleaned one.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent


def load_package() -> None:
    """Make the checkout importable as the package `kinelift`, whatever its folder is called."""
    if "kinelift" in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(
        "kinelift", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["kinelift"] = package
    spec.loader.exec_module(package)


if not __package__:  # run as a script: relative imports need to know where they are (PEP 366)
    load_package()
    __package__ = "kinelift"

import bpy  # noqa: E402

from .inference.chart import save_chart  # noqa: E402
from .inference.client import Worker, find_python, missing_modules  # noqa: E402
from .inference.errors import CaptureError  # noqa: E402
from .inference.files import check_writable, replacing  # noqa: E402
from .inference.foot_ik import clean_up  # noqa: E402
from .inference.install import installed_python  # noqa: E402
from .inference.motion import Motion  # noqa: E402
from .inference.options import add_clean_up, clean_up_of  # noqa: E402
from .inference.progress import TerminalBar  # noqa: E402
from .inference.quality import detected_share  # noqa: E402
from .operators.settings import preferences, runtime_folder  # noqa: E402
from .rig.clips import RENDERS, render  # noqa: E402
from .rig.export import FORMATS, export  # noqa: E402
from .rig.preview import add_body  # noqa: E402
from .rig.retarget.apply import Settings as RetargetSettings  # noqa: E402
from .rig.retarget.apply import perform_motion, retarget  # noqa: E402
from .rig.retarget.bones import read_rig  # noqa: E402
from .rig.retarget.character import load_character, split_character  # noqa: E402
from .rig.retarget.mapping import detect  # noqa: E402
from .rig.scene import build_scene  # noqa: E402
from .rig.still import render_still  # noqa: E402

#: ends the names of captured motions; `walk.motion.npz` belongs to the clip `walk`
_MOTION_SUFFIX = ".motion.npz"
#: how the files of each of `RENDERS` end; the plain .png is the skeleton
_RENDER_NAMES = {kind: ("body" if kind == "still" else kind) + ending for kind, ending in RENDERS.items()}


def _formats(text: str) -> tuple[str, ...]:
    kinds = tuple(dict.fromkeys(kind.strip() for kind in text.split(",")))
    unknown = [kind for kind in kinds if kind not in FORMATS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no format '{unknown[0]}'; there are {', '.join(FORMATS)}")
    return kinds


def _renders(text: str) -> tuple[str, ...]:
    kinds = tuple(dict.fromkeys(kind.strip() for kind in text.split(",")))
    unknown = [kind for kind in kinds if kind not in RENDERS]
    if unknown:
        raise argparse.ArgumentTypeError(f"can't render '{unknown[0]}'; there are {', '.join(RENDERS)}")
    return kinds


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description="Videos of a person to animated armatures.")
    parser.add_argument("clips", nargs="+", metavar="VIDEO", help=f"a video, or a captured *{_MOTION_SUFFIX}")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the files")
    parser.add_argument("--format", type=_formats, default=FORMATS, help=f"default: {','.join(FORMATS)}")
    parser.add_argument(
        "--render",
        type=_renders,
        default=(),
        metavar="KIND",
        help=f"also render the body: {','.join(RENDERS)}",
    )
    capture = parser.add_argument_group("capture (of videos)")
    capture.add_argument("--start", type=float, metavar="S", help="begin here, seconds")
    capture.add_argument("--end", type=float, metavar="S", help="end here, seconds")
    capture.add_argument("--fps", type=float, metavar="N", help="frames per second; default: the video's own")
    solve = parser.add_argument_group("solving (of videos, and again of captured motions)")
    solve.add_argument("--focal", type=float, metavar="MM", help="35 mm equivalent focal length, if known")
    solve.add_argument("--person", metavar="WHO", help="largest, leftmost, rightmost, or a number by size")
    solve.add_argument("--height", type=float, metavar="M", help="the person's height in metres, if known")
    solve.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), help="where torch runs")
    add_clean_up(parser)
    parser.add_argument(
        "--retarget",
        metavar="CHARACTER",
        help="also move this character: a .blend[:Object], .fbx, .glb or .vrm; .fbx and .glb then hold it",
    )
    return parser


_SOLVE_OPTIONS = ("focal", "person", "height")
_CAPTURE_OPTIONS = ("start", "end", "fps", "device", *_SOLVE_OPTIONS)


def command(arguments: Sequence[str]) -> int:
    """``blender --command kinelift``, which captures with the Python of the preferences; the exit status."""
    # read now: each clip gets a Blender of factory settings
    chosen, folder = preferences(bpy.context).python, runtime_folder()
    return main(
        arguments, "blender --command kinelift", lambda: find_python(chosen, installed_python(folder))
    )


def main(arguments: Sequence[str], prog: str = "batch.py", find: Callable[[], Path] | None = None) -> int:
    """Do what the command line says.

    Parameters
    ----------
    arguments : sequence of str
    prog : str
        What the command is called in its help.
    find : callable, optional
        Tells the Python that captures, or raises `CaptureError`; without it this process captures where its
        Python has what that takes.

    Returns
    -------
    int
        The exit status.
    """
    options = _parser(prog).parse_args(arguments)
    clips: dict[str, Path] = {}
    for clip in options.clips:
        name = clip_name(Path(clip))
        if name in clips:
            print(f"Two clips are called {name}: give them --out folders of their own.", file=sys.stderr)
            return 2
        clips[name] = Path(clip).absolute()
    status = 0
    for name, clip in clips.items():
        try:
            _make(clip, name, options, find)
        except CaptureError as error:
            print(f"{clip.name}: {error}", file=sys.stderr)
            status = 1
    return status


def clip_name(path: Path) -> str:
    """What the files of a clip are called."""
    return path.name.removesuffix(_MOTION_SUFFIX) if path.name.endswith(_MOTION_SUFFIX) else path.stem


def _make(clip: Path, name: str, options: argparse.Namespace, find: Callable[[], Path] | None) -> None:
    folder = options.out.absolute()
    motion_path = folder / f"{name}{_MOTION_SUFFIX}"
    check_writable(motion_path)  # before minutes are spent on the video
    given = {o: getattr(options, o) for o in _CAPTURE_OPTIONS if getattr(options, o) is not None}
    if clip.suffix != ".npz":
        motion = _capture(clip, motion_path, given, find)
    elif given.keys() & set(_SOLVE_OPTIONS):
        if motion_path.exists() and motion_path.samefile(clip):
            raise CaptureError(f"The motion {clip} is not overwritten by another: give another --out.")
        motion = _solve_again(clip, motion_path, given, find)
    else:
        motion = Motion.load(clip)
        motion.save(motion_path)
    how = clean_up_of(options)
    cleaned = clean_up(motion, how)

    # a file of its own for every clip, whatever the user's preferences
    bpy.ops.wm.read_factory_settings(use_empty=True)
    armature = build_scene(motion, name, how)
    warnings = list(motion.warnings)
    played = armature
    if options.retarget:
        played, told = _retargeted(options.retarget, cleaned, name)
        warnings += told
    files = {kind: folder / f"{name}.{kind}" for kind in options.format}
    for kind, path in files.items():
        export(kind, path, played, cleaned)
    files["still"] = folder / f"{name}.png"
    scene = bpy.context.scene
    render_still(files["still"], armature, (scene.frame_start + scene.frame_end) // 2)
    if options.render:
        add_body(armature)
    # a motion from a file names its video; it may lie beside it
    video = clip if clip.suffix != ".npz" else clip.with_name(motion.settings.get("video", "") or clip.name)
    for kind in options.render:
        path = folder / f"{name}.{_RENDER_NAMES[kind]}"
        render(kind, path, armature, motion, video)
        files[path.suffixes[-2][1:]] = path
    files["chart"] = folder / f"{name}.chart.png"
    save_chart(motion, files["chart"])
    files["motion"] = motion_path
    with replacing(folder / f"{name}.summary.json") as temporary:
        summary = _summary(motion, armature, files)
        temporary.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for warning in warnings:
        print(f"{clip.name}: {warning}", file=sys.stderr)
    print(f"{clip.name}: {len(motion)} frames, {', '.join(path.name for path in files.values())}")


def _retargeted(character: str, motion: Motion, name: str) -> tuple[bpy.types.Object, tuple[str, ...]]:
    """Add a character to the scene and let it play the motion; also what the artist should know."""
    render = bpy.context.scene.render
    target = load_character(*split_character(character))
    performance = perform_motion(motion, render.fps / render.fps_base)
    bone_map = detect(read_rig(target), target.data)
    result = retarget(performance, target, bone_map, RetargetSettings(), f"{target.name} {name}")
    return target, result.warnings


def _capture(
    video: Path, motion_path: Path, chosen: dict[str, Any], find: Callable[[], Path] | None
) -> Motion:
    """Capture in this process or, if it can't or a Python to `find` was named, in a worker."""
    if find is not None or missing_modules():
        return _by_worker(["capture", str(video)], motion_path, chosen, find)
    from .inference.pipeline import Settings, capture

    motion = capture(video, Settings(**chosen), TerminalBar(video.name))
    motion.save(motion_path)
    return motion


def _solve_again(
    captured: Path, motion_path: Path, given: dict[str, Any], find: Callable[[], Path] | None
) -> Motion:
    """The same for a motion that was captured earlier, with other options; feet as they are."""
    changed = {option: given[option] for option in (*_SOLVE_OPTIONS, "device") if option in given}
    if find is not None or missing_modules():
        return _by_worker(["solve", str(captured), "--no-feet"], motion_path, changed, find)
    from .inference.pipeline import asked_again, resolve

    before = Motion.load(captured)
    motion = resolve(before, asked_again(before, **changed), TerminalBar(captured.name))
    motion.save(motion_path)
    return motion


def _by_worker(
    words: list[str], motion_path: Path, options: dict[str, Any], find: Callable[[], Path] | None
) -> Motion:
    flags = [word for option, value in options.items() for word in (f"--{option}", str(value))]
    worker = Worker((find or find_python)(), [*words, "--out", str(motion_path), *flags])
    show = TerminalBar(motion_path.name)
    try:
        for message in worker.messages():
            show(message.stage, message.frame, message.of)
    finally:
        worker.cancel()
    return Motion.load(motion_path)


def _summary(motion: Motion, armature: bpy.types.Object, files: dict[str, Path]) -> dict[str, Any]:
    """What was captured, in figures: metres, seconds."""
    return {
        "frames": len(motion),
        "seconds": round(len(motion) / motion.fps, 3),
        "fps": motion.fps,
        "detected": round(detected_share(motion), 4),
        "height": round(motion.height, 4),
        "bone_lengths": {
            bone.name.removesuffix(".L"): round(bone.length, 5)
            for bone in armature.data.bones
            if not bone.name.endswith(".R")
        },
        "settings": motion.settings,
        "warnings": list(motion.warnings),
        "files": {kind: path.name for kind, path in files.items()},
    }


def _run() -> None:
    """Run as a script, and leave without the interpreter's exit: there bpy 4.2 crashes and 4.5 hangs."""
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    status: int | str | None = 1
    try:
        status = main(words)
    except SystemExit as stop:  # argparse has spoken
        status = stop.code
    except KeyboardInterrupt:
        status = 130
    finally:
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    _run()
