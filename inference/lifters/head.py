"""How a head is turned, by the landmarks of its face: a small network beside the lifter.

The lifter sees no inner face. The detector's faces follow a head's turn only in part, so that no rigid face
fits them; the network has learnt from detected faces how they follow it. It tells how sure it is: of a face
that looks away it knows little.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from ...core.arrays import Array, Floats
from ...core.landmarks import LANDMARK, MIRRORED, TORSO
from ...core.rotations import matrix_from_6d, sixd_from_matrix
from .weights import FOLDER, load_network

#: the network's weights
WEIGHTS = FOLDER / "head.safetensors"
#: landmarks of the face
FACE: tuple[int, ...] = tuple(range(LANDMARK["mouth.R"] + 1))
#: landmarks that the network sees: the face, and the torso that carries it
USED: tuple[int, ...] = (*FACE, *TORSO)
#: features of a frame: x and y of each
FEATURES = 2 * len(USED)
#: which feature lies at the mirror's place of each, and what the mirror does to it
_MIRRORED = [2 * USED.index(MIRRORED[k]) + axis for k in USED for axis in (0, 1)]
_FLIPPED = np.tile([-1.0, 1.0], len(USED))
_FLIP = np.diag([-1.0, 1, 1])
#: lengths that are 1 as features, metres: in the face, and in the torso
_UNITS = np.array([0.05] * len(FACE) + [0.2] * len(TORSO))
#: rays count as at most this far from straight ahead: cosine
_AHEAD = 0.05
#: logarithms of spreads stay within this
_SPREAD_LIMITS = (-4.0, 2.0)


class HeadReader(nn.Module):
    """Features (N, FEATURES) to rotations (N, 3, 3) in the axes of `features`, and their spread (N,).

    Attributes
    ----------
    config : dict
        The arguments that construct the same network.
    """

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"width": width}
        self.layers = nn.Sequential(
            nn.Linear(FEATURES, width), nn.ReLU(), nn.Dropout(0.1),
            nn.Linear(width, width), nn.ReLU(), nn.Dropout(0.1),
            nn.Linear(width, 7),
        )  # fmt: skip

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The rotations and their spread."""
        sixd, spread = cast(Tensor, self.layers(x)).split((6, 1), dim=1)
        upright = torch.tensor([1.0, 0, 0, 0, 1, 0]).to(x)
        return matrix_from_6d(sixd + upright), spread[:, 0].clamp(*_SPREAD_LIMITS).exp()


def load_head() -> HeadReader:
    """The network that ships; see `weights.load_network`."""
    return load_network(WEIGHTS, torch.device("cpu"), {"head": HeadReader})


def features(rays: Array, distance: Array) -> tuple[Floats, Floats]:
    """What the network sees: the landmarks as a camera has them that looks at the face.

    Parameters
    ----------
    rays : (T, 33, 2)
        Landmarks as x / z and y / z in the camera frame (y down).
    distance : (T,)
        How far before the camera a body of `skeleton.STANDARD_HEIGHT` is that looks as large, metres.

    Returns
    -------
    features : (T, FEATURES)
        x and z from the middle of the face.
    axes : (T, 3, 3)
        Rotations from level axes (x right, y forward, z up) to those of the cameras that look at the face.
    """
    level = np.stack([rays[..., 0], np.ones(rays.shape[:2]), -rays[..., 1]], axis=-1)
    forward = level[:, list(FACE)].mean(1)
    forward /= np.linalg.norm(forward, axis=1, keepdims=True)
    right = np.cross(forward, [0.0, 0, 1])
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    axes = np.stack([right, forward, np.cross(right, forward)], axis=1)
    seen = level[:, list(USED)] @ np.swapaxes(axes, 1, 2)
    across = seen[..., ::2] / np.maximum(seen[..., 1:2], _AHEAD) * (distance[:, None] / _UNITS)[..., None]
    return across.reshape(len(rays), FEATURES), axes


def mirrored(x: Array) -> Floats:
    """The features (T, FEATURES) of the same landmarks in a mirror."""
    return np.asarray(x[:, _MIRRORED] * _FLIPPED)


def head_turns(rays: Array, distance: Array, model: HeadReader) -> tuple[Floats, Floats]:
    """Rotations of the head (T, 3, 3) in level axes, and their spread about each axis (T,), radians.

    The mean with the answer for the mirrored landmarks: those get exactly the mirrored answer. See
    `features` for the parameters.
    """
    x, axes = features(rays, distance)
    with torch.no_grad():
        answers = [model(torch.as_tensor(one, dtype=torch.float32)) for one in (x, mirrored(x))]
    (turns, spread), (other, other_spread) = ((a.double().numpy(), b.double().numpy()) for a, b in answers)
    both = matrix_from_6d(sixd_from_matrix(turns) + sixd_from_matrix(_FLIP @ other @ _FLIP))
    return np.swapaxes(axes, 1, 2) @ both, np.sqrt(spread * other_spread)
