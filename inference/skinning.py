"""Linear blend skinning in torch, many frames at once: the same as Blender's armature modifier."""

from __future__ import annotations

import torch
from torch import Tensor


class Skin:
    """A mesh bound to the skeleton.

    A skinned vertex is a sum over bones: weight times (rotation times place + shift). That is one matrix
    product for all vertices: weighted places (V, 4 J) times the bones' transforms (4 J, 3).

    Parameters
    ----------
    vertices : (V, 3)
        In the rest pose, metres.
    weights : (V, J)
        Weights of the joints; each row sums to 1.
    rest : (J, 3)
        Positions of the joints in the rest pose, metres.
    """

    def __init__(self, vertices: Tensor, weights: Tensor, rest: Tensor) -> None:
        from_joints = vertices[:, None] - rest  # small numbers: float32 is exact enough far from the origin
        places = torch.cat([from_joints, torch.ones_like(from_joints[..., :1])], -1)
        self._places = (weights[..., None] * places).flatten(1)

    def __call__(self, rotations: Tensor, joints: Tensor) -> Tensor:
        """The vertices in motion.

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
