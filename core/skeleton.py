"""The skeleton: joint names, hierarchy, rest pose and symmetric bone lengths.

World axes (Blender's): Z up, the rest pose faces -Y, the character's left is +X; metres. The rest pose is a
T-pose. A *length* is the distance of a joint from its parent; left and right share one length, so a skeleton
is described by ``len(LENGTHS)`` numbers and is symmetric by construction (MotioNet, section 3.2).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import Array, Floats, library

#: joint: (parent, offset from the parent in the T-pose). Proportions of a 1.71 m adult, averaged over bodies
#: of the CC0 MakeHuman mesh; ``hips`` lies midway between the two hip joints.
_LEFT = {
    "hips": ("", (0.0, 0.0, 0.0)),
    "spine": ("hips", (0.0, 0.010, 0.120)),
    "chest": ("spine", (0.0, 0.010, 0.200)),
    "neck": ("chest", (0.0, -0.025, 0.240)),
    "head": ("neck", (0.0, -0.035, 0.115)),
    "shoulder.L": ("chest", (0.024, -0.025, 0.175)),
    "upper_arm.L": ("shoulder.L", (0.150, 0.0, -0.018)),
    "forearm.L": ("upper_arm.L", (0.250, 0.0, 0.0)),
    "hand.L": ("forearm.L", (0.245, 0.0, 0.0)),
    "thigh.L": ("hips", (0.103, 0.0, 0.0)),
    "shin.L": ("thigh.L", (0.0, 0.0, -0.400)),
    "foot.L": ("shin.L", (0.0, 0.0, -0.405)),
    "toe.L": ("foot.L", (0.009, -0.124, -0.062)),
}


def _other_side(name: str) -> str:
    return name[:-2] + ".R" if name.endswith(".L") else name


JOINTS: tuple[str, ...] = tuple(
    side for name in _LEFT for side in ((name, _other_side(name)) if name.endswith(".L") else (name,))
)
# hips spine chest neck head, then each limb joint as a left, right pair: parents always come before children
INDEX: dict[str, int] = {name: i for i, name in enumerate(JOINTS)}


def _template() -> tuple[tuple[int, ...], Floats]:
    parents, offsets = [], []
    for name in JOINTS:
        left = name[:-2] + ".L" if name.endswith(".R") else name
        parent, offset = _LEFT[left]
        if name.endswith(".R"):
            parent, offset = _other_side(parent), (-offset[0], offset[1], offset[2])
        parents.append(INDEX[parent] if parent else -1)
        offsets.append(offset)
    return tuple(parents), np.array(offsets)


PARENTS, TEMPLATE_OFFSETS = _template()

#: the joint that each joint becomes in a mirror
MIRROR: tuple[int, ...] = tuple(
    INDEX[n[:-1] + {"L": "R", "R": "L"}[n[-1]]] if n[-2] == "." else INDEX[n] for n in JOINTS
)

#: names of the symmetric bone lengths: each is the joint at the far end, without its side
LENGTHS: tuple[str, ...] = tuple(n.removesuffix(".L") for n in _LEFT if n != "hips")
_LENGTH_OF_JOINT = np.array([LENGTHS.index(n.split(".")[0]) if n != "hips" else 0 for n in JOINTS])
TEMPLATE_LENGTHS: Floats = np.array(
    [np.linalg.norm(_LEFT[n if n in _LEFT else n + ".L"][1]) for n in LENGTHS]
)
_NORMS = np.linalg.norm(TEMPLATE_OFFSETS, axis=1, keepdims=True)
_DIRECTIONS = TEMPLATE_OFFSETS / np.where(_NORMS > 0, _NORMS, 1)

#: where the last bones end, from their joint, metres at template size (these points don't rotate)
END_POINTS: dict[str, tuple[float, float, float]] = {
    "head": (0.0, 0.005, 0.145),
    "hand.L": (0.170, 0.0, 0.0),
    "hand.R": (-0.170, 0.0, 0.0),
    "toe.L": (0.0, -0.067, 0.0),
    "toe.R": (0.0, -0.067, 0.0),
}
#: the heel on the floor, from the foot joint (ankle), metres at template size
HEEL_OFFSET: tuple[float, float, float] = (0.0, 0.045, -0.090)
#: height of the ball of the foot (the toe joint) above the floor, metres at template size
BALL_HEIGHT = 0.028
#: height of the ankle (the foot joint) above the floor, metres at template size
ANKLE_HEIGHT = 0.090


def rest_offsets(lengths: Any) -> Any:
    """Offsets of the joints from their parents in the T-pose.

    Parameters
    ----------
    lengths : array or tensor (..., len(LENGTHS)), metres
        Bone lengths in the order of `LENGTHS`.

    Returns
    -------
    array or tensor (..., J, 3), metres, world axes
    """
    xp = library(lengths)
    directions = (
        _DIRECTIONS if xp is np else xp.as_tensor(_DIRECTIONS, dtype=lengths.dtype, device=lengths.device)
    )
    return lengths[..., _LENGTH_OF_JOINT][..., None] * directions


def lengths_of(offsets: Array) -> Array:
    """Bone lengths in metres (..., len(LENGTHS)), left and right averaged, of rest offsets (..., J, 3)."""
    norm = np.linalg.norm(offsets, axis=-1)
    return np.stack(
        [norm[..., 1:][..., _LENGTH_OF_JOINT[1:] == i].mean(-1) for i in range(len(LENGTHS))], axis=-1
    )


def standing_height(lengths: Any) -> Any:
    """Height of the standing T-pose from the sole to the top of the head, metres (...).

    The parts without a joint (ankle height, top of the head) are in proportion to leg and trunk.
    """
    i = {name: LENGTHS.index(name) for name in LENGTHS}
    leg = lengths[..., i["shin"]] + lengths[..., i["foot"]]
    trunk = sum(lengths[..., i[n]] * _DIRECTIONS[INDEX[n], 2] for n in ("spine", "chest", "neck", "head"))
    template_leg, template_trunk = 0.805, 0.675
    return leg * (1 + ANKLE_HEIGHT / template_leg) + trunk * (1 + END_POINTS["head"][2] / template_trunk)


#: height of a captured person unless the artist gives another, metres: a single camera can't see scale
STANDARD_HEIGHT: float = float(standing_height(TEMPLATE_LENGTHS))
