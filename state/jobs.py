"""The queue of captures: the first one runs, the others wait. Nothing here blocks until a worker answers."""

from __future__ import annotations

import atexit
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bpy.app.translations import pgettext_rpt

from ..core.command_line import arguments_of
from ..core.errors import CaptureError
from ..core.options import Settings
from ..core.worker import Message, Worker

#: seconds of silence after which a worker is taken to hang; the first start of a runtime can take a minute
HANGS_AFTER = 120.0
#: stages of a worker in their order, and their labels
STAGES = {
    "start": "Starting",
    "shots": "Looking for cuts",
    "detect": "Finding the person",
    "lift": "Lifting to 3D",
    "solve": "Solving",
}


@dataclass(eq=False)
class Job:
    """One run of the worker that ends with a motion. Constructing a job queues it.

    Attributes
    ----------
    python : Path
        The Python that captures.
    video : Path
        The video, or the motion to solve again.
    motion : Path
        The file for the result.
    settings : dict
        Values of `options.Settings` by name.
    scene : int
        Blender's `session_uid` of the scene that gets the result: names change, and places in memory do when
        something is undone.
    rate : str
        At which frame rate that scene gets it: `SceneSettings.rate`.
    command : str
        The worker's command: capture or solve.
    arguments : tuple of str
        Further arguments for the worker.
    inputs : tuple of Path
        Files that were made for the worker alone; they go with the job.
    progress : Message
        The worker's last message.

    Raises
    ------
    CaptureError
        If the same job is in the queue already.
    """

    python: Path
    video: Path
    motion: Path
    settings: Mapping[str, Any]
    scene: int
    rate: str
    command: str = "capture"
    arguments: tuple[str, ...] = ()
    inputs: tuple[Path, ...] = ()
    progress: Message = field(default=Message("start", 0, 1, ""), init=False)
    #: when the first message of the current stage came
    _stage_began: float = field(default=0.0, init=False)
    _worker: Worker | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Queue the job, once."""
        if any((self.video, self.settings, self.scene) == (j.video, j.settings, j.scene) for j in queue.jobs):
            twice = pgettext_rpt("{video} is being captured with these settings already.")
            raise CaptureError(twice.format(video=self.video.name))
        queue.jobs.append(self)

    def step(self) -> bool:
        """Start the worker or read its messages if it is this job's turn; whether the motion is ready.

        Raises
        ------
        CaptureError
            If the worker refused, died or hangs.
        """
        if queue.jobs[0] is not self:
            return False
        if self._worker is None:
            words = [self.command, str(self.video), "--out", str(self.motion), *self.arguments]
            self._worker = Worker(self.python, [*words, *arguments_of(Settings, self.settings)])
        for message in self._worker.messages(wait=False):
            if message.stage != self.progress.stage:
                self._stage_began = time.monotonic()
            self.progress = message
        if self._worker.running and self._worker.silent > HANGS_AFTER:
            raise self._worker.give_up()
        return not self._worker.running

    @property
    def seconds_left(self) -> float | None:
        """An estimate of the rest of this stage; None: too early to tell, or it is over."""
        done = self.progress.frame / max(self.progress.of, 1)
        passed = time.monotonic() - self._stage_began
        return passed * (1 - done) / done if self._worker and 0 < done < 1 and passed > 1 else None

    @property
    def half_done(self) -> bool:
        """Whether more than half is done. Finding the person takes most of a capture's time."""
        stages = list(STAGES)
        longest = stages.index("detect" if self.command == "capture" else "solve")
        stage = stages.index(self.progress.stage)
        return stage > longest or (stage == longest and 2 * self.progress.frame > self.progress.of)

    def end(self) -> None:
        """Leave the queue, and end a running worker without waiting for it."""
        if self in queue.jobs:
            queue.jobs.remove(self)
        if self._worker is not None and self._worker.running:
            self._worker.cancel_soon()
        for path in self.inputs:
            path.unlink(missing_ok=True)


@dataclass
class Queue:
    """All captures of this Blender.

    Attributes
    ----------
    jobs : list of Job
        The first one runs.
    problem : str
        Why the last capture failed, a sentence for the artist; empty: it didn't.
    last_motion : str
        File of the last motion that was added to a scene.
    """

    jobs: list[Job] = field(default_factory=list)
    problem: str = ""
    last_motion: str = ""


queue = Queue()


@atexit.register
def end_all() -> None:
    """End all captures."""
    for job in list(queue.jobs):
        job.end()
