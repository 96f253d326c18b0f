"""Which bone of an armature carries which joint: presets, and guesses where no preset fits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import bpy

from ...core.errors import CaptureError
from ...core.files import replacing
from ...core.skeleton import JOINTS, MIRROR
from .bones import Rig
from .structure import guess_by_structure

#: what can be mapped: a bone that carries the path along the floor, and the joints
SLOTS: tuple[str, ...] = ("root", *JOINTS)
#: without which there is no body
MAIN: tuple[str, ...] = (
    "hips", "chest", "head",
    *(f"{n}.{s}" for n in ("upper_arm", "forearm", "hand", "thigh", "shin", "foot") for s in "LR"),
)  # fmt: skip
PRESETS = Path(__file__).resolve().parent.parent / "presets"
#: custom property of the armature's data: the file's own word on which bone is which (VRM), as JSON
HUMANOID = "kinelift_humanoid"
_FORMAT = "kinelift_bone_map"
_VERSION = 1
#: a preset fits from this share of the main joints on
_FITS = 0.8
#: how sure a bone is that one, another or both ways of guessing found
_BY_NAME, _BY_STRUCTURE, _BY_BOTH = 0.6, 0.75, 0.95
#: VRM's names of the joints
_VRM = {
    "hips": ("hips",), "spine": ("spine",), "chest": ("upperChest", "chest"), "neck": ("neck",),
    "head": ("head",), "shoulder": ("Shoulder",), "upper_arm": ("UpperArm",), "forearm": ("LowerArm",),
    "hand": ("Hand",), "thigh": ("UpperLeg",), "shin": ("LowerLeg",), "foot": ("Foot",), "toe": ("Toes",),
}  # fmt: skip


@dataclass(frozen=True)
class Preset:
    """A bone map for a family of rigs.

    Attributes
    ----------
    name : str
        For people.
    bones : dict
        For each slot the names that its bone may have, the preferred one first.
    prefix : str
        Pattern of what a rig's names may begin with (after `_key`).
    properties : dict
        Bones with custom properties that have to have a certain value: switches to FK.
    """

    name: str
    bones: dict[str, tuple[str, ...]]
    prefix: str = ""
    properties: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class BoneMap:
    """Which bone carries which joint, how sure that is (0 to 1), and where it is from."""

    bones: dict[str, str]
    certainty: dict[str, float]
    name: str
    properties: dict[str, dict[str, float]] = field(default_factory=dict)


def load_preset(path: Path) -> Preset:
    """Read a preset's file.

    Raises
    ------
    CaptureError
        If it can't be read or is no preset.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data[_FORMAT] != _VERSION:
            raise CaptureError(f"{path.name} is a bone map of another version of Kinelift; save it again.")
        bones = {
            slot: (names,) if isinstance(names, str) else tuple(names)
            for slot, names in data["bones"].items()
        }
        properties = {
            str(bone): {str(name): float(value) for name, value in values.items()}
            for bone, values in data.get("properties", {}).items()
        }
        prefix = str(data.get("prefix", ""))
        re.compile(prefix)
        sound = set(bones) <= set(SLOTS) and all(
            isinstance(n, str) for names in bones.values() for n in names
        )
        if not sound or not bones:
            raise ValueError("slots")
        return Preset(str(data["name"]), bones, prefix, properties)
    except FileNotFoundError as error:
        raise CaptureError(f"There is no bone map {path}.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, re.error) as error:
        raise CaptureError(
            f"{path.name} is no Kinelift bone map, or it is damaged; choose another."
        ) from error


def save_preset(path: Path, name: str, bone_map: BoneMap) -> None:
    """Write a bone map as a preset of one's own; the file appears whole or not at all."""
    data: dict[str, Any] = {_FORMAT: _VERSION, "name": name, "bones": bone_map.bones}
    if bone_map.properties:
        data["properties"] = bone_map.properties
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@cache
def shipped_presets() -> tuple[Preset, ...]:
    """The presets that come with Kinelift."""
    return tuple(load_preset(path) for path in sorted(PRESETS.glob("*.json")))


def own_presets(folder: Path) -> tuple[Preset, ...]:
    """The presets in an artist's folder; files there that are none are passed over."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(load_preset(path))
        except CaptureError:
            continue
    return tuple(found)


def apply_preset(rig: Rig, preset: Preset) -> BoneMap:
    """The bones of `rig` that a preset names.

    Raises
    ------
    CaptureError
        If less than half of the preset's bones are there: it is for another rig.
    """
    bones = _found(rig, preset)
    if "hips" not in bones or len(bones) < len(preset.bones) / 2:
        raise CaptureError(
            f"The bone map {preset.name} is for another rig: of its {len(preset.bones)} bones "
            "this armature has "
            f"{len(bones)}; choose another, or Detect."
        )
    return BoneMap(bones, dict.fromkeys(bones, 1.0), preset.name, _switches(rig, preset))


def detect(rig: Rig, data: bpy.types.Armature, own: Iterable[Preset] = ()) -> BoneMap:
    """The bone map that fits an armature best: its file's own, a preset, or a guess.

    Parameters
    ----------
    rig : Rig
    data : bpy.types.Armature
        Whose custom properties may hold the file's own word (VRM).
    own : iterable of Preset
        The artist's own, preferred where they fit as well as a shipped one.

    Raises
    ------
    CaptureError
        If no body can be found in the armature.
    """
    humanoid = {slot: bone for slot, bone in _humanoid(data).items() if bone in rig.index}
    if sum(slot in humanoid for slot in MAIN) >= _FITS * len(MAIN):
        return _with_root(rig, BoneMap(humanoid, dict.fromkeys(humanoid, 1.0), "VRM humanoid"))
    ranked = max(
        ((_score(rig, preset), -place, preset) for place, preset in enumerate((*own, *shipped_presets()))),
        key=lambda item: item[:2],
    )
    (share, _), _, preset = ranked
    if share >= _FITS:
        bones = _found(rig, preset)
        sure = dict.fromkeys(bones, 1.0)
        if not set(MAIN) <= set(bones):
            guess = _guess(rig)
            for slot, bone in guess.bones.items():
                if slot not in bones and bone not in bones.values():
                    bones[slot], sure[slot] = bone, guess.certainty[slot]
        found = BoneMap(bones, sure, preset.name, _switches(rig, preset))
    else:
        found = _guess(rig)
    if "hips" not in found.bones:
        raise CaptureError(
            "No body is found in this armature: choose its hips and limbs in the bone map by hand."
        )
    return _with_root(rig, found)


def _with_root(rig: Rig, bone_map: BoneMap) -> BoneMap:
    """The same with the bone at the top of the hips' parents as the root, if it has none."""
    top = rig.ancestors(rig.index[bone_map.bones["hips"]])[-1] if "hips" in bone_map.bones else -1
    free = top >= 0 and not rig.held[top] and rig.names[top] not in bone_map.bones.values()
    if "root" not in bone_map.bones and free:
        bone_map.bones["root"] = rig.names[top]
        bone_map.certainty["root"] = _BY_STRUCTURE
    return bone_map


def swapped(bone_map: BoneMap) -> BoneMap:
    """The same map with left and right exchanged."""
    other = {joint: JOINTS[MIRROR[i]] for i, joint in enumerate(JOINTS)} | {"root": "root"}
    return BoneMap(
        {other[slot]: bone for slot, bone in bone_map.bones.items()},
        {other[slot]: sure for slot, sure in bone_map.certainty.items()},
        bone_map.name,
        bone_map.properties,
    )


def _key(name: str) -> str:
    """A bone's name without namespace, capitals and separators: `ns:Left_Arm` and `left.arm` are one."""
    return re.sub(r"[\s_.\-]", "", re.split(r"[:|]", name)[-1]).lower()


def _found(rig: Rig, preset: Preset) -> dict[str, str]:
    """The bones of `rig` by slot; spelled exactly as in the preset where there are such, else nearly so."""
    by_key: dict[str, str] = {}
    for name in reversed(rig.names):  # the one nearest to the root counts
        by_key[re.sub(f"^(?:{preset.prefix})", "", _key(name))] = name
    bones: dict[str, str] = {}
    for slot, names in preset.bones.items():
        exact = next((name for name in names if name in rig.index), None)
        near = next((by_key[_key(name)] for name in names if _key(name) in by_key), None)
        bone = exact if exact is not None and not preset.prefix else near
        if bone is not None and bone not in bones.values():
            bones[slot] = bone
    return bones


def _score(rig: Rig, preset: Preset) -> tuple[float, float]:
    """Share of the main joints that a preset finds free to move, and share of all that it names."""
    bones = _found(rig, preset)
    free = {slot: 0.5 if rig.held[rig.index[bone]] else 1.0 for slot, bone in bones.items()}
    main = [slot for slot in MAIN if slot in preset.bones]
    share = sum(free.get(slot, 0.0) for slot in main) / len(MAIN)
    # parents of joints carry them: names alone can mislead
    wrong = sum(
        bones[a] in bones.values() and rig.index[bones[b]] in rig.ancestors(rig.index[bones[a]])
        for a, b in (("thigh.L", "shin.L"), ("upper_arm.L", "forearm.L"), ("hips", "thigh.L"))
        if a in bones and b in bones
    )
    return share - 0.2 * wrong, sum(free.values()) / len(preset.bones)


def _switches(rig: Rig, preset: Preset) -> dict[str, dict[str, float]]:
    return {bone: dict(values) for bone, values in preset.properties.items() if bone in rig.index}


def _humanoid(data: bpy.types.Armature) -> dict[str, str]:
    """VRM's humanoid bones: kept at the import, or in the properties of the VRM add-on."""
    named: dict[str, str] = {}
    if isinstance(stored := data.get(HUMANOID), str):
        named = json.loads(stored)
    extension = getattr(data, "vrm_addon_extension", None) or data.get("vrm_addon_extension")
    if not named and extension is not None:
        for entry in _member(_member(_member(extension, "vrm0"), "humanoid"), "human_bones") or ():
            named[str(_member(entry, "bone"))] = str(_member(_member(entry, "node"), "bone_name") or "")
        humans = _member(_member(_member(extension, "vrm1"), "humanoid"), "human_bones")
        for names in _VRM.values():
            for name in (n for base in names for n in _both(base)):
                node = _member(_member(humans, re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()), "node")
                if node is not None and not named.get(name):
                    named[name] = str(_member(node, "bone_name") or "")
    bones: dict[str, str] = {}
    for joint in JOINTS:
        base, _, side = joint.partition(".")
        for name in _VRM[base]:
            full = {"L": "left", "R": "right", "": ""}[side] + name
            if named.get(full):
                bones.setdefault(joint, named[full])
    return bones


def _both(base: str) -> tuple[str, ...]:
    return (f"left{base}", f"right{base}") if base[0].isupper() else (base,)


def _member(owner: Any, name: str) -> Any:
    """A property of an add-on: registered (an attribute) or not (a custom property)."""
    if owner is None:
        return None
    value = getattr(owner, name, None)
    get = getattr(owner, "get", None)
    return get(name) if value is None and get is not None else value


# --- guesses -------------------------------------------------------------------------------------------

_LEFT = r"(?:left|lft|左)"
_RIGHT = r"(?:right|rgt|右)"
#: what artists call the joints, without separators and side, in the order in which they are looked for
_NAMES: dict[str, str] = {
    "root": r"root|master|trajectory|traj|reference|全ての親",
    "hips": r"hips?|pelvis|cog|centerofmass|センター|下半身",
    "spine": r"spine0*1?|lowerback|abdomen(?:lower)?|waist|torso0*1?|belly|上半身",
    "chest": r"chest(?:upper)?|upperchest|thorax|ribcage|torso0*2|upperbody|spine0*[2-9]|上半身2",
    "neck": r"neck(?:lower)?0*1?|首",
    "head": r"head|skull|頭",
    "shoulder": r"clavicles?|clav|collar(?:bone)?|shoulder0*1?|scapula|肩",
    "upper_arm": r"upperarm0*1?|uparm|arm(?:upper|up)?0*1?|humerus|bicep|shldr(?:bend)?|shoulder(?:joint)?"
    r"|腕",
    "forearm": r"forearm(?:bend)?0*1?|lowerarm0*1?|lowarm|arm(?:lower|low)|elbow|ひじ|ulna|arm0*2",
    "hand": r"hand|wrist|palm|手首",
    "thigh": r"thigh(?:bend)?0*1?|upleg|upperleg0*1?|leg(?:upper|up)|femur|hip(?:joint)?|leg0*1?|足",
    "shin": r"shin|calf|shank|lowerleg0*1?|lowleg|leg(?:lower|low)?|knee|tibia|crus|ひざ|leg0*2",
    "foot": r"foot|ankle|足首",
    "toe": r"toe(?:base|s)?0*1?|ball|toebone|つま先",
}
_CENTRAL = ("root", "hips", "spine", "chest", "neck", "head")


def _side(name: str) -> tuple[str, str]:
    """Side (L, R or nothing) and the rest of a bone's name, as `_key` spells it."""
    plain = re.split(r"[:|]", name)[-1]
    # at either end, or set off by separators or by capitals: l_arm, arm.L, lArm, ArmL, Arm_L_01
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\sA-Za-z\d_.\-]+", plain)
    for side, letters, word in (("L", "l", _LEFT), ("R", "r", _RIGHT)):
        for part in parts:
            if part.lower() == letters or re.fullmatch(word, part.lower()):
                rest = list(parts)
                rest.remove(part)
                return side, "".join(rest).lower()
        if match := re.match(word, key := _key(plain)):
            return side, key[match.end() :]
    return "", _key(plain)


