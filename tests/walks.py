"""A walk whose every footfall is known, and the same as a poor capture shows it: sliding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kinelift.core.foot_ik import two_bone
from kinelift.core.kinematics import joint_positions, local_rotations
from kinelift.core.motion import Motion
from kinelift.core.rotations import quaternion_from_matrix
from kinelift.core.skeleton import ANKLE_HEIGHT, INDEX, JOINTS, TEMPLATE_LENGTHS, rest_offsets

#: how fast the person walks, metres per second
SPEED = 0.7
#: from one step of a foot to its next, seconds
PERIOD = 1.0
#: share of that for which a foot stands
STANCE = 0.6


def walk(frames: int = 120, fps: float = 30.0) -> Motion:
    """Somebody who walks to -Y at 0.7 m/s, each foot flat on the floor for 0.6 s of every second."""
    offsets = rest_offsets(TEMPLATE_LENGTHS)
    seconds = np.arange(frames) / fps
    root = np.stack([0 * seconds, -SPEED * seconds, 0.84 + 0.01 * np.cos(4 * np.pi * seconds / PERIOD)], 1)
    world = np.tile(np.eye(3), (frames, len(JOINTS), 1, 1))
    placed = joint_positions(world, root, offsets)
    contacts = np.zeros((frames, 4))
    for number, (side, x) in enumerate((("L", 0.1), ("R", -0.1))):
        cycle = seconds / PERIOD + 0.5 * number
        step = np.floor(cycle)
        share = np.clip((cycle - step - STANCE) / (1 - STANCE), 0, 1)  # of the swing
        ahead = step - 0.5 * number + STANCE / 2 + share * share * (3 - 2 * share)
        ankle = np.stack(
            [np.full(frames, x), -SPEED * PERIOD * ahead, ANKLE_HEIGHT + 0.08 * np.sin(np.pi * share) ** 2], 1
        )
        contacts[:, 2 * number : 2 * number + 2] = (share == 0)[:, None]
        thigh, shin, foot = (INDEX[f"{n}.{side}"] for n in ("thigh", "shin", "foot"))
        world[:, thigh], world[:, shin] = two_bone(
            world[:, thigh], world[:, shin], placed[:, thigh], ankle, offsets[shin], offsets[foot]
        )
    return Motion(
        fps=fps,
        start=0.0,
        offsets=offsets,
        rotations=quaternion_from_matrix(local_rotations(world)),
        root=root,
        contacts=contacts,
    )


def sliding(motion: Motion) -> Motion:
    """The same as a poor capture: the root runs ahead by a fifth, sways and sinks, the feet with it."""
    seconds = np.arange(len(motion)) / motion.fps
    wrong = np.stack(
        [
            0.04 * np.sin(2 * np.pi * 0.4 * seconds),
            -0.2 * SPEED * seconds,
            0.03 * np.sin(2 * np.pi * 0.3 * seconds),
        ],
        axis=1,
    )
    return replace(motion, root=motion.root + wrong)


def slide(motion: Motion, contacts: np.ndarray) -> np.ndarray:
    """Metres that each heel and toe moves from frame to frame while it stands."""
    moved = np.linalg.norm(np.diff(motion.sole_points(), axis=0), axis=-1)
    return moved[(contacts[1:] > 0.5) & (contacts[:-1] > 0.5)]
