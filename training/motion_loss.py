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


def motion_loss(joints: Tensor, truth: Tensor, operators: Sequence[str], intervals: Sequence[int]) -> Tensor:
    """Equation 4 for each operator, with means over frames and joints instead of sums, as for the base loss.

    Parameters
    ----------
    joints, truth : (B, T, J, 3)
        From the hips, metres.
    operators : sequence of str
        Of `OPERATORS`; the losses of several are added.
    intervals : sequence of int
        Frames between the two of a pair; an interval that is not shorter than the sequence adds nothing.
    """
    out = joints.new_zeros(())
    for encode in map(OPERATORS.__getitem__, operators):
        for interval in intervals:
            if interval < joints.shape[1]:
                said, true = (encode(x[:, :-interval], x[:, interval:]) for x in (joints, truth))
                out = out + torch.linalg.vector_norm(said - true, dim=-1).mean()
    return out
