"""The charts show when and what was badly seen."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from kinelift.core.capture import Capture
from kinelift.core.chart import quality_strip, save_chart
from kinelift.core.colours import HIGH, KNOWN, LOW, Colour
from kinelift.core.motion import CONTACT_POINTS
from kinelift.core.skeleton import INDEX, JOINTS
from kinelift.tests.motions import random_capture

SVG = "{http://www.w3.org/2000/svg}"


def bars(strip: ElementTree.Element, colour: Colour) -> list[tuple[float, float]]:
    """Begin and end of the bars of a colour, as shares of the strip's width."""
    wide = float(strip.attrib["viewBox"].split()[2])
    paths = [path.attrib["d"] for path in strip if path.attrib["fill"] == "rgb({},{},{})".format(*colour)]
    return [
        (int(x) / wide, (int(x) + int(w)) / wide)
        for path in paths
        for x, w in re.findall(r"M(\d+) 0h(\d+)v1h-\2z", path)
    ]


@pytest.mark.parametrize("frames", [1, 90, 5000])
def test_bad_stretches_are_red_at_their_time_however_short(tmp_path: Path, frames: int) -> None:
    capture = random_capture(frames)
    confidence = np.ones_like(capture.confidence)
    bad = frames // 3
    confidence[bad, INDEX["hand.R"]] = 0
    save_chart(replace(capture, confidence=confidence), tmp_path / "chart.svg")
    chart = ElementTree.parse(tmp_path / "chart.svg").getroot()
    strips = chart.findall(f"{SVG}svg")
    assert len(strips) == 1 + len(JOINTS) + len(CONTACT_POINTS)
    red = [(strip.attrib["y"], *bar) for strip in strips[1:] for bar in bars(strip, LOW)]
    ((row, begin, end),) = red  # one row only
    assert (begin + end) / 2 == pytest.approx((bad + 0.5) / frames, abs=0.02)
    labels = {text.attrib["y"]: text.text for text in chart.findall(f"{SVG}text")}
    assert labels[str(int(row) + 11)] == "hand.R"
    joints = strips[1 : 1 + len(JOINTS)]
    seen = [
        sum(end - begin for begin, end in bars(strip, HIGH)) for strip in joints if strip.attrib["y"] != row
    ]
    assert seen == pytest.approx([1.0] * (len(JOINTS) - 1))


def test_the_axis_shows_seconds_of_the_video(tmp_path: Path) -> None:
    capture = random_capture(90)
    save_chart(capture, tmp_path / "chart.svg")
    words = [text.text for text in ElementTree.parse(tmp_path / "chart.svg").getroot().findall(f"{SVG}text")]
    ticks = [float(word) for word in words if word and word.replace(".", "").isdigit()]
    start, end = capture.motion.start, capture.motion.start + 90 / capture.motion.fps
    assert 5 <= len(ticks) <= 11 and start <= min(ticks) and max(ticks) <= end
    assert np.ptp(np.diff(ticks)) == pytest.approx(0, abs=1e-6)
    assert "seconds" in words


def known() -> Capture:
    """A capture that is in each of `quality.STATES` for a fifth, from the best to the worst."""
    capture = random_capture(1000)
    capture.confidence[200:400, INDEX["head"]] = 0
    capture.landmarks[400:600, 15:, 0] += 300
    capture.landmarks[800:] = np.nan
    return replace(capture, unsure_sides=((600, 799),))


def test_what_is_known_over_time_is_an_element_of_a_page() -> None:
    strip = ElementTree.fromstring(quality_strip(known()))
    assert [bars(strip, colour) for colour in KNOWN] == [[(i / 5, (i + 1) / 5)] for i in range(5)]


def test_and_the_first_row_of_the_chart(tmp_path: Path) -> None:
    save_chart(known(), tmp_path / "chart.svg")
    first = ElementTree.parse(tmp_path / "chart.svg").getroot().findall(f"{SVG}svg")[0]
    assert [bars(first, colour) for colour in KNOWN] == [[(i / 5, (i + 1) / 5)] for i in range(5)]
