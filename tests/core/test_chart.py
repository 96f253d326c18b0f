"""The strip chart shows when and what was badly seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from kinelift.core.chart import save_chart, strip_chart
from kinelift.core.colours import HIGH, LOW
from kinelift.core.skeleton import INDEX
from kinelift.tests.motions import random_capture


@pytest.mark.parametrize("frames", [1, 90, 5000])
def test_bad_stretches_are_red_at_their_time_however_short(tmp_path: Path, frames: int) -> None:
    capture = random_capture(frames)
    confidence = np.ones_like(capture.confidence)
    bad = frames // 3
    confidence[bad, INDEX["hand.R"]] = 0
    save_chart(replace(capture, confidence=confidence), tmp_path / "chart.png")
    read = cv2.imread(str(tmp_path / "chart.png"))
    image = cv2.cvtColor(read, cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(image, strip_chart(replace(capture, confidence=confidence)))
    red = np.argwhere((image == LOW).all(-1))
    green = np.argwhere((image == HIGH).all(-1))
    left, right = green[:, 1].min(), max(green[:, 1].max(), red[:, 1].max())
    middle = (red[:, 1].mean() - left) / (right - left)
    assert middle == pytest.approx((bad + 0.5) / frames, abs=0.02)
    # one row only
    assert np.ptp(red[:, 0]) < 20
