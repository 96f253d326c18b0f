"""Linear blend skinning in torch, a whole clip at once: what Blender's armature modifier does."""

from __future__ import annotations

import torch
from torch import Tensor


class Skin:
    """A mesh bound to the skeleton.

    Every vertex is a sum over bones of weight times (rotation times place + shift), which is one matrix
    product: (V, 4 J) with the weighted places, times (4 J, 3) with the bones' motions.

    Parameters
    ----------
    vertices : (V, 3)
        In the rest pose, metres.
    weights : (V, J)
        Shares of the joints' bones; each row sums to 1.
    rest : (J, 3)
        Positions of the joints in the same rest pose.
    """

    def __init__(self, vertices: Tensor, weights: Tensor, rest: Tensor) -> None:
        from_joints = vertices[:, None] - rest  # small numbers: float32 is exact enough far from the origin
        places = torch.cat([from_joints, torch.ones_like(from_joints[..., :1])], -1)
        self._places = (weights[..., None] * places).flatten(1)

    def __call__(self, rotations: Tensor, joints: Tensor) -> Tensor:
        """The mesh in motion.

        Parameters
        ----------
        rotations : (T, J, 3, 3)
            World rotations of the joints.
        joints : (T, J, 3)
            World positions of the joints, metres.

        Returns
        -------
        (T, V, 3), metres
        """
        moves = torch.cat([rotations.transpose(-1, -2), joints[..., None, :]], -2)  # (T, J, 4, 3)
        return torch.matmul(self._places, moves.flatten(1, 2))
