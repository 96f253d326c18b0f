"""Forward kinematics of the current solution, with derivatives by the unknowns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...core.arrays import Floats
from ...core.skeleton import JOINTS, LENGTHS, PARENTS, rest_offsets
from .problem import JOINT_COUNT, Problem, State, root_position

#: the joint that carries the bone which ends at each joint
_CARRIER = [max(parent, 0) for parent in PARENTS]


def _inside() -> Floats:
    """(J, J): 1 where the bone that ends at joint j lies between the hips and joint i."""
    out = np.zeros((JOINT_COUNT, JOINT_COUNT))
    for joint in range(JOINT_COUNT):
        out[joint, _bones_to(joint)] = 1
    return out


def _bones_to(joint: int) -> list[int]:
    """The bones between the hips and a joint, by the joints at which they end."""
    bones = []
    while PARENTS[joint] >= 0:
        bones.append(joint)
        joint = PARENTS[joint]
    return bones


_INSIDE = _inside()
#: (J, L): 1 where the bone that ends at a joint has a length
_OF_LENGTH = np.array([[joint.split(".")[0] == length for length in LENGTHS] for joint in JOINTS], float)


def skew(v: Tensor) -> Tensor:
    """Matrices (..., 3, 3) whose product with a vector is the cross product of v (..., 3) with it."""
    x, y, z = v.unbind(-1)
    o = torch.zeros_like(x)
    return torch.stack([o, -z, y, z, o, -x, -y, x, o], -1).reshape(*v.shape, 3)


class _Levers(NamedTuple):
    """Which joints move which points, for P pairs of a point and a joint.

    Attributes
    ----------
    points, joints : list of P
    bones : list of P
        The bone, between the hips and the point, that the joint turns; 0, which has no length, if there is
        none.
    own : list of K
        For each point its pair with the joint with which it turns itself.
    """

    points: list[int]
    joints: list[int]
    bones: list[int]
    own: list[int]


@lru_cache
def _levers(at: tuple[int, ...], by: tuple[int, ...]) -> _Levers:
    """The pairs of points that lie at some joints and turn with others."""
    pairs: dict[tuple[int, int], int] = {}
    for point, (joint, turner) in enumerate(zip(at, by, strict=True)):
        pairs |= {(point, PARENTS[bone]): bone for bone in _bones_to(joint)}
        pairs.setdefault((point, turner), 0)
    points, joints = (list(one) for one in zip(*pairs, strict=True))
    place = {pair: number for number, pair in enumerate(pairs)}
    return _Levers(points, joints, list(pairs.values()), [place[pair] for pair in enumerate(by)])


@dataclass(frozen=True)
class Attached:
    """Points on the body, and how the unknowns move them.

    Attributes
    ----------
    points : (T, K, 3)
        Metres.
    levers : _Levers
    arms : (T, P, 3)
        From the joint of each pair to the end of what it turns, in single precision.
    by_root : (T, 3, 3)
        Derivatives of every point by the root's parameters, in single precision.
    """

    points: Tensor
    levers: _Levers
    arms: Tensor
    by_root: Tensor

    def along(self, directions: Tensor) -> Tensor:
        """How the points move along directions (T, R, K, 3): derivatives (T, R, K, N) by the unknowns.

        What turns by a small rotation vector w moves the end of its arm by w x arm.
        """
        directions = directions.to(self.arms)
        frames, rows, count, _ = directions.shape
        out = self.arms.new_zeros(frames, rows, count, JOINT_COUNT + 1, 3)
        at = torch.tensor(self.levers.points, device=out.device) * (JOINT_COUNT + 1)
        at += torch.tensor(self.levers.joints, device=out.device)
        turned = torch.linalg.cross(self.arms[:, None], directions[:, :, self.levers.points])
        out.flatten(2, 3).index_copy_(2, at, turned)
        out[..., JOINT_COUNT, :] = directions @ self.by_root[:, None]
        return out.flatten(3)


@dataclass(frozen=True)
class Placed:
    """The body in the current solution, and how the unknowns move it.

    Attributes
    ----------
    rotations : (T, J, 3, 3)
        World rotations of the joints.
    root, joints : (T, 3), (T, J, 3)
        Positions, metres.
    bones : (T, J, 3)
        From the parent of each joint to it, metres.
    """

    rotations: Tensor
    root: Tensor
    joints: Tensor
    bones: Tensor

    def attached(self, at: Sequence[int], by: Sequence[int], place: Tensor) -> Attached:
        """Points that lie at `place` (K, 3) from the joints `at` and turn with the joints `by`."""
        levers = _levers(tuple(at), tuple(by))
        own = (self.rotations[:, by] * place[:, None]).sum(-1)
        arms = self.bones.float()[:, levers.bones]
        arms[:, levers.own] += own.float()
        forward, root = self.root[:, 1].float(), self.root.float()
        by_root = root.new_zeros(len(root), 3, 3)
        by_root[:, 0, 0] = by_root[:, 2, 2] = forward
        by_root[:, :, 1] = root
        return Attached(self.joints[:, at] + own, levers, arms, by_root)

    def by_lengths(self) -> Tensor:
        """Derivatives (T, J, 3, len(LENGTHS)) of the joints by the logarithms of the bone lengths."""
        inside, of_length = (torch.as_tensor(one).to(self.bones) for one in (_INSIDE, _OF_LENGTH))
        return torch.einsum("ij,jl,tja->tial", inside, of_length, self.bones)


def place(problem: Problem, state: State) -> Placed:
    """The body in a state."""
    root = root_position(state.root)
    offsets = rest_offsets(problem.lengths * state.lengths.exp())
    bones = (state.rotations[:, _CARRIER] * offsets[:, None]).sum(-1)
    joints = root[:, None] + torch.as_tensor(_INSIDE).to(bones) @ bones
    return Placed(rotations=state.rotations, root=root, joints=joints, bones=bones)
