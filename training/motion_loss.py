"""UGCN's motion loss (Wang et al. 2020, section 3.1): encodes and compares pairs of frames of a joint."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

#: the operators of equation 3, on positions (..., 3) of one joint at two times
OPERATORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "subtraction": lambda a, b: b - a,
    "inner": lambda a, b: (a * b).sum(-1, keepdim=True),
    "cross": lambda a, b: torch.cross(a, b, dim=-1),
}


def motion_loss(joints: Tensor, truth: Tensor, operator: str, intervals: Sequence[int]) -> Tensor:
    """Equation 4, with means over frames and joints instead of sums.

    Parameters
    ----------
    joints, truth : (B, T, J, 3)
        From the hips, metres.
    operator : str
        One of `OPERATORS`.
    intervals : sequence of int
        Frames between the two of a pair; an interval that is not shorter than the sequence adds nothing.
    """
    encode = OPERATORS[operator]
    out = joints.new_zeros(())
    for interval in intervals:
        if interval < joints.shape[1]:
            said, true = (encode(x[:, :-interval], x[:, interval:]) for x in (joints, truth))
            out = out + torch.linalg.vector_norm(said - true, dim=-1).mean()
    return out
