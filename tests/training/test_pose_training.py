"""The lifter's training goes on where it stopped, and teaches spreads that are true."""

import json
import resource
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kinelift.core.errors import CaptureError
from kinelift.core.skeleton import JOINTS, LENGTHS, TEMPLATE_LENGTHS
from kinelift.inference.lifters.lifter import Spread
from kinelift.inference.lifters.pose_lifter import PoseLifter
from kinelift.inference.lifters.weights import load_weights, save_weights
from kinelift.training import emulator
from kinelift.training.mocap import MocapSequence, load_mocap
from kinelift.training.pose_figures import calibrated, error_ratios
from kinelift.training.pose_losses import pose_losses, residuals, spread_loss, straight_loss
from kinelift.training.pose_training import (
    CHECKPOINT,
    LOG,
    STAGES,
    Stage,
    Training,
    make_pool,
    train_lifter,
    train_stage,
)

STAGE = Stage(width=16, blocks=1, count=12, frames=1, steps=8, every=4)
WINDOWS = replace(STAGE, context=8, frames=6, frozen=True)


@pytest.fixture(scope="module")
def pool(mocap):
    return make_pool(load_mocap(mocap), "cpu")


def long_clips(count, frames):
    """Clips that take no room themselves."""

    def still(*shape):
        return np.broadcast_to(np.zeros(shape), (frames, *shape))

    lengths = np.array(TEMPLATE_LENGTHS)
    rotations = np.broadcast_to(np.eye(3), (frames, len(JOINTS), 3, 3))
    return [MocapSequence("", rotations, still(3), 0.8, still(4), lengths) for _ in range(count)]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only here can a test take memory away")
def test_without_room_for_all_clips_some_are_learnt_from(capsys):
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    try:
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, before[1]))
        assert 0 < len(make_pool(long_clips(8, 100_000), "cpu").count) < 8
        with pytest.raises(CaptureError, match="a single clip"):
            make_pool(long_clips(1, 10**6), "cpu")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert "no room for all clips" in capsys.readouterr().err


