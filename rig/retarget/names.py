"""Which bone is which, from what artists call them."""

from __future__ import annotations

import re

from .bones import Rig

#: a word for the left side
_LEFT = r"(?:left|lft|左)"
#: a word for the right side
_RIGHT = r"(?:right|rgt|右)"
#: what artists call the joints, without separators and side; earlier alternatives win
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
#: joints that have no side
_CENTRAL = ("root", "hips", "spine", "chest", "neck", "head")


def plain_name(name: str) -> str:
    """A bone's name without namespace, capitals and separators: `ns:Left_Arm` and `left.arm` are one."""
    return re.sub(r"[\s_.\-]", "", re.split(r"[:|]", name)[-1]).lower()


def _side(name: str) -> tuple[str, str]:
    """Side (L, R or nothing) and the rest of a bone's name, as `plain_name` spells it."""
    plain = re.split(r"[:|]", name)[-1]
    # at either end, or set off by separators or by capitals: l_arm, arm.L, lArm, ArmL, Arm_L_01
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\sA-Za-z\d_.\-]+", plain)
    for side, letters, word in (("L", "l", _LEFT), ("R", "r", _RIGHT)):
        for part in parts:
            if part.lower() == letters or re.fullmatch(word, part.lower()):
                rest = list(parts)
                rest.remove(part)
                return side, "".join(rest).lower()
        if match := re.match(word, key := plain_name(plain)):
            return side, key[match.end() :]
    return "", plain_name(plain)


def guess_by_name(rig: Rig) -> dict[str, str]:
    """Bones by joint, for the joints that names tell."""
    # prefixes that rigs put before every name say nothing
    read = {
        name: _side(re.sub(r"^(?:DEF|ORG|c|b|bn|bone|jnt|joint|def)[-_ ]", "", name)) for name in rig.names
    }
    free = [name for name in rig.names if not rig.held[rig.index[name]]]
    bones: dict[str, str] = {}
    for joint, pattern in _NAMES.items():
        for side in ("",) if joint in _CENTRAL else ("L", "R"):
            slot = f"{joint}.{side}" if side else joint
            for alternative in _alternatives(pattern):
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
