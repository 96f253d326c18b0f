"""Re-solve: solve a captured motion again with another lens, height or person, and with edited contacts.

The armature gets a new action, and bones that fit it; all that the artist made of it stays.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_rpt
from bpy.props import BoolProperty

from ..core.command_line import arguments_of
from ..core.errors import CaptureError
from ..core.option import options_of
from ..core.options import ALL, CARRY, CleanUp, Corrections, Settings
from ..state.access import captured, preferences, settings, worker_python
from ..state.derived import values_of
from ..state.jobs import Job, queue
from ..state.motions import find_motion
from .build import describe, show_corrections
from .edits import AsksAboutEdits
from .pins import asked_pins
from .worker_operator import WorkerOperator, new_motion, scene_of

if TYPE_CHECKING:  # importing numpy takes longer than enabling an add-on may
    from ..core.capture import Capture
    from ..rig.edits import Edits


class KINELIFT_OT_resolve(AsksAboutEdits, WorkerOperator, bpy.types.Operator):
    """Solve the captured motion again with your contacts and the settings above, in a new action"""

    bl_idname = "kinelift.resolve"
    bl_label = "Re-solve"
    bl_options = {"UNDO"}

    done = "Solved {name} again"
    preview: BoolProperty(options={"HIDDEN", "SKIP_SAVE"})
    _frames: tuple[int, int] | None
    _target: int
    #: a sentence about pins that don't count
    _outside: str

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether a captured armature is active."""
        cls.poll_message_set("Select a captured armature, or its body")
        return captured(context) is not None

    def found(self, context: bpy.types.Context) -> tuple[Edits | None, str]:
        """The edits in the frames to solve."""
        from ..rig.cleanup import edits_within

        return edits_within(captured(context), settings(context).clean_up.frames(), solved=True), CARRY

    def start(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Queue the job and follow it."""
        return WorkerOperator.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Run the job and wait for it, for scripts; if it is the dialog that was confirmed, follow it."""
        if not self.told:
            return super().execute(context)
        bpy.ops.kinelift.resolve("INVOKE_DEFAULT", edits=self.edits)
        return {"CANCELLED"}  # this one: it has changed nothing that could be undone

    def new_job(self, context: bpy.types.Context) -> Job:
        """Queue the active armature's motion, to be solved with the scene's settings and its contacts."""
        from ..core.capture import Capture
        from ..core.pins import write_pins
        from ..core.stances import write_stances
        from ..rig.cleanup import asked_of
        from ..rig.read import check_captured
        from ..rig.takes import check_replaceable

        chosen, armature = settings(context), captured(context)
        check_captured(armature)
        check_replaceable(armature)
        motion = find_motion(context, armature.kinelift.motion)
        values = chosen.capture_settings(preferences(context).device)
        values |= values_of(armature.kinelift.corrections, Corrections)
        wanted = {name: values[name] for name, one in options_of(Settings).items() if one.in_resolve}
        # each is solved again alone, and nobody of everybody becomes somebody else
        if chosen.person == ALL or armature.kinelift.one_of_several:
            del wanted["person"]
        # it may have another name by then, or lie elsewhere in memory
        self._target = armature.session_uid
        self._frames = None if self.preview else chosen.clean_up.frames()
        render = context.scene.render
        self._asked = asked_of(armature, Capture.load(motion), render.fps / render.fps_base)
        out, arguments = new_motion(context, motion), ["--no-feet"]
        if self._frames is not None:
            wanted = {"device": wanted["device"]}  # the rest of the motion keeps its lens and height
            arguments += arguments_of(CleanUp, self._range(armature, self._frames))
        asked = out.with_suffix(".json")
        pins, self._outside = asked_pins(armature, self._asked)
        pinned = out.with_suffix(".pins.json")
        if pins is not None:
            arguments += ["--pins", str(pinned)]
        given = self._asked is not None and (self._asked.edited.any() or self._frames is not None)
        if given:
            arguments += ["--contacts", str(asked)]
        job = Job(
            python=worker_python(context),
            video=motion,
            motion=out,
            settings=wanted,
            scene=context.scene.session_uid,
            rate=chosen.rate,
            command="solve",
            arguments=tuple(arguments),
            inputs=tuple(path for path, there in ((asked, given), (pinned, pins is not None)) if there),
        )
        try:
            if self._asked is not None and given:
                write_stances(self._asked.standing, self._asked.edited, asked)
            if pins is not None:
                write_pins(pins, pinned)
        except CaptureError:
            job.end()
            raise
        return job

    def _range(self, armature: bpy.types.Object, frames: tuple[int, int]) -> dict[str, int]:
        """Options of a clean-up: the frames of the capture that lie in a range of frames of the scene."""
        asked = self._asked
        if asked is None:
            raise CaptureError(
                f"{armature.name} plays nothing that was captured, so a range of it can't be solved again: "
                "switch Frame Range off."
            )
        first = max(math.ceil((frames[0] - asked.first) / asked.per_frame), 0)
        last = min(math.floor((frames[1] - asked.first) / asked.per_frame), len(asked.standing) - 1)
        if last < first:
            raise CaptureError(
                f"There is nothing to solve from frame {frames[0]} to {frames[1]}: choose frames of "
                f"{armature.name}, or switch Frame Range off."
            )
        return {"first": first, "last": last}

    def add(self, job: Job) -> list[bpy.types.Object]:
        """Give the armature its new action; if it can't have that any more, add another one."""
        from ..core.capture import Capture
        from ..rig.cleanup import not_kept_of

        capture = Capture.load(job.motion)
        try:
            armature, told = self._renew(job, capture), ""
        except CaptureError as error:
            (armature,) = super().add(job)
            told = pgettext_rpt("This armature was added for the new motion. {error}").format(error=error)
        # they aren't given to another person, nor to an upper body
        asked = self._asked if capture.contacts_given else None
        lost = not_kept_of(armature, asked, self._frames) if asked is not None else ""
        for warning in (told, lost, self._outside):
            if warning:
                armature.kinelift.warnings.add().name = warning
        return [armature]

    def _renew(self, job: Job, capture: Capture) -> bpy.types.Object:
        """Give the armature its new action.

        Raises
        ------
        CaptureError
            If it was deleted meanwhile, or can't be animated.
        """
        from ..rig.cleanup import solved_action
        from ..rig.edits import edits_of
        from ..rig.result import renew_result
        from ..rig.takes import mark_preview, motion_of, remove_preview, takes_of

        scene = scene_of(job)
        armature = next((one for one in bpy.data.objects if one.session_uid == self._target), None)
        if armature is None or not armature.users_scene:  # deleted, but something points to it
            raise CaptureError("The one that was to get it is gone.")
        how = scene.kinelift.clean_up.clean_up()
        fps = scene.render.fps / scene.render.fps_base
        earlier, before = takes_of(armature), motion_of(armature)
        edits = edits_of(armature, before)
        if self._frames is not None:
            action = solved_action(armature, capture.motion, how, fps, self._frames, self.edits)
        elif self._asked is not None:
            action = renew_result(armature, capture, how, fps, round(self._asked.first), self.edits)
        else:
            action = renew_result(armature, capture, how, fps, way=self.edits)
        made = [take for take in takes_of(armature) if take not in earlier]
        if edits is None or not edits.new:  # a preview that was edited by hand is a motion like any other
            remove_preview(before, made)
        if self.preview:
            mark_preview(made)
        describe(armature, action, capture, job.motion)
        if self._frames is not None:  # else the sliders say it, unless they were moved meanwhile
            show_corrections(armature, capture)
        scene.kinelift.last_motion = queue.last_motion = str(job.motion)
        return armature
