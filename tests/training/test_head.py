"""The network that reads heads learns from detected faces, and what it writes is what it has learnt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from kinelift.inference.lifters.head import HeadReader
from kinelift.inference.lifters.weights import load_network
from kinelift.training.detected import load_detected
from kinelift.training.head import train_head


def test_heads_are_learnt_and_written(detected: Path, tmp_path: Path) -> None:
    sequences = [replace(s, source=f"{n}.bvh:0") for n, s in enumerate(load_detected(detected))]
    assert len(sequences) > 1
    first, second = (
        train_head(sequences, tmp_path / f"{name}.safetensors", steps=steps)
        for name, steps in (("few", 5), ("many", 300))
    )
    assert second < first
    again = [
        load_network(tmp_path / f"{name}.safetensors", torch.device("cpu"), {"head": HeadReader})
        for name in ("few", "many")
    ]
    assert any(not torch.equal(a, b) for a, b in zip(*(n.parameters() for n in again), strict=True))
    assert not again[1].training
