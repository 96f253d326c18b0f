"""The emulator learns the detector's errors that depend on the pose."""

from dataclasses import replace

import numpy as np
import pytest

from kinelift.core.landmarks import MIRRORED, landmarks_on
from kinelift.training import emulator
from kinelift.training.detected import fit_detector, load_detected


@pytest.mark.slow
def test_mistakes_that_go_with_the_pose_are_learnt_and_the_rest_is_left(detected, monkeypatch):
    monkeypatch.setattr(emulator, "_EPOCHS", 1500)
    sequences = load_detected(detected)
    plain = fit_detector(sequences)
    # who is aside is seen worse and farther aside, and all is a little too low
    bodies = [landmarks_on(s.joints, s.rotations, plain.placement) for s in sequences]
    seen = [0.9 - 0.2 * abs(b[..., 0] / b[..., 1]) for b in bodies]
    errors = [np.stack([0.05 * b[..., 0] / b[..., 1], np.full(b.shape[:2], 0.02)], -1) for b in bodies]
    known = replace(plain, errors=errors, visibility=seen)
    sequences = [replace(s, visibility=v) for s, v in zip(sequences, seen, strict=True)]
    learnt = emulator.emulated(known, sequences)
    assert np.abs(np.concatenate(learnt.errors)).mean() < 0.002
    assert np.abs(np.concatenate(learnt.visibility)).mean() < 0.01
    said = learnt.emulator.errors(bodies[0], sequences[0].up)
    left = (learnt.errors[0], learnt.visibility[0])
    for mean, rest, whole in zip(said, left, (errors[0], seen[0]), strict=True):
        assert np.allclose(mean + rest, whole, atol=1e-6)
    order, flip = list(MIRRORED), np.array([-1.0, 1, 1])
    other = learnt.emulator.errors(bodies[0][:, order] * flip, sequences[0].up * flip)
    assert np.abs(other[0] - said[0][:, order] * flip[:2]).mean() < 0.003
