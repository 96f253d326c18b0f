"""Pin poses: how the body is in a frame, which Re-solve then passes through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.translations import pgettext_data, pgettext_rpt

from ..core.errors import CaptureError
from ..state.access import captured
from .reporting import OnCapturedInAnyMode

if TYPE_CHECKING:  # importing numpy takes longer than enabling an add-on may
    from ..core.pins import Pins
    from ..rig.cleanup import Asked

#: the name of a pin of all bones
_WHOLE = "Whole Pose"
#: a sentence names so many frames
_NAMED = 5


class _Pins(OnCapturedInAnyMode):
    """An operator that pins the pose of the active captured armature in the current frame."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether a captured armature is active, and posed."""
        return super().poll(context) and context.mode in ("OBJECT", "POSE")

    def pin(self, context: bpy.types.Context, joints: Sequence[str], name: str) -> None:
        """Pin some joints, besides those that are pinned in the frame already.

        Raises
        ------
        CaptureError
            If the armature lacks bones, or can't be changed.
        """
        from ..core.rotations import quaternion_from_matrix
        from ..core.skeleton import INDEX, JOINTS
        from ..rig.pins import posed
        from ..rig.takes import check_replaceable

        armature, frame = captured(context), context.scene.frame_current
        check_replaceable(armature)
        rotations, hips = posed(armature)
        pins = armature.kinelift.pins
        found = next((one for one in pins if one.frame == frame), None)
        one = found or pins.add()
        one.frame = frame
        for joint in joints:
            bone = one.bones.get(joint) or one.bones.add()
            bone.name = joint
            bone.turn = quaternion_from_matrix(rotations[INDEX[joint]]).tolist()
        if JOINTS[0] in joints:
            one.use_hips, one.hips = True, hips.tolist()
        whole = len(one.bones) == len(JOINTS)
        one.name = pgettext_data(_WHOLE) if whole else ", ".join(bone.name for bone in one.bones)
        if found is None:
            pins.move(len(pins) - 1, sum(other.frame < frame for other in pins))
        armature.kinelift.pin = next(n for n, other in enumerate(pins) if other.frame == frame)
        self.report({"INFO"}, pgettext_rpt("Pinned frame {frame}: {name}").format(frame=frame, name=name))


class KINELIFT_OT_pin_pose(_Pins, bpy.types.Operator):
    """Pin the pose of this frame, as you see it: Re-solve passes through it, and the frames around follow"""

    bl_idname = "kinelift.pin_pose"
    bl_label = "Pin Pose"

    def work(self, context: bpy.types.Context) -> None:
        """Pin all joints."""
        from ..core.skeleton import JOINTS

        self.pin(context, JOINTS, pgettext_data(_WHOLE))


class KINELIFT_OT_pin_bones(_Pins, bpy.types.Operator):
    """Pin only the selected bones in this frame: Re-solve turns them like this there"""

    bl_idname = "kinelift.pin_bones"
    bl_label = "Pin Bones"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether bones of a captured armature are selected."""
        cls.poll_message_set("Select bones of a captured armature, in Pose Mode")
        return captured(context) is not None and bool(context.selected_pose_bones)

    def work(self, context: bpy.types.Context) -> None:
        """Pin the selected joints.

        Raises
        ------
        CaptureError
            If none of the bones was captured.
        """
        from ..core.skeleton import JOINTS

        armature = captured(context)
        chosen = [bone.name for bone in context.selected_pose_bones if bone.id_data == armature]
        joints = [joint for joint in JOINTS if joint in chosen]
        if not joints:
            raise CaptureError(
                f"None of the selected bones of {armature.name} was captured: select others to pin."
            )
        self.pin(context, joints, ", ".join(joints))


class KINELIFT_OT_remove_pin(OnCapturedInAnyMode, bpy.types.Operator):
    """Remove this pin"""

    bl_idname = "kinelift.remove_pin"
    bl_label = "Remove Pin"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is one."""
        cls.poll_message_set("There is no pin")
        armature = captured(context)
        return armature is not None and armature.kinelift.pin < len(armature.kinelift.pins)

    def work(self, context: bpy.types.Context) -> None:
        """Remove the one that is chosen in the list."""
        from ..rig.takes import check_replaceable

        armature = captured(context)
        check_replaceable(armature)
        armature.kinelift.pins.remove(armature.kinelift.pin)


def asked_pins(armature: Any, asked: Asked | None) -> tuple[Pins | None, str]:
    """The pins of an armature, in frames of the capture that it plays.

    Returns
    -------
    pins : Pins or None
        None if there are none.
    said : str
        A sentence about those outside the motion, or nothing.

    Raises
    ------
    CaptureError
        If it has pins and plays nothing that was captured.
    """
    from ..rig.pins import pins_of

    used = [one for one in armature.kinelift.pins if one.use]
    if not used:
        return None, ""
    if asked is None:
        raise CaptureError(
            f"{armature.name} plays nothing that was captured, so it can't be solved with its pins: choose "
            "the captured motion in the panel Motions, or switch the pins off."
        )
    pins, outside = pins_of(used, asked)
    if not outside:
        return pins, ""
    more = f" and {len(outside) - _NAMED} more" if len(outside) > _NAMED else ""
    told = pgettext_rpt("The pins of frames {frames} lie outside the motion and don't count")
    return pins, told.format(frames=", ".join(map(str, outside[:_NAMED])) + more)
