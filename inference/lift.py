"""Lifting: from the landmarks of one person to a body before the camera, at any frame rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..core.arrays import Floats, Indices
from ..core.limits import HINGES, limit_spine_twist
from ..core.rotations import axis_angle, matrix_from_6d, sixd_from_matrix, unit
from .lifters.lifter import LIFTER_FPS, Lifted, Lifter, Spread
from .lifters.view import smooth


@dataclass(frozen=True)
class Estimate:
    """A body in motion as it was lifted or solved, in the axes of a level camera (x right, y forward, z up).

    Attributes
    ----------
    lengths : (len(LENGTHS),)
        Bone lengths, metres.
    rotations : (T, J, 3, 3)
        World rotations of the joints.
    root : (T, 3)
        Position of the hips from the camera, metres.
    contacts : (T, 4)
        Probability that each of `motion.CONTACT_POINTS` touches the floor.
    up : (3,)
        Unit vector against gravity. There is one for all frames: the camera is assumed to keep its tilt.
    turn_spread : (T, J), optional
        How far off the lifter expects its rotations to be: one standard deviation about each axis, radians.
    """

    lengths: Floats
    rotations: Floats
    root: Floats
    contacts: Floats
    up: Floats
    turn_spread: Floats | None = None

    def at(self, frames: slice | Indices) -> Estimate:
        """The same in some of the frames."""
        return replace(
            self,
            rotations=self.rotations[frames],
            root=self.root[frames],
            contacts=self.contacts[frames],
            turn_spread=None if self.turn_spread is None else self.turn_spread[frames],
        )


def lift(
    rays: Floats, confidence: Floats, fps: float, model: Lifter, turns: Floats | None = None
) -> Estimate:
    """Lift one person's landmarks.

    Parameters
    ----------
    rays : (T, 33, 2)
        Landmarks as x / z and y / z in the camera frame (x right, y down), finite everywhere (gaps are
        bridged).
    confidence : (T, 33)
        0 (not seen) to 1.
    fps : float
        Frame rate of the rays and of the result; the lifter itself works at `LIFTER_FPS`.
    model : Lifter
    turns : (T, 3, 3), optional
        From the level axes of each frame's camera to those that the result is to be in.
    """
    frames = len(rays)
    place, seen = _at_lifter_fps(rays, confidence, fps)
    lifted = _lifted(model, place, seen)
    back = torch.linspace(0, place.shape[1] - 1, frames)
    rotations = matrix_from_6d(_interpolate(sixd_from_matrix(lifted.rotations[0]), back))
    root, ups = _interpolate(lifted.root[0], back), lifted.up[0]
    if turns is not None:
        turn = torch.as_tensor(turns).to(root)
        rotations, root = turn[:, None] @ rotations, (turn @ root[..., None])[..., 0]
        ups = (turn @ _interpolate(ups, back)[..., None])[..., 0]
    up = torch.nn.functional.normalize(ups.mean(0), dim=0)
    return Estimate(
        lengths=_numpy(lifted.lengths[0]),
        rotations=straightened(limit_spine_twist(_numpy(rotations))),
        root=_numpy(root),
        contacts=_numpy(torch.sigmoid(_interpolate(lifted.contacts[0], back))),
        up=levelled(_numpy(up)),
        # of its logarithm, so that it stays positive
        turn_spread=None
        if lifted.spread is None
        else _numpy(_interpolate(lifted.spread.turn[0].log(), back).exp()),
    )


def _at_lifter_fps(rays: Floats, confidence: Floats, fps: float) -> tuple[Tensor, Tensor]:
    """Rays and confidence of `lift`, each (1, N, ...), evenly spread over the same time."""
    joined = torch.as_tensor(np.concatenate([rays, confidence[..., None]], -1), dtype=torch.float32)[None]
    if fps > LIFTER_FPS:  # frames between the lifter's lower its noise
        joined = smooth(joined.flatten(2), 0.4 * fps / LIFTER_FPS).unflatten(2, joined.shape[2:])
    frames = len(rays)
    count = max(1, round((frames - 1) * LIFTER_FPS / fps) + 1)
    at = _interpolate(joined[0], torch.linspace(0, frames - 1, count))[None]
    return at[..., :2], at[..., 2].clamp(0, 1)


def _lifted(model: Lifter, place: Tensor, seen: Tensor) -> Lifted:
    """A model's answer, on the processor, to landmarks at `LIFTER_FPS`.

    Stretches bound the memory. Inside one the lifter sees as much before and after each frame as in one
    piece; bone lengths are means over them.
    """
    device, frames = next(model.parameters()).device, place.shape[1]
    parts, spreads = [], []
    for first in range(0, frames, _STRETCH):
        last = min(first + _STRETCH, frames)
        begin, end = max(first - _AROUND, 0), min(last + _AROUND, frames)
        with torch.no_grad():
            part = model(model.see(*(x[:, begin:end].to(device) for x in (place, seen))), flip=True)
        inside = slice(first - begin, last - begin)
        parts.append(
            [part.lengths.cpu() * ((last - first) / frames)]
            + [x[:, inside].cpu() for x in (part.rotations, part.root, part.contacts, part.up)]
        )
        if part.spread is not None:
            spreads.append([x[:, inside].cpu() for x in part.spread])
    lengths, *others = zip(*parts, strict=True)
    rotations, root, contacts, up = (torch.cat(one, 1) for one in others)
    spread = Spread(*(torch.cat(one, 1) for one in zip(*spreads, strict=True))) if spreads else None
    return Lifted(torch.stack(lengths).sum(0), rotations, root, contacts, up, spread=spread)


#: of a limb that bends by this, half is a lifter's doubt, radians
_NEARLY_STRAIGHT = np.radians(16.0)
#: of a camera that seems to be rolled by this, half is a lifter's doubt, radians
_NEARLY_LEVEL = np.radians(8.0)
#: frames that are lifted at once
_STRETCH = 3000
#: frames before and after a stretch that the lifter sees as well: neither it nor the smoothing of its virtual
#: camera looks farther
_AROUND = 60


def levelled(up: Floats) -> Floats:
    """A lifter's direction against gravity (3,) for a camera that is rolled a little less about its axis.

    Cameras stand level, or are rolled on purpose and by a lot. A lifter takes a body that leans to one side
    for one that is more upright before a rolled camera: of made-up scenes with a level camera that are seen
    from the side, it says 4 to 8 degrees.
    """
    roll = np.arctan2(up[0], up[2])
    less = roll - _undoubted(roll, _NEARLY_LEVEL)
    return np.asarray(axis_angle(np.array([0.0, -1.0, 0.0]), less) @ up)


def _undoubted(angle: Floats, half: float) -> Floats:
    """Angles (...) without a lifter's doubt, which is half of one of this size and less of larger ones."""
    return angle**3 / (angle**2 + half**2)


