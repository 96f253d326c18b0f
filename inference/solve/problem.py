"""What the solver knows about a stretch of the motion, and its current state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...core.arrays import Array
from ...core.landmarks import LANDMARKS, PLACES
from ...core.skeleton import HEEL_OFFSET, JOINTS, STANDARD_HEIGHT, rest_offsets, standing_height
from ..lift import Estimate

JOINT_COUNT = len(JOINTS)
#: unknowns of a frame: a rotation vector for every joint, and the root
UNKNOWNS = 3 * JOINT_COUNT + 3
#: where the joints' rotation vectors are among the unknowns
TURNS = slice(0, 3 * JOINT_COUNT)
#: where the root is among the unknowns
ROOT = slice(3 * JOINT_COUNT, UNKNOWNS)
#: standard deviation of the detector's error for a fully visible landmark, as a share of the person's height:
#: medians over detections of rendered bodies
SPREAD = {
    "nose": 0.013, "eye_inner": 0.012, "eye": 0.012, "eye_outer": 0.012, "ear": 0.010, "mouth": 0.0125,
    "shoulder": 0.0125, "elbow": 0.016, "wrist": 0.0155, "pinky": 0.0165, "index": 0.017, "thumb": 0.017,
    "hip": 0.0155, "knee": 0.013, "ankle": 0.011, "heel": 0.0145, "foot_index": 0.016,
}  # fmt: skip
#: weight of landmarks whose errors are correlated, so that a group of them counts about as much as one
_GROUP_WEIGHT = {
    "nose": 0.3, "eye_inner": 0.1, "eye": 0.1, "eye_outer": 0.1, "ear": 0.4, "mouth": 0.1,
    "pinky": 0.33, "index": 0.33, "thumb": 0.33, "heel": 0.6, "foot_index": 0.6,
}  # fmt: skip


@dataclass
class State:
    """The current solution: world rotations (T, J, 3, 3), and the root (T, 3) as x / y, log y, z / y."""

    rotations: Tensor
    root: Tensor


@dataclass(frozen=True)
class Problem:
    """What is known about a stretch of the motion.

    Attributes
    ----------
    prior : State
        The lifter's answer.
    offsets : (J, 3)
        Rest offsets of the joints, metres.
    places, heel : (33, 3), (3,)
        Landmarks and heel from their joints in the rest pose, metres.
    rays, weight : (T, 33, 2), (T, 33)
        Landmarks as z / y and x / y in level axes, and their precision, per body height squared.
    height : float
        Standing height of the person, metres.
    standing : (T, 4)
        Probability that each sole point stands still from this frame to the next.
    fps, distance : float
        Frames per second; the root's mean distance, metres.
    """

    prior: State
    offsets: Tensor
    places: Tensor
    heel: Tensor
    rays: Tensor
    weight: Tensor
    height: float
    standing: Tensor
    fps: float
    distance: float


def problem_of(
    estimate: Estimate,
    rays: Array,
    confidence: Array,
    fps: float,
    device: torch.device,
    stretch: slice,
) -> Problem:
    """The problem of the frames `stretch`; the other parameters are those of `solver.solve`."""
    precise = torch.float32 if device.type == "mps" else torch.float64  # Metal has no double

    def tensor(x: Array) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(x), dtype=precise, device=device)

    height = float(standing_height(estimate.lengths))
    scale = height / STANDARD_HEIGHT
    spread = np.array([SPREAD[n.split(".")[0]] for n in LANDMARKS])
    group = np.array([_GROUP_WEIGHT.get(n.split(".")[0], 1.0) for n in LANDMARKS])
    contacts = np.concatenate([estimate.contacts, estimate.contacts[-1:]])
    forward = np.maximum(estimate.root[:, 1:2], 0.2)
    root = np.concatenate(
        [estimate.root[:, :1] / forward, np.log(forward), estimate.root[:, 2:] / forward], 1
    )
    return Problem(
        prior=State(tensor(estimate.rotations[stretch]), tensor(root[stretch])),
        offsets=tensor(rest_offsets(estimate.lengths)),
        places=tensor(np.array([place for _, _, place in PLACES]) * scale),
        heel=tensor(np.array(HEEL_OFFSET) * scale),
        rays=tensor(rays[stretch] * [1, -1]),
        weight=tensor(np.clip(confidence[stretch], 0, 1) * group / spread**2),
        height=height,
        standing=tensor((contacts[1:] * contacts[:-1])[stretch] ** 2),
        fps=fps,
        distance=float(forward.mean()),
    )


def root_position(root: Tensor) -> Tensor:
    """Position (T, 3) of the hips from x / y, log y, z / y."""
    forward = root[:, 1].exp()
    return torch.stack([root[:, 0] * forward, forward, root[:, 2] * forward], -1)