def _guess_by_name(rig: Rig) -> dict[str, str]:
    """Bones by joint, as far as their names tell."""
    # what all names begin with says nothing
    read = {
        name: _side(re.sub(r"^(?:DEF|ORG|c|b|bn|bone|jnt|joint|def)[-_ ]", "", name)) for name in rig.names
    }
    free = [name for name in rig.names if not rig.held[rig.index[name]]]
    bones: dict[str, str] = {}
    for joint, pattern in _NAMES.items():
        for side in ("",) if joint in _CENTRAL else ("L", "R"):
            slot = f"{joint}.{side}" if side else joint
            for alternative in pattern.split("|") if "(" not in pattern else _alternatives(pattern):
                matching = [
                    name for name in free
                    if name not in bones.values() and read[name][0] == side
                    and re.fullmatch(rf"(?:{alternative})(?:bone|jnt|joint|fk)?", read[name][1])
                ]  # fmt: skip
                if matching:
                    # the one that most of the armature hangs on; of a spine's bones the last is the chest
                    bones[slot] = matching[-1] if joint == "chest" else matching[0]
                    break
    return bones


def _alternatives(pattern: str) -> list[str]:
    """The top level of a pattern's alternatives."""
    out, depth = [""], 0
    for letter in pattern:
        depth += (letter == "(") - (letter == ")")
        if letter == "|" and depth == 0:
            out.append("")
        else:
            out[-1] += letter
    return out


