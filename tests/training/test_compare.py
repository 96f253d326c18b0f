"""The comparison: every row learns, and an interrupted run ends as an uninterrupted one does."""

import json

import pytest
import torch

from kinelift.tests.training.comparison import TINY, figures
from kinelift.training.compare import TRUTH, Lesson, build, compare, with_inner
from kinelift.training.methods.table import LIFTERS
from kinelift.training.rows import FULL, ROWS


class StopError(Exception):
    """What interrupts a run here."""


@pytest.mark.slow
@pytest.mark.parametrize("names", [["motionet"], ["tp-net-online"], ["skeletonnet-refined"]])
def test_an_interrupted_row_ends_as_an_uninterrupted_one_does(names, material, tmp_path):
    whole, halted = tmp_path / "whole", tmp_path / "halted"
    compare(names, TINY, material, whole, "cpu")
    for place in ((0, 3), (1, 1)):

        def stop(row, lesson, step, place=place):
            if (lesson, step) == place:
                raise StopError

        with pytest.raises(StopError):
            compare(names, TINY, material, halted, "cpu", stop)
    compare(names, TINY, material, halted, "cpu")
    for name in with_inner(names):
        assert figures(halted, name) == figures(whole, name)
    steps = []
    compare(names, TINY, material, whole, "cpu", lambda *told: steps.append(told))
    assert steps == []  # what is finished is not done again
    assert set(json.loads((whole / TRUTH).read_text())) == {"elbows", "knees"}


def test_a_temporal_net_brings_the_row_that_it_begins_from():
    assert with_inner(["tp-net-online", "simple"]) == ["simple", "sap-net", "tp-net-online"]


@pytest.mark.parametrize("name", ROWS)
def test_every_row_learns_something_in_both_lessons(name, material, tmp_path):
    row = ROWS[name]
    if row.inner:
        return  # learns in the test above
    torch.manual_seed(0)
    model = build(row, full=False)
    for lesson in (0, 1):
        before = [p.detach().clone() for p in model.parameters()]
        taught = Lesson(model, row, TINY, lesson, "cpu")
        taught.step(taught.drawn(material.lessons[lesson], 0), TINY.steps - 1)
        changed = [not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)]
        assert any(changed)
        assert all(p.isfinite().all() for p in model.parameters())


def test_the_networks_for_a_gpu_can_be_built():
    assert set(FULL) == set(LIFTERS)
    for name in FULL:
        row = next(row for row in ROWS.values() if row.lifter == name)
        assert isinstance(build(row, full=True), LIFTERS[name])
