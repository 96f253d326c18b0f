"""Charts as SVG: what is known over time, how sure each joint is, and when feet touch the floor."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

from .arrays import Floats
from .capture import Capture
from .colours import HIGH, KNOWN, LEGEND, LOW, MIDDLING, Colour
from .files import replacing
from .motion import CONTACT_POINTS
from .quality import STATES, doubt, states
from .skeleton import JOINTS

#: colours of a contact point in the air and on the floor, sRGB
_CONTACTS: tuple[Colour, Colour] = ((228, 232, 236), (50, 120, 200))
#: values are drawn in this many steps between 0 and 1, so that a strip consists of few rectangles
_STEPS = 60
#: columns of a strip in the chart; frames that share a column show the worst of them
_COLUMNS = 480
#: columns of the quality strip
_QUALITY_COLUMNS = 240
#: width of the strips in the chart, pixels
_WIDTH = 960
#: distance of the rows of the chart, pixels
_ROW = 18
#: height of a strip in the chart, pixels
_BAR = 14
#: margin for the names of the rows, pixels
_LEFT = 130
#: margin on the right, pixels
_RIGHT = 24
#: margin for the title, pixels
_ABOVE = 46
#: margin for the axis, pixels
_BELOW = 40
#: distance of the contacts from the joints, pixels
_GAP = 12
_TITLE = f"person: {LEGEND}. Joints: how well each was seen and lies on the picture; contacts with the floor"
#: the order of the rows: the middle of the body, the left side, the right side, each from top to bottom
_ROWS = sorted(range(len(JOINTS)), key=lambda j: (JOINTS[j][-2:] == ".R", JOINTS[j][-2:] == ".L"))


def quality_strip(capture: Capture) -> str:
    """An SVG element to embed in a page: the frames' `quality.STATES` in the colours of `colours.KNOWN`."""
    worst = _columns(_known(capture), np.maximum, _QUALITY_COLUMNS)
    return _strip(worst, KNOWN, 'class="strip" role="img" aria-label="quality over time"')


def _known(capture: Capture) -> Floats:
    """In which of `quality.STATES` (T,) the frames are, 0 for the best to 1 for the worst."""
    return states(capture) / (len(STATES) - 1)


def save_chart(capture: Capture, path: Path) -> None:
    """Write the chart as an SVG file, which appears whole or not at all.

    It has a row for what is known of the person, for each joint and for each contact point; the horizontal
    axis is the time of the video.

    Raises
    ------
    CaptureError
        If it can't be written.
    """
    sure = 1 - doubt(capture)
    rows = [("person", _columns(_known(capture), np.maximum, _COLUMNS), KNOWN, -_GAP)]
    rows += [
        (
            JOINTS[joint],
            _columns(sure[:, joint], np.minimum, _COLUMNS),
            (LOW, MIDDLING, HIGH),
            0,
        )
        for joint in _ROWS
    ]
    rows += [
        (name, _columns(contact, np.maximum, _COLUMNS), _CONTACTS, _GAP)
        for name, contact in zip(CONTACT_POINTS, capture.motion.contacts.T, strict=True)
    ]
    bottom = _ABOVE + len(rows) * _ROW + _GAP
    parts = [
        '<rect width="100%" height="100%" fill="#fafafa"/>',
        f'<text x="{_LEFT}" y="20">{_TITLE}</text>',
        *_axis(capture, bottom),
    ]
    for number, (name, values, stops, gap) in enumerate(rows):
        top = _ABOVE + number * _ROW + gap
        place = f'x="{_LEFT}" y="{top}" width="{_WIDTH}" height="{_BAR}"'
        parts.append(f'<text x="{_LEFT - 8}" y="{top + 11}" text-anchor="end">{escape(name)}</text>')
        parts.append(_strip(values, stops, place))
    width, height = _LEFT + _WIDTH + _RIGHT, bottom + _BELOW
    with replacing(path) as temporary:
        temporary.write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" font-family="sans-serif" font-size="12" fill="#282828">\n'
            + "\n".join(parts) + "\n</svg>\n",
            encoding="utf-8",
        )  # fmt: skip


def _columns(values: Floats, worst: np.ufunc, most: int) -> Floats:
    """The worst of the values (T,) in each column, at most `most`."""
    count = min(len(values), most)
    first = np.linspace(0, len(values), count, endpoint=False).astype(int)
    return np.asarray(worst.reduceat(values, first))


def _strip(values: Floats, stops: tuple[Colour, ...], attributes: str) -> str:
    """An SVG element with a column for each of the values (C,), coloured from first to last stop."""
    steps = np.round(np.clip(values, 0, 1) * _STEPS).astype(int)
    starts = np.flatnonzero(np.diff(steps, prepend=-1))
    lengths = np.diff(starts, append=len(steps))
    paths = []
    for step in np.unique(steps):
        at = np.linspace(0, 1, len(stops))
        colour = ",".join(f"{np.interp(step / _STEPS, at, c):.0f}" for c in zip(*stops, strict=True))
        here = steps[starts] == step
        bars = "".join(f"M{x} 0h{w}v1h-{w}z" for x, w in zip(starts[here], lengths[here], strict=True))
        paths.append(f'<path fill="rgb({colour})" d="{bars}"/>')
    box = f'viewBox="0 0 {len(steps)} 1" preserveAspectRatio="none" shape-rendering="crispEdges"'
    return f"<svg {attributes} {box}>{''.join(paths)}</svg>"


def _axis(capture: Capture, bottom: int) -> Iterable[str]:
    """Ticks at round seconds of the video."""
    start = capture.motion.start
    seconds = len(capture) / capture.motion.fps
    rough = seconds / 10
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in (1, 2, 5, 10) if power * nice >= rough * (1 - 1e-9))
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    for tick in np.arange(math.ceil(start / step - 1e-9), (start + seconds) / step + 1e-9):
        x = _LEFT + (tick * step - start) / seconds * _WIDTH
        yield f'<path d="M{x:.1f} {_ABOVE}V{bottom + 5}" stroke="#cdcdcd"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{tick * step:.{digits}f}</text>'
    yield f'<text x="{_LEFT + _WIDTH / 2}" y="{bottom + 33}" text-anchor="middle">seconds</text>'
