"""Training batches hold true bodies and landmarks that lie on them."""

import numpy as np
import pytest
import torch

from kinelift.core.skeleton import STANDARD_HEIGHT, standing_height
from kinelift.tests.training.batches import batch_of
from kinelift.training import detected as detected_module
from kinelift.training.detected import (
    CARRIERS,
)
from kinelift.training.synthesis import mirrored, rolled


@pytest.mark.parametrize("share", [0.0, 1.0, 0.5])
@pytest.mark.parametrize("spoil", [False, True])
def test_batches_are_finite_and_drawn_alike_from_one_seed(mocap, detected, share, spoil):
    a, b = (batch_of(mocap, detected, share, spoil) for _ in range(2))
    for name, value in vars(a).items():
        lost = torch.isnan(value)
        assert not torch.isinf(value).any() and not lost.any(), name
        assert torch.equal(value.nan_to_num(), getattr(b, name).nan_to_num()), name
    assert torch.allclose(standing_height(a.lengths), torch.tensor(STANDARD_HEIGHT), atol=1e-3)


def test_landmarks_lie_on_the_body_that_they_are_said_to_be_of(mocap, detected):
    """The rays through hips and shoulders pass by the joints, within the placement and its noise."""
    batch = batch_of(mocap, detected, 0.0)
    depth = batch.joints[..., 1:2]
    seen = torch.cat([batch.joints[..., :1], -batch.joints[..., 2:]], -1) / depth
    for k, (at, _) in enumerate(CARRIERS):
        off = torch.linalg.vector_norm((batch.rays[:, :, k] - seen[:, :, at]) * depth[:, :, at], dim=-1)
        assert off.max() < 0.3, detected_module.LANDMARKS[k]


def test_landmarks_stay_on_the_body_when_the_camera_rolls(mocap, detected):
    batch = batch_of(mocap, detected, 0.0)
    sequence = {name: value[0].numpy() for name, value in vars(batch).items()}
    turned = rolled(sequence, 0.7)

    def offsets(c):
        at = c["joints"][:, [j for j, _ in CARRIERS]]
        depth = at[..., 1:2]
        return (c["rays"] - np.concatenate([at[..., :1], -at[..., 2:]], -1) / depth) * depth

    assert np.allclose(
        np.linalg.norm(offsets(turned), axis=-1), np.linalg.norm(offsets(sequence), axis=-1), atol=1e-5
    )
    assert not np.allclose(turned["rotations"], sequence["rotations"])
    assert np.isclose(turned["up"] @ sequence["up"], np.cos(0.7), atol=0.2)


def test_the_mirror_of_a_mirror_is_the_sequence(mocap, detected):
    batch = batch_of(mocap, detected, 0.0)
    sequence = {name: value[0].numpy() for name, value in vars(batch).items()}
    once = mirrored(sequence)
    twice = mirrored(once)
    for name, value in sequence.items():
        assert np.allclose(twice[name], value, atol=1e-6), name
    assert not np.allclose(once["joints"], sequence["joints"])
