"""The normal equations of a Gauss-Newton step, and their solution."""

from __future__ import annotations

import torch
from torch import Tensor

from ...core.banded import banded_product, second_difference_bands, solve_banded
from .problem import JOINT_COUNT, ROOT, TURNS, UNKNOWNS


class Equations:
    """The normal equations of a Gauss-Newton step: symmetric, each frame coupled to two on either side.

    Attributes
    ----------
    here, next, after : (T, N, N)
        Blocks of the matrix: a frame with itself, with the next one, and with the one after that.
    slope : (T, N)
        Half the gradient.
    """

    def __init__(self, like: Tensor) -> None:
        frames = len(like)
        self.here, self.next, self.after = (like.new_zeros(frames, UNKNOWNS, UNKNOWNS) for _ in range(3))
        self.slope = like.new_zeros(frames, UNKNOWNS)

    def add(self, jacobian: Tensor, residual: Tensor, weight: Tensor) -> None:
        """Add weighted squares of residuals (T, R) with derivatives (T, R, N)."""
        weighed = (jacobian * weight[..., None]).transpose(1, 2)
        self.here += weighed @ jacobian
        self.slope += (weighed @ residual[..., None])[..., 0]

    def add_turns(self, jacobian: Tensor, values: Tensor, weight: Tensor) -> None:
        """Add weighted squares of the second differences of values (T, J, R) over time.

        Each joint's values depend on its own rotation vector alone: derivatives (T, J, R, 3).
        """
        bands = second_difference_bands(weight)
        for block, band, step in zip((self.here, self.next, self.after), bands, (0, 1, 2), strict=True):
            count = len(values) - step
            pairs = jacobian[:count].transpose(-1, -2) @ jacobian[step:]
            of_joint = (
                block[:count, TURNS, TURNS].unflatten(1, (JOINT_COUNT, 3)).unflatten(3, (JOINT_COUNT, 3))
            )
            of_joint.diagonal(dim1=1, dim2=3).add_((band[:count, :, None, None] * pairs).permute(0, 2, 3, 1))
        pull = banded_product(bands, values)
        self.slope[:, TURNS] += (jacobian.transpose(-1, -2) @ pull[..., None])[..., 0].flatten(1)

    def add_root(self, root: Tensor, weight: Tensor) -> None:
        """Add weighted squares of the second differences of the root's parameters (T, 3) over time."""
        bands = second_difference_bands(weight)
        for block, band in zip((self.here, self.next, self.after), bands, strict=True):
            block[:, ROOT, ROOT].diagonal(dim1=1, dim2=2).add_(band)
        self.slope[:, ROOT] += banded_product(bands, root)

    def add_steps(self, jacobian: Tensor, values: Tensor, weight: Tensor) -> None:
        """Add weighted squares of the steps of values (T, R), derivatives (T, R, N), to the next frame."""
        weight = torch.cat([weight[:-1], torch.zeros_like(weight[:1])])
        before = torch.cat([torch.zeros_like(weight[:1]), weight[:-1]])
        bands = (weight + before, -weight, torch.zeros_like(weight))
        self.here += (jacobian * bands[0][..., None]).transpose(1, 2) @ jacobian
        self.next[:-1] += (jacobian[:-1] * bands[1][:-1, :, None]).transpose(1, 2) @ jacobian[1:]
        self.slope += (jacobian.transpose(1, 2) @ banded_product(bands, values)[..., None])[..., 0]

    def step(self) -> Tensor:
        """The step (T, N) that solves them."""
        self.here.diagonal(dim1=1, dim2=2).mul_(1 + 1e-5)
        here, ahead, after, slope = (
            x.cpu().double().numpy() for x in (self.here, self.next, self.after, self.slope)
        )
        step = solve_banded(here, ahead, after, -slope[..., None])[..., 0]
        return torch.from_numpy(step).to(self.slope)
