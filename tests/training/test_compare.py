"""The comparison: every row learns, an interrupted run goes on as if nothing was, the report says what is."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kinelift.core.rotations import axis_angle, geodesic_angle
from kinelift.core.skeleton import INDEX
from kinelift.inference.lifters.lifter import Lifted
from kinelift.training import evaluate
from kinelift.training.clips import load_batches
from kinelift.training.columns import COLUMNS, measure
from kinelift.training.compare import BUDGETS, FIGURES, TRUTH, Lesson, Material, build, compare, with_inner
from kinelift.training.detected import fit_detector, load_sequences
from kinelift.training.methods.table import LIFTERS
from kinelift.training.mocap import load_clips
from kinelift.training.report import CLAIMS, MISSING, finished, tries_table, write_report
from kinelift.training.rotation_classes import nearest_class, rotation_centres
from kinelift.training.rows import FULL, ROWS
from kinelift.training.synthesis import Synthesis

FRAMES = 24
TINY = replace(BUDGETS["small"], steps=4, later=2, batch=2, clips=6, every=1)


@pytest.fixture(scope="module")
def material(mocap, detected):
    sequences = load_sequences(detected)
    detector, clips = fit_detector(sequences), load_clips(mocap)
    lessons = tuple(
        Synthesis(clips, some, errors, FRAMES, share, 3).batch(TINY.clips)
        for some, errors, share in (([], evaluate.perfect(detector, FRAMES), 0.0), (sequences, detector, 0.5))
    )
    clear, noisy = (evaluate.test_batches(clips, detector, noise, FRAMES, 1, 2) for noise in (False, True))
    return Material(lessons, clear, noisy, {"rendered/one": noisy[0], "real/two": clear[0]})


def figures(run, name):
    """What a row left, without how long it took."""
    left = json.loads((run / name / FIGURES).read_text())
    return {key: value for key, value in left.items() if key not in ("seconds", "ms_per_1000")}


class StopError(Exception):
    """What interrupts a run here."""


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


def test_centres_are_rotations_and_those_of_tight_clusters():
    torch.manual_seed(0)
    true = axis_angle(torch.nn.functional.normalize(torch.randn(5, 3), dim=-1), torch.linspace(0.5, 3, 5))
    label = torch.arange(200) // 40
    near = axis_angle(torch.nn.functional.normalize(torch.randn(200, 3), dim=-1), 0.05 * torch.rand(200))
    centres = rotation_centres(true[label] @ near, 5)
    order = nearest_class(true, centres)
    assert sorted(order.tolist()) == [0, 1, 2, 3, 4]
    assert geodesic_angle(centres[order], true).max() < 0.03


class Told(torch.nn.Module):
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


def test_the_report_says_what_is_and_calls_missing_what_is_not(material, tmp_path):
    run, docs = tmp_path / "run", tmp_path / "docs"
    compare(["simple", "sap-net-symmetry"], TINY, material, run, "cpu")
    text = write_report(run, docs).read_text()
    for name in ("methods-rows.png", "methods-claims.png"):
        assert (docs / "images" / name).stat().st_size > 5000
        assert f"images/{name}" in text
    left = figures(run, "simple")
    line = next(line for line in text.splitlines() if line.startswith("| `simple` |"))
    assert f" {left['perfect']['mpjpe_mm']:.1f} |" in line
    assert MISSING in next(line for line in text.splitlines() if line.startswith("| `ugcn` |"))
    assert not re.search(r"\{[a-z]", text)
    asymmetry = next(line for line in text.splitlines() if "`simple` → `sap-net-symmetry`" in line)
    assert f"{left['perfect']['asymmetry_mm']:.1f} →" in asymmetry and "-25 % or less" in asymmetry
    assert {c.without for c in CLAIMS} | {c.with_it for c in CLAIMS} <= set(ROWS)
    beside = write_report(run, docs, longer=run).read_text()
    asymmetry = next(line for line in beside.splitlines() if "`simple` → `sap-net-symmetry`" in line)
    assert asymmetry.count(f"{left['perfect']['asymmetry_mm']:.1f} →") == 2
    quick = replace(TINY, rate=2.0)
    compare(["simple", "sap-net-symmetry"], quick, material, tmp_path / "quick", "cpu")
    tries = tries_table([{}, finished(run), finished(tmp_path / "quick")]).splitlines()[2:]
    rate = ROWS["sap-net-symmetry"].rate
    how = [f"| {TINY.steps} | {factor * rate:g} | {TINY.seed} |" for factor in (1, 2)]
    assert [line for line, said in zip(tries, how, strict=True) if said in line] == tries
    assert tries[0].split("|")[6] != tries[1].split("|")[6], "another rate learns something else"


def test_a_benchmark_clip_is_a_batch_of_what_the_detector_sees():
    samples = Path(__file__).resolve().parents[2] / "samples"
    clips = load_batches(samples)
    batch = clips["samples/walk_front"]
    depth = batch.joints[..., 1:2]
    seen = torch.cat([batch.joints[..., :1], -batch.joints[..., 2:]], -1) / depth
    knee = torch.linalg.vector_norm(
        (batch.rays[:, :, 25] - seen[:, :, INDEX["shin.L"]]) * depth[:, :, 0], dim=-1
    )
    assert knee.median() < 0.08
    assert batch.positioned.sum() > 12 and torch.isfinite(batch.rays).all()
