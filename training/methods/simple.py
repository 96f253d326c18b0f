"""The simple baseline (Martinez et al. 2017, arXiv 1705.03098): a residual, fully connected network.

It lifts each frame by itself. The paper's equation 1, the loss, is in `training.losses`.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from kinelift.core.skeleton import JOINTS
from kinelift.inference.lifters.view import FEATURES
from kinelift.training.methods.positions import PositionLifter


class _Residual(nn.Module):
    """Two linear layers beside a residual path: (N, C)."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [
                nn.Linear(channels, channels),
                nn.BatchNorm1d(channels),
                nn.ReLU(),
                nn.Dropout(dropout),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + cast(Tensor, self.layers(x))


def residual_trunk(channels: int, blocks: int, dropout: float) -> nn.Sequential:
    """From features (N, FEATURES) to (N, channels): a linear layer, then residual blocks."""
    return nn.Sequential(
        nn.Linear(FEATURES, channels),
        nn.BatchNorm1d(channels),
        nn.ReLU(),
        nn.Dropout(dropout),
        *(_Residual(channels, dropout) for _ in range(blocks)),
    )


class SimpleBaseline(PositionLifter):
    """From features to joint positions."""

    steady = False

    def __init__(self, channels: int = 1024, blocks: int = 2, dropout: float = 0.5) -> None:
        super().__init__()
        self.config = {"channels": channels, "blocks": blocks, "dropout": dropout}
        self.layers = nn.Sequential(
            residual_trunk(channels, blocks, dropout), nn.Linear(channels, 3 * len(JOINTS))
        )

    def encode(self, features: Tensor) -> Tensor:
        """Positions, see `PositionLifter.encode`."""
        out = cast(Tensor, self.layers(features.flatten(0, 1)))
        return out.float().reshape(*features.shape[:2], len(JOINTS), 3)