def same(a, b):
    """Whether two checkpoints are the same to the bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a if key != "seconds")
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return torch.equal(a, b) if torch.is_tensor(a) else a == b


@pytest.mark.parametrize("stage", [STAGE, WINDOWS, replace(STAGE, context=8, frames=6)])
@pytest.mark.parametrize("cut", [1, 5])
def test_a_training_that_was_cut_off_ends_as_one_that_was_not(pool, tmp_path, stage, cut):
    runs = [tmp_path / name for name in ("whole", "cut")]
    for run in runs:
        run.mkdir()
    whole = Training(stage, pool, runs[0], "cpu")
    for _ in range(stage.steps):
        whole.learn()
    whole.save()
    first = Training(stage, pool, runs[1], "cpu")
    for _ in range(cut):
        first.learn()
    first.save()
    torch.randn(7)  # whatever else draws numbers
    second = Training(stage, pool, runs[1], "cpu")
    second.resume()
    assert second.step == cut
    for _ in range(stage.steps - cut):
        second.learn()
    second.save()
    assert same(*(torch.load(run / CHECKPOINT, weights_only=True) for run in runs))


def test_a_run_ends_with_weights_and_a_log_and_is_not_run_again(pool, tmp_path):
    checks = {"test": [pool.draw(4, 8, 99)]}
    train_stage(STAGE, pool, checks, tmp_path, "cpu")
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2
    model = load_weights(tmp_path / "weights.safetensors", torch.device("cpu"))
    assert isinstance(model, PoseLifter) and model.config["width"] == 16
    train_stage(STAGE, pool, checks, tmp_path, "cpu")
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2
    # more steps: it goes on
    train_stage(replace(STAGE, steps=12), pool, checks, tmp_path, "cpu")
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 3


def test_a_checkpoint_of_something_else_is_refused(pool, tmp_path):
    training = Training(STAGE, pool, tmp_path, "cpu")
    training.learn()
    training.save()
    with pytest.raises(CaptureError, match="another training"):
        Training(replace(STAGE, width=24), pool, tmp_path, "cpu").resume()
    with pytest.raises(CaptureError, match="another network"):
        train_stage(
            replace(WINDOWS, width=24), pool, {}, tmp_path / "other", "cpu", start=tmp_path / CHECKPOINT
        )


def test_the_temporal_part_begins_as_the_frames_alone_and_leaves_them_as_they_are(pool, tmp_path):
    frames = Training(STAGE, pool, tmp_path, "cpu")
    for _ in range(3):
        frames.learn()
    frames.save()
    windows = Training(WINDOWS, pool, tmp_path / "windows", "cpu")
    windows.begin(tmp_path / CHECKPOINT)
    batch = pool.draw(5, 7, 0)
    seen = windows.model.see(batch.rays, batch.confidence)
    with torch.no_grad():
        a, b = (m.eval()(seen) for m in (frames.kept, windows.model))
    assert torch.equal(a.rotations, b.rotations) and torch.equal(a.spread.along, b.spread.along)
    for _ in range(3):
        windows.learn()
    for name, value in frames.kept.state_dict().items():
        assert torch.equal(value, windows.model.state_dict()[name]), name
    with torch.no_grad():
        assert not torch.equal(windows.model.eval()(seen).rotations, a.rotations)


def test_a_training_goes_on_from_weights(pool, tmp_path):
    before = Training(WINDOWS, pool, tmp_path, "cpu")
    before.learn()
    save_weights(before.kept, tmp_path / "weights.safetensors")
    for stage in (WINDOWS, STAGE):  # with and without a temporal part
        after = Training(stage, pool, tmp_path / "after", "cpu")
        after.begin(tmp_path / "weights.safetensors")
        for name, value in after.model.state_dict().items():
            torch.testing.assert_close(value, before.kept.state_dict()[name], atol=1e-3, rtol=1e-3)
    save_weights(PoseLifter(24, 1), tmp_path / "weights.safetensors")
    with pytest.raises(CaptureError, match="another network"):
        Training(STAGE, pool, tmp_path / "after", "cpu").begin(tmp_path / "weights.safetensors")


def test_all_stages_follow_each_other(mocap, detected, tmp_path, monkeypatch):
    monkeypatch.setattr(emulator, "_EPOCHS", 1)
    for name in ("train", "everyday"):
        (tmp_path / "mocap" / name).mkdir(parents=True)
        for clip in mocap.glob("*.bvh"):
            shutil.copy(clip, tmp_path / "mocap" / name)
    small = {
        name: replace(stage, width=16, blocks=1, context=min(stage.context, 8), count=10, steps=2, every=2)
        for name, stage in STAGES.items()
    }
    args = ([tmp_path / "mocap"], [detected], tmp_path / "run", "cpu")
    train_lifter({name: small[name] for name in ("frames", "seen")}, *args)
    train_lifter({name: small[name] for name in ("windows", "whole")}, *args)
    rows = [json.loads((tmp_path / "run" / name / LOG).read_text()) for name in small]
    for row in rows:
        assert row["step"] == 2 and all(np.isfinite(x) for x in row["losses"].values())
        assert {"everyday", "everyday, noisy", "detected"} <= row.keys()
    trunks = [
        torch.load(tmp_path / "run" / name / CHECKPOINT, weights_only=True)["kept"]["trunk.inside.0.weight"]
        for name in ("seen", "windows")
    ]
    assert torch.equal(*trunks)
    times = [(tmp_path / "run" / name / CHECKPOINT).stat().st_mtime_ns for name in small]
    train_lifter(small, *args)
    assert [(tmp_path / "run" / name / CHECKPOINT).stat().st_mtime_ns for name in small] == times


def shapes(windows, frames):
    joints = (windows, frames, len(JOINTS))
    flat = (windows, frames)
    return Spread(joints, joints, joints, (*flat, len(LENGTHS)), flat, flat, flat)


def test_spreads_become_as_large_as_the_errors_are(pool):
    """Of errors with known deviations the likelihood finds the deviations: 68 and 95 % lie within 1 and 2."""
    draw = torch.Generator().manual_seed(0)
    truth = pool.draw(3000, 1, 0)
    deviations = [0.02, 0.05, 0.3, 0.1, 0.03, 0.08, 0.04]
    errors = [
        d * torch.randn(shape, generator=draw) for d, shape in zip(deviations, shapes(3000, 1), strict=True)
    ]
    squares = Spread(*(x**2 for x in errors))
    logs = [torch.zeros((), requires_grad=True) for _ in deviations]
    optimiser = torch.optim.Adam(logs, lr=0.05)
    for _ in range(300):
        spread = Spread(*(log.exp().expand(s) for log, s in zip(logs, shapes(3000, 1), strict=True)))
        optimiser.zero_grad()
        spread_loss(spread, squares, truth).backward()
        optimiser.step()
    for log, deviation, error in zip(logs, deviations, errors, strict=True):
        assert float(log.detach().exp()) == pytest.approx(deviation, rel=0.05)
        ratio = error.abs() / log.exp().detach()
        assert 0.64 < (ratio < 1).float().mean() < 0.72
        assert 0.92 < (ratio < 2).float().mean() < 0.97


def test_the_truth_has_no_residuals_and_no_losses(pool):
    batch = pool.draw(20, 3, 0)
    model = PoseLifter(width=8, blocks=1)
    seen = model.see(batch.rays, batch.confidence)
    lifted = replace(
        model(seen),
        lengths=batch.lengths,
        rotations=batch.rotations,
        root=batch.joints[:, :, 0],
        contacts=20 * (2 * batch.contacts - 1),
        up=batch.up[:, None].expand(-1, 3, -1),
    )
    parts = pose_losses(lifted, seen, batch)
    for name in ("joints", "rotations", "lengths", "depth", "picture", "straight", "contacts", "up"):
        assert parts[name] < 1e-3, name
    for name, value in residuals(lifted, batch)._asdict().items():
        assert name == "lengths" or value.max() < 1e-6, name


def test_a_bend_where_the_limb_is_straight_costs_most(pool):
    batch = pool.draw(50, 1, 0)
    bent = batch.joints.clone()
    assert straight_loss(bent, batch) < 1e-6
    bent[:, :, JOINTS.index("foot.L")] += 0.1
    assert straight_loss(bent, batch) > 0.01


def test_calibrated_spreads_hold_two_thirds_of_the_errors(pool):
    torch.manual_seed(0)
    model = PoseLifter(width=16, blocks=1).eval()
    batches = [pool.draw(400, 2, seed) for seed in range(6)]
    known = calibrated(model, batches[:3])
    for batch in batches[3:]:
        with torch.no_grad():
            ratios = error_ratios(known(known.see(batch.rays, batch.confidence), flip=True), batch)
        for name, ratio in ratios._asdict().items():
            assert 0.55 < (ratio < 1).float().mean() < 0.8, name
    before, after = (m.state_dict() for m in (model, known))
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert changed == ["spread.2.bias"]
