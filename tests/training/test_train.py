"""A training can be interrupted, and weights can be mixed."""

import itertools
import json
from dataclasses import replace

import pytest
import torch

from kinelift.inference.lifters.motionet import MotioNet
from kinelift.inference.lifters.weights import load_weights, save_weights
from kinelift.training.train import CONFIGS, mix, train


@pytest.mark.slow
def test_an_interrupted_training_goes_on_and_its_weights_load(mocap, detected, tmp_path):
    config = replace(CONFIGS["small"], channels=16, static_channels=8, stages=2, frames=16, batch=4, steps=4)
    weights, run = tmp_path / "w.safetensors", tmp_path / "run"
    train(replace(config, steps=4), mocap, [detected], run, weights, "cpu", every=2)
    steps = [json.loads(line)["step"] for line in (run / "log.jsonl").read_text().splitlines()]
    assert steps == [2, 4]
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    state["step"] = 2  # as if it had been stopped half way
    torch.save(state, run / "checkpoint.pt")
    train(config, mocap, [detected], run, weights, "cpu", every=2)
    steps = [json.loads(line)["step"] for line in (run / "log.jsonl").read_text().splitlines()]
    assert steps == [2, 4, 4]
    assert load_weights(weights, torch.device("cpu")).config["channels"] == 16
    assert list(itertools.islice(tmp_path.glob(".kinelift-*"), 1)) == []


def test_weights_are_mixed(tmp_path):
    size = {"channels": 16, "static_channels": 8, "stages": 2}
    a, b = (MotioNet(**size).eval() for _ in range(2))
    for name, model in (("a", a), ("b", b)):
        save_weights(model, tmp_path / f"{name}.safetensors")
    mix(tmp_path / "a.safetensors", tmp_path / "b.safetensors", 0.25, tmp_path / "c.safetensors")
    mixed = load_weights(tmp_path / "c.safetensors", torch.device("cpu"))
    for name, value in mixed.state_dict().items():
        one, other = a.state_dict()[name].float(), b.state_dict()[name].float()
        assert torch.allclose(value.float(), 0.75 * one + 0.25 * other, atol=2e-3), name
