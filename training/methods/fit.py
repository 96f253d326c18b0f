"""Skeleton fitting: joints with known bone lengths (Dabral et al. 2018), and their rotations.

The roll that positions leave open may come from SkeletonNet's dR (Yoshiyasu et al. 2018).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from kinelift.core.rotations import rotation_between
from kinelift.core.skeleton import INDEX, JOINTS, PARENTS, TEMPLATE_LENGTHS, rest_offsets

_CHILDREN = [[j for j, p in enumerate(PARENTS) if p == joint] for joint in range(len(JOINTS))]
#: joints with several bones, and the two directions (from, to) that give their rotations
_FRAMES = {
    INDEX["hips"]: (("thigh.R", "thigh.L"), ("hips", "spine")),
    INDEX["chest"]: (("chest", "neck"), ("shoulder.R", "shoulder.L")),
}


def with_lengths(joints: Tensor, lengths: Tensor) -> Tensor:
    """Joints (B, T, J, 3) moved along their bones' directions to lengths (B, len(LENGTHS)), metres."""
    metres = torch.linalg.vector_norm(rest_offsets(lengths), dim=-1)[:, None]
    out: list[Tensor] = []
    for joint, parent in enumerate(PARENTS):
        if parent < 0:
            out.append(joints[..., joint, :])
        else:
            way = functional.normalize(joints[..., joint, :] - joints[..., parent, :], dim=-1)
            out.append(out[parent] + way * metres[..., joint, None])
    return torch.stack(out, -2)


def turned_onto(joints: Tensor, start: Tensor | None = None) -> Tensor:
    """World rotations (..., J, 3, 3) that point every bone as the joints (..., J, 3) do.

    Positions don't show a bone's roll: it is that of the rotations `start` (SkeletonNet's dR), else the
    parent's.
    """
    rest = rest_offsets(torch.as_tensor(TEMPLATE_LENGTHS).to(joints))
    standing = _standing(rest)
    out: list[Tensor] = []
    for joint, parent in enumerate(PARENTS):
        if joint in _FRAMES:
            out.append(_frame(joints, joint) @ _frame(standing, joint).transpose(-1, -2))
            continue
        before = start[..., joint, :, :] if start is not None else out[parent]
        if _CHILDREN[joint]:
            child = _CHILDREN[joint][0]
            now = (before @ rest[child][:, None])[..., 0]
            before = rotation_between(now, joints[..., child, :] - joints[..., joint, :]) @ before
        out.append(before)
    return torch.stack(out, -3)


def _standing(rest: Tensor) -> Tensor:
    out: list[Tensor] = []
    for joint, parent in enumerate(PARENTS):
        out.append(rest[joint] if parent < 0 else out[parent] + rest[joint])
    return torch.stack(out)


def _frame(joints: Tensor, joint: int) -> Tensor:
    (a, b), (c, d) = _FRAMES[joint]
    x = functional.normalize(joints[..., INDEX[b], :] - joints[..., INDEX[a], :], dim=-1)
    y = joints[..., INDEX[d], :] - joints[..., INDEX[c], :]
    y = functional.normalize(y - (x * y).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.cross(x, y, dim=-1)], -1)
