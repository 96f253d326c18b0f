"""Graph-convolution lifters after Cai et al. (2019): one graph of joints and neighbouring frames.

Z = D^-1/2 (A + I) D^-1/2 X Theta (Kipf and Welling 2017, equation 8). Edges are bones, mirror images, and the
same joint a frame before and after. Theta is shared by all edges, or each class of edges has its own. The
layers are a stack, or go from the joints to the five parts of the body, to the whole, and back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from kinelift.core.skeleton import JOINTS, MIRROR, PARENTS
from kinelift.training.methods.graph import NODE_FEATURES, adjacency, hops, nodes
from kinelift.training.methods.positions import PositionLifter

#: the parts of the body: trunk, left arm, right arm, left leg, right leg
_PART_PARENTS = (-1, 0, 0, 0, 0)
_PART_MIRROR = (0, 2, 1, 4, 3)
_ARM = ("shoulder", "upper_arm", "forearm", "hand")
_LEG = ("thigh", "shin", "foot", "toe")


def _part(joint: str) -> int:
    name, _, side = joint.partition(".")
    limb = 1 if name in _ARM else 3 if name in _LEG else 0
    return limb + (side == "R")


#: the joints of each part
_PARTS = [[j for j, name in enumerate(JOINTS) if _part(name) == part] for part in range(len(_PART_PARENTS))]
_PART_OF = [_part(name) for name in JOINTS]


def _classes(parents: Sequence[int] = PARENTS, mirror: Sequence[int] = MIRROR) -> Tensor:
    """Edges (4, J, J) within a frame: to itself, towards the root, away from it, to the mirror image."""
    near, h = adjacency(parents), torch.tensor(hops(parents))
    image = torch.zeros_like(near)
    for joint, other in enumerate(mirror):
        image[joint, other] = float(joint != other)
    nearer = near * (h[None] < h[:, None])
    return torch.stack([torch.eye(len(near)), nearer, near - nearer, image])


class _Layer(nn.Module):
    """One graph convolution beside a residual path: (B, T, J, C).

    Parameters
    ----------
    channels : int
    edges : (K, J, J)
        Of each class within a frame; a single class shares its weights with the edges between frames.
    """

    def __init__(self, channels: int, edges: Tensor) -> None:
        super().__init__()
        self.register_buffer("edges", edges, persistent=False)
        self.shared = len(edges) == 1
        self.theta = nn.Linear(channels if self.shared else (len(edges) + 2) * channels, channels)
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        edges = cast(Tensor, self.edges).to(x)
        over_time = x.new_full((x.shape[1],), 2.0)
        over_time[0] -= 1
        over_time[-1] -= 1
        root = (edges.sum((0, 2))[None] + over_time[:, None]).rsqrt()[..., None]
        scaled = x * root
        before = functional.pad(scaled[:, :-1], (0, 0, 0, 0, 1, 0))
        after = functional.pad(scaled[:, 1:], (0, 0, 0, 0, 0, 1))
        if self.shared:
            gathered = torch.einsum("ij,btjc->btic", edges[0], scaled) + before + after
        else:
            within = torch.einsum("kij,btjc->btikc", edges, scaled).flatten(-2)
            gathered = torch.cat([within, before, after], -1)
        return x + functional.relu(self.norm(self.theta(gathered * root)))


class GraphLifter(PositionLifter):
    """From features to joint positions, with `shared` weights or a set for each class of edges."""

    def __init__(self, channels: int = 64, layers: int = 8, shared: bool = False) -> None:
        super().__init__()
        self.config = {"channels": channels, "layers": layers, "shared": shared}
        self.inside = nn.Linear(NODE_FEATURES, channels)
        edges = _classes()
        # no mirror edges with shared weights: they would make a joint and its mirror image alike
        edges = edges[:3].sum(0, keepdim=True) if shared else edges
        self.layers = nn.Sequential(*(_Layer(channels, edges) for _ in range(layers)))
        self.head = nn.Linear(channels, 3)

    def encode(self, features: Tensor) -> Tensor:
        """Positions, see `PositionLifter.encode`."""
        return cast(Tensor, self.head(self.layers(self.inside(nodes(features))))).float()


class LocalToGlobal(PositionLifter):
    """Cai's local-to-global network: features of the joints, pooled over parts and over the body, and back.

    On the way back, what a part or the body knows is added to what its joints knew on the way up.

    Parameters
    ----------
    channels : int
    layers : int
        Graph convolutions at the joints and at the parts, on each way.
    """

    def __init__(self, channels: int = 64, layers: int = 2) -> None:
        super().__init__()
        self.config = {"channels": channels, "layers": layers}

        def stack(edges: Tensor) -> nn.Sequential:
            return nn.Sequential(*(_Layer(channels, edges) for _ in range(layers)))

        joints, parts, body = _classes(), _classes(_PART_PARENTS, _PART_MIRROR), _classes((-1,), (0,))
        self.inside = nn.Linear(NODE_FEATURES, channels)
        self.joints_up, self.joints_down = stack(joints), stack(joints)
        self.parts_up, self.parts_down = stack(parts), stack(parts)
        self.body = stack(body)
        self.head = nn.Linear(channels, 3)

    def encode(self, features: Tensor) -> Tensor:
        """Positions, see `PositionLifter.encode`."""
        joints = self.joints_up(self.inside(nodes(features)))
        parts = self.parts_up(torch.stack([joints[..., part, :].amax(-2) for part in _PARTS], -2))
        body = self.body(parts.amax(-2, keepdim=True))
        parts = self.parts_down(parts + body)
        joints = self.joints_down(joints + parts[..., _PART_OF, :])
        return cast(Tensor, self.head(joints)).float()
