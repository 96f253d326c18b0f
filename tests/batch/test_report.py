"""The report: whatever the journal says of the clips, it is a page that shows text and runs nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kinelift.batch.journal import Entry, Seen
from kinelift.batch.report import write_report
from kinelift.core.chart import quality_strip
from kinelift.core.colours import LEGEND
from kinelift.tests.motions import random_capture


class Page(HTMLParser):
    """The elements and the addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value for name, value in attrs if name in ("href", "src") and value]


def reported(folder: Path, *entries: Entry) -> str:
    path = folder / "report.html"
    write_report(entries, path)
    return path.read_text(encoding="utf-8")


def done(**values: object) -> Entry:
    plain = {"frames": 30, "fps": 30.0, "detected": 1.0, "confidence": 0.5, "started": 1.0, "ended": 3.0}
    return Entry("day/walk", "/walk.mp4", "", "done", **{**plain, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize("frames", [1, 7, 700])
def test_the_strip_of_a_clip_is_shown(tmp_path: Path, frames: int) -> None:
    strip = quality_strip(random_capture(frames))
    text = reported(tmp_path, done(strip=strip))
    assert strip in text and LEGEND in text


@pytest.mark.parametrize(
    "strip",
    [
        "<script>alert(1)</script>",
        '<svg onload="alert(1)"/>',
        "</a><script>alert(1)</script>",
        '<svg class="strip"><script>alert(1)</script></svg>',
        quality_strip(random_capture(5)).replace("</svg>", "<script>alert(1)</script></svg>"),
        quality_strip(random_capture(5)).replace('fill="', 'onclick="alert(1)" fill="'),
        quality_strip(random_capture(5)).replace('d="M', 'd="M" onclick="alert(1)'),
        quality_strip(random_capture(5)) + "<script>alert(1)</script>",
        quality_strip(random_capture(5)) + "\n",
    ],
)
def test_another_strip_is_not(tmp_path: Path, strip: str) -> None:
    text = reported(tmp_path, done(strip=strip))
    assert "alert" not in text and "<svg" not in text


def test_each_person_has_a_row(tmp_path: Path) -> None:
    strips = [quality_strip(random_capture(frames)) for frames in (7, 9)]
    files = {f"walk{who}.{kind}": 1 for who in ("", ".person2") for kind in ("bvh", "png")} | {
        "walk.blend": 1
    }
    two = done(
        strip=strips[0],
        warnings=("She hid.",),
        files=files,
        others=(Seen(0.25, 0.5, strips[1], ("He left.",)),),
    )
    text = reported(tmp_path, two)
    first, second = (part.partition("</tr>")[0] for part in text.split('<tr class="done">')[1:])
    assert "<h1>1 done</h1>" in text
    for row, name, strip, said, seen in (
        (first, "day/walk", strips[0], "She hid.", "100%"),
        (second, "day/walk.person2", strips[1], "He left.", "25%"),
    ):
        assert f"<td>{name}<br><small>{said}</small></td>" in row and strip in row and seen in row
    addresses = [set(Page(row).addresses) for row in (first, second)]
    assert {"day/walk.bvh", "day/walk.png", "day/walk.blend"} <= addresses[0]
    assert {"day/walk.person2.bvh", "day/walk.person2.png"} <= addresses[1]
    assert not addresses[0] & addresses[1]
    # what couldn't be made again has a reason, not people
    assert reported(tmp_path, replace(two, state="failed", reason="Nobody is in it.")).count("<tr") == 2


def test_names_files_and_remarks_are_text(tmp_path: Path) -> None:
    wild = "<script>alert(1)</script>\"'&\x00\x1b[31m\n\u2028\ud800"
    files = {f"{wild}.bvh": 1, "javascript:alert(1)": 1, "../../x": 2}
    entries = [
        Entry(wild, wild, "", "done", frames=1, fps=1.0, files=files, warnings=(wild,)),
        Entry(f"a/{wild}", wild, "", "failed", reason=wild),
    ]
    text = reported(tmp_path, *entries)
    page = Page(text)
    assert page.tags <= {
        "html",
        "meta",
        "title",
        "style",
        "h1",
        "p",
        "table",
        "tr",
        "th",
        "td",
        "a",
        "img",
        "br",
        "small",
    }
    assert not any(name.startswith("on") for name in page.attributes)
    assert not any(address.startswith("javascript:") for address in page.addresses)
    assert not set(map(chr, (0, 27, 0xD800))) & set(text)


@pytest.mark.parametrize("number", [None, math.nan, math.inf, -math.inf, 0, -1, 5e-324, 1e308])
@pytest.mark.parametrize("what", ["frames", "fps", "detected", "confidence", "memory", "started", "ended"])
def test_numbers_that_make_no_sense(tmp_path: Path, what: str, number: float | None) -> None:
    text = reported(tmp_path, done(**{what: number}), Entry("a", "", "", "queued"))
    assert "<h1>1 done, 1 queued</h1>" in text
    assert not any(word in text for word in ("nan", "inf<", "inf ", "None"))
