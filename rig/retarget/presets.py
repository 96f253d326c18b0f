"""Bone maps for families of rigs, and the files that hold them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ...core.errors import NOT_AS_TOLD, CaptureError
from ...core.files import replacing
from ...core.sound import is_text
from .bone_map import MAIN, SLOTS, BoneMap
from .bones import Rig
from .names import plain_name

#: where the presets are that come with Kinelift
PRESETS = Path(__file__).resolve().parent.parent / "presets"
#: what marks a file as a bone map, with the version of its format
_FORMAT = "kinelift_bone_map"
#: version of the format that is read and written
_VERSION = 1
#: bytes of a preset's file
_LARGEST = 1 << 20
#: characters of a name in it
_LONGEST = 255
#: largest value of a switch
_FARTHEST = 1e6
#: how much a bone that can't be keyed counts in a score, beside 1
_HELD = 0.5
#: what a score loses for a bone that carries the one before it
_WRONG = 0.2


@dataclass(frozen=True)
class Preset:
    """A bone map for a family of rigs.

    Attributes
    ----------
    name : str
        For people.
    bones : dict
        For each slot the names that its bone may have, the preferred one first.
    prefixes : tuple of str
        What a rig's names may begin with, perhaps with a number after it (as `names.plain_name` spells them).
    properties : dict
        Bones with custom properties that have to have a certain value: switches to FK.
    """

    name: str
    bones: dict[str, tuple[str, ...]]
    prefixes: tuple[str, ...] = ()
    properties: dict[str, dict[str, float]] = field(default_factory=dict)

    def bones_in(self, rig: Rig) -> dict[str, str]:
        """The bones of a rig by slot, spelled exactly as here, or else nearly so."""
        by_name: dict[str, str] = {}
        for name in reversed(rig.names):  # the one nearest to the root counts
            by_name[self._without_prefix(plain_name(name))] = name
        bones: dict[str, str] = {}
        for slot, names in self.bones.items():
            exact = next((name for name in names if name in rig.index), None)
            near = next((by_name[plain_name(name)] for name in names if plain_name(name) in by_name), None)
            bone = exact if exact is not None and not self.prefixes else near
            if bone is not None and bone not in bones.values():
                bones[slot] = bone
        return bones

    def _without_prefix(self, plain: str) -> str:
        for prefix in self.prefixes:
            if plain.startswith(prefix):
                return plain.removeprefix(prefix).lstrip("0123456789")
        return plain

    def score(self, rig: Rig) -> tuple[float, float]:
        """Share of the main joints that it finds free to move, and share of all that it names."""
        bones = self.bones_in(rig)
        free = {slot: _HELD if rig.held[rig.index[bone]] else 1.0 for slot, bone in bones.items()}
        main = [slot for slot in MAIN if slot in self.bones]
        share = sum(free.get(slot, 0.0) for slot in main) / len(MAIN)
        # a joint's bone that carries the one before it has the wrong name
        wrong = sum(
            rig.index[bones[lower]] in rig.ancestors(rig.index[bones[upper]])
            for upper, lower in (("thigh.L", "shin.L"), ("upper_arm.L", "forearm.L"), ("hips", "thigh.L"))
            if upper in bones and lower in bones
        )
        return share - _WRONG * wrong, sum(free.values()) / len(self.bones)

    def switches_in(self, rig: Rig) -> dict[str, dict[str, float]]:
        """Values of its switches to FK, for the bones that a rig has."""
        return {bone: dict(values) for bone, values in self.properties.items() if bone in rig.index}


def load_preset(path: Path) -> Preset:
    """Read a preset's file.

    Raises
    ------
    CaptureError
        If it can't be read or isn't a preset.
    """
    try:
        if not path.is_file():
            raise CaptureError(f"There is no bone map {path}.")
        if path.stat().st_size > _LARGEST:
            raise ValueError("too large")
        data = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_unique)
        if data[_FORMAT] != _VERSION:
            raise CaptureError(f"{path.name} is a bone map of another version of Kinelift; save it again.")
        bones = {slot: _names(names) for slot, names in data["bones"].items()}
        if not bones or not bones.keys() <= set(SLOTS):
            raise ValueError("slots")
        properties = {
            bone: {name: _number(value) for name, value in values.items()}
            for bone, values in data.get("properties", {}).items()
        }
        prefixes = _names(data["prefix"]) if "prefix" in data else ()
        if not all(prefix.isalnum() and plain_name(prefix) == prefix for prefix in prefixes):
            raise ValueError("a prefix is no pattern")
        (name,) = _names(data["name"])
        return Preset(name, bones, prefixes, properties)
    except (OSError, *NOT_AS_TOLD) as error:
        raise CaptureError(
            f"{path.name} is not a bone map of Kinelift, or it is damaged; choose another, or save it again."
        ) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """What an object of JSON holds; JSON itself lets later values replace earlier ones of the same name."""
    found = dict(pairs)
    if len(found) < len(pairs) or not all(is_text(name, _LONGEST) and name for name in found):
        raise ValueError("names")
    return found


def _names(told: Any) -> tuple[str, ...]:
    """A name, or a list of names."""
    names = told if isinstance(told, list) else [told]
    if not names or not all(is_text(name, _LONGEST) and name for name in names):
        raise ValueError("names")
    return tuple(names)


def _number(told: Any) -> float:
    if not isinstance(told, int | float) or not abs(told) <= _FARTHEST:  # NaN neither
        raise ValueError("number")
    return float(told)


def save_preset(path: Path, name: str, bone_map: BoneMap) -> None:
    """Write a bone map as a preset; the file appears whole or not at all."""
    data: dict[str, Any] = {_FORMAT: _VERSION, "name": name, "bones": bone_map.bones}
    if bone_map.properties:
        data["properties"] = bone_map.properties
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@cache
def shipped_presets() -> tuple[Preset, ...]:
    """The presets that come with Kinelift."""
    return tuple(load_preset(path) for path in sorted(PRESETS.glob("*.json")))


def own_presets(folder: Path) -> tuple[tuple[Preset, ...], tuple[str, ...]]:
    """The presets in an artist's folder, and a sentence about each file that can't be read."""
    found, problems = [], []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(load_preset(path))
        except CaptureError as error:
            problems.append(str(error))
    return tuple(found), tuple(problems)


def apply_preset(rig: Rig, preset: Preset) -> BoneMap:
    """The bones of `rig` that a preset names.

    Raises
    ------
    CaptureError
        If less than half of the preset's bones are there: it is for another rig.
    """
    bones = preset.bones_in(rig)
    if "hips" not in bones or len(bones) < len(preset.bones) / 2:
        raise CaptureError(
            f"The bone map {preset.name} is for another rig: of its {len(preset.bones)} bones this armature "
            f"has {len(bones)}; choose another, or Detect."
        )
    return BoneMap(bones, dict.fromkeys(bones, 1.0), preset.name, preset.switches_in(rig))


def fk_switches(rig: Rig) -> dict[str, dict[str, float]]:
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
