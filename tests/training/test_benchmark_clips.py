"""Benchmark clips as batches."""

from pathlib import Path

import numpy as np
import pytest
import torch

from kinelift.core.errors import CaptureError
from kinelift.core.skeleton import INDEX
from kinelift.training.benchmark_clips import load_batches


@pytest.mark.slow
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


def test_a_video_whose_reference_has_no_camera_is_passed_over(tmp_path):
    for name in ("alone", "without"):
        (tmp_path / f"{name}.mp4").touch()
    np.savez(tmp_path / "without.npz", fps=30.0, joint_names=["head"])
    with pytest.raises(CaptureError, match="with a camera"):
        load_batches(tmp_path)
