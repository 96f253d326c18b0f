"""A lifter in two parts: every frame on its own first, then what its neighbours in time add.

The first part (`Trunk`) is a residual network of fully connected layers (Martinez et al. 2017, arXiv
1705.03098). It sees one frame, so a training step can show it as many bodies and cameras as it shows frames:
that is what it learns from most. The second part (`Context`) sees 27 frames of what the first part made of
them and corrects the first part's answer; its last layer begins at zero, so that it starts from what the
frames alone tell.

Differences from MotioNet (Shi et al. 2020, arXiv 2006.12075; as it is in `training/methods/motionet.py`):

- The virtual camera of a frame depends on that frame alone (`Lifter.steady`).
- The detector's 3D landmarks aren't looked at. On drawn bodies they help, but on filmed people they err in
  another way (`docs/model-card.md`).
- Gram-Schmidt begins with the axis along the bone (`_FIRST_AXIS`). The direction of a bone is what the
  picture shows; how the bone is rolled about it is often a guess, and that guess doesn't disturb the
  direction.
- Bone lengths of a clip are the mean of what its frames tell, weighted by how sure each frame is.
- The lifter says how far off each answer may be (`Spread`), by a layer that reads what the others know and
  doesn't change it: a network that may call a hard frame uncertain would otherwise stop working on it.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ...core.skeleton import INDEX, JOINTS, LENGTHS
from .lifter import REST, SPREADS, Numbers, RotationLifter, numbers
from .view import FEATURES

#: axis of the rest pose (0: x, 1: y, 2: z) along each joint's bone; x where it isn't named
_FIRST_AXIS = {
    "spine": 2, "chest": 2, "neck": 2, "head": 2, "thigh": 2, "shin": 2, "foot": 1, "toe": 1
}  # fmt: skip
#: numbers of the answer for one frame: rotations in 6D, root, contacts, up, lengths
_OUTPUTS = (6 * len(JOINTS), REST, len(LENGTHS))
#: where the lengths' spreads lie among the `SPREADS`
_LENGTH_SPREADS = slice(3 * len(JOINTS), 3 * len(JOINTS) + len(LENGTHS))
#: standard deviation of the answer's weights before anything is learnt: near the rest pose
_FIRST_WEIGHTS = 1e-3
#: logarithms of the bone lengths, against the template's, stay within this
_LENGTH_LIMIT = 0.8
#: logarithm of every spread before anything is learnt: metres, radians and logarithms alike
_FIRST_SPREAD = -1.0
#: logarithms of spreads stay within this
_SPREAD_LIMITS = (-6.0, 2.0)
#: units of the layer that tells the spreads
_SPREAD_UNITS = 128
#: dilations of `Context`'s convolutions of 3 frames: together they see 27
_DILATIONS = (1, 3, 9)


def _axes() -> Tensor:
    """`RotationLifter.axes` (J, 3, 3): the rows are the rest pose's axes, the bone's own first."""
    first = torch.zeros(len(JOINTS), dtype=torch.long)
    for joint, j in INDEX.items():
        first[j] = _FIRST_AXIS.get(joint.split(".")[0], 0)
    return torch.eye(3)[(first[:, None] + torch.arange(3)) % 3]


def _layer(inputs: int, channels: int) -> list[nn.Module]:
    """A linear layer, normalised and activated: (N, inputs) to (N, channels)."""
    return [nn.Linear(inputs, channels, bias=False), nn.BatchNorm1d(channels), nn.ReLU()]


class _Residual(nn.Module):
    """Two layers beside a residual path: (N, channels) to the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_layer(channels, channels), *_layer(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + cast(Tensor, self.layers(x))


class Trunk(nn.Module):
    """Features of single frames (N, FEATURES) to what is known of each (N, width)."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.inside = nn.Sequential(*_layer(FEATURES, width))
        self.blocks = nn.Sequential(*(_Residual(width) for _ in range(blocks)))

    def forward(self, features: Tensor) -> Tensor:
        """What is known of each frame (N, width), in full precision."""
        # the picture's coordinates need all their digits
        with torch.autocast(features.device.type, enabled=False):
            x = self.inside(features)
        return cast(Tensor, self.blocks(x)).float()


class _Dilated(nn.Module):
    """A convolution of 3 frames, as a linear layer of them, and one of 1 beside a residual path."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.reach = dilation
        self.layers = nn.Sequential(*_layer(3 * channels, channels), *_layer(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, channels) to the same."""
        frames, reach = x.shape[1], self.reach
        padded = torch.cat([x[:, :1].expand(-1, reach, -1), x, x[:, -1:].expand(-1, reach, -1)], 1)
        three = torch.cat([padded[:, k * reach : k * reach + frames] for k in range(3)], -1)
        return x + cast(Tensor, self.layers(three.flatten(0, 1)).unflatten(0, x.shape[:2]))


class Context(nn.Module):
    """What the frames around each one add to its answer; nothing at first.

    From the trunk's knowledge, the frames' answers and the features, (B, T, inputs), to corrections of the
    answers (B, T, outputs) and of the spreads' logarithms (B, T, SPREADS).
    """

    def __init__(self, inputs: int, channels: int, outputs: int) -> None:
        super().__init__()
        self.inside = nn.Sequential(*_layer(inputs, channels))
        self.blocks = nn.Sequential(*(_Dilated(channels, dilation) for dilation in _DILATIONS))
        self.head, self.spread = nn.Linear(channels, outputs), nn.Linear(channels, SPREADS)
        for layer in (self.head, self.spread):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Corrections of answers and of spreads, in full precision."""
        x = self.blocks(self.inside(x.flatten(0, 1)).unflatten(0, x.shape[:2])).float()
        with torch.autocast(x.device.type, enabled=False):
            return self.head(x), self.spread(x.detach())


def _spread_head(width: int) -> nn.Sequential:
    """Logarithms of spreads (N, SPREADS) of what is known of each frame (N, width)."""
    head = nn.Sequential(nn.Linear(width, _SPREAD_UNITS), nn.ReLU(), nn.Linear(_SPREAD_UNITS, SPREADS))
    nn.init.constant_(cast(Tensor, head[-1].bias), _FIRST_SPREAD)
    return head


class PoseLifter(RotationLifter):
    """`Trunk` and `Context`.

    Parameters
    ----------
    width, blocks : int
        Of the trunk.
    context : int
        Channels of the temporal part; 0: there is none, every frame is lifted alone.
    """

    steady = False

    def __init__(self, width: int = 512, blocks: int = 3, context: int = 0) -> None:
        super().__init__()
        self.config = {"width": width, "blocks": blocks, "context": context}
        self.axes.copy_(_axes())
        self.trunk = Trunk(width, blocks)
        self.head = nn.Linear(width, sum(_OUTPUTS))
        nn.init.normal_(self.head.weight, std=_FIRST_WEIGHTS)
        self.spread = _spread_head(width)
        inputs = width + sum(_OUTPUTS) + FEATURES
        self.context = Context(inputs, context, sum(_OUTPUTS)) if context else None

    def encode(self, features: Tensor) -> tuple[Numbers, dict[str, Tensor]]:
        """See `RotationLifter.encode`; raw are the ``lengths`` (B, T, len(LENGTHS)) that each frame tells."""
        known = self.trunk(features.flatten(0, 1)).unflatten(0, features.shape[:2])
        with torch.autocast(features.device.type, enabled=False):
            answer = cast(Tensor, self.head(known))
            spread = cast(Tensor, self.spread(known.detach()))
        if self.context is not None:
            more, spread_more = self.context(torch.cat([known, answer, features], -1))
            answer, spread = answer + more, spread + spread_more
        spread = spread.clamp(*_SPREAD_LIMITS)
        rotations, rest, lengths = answer.split(_OUTPUTS, -1)
        # the rest pose before anything is learnt
        sixd = rotations.unflatten(-1, (len(JOINTS), 6)) + self.axes[:, :2].flatten(1)
        lengths = _LENGTH_LIMIT * torch.tanh(lengths / _LENGTH_LIMIT)
        sure = (-2 * spread[..., _LENGTH_SPREADS].detach()).exp()
        whole = (lengths * sure).sum(1) / sure.sum(1)
        return numbers(whole, sixd, rest)._replace(spread=spread), {"lengths": lengths}
