"""BVH files: Y up, facing +Z, metres; written from a `Motion`, read for training and tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .arrays import Array, Floats
from .files import replacing
from .motion import Motion
from .rotations import matrix_from_quaternion
from .skeleton import END_POINTS, JOINTS, PARENTS, STANDARD_HEIGHT

#: BVH axes (Y up, facing +Z) -> Blender's world (Z up, facing -Y)
WORLD_FROM_BVH: Floats = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
_ORDER = "ZXY"


@dataclass(frozen=True)
class Bvh:
    """The skeleton and motion of a BVH file, in Blender's world axes.

    Attributes
    ----------
    names : list of str
    parents : list of int
    offsets : (J, 3)
    rotations : (T, J, 3, 3)
        Local rotations.
    root : (T, 3)
    fps : float
    """

    names: list[str]
    parents: list[int]
    offsets: Floats
    rotations: Floats
    root: Floats
    fps: float


def _axis_rotation(axis: str, angle: Array) -> Floats:
    i = "XYZ".index(axis)
    j, k = (i + 1) % 3, (i + 2) % 3
    out = np.zeros((*angle.shape, 3, 3))
    out[..., i, i] = 1
    out[..., j, j] = out[..., k, k] = np.cos(angle)
    out[..., k, j] = np.sin(angle)
    out[..., j, k] = -np.sin(angle)
    return out


def _euler_zxy(m: Array) -> Floats:
    """Angles (T, ..., 3) about Z, X, Y of matrices (T, ..., 3, 3) = Rz Rx Ry, radians, without jumps.

    X and Y are read from the rotation that is left once Z is undone. Near a right angle about X, Y and Z turn
    about the same axis and Z is uncertain; Y then makes up for it.
    """
    z = np.arctan2(-m[..., 0, 1], m[..., 1, 1])
    cos, sin = np.cos(z), np.sin(z)
    x = np.arctan2(m[..., 2, 1], cos * m[..., 1, 1] - sin * m[..., 0, 1])
    y = np.arctan2(cos * m[..., 0, 2] + sin * m[..., 1, 2], cos * m[..., 0, 0] + sin * m[..., 1, 0])
    return np.unwrap(np.stack([z, x, y], axis=-1), axis=0)


def write_bvh(motion: Motion, path: Path) -> None:
    """Write `motion` as a BVH file with the clip's own frame time; it appears whole or not at all."""
    to_bvh = WORLD_FROM_BVH.T
    offsets = motion.offsets @ WORLD_FROM_BVH
    scale = motion.height / STANDARD_HEIGHT
    children = [[c for c, p in enumerate(PARENTS) if p == joint] for joint in range(len(JOINTS))]
    order: list[int] = []
    lines = ["HIERARCHY"]

    def numbers(values: Array) -> str:
        return " ".join(f"{v:.6f}" for v in values)

    def describe(joint: int, depth: int) -> None:
        tab = "\t" * depth
        order.append(joint)
        channels = "6 Xposition Yposition Zposition" if depth == 0 else "3"
        lines.extend([f"{tab}{'JOINT' if depth else 'ROOT'} {JOINTS[joint]}", tab + "{"])
        lines.append(f"{tab}\tOFFSET {numbers(offsets[joint])}")
        lines.append(f"{tab}\tCHANNELS {channels} " + " ".join(f"{axis}rotation" for axis in _ORDER))
        for child in children[joint]:
            describe(child, depth + 1)
        if not children[joint]:
            end = scale * np.array(END_POINTS[JOINTS[joint]]) @ WORLD_FROM_BVH
            lines.extend([f"{tab}\tEnd Site", f"{tab}\t{{", f"{tab}\t\tOFFSET {numbers(end)}", f"{tab}\t}}"])
        lines.append(tab + "}")

    describe(0, 0)
    rotations = to_bvh @ matrix_from_quaternion(motion.rotations.astype(np.float64)) @ WORLD_FROM_BVH
    angles = np.degrees(_euler_zxy(rotations))[:, order].reshape(len(motion), -1)
    frames = np.concatenate([motion.root @ WORLD_FROM_BVH, angles], axis=1)
    lines.extend(["MOTION", f"Frames: {len(motion)}", f"Frame Time: {1 / motion.fps:.9f}"])
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write("\n".join(lines) + "\n")
        np.savetxt(file, frames, fmt="%.6f")


def read_bvh(path: Path) -> Bvh:
    """Read a BVH file with any channel order, without its end sites."""
    words = path.read_text(encoding="utf-8").split()
    names: list[str] = []
    parents: list[int] = []
    offsets: list[list[float]] = []
    channels: list[list[str]] = []
    stack: list[int] = []
    at = words.index("HIERARCHY") + 1
    while words[at] != "MOTION":
        word = words[at]
        if word in ("ROOT", "JOINT"):
            names.append(words[at + 1])
            parents.append(stack[-1] if stack else -1)
            offsets.append([0.0, 0.0, 0.0])
            channels.append([])
            stack.append(len(names) - 1)
            at += 3
        elif word == "End":
            at = words.index("}", at) + 1
        elif word == "OFFSET":
            offsets[stack[-1]] = [float(v) for v in words[at + 1 : at + 4]]
            at += 4
        elif word == "CHANNELS":
            count = int(words[at + 1])
            channels[stack[-1]] = words[at + 2 : at + 2 + count]
            at += 2 + count
        elif word == "}":
            stack.pop()
            at += 1
        else:
            raise ValueError(f"{path}: unexpected '{word}' in the hierarchy")
    count = int(words[words.index("Frames:", at) + 1])
    at = words.index("Time:", at)
    data = np.array(words[at + 2 :], dtype=float).reshape(count, -1)
    root = np.tile(np.array(offsets[0]), (count, 1))
    rotations = np.tile(np.eye(3), (count, len(names), 1, 1))
    column = 0
    for joint, kinds in enumerate(channels):
        for kind in kinds:
            if kind.endswith("rotation"):
                rotations[:, joint] = rotations[:, joint] @ _axis_rotation(
                    kind[0], np.radians(data[:, column])
                )
            elif joint == 0:
                root[:, "XYZ".index(kind[0])] = data[:, column]
            column += 1
    up = WORLD_FROM_BVH
    return Bvh(
        names,
        parents,
        np.array(offsets) @ up.T,
        up @ rotations @ up.T,
        root @ up.T,
        1 / float(words[at + 1]),
    )
