"""Retargeting: a new action on a target's own controls that does what a source does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, starmap
from typing import NamedTuple

import bpy
import numpy as np

from ...core.arrays import Bools, Floats
from ...core.contacts import keep_long
from ...core.errors import CaptureError
from ...core.options import CARRY, IN_PLACE, LAYER, PARTS, RAW, ROOT, RetargetSettings
from ...core.planting import floors_under
from ...core.rotations import geodesic_angle, rotation_between
from ...core.skeleton import INDEX, JOINTS, TEMPLATE_OFFSETS
from ..action import Curves, key_contacts
from ..edits import Edits, combined, edits_of, is_transform, own_channels, remember
from ..layer import lay_above
from ..takes import add_strip, check_replaceable, layer_of, motion_of, new_take, play, playing
from .bone_map import BoneMap
from .bones import Rig, nearest_rotation, read_rig
from .carriers import Carriers, constrained, find_carriers
from .channels import Channels, Keys, bone_path, quoted, rotations_of
from .checks import check_body, left_behind
from .feet import plant
from .ik import Limb, find_limbs, off_fk, switched
from .tpose import NEXT, leg_length, read_body
from .transfer import Performance, bone_deltas

#: contacts shorter than this are ignored, seconds
_SHORTEST = 0.08
#: a bone whose rotation is off its keys by more than this is held by something else, degrees
_OFF = 1.0
#: an object whose axes differ in scale by more than this share stretches its bones unevenly
_UNEVEN = 1e-4


@dataclass(frozen=True)
class Result:
    """The new action, and what the artist should know, a sentence each."""

    action: bpy.types.Action
    warnings: tuple[str, ...] = ()


def check_target(target: bpy.types.Object | None, source: bpy.types.Object | None = None) -> bpy.types.Object:
    """The target, if it is an armature that Blender lets be animated.

    Raises
    ------
    CaptureError
        Otherwise.
    """
    if target is None or target.type != "ARMATURE":
        raise CaptureError("Select the armature of your character: there is none in the selection.")
    if target == source:
        raise CaptureError(f"{target.name} is the source itself: select the armature of your character.")
    check_replaceable(target)
    return target


def retarget(
    performance: Performance,
    target: bpy.types.Object,
    bone_map: BoneMap,
    settings: RetargetSettings,
    name: str,
    clip: str = "",
    way: str | None = None,
    origin: Sequence[float] | None = None,
) -> Result:
    """Give `target` a new action that does what the source does.

    Parameters
    ----------
    performance : Performance
    target : bpy.types.Object
        An armature (`check_target`). Its switches to FK are set as `bone_map` says.
    bone_map : BoneMap
    settings : RetargetSettings
    name : str
        Of the action.
    clip : str
        What the motion is of (`takes.clip_of`).
    way : str, optional
        What becomes of the edits that an artist made in an earlier action of `retarget`: one of
        `options.EDITS`. By default they are carried over if that was of the same clip, else left out. A layer
        above a motion of the same clip stays.
    origin : (2,), optional
        Where on the world's floor the origin of `performance` is: the middle of the path is then where it is
        for the source, so that several stay where they were to each other, whatever their legs. By default
        the path begins from where `target` stands.

    Returns
    -------
    Result
        An earlier action of `target` is kept as it was, also in the file (`takes`). If only parts of the body
        move, the new action is a copy of it in which they are replaced.

    Raises
    ------
    CaptureError
        If the bone map does not fit, or the target isn't a body that stands on two legs.
    """
    retargeter = Retargeter(target, bone_map, settings, performance, origin)
    carriers = retargeter.take_over()
    keys = retargeter.keys(performance, carriers)
    frames, earlier = performance.frames, playing(target)
    before = _before(target, settings, clip, way, {key.path for key in keys})
    kept = before.kept
    keys = [
        replace(key, values=combined(key.path, key.values, kept.at(key.path, frames)))
        if key.path in kept.deltas
        else key
        for key in keys
    ]
    action = new_take(target, name, before.base)
    curves = Curves(action, target)
    curves.drop(before.replaced)
    for key in keys:
        for index in key.free:
            curves.add(key.path, index, key.bone, frames, key.values[:, index], "LINEAR")
    for bone, values in bone_map.properties.items():
        for prop, value in values.items():
            path = f"{bone_path(bone)}[{quoted(prop)}]"
            if path not in kept.deltas:
                curves.add(path, 0, bone, frames[:1], np.array([value]), "CONSTANT")
    for bone in (bone for limb in retargeter.limbs for bone in limb.stretching(target, retargeter.rig)):
        curves.add(f"{bone_path(bone)}.ik_stretch", 0, bone, frames[:1], np.array([0.0]), "CONSTANT")
    own = [*before.own, *curves.keyed]
    if performance.contacts.any() and target.override_library is None:
        key_contacts(curves, target, frames, performance.contacts)
    remember(action, target, own, frames, kept, clip)
    held = held_elsewhere(target, retargeter.rig, carriers, keys, frames)
    held += off_fk(target, retargeter.rig, retargeter.limbs, frames)
    if "hips" in retargeter.bones:
        held += left_behind(target, retargeter.rig, carriers)
    if before.above.deltas or before.layer is not None:
        lay_above(target, f"{name} edits", before.above, before.layer)
    if settings.strip:
        if earlier is not None:
            play(target, earlier)
        else:
            target.animation_data.action = None
        add_strip(target, action, name, int(frames[0]))
    return Result(action, (*carriers.warnings, *retargeter.channels.warnings, *held))


def edits_before(target: bpy.types.Object, settings: RetargetSettings) -> Edits | None:
    """What an artist has edited in the action that a new one is going to replace; None: nothing is known."""
    found = None if settings.strip else edits_of(target, motion_of(target))
    # who retargets only parts gets a copy with all else
    whole = set(settings.parts) == set(PARTS)
    return found if found is None or whole else replace(found, extras=())


class _Before(NamedTuple):
    """What a new action takes over from the one before.

    Attributes
    ----------
    base : bpy.types.Action or None
        The new one is a copy of it.
    replaced : set of str
        Channels of it that the new one hasn't.
    own : list of str
        Channels of it that were retargeted, and that stay.
    kept, above : Edits
        What goes into the new action, and onto a layer above it.
    layer : bpy.types.Action or None
        An earlier layer that stays.
    """

    base: bpy.types.Action | None
    replaced: set[str]
    own: list[str]
    kept: Edits
    above: Edits
    layer: bpy.types.Action | None


def _before(
    target: bpy.types.Object, settings: RetargetSettings, clip: str, way: str | None, moved: set[str]
) -> _Before:
    """What goes on from what a target plays; `moved` are the channels that get new keys."""
    action, partly = motion_of(target), set(settings.parts) != set(PARTS)
    found = None if settings.strip else edits_of(target, action)
    if action is None or found is None:
        none = Edits(np.zeros(1))
        return _Before(action if partly else None, set(), [], none, none, None)
    same = clip != "" and found.clip == clip
    chosen = way or (CARRY if same else RAW)
    own = own_channels(action)
    still = {path for path in own if partly and path not in moved}
    switches = {path for path in found.deltas if not is_transform(path)} if chosen != RAW else set()
    kept = found.deltas.keys() if chosen == CARRY else still | switches
    return _Before(
        base=action if partly or chosen != RAW else None,
        replaced=set(own) - moved - still - switches,
        own=[path for path in own if path in still | switches],
        kept=found.only(kept),
        above=found.only(found.deltas.keys() - kept if chosen == LAYER else ()),
        layer=layer_of(target) if partly or same else None,
    )


class Retargeter:
    """A target's body and bones: all that doesn't change from frame to frame.

    Building one leaves the target as it is.

    Parameters
    ----------
    target, bone_map, settings
        As of `retarget`.
    source : Performance
        For its proportions.

    Raises
    ------
    CaptureError
        As of `retarget`.
    """

    def __init__(
        self,
        target: bpy.types.Object,
        bone_map: BoneMap,
        settings: RetargetSettings,
        source: Performance,
        origin: Sequence[float] | None = None,
    ) -> None:
        self.target, self.bone_map, self.settings = target, bone_map, settings
        self.origin = origin
        self.rig = read_rig(target, posed=settings.posed)
        gone = [bone for bone in bone_map.bones.values() if bone not in self.rig.index]
        if gone:
            raise CaptureError(
                f"{target.name} has no bone {gone[0]}: the bone map is for another rig; press Detect or "
                "correct it."
            )
        #: all mapped joints and their bones; `bones` has those that move
        self.every = {joint: self.rig.index[bone] for joint, bone in bone_map.bones.items()}
        self.root = self.every.pop("root", None)
        check_body(self.rig, self.every, settings, target.name)
        self.body = read_body(self.rig, self.every, source.offsets)
        chosen = {joint for part in settings.parts for joint in PARTS[part]}
        self.bones = {joint: bone for joint, bone in self.every.items() if joint.split(".")[0] in chosen}
        if not self.bones:
            raise CaptureError("No part of the body is chosen that this armature has: choose some.")
        if settings.root_motion == ROOT and self.root is None:
            raise CaptureError(
                f"{target.name} has no root bone in its bone map: choose one there, or put the path onto the "
                "hips."
            )
        self.channels = Channels(target, self.rig)
        #: limbs whose controls of inverse kinematics get keys, too
        self.limbs: list[Limb] = []
        if settings.ik:
            self.limbs, unclear = find_limbs(target, self.rig, self.bones)
            self.channels.warnings += unclear
        #: bones of limbs by the controls that go along with them
        self.follow = {control: bone for limb in self.limbs for control, bone in limb.follow.items()}
        self.poles = {limb.pole: limb for limb in self.limbs if limb.pole is not None}
        #: lengths along the floor of the source in those of the target
        self.scale = leg_length(self.body.offsets) / leg_length(source.offsets)

    def take_over(self) -> Carriers:
        """Set the target's switches to FK, and find out what carries the bones that get keys.

        The switches stay set.
        """
        pose = self.target.pose.bones
        for bone, values in self.bone_map.properties.items():
            for prop, value in values.items():
                if bone in pose and prop in pose[bone]:
                    pose[bone][prop] = type(pose[bone][prop])(value)
        still = np.tile(np.eye(3), (1, len(JOINTS), 1, 1))
        keyed = list(bone_deltas(self.rig, self.bones, self.body, still))
        if self.settings.root_motion == ROOT and self.root is not None and "hips" in self.bones:
            keyed = list(dict.fromkeys([self.root, *keyed]))
        keyed += [control for control in (*self.follow, *self.poles) if control not in keyed]
        keyed.sort(key=lambda bone: len(self.rig.ancestors(bone)))
        limbs = [(f"{upper}.{side}", f"{lower}.{side}") for upper, lower in NEXT.items() for side in "LR"]
        pairs = [(self.bones[a], self.bones[b]) for a, b in limbs if a in self.bones and b in self.bones]
        pairs += [(bone, control) for control, bone in self.follow.items()]
        pairs += [(limb.bones[2], pole) for pole, limb in self.poles.items()]
        with switched(self.limbs, on=False):
            return find_carriers(self.target, self.rig, keyed, pairs)

    def keys(self, performance: Performance, carriers: Carriers) -> list[Keys]:
        """What to key in the frames of `performance` (same source as at the beginning)."""
        rig = self.rig
        world, root = self._posed(performance)
        deltas = bone_deltas(rig, self.bones, self.body, world)
        linear = rig.world[:3, :3]
        if np.ptp(np.linalg.svd(linear, compute_uv=False)) > _UNEVEN * np.abs(linear).max():
            deltas = self._unsheared(deltas, world)
        turned: dict[int, Floats] = {}
        placed: dict[int, Floats] = {}
        out: list[Keys] = []
        for bone in carriers.of:
            base_turn, base_place = carriers.frame(bone, turned, placed, len(performance.frames))
            name = rig.names[bone]
            if bone in self.follow:
                end = self.follow[bone]
                deltas[bone] = turned[end] @ rig.rest[end, :3, :3].T
            if bone in deltas:
                wanted = np.swapaxes(base_turn, -1, -2) @ deltas[bone] @ rig.rest[bone, :3, :3]
                rotation, basis = self.channels.rotation(name, wanted)
                out.append(rotation)
                turned[bone] = base_turn @ basis
            else:
                turned[bone] = base_turn @ self.channels.rotation_now(name)
            placed[bone] = base_place
            head = None
            if bone == self.bones.get("hips"):
                head = self._hips_head(bone, turned[bone], root)
            elif bone == self.root and bone not in deltas:
                head = self._root_head(bone, root)
            elif bone in self.poles:
                head = self.poles[bone].pole_head(rig, turned, placed)
            elif bone in carriers.joined:
                upper = carriers.joined[bone]
                way = rig.rest[bone, :3, 3] - rig.rest[upper, :3, 3]
                head = placed[upper] + turned[upper] @ (rig.rest[upper, :3, :3].T @ way)
            if head is not None:
                location, placed[bone] = self.channels.location(name, head, base_turn, base_place)
                out += [location] if location is not None else []
        return [keys for keys in out if keys.free]

    def _posed(self, performance: Performance) -> tuple[Floats, Floats]:
        """Rotations of the joints (N, J, 3, 3) and root (N, 3) of the target's body, in the world."""
        settings, body = self.settings, self.body
        world = performance.world
        # legs are scaled, what is under the ankles isn't: shoes have soles and heels of their own
        root = self.scale * (performance.root - [0, 0, performance.ankle]) + [0, 0, body.ankle + body.floor]
        if self.origin is None:
            root[:, :2] += body.centre[:2]
        else:
            root[:, :2] += (1 - self.scale) * performance.root[:, :2].mean(axis=0) + self.origin
        if settings.plant and {"hips", "legs"} <= set(settings.parts) and self._has_legs():
            ends = [0, *performance.cuts, len(root)]
            shots = [
                plant(world[shot], root[shot], body, *self._stances(performance, shot))
                for shot in starmap(slice, pairwise(ends))
            ]
            world, root = (np.concatenate(parts) for parts in zip(*shots, strict=True))
        if settings.root_motion == IN_PLACE:
            root[:, :2] = body.centre[:2]
        if "hips" not in settings.parts:  # the hips stay as they are: what is above turns with them
            world = body.frame.T @ np.swapaxes(world[:, :1], -1, -2) @ world
        return world, root

    def _stances(self, performance: Performance, shot: slice) -> tuple[Bools, float, Floats]:
        """Contacts, frames per second and floors of a shot, as `plant` gets them."""
        fps = performance.fps
        contacts = keep_long(performance.contacts[shot], _SHORTEST * fps)
        # levels are told apart in the size of people; the one that is stood on longest is the target's floor
        size = leg_length(performance.offsets) / leg_length(TEMPLATE_OFFSETS)
        levels = size * floors_under(performance.soles[shot] / size, contacts, 0.0)
        return contacts, fps, self.body.floor + self.scale * levels

    def _has_legs(self) -> bool:
        moved = all(f"{n}.{s}" in self.bones for n in ("thigh", "shin") for s in "LR")
        return moved and all(f"foot.{s}" in self.every for s in "LR")

    def _hips_head(self, bone: int, turned: Floats, root: Floats) -> Floats:
        """Where the head of the hips (N, 3) has to be, armature space.

        Parameters
        ----------
        bone : int
        turned : (N, 3, 3)
            Its rotation.
        root : (N, 3)
            Midway between the hip joints, in the world.
        """
        rest, inverse = self.rig.rest[bone], np.linalg.inv(self.rig.world)
        centre = root @ inverse[:3, :3].T + inverse[:3, 3]
        rest_centre = inverse[:3, :3] @ self.body.centre + inverse[:3, 3]
        arm = rest[:3, :3].T @ (rest_centre - rest[:3, 3])
        return np.asarray(centre - turned @ arm)

    def _root_head(self, bone: int, root: Floats) -> Floats:
        """Where the head of the root bone (N, 3) has to be, armature space: it follows along the floor."""
        step = np.concatenate([root[:, :2] - self.body.centre[:2], np.zeros((len(root), 1))], axis=1)
        inverse = np.linalg.inv(self.rig.world)
        return np.asarray(self.rig.rest[bone, :3, 3] + step @ inverse[:3, :3].T)

    def _unsheared(self, deltas: Mapping[int, Floats], world: Floats) -> dict[int, Floats]:
        """The same for an object that is stretched unevenly: its limbs still point where they should."""
        out = dict(deltas)
        inverse = np.linalg.inv(self.rig.world[:3, :3])
        for joint, bone in self.bones.items():
            name, _, side = joint.partition(".")
            end = self.every.get(f"{NEXT.get(name, '')}.{side}")
            if end is None or bone not in out:
                continue
            here = self.rig.rest[end, :3, 3] - self.rig.rest[bone, :3, 3]
            wanted = world[:, INDEX[joint]] @ self.body.offsets[INDEX[f"{NEXT[name]}.{side}"]] @ inverse.T
            out[bone] = rotation_between(out[bone] @ here, wanted) @ out[bone]
        return out


