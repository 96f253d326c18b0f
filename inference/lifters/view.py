"""What a lifter sees: landmarks normalised once, the same way for every lifter, in training and in use.

Every frame is seen through a virtual camera that looks straight at the person. Landmark rays are turned so
that the middle of the torso lies on the optical axis, then divided by the person's angular size. Perspective
is thereby exact wherever the person stands in the picture; where that is, and how large the person appears,
is given beside it. Both picture axes are always divided by the same number. The detector's own 3D landmarks,
which it gives as such a camera sees them, go along as a hint: their depth is wrong by a hand's length, but it
mostly knows what is in front and what behind.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ...core.camera import WORLD_FROM_LEVEL_CAMERA
from ...core.landmarks import LANDMARK, LANDMARKS, MIRRORED, TORSO

#: landmarks that the lifters use: the inner face adds detail that a body doesn't need
USED: tuple[int, ...] = tuple(
    LANDMARK[n] for n in LANDMARKS if n.split(".")[0] not in ("eye_inner", "eye_outer", "mouth")
)
#: position of each used landmark's mirror image among the used ones
USED_MIRRORED: tuple[int, ...] = tuple(USED.index(MIRRORED[i]) for i in USED)
#: numbers a frame: x, y and confidence of every used landmark; direction (2) and log angular size of the
#: person; the used landmarks in 3D, and whether they are there
FEATURES = 3 * len(USED) + 3 + 3 * len(USED) + 1
_FLAT = 3 * len(USED)
#: metres that the hint is divided by, to be as large as the other features
_HINT_SIZE = 0.4

_CENTRE_SIGMA, _SIZE_SIGMA = 2.0, 8.0  # frames
_AXES = torch.as_tensor(WORLD_FROM_LEVEL_CAMERA, dtype=torch.float32)


@dataclass(frozen=True)
class View:
    """The virtual cameras of a batch of clips.

    Attributes
    ----------
    features : (B, T, FEATURES)
        The lifter's input.
    turn : (B, T, 3, 3)
        From the virtual camera's level axes to the real camera's (x right, y forward, z up).
    size : (B, T)
        Angular size of the person: root mean square distance of the landmarks from their centre, as a
        tangent.
    """

    features: Tensor
    turn: Tensor
    size: Tensor


def smooth(x: Tensor, sigma: float) -> Tensor:
    """Gaussian smoothing over time of (B, T, C), with the ends held; `sigma` in frames."""
    radius = int(3 * sigma + 0.5)
    at = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-0.5 * (at / sigma) ** 2)
    padded = functional.pad(x.transpose(1, 2), (radius, radius), mode="replicate")
    channels = x.shape[2]
    out = functional.conv1d(padded, (kernel / kernel.sum()).expand(channels, 1, -1), groups=channels)
    return out.transpose(1, 2)


def view(rays: Tensor, confidence: Tensor, hint: Tensor) -> View:
    """Normalise landmarks.

    Parameters
    ----------
    rays : (B, T, 33, 2)
        Landmarks as x / z and y / z in the camera frame (x right, y down), finite everywhere (bridge gaps
        first).
    confidence : (B, T, 33)
        0 (not seen) to 1; where it is 0 the ray is used only to place the virtual camera if nothing else was
        seen.
    hint : (B, T, 33, 3)
        The detector's 3D landmarks from the middle of the hips, metres, x right, y down, z away from the
        camera; NaN in frames that have none.
    """
    torso = list(TORSO)
    weight = confidence[..., torso] + 1e-3
    centre = (rays[..., torso, :] * weight[..., None]).sum(2) / weight.sum(2)[..., None]
    centre = smooth(centre, _CENTRE_SIGMA)

    # level: the virtual camera's x axis stays in the real camera's horizontal plane
    forward = functional.normalize(torch.cat([centre, torch.ones_like(centre[..., :1])], -1), dim=-1)
    down = torch.tensor([0.0, 1.0, 0.0], dtype=rays.dtype, device=rays.device).expand_as(forward)
    right = functional.normalize(torch.cross(down, forward, dim=-1), dim=-1)
    look = torch.stack([right, torch.cross(forward, right, dim=-1), forward], -2)  # rows: virtual axes

    used = list(USED)
    directions = torch.cat([rays[..., used, :], torch.ones_like(rays[..., used, :1])], -1)
    inside = torch.einsum("btij,btkj->btki", look, directions)
    xy = inside[..., :2] / inside[..., 2:].clamp(min=0.05)
    seen = confidence[..., used]
    square = (xy**2).sum(-1)
    mean = (square * (seen + 1e-3)).sum(-1) / (seen + 1e-3).sum(-1)
    size = smooth(0.5 * torch.log(mean.clamp(min=1e-8))[..., None], _SIZE_SIGMA)[..., 0].exp()

    xy = (xy / size[..., None, None]).clamp(-4, 4) * (seen > 0)[..., None]
    there = torch.isfinite(hint[..., :1, 0])
    solid = torch.where(there[..., None], hint[..., used, :], 0).clamp(-2, 2) / _HINT_SIZE
    features = torch.cat(
        [xy.flatten(2), seen, centre, size.log()[..., None], solid.flatten(2), there.to(rays)], -1
    )
    axes = _AXES.to(rays)
    return View(features, axes @ look.transpose(-1, -2) @ axes.T, size)


def mirror_features(features: Tensor) -> Tensor:
    """The features of the clip seen in a mirror (left and right swapped, x negated)."""
    n, order = len(USED), list(USED_MIRRORED)
    flat, place, solid, there = features.split([_FLAT, 3, _FLAT, 1], -1)
    xy = flat[..., : 2 * n].unflatten(-1, (n, 2))[..., order, :] * torch.tensor([-1.0, 1.0]).to(features)
    turned = torch.tensor([-1.0, 1.0, 1.0]).to(features)
    solid = solid.unflatten(-1, (n, 3))[..., order, :] * turned
    return torch.cat(
        [xy.flatten(-2), flat[..., 2 * n :][..., order], place * turned, solid.flatten(-2), there], -1
    )
