"""A graph-convolution lifter after Cai et al. (2019): one graph of joints and neighbouring frames.

Z = D^-1/2 (A + I) D^-1/2 X Theta (Kipf and Welling 2017, equation 8). Edges are bones, mirror images, and the
same joint a frame before and after. Theta is shared by all edges, or each class of edges has its own.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from kinelift.core.skeleton import MIRROR
from kinelift.training.methods.graph import NODE_FEATURES, adjacency, hops, nodes
from kinelift.training.methods.positions import PositionLifter


def _classes() -> Tensor:
    """Edges (4, J, J) within a frame: to itself, towards the hips, away from them, to the mirror image."""
    near, h = adjacency(), torch.tensor(hops())
    image = torch.zeros_like(near)
    for joint, other in enumerate(MIRROR):
        image[joint, other] = float(joint != other)
    nearer = near * (h[None] < h[:, None])
    return torch.stack([torch.eye(len(near)), nearer, near - nearer, image])


class _Layer(nn.Module):
    """One graph convolution beside a residual path: (B, T, J, C)."""

    def __init__(self, channels: int, shared: bool) -> None:
        super().__init__()
        edges = _classes()
        # no mirror edges with shared weights: they would make a joint and its mirror image alike
        self.register_buffer("edges", edges[:3].sum(0, keepdim=True) if shared else edges, persistent=False)
        self.shared = shared
        self.theta = nn.Linear(channels if shared else 6 * channels, channels)
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
        self.layers = nn.Sequential(*(_Layer(channels, shared) for _ in range(layers)))
        self.head = nn.Linear(channels, 3)

    def encode(self, features: Tensor) -> Tensor:
        """Positions, see `PositionLifter.encode`."""
        return cast(Tensor, self.head(self.layers(self.inside(nodes(features))))).float()
