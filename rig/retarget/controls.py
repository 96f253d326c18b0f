"""Controls in place of the bones that follow them: on control rigs only controls can be keyed."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .bones import Rig

#: joints from the ends of the limbs and the head up to the hips
_CHAINS = (
    *((f"toe.{s}", f"foot.{s}", f"shin.{s}", f"thigh.{s}") for s in "LR"),
    *((*(f"{n}.{s}" for n in ("hand", "forearm", "upper_arm", "shoulder")), "chest", "spine") for s in "LR"),
    ("head", "neck", "chest"),
    ("hips",),
    ("root",),
)  # fmt: skip


def with_controls(rig: Rig, bones: dict[str, int], near: float) -> dict[str, int]:
    """The same joints, with controls in place of bones that constraints hold; none where there is no control.

    A control lies where the bone that follows it does. Of several the one is taken that carries the next
    joint of its limb: controls of inverse kinematics carry nothing.

    Parameters
    ----------
    rig : Rig
    bones : dict
        Bones by joint.
    near : float, metres
        Bones that begin this near to each other are at one place.
    """
    held = {joint: bone for joint, bone in bones.items() if rig.held[bone]}
    free = np.flatnonzero(~rig.held)
    candidates = {
        joint: free[np.linalg.norm(rig.heads[free] - rig.heads[bone], axis=1) < near].tolist()
        for joint, bone in held.items()
    }
    out = {joint: bone for joint, bone in bones.items() if joint not in held}
    for chain in _CHAINS:
        below: int | None = None
        for joint in chain:  # from the end of a limb up to the trunk
            if joint not in bones:
                continue
            if joint in out:
                below = out[joint]
                continue
            fits = [bone for bone in candidates[joint] if bone not in out.values()]
            if below is not None:
                line = rig.ancestors(below)[1:]
                fits = sorted((b for b in fits if b in line), key=lambda b: len(rig.ancestors(b)))
            else:  # the end: what has most of its limb above it
                upper = [candidates[other] for other in chain if other in held and other != joint]
                fits.sort(key=lambda bone: -_carriers(rig, bone, upper))
            if fits:
                out[joint] = below = fits[0]
    return out


def _carriers(rig: Rig, bone: int, joints: Iterable[list[int]]) -> int:
    """How many of some joints have a candidate that carries a bone."""
    line = set(rig.ancestors(bone)[1:])
    return sum(bool(line.intersection(candidates)) for candidates in joints)
