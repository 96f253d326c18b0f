"""Retargeting in Blender: read what moves, write a new action on the target's own controls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt
from mathutils import Matrix, Quaternion

from ...core.errors import CaptureError
from ...core.kinematics import joint_positions, world_rotations
from ...core.motion import Motion
from ...core.options import IN_PLACE, PARTS, ROOT, RetargetSettings
from ...core.rotations import geodesic_angle, matrix_from_quaternion, rotation_between
from ...core.skeleton import BALL_HEIGHT, INDEX, JOINTS, PARENTS, STANDARD_HEIGHT, TEMPLATE_OFFSETS
from ..action import Curves, add_strip, at_rate, contact_points, curves_of
from ..contacts import CONTACT_CURVES, CONTACT_PROPERTIES, CONTACT_THRESHOLD, feet, read_contacts
from ..read import values as values_of
from .bones import Array, Rig, read_rig
from .feet import plant
from .mapping import BoneMap, detect
from .transfer import NEXT, Body, Performance, bone_deltas, channels, leg_length, read_body, rotations_of

_CHANNELS = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
#: how far (degrees, matrix entries) a bone may be from what it was told before it is named
_OFF, _RIGID = 1.0, 2e-3
#: legs and trunk of somebody who stands point in opposite directions; of an animal they don't (degrees)
_UPRIGHT = 120.0
_RAISED = 0.03


@dataclass(frozen=True)
class Result:
    """The new action, and what the artist should know, a sentence each."""

    action: bpy.types.Action
    warnings: tuple[str, ...] = ()


# --- sources -------------------------------------------------------------------------------------------


def perform_motion(motion: Motion, fps: float, first: int = 1) -> Performance:
    """A captured motion, at a scene's frames per second, from frame `first` on.

    Raises
    ------
    CaptureError
        If it has no frames or no frame rate.
    """
    if len(motion) == 0 or not np.isfinite(motion.fps) or motion.fps <= 0:
        raise CaptureError("The motion has no frames, or no frame rate: capture it again.")
    frames, rotations, root, contacts = at_rate(motion, fps)
    world = world_rotations(matrix_from_quaternion(rotations))
    # where planted balls put the ankles
    offsets = motion.offsets.astype(float)
    balls = offsets[[INDEX["toe.L"], INDEX["toe.R"]], 2]
    ankle = BALL_HEIGHT * motion.height / STANDARD_HEIGHT - float(balls.mean())
    # motion that was not captured may have its hips elsewhere than midway between the hip joints
    middle = (offsets[INDEX["thigh.L"]] + offsets[INDEX["thigh.R"]]) / 2
    offsets[[joint for joint, parent in enumerate(PARENTS) if parent == 0]] -= middle
    root = root + world[:, 0] @ middle
    return Performance(frames + first, fps, offsets, ankle, world, root, contacts >= CONTACT_THRESHOLD)


def frames_of(source: bpy.types.Object) -> Array:
    """The frames (N,) of the scene in which an armature is animated.

    Raises
    ------
    CaptureError
        If it is not animated.
    """
    animation = source.animation_data
    ranges = []
    if animation is not None:
        curves = curves_of(animation.action, source) if animation.action is not None else {}
        if any(not curve.mute and len(curve.keyframe_points) for curve in curves.values()):
            ranges.append(tuple(animation.action.frame_range))
        ranges += [(s.frame_start, s.frame_end) for t in animation.nla_tracks if not t.mute for s in t.strips]
    if not ranges:
        raise CaptureError(f"Nothing is keyed on {source.name}: choose a source that moves.")
    return np.arange(np.floor(min(r[0] for r in ranges)), np.ceil(max(r[1] for r in ranges)) + 1)


def perform_armature(
    source: bpy.types.Object, frames: Array, fps: float, bone_map: BoneMap | None = None
) -> Performance:
    """What an animated armature does, whoever made it.

    Parameters
    ----------
    source : bpy.types.Object
    frames : (N,)
    fps : float
        The scene's frames per second.
    bone_map : BoneMap, optional
        Of the source; found if not given.

    Raises
    ------
    CaptureError
        If no body is found in it.
    """
    rig = read_rig(source)
    found = bone_map or detect(rig, source.data)
    bones = {joint: rig.index[name] for joint, name in found.bones.items() if joint in INDEX}
    if "hips" not in bones:
        raise CaptureError(f"{source.name} has no hips that could be found: choose another source.")
    body = read_body(rig, bones, TEMPLATE_OFFSETS)
    used = sorted(set(bones.values()))
    poses = dict(zip(used, _poses(source, rig, used, frames), strict=True))
    rest = rig.world @ rig.rest
    turned: list[Array] = []
    for joint, name in enumerate(JOINTS):
        if name in bones:
            delta = _rotation(poses[bones[name]] @ np.linalg.inv(rest[bones[name]]))
            turned.append(delta @ (body.align[joint] @ body.frame).T)
        else:
            turned.append(turned[PARENTS[joint]])
    world = np.stack(turned, axis=1)
    delta = poses[bones["hips"]] @ np.linalg.inv(rest[bones["hips"]])
    root = delta[:, :3, :3] @ body.centre + delta[:, :3, 3]
    root = root - [*body.centre[:2], body.floor]
    return Performance(
        frames, fps, body.offsets, body.ankle, world, root, _contacts(source, frames, body, world, root)
    )


def _rotation(m: Array) -> Array:
    """The nearest rotations (..., 3, 3) to the linear parts of matrices (..., 4, 4)."""
    u, _, v = np.linalg.svd(m[..., :3, :3])
    return np.asarray(u @ v)


def _contacts(
    source: bpy.types.Object, frames: Array, body: Body, world: Array, root: Array
) -> npt.NDArray[np.bool_]:
    """Which heels and toes (N, 4) stand, by the contact curves of the source; none without such curves."""
    none = np.zeros((len(frames), 4), dtype=bool)
    animation = source.animation_data
    action = animation.action if animation is not None else None
    if action is None:
        return none
    curves = curves_of(action, source)
    if not all(key in curves for key in CONTACT_CURVES.values()):
        return none
    standing = np.repeat(read_contacts(curves, frames), 2, axis=1)
    points = contact_points(action)
    known = points & standing if len(points) == len(frames) else none
    joints = joint_positions(world, root, body.offsets)
    for side, letter in enumerate("LR"):
        foot, toe = INDEX[f"foot.{letter}"], INDEX[f"toe.{letter}"]
        heel = joints[:, foot, 2] + (world[:, foot] @ body.soles[side].heel)[:, 2]
        ball = joints[:, toe, 2] - body.soles[side].ball_height
        columns = slice(2 * side, 2 * side + 2)
        unknown = ~known[:, columns].any(axis=1, keepdims=True) & standing[:, columns]
        low = np.stack([heel, ball], axis=1)
        known[:, columns] |= unknown & (low <= low.min(axis=1, keepdims=True) + _RAISED)
    return np.asarray(known)


def _poses(source: bpy.types.Object, rig: Rig, bones: list[int], frames: Array) -> list[Array]:
    """World matrices (N, 4, 4) of bones in frames."""
    needed = sorted({a for bone in bones for a in rig.ancestors(bone)}, key=lambda b: len(rig.ancestors(b)))
    curves = _plain_curves(source, rig, needed)
    if curves is None:
        return _evaluated(source, [rig.names[bone] for bone in bones], frames)
    inverse = np.linalg.inv(rig.rest)
    poses: dict[int, Array] = {}
    for bone in needed:
        pose_bone = source.pose.bones[rig.names[bone]]
        basis = _basis(pose_bone, curves, frames)
        parent = int(rig.parents[bone])
        poses[bone] = (
            rig.rest[bone] @ basis
            if parent < 0
            else poses[parent] @ (inverse[parent] @ rig.rest[bone]) @ basis
        )
    return [rig.world @ poses[bone] for bone in bones]


def _plain_curves(
    source: bpy.types.Object, rig: Rig, bones: Iterable[int]
) -> dict[tuple[str, int], Any] | None:
    """The F-curves of a source whose pose they alone tell; None for others."""
    animation = source.animation_data
    if (
        animation is None
        or animation.action is None
        or animation.drivers
        or source.parent
        or source.constraints
    ):
        return None
    if any(not track.mute and track.strips for track in animation.nla_tracks):
        return None
    curves = {key: c for key, c in curves_of(animation.action, source).items() if not c.mute}
    if any(path in ("location", "scale") or path.startswith("rotation") for path, _ in curves):
        return None
    for bone in bones:
        data, pose = source.data.bones[rig.names[bone]], source.pose.bones[rig.names[bone]]
        if (
            any(not c.mute for c in pose.constraints)
            or not data.use_inherit_rotation
            or not data.use_local_location
        ):
            return None
        if data.inherit_scale != "FULL":
            return None
    return curves


def _basis(bone: Any, curves: Mapping[tuple[str, int], Any], frames: Array) -> Array:
    """What the channels of a pose bone make of it (N, 4, 4), relative to its rest pose."""
    start = f"pose.bones[{_quoted(bone.name)}]."

    def read(name: str, now: Iterable[float]) -> Array:
        columns = []
        for index, value in enumerate(now):
            curve = curves.get((start + name, index))
            keyed = curve is not None and len(curve.keyframe_points) > 0
            columns.append(values_of(curve, frames) if keyed else np.full(len(frames), value))
        return np.stack(columns, axis=1)

    channel = _CHANNELS.get(bone.rotation_mode, "rotation_euler")
    rotation = rotations_of(read(channel, getattr(bone, channel)), bone.rotation_mode)
    out = np.tile(np.eye(4), (len(frames), 1, 1))
    out[:, :3, :3] = rotation * read("scale", bone.scale)[:, None, :]
    out[:, :3, 3] = read("location", bone.location)
    return out


def _evaluated(source: bpy.types.Object, names: list[str], frames: Array) -> list[Array]:
    """The same as Blender works it out, a frame at a time: with constraints, drivers, NLA."""
    scene = bpy.context.scene
    before = scene.frame_current
    out = np.empty((len(names), len(frames), 4, 4))
    try:
        for place, frame in enumerate(frames):
            if len(frames) > 1 or int(frame) != before:
                scene.frame_set(int(frame))
            posed = source.evaluated_get(bpy.context.evaluated_depsgraph_get())
            for row, name in enumerate(names):
                out[row, place] = posed.matrix_world @ posed.pose.bones[name].matrix
    finally:
        if scene.frame_current != before:
            scene.frame_set(before)
    return list(out)


def _quoted(name: str) -> str:
    return f'"{bpy.utils.escape_identifier(name)}"'


# --- the target ----------------------------------------------------------------------------------------


@dataclass
class _Keys:
    """What is going to be keyed: values (N, C) of a bone's channels, and which of them may be touched."""

    path: str
    bone: str
    values: Array
    free: list[int] = field(default_factory=list)


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
    if target.library is not None:
        raise CaptureError(
            f"{target.name} is linked, and Blender does not let linked objects be animated: "
            "choose Object > Library "
            "Override > Make, and retarget onto the override."
        )
    if target.override_library is not None and target.override_library.is_system_override:
        raise CaptureError(
            f"{target.name} is a library override that is not editable: choose Object > Library "
            "Override > Make "
            "for it first."
        )
    return target


