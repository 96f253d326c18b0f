"""What carries each bone of a target: the frame that its own channels move it in.

Where only parents lie between two bones, the rest pose tells. Where constraints do, Blender is asked: all
bones are posed at random, three times, and a bone hangs on that one in whose frame it keeps its place. A foot
that doesn't hang on its leg at all, as games get rigs with inverse kinematics, has to be moved to its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import bpy
import numpy as np
from mathutils import Matrix, Quaternion

from ...core.arrays import Floats
from .bones import Rig, nearest_rotation

#: matrices that differ by less than this in three poses are the same; places count in shares of the rig
_RIGID = 2e-3
#: random poses to compare
_POSES = 3
#: ways to inherit scale under which a bone turns as its parent does
_TURNS_WITH_PARENT = ("FULL", "ALIGNED", "AVERAGE", "FIX_SHEAR")
#: what a pose is made of
_POSE_CHANNELS = ("location", "rotation_quaternion", "rotation_axis_angle", "rotation_euler", "scale")


@dataclass(frozen=True)
class Carrier:
    """What carries a bone.

    Attributes
    ----------
    bone : int or None
        None: nothing that is keyed.
    relation : (4, 4)
        Where the bone is, before its own channels move it, in the space of that bone; of the armature for
        None.
    """

    bone: int | None
    relation: Floats


@dataclass(frozen=True)
class Carriers:
    """The carriers of all bones that get keys.

    Attributes
    ----------
    of : dict of int to Carrier
        Bones come after those that carry them, and after those that they are joined to.
    joined : dict of int to int
        Bones that nothing moves along with the bone before them in their limb, and that bone: their own keys
        have to keep them at its end.
    warnings : tuple of str
        Bones that may not follow their carriers, a sentence each.
    """

    of: dict[int, Carrier]
    joined: dict[int, int]
    warnings: tuple[str, ...]

    def line(self, bone: int) -> list[int]:
        """A bone, its carrier, and so on."""
        return _line(bone, self.of)

    def frame(
        self, bone: int, turned: Mapping[int, Floats], placed: Mapping[int, Floats], frames: int
    ) -> tuple[Floats, Floats]:
        """Rotation (N, 3, 3) and place (N, 3) of a bone before its own channels move it, armature space.

        Parameters
        ----------
        bone : int
        turned, placed : dict of int to (N, 3, 3) and (N, 3)
            Rotations and places of the bones before it.
        frames : int
        """
        carrier = self.of[bone]
        turn, place = nearest_rotation(carrier.relation), carrier.relation[:3, 3]
        if carrier.bone is None:
            return np.broadcast_to(turn, (frames, 3, 3)), np.broadcast_to(place, (frames, 3))
        return turned[carrier.bone] @ turn, placed[carrier.bone] + turned[carrier.bone] @ place


def find_carriers(
    target: bpy.types.Object, rig: Rig, bones: list[int], limbs: Iterable[tuple[int, int]] = ()
) -> Carriers:
    """Find out what carries each bone.

    Parameters
    ----------
    target : bpy.types.Object
        Its constraints and switches are as they will be when it plays. It may be posed meanwhile; its pose is
        given back exactly.
    rig : Rig
        Of `target`.
    bones : list of int
        Those that get keys; parents come before their children.
    limbs : iterable of (int, int)
        Pairs of them that follow on each other in a limb.
    """
    found: dict[int, Carrier] = {}
    unclear: list[int] = []
    for bone in bones:
        found[bone], plain = _by_parents(target, rig, bone, set(bones))
        if not plain:
            unclear.append(bone)
    warnings = []
    for bone, carrier in _by_posing(target, rig, bones, unclear).items() if unclear else ():
        if carrier is not None:
            found[bone] = carrier
        else:
            warnings.append(_also_constrained(target, rig, bone))
    joined = {
        lower: upper
        for upper, lower in limbs
        if upper not in _line(lower, found) and not constrained(target, rig.names[lower])
    }
    order = _carriers_first(bones, found, joined)
    return Carriers({bone: found[bone] for bone in order}, joined, tuple(warnings))


def _line(bone: int, found: Mapping[int, Carrier]) -> list[int]:
    """A bone, its carrier, and so on."""
    line = [bone]
    while (carrier := found[line[-1]].bone) is not None and carrier not in line:
        line.append(carrier)
    return line


def constrained(target: bpy.types.Object, bone: str) -> bool:
    """Whether a constraint that is not muted acts on a bone."""
    return any(not c.mute for c in target.pose.bones[bone].constraints)


def _also_constrained(target: bpy.types.Object, rig: Rig, bone: int) -> str:
    constraints = [
        f"{c.name} on {rig.names[ancestor]}"
        for ancestor in rig.ancestors(bone)
        for c in target.pose.bones[rig.names[ancestor]].constraints
        if not c.mute
    ]
    return (
        f"{rig.names[bone]} is also moved by constraints ({', '.join(constraints[:3])}): they are left "
        "alone, so it may not follow; switch its limb to FK or mute them."
    )


def _by_parents(target: bpy.types.Object, rig: Rig, bone: int, keyed: set[int]) -> tuple[Carrier, bool]:
    """The nearest ancestor that gets keys as carrier, and whether nothing but parents lies between."""
    line = rig.ancestors(bone)
    rest = np.array([target.data.bones[rig.names[b]].matrix_local for b in line], dtype=float)
    plain = not constrained(target, rig.names[bone])
    relation = rest[0]
    for place, (below, above) in enumerate(pairwise(line)):
        data = target.data.bones[rig.names[below]]
        plain &= data.use_inherit_rotation and data.inherit_scale in _TURNS_WITH_PARENT
        relation = np.linalg.inv(rest[place + 1]) @ relation
        if above in keyed:
            return Carrier(above, relation), plain
        plain &= not constrained(target, rig.names[above])
        basis = np.array(target.pose.bones[rig.names[above]].matrix_basis, dtype=float)
        relation = rest[place + 1] @ basis @ relation
    return Carrier(None, relation), plain


def _by_posing(
    target: bpy.types.Object, rig: Rig, bones: list[int], unclear: list[int]
) -> dict[int, Carrier | None]:
    """Carriers of bones that constraints may move; None where nothing carries one rigidly."""
    poses = _random_poses(target, rig, bones)
    found: dict[int, Carrier | None] = {}
    for bone in unclear:
        above = [b for b in rig.ancestors(bone)[1:] if b in bones]
        others = [b for b in bones if b != bone and b not in above]
        carried = [posed[bone] @ np.linalg.inv(basis[bone]) for posed, basis in poses]
        found[bone] = None
        for candidate in (None, *above, *others):
            relations = [
                frame if candidate is None else np.linalg.inv(posed[candidate]) @ frame
                for frame, (posed, _) in zip(carried, poses, strict=True)
            ]
            if all(_difference(r, relations[0], rig) < _RIGID for r in relations[1:]):
                found[bone] = Carrier(candidate, relations[0])
                break
    # two bones that are fixed to each other can't carry each other
    for bone in unclear:
        line, carrier = {bone}, found[bone]
        while carrier is not None and carrier.bone is not None:
            if carrier.bone in line:
                found[bone] = None
                break
            line.add(carrier.bone)
            carrier = found.get(carrier.bone)
    return found


def _random_poses(
    target: bpy.types.Object, rig: Rig, bones: list[int]
) -> list[tuple[dict[int, Floats], dict[int, Floats]]]:
    """In each of some random poses: the bones' matrices as Blender evaluates them, and their channels'."""
    pose = target.pose.bones
    rng = np.random.default_rng(0)
    out = []
    with _pose_kept(target, [rig.names[bone] for bone in bones]):
        for _ in range(_POSES):
            for bone in bones:
                q = Quaternion(rng.normal(size=3).tolist(), float(rng.uniform(0.2, 0.5)))
                pose[rig.names[bone]].matrix_basis = Matrix.LocRotScale(None, q, None)
            bpy.context.view_layer.update()
            posed = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
            # as Blender has it: rotation modes and locks may hold a bone to fewer axes
            basis = {b: np.array(pose[rig.names[b]].matrix_basis, dtype=float) for b in bones}
            out.append(({b: np.array(posed[rig.names[b]].matrix, dtype=float) for b in bones}, basis))
    return out


@contextmanager
def _pose_kept(target: bpy.types.Object, bones: list[str]) -> Iterator[None]:
    """Give the bones back the values of their channels at the end: matrices would lose whole turns."""
    pose = target.pose.bones
    before = {bone: {name: tuple(getattr(pose[bone], name)) for name in _POSE_CHANNELS} for bone in bones}
    try:
        yield
    finally:
        for bone, channels in before.items():
            for name, value in channels.items():
                setattr(pose[bone], name, value)
        bpy.context.view_layer.update()


def _difference(one: Floats, other: Floats, rig: Rig) -> float:
    """The largest difference between two matrices (4, 4), whose places count in shares of the rig's size."""
    size = float(np.ptp(rig.rest[:, :3, 3], axis=0).max()) or 1.0
    apart = one - other
    apart[:3, 3] /= size
    return float(np.abs(apart).max())


def _carriers_first(bones: list[int], found: Mapping[int, Carrier], joined: Mapping[int, int]) -> list[int]:
    """The bones in an order in which each comes after its carrier and after what it is joined to."""
    done: list[int] = []
    waiting = list(bones)
    while waiting:
        ready = [b for b in waiting if {found[b].bone, joined.get(b)} <= {None, *done}]
        ready = ready or waiting
        done += ready
        waiting = [b for b in waiting if b not in ready]
    return done
