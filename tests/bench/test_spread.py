"""The figures of bench.spread are those of made landmarks whose errors are known."""

from dataclasses import replace

import numpy as np
import pytest

from kinelift.bench.spread import WITHIN, Errors, calibrated, draw, errors_of, row, together
from kinelift.core.landmarks import LANDMARKS
from kinelift.inference.blazepose.heat import ERROR
from kinelift.inference.detect.people import Detections, Person

COUNT = 40_000
#: how high the made person is, pixels
TALL = 200.0


def errors(factor: float = 1.0) -> Errors:
    """Errors that are normal, `factor` times as large as they are said to be."""
    rng = np.random.default_rng(0)
    xx, yy = rng.uniform(1e-5, 1e-3, (2, COUNT))
    xy = rng.uniform(-0.8, 0.8, COUNT) * np.sqrt(xx * yy)
    roots = np.linalg.cholesky(np.stack([xx, xy, xy, yy], -1).reshape(-1, 2, 2))
    off = factor * (roots @ rng.normal(size=(COUNT, 2, 1)))[..., 0]
    return Errors(rng.integers(0, 33, COUNT), off, np.stack([xx, xy, yy], -1), 100, 3)


def test_as_many_errors_are_within_their_spread_as_should_be():
    shares = [(errors().distances < most).mean() for most in WITHIN]
    assert shares == pytest.approx([0.683, 0.954], abs=0.01)
    both = together([errors(), errors(10.0)])
    assert [(both.distances < most).mean() for most in WITHIN] == pytest.approx([0.35, 0.50], abs=0.03)
    assert (both.frames, both.elsewhere) == (200, 6)
    assert row("made", errors()).endswith("| 3.0 |")


def test_spreads_that_are_too_small_are_calibrated():
    for kind, error in calibrated(errors(1.5)).items():
        assert error == pytest.approx(1.5 * ERROR[kind], rel=0.05)


def test_a_picture_has_a_line_for_each_group(tmp_path):
    draw({"films": errors(), "somewhere": errors(2.0)}, tmp_path / "spread.svg")
    text = (tmp_path / "spread.svg").read_text(encoding="utf-8")
    assert "films" in text and "somewhere" in text and "predicted spread" in text


def test_who_is_elsewhere_and_what_is_outside_does_not_count():
    truth = np.tile(np.random.default_rng(0).uniform(300, 500, (33, 2)), (5, 1, 1))
    person = Person(
        np.column_stack([truth[0], np.ones(33)]).astype(np.float32), np.zeros((33, 3), np.float32),
        np.zeros(22, np.float32), 0, np.tile(np.float32([4, 0, 4]), (33, 1)), np.ones(33, np.float32),
    )  # fmt: skip
    moved = [person] * 5
    moved[1] = replace(person, landmarks=person.landmarks + np.float32([2, 0, 0]))
    moved[3] = replace(person, landmarks=person.landmarks + np.float32([TALL / 2, 0, 0]))
    truth[4, LANDMARKS.index("nose")] = -5
    seen = Detections(np.arange(5) / 30, tuple((one,) for one in moved), 5, 30.0, 0.0, (1280, 720), ())
    found = errors_of(seen, "largest", truth, np.full(5, TALL))
    assert (found.frames, found.elsewhere, len(found.off)) == (5, 1, 4 * 33 - 1)
    assert found.wide == pytest.approx(np.full(131, 2 / TALL))
    assert found.off[33:66] == pytest.approx(np.tile([2 / TALL, 0], (33, 1)), abs=1e-5)
    assert found.distances[33:66] == pytest.approx(np.ones(33), abs=1e-3)
    truth[:, 5:] = np.nan
    assert set(errors_of(seen, "largest", truth, np.full(5, TALL)).landmark) == set(range(5))