def _fk_switches(rig: Rig) -> dict[str, dict[str, float]]:
    """The switches to FK that presets know by name, wherever a rig has them."""
    known = {
        name: value
        for preset in shipped_presets() for values in preset.properties.values()
        for name, value in values.items()
    }  # fmt: skip
    found = {
        bone: {n: known[n] for n in sorted(names) if n in known} for bone, names in rig.properties.items()
    }
    return {bone: values for bone, values in found.items() if values}


def _guess(rig: Rig) -> BoneMap:
    named = _guess_by_name(rig)
    order = ("hips", "thigh", "shin", "foot"), ("upper_arm", "forearm", "hand")
    for side in "LR":  # what does not hang on the bone before it is no such joint
        for chain in order:
            slots = [n if n == "hips" else f"{n}.{side}" for n in chain]
            for a, b in pairwise(slots):
                both = a in named and b in named
                if both and rig.index[named[a]] not in rig.ancestors(rig.index[named[b]])[1:]:
                    del named[b]
    guess = guess_by_structure(rig)
    built = {slot: rig.names[bone] for slot, bone in guess.bones.items()} if guess is not None else {}
    complete = sum(slot in named for slot in MAIN) >= _FITS * len(MAIN)
    first, second = (named, built) if complete or not built else (built, named)
    bones, sure = dict(first), {}
    for slot, bone in second.items():
        if slot not in bones and bone not in bones.values():
            bones[slot] = bone
    for slot, bone in bones.items():
        both = named.get(slot) == built.get(slot) == bone
        sure[slot] = _BY_BOTH if both else _BY_NAME if named.get(slot) == bone else _BY_STRUCTURE
    return BoneMap(bones, sure, "Guessed", _fk_switches(rig))
