"""Bone maps: which bone of an armature carries which joint."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...core.skeleton import JOINTS, MIRROR

#: what can be mapped: a bone that carries the path along the floor, and the joints
SLOTS: tuple[str, ...] = ("root", *JOINTS)
#: joints that every body has
MAIN: tuple[str, ...] = (
    "hips", "chest", "head",
    *(f"{n}.{s}" for n in ("upper_arm", "forearm", "hand", "thigh", "shin", "foot") for s in "LR"),
)  # fmt: skip


@dataclass(frozen=True)
class BoneMap:
    """Which bone carries which joint, how sure that is (0 to 1), and where it is from."""

    bones: dict[str, str]
    certainty: dict[str, float]
    name: str
    properties: dict[str, dict[str, float]] = field(default_factory=dict)


def swapped(bone_map: BoneMap) -> BoneMap:
    """The same map with left and right exchanged."""
    other = {joint: JOINTS[MIRROR[i]] for i, joint in enumerate(JOINTS)} | {"root": "root"}
    return BoneMap(
        {other[slot]: bone for slot, bone in bone_map.bones.items()},
        {other[slot]: sure for slot, sure in bone_map.certainty.items()},
        bone_map.name,
        bone_map.properties,
    )
