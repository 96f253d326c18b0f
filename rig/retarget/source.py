"""Where motion comes from: a captured motion, or any animated armature that has a body."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import bpy
import numpy as np

from ...core.arrays import Bools, Floats
from ...core.contacts import CONTACT_THRESHOLD
from ...core.errors import CaptureError
from ...core.kinematics import joint_positions, world_rotations
from ...core.motion import Motion
from ...core.rotations import matrix_from_quaternion
from ...core.skeleton import BALL_HEIGHT, INDEX, JOINTS, PARENTS, STANDARD_HEIGHT, TEMPLATE_OFFSETS
from ...core.stances import RAISED
from ..action import at_rate, contact_points, cut_frames, cuts_at_rate, slowness
from ..contacts import CONTACT_CURVES, read_contacts
from ..sampled import values as values_of
from ..takes import motion_of
from ..versions import curves_of
from .bone_map import BoneMap
from .bones import Rig, nearest_rotation, read_rig
from .channels import bone_path, rotation_channel, rotations_of
from .mapping import find_bone_map
from .tpose import Body, read_body
from .transfer import Performance


def perform_motion(motion: Motion, fps: float, first: int = 1) -> Performance:
    """A captured motion, at a scene's frames per second, from frame `first` on."""
    frames, rotations, root, contacts = at_rate(motion, fps)
    world = world_rotations(matrix_from_quaternion(rotations))
    soles = replace(motion, rotations=rotations, root=root, contacts=contacts, cuts=()).sole_heights()
    # where planted balls put the ankles
    offsets = motion.offsets.astype(float)
    balls = offsets[[INDEX["toe.L"], INDEX["toe.R"]], 2]
    ankle = BALL_HEIGHT * motion.height / STANDARD_HEIGHT - float(balls.mean())
    # motion that was not captured may have its hips elsewhere than midway between the hip joints
    middle = (offsets[INDEX["thigh.L"]] + offsets[INDEX["thigh.R"]]) / 2
    offsets[[joint for joint, parent in enumerate(PARENTS) if parent == 0]] -= middle
    root = root + world[:, 0] @ middle
    cuts = tuple(cuts_at_rate(motion, fps, frames))
    return Performance(
        frames + first, fps * motion.slow_motion, offsets, ankle, world, root, contacts >= CONTACT_THRESHOLD,
        soles, cuts,
    )  # fmt: skip


