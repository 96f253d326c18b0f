"""What a batch tells whoever watches: a line for every clip and, on a terminal, a live table below them."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from ..core.progress import TerminalBar
from .journal import Made
from .orders import Order

if TYPE_CHECKING:
    from rich.console import Group

#: is told a clip's name and its news, as `run.run` has it
Show = Callable[[str, str, Any], None]
#: rows of the table for clips that wait, and width of a bar
_WAITING, _BAR = 3, 30


def watch(orders: Sequence[Order], jobs: int) -> AbstractContextManager[Show]:
    """Tell of a batch while the context lasts; the table needs standard error to be a terminal, and rich.

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
    """Lines alone; where one clip is made at a time, a terminal also gets a bar."""
    bars: dict[str, TerminalBar] = {}

    def show(name: str, news: str, what: Any) -> None:
        if news != "progress":
            _tell(name, news, what)
        elif jobs == 1:
            bars.setdefault(name, TerminalBar(name))(*what)

    return show


def _tell(name: str, news: str, what: Any) -> None:
    """Print what became of a clip; how far it is isn't worth a line."""
    if news == "failed":
        print(f"{name}: {what}", file=sys.stderr, flush=True)
    elif news == "skipped":
        print(f"{name}: is done already", flush=True)
    elif news == "done":
        assert isinstance(what, Made)
        for warning in what.warnings:
            print(f"{name}: {warning}", file=sys.stderr, flush=True)
        print(f"{name}: {what.frames} frames, {', '.join(sorted(what.files))}", flush=True)


class _Table(AbstractContextManager[Show]):
    """The lines, and below them what is being made, how far it is and how long the rest will take.

    The progress comes from several threads, and the drawing is done in one more.
    """

    def __init__(self, orders: Sequence[Order]) -> None:
        from rich.console import Console
        from rich.live import Live

        self._began = time.monotonic()
        self._waiting = dict.fromkeys(order.name for order in orders)
        #: stage, frame, of how many, and since when
        self._running: dict[str, tuple[str, int, int, float]] = {}
        self._counts: Counter[str] = Counter()
        self._live = Live(
            get_renderable=self._drawn,
            console=Console(stderr=True),
            refresh_per_second=4,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),  # a file gets its lines as ever
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
        _tell(name, news, what)

    def _drawn(self) -> Group:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        now = time.monotonic()
        table = Table(box=None, pad_edge=False)
        for column, how in (
            ("clip", "left"),
            ("stage", "left"),
            ("", "left"),
            ("", "right"),
            ("time", "right"),
        ):
            table.add_column(column, justify=how, no_wrap=True)  # type: ignore[arg-type]
        for name, (stage, frame, of, since) in self._running.copy().items():
            bar = ProgressBar(total=max(of, 1), completed=frame, width=_BAR)
            table.add_row(name, stage, bar, f"{frame}/{of}", _clock(now - since))
        for name in list(self._waiting)[:_WAITING]:
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
