"""Re-solve: solve a captured motion again with another lens, height or person, and with edited contacts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import bpy

from ..core.command_line import arguments_of
from ..core.errors import CaptureError
from ..core.option import options_of
from ..core.options import CleanUp, Settings
from ..state.access import captured, preferences, settings, worker_python
from ..state.jobs import Job, queue
from ..state.motions import find_motion
from .build import describe
from .worker_operator import WorkerOperator, new_motion

if TYPE_CHECKING:  # importing numpy takes longer than enabling an add-on may
    from ..core.capture import Capture


class KINELIFT_OT_resolve(WorkerOperator, bpy.types.Operator):
    """Solve the captured motion again with your contacts and the lens, height and person chosen above"""

    bl_idname = "kinelift.resolve"
    bl_label = "Re-solve"
    bl_options = {"UNDO"}

    done = "Solved {name} again"
    _frames: tuple[int, int] | None
    _armature: str

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether a captured armature is active."""
        cls.poll_message_set("Select a captured armature, or its body")
        return captured(context) is not None

    def new_job(self, context: bpy.types.Context) -> Job:
        """Queue the active armature's motion, to be solved with the scene's settings and its contacts."""
        from ..core.capture import Capture
        from ..core.stances import write_stances
        from ..rig.cleanup import asked_of

        chosen, armature = settings(context), captured(context)
        motion = find_motion(context, armature.kinelift.motion)
        values = chosen.capture_settings(preferences(context).device)
        wanted = {name: values[name] for name, one in options_of(Settings).items() if one.in_resolve}
        self._armature, self._frames = armature.name, chosen.clean_up.frames()
        render = context.scene.render
        self._asked = asked_of(armature, Capture.load(motion), render.fps / render.fps_base)
        out, arguments = new_motion(context, motion), ["--no-feet"]
        if self._frames is not None:
            wanted = {"device": wanted["device"]}  # the rest of the motion keeps its lens and height
            arguments += arguments_of(CleanUp, self._range(self._frames))
        asked = out.with_suffix(".json")
        given = self._asked is not None and (self._asked.edited.any() or self._frames is not None)
        if given:
            arguments += ["--contacts", str(asked)]
        job = Job(
            python=worker_python(context),
            video=motion,
            motion=out,
            settings=wanted,
            scene=context.scene.name,
            rate=chosen.rate,
            command="solve",
            arguments=tuple(arguments),
            inputs=(asked,) if given else (),
        )
        if self._asked is not None and given:
            try:
                write_stances(self._asked.standing, self._asked.edited, asked)
            except CaptureError:
                job.end()
                raise
        return job

    def _range(self, frames: tuple[int, int]) -> dict[str, int]:
        """Options of a clean-up: the frames of the capture that lie in a range of frames of the scene."""
        asked = self._asked
        if asked is None:
            raise CaptureError(
                f"{self._armature} plays nothing that was captured, so a range of it can't be solved again: "
                "switch Frame Range off."
            )
        first = max(math.ceil((frames[0] - asked.first) / asked.per_frame), 0)
        last = min(math.floor((frames[1] - asked.first) / asked.per_frame), len(asked.standing) - 1)
        if last < first:
            raise CaptureError(
                f"There is nothing to solve from frame {frames[0]} to {frames[1]}: choose frames of "
                f"{self._armature}, or switch Frame Range off."
            )
        return {"first": first, "last": last}

    def add(self, job: Job) -> bpy.types.Object:
        """Add another armature; if only a range was solved, its frames go into a new action of the same."""
        from ..core.capture import Capture
        from ..rig.cleanup import not_kept_of

        capture = Capture.load(job.motion)
        armature = super().add(job) if self._frames is None else self._put_range(job, capture, self._frames)
        # they aren't given to another person, nor to an upper body
        asked = self._asked if capture.contacts_given else None
        told = not_kept_of(armature, asked, self._frames) if asked is not None else ""
        if told:
            armature.kinelift.warnings.add().name = told
        return armature

    def _put_range(self, job: Job, capture: Capture, frames: tuple[int, int]) -> bpy.types.Object:
        from ..rig.cleanup import solved_action

        scene = bpy.data.scenes.get(job.scene) or bpy.context.scene
        armature = bpy.data.objects.get(self._armature)
        if armature is None:
            raise CaptureError(f"{self._armature} is gone, so frames of it can't be changed any more.")
        how = scene.kinelift.clean_up.clean_up()
        fps = scene.render.fps / scene.render.fps_base
        action = solved_action(armature, capture.motion, how, fps, frames)
        describe(armature, action, capture, job.motion)
        scene.kinelift.last_motion = queue.last_motion = str(job.motion)
        return armature
