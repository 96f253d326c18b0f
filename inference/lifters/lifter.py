"""The base classes of lifters: their output, and its transform from the virtual cameras to the real one."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...core.kinematics import joint_positions
from ...core.motion import CONTACT_MIRROR, CONTACT_POINTS
from ...core.rotations import matrix_from_6d
from ...core.skeleton import (
    JOINTS,
    LENGTHS,
    MIRROR,
    STANDARD_HEIGHT,
    TEMPLATE_LENGTHS,
    rest_offsets,
    standing_height,
)
from .view import View, mirror_features, view

#: frames per second that every lifter is trained at
LIFTER_FPS = 30.0
#: outputs of a rotation lifter for each frame, without the rotations: root, contacts and up
REST = 3 + len(CONTACT_POINTS) + 3


class Spread(NamedTuple):
    """How far each answer is likely to be from the truth: one standard deviation of each coordinate.

    Attributes
    ----------
    along, across : (B, T, J), metres
        Of the joints' positions from the hips, along the line of sight and across it.
    turn : (B, T, J), radians
        Of the joints' rotations, about each axis.
    lengths : (B, T, len(LENGTHS))
        Of the logarithms of the bone lengths, as one frame alone tells them.
    aside, depth : (B, T)
        Of the hips: across the line of sight as a fraction of the distance, and of its logarithm.
    up : (B, T), radians
        Of the direction against gravity, about each axis.
    """

    along: Tensor
    across: Tensor
    turn: Tensor
    lengths: Tensor
    aside: Tensor
    depth: Tensor
    up: Tensor


#: numbers a frame that a lifter answers for a `Spread`
SPREADS = 3 * len(JOINTS) + len(LENGTHS) + 3
_SPREAD_MIRROR = [j + block * len(JOINTS) for block in range(3) for j in MIRROR]
_SPREAD_MIRROR += range(3 * len(JOINTS), SPREADS)


@dataclass(frozen=True)
class Lifted:
    """The output of a lifter for a batch, in the axes of a level camera (x right, y forward, z up).

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
        Joint positions that the network gives directly; a skeleton is then fitted to them. None if forward
        kinematics gives the positions.
    raw : dict
        Further outputs, which only the lifter's own losses read.
    spread : Spread, optional
        How far off the lifter expects each answer to be.
    """

    lengths: Tensor
    rotations: Tensor
    root: Tensor
    contacts: Tensor
    up: Tensor
    positions: Tensor | None = None
    raw: dict[str, Tensor] = field(default_factory=dict)
    spread: Spread | None = None

    def joints(self) -> Tensor:
        """Positions of the joints (B, T, J, 3) from the camera, metres, as the network gives them."""
        if self.positions is not None:
            return self.positions
        return cast(Tensor, joint_positions(self.rotations, self.root, rest_offsets(self.lengths)[:, None]))


class Lifter(nn.Module):
    """A network from landmarks to motion. With `flip`, mirrored landmarks give exactly the mirrored motion.

    Attributes
    ----------
    config : dict
        The arguments that construct the same network.
    steady : bool
        Whether the virtual camera is smoothed over time. If not, a frame's features depend on that frame
        alone, as a lifter wants them that learns from single frames.
    """

    config: dict[str, Any]
    steady = True

    def see(self, rays: Tensor, confidence: Tensor) -> View:
        """Normalise landmarks as this lifter wants them, see `view`."""
        return view(rays, confidence, self.steady)

    @abstractmethod
    def forward(self, seen: View, flip: bool = False) -> Lifted:
        """Lift a batch of motions.

        Parameters
        ----------
        seen : View
            The landmarks at `LIFTER_FPS`, normalised by `see`.
        flip : bool
            Average with the result for mirrored landmarks: twice the work, and neither side is preferred.
        """


class Numbers(NamedTuple):
    """The outputs of the networks of a `RotationLifter`, in the axes of the virtual cameras.

    `lengths` (B, len(LENGTHS)) or (B, T, len(LENGTHS)): log ratios to the template's lengths. `rotations`
    (B, T, J, 6 or 9): columns of matrices, one after the other; six are orthonormalised, nine are used as
    they are. `root`, `up` (B, T, 3), `contacts` (B, T, 4). `spread` (B, T, SPREADS): logarithms of the
    numbers of a `Spread`, in its order.
    """

    lengths: Tensor
    rotations: Tensor
    root: Tensor
    contacts: Tensor
    up: Tensor
    spread: Tensor | None = None


class RotationLifter(Lifter):
    """A lifter that predicts bone lengths and rotations, and places the joints by forward kinematics.

    Attributes
    ----------
    axes : (J, 3, 3)
        The rotation of each joint is the matrix of `Numbers.rotations` times this one: it decides which
        direction of the rest pose Gram-Schmidt begins with. Each row is an axis of the rest pose.
    """

    axes: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("axes", torch.eye(3).expand(len(JOINTS), 3, 3).clone(), persistent=False)

    @abstractmethod
    def encode(self, features: Tensor) -> tuple[Numbers, dict[str, Tensor]]:
        """The networks' outputs from `View.features`, and others that only the lifter's losses read."""

    def forward(self, seen: View, flip: bool = False) -> Lifted:
        """Lift a batch of motions, see `Lifter.forward`."""
        said, raw = self.encode(seen.features)
        if flip:
            other, _ = self.encode(mirror_features(seen.features))
            # a mirrored rotation is S R S with S = diag(-1, 1, 1): columns that are x in the rest pose are
            # negated
            x = torch.tensor([-1.0, 1, 1]).to(said.root)
            signs = ((1 - 2 * self.axes[..., :1] ** 2) * x).flatten(-2)
            mirrored = other.rotations[..., list(MIRROR), :] * signs[:, : said.rotations.shape[-1]]
            said = Numbers(
                (said.lengths + other.lengths) / 2,
                (said.rotations + mirrored) / 2,
                (said.root + other.root * x) / 2,
                (said.contacts + other.contacts[..., CONTACT_MIRROR]) / 2,
                said.up + other.up * x,
                None
                if said.spread is None or other.spread is None
                else (said.spread + other.spread[..., _SPREAD_MIRROR]) / 2,
            )
        # geometry stays in full precision when training autocasts the networks
        with torch.autocast(said.root.device.type, enabled=False):
            return _place(seen, said, self.axes, raw)


def numbers(lengths: Tensor, rotations: Tensor, rest: Tensor) -> Numbers:
    """`Numbers` in full precision; `rest` (B, T, REST) holds root, contacts and up."""
    root, contacts, up = rest.float().split([3, len(CONTACT_POINTS), 3], -1)
    # an untrained network says that up is up
    up = up + torch.tensor([0.0, 0, 1]).to(up)
    return Numbers(lengths.float(), rotations.float(), root, contacts, up)


def _place(seen: View, said: Numbers, axes: Tensor, raw: dict[str, Tensor]) -> Lifted:
    """Transform the networks' outputs from the virtual cameras to the real one."""
    metres = torch.as_tensor(TEMPLATE_LENGTHS).to(said.lengths) * said.lengths.exp()
    metres = metres * (STANDARD_HEIGHT / standing_height(metres))[..., None]
    columns = said.rotations
    inside = matrix_from_6d(columns) if columns.shape[-1] == 6 else columns.unflatten(-1, (3, 3)).mT
    rotations = seen.turn[:, :, None] @ inside @ axes
    root = placed(seen, said.root)
    positions = None
    if metres.ndim == 3:  # every frame has its own lengths
        positions, metres = joint_positions(rotations, root, rest_offsets(metres)), metres.mean(1)
    up = (seen.turn @ functional.normalize(said.up, dim=-1)[..., None])[..., 0]
    return Lifted(metres, rotations, root, said.contacts, up, positions, raw, _spread(said.spread))


def _spread(said: Tensor | None) -> Spread | None:
    """Of logarithms (B, T, SPREADS)."""
    if said is None:
        return None
    along, across, turn, lengths, rest = said.exp().split([len(JOINTS)] * 3 + [len(LENGTHS), 3], -1)
    return Spread(along, across, turn, lengths, *rest.unbind(-1))


def placed(seen: View, root: Tensor) -> Tensor:
    """The hips (B, T, 3) from the camera, metres, from a network's output `root` (B, T, 3).

    That is relative to the torso's middle and in units of the person's apparent size: aside, down, and the
    logarithm of the distance.
    """
    distance = root[..., 2].clamp(-3, 3).exp() / seen.size
    aside = root[..., :2] * seen.size[..., None]
    position = torch.stack([aside[..., 0], torch.ones_like(distance), -aside[..., 1]], -1)
    return (seen.turn @ (position * distance[..., None])[..., None])[..., 0]
