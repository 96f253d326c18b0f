"""The worker: `python -m inference capture VIDEO --out M.npz`, `solve M.npz --out N.npz`.

`probe VIDEO` and `about` tell, quickly.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from kinelift.core.command_line import add_options, given
from kinelift.core.errors import CaptureError, UnsoundError
from kinelift.core.files import check_writable, of_person, writing
from kinelift.core.options import MAX_THREADS, OVERLAY_STYLES, CleanUp, Settings, check_options
from kinelift.core.progress import TerminalBar
from kinelift.core.runtime import missing_modules
from kinelift.core.worker import end_with_parent

if TYPE_CHECKING:  # numpy waits until the command line is known to be right
    from kinelift.core.arrays import Bools
    from kinelift.core.capture import Capture
    from kinelift.core.motion import Motion

#: exit status after Ctrl-C, as shells count
_CANCELLED = 128 + signal.SIGINT
#: what a cancelled worker says last
_CANCELLED_WORDS = "Cancelled; nothing unfinished was written."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m inference", description="Turn videos of a person into motion."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    capture = commands.add_parser("capture", help="capture the person in a video")
    capture.add_argument("video", type=Path)
    capture.add_argument("--out", type=Path, required=True, metavar="M.npz", help="file for the motion")
    capture.add_argument("--bvh", type=Path, metavar="F.bvh", help="also write the motion as BVH")
    capture.add_argument(
        "--overlay",
        type=Path,
        metavar="F.mp4",
        help="also draw the motion over the video; a style instead of a file draws it into M.overlay.mp4",
    )
    capture.add_argument(
        "--overlay-style",
        choices=tuple(OVERLAY_STYLES),
        default="skeleton",
        help="bones, or a shaded body",
    )
    capture.add_argument(
        "--threads",
        type=int,
        choices=range(1, MAX_THREADS + 1),
        metavar="N",
        help=f"detect this many stretches of a long clip at once, 1 to {MAX_THREADS} (default: what the "
        "cores allow); the motion is the same",
    )
    add_options(capture.add_argument_group("capture"), Settings)
    solve = commands.add_parser("solve", help="clean a captured motion, or solve it again, without its video")
    solve.add_argument("motion", type=Path, metavar="M.npz")
    solve.add_argument("--out", type=Path, required=True, metavar="N.npz", help="the cleaned motion")
    solve.add_argument("--bvh", type=Path, metavar="F.bvh", help="also write it as BVH")
    solve.add_argument(
        "--contacts",
        type=Path,
        metavar="C.json",
        help="when the feet stand, first and last frames from 0 on, such as "
        '{"left": [[0, 14], [30, 44]], "right": [[12, 32]]}; a foot that is left out goes on as it was',
    )
    solve.add_argument(
        "--pins",
        type=Path,
        metavar="P.json",
        help="how the body is in some frames, such as "
        '{"pins": [{"frame": 80, "rotations": {"forearm.L": [1, 0, 0, 0]}}]}; the motion passes through them',
    )
    add_options(
        solve.add_argument_group("solving again (default: as in the capture)"),
        Settings,
        lambda one: one.in_resolve,
    )
    for command in (capture, solve):
        add_options(command.add_argument_group("clean-up"), CleanUp)
    probe = commands.add_parser("probe", help="print what a video is, and advice, as a line of JSON")
    probe.add_argument("video", type=Path)
    probe.add_argument(
        "--still",
        type=Path,
        metavar="F.png",
        help="save the picture shown at --at, and print where its numbered people are",
    )
    probe.add_argument("--at", type=float, default=0.0, metavar="S", help="when, seconds")
    probe.add_argument(
        "--portraits",
        type=Path,
        metavar="FOLDER",
        help="save a small picture of everybody between --start and --end who can be captured, and print "
        "what --person calls each",
    )
    add_options(probe, Settings, lambda one: one.name in ("start", "end", "turn"))
    about = commands.add_parser("about", help="print what this Python captures with, as a line of JSON")
    add_options(about, Settings, lambda one: one.name == "device")
    for command in (capture, solve, probe, about):
        command.add_argument(
            "--progress",
            choices=("bar", "json"),
            default="bar",
            help="progress for people or programs",
        )
    return parser


def _json(stage: str, frame: int, of: int) -> None:
    print(json.dumps({"stage": stage, "frame": frame, "of": of, "message": ""}), flush=True)


def _capture(args: argparse.Namespace) -> None:
    # heavy imports wait until the command line is known to be right
    from kinelift.core.bvh import write_bvh
    from kinelift.core.foot_ik import clean_up
    from kinelift.core.options import OVERLAY_STYLES, Settings
    from kinelift.inference.overlay import overlay
    from kinelift.inference.pipeline import captures

    if str(args.overlay) in OVERLAY_STYLES:
        args.overlay_style = str(args.overlay)
        args.overlay = args.out.with_suffix(".overlay.mp4")
    for path in (args.out, args.bvh, args.overlay):
        if path is not None:
            check_writable(path)
    how = _clean_up(args)
    progress = _json if args.progress == "json" else TerminalBar()
    everybody = captures(args.video, Settings(**given(args, Settings)), progress, args.threads)
    for number, captured in enumerate(everybody[1:], 2):
        captured.save(of_person(args.out, number))
    # the first one says how many there are, so it is there when they are
    replace(everybody[0], people=len(everybody)).save(args.out)
    for number, captured in enumerate(everybody, 1):
        if not (args.bvh or args.overlay):
            break
        cleaned = replace(captured, motion=clean_up(captured.motion, how))
        if args.bvh is not None:
            write_bvh(cleaned.motion, of_person(args.bvh, number))
        if args.overlay is not None:
            overlay(args.video, cleaned, of_person(args.overlay, number), progress, args.overlay_style)
    for warning in dict.fromkeys(warning for captured in everybody for warning in captured.warnings):
        print(f"Note: {warning}", file=sys.stderr)


def _solve(args: argparse.Namespace) -> None:
    from kinelift.core.bvh import write_bvh
    from kinelift.core.capture import Capture
    from kinelift.core.foot_ik import clean_up
    from kinelift.core.pins import read_pins
    from kinelift.inference.pipeline import resolve, resolve_range

    captured = Capture.load(args.motion)
    if args.out.exists() and args.out.samefile(args.motion):
        raise CaptureError(f"The raw motion {args.out} is not overwritten: give --out another name.")
    for path in (args.out, args.bvh):
        if path is not None:
            check_writable(path)
    progress = _json if args.progress == "json" else TerminalBar()
    how, changed = _clean_up(args), given(args, Settings)
    contacts = _contacts(args.contacts, captured) if args.contacts is not None else None
    pins = read_pins(args.pins, len(captured)) if args.pins is not None else None
    in_range = (how.first, how.last) != (None, None)
    if changed.keys() - {"device"}:
        if in_range:
            raise CaptureError(
                "A range of frames can't get a lens, height, person or correction of its own: drop --first "
                "and --last."
            )
        captured = resolve(captured, changed, progress, contacts, pins)
    elif contacts is not None and pins is None and not captured.source.video:
        captured = replace(captured, motion=replace(captured.motion, contacts=contacts.astype(float)))
    elif contacts is None and pins is None:
        pass
    elif in_range:
        captured = resolve_range(captured, how, contacts, progress, args.device or Settings.device, pins)
    else:
        captured = resolve(captured, changed, progress, contacts, pins)
    solved = captured.motion
    captured = replace(captured, motion=clean_up(solved, how), people=1)  # nobody else is solved
    captured.save(args.out)
    if args.bvh is not None:
        write_bvh(captured.motion, args.bvh)
    said = _not_kept(contacts, solved, how) if contacts is not None else ""
    for warning in (*captured.warnings, *[said] * bool(said)):
        print(f"Note: {warning}", file=sys.stderr)


def _contacts(path: Path, captured: Capture) -> Bools:
    """The contacts of heels and toes (T, 4) that a file of stances asks of a motion."""
    from kinelift.core.contacts import CONTACT_THRESHOLD
    from kinelift.core.stances import feet, heels_and_toes, read_stances

    known = captured.motion.contacts >= CONTACT_THRESHOLD
    return heels_and_toes(read_stances(path, feet(known)), known, captured.motion)


def _not_kept(contacts: Bools, solved: Motion, how: CleanUp) -> str:
    """A sentence about contacts (T, 4) that were asked of a motion and can't be kept; empty if all are."""
    import numpy as np

    from kinelift.core.foot_ik import clean_up
    from kinelift.core.stances import feet, held, not_kept

    asked = np.zeros((len(contacts), 2), bool)
    asked[how.frames] = feet(contacts)[how.frames]
    # at the ends of a range feet go over to where they were
    cleaned = clean_up(solved, replace(how, first=None, last=None))
    return not_kept(asked, held(cleaned, how), solved.life_fps)


