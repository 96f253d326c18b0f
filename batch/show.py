"""Show the progress of a batch: a line for each clip and, on a terminal, a live table below."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from ..core.files import name_of_person
from ..core.progress import TerminalBar
from .journal import Made
from .orders import Order
from .run import Show

if TYPE_CHECKING:
    from rich.console import Group

#: most rows of the table for waiting clips
_WAITING_ROWS = 3
#: width of a progress bar, characters
_BAR_WIDTH = 30


def watch(orders: Sequence[Order], jobs: int) -> AbstractContextManager[Show]:
    """Show a batch's progress within the context; the table needs a terminal as standard error, and rich.

    Parameters
    ----------
    orders : sequence of Order
    jobs : int
        How many clips are made at once.
    """
    if sys.stderr.isatty() and importlib.util.find_spec("rich") is not None:
        return _Table(orders)
    return nullcontext(_lines(jobs))


def _lines(jobs: int) -> Show:
    """Print lines alone and, if one clip is made at a time, a bar on a terminal."""
    bars: dict[str, TerminalBar] = {}

    def show(name: str, news: str, what: Any) -> None:
        if news != "progress":
            _print_news(name, news, what)
        elif jobs == 1:
            bars.setdefault(name, TerminalBar(name))(*what)

    return show


def _print_news(name: str, news: str, what: Any) -> None:
    """Print what became of a clip; progress gets no line."""
    if news == "failed":
        print(f"{name}: {what}", file=sys.stderr, flush=True)
    elif news == "skipped":
        print(f"{name}: is done already", flush=True)
    elif news == "done":
        assert isinstance(what, Made)
        each = [what.warnings, *(one.warnings for one in what.others)]
        for number, warnings in enumerate(each, 1):
            for warning in warnings:
                print(f"{name_of_person(name, number)}: {warning}", file=sys.stderr, flush=True)
        people = [f"{1 + len(what.others)} people"] if what.others else []
        told = ", ".join([f"{what.frames} frames", *people, *sorted(what.files)])
        print(f"{name}: {told}", flush=True)


class _Table(AbstractContextManager[Show]):
    """The lines, and below them the clips in progress and an estimate of the time left.

    Several threads report progress, and one more draws.
    """

    def __init__(self, orders: Sequence[Order]) -> None:
        from rich.console import Console
        from rich.live import Live

        self._began = time.monotonic()
        self._waiting = dict.fromkeys(order.name for order in orders)
        #: by clip: the stage, the frame, the number of frames, and when the clip was begun
        self._running: dict[str, tuple[str, int, int, float]] = {}
        self._counts: Counter[str] = Counter()
        self._live = Live(
            get_renderable=self._drawn,
            console=Console(stderr=True, markup=False, emoji=False),
            refresh_per_second=4,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),  # lines that go into a file bypass the table
        )

    def __enter__(self) -> Show:
        self._live.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _show(self, name: str, news: str, what: Any) -> None:
        self._waiting.pop(name, None)
        if news == "progress":
            since = self._running[name][3] if name in self._running else time.monotonic()
            self._running[name] = (*what, since)
            return
        self._running.pop(name, None)
        self._counts[news] += 1
        _print_news(name, news, what)

    def _drawn(self) -> Group:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        now = time.monotonic()
        table = Table(box=None, pad_edge=False)
        for column, justify in (
            ("clip", "left"),
            ("stage", "left"),
            ("", "left"),
            ("", "right"),
            ("time", "right"),
        ):
            table.add_column(column, justify=justify, no_wrap=True)  # type: ignore[arg-type]
        for name, (stage, frame, of, since) in self._running.copy().items():
            bar = ProgressBar(total=max(of, 1), completed=frame, width=_BAR_WIDTH)
            table.add_row(name, stage, bar, f"{frame}/{of}", _clock(now - since))
        for name in list(self._waiting)[:_WAITING_ROWS]:
            table.add_row(name, "waits", style="dim")
        return Group(table, Text(self._summary(now), style="italic"))

    def _summary(self, now: float) -> str:
        ended = self._counts["done"] + self._counts["failed"]
        counts = [f"{number} {news}" for news, number in self._counts.items()]
        text = ", ".join([*counts, f"{len(self._running)} running", f"{len(self._waiting)} waiting"])
        left = len(self._waiting) + len(self._running)
        if ended and left:
            pace = (now - self._began) / ended
            text += f"; {60 / pace:.1f} clips a minute, about {_clock(pace * left)} left"
        return text


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"
