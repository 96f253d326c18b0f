"""Training of the network that decides contacts (`core.contacts`): `python -m training contacts`."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from kinelift.core.arrays import Array
from kinelift.core.capture import Capture, still_camera, turns_not_known
from kinelift.core.contacts import contact_features, log_odds
from kinelift.core.files import replacing
from kinelift.core.landmarks import bridge, joint_confidence, nothing_known
from kinelift.inference.lift import lift
from kinelift.inference.lifters.lifter import LIFTER_FPS, Lifter
from kinelift.inference.world import to_world
from kinelift.training.detected import HELD_OUT, DetectedSequence

#: focal length of the invented camera, pixels: any value works, as the input is rays
_FOCAL = 1000.0
#: its picture, pixels: any value works too
_SIZE = (1000, 1000)
#: channels of the hidden layer
_HIDDEN = 32
#: passes over all examples
_EPOCHS = 12
#: examples of a step
_BATCH = 1024
#: highest learning rate
_RATE = 4e-3
#: weight decay
_DECAY = 0.1


def fit_contacts(sequences: list[DetectedSequence], model: Lifter, path: Path) -> float:
    """Train the network and write it; the sequences held out from the lifter are held out here too.

    Parameters
    ----------
    sequences : list of DetectedSequence
    model : Lifter
    path : Path
        The .npz to write.

    Returns
    -------
    float
        Share of correct labels in the held-out sequences.
    """
    torch.manual_seed(0)
    examples = [(contact_features(lifted(s, model)), s.contacts) for s in sequences]
    held = examples[::HELD_OUT]
    known = [e for i, e in enumerate(examples) if i % HELD_OUT]
    x, y = _joined(known)
    mean, spread = x.mean(0), x.std(0) + 1e-3
    net = nn.Sequential(nn.Linear(x.shape[1], _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 1))
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=_DECAY)
    steps = _EPOCHS * -(-len(x) // _BATCH)
    pace = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps)
    for _ in range(_EPOCHS):
        for batch in torch.randperm(len(x)).split(_BATCH):
            said = net((x[batch] - mean) / spread)[:, 0]
            loss = functional.binary_cross_entropy_with_logits(said, y[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            pace.step()
    hidden, bias, out, out_bias = (p.detach() for p in net.parameters())
    network = {
        "hidden": (hidden / spread).T,
        "hidden_bias": bias - hidden @ (mean / spread),
        "out": out[0],
        "out_bias": out_bias[0],
    }
    arrays = {name: value.numpy() for name, value in network.items()}
    content = io.BytesIO()
    np.savez(content, **arrays)
    with replacing(path) as temporary:
        temporary.write_bytes(content.getbuffer())
    right = [(log_odds(features, arrays) > 0) == labels.astype(bool) for features, labels in held]
    return float(np.concatenate(right).mean())


def _joined(examples: list[tuple[Array, Array]]) -> tuple[Tensor, Tensor]:
    """Features (N, F) and labels (N,) of all points in all frames."""
    x = np.concatenate([features.reshape(-1, features.shape[-1]) for features, _ in examples])
    y = np.concatenate([labels.reshape(-1) for _, labels in examples])
    return torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y, dtype=torch.float32)


def lifted(sequence: DetectedSequence, model: Lifter) -> Capture:
    """The lifter's answer for a detected sequence; the contacts are its probabilities."""
    rays, confidence = bridge(sequence.rays, sequence.visibility)
    estimate = lift(rays, confidence, LIFTER_FPS, model)
    motion, camera = to_world(estimate, LIFTER_FPS, 0.0, _FOCAL, _SIZE)
    pixels = rays * _FOCAL + camera.centre
    return Capture(
        motion=motion,
        camera=camera,
        confidence=joint_confidence(confidence),
        turn_spread=turns_not_known(len(pixels)),
        **still_camera(len(pixels)),
        **nothing_known(len(pixels))
        | {"landmarks": np.concatenate([pixels, confidence[..., None]], axis=-1)},
    )