def retarget(
    performance: Performance,
    target: bpy.types.Object,
    bone_map: BoneMap,
    settings: RetargetSettings,
    name: str,
) -> Result:
    """Give `target` a new action that does what the source does.

    Parameters
    ----------
    performance : Performance
    target : bpy.types.Object
        An armature (`check_target`).
    bone_map : BoneMap
    settings : RetargetSettings
    name : str
        Of the action.

    Returns
    -------
    Result
        An earlier action of `target` is kept as it was. If only parts of the body move, the new action is a
        copy of it in which they are replaced.

    Raises
    ------
    CaptureError
        If the bone map does not fit, or the target is no body that stands on two legs.
    """
    retargeter = Retargeter(target, bone_map, settings, performance)
    keys = retargeter.keys(performance)
    animation = target.animation_data_create()
    earlier = animation.action
    if earlier is not None and set(settings.parts) != set(PARTS):
        action = earlier.copy()
        action.name = name
    else:
        action = bpy.data.actions.new(name)
    curves = Curves(action, target)
    frames = performance.frames
    for key in keys:
        for index in key.free:
            curves.add(key.path, index, key.bone, frames, key.values[:, index], "LINEAR")
    for bone, values in bone_map.properties.items():
        for prop, value in values.items():
            path = f"pose.bones[{_quoted(bone)}][{_quoted(prop)}]"
            curves.add(path, 0, bone, frames[:1], np.array([value]), "CONSTANT")
    if performance.contacts.any() and target.override_library is None:
        for (side, (path, index)), down in zip(
            CONTACT_CURVES.items(), feet(performance.contacts).T, strict=True
        ):
            change = np.flatnonzero(np.concatenate([[True], down[1:] != down[:-1]]))
            if CONTACT_PROPERTIES[side] not in target:
                target[CONTACT_PROPERTIES[side]] = bool(down[0])
            curves.add(path, index, "Contacts", frames[change], down[change], "CONSTANT")
    warnings = [*retargeter.warnings, *retargeter.held_elsewhere(keys, frames)]
    if settings.strip:
        animation.action = earlier
        add_strip(target, action, name, int(frames[0]))
    return Result(action, tuple(warnings))


