"""The emulator learns the detector's errors that depend on the pose."""

from dataclasses import replace

import numpy as np
import pytest

from kinelift.core.landmarks import MIRRORED
from kinelift.training import emulator
from kinelift.training.detected import (
    fit_detector,
    landmarks_on,
    load_detected,
    seen_straight,
)


@pytest.mark.slow
def test_mistakes_that_go_with_the_pose_are_learnt_and_the_rest_is_left(detected, monkeypatch):
    monkeypatch.setattr(emulator, "_EPOCHS", 1500)
    sequences = load_detected(detected)
    plain = fit_detector(sequences)
    rng = np.random.default_rng(3)
    # depth is half of what it is, who is aside is seen worse, and all is a little too low
    bodies = [landmarks_on(s.joints, s.rotations, plain.placement) for s in sequences]
    hints = [rng.normal(0, 0.01, b.shape) + seen_straight(b) * [0, 0, -0.5] for b in bodies]
    seen = [0.9 - 0.2 * abs(b[..., 0] / b[..., 1]) for b in bodies]
    errors = [np.full((*b.shape[:2], 2), [0.0, 0.02]) for b in bodies]
    known = replace(plain, errors=errors, visibility=seen, hint_errors=hints)
    sequences = [replace(s, visibility=v) for s, v in zip(sequences, seen, strict=True)]
    learnt = emulator.emulated(known, sequences)
    assert np.abs(np.concatenate(learnt.hint_errors)).mean() < 0.25 * np.abs(np.concatenate(hints)).mean()
    assert np.abs(np.concatenate(learnt.errors)).mean() < 0.002
    assert np.abs(np.concatenate(learnt.visibility)).mean() < 0.01
    said = learnt.emulator.errors(bodies[0], sequences[0].up)
    left = (learnt.errors[0], learnt.visibility[0], learnt.hint_errors[0])
    for mean, rest, whole in zip(said, left, (errors[0], seen[0], hints[0]), strict=True):
        assert np.allclose(mean + rest, whole, atol=1e-6)
    order, flip = list(MIRRORED), np.array([-1.0, 1, 1])
    other = learnt.emulator.errors(bodies[0][:, order] * flip, sequences[0].up * flip)
    assert np.abs(other[2] - said[2][:, order] * flip).mean() < 0.03
