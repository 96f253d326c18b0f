"""Whether a rig and its bone map are a body that stands on two legs, and whether all of it comes along."""

from __future__ import annotations

import re
from collections.abc import Mapping

import bpy
import numpy as np

from ...core.errors import CaptureError
from ...core.options import RetargetSettings
from .bones import Rig, body_frame
from .carriers import Carriers, constrained

#: legs and trunk of somebody who stands point in opposite directions; of an animal they don't, degrees
_UPRIGHT = 120.0
#: joints of a leg
_LEG = ("thigh", "shin", "foot", "toe")
#: what bones of legs are called, in small letters
_LEG_WORDS = r"leg|thigh|shin|calf|knee|femur|tibia|foot|ankle|paw|hoof"
# Shares of the height of the hips above the feet.
#: other feet are lower above the feet than this
_LOW = 0.25
#: other legs begin higher than this
_HIGH = 0.4
#: other feet are farther from the legs than this, seen from above: controls and twist bones are near them
_APART = 0.35
#: a bone holds a vertex by more than this weight
_HOLDS = 0.3


def check_body(rig: Rig, bones: Mapping[str, int], settings: RetargetSettings, name: str) -> None:
    """Check that a bone map is that of a body that stands on two legs.

    Parameters
    ----------
    rig : Rig
    bones : mapping of joint to bone
    settings : RetargetSettings
    name : str
        Of the armature.

    Raises
    ------
    CaptureError
        If it has no hips, no legs where they are to move, isn't upright, or has more legs.
    """
    if "hips" not in bones:
        raise CaptureError(
            f"The bone map of {name} names no hips: choose the bone that carries the whole body."
        )
    legs = [n for n in ("thigh", "shin") if all(f"{n}.{s}" in bones for s in "LR")]
    if "legs" in settings.parts and len(legs) < 2:
        raise CaptureError(
            f"{name} has no two legs in its bone map: choose thighs and shins there, or leave legs and feet "
            "out."
        )
    if len(legs) == 2 and ("head" in bones or "neck" in bones):
        top = rig.heads[bones.get("neck", bones.get("head", 0))]
        hip = (rig.heads[bones["thigh.L"]] + rig.heads[bones["thigh.R"]]) / 2
        ends = ("foot.L", "foot.R") if "foot.L" in bones and "foot.R" in bones else ("shin.L", "shin.R")
        down = (rig.heads[bones[ends[0]]] + rig.heads[bones[ends[1]]]) / 2 - hip
        up = top - hip
        size = np.linalg.norm(up) * np.linalg.norm(down)
        if size > 0 and up @ down > size * np.cos(np.radians(_UPRIGHT)):
            raise CaptureError(
                f"{name} does not stand upright on two legs (a four-legged animal?): Kinelift captures "
                "people."
            )
    if len(legs) == 2 and (others := _other_legs(rig, bones)):
        raise CaptureError(
            f"{name} stands on more than two legs ({', '.join(others[:4])}, ...): Kinelift captures people."
        )


def _other_legs(rig: Rig, bones: Mapping[str, int]) -> list[str]:
    """Feet of legs beside those of a person: called like bones of legs, and they stand elsewhere."""
    up = body_frame(rig, bones)[2]
    own = [bones[n] for n in (f"{joint}.{s}" for joint in _LEG for s in "LR") if n in bones]
    feet = [bones.get(f"foot.{s}", bones[f"shin.{s}"]) for s in "LR"]
    height = rig.heads @ up
    ground = float(np.mean(height[feet]))
    leg = float(np.mean(height[[bones["thigh.L"], bones["thigh.R"]]])) - ground
    called = np.array([re.search(_LEG_WORDS, name.lower()) is not None for name in rig.names])
    found = []
    for bone in np.flatnonzero(called & (height < ground + _LOW * leg)).tolist():
        line = rig.ancestors(bone)
        apart = rig.heads[bone] - rig.heads[own]
        apart -= (apart @ up)[:, None] * up
        near = np.linalg.norm(apart, axis=1).min() < _APART * leg
        starts_high = any(called[above] and height[above] > ground + _HIGH * leg for above in line[1:])
        if starts_high and not near and not set(own) & set(line):
            found.append(rig.names[bone])
    return found if len(found) > 1 else []


def left_behind(target: bpy.types.Object, rig: Rig, carriers: Carriers) -> list[str]:
    """A sentence about bones that deform the character but hang on nothing that moves, if there are some."""
    moving = set(carriers.of)
    above = {bone for moved in moving for bone in rig.ancestors(moved)}
    loose = {
        name
        for bone, name in enumerate(rig.names)
        if target.data.bones[name].use_deform
        and bone not in above
        and not moving & set(rig.ancestors(bone))
        and not any(constrained(target, rig.names[one]) for one in rig.ancestors(bone))
    }
    deforming = [name for name in rig.names if name in loose and _weighs(target, name)]
    if not deforming:
        return []
    some = ", ".join(deforming[:4]) + (f" and {len(deforming) - 4} more" if len(deforming) > 4 else "")
    return [
        f"{some}: hanging on no bone that moves, they stay behind with what they deform; choose them in the "
        "bone map if they are hands or feet, or give them a parent."
    ]


def _weighs(target: bpy.types.Object, bone: str) -> bool:
    """Whether a bone holds vertices of a mesh that the armature deforms."""
    for obj in bpy.data.objects:
        group = obj.vertex_groups.get(bone) if obj.type == "MESH" and obj.find_armature() == target else None
        if group is not None and any(
            one.group == group.index and one.weight > _HOLDS
            for vertex in obj.data.vertices
            for one in vertex.groups
        ):
            return True
    return False