class Retargeter:
    """A target with all that does not change from frame to frame.

    Parameters
    ----------
    target, bone_map, settings
        As of `retarget`.
    source : Performance
        For its proportions.
    """

    def __init__(
        self, target: bpy.types.Object, bone_map: BoneMap, settings: RetargetSettings, source: Performance
    ) -> None:
        self.target, self.settings = target, settings
        self.rig = read_rig(target, posed=settings.posed)
        self.warnings: list[str] = []
        gone = [bone for bone in bone_map.bones.values() if bone not in self.rig.index]
        if gone:
            raise CaptureError(
                f"{target.name} has no bone {gone[0]}: the bone map is for another rig; press "
                "Detect or correct it."
            )
        every = {joint: self.rig.index[bone] for joint, bone in bone_map.bones.items()}
        self.root = every.pop("root", None)
        _check_body(self.rig, every, settings, target.name)
        self.body = read_body(self.rig, every, source.offsets)
        chosen = {joint for part in settings.parts for joint in PARTS[part]}
        self.all = every
        self.bones = {joint: bone for joint, bone in every.items() if joint.split(".")[0] in chosen}
        if not self.bones:
            raise CaptureError("No part of the body is chosen that this armature has: choose some.")
        if settings.root_motion == ROOT and self.root is None:
            raise CaptureError(
                f"{target.name} has no root bone in its bone map: choose one there, or put the "
                "path onto the hips."
            )
        for bone, values in bone_map.properties.items():
            for prop, value in values.items():
                if bone in target.pose.bones and prop in target.pose.bones[bone]:
                    target.pose.bones[bone][prop] = value
        moved = dict.fromkeys(
            bone_deltas(self.rig, self.bones, self.body, np.tile(np.eye(3), (1, len(JOINTS), 1, 1)))
        )
        if settings.root_motion == ROOT and self.root is not None and "hips" in self.bones:
            moved = {self.root: None, **moved}
        order = sorted(moved, key=lambda bone: len(self.rig.ancestors(bone)))
        self.hangs = _hangs(target, self.rig, order, self.warnings)
        self.order = _parents_first(order, self.hangs)
        self.driven = _driven(target)
        self.scale = leg_length(self.body.offsets) / leg_length(source.offsets)

    def keys(self, performance: Performance) -> list[_Keys]:
        """What to key in the frames of `performance` (same source as at the beginning)."""
        settings, body, rig = self.settings, self.body, self.rig
        world, count = performance.world, len(performance.frames)
        # legs are scaled, what is under the ankles isn't: shoes have soles and heels of their own
        root = self.scale * (performance.root - [0, 0, performance.ankle]) + [0, 0, body.ankle + body.floor]
        root[:, :2] += body.centre[:2]
        if settings.plant and {"hips", "legs"} <= set(settings.parts) and self._has_legs():
            world, root = plant(world, root, body, performance.contacts, performance.fps, body.floor)
        if settings.root_motion == IN_PLACE:
            root[:, :2] = body.centre[:2]
        if "hips" not in settings.parts:  # the hips stay as they are: what is above turns with them
            world = body.frame.T @ np.swapaxes(world[:, :1], -1, -2) @ world
        deltas = bone_deltas(rig, self.bones, body, world)
        if (
            np.ptp(np.linalg.svd(rig.world[:3, :3], compute_uv=False))
            > 1e-4 * np.abs(rig.world[:3, :3]).max()
        ):
            deltas = self._unsheared(deltas, world)
        turned: dict[int, Array] = {}
        placed: dict[int, Array] = {}
        out: list[_Keys] = []
        inverse = np.linalg.inv(rig.world)
        for bone in self.order:
            parent, relation = self.hangs[bone]
            if parent is None:
                base_turn = np.broadcast_to(_rotation(relation), (count, 3, 3))
                base_at = np.broadcast_to(relation[:3, 3], (count, 3))
            else:
                base_turn = turned[parent] @ _rotation(relation)
                base_at = placed[parent] + (turned[parent] @ relation[:3, 3])
            pose_bone = self.target.pose.bones[rig.names[bone]]
            wanted = (
                base_turn @ rotations_of(*_now(pose_bone))
                if bone not in deltas
                else deltas[bone] @ rig.rest[bone, :3, :3]
            )
            keyed, basis = self._rotation_keys(pose_bone, np.swapaxes(base_turn, -1, -2) @ wanted)
            if bone in deltas:
                out.append(keyed)
                turned[bone] = base_turn @ basis
            else:
                turned[bone] = wanted
            placed[bone] = base_at
            position = None
            if bone == self.bones.get("hips"):
                centre = root @ inverse[:3, :3].T + inverse[:3, 3]
                rest_centre = inverse[:3, :3] @ body.centre + inverse[:3, 3]
                arm = rig.rest[bone, :3, :3].T @ (rest_centre - rig.rest[bone, :3, 3])
                position = centre - turned[bone] @ arm
            elif bone == self.root and bone not in deltas:
                step = np.concatenate([root[:, :2] - body.centre[:2], np.zeros((count, 1))], axis=1)
                position = rig.rest[bone, :3, 3] + step @ inverse[:3, :3].T
            if position is not None:
                placed[bone] = self._location_keys(pose_bone, bone, position, base_turn, base_at, out)
        return [key for key in out if key.free]

    def _has_legs(self) -> bool:
        return all(f"{n}.{s}" in self.bones for n in ("thigh", "shin") for s in "LR") and all(
            f"foot.{s}" in self.all for s in "LR"
        )

    def _unsheared(self, deltas: dict[int, Array], world: Array) -> dict[int, Array]:
        """The same for an object that its parents stretch unevenly: limbs still point where they should."""
        inverse = np.linalg.inv(self.rig.world[:3, :3])
        for joint, bone in self.bones.items():
            name, _, side = joint.partition(".")
            end = self.all.get(f"{NEXT.get(name, '')}.{side}")
            if end is None or bone not in deltas:
                continue
            here = self.rig.rest[end, :3, 3] - self.rig.rest[bone, :3, 3]
            wanted = world[:, INDEX[joint]] @ self.body.offsets[INDEX[f"{NEXT[name]}.{side}"]] @ inverse.T
            now = deltas[bone] @ here
            deltas[bone] = rotation_between(now, wanted) @ deltas[bone]
        return deltas

    def _rotation_keys(self, pose_bone: Any, basis: Array) -> tuple[_Keys, Array]:
        """Keys of a bone's rotation, and the rotation (N, 3, 3) that they make of it."""
        mode = pose_bone.rotation_mode
        channel = _CHANNELS.get(mode, "rotation_euler")
        path = f"pose.bones[{_quoted(pose_bone.name)}].{channel}"
        values = channels(basis, mode)
        locks = list(pose_bone.lock_rotation)
        locked = [pose_bone.lock_rotation_w, *locks] if channel != "rotation_euler" else locks
        driven = [(path, index) in self.driven for index in range(values.shape[1])]
        held = [a or b for a, b in zip(locked, driven, strict=True)]
        free = [index for index, stays in enumerate(held) if not stays]
        if any(locked):
            self._say(f"{pose_bone.name} has locked rotation channels: they are left as they are.")
        if any(driven):
            self._say(f"{pose_bone.name} has a rotation that a driver sets: it is left alone.")
        if any(held):
            now = np.array(getattr(pose_bone, channel), dtype=float)
            values[:, held] = now[held]
            if mode == "QUATERNION" and free:
                share = np.maximum(0.0, 1 - (now[held] ** 2).sum()) ** 0.5
                length = np.linalg.norm(values[:, free], axis=1, keepdims=True)
                values[:, free] *= share / np.maximum(length, 1e-9)
            basis = rotations_of(values, mode)
        return _Keys(path, pose_bone.name, values, free), basis

    def _location_keys(
        self, pose_bone: Any, bone: int, position: Array, turn: Array, at: Array, out: list[_Keys]
    ) -> Array:
        """Add the keys that bring a bone's head to a position (N, 3); returns where it gets to."""
        data = self.target.data.bones[pose_bone.name]
        axes = turn if data.use_local_location else turn @ self.rig_rest_turn(bone).T
        values = np.einsum("nba,nb->na", axes, position - at)
        path = f"pose.bones[{_quoted(pose_bone.name)}].location"
        held = [lock or (path, i) in self.driven for i, lock in enumerate(pose_bone.lock_location)]
        if any(held):
            self._say(
                f"{pose_bone.name} has locked location channels: the path through space is left out there."
            )
            values[:, held] = np.array(pose_bone.location, dtype=float)[held]
        if data.use_connect and data.parent is not None:
            self._say(f"{pose_bone.name} is connected to its parent: it can't carry the path through space.")
            return at
        out.append(_Keys(path, pose_bone.name, values, [i for i, stays in enumerate(held) if not stays]))
        return np.asarray(at + np.einsum("nab,nb->na", axes, values))

    def rig_rest_turn(self, bone: int) -> Array:
        """Rest rotation (3, 3) of a bone in the armature."""
        return np.array(self.target.data.bones[self.rig.names[bone]].matrix_local, dtype=float)[:3, :3]

    def _say(self, sentence: str) -> None:
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    def held_elsewhere(self, keys: list[_Keys], frames: Array) -> list[str]:
        """Sentences about bones that don't turn as they are keyed: looked at in the middle frame."""
        scene = bpy.context.scene
        before, middle = scene.frame_current, len(frames) // 2
        scene.frame_set(int(frames[middle]))
        posed = self.target.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        off = []
        for key in keys:
            if not key.path.endswith("location") and _constrained(self.target, key.bone):
                now = np.array(posed[key.bone].matrix, dtype=float)
                parent, relation = self.hangs[self.rig.index[key.bone]]
                if parent is not None:
                    relation = np.array(posed[self.rig.names[parent]].matrix, dtype=float) @ relation
                told = (
                    _rotation(relation)
                    @ rotations_of(key.values[[middle]], self.target.pose.bones[key.bone].rotation_mode)[0]
                )
                if np.degrees(geodesic_angle(_rotation(now), told)) > _OFF:
                    off.append(key.bone)
        scene.frame_set(before)
        return [
            f"{bone} is held by "
            f"{', '.join(c.name for c in self.target.pose.bones[bone].constraints if not c.mute)}: "
            "its keys are there, but mute that constraint to see them."
            for bone in off
        ]


