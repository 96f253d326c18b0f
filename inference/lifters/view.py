"""The input of the lifters: landmarks normalised in the same way for every lifter, in training and in use.

A virtual camera looks straight at the person in every frame: landmark rays are turned so that the middle of
the torso lies on the optical axis, then divided by the person's angular size. Perspective is thereby exact
wherever the person stands in the picture. Further features say where that is and how large the person
appears. Both picture axes are always divided by the same number.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ...core.camera import WORLD_FROM_LEVEL_CAMERA
from ...core.landmarks import LANDMARK, LANDMARKS, MIRRORED, TORSO

#: landmarks that the lifters use: all but the inner face, whose detail a body doesn't need
USED: tuple[int, ...] = tuple(
    LANDMARK[n] for n in LANDMARKS if n.split(".")[0] not in ("eye_inner", "eye_outer", "mouth")
)
#: position of each used landmark's mirror image among the used ones
USED_MIRRORED: tuple[int, ...] = tuple(USED.index(MIRRORED[i]) for i in USED)
#: features of a frame: x, y and confidence of every used landmark; direction (2) and log angular size of the
#: person
FEATURES = 3 * len(USED) + 3
#: Gaussian smoothing of the direction of the virtual camera, frames
_CENTRE_SIGMA = 2.0
#: Gaussian smoothing of the angular size, frames
_SIZE_SIGMA = 8.0
#: camera axes -> level axes
_AXES = torch.as_tensor(WORLD_FROM_LEVEL_CAMERA, dtype=torch.float32)


@dataclass(frozen=True)
class View:
    """The virtual cameras of a batch of motions.

    Attributes
    ----------
    features : (B, T, FEATURES)
        The input of a lifter.
    turn : (B, T, 3, 3)
        Rotation from the virtual camera's level axes to the real camera's (x right, y forward, z up).
    size : (B, T)
        Angular size of the person: root mean square distance of the landmarks from their centre, as a
        tangent.
    """

    features: Tensor
    turn: Tensor
    size: Tensor


def smooth(x: Tensor, sigma: float) -> Tensor:
    """Gaussian smoothing of x (B, T, C) over time, with the ends repeated; `sigma` in frames."""
    radius = int(3 * sigma + 0.5)
    at = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-0.5 * (at / sigma) ** 2)
    padded = functional.pad(x.transpose(1, 2), (radius, radius), mode="replicate")
    channels = x.shape[2]
    out = functional.conv1d(padded, (kernel / kernel.sum()).expand(channels, 1, -1), groups=channels)
    return out.transpose(1, 2)


def view(rays: Tensor, confidence: Tensor, steady: bool = True) -> View:
    """Normalise landmarks.

    Parameters
    ----------
    rays : (B, T, 33, 2)
        Landmarks as x / z and y / z in the camera frame (x right, y down), finite everywhere (gaps are
        bridged).
    confidence : (B, T, 33)
        0 (not seen) to 1. Rays of confidence 0 only place the virtual camera, if nothing else was seen.
    steady : bool
        Smooth the virtual camera over time. If not, a frame's features depend on that frame alone.
    """
    torso = list(TORSO)
    weight = confidence[..., torso] + 1e-3
    centre = (rays[..., torso, :] * weight[..., None]).sum(2) / weight.sum(2)[..., None]
    if steady:
        centre = smooth(centre, _CENTRE_SIGMA)

    # level: the virtual camera's x axis stays in the real camera's horizontal plane
    forward = functional.normalize(torch.cat([centre, torch.ones_like(centre[..., :1])], -1), dim=-1)
    down = torch.tensor([0.0, 1.0, 0.0], dtype=rays.dtype, device=rays.device).expand_as(forward)
    right = functional.normalize(torch.cross(down, forward, dim=-1), dim=-1)
    axes = torch.stack([right, torch.cross(forward, right, dim=-1), forward], -2)  # rows: virtual axes

    used = list(USED)
    directions = torch.cat([rays[..., used, :], torch.ones_like(rays[..., used, :1])], -1)
    inside = torch.einsum("btij,btkj->btki", axes, directions)
    xy = inside[..., :2] / inside[..., 2:].clamp(min=0.05)
    seen = confidence[..., used]
    square = (xy**2).sum(-1)
    mean = (square * (seen + 1e-3)).sum(-1) / (seen + 1e-3).sum(-1)
    log_size = 0.5 * torch.log(mean.clamp(min=1e-8))
    size = (smooth(log_size[..., None], _SIZE_SIGMA)[..., 0] if steady else log_size).exp()

    xy = (xy / size[..., None, None]).clamp(-4, 4) * (seen > 0)[..., None]
    features = torch.cat([xy.flatten(2), seen, centre, size.log()[..., None]], -1)
    level = _AXES.to(rays)
    return View(features, level @ axes.transpose(-1, -2) @ level.T, size)


def mirror_features(features: Tensor) -> Tensor:
    """The features (B, T, FEATURES) in the mirror: left and right swapped, x negated."""
    n, order = len(USED), list(USED_MIRRORED)
    xy, seen, place = features.split([2 * n, n, 3], -1)
    xy = xy.unflatten(-1, (n, 2))[..., order, :] * torch.tensor([-1.0, 1.0]).to(features)
    return torch.cat(
        [xy.flatten(-2), seen[..., order], place * torch.tensor([-1.0, 1.0, 1.0]).to(features)], -1
    )
