"""Clips to files without a window: videos, or motions captured earlier, become .blend, BVH, FBX and GLB.

    blender --command kinelift CLIP... --out DIR               (the extension, enabled)
    blender -b --python batch.py -- CLIP... --out DIR --format blend,bvh,fbx,glb
    .venv/bin/python batch.py CLIP... --out DIR

A clip is a video, a folder of them or a captured motion. Next to the files of each lie its motion, a rendered
still and a summary, all named after it; a journal notes what is done, so that the same command goes on where
it ended. The exit status is 0: all are done, 1: refused before anything ran, 2: no such options, 3: some
clips failed, 4: stopped before the end (a full disk, `--no-keep-going`), 130: interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import traceback
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from types import FrameType

from ..core.command_line import add_options, given
from ..core.errors import CaptureError
from ..core.files import MOTION_SUFFIX
from ..core.options import CleanUp, Outputs, RetargetSettings, Settings, problems_of
from ..core.runtime import find_python
from .cluster import Cluster
from .job import Tools, blender_command, make
from .journal import Journal
from .orders import Order, order_from, orders_of
from .report import REPORT, write_report
from .run import (
    DEFAULT_MEMORY,
    FOLDER,
    JOURNAL,
    Maker,
    default_jobs,
    run,
    settled,
    share_cores,
)
from .show import watch

_ALL_DONE, _REFUSED, _SOME_FAILED, _STOPPED, _INTERRUPTED = 0, 1, 3, 4, 130


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 1 on")
    return int(text)


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description="Videos of a person to animated armatures.")
    parser.add_argument(
        "clips",
        nargs="*",
        metavar="VIDEO",
        type=Path,
        help=f"a video, a captured *{MOTION_SUFFIX}, or a folder that is searched for videos",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the files")
    batch = parser.add_argument_group("many clips")
    batch.add_argument(
        "--list",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a clip on each line, or .csv with the column clip and, as wanted, name, retarget and one for "
        "every option of the groups below",
    )
    batch.add_argument("--pattern", default="", metavar="P", help="which files of folders, such as '*_a.mov'")
    batch.add_argument(
        "--jobs", type=_count, metavar="N", help="clips at once; default: what the machine has"
    )
    batch.add_argument(
        "--memory",
        type=_count,
        default=DEFAULT_MEMORY,
        metavar="MB",
        help="end a process that takes more (default: %(default)s)",
    )
    batch.add_argument(
        "--scheduler",
        metavar="tcp://HOST:PORT",
        help="have the workers of this Dask cluster make the clips (docs/cluster.md)",
    )
    again = batch.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="skip clips that are done (this is the default)")
    again.add_argument("--force", action="store_true", help="make clips again that are done")
    batch.add_argument("--dry-run", action="store_true", help="only say what would be done")
    batch.add_argument(
        "--keep-going",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="go on with the others when a clip fails (default)",
    )
    add_options(parser.add_argument_group("files"), Outputs)
    add_options(parser.add_argument_group("capture (of videos)"), Settings, lambda one: not one.in_resolve)
    add_options(
        parser.add_argument_group("solving (of videos, and again of captured motions)"),
        Settings,
        lambda one: one.in_resolve,
    )
    add_options(parser.add_argument_group("clean-up"), CleanUp)
    retarget = parser.add_argument_group("retarget")
    retarget.add_argument(
        "--retarget",
        metavar="CHARACTER",
        help="also move this character: a .blend[:Object], .fbx, .glb or .vrm; .fbx and .glb then hold it",
    )
    add_options(retarget, RetargetSettings)
    return parser


def command(arguments: Sequence[str]) -> int:
    """``blender --command kinelift``, which captures with the Python of the preferences; the exit status."""
    import bpy

    from ..core.runtime import installed_python
    from ..state.access import preferences, runtime_folder

    chosen, folder = preferences(bpy.context).python, runtime_folder()
    return main(
        arguments, "blender --command kinelift", lambda: find_python(chosen, installed_python(folder))
    )


def main(arguments: Sequence[str], prog: str = "batch.py", find: Callable[[], Path] = find_python) -> int:
    """Do what the command line says.

    Parameters
    ----------
    arguments : sequence of str
    prog : str
        What the command is called in its help.
    find : callable
        Tells the Python that captures, or raises `CaptureError`.

    Returns
    -------
    int
        The exit status.
    """
    parser = _parser(prog)
    options = parser.parse_args(arguments)
    if not options.clips and not options.list:
        parser.error("there is no clip to capture: name a VIDEO, a folder of them or a --list")
    # what ends a batch politely ends it as Ctrl-C does
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _run_batch(options, find)
    except CaptureError as error:
        print(error, file=sys.stderr)
        return _REFUSED
    except KeyboardInterrupt:
        print("Interrupted; the same command goes on.", file=sys.stderr)
        return _INTERRUPTED


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run_batch(options: argparse.Namespace, find: Callable[[], Path]) -> int:
    out = options.out.absolute()
    chosen = {cls: given(options, cls) for cls in (Settings, CleanUp, Outputs, RetargetSettings)}
    if problems := [problem for cls, values in chosen.items() for problem in problems_of(cls, values)]:
        raise CaptureError(f"The command line {' and '.join(problems)}.")
    common = Order(
        clip=Path(),
        name="",
        capture=chosen[Settings],
        clean_up=CleanUp(**chosen[CleanUp]),
        outputs=Outputs(**chosen[Outputs]),
        retarget=_character(options.retarget),
        retargeting=RetargetSettings(**chosen[RetargetSettings]),
    )
    orders = orders_of(options.clips, options.list, common, out, options.pattern)
    path = out / FOLDER / JOURNAL
    if options.dry_run:
        return _tell(orders, path, out, options.force)
    maker: Maker
    with ExitStack() as stack:
        if options.scheduler:
            cluster = stack.enter_context(closing(Cluster(options.scheduler, options.memory)))
            maker, jobs = cluster.make, min(options.jobs or cluster.slots, len(orders))
        else:
            python = find() if any(order.needs_capture for order in orders) else None
            bpy = sys.modules.get("bpy")
            blender = blender_command(bpy.app.binary_path if bpy is not None else "")
            jobs = min(options.jobs or default_jobs(), len(orders))
            maker = partial(make, tools=Tools(python, blender, options.memory, share_cores(jobs)))
        journal = stack.enter_context(closing(Journal(path)))
        with watch(orders, jobs) as show:
            outcome = run(orders, journal, out, maker, jobs, show, options.force, options.keep_going)
        try:
            write_report(journal.entries(), out / REPORT)
        except CaptureError as error:  # a full disk; what stopped the batch is told first
            outcome.stopped = outcome.stopped or str(error)
    if outcome.stopped:
        print(outcome.stopped, file=sys.stderr)
        return _STOPPED
    return _SOME_FAILED if outcome.failed else _ALL_DONE


def _character(text: str | None) -> str:
    return str(Path(text).absolute()) if text else ""


def _tell(orders: Sequence[Order], path: Path, out: Path, force: bool) -> int:
    """What a run would do."""
    journal = Journal(path, read_only=True) if path.exists() else None
    for order in orders:
        entry = journal.entry(order.name) if journal else None
        done = not force and settled(entry, order, out)
        print(f"{order.clip} -> {out / order.name}: {'is done' if done else 'would be made'}")
    if journal:
        journal.close()
    return _ALL_DONE


def _build(request_path: Path) -> int:
    """The second half of a job (`batch.job`), in a process of its own."""
    from ..core.capture import Capture
    from ..core.chart import png, quality_strip
    from ..core.quality import detected_share
    from ..rig.deliver import deliver

    request = json.loads(request_path.read_text(encoding="utf-8"))
    try:
        path, order = Path(request["motion"]), order_from(request["order"])
        warnings = deliver(path, order.clip, order.outputs, order.clean_up, order.retarget, order.retargeting)
        captured = Capture.load(path)
        result = {
            "frames": len(captured),
            "fps": captured.motion.fps,
            "detected": detected_share(captured),
            "confidence": float(captured.confidence.mean()),
            "strip": b64encode(png(quality_strip(captured))).decode("ascii"),
            "warnings": warnings,
        }
        request_path.write_text(json.dumps(result, ensure_ascii=False), encoding="utf-8")
    except (CaptureError, OSError) as error:
        # a motion is a copy on its way: what the artist knows is the clip
        print(str(error).replace(request["motion"], request["order"]["clip"]), file=sys.stderr)
        return _REFUSED
    return _ALL_DONE


def run_script() -> None:
    """Run as ``batch.py``, and leave without the interpreter's exit: there bpy 4.2 crashes and 4.5 hangs."""
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    status: int | str | None = 1
    try:
        status = _build(Path(words[1])) if words[:1] == ["--build"] else main(words)
    except SystemExit as stop:  # argparse has spoken
        status = stop.code
    except KeyboardInterrupt:
        status = _INTERRUPTED
    finally:
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else 0)