def _now(pose_bone: Any) -> tuple[Array, str]:
    channel = _CHANNELS.get(pose_bone.rotation_mode, "rotation_euler")
    return np.array([getattr(pose_bone, channel)], dtype=float), pose_bone.rotation_mode


def _driven(target: bpy.types.Object) -> set[tuple[str, int]]:
    animation = target.animation_data
    return {(c.data_path, c.array_index) for c in animation.drivers} if animation is not None else set()


def _check_body(rig: Rig, bones: Mapping[str, int], settings: RetargetSettings, name: str) -> None:
    if "hips" not in bones:
        raise CaptureError(
            f"The bone map of {name} names no hips: choose the bone that carries the whole body."
        )
    legs = [n for n in ("thigh", "shin") if all(f"{n}.{s}" in bones for s in "LR")]
    if "legs" in settings.parts and len(legs) < 2:
        raise CaptureError(
            f"{name} has no two legs in its bone map: choose thighs and shins there, or leave "
            "legs and feet out."
        )
    if len(legs) == 2 and ("head" in bones or "neck" in bones):
        top = rig.heads[bones.get("neck", bones.get("head", 0))]
        hip = (rig.heads[bones["thigh.L"]] + rig.heads[bones["thigh.R"]]) / 2
        ends = ("foot.L", "foot.R") if "foot.L" in bones and "foot.R" in bones else ("shin.L", "shin.R")
        down = (rig.heads[bones[ends[0]]] + rig.heads[bones[ends[1]]]) / 2 - hip
        up = top - hip
        size = np.linalg.norm(up) * np.linalg.norm(down)
        if size > 0 and up @ down > size * np.cos(np.radians(_UPRIGHT)):
            raise CaptureError(
                f"{name} does not stand upright on two legs (a four-legged animal?): Kinelift "
                "captures people."
            )