def straightened(rotations: Floats) -> Floats:
    """World rotations (T, J, 3, 3) with knees and elbows that are a little bent made straighter.

    A limb that is straight can only be guessed too bent, so the mean of a lifter's guesses is bent: on filmed
    people by 6 to 18 degrees where the truth is below 20.
    """
    return bent(rotations, HINGES, lambda bend: _undoubted(bend, _NEARLY_STRAIGHT))


def bent(
    rotations: Floats, hinges: Sequence[tuple[int, int, Floats, Floats]], how: Callable[[Floats], Floats]
) -> Floats:
    """World rotations (T, J, 3, 3) with some of the `HINGES` bent otherwise.

    Both bones turn alike, so that the limb goes on pointing where it pointed. `how` makes new angles (T,) of
    the present ones, radians from straight.
    """
    out = rotations.copy()
    for joint, child, bone, _ in hinges:
        before, after = rotations[:, joint] @ bone, rotations[:, child] @ bone
        bend = np.arctan2(np.linalg.norm(np.cross(before, after), axis=-1), (before * after).sum(-1))
        axis = unit(np.cross(before, after))
        turn = axis_angle(axis, (bend - how(bend)) / 2)
        out[:, joint] = turn @ rotations[:, joint]
        out[:, child] = np.swapaxes(turn, -1, -2) @ rotations[:, child]
    return out


def _interpolate(x: Tensor, at: Tensor) -> Tensor:
    """Values of x (T, ...) at fractional frames `at` (N,), by Catmull-Rom splines: smooth in speed too."""
    last = len(x) - 1
    low = at.floor().long().clamp(0, max(last - 1, 0))
    t = (at - low).reshape(-1, *[1] * (x.ndim - 1)).to(x.dtype)
    p0, p1, p2, p3 = (x[(low + k).clamp(0, last)] for k in (-1, 0, 1, 2))
    return p1 + 0.5 * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)))


def _numpy(x: Tensor) -> Floats:
    return x.detach().cpu().numpy().astype(np.float64)
