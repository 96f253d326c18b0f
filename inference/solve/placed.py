"""Forward kinematics of the current solution, with derivatives by the unknowns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...core.arrays import Floats
from ...core.skeleton import JOINTS, LENGTHS, PARENTS, rest_offsets
from .problem import JOINT_COUNT, Problem, State, root_position

#: the joint that carries the bone which ends at each joint
_CARRIER = [max(parent, 0) for parent in PARENTS]


def _moves() -> Floats:
    """(J, J, J): 1 where the bone from joint k to joint j lies between the hips and joint i."""
    out = np.zeros((JOINT_COUNT, JOINT_COUNT, JOINT_COUNT))
    for joint in range(JOINT_COUNT):
        bone = joint
        while PARENTS[bone] >= 0:
            out[joint, bone, PARENTS[bone]] = 1
            bone = PARENTS[bone]
    return out


_MOVES = _moves()
#: (J, L): 1 where the bone that ends at a joint has a length
_OF_LENGTH = np.array([[joint.split(".")[0] == length for length in LENGTHS] for joint in JOINTS], float)


def skew(v: Tensor) -> Tensor:
    """Matrices (..., 3, 3) whose product with a vector is the cross product of v (..., 3) with it."""
    x, y, z = v.unbind(-1)
    o = torch.zeros_like(x)
    return torch.stack([o, -z, y, z, o, -x, -y, x, o], -1).reshape(*v.shape, 3)


@dataclass(frozen=True)
class Placed:
    """The body in the current solution, and how the unknowns move it.

    Attributes
    ----------
    rotations : (T, J, 3, 3)
        World rotations of the joints.
    root, joints : (T, 3), (T, J, 3)
        Positions, metres.
    by_turns : (T, J, 3, J, 3)
        Derivatives of the joints by the joints' rotation vectors.
    by_root : (T, 3, 3)
        Derivatives of every joint by the root's parameters.
    by_lengths : (T, J, 3, len(LENGTHS))
        Derivatives of the joints by the logarithms of the bone lengths.
    """

    rotations: Tensor
    root: Tensor
    joints: Tensor
    by_turns: Tensor
    by_root: Tensor
    by_lengths: Tensor

    def attached(self, at: list[int], by: list[int], place: Tensor) -> tuple[Tensor, Tensor]:
        """Points (T, K, 3) and their derivatives (T, K, 3, N) by the frame's unknowns.

        They lie at `place` (K, 3) from the joints `at` and turn with the joints `by`.
        """
        arm = (self.rotations[:, by] @ place[..., None])[..., 0]
        turned = self.by_turns[:, at]
        turned[:, torch.arange(len(at)), :, by] -= skew(arm).transpose(0, 1)
        root = self.by_root[:, None].expand(-1, len(at), 3, 3)
        return self.joints[:, at] + arm, torch.cat([turned.flatten(3), root], -1)


def place(problem: Problem, state: State) -> Placed:
    """The body in a state. A bone b that turns by a small rotation vector w moves its end by w x b."""
    root = root_position(state.root)
    offsets = rest_offsets(problem.lengths * state.lengths.exp())
    bones = (state.rotations[:, _CARRIER] @ offsets[..., None])[..., 0]
    moves = torch.as_tensor(_MOVES).to(root)
    inside = moves.sum(2)
    by_root = root.new_zeros(len(root), 3, 3)
    by_root[:, 0, 0] = by_root[:, 2, 2] = root[:, 1]
    by_root[:, :, 1] = root
    return Placed(
        rotations=state.rotations,
        root=root,
        joints=root[:, None] + torch.einsum("ij,tja->tia", inside, bones),
        by_turns=torch.einsum("ijk,tjab->tiakb", moves, -skew(bones)),
        by_root=by_root,
        by_lengths=torch.einsum("ij,jl,tja->tial", inside, torch.as_tensor(_OF_LENGTH).to(root), bones),
    )