def _hangs(
    target: bpy.types.Object, rig: Rig, order: list[int], warnings: list[str]
) -> dict[int, tuple[int | None, Array]]:
    """What carries each bone: another of them or nothing, and how it is fixed to that (4, 4).

    Where nothing but parents is between two bones it follows from the rest pose. Where constraints are,
    Blender is asked: all bones are posed at random, three times, and what keeps its place in another one's
    frame hangs on it.
    """
    out: dict[int, tuple[int | None, Array]] = {}
    asked: list[int] = []
    for bone in order:
        relation, parent, plain = _by_parents(target, rig, bone, set(order))
        out[bone] = (parent, relation)
        if not plain:
            asked.append(bone)
    if asked:
        for bone, found in _by_posing(target, rig, order, asked).items():
            if found is not None:
                out[bone] = found
            else:
                constraints = [
                    f"{c.name} on {rig.names[b]}"
                    for b in rig.ancestors(bone) for c in target.pose.bones[rig.names[b]].constraints if not
                    c.mute ]  # fmt: skip
                warnings.append(
                    f"{rig.names[bone]} is also moved by constraints "
                    f"({', '.join(constraints[:3])}): they are left "
                    "alone, so it may not follow; switch its limb to FK or mute them."
                )
    return out


def _by_parents(
    target: bpy.types.Object, rig: Rig, bone: int, moved: set[int]
) -> tuple[Array, int | None, bool]:
    """Matrix, carrying bone, and whether parents alone tell it."""
    rest = np.array([target.data.bones[rig.names[b]].matrix_local for b in rig.ancestors(bone)], dtype=float)
    line = rig.ancestors(bone)
    plain = not _constrained(target, rig.names[bone])
    relation = rest[0]
    for place, ancestor in enumerate(line[:-1]):
        data = target.data.bones[rig.names[ancestor]]
        plain &= data.use_inherit_rotation and data.inherit_scale in (
            "FULL",
            "ALIGNED",
            "AVERAGE",
            "FIX_SHEAR",
        )
        above = line[place + 1]
        relation = np.linalg.inv(rest[place + 1]) @ relation
        if above in moved:
            return relation, above, bool(plain)
        pose_bone = target.pose.bones[rig.names[above]]
        plain &= not _constrained(target, rig.names[above])
        relation = rest[place + 1] @ np.array(pose_bone.matrix_basis, dtype=float) @ relation
    return relation, None, bool(plain)


