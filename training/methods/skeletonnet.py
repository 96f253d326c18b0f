"""SkeletonNet's way to rotations (Yoshiyasu et al. 2018, section 3.1, table 4), frame by frame.

The network gives a global rotation (of the hips) and the bones' rotations relative to it. The global
rotation is classified: it blends k-means centres by their probabilities. The bones' rotations are regressed
as 3x3 matrices, which a Gram-Schmidt layer makes rotations. What the paper's table 4 compares with that are
options. `refined` adds the paper's second step: a further network corrects the positions, and dR turns the
bones onto them.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from kinelift.core.kinematics import joint_positions, local_rotations, world_rotations
from kinelift.core.rotations import axis_angle, matrix_from_6d, matrix_from_quaternion, sixd_from_matrix
from kinelift.core.skeleton import JOINTS, LENGTHS, TEMPLATE_LENGTHS, rest_offsets
from kinelift.inference.lifters.lifter import REST, Numbers, RotationLifter, numbers
from kinelift.training.methods.fit import turned_onto
from kinelift.training.methods.simple import residual_trunk

#: outputs of the last layer for a rotation, by representation
REPRESENTATIONS = {"gram-schmidt": 9, "unconstrained": 9, "quaternion": 4, "axis-angle": 3}


def columns(matrix: Tensor) -> Tensor:
    """Matrices (..., 3, 3) as (..., 9), column by column."""
    return matrix.mT.flatten(-2)


def rotation_from(said: Tensor, representation: str) -> Tensor:
    """Matrices (..., 3, 3) from outputs (..., n); zeros give the identity."""
    if representation == "quaternion":
        q = said + torch.tensor([1.0, 0, 0, 0]).to(said)
        return cast(Tensor, matrix_from_quaternion(functional.normalize(q, dim=-1)))
    if representation == "axis-angle":
        angle = torch.linalg.vector_norm(said + 1e-8, dim=-1)
        return cast(Tensor, axis_angle((said + 1e-8) / angle[..., None], angle))
    matrix: Tensor = (said + columns(torch.eye(3)).to(said)).unflatten(-1, (3, 3)).mT
    if representation == "gram-schmidt":
        return cast(Tensor, matrix_from_6d(sixd_from_matrix(matrix)))
    return matrix


class SkeletonNet(RotationLifter):
    """Features to rotations, frame by frame.

    Parameters
    ----------
    channels, blocks, dropout
        Of the residual layers.
    representation : str
        One of `REPRESENTATIONS`, for the bones.
    centres : int
        Classes of the global rotation; 0 regresses it like the bones.
    relative : str
        What the bones' rotations are relative to: the ``hips``, the ``parent`` (a chain, as in SMPL), or the
        ``world``.
    refined : bool
        Whether to correct the positions, and then the rotations.

    Attributes
    ----------
    centres : (K, 3, 3)
        Rotations of the classes; the training sets them (`training.rotation_classes`).
    """

    centres: Tensor
    steady = False

    def __init__(
        self,
        channels: int = 512,
        blocks: int = 2,
        dropout: float = 0.1,
        representation: str = "gram-schmidt",
        centres: int = 100,
        relative: str = "hips",
        refined: bool = False,
    ) -> None:
        super().__init__()
        self.config = {
            "channels": channels, "blocks": blocks, "dropout": dropout, "representation": representation,
            "centres": centres, "relative": relative, "refined": refined,
        }  # fmt: skip
        self.representation, self.relative = representation, relative
        self.register_buffer("centres", torch.eye(3).repeat(centres, 1, 1))
        width = REPRESENTATIONS[representation]
        self.outputs = [width * len(JOINTS), centres, len(LENGTHS), REST]
        self.trunk = residual_trunk(channels, blocks, dropout)
        self.head = nn.Linear(channels, sum(self.outputs))
        joints = 3 * len(JOINTS)
        self.refining = (
            nn.Sequential(nn.Linear(channels + joints, channels), nn.ReLU(), nn.Linear(channels, joints))
            if refined
            else None
        )

    def encode(self, features: Tensor) -> tuple[Numbers, dict[str, Tensor]]:
        """See `RotationLifter.encode`.

        Raw has scores `classes` (B, T, centres), joints `refined`, and the rotations of the `bones`
        (B, T, J - 1, 3, 3), related as `related` does, before Gram-Schmidt.
        """
        inside = self.trunk(features.flatten(0, 1))
        out = self.head(inside).float().unflatten(0, features.shape[:2])
        said, classes, lengths, rest = out.split(self.outputs, -1)
        with torch.autocast(out.device.type, enabled=False):
            said = said.unflatten(-1, (len(JOINTS), -1))
            turns = rotation_from(said, self.representation)
            free = self.representation == "gram-schmidt"
            raw = {"bones": (rotation_from(said, "unconstrained") if free else turns)[..., 1:, :, :]}
            hips = turns[..., :1, :, :]
            if classes.shape[-1]:
                blended = torch.einsum("btk,kij->btij", classes.softmax(-1), self.centres)
                if self.representation != "unconstrained":
                    blended = matrix_from_6d(sixd_from_matrix(blended))
                hips, raw["classes"] = blended[..., None, :, :], classes
            bones = hips @ turns[..., 1:, :, :] if self.relative == "hips" else turns[..., 1:, :, :]
            turns = torch.cat([hips, bones], -3)
            if self.relative == "parent":
                turns = world_rotations(turns)
        if self.refining is not None:
            metres = rest_offsets(torch.as_tensor(TEMPLATE_LENGTHS).to(out) * lengths.mean(1).exp())
            with torch.autocast(out.device.type, enabled=False):
                joints = joint_positions(turns, torch.zeros_like(out[..., :3]), metres[:, None])
            correction = self.refining(torch.cat([inside, joints.flatten(2).flatten(0, 1).to(inside)], -1))
            joints = joints + correction.float().view_as(joints)
            with torch.autocast(out.device.type, enabled=False):
                turns = turned_onto(joints, turns)
            raw["refined"] = joints
        constrained = self.representation != "unconstrained"
        rotations = sixd_from_matrix(turns) if constrained else columns(turns)
        return numbers(lengths.mean(1), rotations, rest), raw

    def related(self, turns: Tensor) -> Tensor:
        """The bones' rotations (..., J - 1, 3, 3) as the network says them, from all (..., J, 3, 3)."""
        if self.relative == "parent":
            turns = local_rotations(turns)
        bones = turns[..., 1:, :, :]
        return turns[..., :1, :, :].mT @ bones if self.relative == "hips" else bones
