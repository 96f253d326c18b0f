"""The normal equations of a Gauss-Newton step, and their solution."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ...core.banded import banded_product, second_difference_bands
from .problem import JOINT_COUNT, ROOT, TURNS, UNKNOWNS

#: factor on the diagonal of every frame's block, which keeps it positive definite: rounding in single
#: precision is a tenth of it
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
    block-banded, with a border. All of it but what they share is in single precision, which decides how fast
    the steps converge, and not where to: what nearly cancels, such as differences over time, is computed
    before.

    Attributes
    ----------
    shared : int
        How many unknowns all frames share, G.
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
        frames, self.shared = len(like), shared
        self.here, self.next, self.after = (
            torch.zeros(frames, UNKNOWNS, UNKNOWNS, device=like.device) for _ in range(3)
        )
        self.slope = self.here.new_zeros(frames, UNKNOWNS)
        self.border = self.here.new_zeros(frames, UNKNOWNS, shared)
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
        residual, weight = residual.float(), weight.float()[..., None]
        weighed = (jacobian * weight).mT
        self.here.baddbmm_(weighed, jacobian)
        self.slope += (weighed @ residual[..., None])[..., 0]
        if shared is not None:
            shared = shared.float()
            self.border.baddbmm_(weighed, shared)
            heavy = (shared * weight).flatten(0, 1)
            self.corner += heavy.T @ shared.flatten(0, 1)
            self.shared_slope += heavy.T @ residual.flatten()
        if loose is not None:
            heavy = (loose.jacobian * weight).mT
            own = heavy @ loose.jacobian + torch.diag_embed(loose.precision.float())
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

    def add_turns(self, rotations: Tensor, weight: Tensor) -> None:
        """Add weighted squares of the second differences of rotations (T, J, 3, 3) over time."""
        bands = second_difference_bands(weight)
        for block, band, step in zip((self.here, self.next, self.after), bands, (0, 1, 2), strict=True):
            count = len(rotations) - step
            # a column c of a rotation turns by w x c, so a pair of columns adds (c . c') I - c' c^T
            between = rotations[step:] @ rotations[:count].mT
            pairs = between.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None] * torch.eye(3).to(between)
            pairs = band[:count, :, None, None] * (pairs - between)
            of_joint = (
                block[:count, TURNS, TURNS].unflatten(1, (JOINT_COUNT, 3)).unflatten(3, (JOINT_COUNT, 3))
            )
            of_joint.diagonal(dim1=1, dim2=3).add_(pairs.float().permute(0, 2, 3, 1))
        pull = banded_product(bands, rotations)
        self.slope[:, TURNS] += torch.linalg.cross(rotations, pull, dim=-2).sum(-1).flatten(1).float()

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
        own, ahead = ((jacobian * band.float()[..., None]).mT for band in bands[:2])
        self.here.baddbmm_(own, jacobian)
        self.next[:-1].baddbmm_(ahead[:-1], jacobian[1:])
        self.slope += (jacobian.mT @ banded_product(bands, values).float()[..., None])[..., 0]

    def step(self, free: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The steps (T, N) of the frames and (G,) of what they share; the precision (G, G) of the latter.

        What isn't `free` (G,) stays as it is; its precision is 1.
        """
        self.here.diagonal(dim1=1, dim2=2).mul_(_DAMPED)
        both = free[:, None] & free
        here, ahead, after, slope, border = (
            x.cpu() for x in (self.here, self.next, self.after, self.slope, self.border[..., free])
        )
        corner, shared_slope = (
            x.cpu().double() for x in (self.corner[free][:, free], self.shared_slope[free])
        )
        solved = solve_cholesky(here, ahead, after, torch.cat([-slope[..., None], border], 2)).double()
        alone, moved, border = solved[..., 0], solved[..., 1:], border.double()
        # the Schur complement of the frames
        precision = corner - (border.mT @ moved).sum(0)
        shared = torch.linalg.solve(precision, -shared_slope - (border.mT @ alone[..., None]).sum(0)[:, 0])
        step_shared, known = torch.zeros_like(self.shared_slope), torch.eye(len(free)).to(self.corner)
        step_shared[free], known[both] = (x.to(known) for x in (shared, precision.flatten()))
        return (alone - moved @ shared).to(known), step_shared, known


#: frames that are factorised at once: fewer make more calls, more make more to do
_TOGETHER = 4


def solve_cholesky(here: Tensor, ahead: Tensor, after: Tensor, right: Tensor) -> Tensor:
    """Solve what `core.banded.solve_banded` does, with large blocks, by block Cholesky factorisation.

    The factor keeps every matrix on the way symmetric. Plain block elimination lets rounding make them
    unsymmetric, and that error grows from frame to frame.
    """
    frames, size, width = right.shape
    count = -(-frames // _TOGETHER)
    beyond = count * _TOGETHER - frames
    # blocks of several frames, tied to their neighbours alone; a frame too many is x = 0
    blocks = right.new_zeros(count, _TOGETHER, size, _TOGETHER, size)
    of_last = blocks[-1].diagonal(dim1=0, dim2=2)[..., _TOGETHER - beyond :]
    of_last.diagonal(dim1=0, dim2=1).fill_(1)
    # the transposed blocks (of the last two frames and the next two) that tie a block to the next one
    ties = right.new_zeros(count, 2, size, 2, size)
    for step, band in enumerate((here, ahead, after)):
        for frame in range(_TOGETHER):
            part = band[frame : frames - step : _TOGETHER]
            if frame + step < _TOGETHER:
                blocks[: len(part), frame, :, frame + step] = part
            else:
                of = frame + step - _TOGETHER, slice(None), frame + 2 - _TOGETHER
                ties[(slice(len(part)), *of)] = part.mT
    edge = 2 * size
    own, tied = blocks.view(count, _TOGETHER * size, -1).unbind(0), list(ties.view(count, edge, edge))
    rest = list(
        torch.nn.functional.pad(right, (0, 0, 0, 0, 0, beyond)).reshape(count, _TOGETHER * size, width)
    )
    factors = []
    for b in range(count):
        if b > 0:
            own[b][:edge, :edge].addmm_(tied[b - 1], tied[b - 1].mT, alpha=-1)
            rest[b][:edge].addmm_(tied[b - 1], rest[b - 1][-edge:], alpha=-1)
        # of a matrix whose lower triangle isn't filled
        factors.append(torch.linalg.cholesky(own[b].mT).mT)
        rest[b] = torch.linalg.solve_triangular(factors[b].mT, rest[b], upper=False)
        corner = factors[b][-edge:, -edge:]
        tied[b] = torch.linalg.solve_triangular(corner, tied[b], upper=True, left=False)
    out = torch.empty(count, _TOGETHER * size, width).to(right)
    for b in reversed(range(count)):
        if b + 1 < count:
            rest[b][-edge:].addmm_(tied[b].mT, out[b + 1][:edge], alpha=-1)
        out[b] = torch.linalg.solve_triangular(factors[b], rest[b], upper=True)
    return out.view(count * _TOGETHER, size, width)[:frames]
