"""SAP-Net's bone-structure losses of joints (..., J, 3) (Dabral et al. 2018, section 4.1)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from kinelift.core.skeleton import INDEX, LENGTHS, TEMPLATE_LENGTHS

#: the joint before the limb, its three joints, and the legal side of their plane (the signs of equation 1)
_HINGES = (
    ("neck", "upper_arm.R", "forearm.R", "hand.R", 1.0),
    ("neck", "upper_arm.L", "forearm.L", "hand.L", -1.0),
    ("hips", "thigh.R", "shin.R", "foot.R", -1.0),
    ("hips", "thigh.L", "shin.L", "foot.L", 1.0),
)
#: bones: the joint at the far end (without its side) and the joint at the near end
_BONES = {"forearm": "upper_arm", "hand": "forearm", "thigh": "hips", "shin": "thigh", "foot": "shin",
          "toe": "foot", "upper_arm": "shoulder"}  # fmt: skip
#: bones that keep the ratio of their lengths (Zhou et al. 2017, section 3.3): arms, legs, shoulders, hips
_GROUPS = (("forearm", "hand"), ("shin", "foot"), ("upper_arm",), ("thigh",))


def implausibility(joints: Tensor) -> Tensor:
    """How far elbows and knees (..., 4) bend the wrong way: 0 or negative, cubic metres (equation 1's E)."""
    out = []
    for *names, sign in _HINGES:
        a, b, c, d = (joints[..., INDEX[str(n)], :] for n in names)
        normal = torch.cross(b - a, c - b, dim=-1)
        out.append((float(sign) * (normal * (d - c)).sum(-1)).clamp(max=0))
    return torch.stack(out, -1)


def illegal_angle(joints: Tensor) -> Tensor:
    """Loss of joints that bend the wrong way: equation 1, mean over poses."""
    e = implausibility(joints)
    return (-e * torch.exp(-e)).sum(-1).mean()


def _length(joints: Tensor, bone: str, side: str) -> Tensor:
    near = _BONES[bone] if _BONES[bone] in INDEX else f"{_BONES[bone]}.{side}"
    ends = joints[..., INDEX[f"{bone}.{side}"], :] - joints[..., INDEX[near], :]
    return cast(Tensor, torch.linalg.vector_norm(ends, dim=-1))


def limb_lengths(joints: Tensor) -> tuple[Tensor, Tensor]:
    """Lengths (..., bones) of the limb bones on the left and on the right, metres."""
    left, right = (torch.stack([_length(joints, bone, side) for bone in _BONES], -1) for side in "LR")
    return left, right


def symmetry(joints: Tensor) -> Tensor:
    """Loss of bones that differ left and right: equation 2, mean over poses, metres."""
    left, right = limb_lengths(joints)
    return (left - right).abs().sum(-1).mean()


def bone_ratio(joints: Tensor) -> Tensor:
    """Variance of bone length over template length, within each group (Zhou et al. 2017)."""
    out = []
    for group in _GROUPS:
        ratios = [
            _length(joints, bone, side) / float(TEMPLATE_LENGTHS[LENGTHS.index(bone)])
            for bone in group
            for side in "LR"
        ]
        out.append(torch.stack(ratios, -1).var(-1, unbiased=False))
    return torch.stack(out, -1).sum(-1).mean()
