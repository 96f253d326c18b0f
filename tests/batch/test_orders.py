"""Orders: when two ask for the same result."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from kinelift.batch.orders import file_hash
from kinelift.core.errors import CaptureError
from kinelift.core.options import CleanUp, Outputs
from kinelift.tests.batch.test_collect import COMMON, files


def test_what_makes_the_settings_others(tmp_path: Path) -> None:
    files(tmp_path, "a.mp4", "b.mp4", "hero.glb")
    order = replace(COMMON, clip=tmp_path / "a.mp4", name="a", retarget=str(tmp_path / "hero.glb"))
    first = order.settings_hash()
    # the clip's path doesn't count; its content does, but not in this hash
    assert replace(order, clip=tmp_path / "b.mp4", name="b").settings_hash() == first
    others = [
        replace(order, capture={"fps": 25.0}),
        replace(order, clean_up=CleanUp(floor=0.1)),
        replace(order, outputs=Outputs(format=("bvh", "fbx"))),
        replace(order, outputs=Outputs(render=("still",))),
        replace(order, retarget=""),
    ]
    assert len({first, *(other.settings_hash() for other in others)}) == 6
    (tmp_path / "hero.glb").write_bytes(b"another hero")
    assert order.settings_hash() != first


@pytest.mark.parametrize("name", ["folder", "pipe", "/dev/zero", "loop", "gone", "x" * 5000])
def test_only_files_are_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(CaptureError, match=r"(is a folder|is a pipe|can't be read|doesn't exist).*; check"):
        file_hash(tmp_path / name)
