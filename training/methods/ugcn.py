"""UGCN (Wang et al. 2020, Motion Guided 3D Pose Estimation from Videos): a U-shaped graph network in time.

Nine st-gcn blocks go down, with stride 2 at the second, fourth, sixth and eighth. Four go up: each is
followed by a doubling of the frames and the addition of the downward features at that rate. The merging stage
sums all rates. The paper's loss (equations 3 and 4) is `training.motion_loss`.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from kinelift.core.skeleton import JOINTS
from kinelift.inference.lifters.view import FEATURES
from kinelift.training.methods.graph import NODE_FEATURES, adjacency, hops, nodes
from kinelift.training.methods.positions import PositionLifter

#: frames of a window in the paper, at 50 frames a second
WINDOW = 96
#: frames from one window to the next
STEP = 5
#: frames of a temporal convolution
_KERNEL = 5
#: windows that are lifted at once, to limit the memory
_AT_ONCE = 16


def subsets() -> Tensor:
    """Neighbours (3, J, J) of every joint with equal, more, fewer hops to the hips; rows sum to 1 or 0."""
    near = adjacency() + torch.eye(len(JOINTS))
    h = torch.tensor(hops())
    here, there = h[:, None], h[None]
    parts = torch.stack([near * (here == there), near * (here < there), near * (here > there)])
    return parts / parts.sum(-1, keepdim=True).clamp(min=1)


class _Block(nn.Module):
    """Graph convolution, temporal convolution, batch norm, dropout, ReLU: (B, J, T, C).

    Both convolutions gather first and multiply once: on a CPU that takes half as long as convolving.
    """

    def __init__(self, inside: int, outside: int, stride: int, dropout: float, graph: bool) -> None:
        super().__init__()
        parts = subsets() if graph else torch.ones(1, 1, 1)
        self.register_buffer("parts", parts.flatten(0, 1), persistent=False)
        self.spatial = nn.Linear(len(parts) * inside, outside)
        self.temporal = nn.Linear(_KERNEL * outside, outside)
        self.norm, self.dropout, self.stride = nn.BatchNorm1d(outside), nn.Dropout(dropout), stride

    def forward(self, x: Tensor) -> Tensor:
        batch, joints, frames, channels = x.shape
        gathered = cast(Tensor, self.parts).to(x) @ x.flatten(2)
        split = gathered.reshape(batch, -1, joints, frames, channels)
        spatial = self.spatial(split.permute(0, 2, 3, 1, 4).flatten(3))
        padded = functional.pad(spatial, (0, 0, _KERNEL // 2, _KERNEL // 2))
        out = self.temporal(padded.unfold(2, _KERNEL, self.stride).flatten(3))
        return functional.relu(self.dropout(self.norm(out.flatten(0, 2)).view_as(out)))


class UGCN(PositionLifter):
    """From features to joint positions.

    Parameters
    ----------
    channels : int
    pairs : int
        Number of down- and upsamplings, up to four; fewer leave out the shallowest.
    graph : bool
        Whether joints are nodes of a graph. If not, one node has the numbers of all joints, and the network
        is a temporal convolutional one of the same shape.
    merge : bool
        Whether to use the merging stage.
    dropout : float
    window : int
        Frames of a window, a multiple of 16.
    """

    def __init__(
        self,
        channels: int = 64,
        pairs: int = 4,
        graph: bool = True,
        merge: bool = True,
        dropout: float = 0.5,
        window: int = WINDOW,
    ) -> None:
        super().__init__()
        self.config = {
            "channels": channels, "pairs": pairs, "graph": graph, "merge": merge, "dropout": dropout,
            "window": window,
        }  # fmt: skip
        self.graph, self.merge, self.window = graph, merge, window
        self.strides = [2 if i >= 4 - pairs else 1 for i in range(4)]
        c = channels

        def block(inside: int, stride: int = 1) -> _Block:
            return _Block(inside, c, stride, dropout, graph)

        self.first = block(NODE_FEATURES if graph else FEATURES)
        self.down = nn.ModuleList(nn.ModuleList([block(c, stride), block(c)]) for stride in self.strides)
        self.up = nn.ModuleList(block(c) for _ in range(4))
        self.merging = nn.ModuleList(nn.Linear(c, c) for _ in range(4 if merge else 0))
        self.last = block(c)
        self.head = nn.Linear(c, 3 if graph else 3 * len(JOINTS))

    def encode(self, features: Tensor) -> Tensor:
        """Positions, see `PositionLifter.encode`."""
        frames, window = features.shape[1], self.window
        if frames == window:
            return self._lift(features)
        padded = functional.pad(
            features.transpose(1, 2), (0, max(0, window - frames)), mode="replicate"
        ).transpose(1, 2)
        starts = [*range(0, padded.shape[1] - window, STEP), padded.shape[1] - window]
        total = features.new_zeros(features.shape[0], padded.shape[1], len(JOINTS), 3)
        count = features.new_zeros(padded.shape[1], 1, 1)
        for some in (starts[i : i + _AT_ONCE] for i in range(0, len(starts), _AT_ONCE)):
            windows = torch.cat([padded[:, start : start + window] for start in some])
            for start, said in zip(some, self._lift(windows).chunk(len(some)), strict=True):
                total[:, start : start + window] += said
                count[start : start + window] += 1
        return (total / count)[:, :frames]

    def _lift(self, features: Tensor) -> Tensor:
        x = self.first(nodes(features).transpose(1, 2) if self.graph else features[:, None])
        skips = []
        for halve, keep in cast("list[nn.ModuleList]", self.down):
            skips.append(x)
            x = keep(halve(x))
        scales = []
        for up, skip in zip(self.up, reversed(skips), strict=True):
            x = up(x)
            x = x.repeat_interleave(skip.shape[2] // x.shape[2], 2) + skip
            scales.append(x)
        if self.merge:
            merged = [
                conv(s).repeat_interleave(features.shape[1] // s.shape[2], 2)
                for conv, s in zip(self.merging, scales, strict=True)
            ]
            x = torch.stack(merged).sum(0)
        out = cast(Tensor, self.head(self.last(x)).transpose(1, 2).float())
        return out.reshape(*features.shape[:2], len(JOINTS), 3)
