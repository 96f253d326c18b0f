"""Turn videos, or motions captured earlier, into .blend, BVH, FBX and GLB files without a window.

    blender --command kinelift CLIP... --out DIR               (the extension, enabled)
    blender -b --python batch.py -- CLIP... --out DIR --format blend,bvh,fbx,glb
    .venv/bin/python batch.py CLIP... --out DIR

CLIP is a video, a folder of videos or a captured motion. Beside its files lie its motion, a rendered still
and a summary, all named after it. A journal notes what is done, so that the same command goes on where it
stopped.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from types import FrameType

from ..core.command_line import add_options, given
from ..core.errors import CaptureError, readable
from ..core.files import MOTION_SUFFIX
from ..core.options import CleanUp, Outputs, RetargetSettings, Settings, problems_of
from ..core.runtime import find_python
from ..core.worker import end_with_parent
from .build import build
from .cluster import Cluster
from .collect import orders_of, passed_over
from .job import Tools, blender_command, make
from .journal import Journal
from .orders import Order, characters_of
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

# exit statuses; argparse ends with 2 for a wrong command line
#: all clips are done, now or earlier
_ALL_DONE = 0
#: refused before anything ran
_REFUSED = 1
#: some clips failed, the others are done
_SOME_FAILED = 3
#: stopped early: a full disk, an output folder or a cluster that is gone, `--no-keep-going`
_STOPPED = 4
#: interrupted by Ctrl-C (128 + SIGINT, as shells count) or SIGTERM
_INTERRUPTED = 130
#: so many files that aren't taken are named
_NAMED = 5


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' isn't a whole number from 1 on")
    return int(text)


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog, description="Turn videos of a person into animated armatures."
    )
    parser.add_argument(
        "clips",
        nargs="*",
        metavar="VIDEO",
        type=Path,
        help=f"a video, a captured *{MOTION_SUFFIX}, or a folder to search for videos",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the files")
    _add_batch_options(parser.add_argument_group("many clips"))
    add_options(parser.add_argument_group("files"), Outputs)
    add_options(parser.add_argument_group("capture (videos only)"), Settings, lambda one: not one.in_resolve)
    add_options(
        parser.add_argument_group("solving (videos, and captured motions again)"),
        Settings,
        lambda one: one.in_resolve,
    )
    add_options(parser.add_argument_group("clean-up"), CleanUp)
    retarget = parser.add_argument_group("retarget")
    retarget.add_argument(
        "--retarget",
        action="append",
        default=[],
        metavar="CHARACTER",
        help="also move this character: a .blend[:Object], .fbx, .glb or .vrm; .fbx and .glb then hold it; "
        "with --person all once for each person, by order, or by name as person2=CHARACTER",
    )
    add_options(retarget, RetargetSettings)
    return parser


def _add_batch_options(batch: argparse._ArgumentGroup) -> None:
    batch.add_argument(
        "--list",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="text with a clip on each line, or a .csv with the column clip and, optionally, name, retarget "
        "and any option of the groups below",
    )
    batch.add_argument(
        "--pattern",
        default="",
        metavar="P",
        help="files to take from folders, such as '*_a.mov' (default: videos)",
    )
    batch.add_argument(
        "--jobs", type=_count, metavar="N", help="clips to make at once (default: by cores and memory)"
    )
    batch.add_argument(
        "--memory",
        type=_count,
        default=DEFAULT_MEMORY,
        metavar="MB",
        help="end a process that takes more memory than this (default: %(default)s)",
    )
    batch.add_argument(
        "--scheduler",
        metavar="tcp://HOST:PORT",
        help="have the workers of this Dask cluster make the clips (docs/cluster.md)",
    )
    again = batch.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="skip clips that are done (the default)")
    again.add_argument("--force", action="store_true", help="make all clips, even those that are done")
    batch.add_argument("--dry-run", action="store_true", help="only say what would be done")
    batch.add_argument(
        "--keep-going",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="go on with the other clips when one fails (the default)",
    )


def command(arguments: Sequence[str]) -> int:
    """Run ``blender --command kinelift``, which captures with the preferences' Python; the exit status."""
    import bpy

    from ..core.runtime import installed_python
    from ..state.access import preferences, runtime_folder

    chosen, folder = preferences(bpy.context).python, runtime_folder()
    return main(
        arguments, "blender --command kinelift", lambda: find_python(chosen, installed_python(folder))
    )