def _constrained(target: bpy.types.Object, name: str) -> bool:
    return any(not c.mute for c in target.pose.bones[name].constraints)


def _by_posing(
    target: bpy.types.Object, rig: Rig, order: list[int], asked: list[int]
) -> dict[int, tuple[int | None, Array] | None]:
    """What carries bones whose ancestors are constrained; None where nothing does so rigidly."""
    pose = target.pose.bones
    before = {bone: np.array(pose[rig.names[bone]].matrix_basis, dtype=float) for bone in order}
    rng = np.random.default_rng(0)
    seen: list[tuple[dict[int, Array], dict[int, Array]]] = []
    try:
        for _ in range(3):
            basis: dict[int, Array] = {}
            for bone in order:
                q = Quaternion(rng.normal(size=3).tolist(), float(rng.uniform(0.2, 0.5)))
                pose[rig.names[bone]].matrix_basis = Matrix.LocRotScale(None, q, None)
            bpy.context.view_layer.update()
            posed = target.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
            for bone in order:  # as Blender has it: channels may be locked to fewer axes by the mode
                basis[bone] = np.array(pose[rig.names[bone]].matrix_basis, dtype=float)
            seen.append(({b: np.array(posed[rig.names[b]].matrix, dtype=float) for b in order}, basis))
    finally:
        for bone, value in before.items():
            pose[rig.names[bone]].matrix_basis = Matrix(value.tolist())
        bpy.context.view_layer.update()
    out: dict[int, tuple[int | None, Array] | None] = {}
    for bone in asked:
        above = [b for b in rig.ancestors(bone)[1:] if b in before]
        others = [b for b in order if b != bone and b not in above]
        carried = [poses[bone] @ np.linalg.inv(basis[bone]) for poses, basis in seen]
        out[bone] = None
        for candidate in (None, *above, *others):
            relations = [
                c if candidate is None else np.linalg.inv(poses[candidate]) @ c
                for c, (poses, _) in zip(carried, seen, strict=True)
            ]
            if all(np.abs(_scaled(r - relations[0], rig)).max() < _RIGID for r in relations[1:]):
                out[bone] = candidate, relations[0]
                break
    # two bones that are fixed to each other can't carry each other
    for bone in asked:
        line, carrier = {bone}, out[bone]
        while carrier is not None and carrier[0] is not None:
            if carrier[0] in line:
                out[bone] = None
                break
            line.add(carrier[0])
            carrier = out.get(carrier[0])
    return out


def _scaled(difference: Array, rig: Rig) -> Array:
    """Differences of matrices with their places in shares of the rig's size."""
    size = float(np.ptp(rig.rest[:, :3, 3], axis=0).max()) or 1.0
    out = difference.copy()
    out[:3, 3] /= size
    return out


def _parents_first(order: list[int], hangs: Mapping[int, tuple[int | None, Array]]) -> list[int]:
    done: list[int] = []
    waiting = list(order)
    while waiting:
        ready = [bone for bone in waiting if hangs[bone][0] is None or hangs[bone][0] in done]
        ready = ready or waiting
        done += ready
        waiting = [bone for bone in waiting if bone not in ready]
    return done
