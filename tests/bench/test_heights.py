"""The truth has no error in its own heights, and each fault shows in its own figure."""

from dataclasses import replace

import numpy as np
import pytest

from kinelift.bench.heights import floors, heights, peak
from kinelift.bench.scenes import SCENES
from kinelift.bench.stage import looking, reference


def scene_and_truth(name):
    scene = SCENES[name]()
    return scene.motion, reference(scene, looking((5.0, 0.0, 1.0), (0.0, 0.0, 1.0)))


def raised(motion, by):
    """The same with its hips, and all else, higher by (T,) metres."""
    return replace(motion, root=motion.root + np.outer(by, [0, 0, 1]))


@pytest.mark.parametrize("name", SCENES)
def test_the_truth_is_right_whatever_its_own_zero_and_size(name):
    motion, truth = scene_and_truth(name)
    everywhere = np.ones(len(motion))
    half = replace(motion, offsets=motion.offsets / 2, root=motion.root / 2)
    for captured, scale in ((motion, 1.0), (raised(motion, 0.3 * everywhere), 1.0), (half, 2.0)):
        figures = heights(captured, truth, scale)
        assert figures["height_cm"] < 0.05
        assert max(figures.get(name, 0) for name in ("steps_cm", "seat_cm")) < 0.05
        assert figures.get("peak_pct", 0) < 0.5 and figures.get("peak_frames", 0) < 0.02
    measured = {
        "stairs_up": "steps_cm",
        "stairs_down": "steps_cm",
        "box_jump": "peak_pct",
        "chair": "seat_cm",
    }
    assert measured.get(name, "height_cm") in figures


def test_a_step_that_is_too_low():
    motion, truth = scene_and_truth("stairs_up")
    assert floors(truth) == pytest.approx([0, 0.17, 0.34, 0.51])
    on_second = np.isclose(truth["levels"], 0.34).any(axis=1)
    figures = heights(raised(motion, -0.06 * on_second), truth, 1.0)
    assert figures["steps_cm"] == pytest.approx(6, abs=0.1)


def test_a_jump_that_is_too_low_or_too_late():
    motion, truth = scene_and_truth("box_jump")
    over = np.maximum(motion.root[:, 2] - motion.root[0, 2], 0)
    flat = heights(raised(motion, -0.1 * over), truth, 1.0)
    assert flat["peak_pct"] == pytest.approx(10, abs=0.5) and flat["peak_frames"] < 0.1
    late = replace(motion, root=np.concatenate([motion.root[:2], motion.root[:-2]]))
    figures = heights(late, truth, 1.0)
    assert figures["peak_frames"] == pytest.approx(2, abs=0.02) and figures["peak_pct"] < 0.5


def test_a_seat_that_is_too_high():
    motion, truth = scene_and_truth("chair")
    hips = raised(motion, 0.05 * truth["seated"])
    # the legs' feet go up too, but most of the time they stand where they did
    assert heights(hips, truth, 1.0)["seat_cm"] == pytest.approx(5, abs=0.1)


def test_a_peak_between_two_frames_is_found_there():
    t = np.arange(60) / 30
    when, high = peak(1.5 - 4.9 * (t - 1.013) ** 2, 30.0, np.array([0.8, 1.2]))
    assert when == pytest.approx(1.013) and high == pytest.approx(1.5)
    assert peak(t, 30.0, np.array([0.8, 1.2]))[0] == pytest.approx(1.3, abs=0.04)


def test_a_reference_without_levels_has_its_floor_at_zero():
    assert floors({}) == [0.0]