def frames_of(source: bpy.types.Object) -> Floats:
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
    source: bpy.types.Object, frames: Floats, fps: float, bone_map: BoneMap | None = None
) -> Performance:
    """The motion of an animated armature, captured or not.

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
    found = bone_map or find_bone_map(rig, source.data)
    bones = {joint: rig.index[name] for joint, name in found.bones.items() if joint in INDEX}
    if "hips" not in bones:
        raise CaptureError(f"{source.name} has no hips that could be found: choose another source.")
    body = read_body(rig, bones, TEMPLATE_OFFSETS)
    used = sorted(set(bones.values()))
    poses = dict(zip(used, _poses(source, rig, used, frames), strict=True))
    rest = rig.world @ rig.rest
    turned: list[Floats] = []
    for joint, name in enumerate(JOINTS):
        if name in bones:
            delta = nearest_rotation(poses[bones[name]] @ np.linalg.inv(rest[bones[name]]))
            turned.append(delta @ (body.align[joint] @ body.frame).T)
        else:
            turned.append(turned[PARENTS[joint]])
    world = np.stack(turned, axis=1)
    delta = poses[bones["hips"]] @ np.linalg.inv(rest[bones["hips"]])
    root = delta[:, :3, :3] @ body.centre + delta[:, :3, 3]
    root = root - [*body.centre[:2], body.floor]
    soles = _sole_heights(body, world, root)
    standing = _contacts(source, frames, soles)
    action = motion_of(source)
    # of a captured armature
    cuts = [int(at) for at in np.searchsorted(frames, cut_frames(action) if action is not None else [])]
    slow = slowness(action) if action is not None else 1.0
    return Performance(
        frames, fps * slow, body.offsets, body.ankle, world, root, standing, soles,
        tuple(cut for cut in cuts if 0 < cut < len(frames)),
    )  # fmt: skip


def _sole_heights(body: Body, world: Floats, root: Floats) -> Floats:
    """Heights (N, 4) of the soles under `motion.CONTACT_POINTS`."""
    joints = joint_positions(world, root, body.offsets)
    heights = []
    for side, sole in zip("LR", body.soles, strict=True):
        foot, toe = INDEX[f"foot.{side}"], INDEX[f"toe.{side}"]
        heights.append(joints[:, foot, 2] + (world[:, foot] @ sole.heel)[:, 2])
        heights.append(joints[:, toe, 2] - sole.ball_height)
    return np.stack(heights, axis=1)


def _contacts(source: bpy.types.Object, frames: Floats, soles: Floats) -> Bools:
    """Which heels and toes (N, 4) stand, by the contact curves of the source; none without such curves.

    `soles` (N, 4) are the heights of the soles.
    """
    none = np.zeros((len(frames), 4), dtype=bool)
    animation = source.animation_data
    action = animation.action if animation is not None else None
    if action is None:
        return none
    curves = curves_of(action, source)
    if not all(key in curves for key in CONTACT_CURVES.values()):
        return none
    standing = np.repeat(read_contacts(curves, frames), 2, axis=1)
    points = contact_points(motion_of(source) or action)
    known = points & standing if len(points) == len(frames) else none
    for side in range(2):
        columns = slice(2 * side, 2 * side + 2)
        unknown = ~known[:, columns].any(axis=1, keepdims=True) & standing[:, columns]
        low = soles[:, columns]
        known[:, columns] |= unknown & (low <= low.min(axis=1, keepdims=True) + RAISED)
    return np.asarray(known)


def _poses(source: bpy.types.Object, rig: Rig, bones: list[int], frames: Floats) -> list[Floats]:
    """World matrices (N, 4, 4) of bones in frames."""
    needed = sorted({a for bone in bones for a in rig.ancestors(bone)}, key=lambda b: len(rig.ancestors(b)))
    curves = _only_curves(source, rig, needed)
    if curves is None:
        return _evaluated(source, [rig.names[bone] for bone in bones], frames)
    inverse = np.linalg.inv(rig.rest)
    poses: dict[int, Floats] = {}
    for bone in needed:
        basis = _basis(source.pose.bones[rig.names[bone]], curves, frames)
        parent = int(rig.parents[bone])
        if parent < 0:
            poses[bone] = rig.rest[bone] @ basis
        else:
            poses[bone] = poses[parent] @ (inverse[parent] @ rig.rest[bone]) @ basis
    return [rig.world @ poses[bone] for bone in bones]


def _only_curves(
    source: bpy.types.Object, rig: Rig, bones: Iterable[int]
) -> dict[tuple[str, int], Any] | None:
    """The F-curves of a source, if nothing else moves these bones; otherwise None."""
    animation = source.animation_data
    if animation is None or animation.action is None or animation.drivers:
        return None
    if source.parent or source.constraints:
        return None
    if any(not track.mute and track.strips for track in animation.nla_tracks):
        return None
    curves = {key: c for key, c in curves_of(animation.action, source).items() if not c.mute}
    if any(path in ("location", "scale") or path.startswith("rotation") for path, _ in curves):
        return None
    for bone in bones:
        data, pose = source.data.bones[rig.names[bone]], source.pose.bones[rig.names[bone]]
        if any(not c.mute for c in pose.constraints):
            return None
        if not data.use_inherit_rotation or not data.use_local_location or data.inherit_scale != "FULL":
            return None
    return curves


def _basis(bone: Any, curves: Mapping[tuple[str, int], Any], frames: Floats) -> Floats:
    """Matrices (N, 4, 4) relative to the rest pose that the channels of a pose bone make."""
    path = bone_path(bone.name)

    def read(name: str) -> Floats:
        columns = []
        for index, value in enumerate(getattr(bone, name)):
            curve = curves.get((f"{path}.{name}", index))
            keyed = curve is not None and len(curve.keyframe_points) > 0
            columns.append(values_of(curve, frames) if keyed else np.full(len(frames), value))
        return np.stack(columns, axis=1)

    rotation = rotations_of(read(rotation_channel(bone.rotation_mode)), bone.rotation_mode)
    out = np.tile(np.eye(4), (len(frames), 1, 1))
    out[:, :3, :3] = rotation * read("scale")[:, None, :]
    out[:, :3, 3] = read("location")
    return out


def _evaluated(source: bpy.types.Object, names: list[str], frames: Floats) -> list[Floats]:
    """World matrices (N, 4, 4) of bones as Blender evaluates them, with constraints, drivers and the NLA."""
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