def held_elsewhere(
    target: bpy.types.Object, rig: Rig, carriers: Carriers, keys: Iterable[Keys], frames: Floats
) -> list[str]:
    """Sentences about bones that constraints keep from turning as they are keyed, by the middle frame."""
    scene = bpy.context.scene
    before, middle = scene.frame_current, len(frames) // 2
    scene.frame_set(int(frames[middle]))
    posed = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
    off = []
    for key in keys:
        if key.path.endswith("location") or not constrained(target, key.bone):
            continue
        carrier = carriers.of[rig.index[key.bone]]
        relation = carrier.relation
        if carrier.bone is not None:
            relation = np.array(posed[rig.names[carrier.bone]].matrix, dtype=float) @ relation
        mode = target.pose.bones[key.bone].rotation_mode
        keyed = nearest_rotation(relation) @ rotations_of(key.values[[middle]], mode)[0]
        shown = nearest_rotation(np.array(posed[key.bone].matrix, dtype=float))
        if np.degrees(geodesic_angle(shown, keyed)) > _OFF:
            off.append(key.bone)
    scene.frame_set(before)
    return [
        f"{bone} is held by {', '.join(c.name for c in target.pose.bones[bone].constraints if not c.mute)}: "
        "its keys are there, but mute that constraint to see them."
        for bone in off
    ]
