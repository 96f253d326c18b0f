"""The normal equations of a Gauss-Newton step, and their solution."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...core.banded import banded_product, second_difference_bands, solve_banded
from .problem import JOINT_COUNT, ROOT, TURNS, UNKNOWNS

#: factor on the diagonal of every frame's block, which keeps it positive definite
_DAMPED = 1 + 1e-5


class Equations:
    """The normal equations of a Gauss-Newton step.

    Each frame is coupled to two on either side, and to what all frames share: a symmetric matrix that is
    block-banded, with a border.

    Attributes
    ----------
    here, next, after : (T, N, N)
        Blocks of the matrix: a frame with itself, with the next one, and with the one after that.
    slope : (T, N)
        Half the gradient.
    border : (T, N, G)
        Blocks of frames and of what they share.
    corner : (G, G)
        Of what they share with itself.
    shared_slope : (G,)
        Half the gradient by it.
    """

    def __init__(self, like: Tensor, shared: int) -> None:
        frames = len(like)
        self.here, self.next, self.after = (like.new_zeros(frames, UNKNOWNS, UNKNOWNS) for _ in range(3))
        self.slope = like.new_zeros(frames, UNKNOWNS)
        self.border = like.new_zeros(frames, UNKNOWNS, shared)
        self.corner = like.new_zeros(shared, shared)
        self.shared_slope = like.new_zeros(shared)

    def add(self, jacobian: Tensor, residual: Tensor, weight: Tensor, shared: Tensor | None = None) -> None:
        """Add weighted squares of residuals (T, R).

        Their derivatives by the frame's unknowns are `jacobian` (T, R, N), by what all share `shared`
        (T, R, G).
        """
        weighed = (jacobian * weight[..., None]).transpose(1, 2)
        self.here += weighed @ jacobian
        self.slope += (weighed @ residual[..., None])[..., 0]
        if shared is not None:
            self.border += weighed @ shared
            heavy = (shared * weight[..., None]).flatten(0, 1)
            self.corner += heavy.T @ shared.flatten(0, 1)
            self.shared_slope += heavy.T @ residual.flatten()

    def add_shared(self, precision: Tensor, off: Tensor) -> None:
        """Add a prior on what all frames share: precision (G, G), and how far off it is (G,)."""
        self.corner += precision
        self.shared_slope += precision @ off

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

    def add_root(self, root: Tensor, bend: Tensor, weight: Tensor) -> None:
        """Add weighted squares of how far the second differences of `root` (T, 3) are from `bend` (T, 3)."""
        bands = second_difference_bands(weight)
        for block, band in zip((self.here, self.next, self.after), bands, strict=True):
            block[:, ROOT, ROOT].diagonal(dim1=1, dim2=2).add_(band)
        wanted = weight * bend
        wanted[:1] = wanted[-1:] = 0
        pull = banded_product(bands, root) + 2 * wanted
        pull[:-1] -= wanted[1:]
        pull[1:] -= wanted[:-1]
        self.slope[:, ROOT] += pull

    def add_steps(self, jacobian: Tensor, values: Tensor, weight: Tensor) -> None:
        """Add weighted squares of the steps of values (T, R), derivatives (T, R, N), to the next frame."""
        weight = torch.cat([weight[:-1], torch.zeros_like(weight[:1])])
        before = torch.cat([torch.zeros_like(weight[:1]), weight[:-1]])
        bands = (weight + before, -weight, torch.zeros_like(weight))
        self.here += (jacobian * bands[0][..., None]).transpose(1, 2) @ jacobian
        self.next[:-1] += (jacobian[:-1] * bands[1][:-1, :, None]).transpose(1, 2) @ jacobian[1:]
        self.slope += (jacobian.transpose(1, 2) @ banded_product(bands, values)[..., None])[..., 0]

    def step(self) -> tuple[Tensor, Tensor, Tensor]:
        """The steps (T, N) of the frames and (G,) of what they share; the precision (G, G) of the latter."""
        self.here.diagonal(dim1=1, dim2=2).mul_(_DAMPED)
        here, ahead, after, slope, border, corner, shared_slope = (
            x.cpu().double().numpy()
            for x in (
                self.here, self.next, self.after, self.slope, self.border, self.corner, self.shared_slope
            )
        )  # fmt: skip
        solved = solve_banded(here, ahead, after, np.concatenate([-slope[..., None], border], axis=2))
        alone, moved = solved[..., 0], solved[..., 1:]
        # the Schur complement of the frames
        precision = corner - np.einsum("tng,tnh->gh", border, moved)
        shared = np.linalg.solve(precision, -shared_slope - np.einsum("tng,tn->g", border, alone))
        step = alone - moved @ shared
        steps, step_shared, known = (torch.from_numpy(x).to(self.slope) for x in (step, shared, precision))
        return steps, step_shared, known
