"""What a VRM file itself says about which bone carries which joint: its humanoid."""

from __future__ import annotations

import json
import re
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import bpy

from ...core.errors import NOT_AS_TOLD
from ...core.skeleton import JOINTS

#: custom property of the armature's data: the humanoid of its VRM file, as JSON
HUMANOID = "kinelift_humanoid"
#: how .glb and .vrm files begin
_GLB_MAGIC = b"glTF"
#: type of their chunk that holds JSON
_JSON_CHUNK = 0x4E4F534A
#: VRM's names of the joints
_VRM = {
    "hips": ("hips",), "spine": ("spine",), "chest": ("upperChest", "chest"), "neck": ("neck",),
    "head": ("head",), "shoulder": ("Shoulder",), "upper_arm": ("UpperArm",), "forearm": ("LowerArm",),
    "hand": ("Hand",), "thigh": ("UpperLeg",), "shin": ("LowerLeg",), "foot": ("Foot",), "toe": ("Toes",),
}  # fmt: skip


def read_humanoid(path: Path) -> dict[str, str]:
    """VRM's humanoid bones by VRM's name (0 and 1) in a .glb or .vrm; empty for a file without."""
    content = path.read_bytes()
    if len(content) < 20 or content[:4] != _GLB_MAGIC:
        return {}
    length, kind = struct.unpack_from("<II", content, 12)
    if kind != _JSON_CHUNK:
        return {}
    try:
        data: dict[str, Any] = json.loads(content[20 : 20 + length])
        nodes, extensions = data["nodes"], data.get("extensions", {})
        if "VRMC_vrm" in extensions:
            bones = extensions["VRMC_vrm"]["humanoid"]["humanBones"]
            return {name: str(nodes[bone["node"]]["name"]) for name, bone in bones.items()}
        bones = extensions.get("VRM", {}).get("humanoid", {}).get("humanBones", [])
        return {str(bone["bone"]): str(nodes[bone["node"]]["name"]) for bone in bones}
    except NOT_AS_TOLD:
        return {}  # names tell the bones then


def humanoid_of(data: bpy.types.Armature) -> dict[str, str]:
    """Bones by joint that a VRM file names: kept by the import, or in the properties of the VRM add-on."""
    named: dict[str, str] = {}
    if isinstance(stored := data.get(HUMANOID), str):
        with suppress(*NOT_AS_TOLD):
            named = {name: str(bone) for name, bone in json.loads(stored).items()}
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
