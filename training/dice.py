"""Random numbers of a batch that depend on a seed alone, on the device that trains."""

from __future__ import annotations

import torch
from torch import Tensor


class Dice:
    """Draws; the same for the same seed and device.

    Parameters
    ----------
    device : torch.device
    seed : int
    """

    def __init__(self, device: torch.device, seed: int) -> None:
        self.generator = torch.Generator(device).manual_seed(seed)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Evenly between two numbers."""
        drawn = torch.rand(*shape, generator=self.generator, device=self.generator.device)
        return low + (high - low) * drawn

    def normal(self, spread: float, *shape: int) -> Tensor:
        """Normally about 0, with that standard deviation."""
        return spread * torch.randn(*shape, generator=self.generator, device=self.generator.device)

    def chance(self, share: float, count: int) -> Tensor:
        """Which of `count` are chosen (B), each with that probability."""
        return self.uniform(0, 1, count) < share
