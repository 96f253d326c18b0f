"""The normal equations of a Gauss-Newton step, and their solution."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ...core.banded import banded_product, second_difference_bands
from .problem import JOINT_COUNT, ROOT, TURNS, UNKNOWNS

#: factor on the diagonal of every frame's block, which keeps it positive definite
_DAMPED = 1 + 1e-5


class Loose(NamedTuple):
    """Unknowns of a frame that nothing else depends on, so that they needn't be solved for.

    Attributes
    ----------
    jacobian : (T, R, K)
        Derivatives of the residuals by them.
    precision : (T, K)
        How well they are known, around 0.
    """

    jacobian: Tensor
    precision: Tensor


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

    def add(
        self,
        jacobian: Tensor,
        residual: Tensor,
        weight: Tensor,
        shared: Tensor | None = None,
        loose: Loose | None = None,
    ) -> None:
        """Add weighted squares of residuals (T, R).

        Their derivatives by the frame's unknowns are `jacobian` (T, R, N), by what all share `shared`
        (T, R, G). Unknowns that are `loose` are eliminated: residuals that move together count for less.
        """
        weighed = (jacobian * weight[..., None]).mT
        self.here += weighed @ jacobian
        self.slope += (weighed @ residual[..., None])[..., 0]
        if shared is not None:
            self.border += weighed @ shared
            heavy = (shared * weight[..., None]).flatten(0, 1)
            self.corner += heavy.T @ shared.flatten(0, 1)
            self.shared_slope += heavy.T @ residual.flatten()
        if loose is not None:
            heavy = (loose.jacobian * weight[..., None]).mT
            own = heavy @ loose.jacobian + torch.diag_embed(loose.precision)
            of_frame, of_residual = heavy @ jacobian, heavy @ residual[..., None]
            gone = torch.linalg.solve(own, torch.cat([of_frame, of_residual], -1))
            self.here -= of_frame.mT @ gone[..., :-1]
            self.slope -= (of_frame.mT @ gone[..., -1:])[..., 0]
            if shared is not None:
                of_shared = heavy @ shared
                self.border -= gone[..., :-1].mT @ of_shared
                self.corner -= (of_shared.mT @ torch.linalg.solve(own, of_shared)).sum(0)
                self.shared_slope -= (of_shared.mT @ gone[..., -1:]).sum(0)[:, 0]

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

    def step(self, free: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The steps (T, N) of the frames and (G,) of what they share; the precision (G, G) of the latter.

        What isn't `free` (G,) stays as it is; its precision is 1.
        """
        self.here.diagonal(dim1=1, dim2=2).mul_(_DAMPED)
        both = free[:, None] & free
        here, ahead, after, slope, border, corner, shared_slope = (
            x.cpu().double()
            for x in (
                self.here, self.next, self.after, self.slope, self.border[..., free],
                self.corner[free][:, free], self.shared_slope[free],
            )
        )  # fmt: skip
        solved = solve_cholesky(here, ahead, after, torch.cat([-slope[..., None], border], 2))
        alone, moved = solved[..., 0], solved[..., 1:]
        # the Schur complement of the frames
        precision = corner - (border.mT @ moved).sum(0)
        shared = torch.linalg.solve(precision, -shared_slope - (border.mT @ alone[..., None]).sum(0)[:, 0])
        step_shared, known = torch.zeros_like(self.shared_slope), torch.eye(len(free)).to(self.corner)
        step_shared[free], known[both] = (x.to(known) for x in (shared, precision.flatten()))
        return (alone - moved @ shared).to(known), step_shared, known


def solve_cholesky(here: Tensor, ahead: Tensor, after: Tensor, right: Tensor) -> Tensor:
    """Solve equations in which each frame is tied to two on either side, by block Cholesky factorisation.

    The factor keeps every matrix on the way symmetric. Plain block elimination lets rounding make them
    unsymmetric, and that error grows from frame to frame.

    Parameters
    ----------
    here, ahead, after : (T, K, K)
        Blocks (t, t), (t, t + 1) and (t, t + 2) of the matrix; those beyond its edge are ignored.
    right : (T, K, C)

    Returns
    -------
    (T, K, C)
    """
    frames, size, width = right.shape
    # each frame's equations become its factor, the blocks of it that tie it to the next frames, and its right
    rows, after = torch.cat([here, ahead, right], 2), after.clone()
    columns = (slice(0, size), slice(size, 2 * size), slice(2 * size, None), slice(size, None))
    own, tied, rest, free = (rows[:, :, part].unbind(0) for part in columns)
    tied_back, after_back, own_back = (
        x.mT.unbind(0) for x in (rows[:, :, columns[1]], after, rows[:, :, columns[0]])
    )
    for t in range(frames):
        if t > 0:
            before = torch.cat([tied[t - 1], after[t - 1], rest[t - 1]], 1)
            rows[t].addmm_(tied_back[t - 1], before, alpha=-1)
        if t > 1:
            own[t].addmm_(after_back[t - 2], after[t - 2], alpha=-1)
            rest[t].addmm_(after_back[t - 2], rest[t - 2], alpha=-1)
        own[t].copy_(torch.linalg.cholesky(own[t]))
        solved = torch.linalg.solve_triangular(own[t], torch.cat([free[t], after[t]], 1), upper=False)
        free[t].copy_(solved[:, : size + width])
        after[t].copy_(solved[:, size + width :])
    out = right.new_zeros(frames + 2, size, width)  # two frames of zeros behind the last one
    for t in reversed(range(frames)):
        left = rest[t] - tied[t] @ out[t + 1] - after[t] @ out[t + 2]
        out[t] = torch.linalg.solve_triangular(own_back[t], left, upper=True)
    return out[:frames]
