"""Motion capture in anybody's skeleton (BVH) as motion of our 21 joints: `OUT/train`, `OUT/everyday`.

    python scripts/retarget_mocap.py shared/mocap/raw/cmu_08_14 OUT [--hold-out 6]

Each clip goes through the add-on's retargeting backwards: the bone map that fits it, the turns that bring its
rest pose into our T-pose, and our proportions at its size. Clips that lack a limb, hold no numbers or have no
frame rate are named and left out. Every sixth one is kept from training (`everyday`).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import kinelift  # noqa: F401  (makes the checkout importable by its name)
from kinelift.core.bvh import Bvh, read_bvh, write_bvh
from kinelift.core.errors import CaptureError
from kinelift.core.kinematics import local_rotations
from kinelift.core.motion import Motion
from kinelift.core.rotations import quaternion_from_matrix
from kinelift.core.skeleton import INDEX, JOINTS, PARENTS, TEMPLATE_OFFSETS, lengths_of, rest_offsets
from kinelift.rig.retarget.bone_map import BoneMap
from kinelift.rig.retarget.bones import Rig
from kinelift.rig.retarget.presets import apply_preset, shipped_presets
from kinelift.rig.retarget.tpose import read_body
from kinelift.training.mocap import check_bvh

Array = npt.NDArray[Any]

#: joints without which a clip is of no use
_NEEDED = [f"{n}.{s}" for n in ("upper_arm", "forearm", "hand", "thigh", "shin", "foot") for s in "LR"]


def retargeted(bvh: Bvh) -> Motion:
    """A clip as motion of our skeleton.

    Raises
    ------
    CaptureError
        If it lacks a limb, holds no numbers or has no frame rate.
    """
    check_bvh(bvh)
    rig = _rig(bvh)
    bones = {joint: rig.index[name] for joint, name in _bone_map(rig).bones.items() if joint in INDEX}
    lacking = [name for name in ("hips", *_NEEDED) if name not in bones]
    if lacking:
        raise CaptureError(f"it has no {', '.join(lacking)}")
    body = read_body(rig, bones, TEMPLATE_OFFSETS)
    world, heads = _posed(bvh)
    turned: list[Array] = []
    for joint, name in enumerate(JOINTS):
        here = bones.get(name)
        turned.append(
            turned[PARENTS[joint]] if here is None else world[:, here] @ (body.align[joint] @ body.frame).T
        )
    hips = bones["hips"]
    centre = body.centre - rig.heads[hips]
    offsets = rest_offsets(lengths_of(body.offsets))
    return Motion(
        fps=bvh.fps,
        start=0.0,
        offsets=offsets,
        rotations=quaternion_from_matrix(local_rotations(np.stack(turned, 1))),
        root=heads[:, hips] + world[:, hips] @ centre,
        contacts=np.zeros((len(world), 4)),
    )


def _rig(bvh: Bvh) -> Rig:
    """The rest pose of a BVH's skeleton; bones point at their first children."""
    heads = np.zeros((len(bvh.names), 3))
    for joint, parent in enumerate(bvh.parents):
        heads[joint] = bvh.offsets[joint] + (heads[parent] if parent >= 0 else 0)
    heads[:, 2] -= heads[:, 2].min()
    tails = heads.copy()
    for joint in reversed(range(len(bvh.names))):
        if bvh.parents[joint] >= 0:
            tails[bvh.parents[joint]] = heads[joint]
    rest = np.tile(np.eye(4), (len(heads), 1, 1))
    rest[:, :3, 3] = heads
    return Rig(
        tuple(bvh.names),
        np.array(bvh.parents, np.intp),
        rest,
        tails,
        np.eye(4),
        np.zeros(len(heads), bool),
        {},
    )


def _bone_map(rig: Rig) -> BoneMap:
    found = []
    for preset in shipped_presets():
        try:
            found.append(apply_preset(rig, preset))
        except CaptureError:
            continue
    if not found:
        raise CaptureError("its joints have names of no known skeleton")
    return max(found, key=lambda bone_map: len(bone_map.bones))


def _posed(bvh: Bvh) -> tuple[Array, Array]:
    """World rotations (T, N, 3, 3) and heads (T, N, 3) of a BVH's joints."""
    turns: list[Array] = []
    heads: list[Array] = []
    for joint, parent in enumerate(bvh.parents):
        if parent < 0:
            turns.append(bvh.rotations[:, joint])
            heads.append(bvh.root)
        else:
            turns.append(turns[parent] @ bvh.rotations[:, joint])
            heads.append(heads[parent] + turns[parent] @ bvh.offsets[joint])
    return np.stack(turns, 1), np.stack(heads, 1)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--hold-out", type=int, default=6, metavar="N", help="every n-th clip is kept")
    args = parser.parse_args()
    done = 0
    for path in sorted(args.folder.glob("*.bvh")):
        try:
            motion = retargeted(read_bvh(path))
        except (CaptureError, ValueError, IndexError) as error:
            print(f"{path.name} is left out: {str(error).rstrip('.')}.", file=sys.stderr)
            continue
        part = "everyday" if done % args.hold_out == args.hold_out - 1 else "train"
        write_bvh(motion, args.out / part / f"{path.parent.name}_{path.name}")
        done += 1
    print(f"{done} clips are in {args.out}")


if __name__ == "__main__":
    main()
