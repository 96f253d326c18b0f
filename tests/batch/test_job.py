"""The steps of a clip, with other programs in the place of Blender."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from kinelift.batch.job import Tools, make
from kinelift.batch.orders import Order
from kinelift.core.errors import CaptureError


@pytest.mark.parametrize(
    ("end", "attempts", "said"),
    [
        ("kill -KILL $$", 3, r"broke down \(SIGKILL\)"),
        ("kill -SEGV $$", 3, r"broke down \(SIGSEGV\)"),
        (
            "echo 'Traceback (most recent call last):' >&2; echo 'ValueError: odd' >&2; exit 1",
            1,
            "ValueError: odd",
        ),
        ("exit 11", 1, r"broke down \(exit status 11\)"),
        ("echo 'The motion is damaged.' >&2; exit 1", 1, "The motion is damaged."),
    ],
)
def test_what_was_killed_is_tried_again_and_what_failed_is_not(
    tmp_path: Path, end: str, attempts: int, said: str
) -> None:
    blender = tmp_path / "blender"
    blender.write_text(f"#!/bin/sh\necho once >> {tmp_path}/log\n{end}\n")
    blender.chmod(0o755)
    clip, staging = tmp_path / "a.motion.npz", tmp_path / "staging"
    clip.write_text("a motion")
    staging.mkdir()
    with pytest.raises(CaptureError, match=said):
        make(
            Order(clip, "a", {}),
            staging,
            lambda *_: None,
            threading.Event(),
            Tools(None, (str(blender),), 4000),
        )
    assert (tmp_path / "log").read_text().split() == ["once"] * attempts and not list(staging.iterdir())