def _clean_up(args: argparse.Namespace) -> CleanUp:
    how = CleanUp(**given(args, CleanUp))
    check_options(how)
    return how


def _probe(args: argparse.Namespace) -> None:
    if args.portraits is not None:
        _portraits(args)
        return
    from kinelift.inference.probe import probe, save_still

    turn = args.turn or Settings.turn
    if args.still is not None:
        people = save_still(args.video, args.at, args.still, turn)
        print(json.dumps({"people": people}), flush=True)
    else:
        print(json.dumps(asdict(probe(args.video, turn)), ensure_ascii=False), flush=True)


def _portraits(args: argparse.Namespace) -> None:
    from kinelift.inference.portraits import save_portraits

    progress = _json if args.progress == "json" else TerminalBar()
    people = save_portraits(args.video, args.portraits, Settings(**given(args, Settings)), progress)
    print(json.dumps({"people": [(person, str(path)) for person, path in people]}), flush=True)


def _about(args: argparse.Namespace) -> None:
    from kinelift.inference.about import about

    print(json.dumps(about(args.device or Settings.device), ensure_ascii=False), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (default: the process's own); the exit code."""
    args = _parser().parse_args(arguments)
    if args.progress == "json" and hasattr(os, "nice"):
        os.nice(5)  # the program that asked has somebody working with it
    try:
        missing = missing_modules()
        if missing:
            raise CaptureError(
                f"The Python that captures ({sys.executable}) lacks {', '.join(missing)}: choose another in "
                "the preferences, or install them there."
            )
        {"capture": _capture, "solve": _solve, "probe": _probe, "about": _about}[args.command](args)
    except CaptureError as error:
        print(error, file=sys.stderr)
        return 1
    except UnsoundError as error:  # a stage went astray on what it was given
        print(f"No motion comes of this: {error}; try another stretch or person.", file=sys.stderr)
        return 1
    except ImportError as error:  # there, but a system's library is not, or they don't fit each other
        print(
            f"The packages of {sys.executable} can't be used ({error}): install them again there, or name "
            "another Python in the preferences.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print(_CANCELLED_WORDS, file=sys.stderr)
        return _CANCELLED
    return 0


def _cancel(errors: int, _number: int, _frame: FrameType | None) -> None:
    """End the process at once; only while a file is written, as an interruption that removes it.

    Otherwise an interruption would wait for detecting threads, and packages that are just being imported turn
    it into errors of their own. `errors` is a file descriptor for the words.
    """
    if writing():
        raise KeyboardInterrupt
    os.write(errors, f"{_CANCELLED_WORDS}\n".encode())
    os._exit(_CANCELLED)


if __name__ == "__main__":
    end_with_parent()
    # of its own: while MediaPipe starts, what goes to the usual one is discarded
    cancel = partial(_cancel, os.dup(sys.stderr.fileno()))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, cancel)
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # native libraries' threads may hang a regular exit after an interruption
    os._exit(status)
