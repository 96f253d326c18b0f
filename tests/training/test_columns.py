"""The columns of the comparison: zero for the truth, known for known errors."""

from dataclasses import replace

import pytest

from kinelift.core.skeleton import INDEX
from kinelift.inference.lifters.lifter import Lifted, Lifter
from kinelift.tests.training.comparison import FRAMES
from kinelift.training.columns import COLUMNS, measure


class Told(Lifter):
    """Says what it is given."""

    def __init__(self, lifted):
        super().__init__()
        self.lifted = lifted

    def forward(self, seen, flip):
        return self.lifted


def test_figures_are_nothing_for_the_truth_and_known_for_known_errors(material):
    batch = material.perfect[0]
    up = batch.up[:, None].expand(-1, FRAMES, -1)
    true = Lifted(batch.lengths, batch.rotations, batch.joints[:, :, 0], batch.contacts, up)
    found = measure(Told(true), [batch])
    for name in COLUMNS:
        if name != "illegal_pct":  # random motion bends as it likes
            assert found[name] < 0.1, name
    joints = batch.joints.clone()
    joints[:, :, INDEX["hand.L"], 0] += 0.1
    joints[:, 1::2] += 0.05  # the whole body, which is no error from the hips
    found = measure(Told(replace(true, positions=joints)), [batch])
    assert found["mpjpe_mm"] == pytest.approx(100 / 21, rel=1e-3)
    assert found["mpjve_mm"] < 0.1 and found["asymmetry_mm"] > 1
