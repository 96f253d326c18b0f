"""What every lifter shares: what it answers, and how rotations said in virtual cameras become a body before
the real one.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...core.kinematics import joint_positions
from ...core.motion import CONTACT_POINTS
from ...core.rotations import matrix_from_6d
from ...core.skeleton import (
    MIRROR,
    STANDARD_HEIGHT,
    TEMPLATE_LENGTHS,
    rest_offsets,
    standing_height,
)
from .view import View, mirror_features

#: frames per second that every lifter is trained at
LIFTER_FPS = 30.0
#: numbers a frame that a rotation lifter answers beside rotations: root, contacts and up
REST = 3 + len(CONTACT_POINTS) + 3
_CONTACT_MIRROR = [2, 3, 0, 1]


@dataclass(frozen=True)
class Lifted:
    """A lifter's answer for a batch of clips, in the axes of a level camera (x right, y forward, z up).

    Attributes
    ----------
    lengths : (B, len(LENGTHS))
        Bone lengths in metres of a body of `STANDARD_HEIGHT`.
    rotations : (B, T, J, 3, 3)
        World rotations of the joints.
    root : (B, T, 3)
        Position of the hips from the camera, metres.
    contacts : (B, T, 4)
        Logits for `CONTACT_POINTS`.
    up : (B, T, 3)
        Unit vector against gravity.
    positions : (B, T, J, 3), optional
        Where the network itself says that the joints are, where those aren't the body's: then the body is
        what a skeleton fit makes of them.
    raw : dict
        What only the lifter's own losses read.
    """

    lengths: Tensor
    rotations: Tensor
    root: Tensor
    contacts: Tensor
    up: Tensor
    positions: Tensor | None = None
    raw: dict[str, Tensor] = field(default_factory=dict)

    def joints(self) -> Tensor:
        """Positions of the joints (B, T, J, 3) from the camera, metres, as the network says them."""
        if self.positions is not None:
            return self.positions
        return cast(Tensor, joint_positions(self.rotations, self.root, rest_offsets(self.lengths)[:, None]))


class Lifter(nn.Module):
    """Landmarks to motion; the answer for the mirrored clip is the mirrored answer when `flip` is on.

    Attributes
    ----------
    config : dict
        The arguments that make the same network again.
    """

    config: dict[str, Any]

    @abstractmethod
    def forward(self, seen: View, flip: bool = False) -> Lifted:
        """Lift a batch of clips.

        Parameters
        ----------
        seen : View
            What `view` made of the landmarks at `LIFTER_FPS`.
        flip : bool
            Average with the mirrored clip's answer: twice the work, no favourite side.
        """


class Numbers(NamedTuple):
    """What a `RotationLifter`'s networks say, in the virtual cameras' axes.

    `lengths` (B, len(LENGTHS)) or (B, T, len(LENGTHS)): log ratios to the template's. `rotations`
    (B, T, J, 6 or 9): columns of matrices, one after the other; of six a rotation is made, nine are taken as
    they are. `root`, `up` (B, T, 3), `contacts` (B, T, 4).
    """

    lengths: Tensor
    rotations: Tensor
    root: Tensor
    contacts: Tensor
    up: Tensor


class RotationLifter(Lifter):
    """A lifter that answers bone lengths and rotations, and places the joints by forward kinematics."""

    @abstractmethod
    def encode(self, features: Tensor) -> tuple[Numbers, dict[str, Tensor]]:
        """The networks' numbers from `View.features`, and what only the lifter's own losses read."""

    def forward(self, seen: View, flip: bool = False) -> Lifted:
        """Lift a batch of clips, see `Lifter.forward`."""
        said, raw = self.encode(seen.features)
        if flip:
            other, _ = self.encode(mirror_features(seen.features))
            # S R S with S = diag(-1, 1, 1)
            signs = torch.tensor([1.0, -1, -1, -1, 1, 1, -1, 1, 1]).to(said.rotations)
            x = torch.tensor([-1.0, 1, 1]).to(said.root)
            mirrored = other.rotations[..., list(MIRROR), :] * signs[: said.rotations.shape[-1]]
            said = Numbers(
                (said.lengths + other.lengths) / 2,
                (said.rotations + mirrored) / 2,
                (said.root + other.root * x) / 2,
                (said.contacts + other.contacts[..., _CONTACT_MIRROR]) / 2,
                said.up + other.up * x,
            )
        # geometry stays in full precision when training autocasts the networks
        with torch.autocast(said.root.device.type, enabled=False):
            return _place(seen, said, raw)


def numbers(lengths: Tensor, rotations: Tensor, rest: Tensor) -> Numbers:
    """`Numbers` of the last layer's (B, T, REST) for all but rotations; in full precision."""
    root, contacts, up = rest.float().split([3, len(CONTACT_POINTS), 3], -1)
    # upright before anything is learnt
    up = up + torch.tensor([0.0, 0, 1]).to(up)
    return Numbers(lengths.float(), rotations.float(), root, contacts, up)


def _place(seen: View, said: Numbers, raw: dict[str, Tensor]) -> Lifted:
    """From the networks' numbers, said in the virtual cameras, to a body before the real one."""
    metres = torch.as_tensor(TEMPLATE_LENGTHS).to(said.lengths) * said.lengths.exp()
    metres = metres * (STANDARD_HEIGHT / standing_height(metres))[..., None]
    columns = said.rotations
    inside = matrix_from_6d(columns) if columns.shape[-1] == 6 else columns.unflatten(-1, (3, 3)).mT
    rotations = seen.turn[:, :, None] @ inside
    root = placed(seen, said.root)
    positions = None
    if metres.ndim == 3:  # lengths of their own in every frame
        positions, metres = joint_positions(rotations, root, rest_offsets(metres)), metres.mean(1)
    up = (seen.turn @ functional.normalize(said.up, dim=-1)[..., None])[..., 0]
    return Lifted(metres, rotations, root, said.contacts, up, positions, raw)


def placed(seen: View, root: Tensor) -> Tensor:
    """The hips (B, T, 3) from the camera, metres, of what networks say of them.

    They say it relative to the torso's middle, in units of the person's apparent size: aside and down (2),
    and the logarithm of the distance.
    """
    distance = root[..., 2].clamp(-3, 3).exp() / seen.size
    aside = root[..., :2] * seen.size[..., None]
    position = torch.stack([aside[..., 0], torch.ones_like(distance), -aside[..., 1]], -1)
    return (seen.turn @ (position * distance[..., None])[..., None])[..., 0]
