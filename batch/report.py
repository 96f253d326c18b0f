"""The report of a batch, a page with what became of each clip: thumbnail, quality, reasons, links."""

from __future__ import annotations

import html
import math
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from ..core.colours import LEGEND
from ..core.errors import readable
from ..core.files import name_of_person, replacing
from .journal import STATES, Entry

#: file of the report in the output folder
REPORT = "report.html"
#: what `core.chart.quality_strip` makes; anything else might be a script
_STRIP = re.compile(
    r'<svg class="strip" role="img" aria-label="[\w ]+" viewBox="0 0 \d+ 1" preserveAspectRatio="none" '
    r'shape-rendering="crispEdges">(?:<path fill="rgb\([\d,]+\)" d="[Mhvz\d -]*"/>)*</svg>'
)
_COLUMNS = ("", "clip", "state", "length", "person seen", "quality over time", "files")
_STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em; color: #222; background: #fff }
h1 { font-size: 1.4em; margin: 0 } p { margin: .2em 0 1.2em; color: #666 }
table { border-collapse: collapse; width: 100% }
td, th { padding: .4em .8em .4em 0; border-bottom: 1px solid #ddd; text-align: left; vertical-align: middle }
th { color: #666; font-weight: normal } .failed td { background: #fdeeee }
td:nth-child(3), td:nth-child(4), td:nth-child(5) { white-space: nowrap } small { color: #666 }
.still { height: 96px; display: block }
.strip { width: 240px; height: 14px; display: block }
"""


def write_report(entries: Sequence[Entry], path: Path) -> None:
    """Write the report beside the results, whole or not at all; clips that failed come first.

    Each person of a clip has a row.

    All links are relative, so that the folder can be moved as a whole.

    Raises
    ------
    CaptureError
        If the file can't be written.
    """
    numbers = [(sum(entry.state == state for entry in entries), state) for state in STATES]
    counts = ", ".join(f"{number} {state}" for number, state in reversed(numbers) if number)
    seconds = sum(_seconds(entry) for entry in entries if entry.state == "done")
    clips = sorted(entries, key=lambda entry: (STATES.index(entry.state), entry.name))
    rows = "\n".join(_row(person) for clip in clips for person in _people(clip))
    head = f"<tr>{''.join(f'<th>{column}</th>' for column in _COLUMNS)}</tr>"
    page = (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Kinelift: {counts}</title>'
        f"<style>{_STYLE}</style>\n<h1>{counts}</h1>\n"
        f"<p>{seconds / 60:.1f} minutes of motion; {time.strftime('%Y-%m-%d %H:%M')}. The strips "
        f"show the person over time ({LEGEND}); each leads to the chart of all joints.</p>\n"
        f"<table>\n{head}\n{rows}\n</table></html>\n"
    )
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _people(entry: Entry) -> list[Entry]:
    """A clip's people, each as a clip with their own files; what it took is said of the first one."""
    if entry.state != "done":
        return [entry]
    stem = entry.name.rpartition("/")[2]
    begins = [f"{name_of_person(stem, number)}." for number in range(2, 2 + len(entry.others))]
    files: list[dict[str, int]] = [{} for _ in (entry, *begins)]
    for file, size in entry.files.items():
        owner = next((number for number, begin in enumerate(begins, 1) if file.startswith(begin)), 0)
        files[owner][file] = size
    others = [
        replace(
            entry, name=name_of_person(entry.name, number), detected=one.detected, confidence=one.confidence,
            strip=one.strip, warnings=one.warnings, files=files[number - 1], started=None, memory=None,
        )
        for number, one in enumerate(entry.others, 2)
    ]  # fmt: skip
    return [replace(entry, files=files[0]), *others]


def _seconds(entry: Entry) -> float:
    """The length of a clip; 0 if its figures make no sense."""
    seconds = entry.frames / entry.fps if entry.frames and entry.fps else 0.0
    return seconds if math.isfinite(seconds) else 0.0


def _figure(value: float | None, form: str) -> str:
    """A number as text; a question mark if there is none."""
    return format(value, form) if value is not None and math.isfinite(value) else "?"


def _text(text: str) -> str:
    """Text for the page."""
    return html.escape(readable(text))


def _row(entry: Entry) -> str:
    folder, _, stem = entry.name.rpartition("/")

    def address(file: str) -> str:
        return quote(f"{folder}/{file}" if folder else file, errors="replace")

    def link(file: str, shown: str) -> str:
        return f'<a href="{address(file)}">{shown}</a>'

    done = entry.state == "done"
    took = [f"{_figure(entry.ended - entry.started, '.0f')} s"] if entry.ended and entry.started else []
    took += [f"{_figure(entry.memory, '.0f')} MB"] if done and entry.memory else []
    notes = [entry.reason] if entry.state == "failed" and entry.reason else entry.warnings
    remarks = "".join(f"<br><small>{_text(note)}</small>" for note in notes)
    still = length = seen = strip = links = ""
    if done:
        picture = address(f"{stem}.png")
        still = link(f"{stem}.png", f'<img class="still" loading="lazy" alt="" src="{picture}">')
        rate = f"<small>{_figure(entry.frames, '.0f')} at {_figure(entry.fps, 'g')}/s</small>"
        length = f"{_seconds(entry):.1f} s<br>{rate}"
        sure = _figure(entry.confidence, ".0%")
        seen = f"{_figure(entry.detected, '.0%')}<br><small>sure to {sure}</small>"
        drawn = entry.strip or ""
        strip = link(f"{stem}.chart.svg", drawn if _STRIP.fullmatch(drawn) else "chart")
        links = " ".join(link(file, _text(file.removeprefix(stem + "."))) for file in sorted(entry.files))
    state = f"{entry.state}<br><small>{', '.join(took)}</small>"
    cells = (still, _text(entry.name) + remarks, state, length, seen, strip, links)
    return f'<tr class="{entry.state}">' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
