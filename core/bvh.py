"""BVH files: Y up, facing +Z, metres; written from a `Motion`, read for training and tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .arrays import Array, Floats
from .errors import CaptureError, UnsoundError, brief
from .files import replacing
from .motion import Motion
from .rotations import matrix_from_quaternion
from .skeleton import END_POINTS, JOINTS, PARENTS, STANDARD_HEIGHT
from .sound import check_number

#: BVH axes (Y up, facing +Z) -> Blender's world (Z up, facing -Y)
WORLD_FROM_BVH: Floats = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
_ORDER = "ZXY"
#: what a channel may be
_CHANNELS = frozenset(f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation"))
#: bytes of a file that is read: an hour of 60 joints
_LARGEST = 1 << 28
#: frames times joints of a file that is read
_MOST_POSES = 15_000_000
#: limits of the time from one frame to the next, seconds
_FRAME_TIMES = (1e-5, 1000.0)
#: largest value that is read: degrees, or lengths in any unit
_FARTHEST = 1e7


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
    """Read a BVH file with any channel order, without its end sites.

    Raises
    ------
    CaptureError
        If it is missing, damaged or no such file.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise UnsoundError("it is too large")
        words = path.read_text(encoding="utf-8").split()
        at = words.index("MOTION")
        return _moving(_joints_of(iter(words[:at])), words[at + 1 :])
    except FileNotFoundError as error:
        raise CaptureError(f"There is no file {path}; check the spelling of its name and folder.") from error
    except UnsoundError as error:
        raise CaptureError(f"{path} can't be used: {error}; export it again.") from error
    except (OSError, ValueError, StopIteration) as error:
        raise CaptureError(f"{path} is no BVH file, or it is damaged; export it again.") from error


@dataclass
class _Joint:
    name: str
    parent: int
    offset: list[float]
    channels: list[str]


def _joints_of(words: Iterator[str]) -> list[_Joint]:
    """The joints of a hierarchy, parents before children."""
    joints: list[_Joint] = []
    is_open: list[int] = []
    if next(words) != "HIERARCHY":
        raise ValueError("no hierarchy")
    for word in words:
        if word in ("ROOT", "JOINT"):
            joints.append(_Joint(next(words), is_open[-1] if is_open else -1, [0.0] * 3, []))
            is_open.append(len(joints) - 1)
            _expect(words, "{")
        elif not is_open:
            raise ValueError(f"'{word}' outside of the joints")
        elif word == "End":
            next(words)
            _expect(words, "{")
            while next(words) != "}":
                pass
        elif word == "OFFSET":
            joints[is_open[-1]].offset = [float(next(words)) for _ in range(3)]
        elif word == "CHANNELS":
            joints[is_open[-1]].channels = [next(words) for _ in range(int(next(words)))]
        elif word == "}":
            is_open.pop()
        else:
            raise UnsoundError(f"'{brief(word)}' is no part of a joint")
    if is_open or not joints:
        raise ValueError("braces are open")
    if len({joint.name for joint in joints}) < len(joints):
        raise UnsoundError("two of its joints have one name")
    if sum(joint.parent < 0 for joint in joints) > 1:
        raise UnsoundError("it has several roots")
    for kind in (kind for joint in joints for kind in joint.channels):
        if kind not in _CHANNELS:
            raise UnsoundError(f"it has channels of the unknown kind '{brief(kind)}'")
    return joints


def _moving(joints: list[_Joint], words: list[str]) -> Bvh:
    """The skeleton with its motion: ``Frames: N Frame Time: S`` and the values of each frame."""
    given = iter(words)
    _expect(given, "Frames:")
    frames = int(next(given))
    _expect(given, "Frame", "Time:")
    seconds = float(next(given))
    check_number("frame time", seconds, _FRAME_TIMES)
    columns = sum(len(joint.channels) for joint in joints)
    if frames < 1 or frames * columns != len(words) - 5:
        raise UnsoundError(
            f"it has other values than those of {brief(frames)} frames with {columns} channels"
        )
    if frames * len(joints) > _MOST_POSES:
        raise UnsoundError("it has too many joints and frames")
    data, offsets = np.array(words[5:], dtype=float), np.array([joint.offset for joint in joints])
    if not all((np.abs(values) <= _FARTHEST).all() for values in (data, offsets)):  # NaN neither
        raise UnsoundError("not all of its values are sensible numbers")
    data = data.reshape(frames, columns)
    root = np.tile(offsets[0], (frames, 1))
    rotations = np.tile(np.eye(3), (frames, len(joints), 1, 1))
    kinds = [(joint, kind) for joint, one in enumerate(joints) for kind in one.channels]
    for column, (joint, kind) in enumerate(kinds):
        if kind.endswith("rotation"):
            turn = _axis_rotation(kind[0], np.radians(data[:, column]))
            rotations[:, joint] = rotations[:, joint] @ turn
        elif joint == 0:
            root[:, "XYZ".index(kind[0])] = data[:, column]
    up = WORLD_FROM_BVH
    return Bvh(
        [joint.name for joint in joints],
        [joint.parent for joint in joints],
        offsets @ up.T,
        up @ rotations @ up.T,
        root @ up.T,
        1 / seconds,
    )


def _expect(words: Iterator[str], *expected: str) -> None:
    for word in expected:
        if next(words) != word:
            raise ValueError(f"no '{word}'")
