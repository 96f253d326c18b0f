"""How to clean up a motion, and the options that say it on every command line. Known before numpy is."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass

#: what a capture can be asked for, least and most: frames per second, mm (35 mm equivalent), metres
LIMITS = {"fps": (5.0, 240.0), "focal": (5.0, 1000.0), "height": (0.3, 3.0)}
#: how often the detector looks at each frame, if nothing else is asked for, and at most
LOOKS = 2
#: what a clip is written as, and what can be rendered and how that ends (`rig.export`, `rig.clips`)
FORMATS: tuple[str, ...] = ("blend", "bvh", "fbx", "glb")
RENDERS = {"still": ".png", "turntable": ".mp4", "side-by-side": ".mp4"}

#: says that the lens isn't known: the likeliest is found
AUTO = "auto"
#: more stretches of a clip are not looked at at once: each takes some 200 MB
MOST_THREADS = 4


def default_threads(captures: int = 1) -> int:
    """How many stretches of a clip to look at at once, where so many captures share the cores."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone tells which cores are ours
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    return max(1, min(MOST_THREADS, cores // captures))


@dataclass(frozen=True)
class CleanUp:
    """How to clean a motion.

    Attributes
    ----------
    feet : bool
        Whether the feet are planted at all.
    lock_toes : bool
        Whether the toes lie flat on the floor while the ball of the foot stands.
    floor : float, metres
        Height of the floor.
    minimum : float, seconds
        Shorter contacts are ignored.
    smooth : float, seconds
        Movements quicker than this are evened out before the feet are planted; 0: none.
    first, last : int, optional
        Frames (from 0, both included) outside which nothing changes; None: all.
    """

    feet: bool = True
    lock_toes: bool = True
    floor: float = 0.0
    minimum: float = 0.1
    smooth: float = 0.0
    first: int | None = None
    last: int | None = None


_DEFAULT = CleanUp()


def add_looks(parser: argparse._ActionsContainer) -> None:
    """Give a command line, or a group of it, the option of how often to look at each frame."""
    parser.add_argument(
        "--looks",
        type=int,
        choices=range(1, LOOKS + 1),
        metavar="N",
        help=f"how often the detector looks at each frame (default: {LOOKS}); 1 takes half the time and is "
        "less exact",
    )


def add_clean_up(parser: argparse.ArgumentParser) -> None:
    """Give a command line the options that `clean_up_of` reads."""
    group = parser.add_argument_group("clean-up")
    group.add_argument("--no-feet", action="store_true", help="leave the feet as they were captured")
    group.add_argument(
        "--free-toes", action="store_true", help="don't lay the toes flat where the foot stands"
    )
    group.add_argument(
        "--floor", type=float, default=_DEFAULT.floor, metavar="M", help="height of the floor, metres"
    )
    group.add_argument(
        "--minimum",
        type=float,
        default=_DEFAULT.minimum,
        metavar="S",
        help=f"ignore shorter contacts, seconds (default: {_DEFAULT.minimum:g})",
    )
    group.add_argument(
        "--smooth",
        type=float,
        default=_DEFAULT.smooth,
        metavar="S",
        help="even out movements quicker than this, seconds (default: none)",
    )
    group.add_argument("--first", type=int, metavar="F", help="leave frames before this one (from 0)")
    group.add_argument("--last", type=int, metavar="F", help="leave frames after this one (from 0)")


def clean_up_of(args: argparse.Namespace) -> CleanUp:
    """The clean-up that a command line asks for."""
    return CleanUp(
        feet=not args.no_feet,
        lock_toes=not args.free_toes,
        floor=args.floor,
        minimum=args.minimum,
        smooth=args.smooth,
        first=args.first,
        last=args.last,
    )
