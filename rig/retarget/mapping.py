"""The bone map that fits an armature: the one of its file, a preset, or a guess where none fits."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import bpy
import numpy as np

from ...core.errors import CaptureError
from .bone_map import MAIN, BoneMap
from .bones import Rig
from .humanoid import humanoid_of
from .names import guess_by_name
from .presets import Preset, fk_switches, shipped_presets
from .topology import guess_by_topology

#: a preset fits if it scores at least this share of the main joints
_FITS = 0.8
#: the joints before those that end limbs
_ENDS = {"hand": ("upper_arm", "forearm"), "foot": ("thigh", "shin")}
#: the segments of a limb at rest point in about the same direction (cosine) ...
_AHEAD = 0.5
#: ... and neither is longer than so many times the other
_UNLIKE = 3.0
#: how sure a bone is that only names suggest
_BY_NAME = 0.6
#: how sure a bone is that only the topology suggests
_BY_TOPOLOGY = 0.75
#: how sure a bone is that both suggest
_BY_BOTH = 0.95


def find_bone_map(rig: Rig, data: bpy.types.Armature, own: Iterable[Preset] = ()) -> BoneMap:
    """The bone map that fits an armature best: its file's own, a preset, or a guess.

    Parameters
    ----------
    rig : Rig
    data : bpy.types.Armature
        Of the armature; its custom properties may hold the humanoid of a VRM file.
    own : iterable of Preset
        The artist's own, preferred to shipped ones that fit as well.

    Raises
    ------
    CaptureError
        If no body can be found in the armature.
    """
    humanoid = {slot: bone for slot, bone in humanoid_of(data).items() if bone in rig.index}
    if sum(slot in humanoid for slot in MAIN) >= _FITS * len(MAIN):
        return _with_root(rig, BoneMap(humanoid, dict.fromkeys(humanoid, 1.0), "VRM humanoid"))
    presets = (*own, *shipped_presets())
    best = max(presets, key=lambda preset: preset.score(rig))  # of equal ones the first
    found = _by_preset(rig, best) if best.score(rig)[0] >= _FITS else _guess(rig)
    if "hips" not in found.bones:
        raise CaptureError(
            "No body is found in this armature: choose its hips and limbs in the bone map by hand."
        )
    return _with_root(rig, found)


def _by_preset(rig: Rig, preset: Preset) -> BoneMap:
    """The bones that a preset names, and guesses for main joints that it doesn't find."""
    bones = preset.bones_in(rig)
    sure = dict.fromkeys(bones, 1.0)
    if not set(MAIN) <= set(bones):
        guess = _guess(rig)
        for slot, bone in guess.bones.items():
            if slot not in bones and bone not in bones.values():
                bones[slot], sure[slot] = bone, guess.certainty[slot]
    return BoneMap(bones, sure, preset.name, preset.switches_in(rig))


def _with_root(rig: Rig, bone_map: BoneMap) -> BoneMap:
    """The same with the bone at the top of the hips' parents as the root, if it has none."""
    top = rig.ancestors(rig.index[bone_map.bones["hips"]])[-1] if "hips" in bone_map.bones else -1
    free = top >= 0 and not rig.held[top] and rig.names[top] not in bone_map.bones.values()
    if "root" not in bone_map.bones and free:
        bone_map.bones["root"] = rig.names[top]
        bone_map.certainty["root"] = _BY_TOPOLOGY
    return bone_map


def _guess(rig: Rig) -> BoneMap:
    """A bone map from names and topology; what both say is surest."""
    named = guess_by_name(rig)
    apart = _drop_unconnected(rig, named)
    guess = guess_by_topology(rig)
    built = {slot: rig.names[bone] for slot, bone in guess.bones.items()} if guess is not None else {}
    complete = sum(slot in named for slot in MAIN) >= _FITS * len(MAIN)
    first, second = (named, built) if complete or not built else (built, named)
    bones, sure = dict(first), {}
    for slot, bone in second.items():
        if slot not in bones and bone not in bones.values():
            bones[slot] = bone
    for slot, bone in apart.items():
        if slot not in bones and bone not in bones.values() and _ends_limb(rig, bones, slot, bone):
            bones[slot] = bone
    for slot in ("chest", "spine"):
        # what carries the hips and is called the trunk carries the whole body
        if slot in bones and "hips" in bones and rig.index[bones[slot]] in _above(rig, bones["hips"]):
            bones["hips"] = bones.pop(slot)
    for slot, bone in bones.items():
        name = named.get(slot, apart.get(slot))
        both = name == built.get(slot) == bone
        sure[slot] = _BY_BOTH if both else _BY_NAME if name == bone else _BY_TOPOLOGY
    return BoneMap(bones, sure, "Guessed", fk_switches(rig))


def _above(rig: Rig, bone: str) -> list[int]:
    """The bones that a bone hangs on."""
    return rig.ancestors(rig.index[bone])[1:]


def _drop_unconnected(rig: Rig, named: dict[str, str]) -> dict[str, str]:
    """Remove bones that don't hang on the bone of the joint before them: their names mean something else.

    Those of hands and feet are returned: games get rigs with inverse kinematics that have them elsewhere.
    """
    apart = {}
    for side in "LR":
        for chain in (("hips", "thigh", "shin", "foot"), ("upper_arm", "forearm", "hand")):
            for upper, lower in pairwise(n if n == "hips" else f"{n}.{side}" for n in chain):
                both = upper in named and lower in named
                if both and rig.index[named[upper]] not in _above(rig, named[lower]):
                    apart[lower] = named.pop(lower)
    return {slot: bone for slot, bone in apart.items() if slot.split(".")[0] in _ENDS}


def _ends_limb(rig: Rig, bones: dict[str, str], slot: str, bone: str) -> bool:
    """Whether a bone lies where a hand or foot does: the second segment goes on as long as the first."""
    name, _, side = slot.partition(".")
    above = [bones.get(f"{joint}.{side}") for joint in _ENDS[name]]
    if None in above:
        return False
    start, middle, end = (rig.heads[rig.index[b]] for b in (*above, bone) if b is not None)
    first, second = (float(np.linalg.norm(part)) for part in (middle - start, end - middle))
    ahead = (middle - start) @ (end - middle) > _AHEAD * first * second
    return bool(ahead and first < _UNLIKE * second and second < _UNLIKE * first)
