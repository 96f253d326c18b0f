"""What became of all clips as a page: thumbnails, quality over time, reasons, links."""

from __future__ import annotations

import html
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from ..files import replacing
from .journal import STATES, Entry

REPORT = "report.html"
_STYLE = """
body { font: 14px system-ui, sans-serif; margin: 2em; color: #222 }
table { border-collapse: collapse; width: 100% }
td, th { padding: .4em .6em; border-bottom: 1px solid #ddd; text-align: left; vertical-align: middle }
.failed td { background: #fdeeee } .still { height: 96px } .strip { width: 240px; height: 14px }
small { color: #666 }
"""


def write_report(entries: Sequence[Entry], path: Path) -> None:
    """Write the page of a journal beside the results; it appears whole or not at all.

    Raises
    ------
    CaptureError
        If it can't be written.
    """
    counts = ", ".join(f"{sum(e.state == s for e in entries)} {s}" for s in reversed(STATES))
    rows = "\n".join(_row(entry) for entry in entries)
    columns = ("", "clip", "state", "frames", "seen", "quality over time", "files")
    head = f"<tr>{''.join(f'<th>{column}</th>' for column in columns)}</tr>"
    page = (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Kinelift: {counts}</title>'
        f"<style>{_STYLE}</style>\n<h1>{counts}</h1>\n<table>\n{head}\n{rows}\n</table></html>\n"
    )
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _row(entry: Entry) -> str:
    folder, _, stem = entry.name.rpartition("/")

    def link(file: str) -> str:
        return quote(f"{folder}/{file}" if folder else file)

    made = entry.files if entry.state == "done" else {}
    still = f'<img class="still" loading="lazy" alt="" src="{link(f"{stem}.png")}">' if made else ""
    took = f"{entry.ended - entry.started:.1f} s" if entry.ended and entry.started else ""
    notes = [entry.reason] if entry.state == "failed" and entry.reason else entry.warnings
    told = "".join(f"<br><small>{html.escape(note)}</small>" for note in notes)
    quality = frames = strip = ""
    if made:
        frames = f"{entry.frames} at {entry.fps:g}/s"
        quality = f"{entry.detected:.0%}, sure to {entry.confidence:.0%}"
        image = b64encode(entry.strip or b"").decode("ascii")
        strip = (
            f'<a href="{link(f"{stem}.chart.png")}"><img class="strip" alt="" '
            f'src="data:image/png;base64,{image}"></a>'
        )
    links = " ".join(
        f'<a href="{link(file)}">{html.escape(file.removeprefix(stem + "."))}</a>' for file in sorted(made)
    )
    cells = (
        still,
        html.escape(entry.name) + told,
        f"{entry.state}<br><small>{took}</small>",
        frames,
        quality,
        strip,
        links,
    )
    return f'<tr class="{entry.state}">' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
