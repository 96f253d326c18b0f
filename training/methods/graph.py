"""The skeleton as a graph, and the landmarks at each of its nodes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kinelift.core.landmarks import LANDMARK, SHOWN_BY
from kinelift.core.skeleton import JOINTS, PARENTS
from kinelift.inference.lifters.view import USED

#: landmarks at each joint, without their sides
_AT: dict[str, tuple[str, ...]] = {
    "head": ("nose", "eye.L", "eye.R", "ear.L", "ear.R"),
    "upper_arm": ("shoulder",),
    "forearm": ("elbow",),
    "hand": ("wrist", "pinky", "index", "thumb"),
    "thigh": ("hip",),
    "shin": ("knee",),
    "foot": ("ankle", "heel"),
    "toe": ("foot_index",),
}
#: most landmarks of a node
_SLOTS = 5
#: features of a node: x, y and confidence of its landmarks, direction (2) and log size of the person
NODE_FEATURES = 3 * _SLOTS + 3


def _landmarks_of(joint: str) -> list[int]:
    name, dot, side = joint.partition(".")
    names = _AT.get(name, SHOWN_BY[name])
    return [USED.index(LANDMARK[n if "." in n or n == "nose" else n + dot + side]) for n in names]


_OWN = [_landmarks_of(joint) for joint in JOINTS]


def hops(parents: Sequence[int] = PARENTS) -> list[int]:
    """Edges between each node and the root: joints and hips, unless other parents are given."""
    out: list[int] = []
    for parent in parents:
        out.append(0 if parent < 0 else out[parent] + 1)
    return out


def adjacency(parents: Sequence[int] = PARENTS) -> Tensor:
    """Bones (J, J): 1 between a node and its parent, both ways."""
    out = torch.zeros(len(parents), len(parents))
    for joint, parent in enumerate(parents):
        if parent >= 0:
            out[joint, parent] = out[parent, joint] = 1
    return out


def nodes(features: Tensor) -> Tensor:
    """Each joint's part (B, T, J, NODE_FEATURES) of the features (B, T, FEATURES); unused slots are 0."""
    n = len(USED)
    xy, seen = features[..., : 2 * n].unflatten(-1, (n, 2)), features[..., 2 * n : 3 * n, None]
    landmarks = torch.cat(
        [
            xy,
            seen,
        ],
        -1,
    )
    landmarks = torch.cat([landmarks, torch.zeros_like(landmarks[..., :1, :])], -2)
    own = torch.tensor([(at + [n] * _SLOTS)[:_SLOTS] for at in _OWN], device=features.device)
    place = features[..., None, 3 * n : 3 * n + 3].expand(*features.shape[:2], len(JOINTS), 3)
    return torch.cat([landmarks[..., own, :].flatten(-2), place], -1)
