"""Pins in a file: what was written is read, and nothing else is taken."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kinelift.core.errors import CaptureError
from kinelift.core.pins import Pins, not_met, read_pins, write_pins
from kinelift.core.rotations import axis_angle
from kinelift.core.skeleton import INDEX, JOINTS
from kinelift.tests.motions import random_capture

MOTION = random_capture(20, seed=2).motion


def pins_on(*frames: int) -> Pins:
    """The motion's own poses."""
    at = np.array(frames)
    return Pins(at, MOTION.world_rotations[at], MOTION.root[at].astype(float), np.ones(len(at)))


def test_what_was_written_is_read(tmp_path: Path) -> None:
    pins = pins_on(3, 19, 3)
    pins.rotations[1, INDEX["hips"]], pins.hips[2], pins.strength[1] = np.nan, np.nan, 0.25
    write_pins(pins, tmp_path / "p.json")
    found = read_pins(tmp_path / "p.json", 20)
    for name in ("frames", "rotations", "hips", "strength"):
        np.testing.assert_allclose(getattr(found, name), getattr(pins, name), atol=1e-6)
    write_pins(pins.within(slice(0, 0)), tmp_path / "none.json")
    assert len(read_pins(tmp_path / "none.json", 20).frames) == 0


@pytest.mark.parametrize(
    "told",
    [
        "[]",
        '{"pins": {}}',
        '{"pins": [], "more": 1}',
        '{"pins": [{"frame": 1}]}',
        '{"pins": [{"frame": 20, "hips": [0, 0, 1]}]}',
        '{"pins": [{"frame": -1, "hips": [0, 0, 1]}]}',
        '{"pins": [{"frame": 1.0, "hips": [0, 0, 1]}]}',
        '{"pins": [{"frame": true, "hips": [0, 0, 1]}]}',
        '{"pins": [{"frame": 1, "hips": [0, 0, NaN]}]}',
        '{"pins": [{"frame": 1, "hips": [0, 0, 1e9]}]}',
        '{"pins": [{"frame": 1, "hips": [0, 0]}]}',
        '{"pins": [{"frame": 1, "hips": [0, 0, 1], "strength": 0}]}',
        '{"pins": [{"frame": 1, "hips": [0, 0, 1], "strength": 2}]}',
        '{"pins": [{"frame": 1, "rotations": {"tail": [1, 0, 0, 0]}}]}',
        '{"pins": [{"frame": 1, "rotations": {"head": [1, 1, 0, 0]}}]}',
        '{"pins": [{"frame": 1, "rotations": {"head": "1000"}}]}',
        '{"pins": [{"frame": 1, "rotations": []}]}',
        "{",
        '{"pins": ' + "[" * 9999,
    ],
)
def test_what_is_no_pin_is_refused(tmp_path: Path, told: str) -> None:
    (tmp_path / "p.json").write_text(told)
    with pytest.raises(CaptureError, match="aren't written as they should be: frames 0 to 19"):
        read_pins(tmp_path / "p.json", 20)


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="can't be read"):
        read_pins(tmp_path / "p.json", 20)


def test_the_example_is_a_pin(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text("{")
    with pytest.raises(CaptureError) as error:
        read_pins(tmp_path / "p.json", 100)
    example = str(error.value).split("such as ")[1].rstrip(".")
    (tmp_path / "p.json").write_text(json.dumps(json.loads(example)))
    found = read_pins(tmp_path / "p.json", 100)
    told = [JOINTS[joint] for joint in np.flatnonzero(np.isfinite(found.rotations[0]).all((1, 2)))]
    assert found.frames.tolist() == [80] and told == ["forearm.L"]


def test_pins_that_are_not_met_are_named() -> None:
    pins = pins_on(3, 5, 7)
    assert not_met(pins, MOTION) == ""
    x = np.array([1.0, 0.0, 0.0])
    pins.rotations[0, INDEX["head"]] = axis_angle(x, np.array(0.5)) @ pins.rotations[0, INDEX["head"]]
    pins.hips[1, 0] += 0.12
    pins.hips[2], pins.rotations[2, 0] = np.nan, np.nan
    said = not_met(pins, MOTION)
    assert "frame 3 (head by 29 degrees), frame 5 (the hips by 12 cm):" in said and "7" not in said
    pins.strength[:] = 0.9
    assert not_met(pins, MOTION) == "", "what counts less needn't be met"
