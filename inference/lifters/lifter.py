"""What every lifter shares: from landmarks seen by virtual cameras to one body before the real one."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..kinematics import joint_positions
from ..motion import CONTACT_POINTS
from ..rotations import matrix_from_6d
from ..skeleton import (
    JOINTS,
    MIRROR,
    STANDARD_HEIGHT,
    TEMPLATE_LENGTHS,
    rest_offsets,
    standing_height,
)
from .view import View, mirror_features

#: frames per second that every lifter is trained at
LIFTER_FPS = 30.0
#: numbers a frame that a lifter answers: rotations in 6D, root, contacts and up
OUTPUTS = 6 * len(JOINTS) + 3 + len(CONTACT_POINTS) + 3
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
    """

    lengths: Tensor
    rotations: Tensor
    root: Tensor
    contacts: Tensor
    up: Tensor

    def joints(self) -> Tensor:
        """Positions of the joints (B, T, J, 3) from the camera, metres."""
        return cast(Tensor, joint_positions(self.rotations, self.root, rest_offsets(self.lengths)[:, None]))


class Lifter(nn.Module):
    """Landmarks to motion; the answer for the mirrored clip is the mirrored answer when `flip` is on.

    Attributes
    ----------
    config : dict
        The arguments that make the same network again.
    """

    config: dict[str, int]

    @abstractmethod
    def encode(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Log ratios (B, len(LENGTHS)) of bone lengths and numbers (B, T, OUTPUTS) from `View.features`."""

    def forward(self, seen: View, flip: bool = False) -> Lifted:
        """Lift a batch of clips.

        Parameters
        ----------
        seen : View
            What `view` made of the landmarks at `LIFTER_FPS`.
        flip : bool
            Average with the mirrored clip's answer: twice the work, no favourite side.
        """
        lengths, (sixd, root, contacts, up) = self._split(seen.features)
        if flip:
            mirrored_lengths, mirrored = self._split(mirror_features(seen.features))
            lengths = (lengths + mirrored_lengths) / 2
            # S R S with S = diag(-1, 1, 1), on the first two columns
            signs = torch.tensor([1.0, -1, -1, -1, 1, 1]).to(sixd)
            sixd = sixd + mirrored[0][..., list(MIRROR), :] * signs
            x = torch.tensor([-1.0, 1, 1]).to(root)
            root = (root + mirrored[1] * x) / 2
            contacts = (contacts + mirrored[2][..., _CONTACT_MIRROR]) / 2
            up = up + mirrored[3] * x
        # geometry stays in full precision when training autocasts the networks
        with torch.autocast(sixd.device.type, enabled=False):
            return _place(seen, lengths, sixd, root, contacts, up)

    def _split(self, features: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor, Tensor]]:
        lengths, out = (x.float() for x in self.encode(features))
        rotations = 6 * len(JOINTS)
        sixd = out[..., :rotations].unflatten(-1, (len(JOINTS), 6))
        root, contacts, up = out[..., rotations:].split([3, len(CONTACT_POINTS), 3], -1)
        # rest pose, upright, before anything is learnt
        identity = torch.tensor([1.0, 0, 0, 0, 1, 0]).to(sixd)
        return lengths, (sixd + identity, root, contacts, up + torch.tensor([0.0, 0, 1]).to(up))


def _place(
    seen: View, log_ratios: Tensor, sixd: Tensor, root: Tensor, contacts: Tensor, up: Tensor
) -> Lifted:
    """From the networks' numbers, said in the virtual cameras, to a body before the real one."""
    metres = torch.as_tensor(TEMPLATE_LENGTHS).to(log_ratios) * log_ratios.exp()
    metres = metres * (STANDARD_HEIGHT / standing_height(metres))[:, None]
    # the root is relative to the torso's middle, in units of the person's apparent size
    distance = root[..., 2].clamp(-3, 3).exp() / seen.size
    aside = root[..., :2] * seen.size[..., None]
    position = torch.stack([aside[..., 0], torch.ones_like(distance), -aside[..., 1]], -1)
    return Lifted(
        lengths=metres,
        rotations=seen.turn[:, :, None] @ matrix_from_6d(sixd),
        root=(seen.turn @ (position * distance[..., None])[..., None])[..., 0],
        contacts=contacts,
        up=(seen.turn @ functional.normalize(up, dim=-1)[..., None])[..., 0],
    )
