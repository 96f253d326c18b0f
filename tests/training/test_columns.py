"""The columns of the comparison: zero for the truth, known for known errors."""

from dataclasses import replace

import pytest

from kinelift.core.skeleton import INDEX
from kinelift.inference.lifters.lifter import Lifted, Lifter
from kinelift.tests.training.comparison import FRAMES
from kinelift.training.columns import COLUMNS, _turning, measure


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
        if name not in ("illegal_pct", "pck_pct", "auc_pct"):  # random motion bends as it likes
            assert found[name] < 0.1, name
    assert found["pck_pct"] == found["auc_pct"] == 100
    joints = batch.joints.clone()
    joints[:, :, INDEX["hand.L"], 0] += 0.1
    joints[:, 1::2] += 0.05  # the whole body, which is no error from the hips
    found = measure(Told(replace(true, positions=joints)), [batch])
    assert found["mpjpe_mm"] == pytest.approx(100 / 21, rel=1e-3)
    assert found["mpjve_mm"] < 0.1 and found["asymmetry_mm"] > 1
    assert found["clips"]["mpjpe_mm"] == pytest.approx([100 / 21] * len(joints), rel=1e-3)
    # a hand of twelve limb joints is within 100 mm or 105 of 150
    assert found["pck_pct"] == 100 and found["auc_pct"] == pytest.approx(100 - 100 * 20 / 30 / 12, abs=0.3)


def test_motion_is_natural_at_any_time_and_not_at_another_speed(material):
    batch = material.perfect[0]
    up = batch.up[:, None].expand(-1, FRAMES, -1)
    lifted = Lifted(batch.lengths, batch.rotations, batch.joints[:, :, 0], batch.contacts, up)
    backwards = measure(Told(replace(lifted, rotations=batch.rotations.flip(1))), [batch])
    assert backwards["bones_deg"] > 1 and backwards["velocity_gap"] < 0.1 > backwards["acceleration_gap"] / 30
    still = measure(
        Told(replace(lifted, rotations=batch.rotations[:, :1].expand_as(batch.rotations))), [batch]
    )
    speeds = _turning(batch.rotations.numpy())
    for name, true in zip(("velocity_gap", "acceleration_gap"), speeds, strict=True):
        assert still[name] == pytest.approx(float(true.mean()), rel=1e-3)


def test_mirrored_matrices_are_counted(material):
    batch = material.perfect[0]
    up = batch.up[:, None].expand(-1, FRAMES, -1)
    turned = batch.rotations.clone()
    turned[:, :, INDEX["hand.L"], :, 0] *= -1
    lifted = Lifted(batch.lengths, turned, batch.joints[:, :, 0], batch.contacts, up)
    assert measure(Told(lifted), [batch])["mirrored_pct"] == pytest.approx(100 / 21)
