"""The losses are zero for the truth."""

from dataclasses import replace

import torch

from kinelift.inference.lifters.lifter import Lifted
from kinelift.tests.training.batches import batch_of
from kinelift.training.losses import losses


def test_the_truth_has_no_loss_and_anything_else_has(mocap, detected):
    batch = batch_of(mocap, detected, 0.5)
    lifted = Lifted(
        lengths=batch.lengths,
        rotations=batch.rotations,
        root=batch.joints[:, :, 0],
        contacts=(batch.contacts * 2 - 1) * 20,
        up=batch.up[:, None].expand(-1, 32, -1),
    )
    synthetic = {k: v[6:] for k, v in vars(batch).items()}
    parts = losses(
        Lifted(**{k: v[6:] for k, v in vars(lifted).items() if torch.is_tensor(v)}),
        replace(batch, **synthetic),
    )
    for name, value in parts.items():
        if name != "slide":  # the feet of random motion do slide
            assert value < 1e-4, name
    wrong = losses(replace(lifted, rotations=lifted.rotations.roll(1, 1), root=lifted.root + 0.1), batch)
    for name in ("joints", "velocity", "rotations", "depth", "aside"):
        assert wrong[name] > 1e-3, name
