"""The comparison: every row learns, and an interrupted run ends as an uninterrupted one does."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from kinelift.core.errors import CaptureError
from kinelift.tests.training.comparison import SEED, TINY, figures
from kinelift.training.claims import CLAIMS
from kinelift.training.columns import COLUMNS
from kinelift.training.compare import (
    BUDGETS,
    TRUTH,
    Lesson,
    _lessons,
    build,
    compare,
    load_material,
    result_file,
    with_inner,
)
from kinelift.training.rows import ROWS, SINGLE, at_30


class StopError(Exception):
    """What interrupts a run here."""


@pytest.mark.slow
@pytest.mark.parametrize("names", [["motionet"], ["tp-net-online"], ["skeletonnet-refined"]])
def test_an_interrupted_row_ends_as_an_uninterrupted_one_does(names, material, tmp_path):
    whole, halted = tmp_path / "whole", tmp_path / "halted"
    compare(names, [SEED], TINY, material, whole, whole, "cpu")
    for place in ((0, 2), (1, 1)):

        def stop(row, seed, lesson, step, place=place):
            if (lesson, step) == place:
                raise StopError

        if place[0] in _lessons(ROWS[names[0]], TINY):
            with pytest.raises(StopError):
                compare(names, [SEED], TINY, material, halted, halted, "cpu", stop)
    compare(names, [SEED], TINY, material, halted, halted, "cpu")
    for name in with_inner(names):
        assert figures(halted, name) == figures(whole, name)
    told = []
    compare(names, [SEED], TINY, material, whole, whole, "cpu", lambda *place: told.append(place))
    assert told == []  # what is finished is not done again
    assert set(json.loads((whole / TRUTH).read_text())) == {"elbows", "knees"}
    with pytest.raises(CaptureError, match="another budget"):
        compare(names, [SEED], replace(TINY, steps=5), material, whole, whole, "cpu")


@pytest.mark.slow
def test_a_row_that_another_starts_from_is_trained_again_where_its_weights_were_left_behind(
    material, tmp_path
):
    compare(["sap-net-half"], [SEED], TINY, material, tmp_path, tmp_path / "there", "cpu")
    before = figures(tmp_path, "sap-net-half")
    compare(["tp-net-fitted"], [SEED], TINY, material, tmp_path, tmp_path / "here", "cpu")
    assert figures(tmp_path, "sap-net-half") == before
    moved, fitted = (figures(tmp_path, name) for name in ("tp-net-semi-online", "tp-net-fitted"))
    assert fitted["steps"] == 0 and moved["steps"] == TINY.steps * 0.5
    assert fitted["perfect"]["bone_std_mm"] < 1e-2 < moved["perfect"]["bone_std_mm"]


@pytest.mark.slow
def test_another_seed_learns_otherwise_and_a_time_is_kept(material, tmp_path):
    compare(["simple"], [1, 2], TINY, material, tmp_path, tmp_path, "cpu")
    one, other = (figures(tmp_path, "simple", seed)["perfect"] for seed in (1, 2))
    assert one["mpjpe_mm"] != other["mpjpe_mm"]
    assert len(one["clips"]["mpjpe_mm"]) == sum(len(b.rays) for b in material.perfect)
    # a figure that a new claim needs by clip is measured with the weights that there are
    path = result_file(tmp_path, "steps", "simple", 1)
    left = json.loads(path.read_text())
    del left["perfect"]["clips"]["asymmetry_mm"]
    path.write_text(json.dumps(left))
    compare(["simple"], [1], TINY, material, tmp_path, tmp_path, "cpu")
    assert figures(tmp_path, "simple", 1)["perfect"] == one
    compare(["simple"], [1], replace(TINY, seconds=0.3), material, tmp_path, tmp_path, "cpu")
    timed = json.loads(result_file(tmp_path, "seconds", "simple", 1).read_text())
    assert 0.3 <= timed["seconds"][0] < 0.8 and timed["steps"] > 4 and "noisy" not in timed


def test_a_temporal_net_brings_the_rows_that_it_begins_from():
    assert with_inner(["tp-net-fitted", "simple"]) == [
        "simple", "sap-net-half", "tp-net-semi-online", "tp-net-fitted"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_every_row_learns_something_in_both_lessons(name, material):
    row = ROWS[name]
    if not row.share:
        return  # learns nothing more
    torch.manual_seed(0)
    model = build(row, full=False)
    for lesson in (0, 1):
        before = [p.detach().clone() for p in model.parameters()]
        taught = Lesson(model, row, SEED, TINY, lesson, "cpu")
        taught.step(taught.drawn(material.pool), 0.9)
        changed = [not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)]
        assert any(changed)
        assert all(p.isfinite().all() for p in model.parameters())


def test_a_step_of_every_row_sees_as_many_frames_all_of_them_independent_where_they_can_be(material):
    for name in ("simple", "ugcn"):
        batch = Lesson(build(ROWS[name], False), ROWS[name], SEED, TINY, 0, "cpu").drawn(material.pool)
        assert batch.rays.shape[0] * batch.rays.shape[1] == TINY.frames
        assert batch.rays.shape[1] == (1 if name in SINGLE else ROWS[name].frames)


def test_nothing_is_detected_for_rows_that_see_perfectly(mocap, detected, tmp_path):
    for name in ("train", "test"):
        shutil.copytree(mocap, tmp_path / name)
    nowhere, run = tmp_path / "nowhere", tmp_path / "run"
    for names, budget in ((["ugcn-cross"], TINY), (["simple"], replace(TINY, seconds=1.0))):
        material = load_material(names, budget, tmp_path, [detected], nowhere, run, "cpu")
        assert material.clips == {} and sum(len(b.rays) for b in material.perfect) == 256
        assert material.pool.draw(2, 1, 0).rays.isfinite().all()
    assert list(run.iterdir()) == []


def test_rows_of_claims_learn_what_the_claims_are_about():
    for claim in CLAIMS:
        assert claim.figure in COLUMNS
        for name in (claim.without, claim.with_it):
            assert claim.group == "perfect" or _lessons(ROWS[name], BUDGETS["small"]) == [0, 1], name


def test_the_papers_intervals_are_as_long_here():
    assert at_30(8, 12, 16, 24) == (5, 7, 10, 14)
    assert at_30(1, 2) == (1, 1)


@pytest.mark.parametrize("lifter", {row.lifter for row in ROWS.values()})
def test_the_networks_for_a_gpu_are_wider(lifter):
    row = next(row for row in ROWS.values() if row.lifter == lifter)
    small, full = (sum(p.numel() for p in build(row, is_full).parameters()) for is_full in (False, True))
    assert full > 3 * small
