"""An action's keys as a `Motion` again: what the artist has now, whatever file it came from."""

from __future__ import annotations

import bpy
import numpy as np

from ..core.arrays import Floats
from ..core.errors import CaptureError
from ..core.motion import Motion
from ..core.skeleton import JOINTS, PARENTS
from .action import contact_points, cut_frames, slowness
from .sampled import values
from .takes import motion_of
from .versions import curves_of


def _path(bone: str, channel: str) -> str:
    return f'pose.bones["{bone}"].{channel}'


def keyed_frames(armature: bpy.types.Object, action: bpy.types.Action) -> Floats:
    """The frames (T,) from the first to the last key that an action has on the captured bones.

    Raises
    ------
    CaptureError
        If it has none.
    """
    paths = {_path(bone, "rotation_quaternion") for bone in JOINTS} | {_path(JOINTS[0], "location")}
    ranges = [
        curve.range()
        for (path, _), curve in curves_of(action, armature).items()
        if path in paths and len(curve.keyframe_points)
    ]
    if not ranges:
        raise CaptureError(
            f"The action {action.name} of {armature.name} has no rotations (quaternions) of the captured "
            "bones: choose the action that Capture from Video made."
        )
    return np.arange(round(min(a for a, _ in ranges)), round(max(b for _, b in ranges)) + 1, dtype=float)


def check_captured(armature: bpy.types.Object) -> None:
    """Refuse what is not an armature with a captured motion's bones.

    Raises
    ------
    CaptureError
        If it isn't; what is missing is named.
    """
    if armature is None or armature.type != "ARMATURE":
        raise CaptureError("Select an armature that Capture from Video made; the active object is none.")
    missing = [bone for bone in JOINTS if bone not in armature.data.bones]
    if missing:
        named = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise CaptureError(
            f"{armature.name} was not captured by Kinelift: it lacks the bones {named}; select an armature "
            "that Capture from Video made."
        )


def current_motion(armature: bpy.types.Object) -> bpy.types.Action:
    """The action of the motion that an armature plays.

    Raises
    ------
    CaptureError
        If it has none.
    """
    action = motion_of(armature)
    if action is None:
        raise CaptureError(f"{armature.name} has no action: choose the one that was captured.")
    return action


def read_motion(armature: bpy.types.Object, action: bpy.types.Action, fps: float) -> Motion:
    """What an action makes of a captured armature, frame by frame.

    Parameters
    ----------
    armature : bpy.types.Object
        Its own transform is left out: the floor is at the height of its origin.
    action : bpy.types.Action
    fps : float
        The scene's frames per second.

    Returns
    -------
    Motion
        At `fps`, a frame for each of `keyed_frames`, with the contacts that the action was made with.

    Raises
    ------
    CaptureError
        If the armature lacks bones or the action keys.
    """
    check_captured(armature)
    frames = keyed_frames(armature, action)
    curves = curves_of(action, armature)

    def channel(bone: str, name: str, parts: int) -> Floats:
        out = np.zeros((len(frames), parts))
        for part in range(parts):
            curve = curves.get((_path(bone, name), part))
            if curve is not None:
                out[:, part] = values(curve, frames)
            elif parts == 4 and part == 0:
                out[:, part] = 1.0
        return out

    rest = np.array([armature.data.bones[joint].matrix_local for joint in JOINTS], dtype=float)
    turned = np.stack([channel(joint, "rotation_quaternion", 4) for joint in JOINTS], axis=1)
    turned /= np.maximum(np.linalg.norm(turned, axis=-1, keepdims=True), 1e-9)
    turned[..., 1:] = np.einsum("jab,tjb->tja", rest[:, :3, :3], turned[..., 1:])
    heads = rest[:, :3, 3]
    points = contact_points(action)
    cuts = (int(frame - frames[0]) for frame in cut_frames(action))
    offsets = heads - heads[np.maximum(PARENTS, 0)]
    return Motion(
        fps=fps,
        start=0.0,
        offsets=offsets,
        rotations=turned,
        root=channel(JOINTS[0], "location", 3) @ rest[0, :3, :3].T + heads[0],
        contacts=points if len(points) == len(frames) else np.zeros((len(frames), 4)),
        cuts=tuple(cut for cut in cuts if 0 < cut < len(frames)),
        slow_motion=slowness(action),
    )
