"""SkeletonNet's classes of the global rotation (Yoshiyasu et al. 2018, section 3.1): centres and loss."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from kinelift.core.rotations import matrix_from_6d, sixd_from_matrix


def rotation_centres(rotations: Tensor, count: int, rounds: int = 20) -> Tensor:
    """Centres (count, 3, 3) of rotations (N, 3, 3) by k-means in the space of matrices (Lloyd 1982).

    It starts from evenly picked rotations; Gram-Schmidt makes each cluster's mean a rotation.
    """
    centres = rotations[torch.linspace(0, len(rotations) - 1, count).long()]
    for _ in range(rounds):
        nearest = nearest_class(rotations, centres)
        sums = torch.zeros_like(centres).index_add_(0, nearest, rotations)
        filled = torch.bincount(nearest, minlength=count) > 0
        centres = torch.where(filled[:, None, None], matrix_from_6d(sixd_from_matrix(sums)), centres)
    return centres


def nearest_class(rotations: Tensor, centres: Tensor) -> Tensor:
    """Index (...) of the centre (K, 3, 3) that is nearest to each rotation (..., 3, 3)."""
    # the smallest chordal distance is the largest inner product
    return torch.einsum("...ij,kij->...k", rotations, centres).argmax(-1)


def class_loss(said: Tensor, rotations: Tensor, centres: Tensor) -> Tensor:
    """Cross entropy of class scores (B, T, K) with the classes of true rotations (B, T, 3, 3)."""
    return functional.cross_entropy(said.flatten(0, 1), nearest_class(rotations, centres).flatten())
