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
    order = replace(COMMON, clip=tmp_path / "a.mp4", name="a", retarget=(str(tmp_path / "hero.glb"),))
    first = order.settings_hash()
    # the clip's path doesn't count; its content does, but not in this hash
    assert replace(order, clip=tmp_path / "b.mp4", name="b").settings_hash() == first
    others = [
        replace(order, capture={"fps": 25.0}),
        replace(order, clean_up=CleanUp(floor=0.1)),
        replace(order, outputs=Outputs(format=("bvh", "fbx"))),
        replace(order, outputs=Outputs(render=("still",))),
        replace(order, outputs=Outputs(everybody="apart")),
        replace(order, retarget=()),
        replace(order, retarget=("", *order.retarget)),
        replace(order, retarget=order.retarget * 2),
    ]
    assert len({first, *(other.settings_hash() for other in others)}) == 9
    (tmp_path / "hero.glb").write_bytes(b"another hero")
    assert order.settings_hash() != first


def test_the_files_of_several_people(tmp_path: Path) -> None:
    order = replace(COMMON, clip=tmp_path / "a.mp4", name="day/a", capture={"person": "all"})
    each = {"bvh", "png", "chart.svg", "motion.npz", "summary.json"}
    together, apart = (
        replace(order, outputs=Outputs(everybody=how)).files_of(2) for how in ("together", "apart")
    )
    assert {f"a.person2.{ending}" for ending in each} < together
    scenes = {f"{name}.{kind}" for name in ("a", "a.person2") for kind in ("blend", "fbx", "glb")}
    assert scenes < apart and apart - together == {name for name in scenes if "person2" in name}
    # as many as there may be are reckoned with, and one where one is asked for
    assert order.files == order.files_of(6) > order.files_of(2)
    assert replace(order, capture={"person": "leftmost+0,5@2"}).files == order.files_of(2)
    for one in (replace(order, capture={}), replace(order, clip=tmp_path / "a.motion.npz")):
        assert one.files == order.files_of(1)


@pytest.mark.parametrize("name", ["folder", "pipe", "/dev/zero", "loop", "gone", "x" * 5000])
def test_only_files_are_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(CaptureError, match=r"(is a folder|is a pipe|can't be read|doesn't exist).*; check"):
        file_hash(tmp_path / name)