def main(arguments: Sequence[str], prog: str = "batch.py", find: Callable[[], Path] = find_python) -> int:
    """Run a batch.

    Parameters
    ----------
    arguments : sequence of str
        The command line.
    prog : str
        Name of the command in its help.
    find : callable
        Returns the Python that captures, or raises `CaptureError`.

    Returns
    -------
    int
        The exit status.
    """
    parser = _parser(prog)
    options = parser.parse_args(arguments)
    if not options.clips and not options.list:
        parser.error("there is no clip to capture: name a VIDEO, a folder of them or a --list")
    # SIGTERM ends a batch as Ctrl-C does
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _run_batch(options, find)
    except CaptureError as error:
        print(error, file=sys.stderr)
        return _REFUSED
    except KeyboardInterrupt:
        print("Interrupted; give the same command again to go on.", file=sys.stderr)
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
        retarget=_characters(options.retarget),
        retargeting=RetargetSettings(**chosen[RetargetSettings]),
    )
    orders = orders_of(options.clips, options.list, common, out, options.pattern)
    if not options.pattern and (strange := passed_over(options.clips, out)):
        names = ", ".join(readable(str(path)) for path in strange[:_NAMED])
        more = f" and {len(strange) - _NAMED} more" if len(strange) > _NAMED else ""
        print(f"Not taken: {names}{more}, videos by their content but not by their endings.", file=sys.stderr)
    path = out / FOLDER / JOURNAL
    if options.dry_run:
        return _dry_run(orders, path, out, options.force)
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
        journal = stack.enter_context(closing(_opened(path)))
        with watch(orders, jobs) as show:
            outcome = run(orders, journal, out, maker, jobs, show, options.force, options.keep_going)
        try:
            if out.is_dir():  # else somebody has removed it
                write_report(journal.entries(), out / REPORT)
        except CaptureError as error:  # the disk is full; what stopped the batch before matters more
            outcome.stopped = outcome.stopped or str(error)
    if outcome.stopped:
        print(outcome.stopped, file=sys.stderr)
        return _STOPPED
    return _SOME_FAILED if outcome.failed else _ALL_DONE


def _characters(texts: Sequence[str]) -> tuple[str, ...]:
    try:
        return characters_of(texts, lambda text: Path(text).absolute())
    except ValueError as error:
        raise CaptureError(f"The command line {error}: correct --retarget.") from error


def _opened(path: Path, read_only: bool = False) -> Journal:
    """The journal; what the artist should know about it is printed."""
    journal = Journal(path, read_only)
    if journal.notice:
        print(journal.notice, file=sys.stderr, flush=True)
    return journal


def _dry_run(orders: Sequence[Order], path: Path, out: Path, force: bool) -> int:
    """Print what a run would do."""
    with closing(_opened(path, read_only=True)) as journal:
        for order in orders:
            done = not force and settled(journal.entry(order.name), order, out)
            line = f"{order.clip} -> {out / order.name}: {'is done' if done else 'would be made'}"
            print(readable(line))
    return _ALL_DONE


def run_script() -> None:
    """Run ``batch.py``, and skip the interpreter's own exit, in which bpy 4.2 crashes and bpy 4.5 hangs."""
    end_with_parent()
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    status: int | str | None = 1
    try:
        status = build(Path(words[1])) if words[:1] == ["--build"] else main(words)
    except SystemExit as stop:  # argparse has printed its message
        status = stop.code
    except KeyboardInterrupt:
        status = _INTERRUPTED
    finally:
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else 0)
