"""A batch's files for a clip, as its options ask."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from kinelift.core.options import CleanUp, Outputs
from kinelift.rig.deliver import deliver
from kinelift.rig.takes import playing
from kinelift.tests.motions import filmed_moving, random_capture


@pytest.mark.parametrize("still", [False, True])
def test_a_camera_that_moved_moves_or_is_kept_still(tmp_path: Path, still: bool) -> None:
    capture = filmed_moving(random_capture(5))
    motion = tmp_path / "walk.motion.npz"
    capture.save(motion)
    deliver(motion, motion, Outputs(format=("bvh",), still_camera=still), CleanUp(feet=False))
    assert (playing(bpy.context.scene.camera) is not None) is not still
    # metres or centimetres, and axes, are the format's
    rows = (tmp_path / "walk.bvh").read_text().splitlines()
    path = np.array([[float(number) for number in row.split()[:3]] for row in rows[-5:]])
    wanted = (capture.with_still_camera() if still else capture).motion.root
    steps, steps_wanted = (np.linalg.norm(np.diff(one, axis=0), axis=1) for one in (path, wanted))
    np.testing.assert_allclose(steps / steps[0], steps_wanted / steps_wanted[0], rtol=1e-2)
