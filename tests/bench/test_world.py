"""The figures of bench.world are those of motions whose faults are known."""

from dataclasses import replace

import numpy as np
import pytest

from kinelift.bench import world
from kinelift.core.capture import Capture
from kinelift.tests.motions import random_capture
from kinelift.tests.walks import walk


@pytest.fixture
def seen() -> Capture:
    """A capture that lies on its landmarks exactly."""
    return random_capture(8)


def test_landmarks_off_the_body_count_as_a_share_of_its_height_if_they_are_confident(seen):
    assert np.nanmax(world.off_picture(seen)) < 1e-6
    away = seen.motion.root - seen.camera.eye
    depth = away @ seen.camera.camera_from_world[2, :3]
    landmarks = seen.landmarks.copy()
    landmarks[..., 0] += (0.05 * seen.motion.height * seen.camera.focal / depth)[:, None]
    landmarks[3] = np.nan
    landmarks[:, 7, 2] = 0.79
    off = world.off_picture(replace(seen, landmarks=landmarks))
    unknown = np.zeros(off.shape, bool)
    unknown[3] = unknown[:, 7] = True
    assert (np.isnan(off) == unknown).all()
    assert off[~unknown] == pytest.approx(0.05, abs=1e-5)


def test_each_shot_is_seen_by_its_own_camera(seen):
    pose = seen.camera.camera_from_world.copy()
    pose[2, 3] += 1.0
    other = replace(seen.camera, camera_from_world=pose)
    two = replace(seen, motion=replace(seen.motion, cuts=(5,)), later_cameras=(other,))
    off = world.off_picture(two)
    assert np.nanmax(off[:5]) < 1e-6 < np.nanmean(off[5:])


def test_planted_feet_that_move_slide_but_not_over_a_cut(seen):
    motion = walk()
    assert world.slide_mm(motion).max() < 0.01
    shift = np.zeros((len(motion), 3))
    shift[:, 0] = 0.002 * np.arange(len(motion))
    moved = replace(motion, root=motion.root + shift)
    assert world.slide_mm(moved) == pytest.approx(2, abs=0.01)
    shift[60:] += 5
    cut = replace(motion, root=motion.root + shift, cuts=(60,))
    assert world.slide_mm(cut) == pytest.approx(2, abs=0.01)
    assert not len(world.slide_mm(replace(motion, contacts=np.zeros((len(motion), 4)))))


def test_planted_feet_hover_over_the_nearest_floor():
    motion = walk()
    raised = replace(motion, root=motion.root + np.array([0, 0, 0.21]))
    level = world.hover_mm(motion, [0.0])
    assert level.max() < 1
    assert world.hover_mm(raised, [0.0]) == pytest.approx(210, abs=1)
    assert world.hover_mm(raised, [0.0, 0.2]) == pytest.approx(10, abs=1)
    # a zero on another level is none of its faults
    assert world.hover_mm(raised, [0.5, 0.7]) == pytest.approx(10, abs=1)
    assert not len(world.hover_mm(replace(motion, contacts=np.zeros((len(motion), 4))), [0.0]))


def test_a_table_marks_what_misses_its_target_and_leaves_out_what_a_clip_lacks():
    clips = {"a": {"off_pct": 1.0, "pa_mpjpe_mm": 40.0}, "b": {"off_pct": 1.8, "pa_mpjpe_mm": 48.0}, "c": {}}
    heading, _, a, b, c, mean, target = world.table("rendered", clips).splitlines()
    columns = [cell.strip() for cell in heading.split("|")]
    off, pa = columns.index("off %"), columns.index("PA mm")
    rows = [[cell.strip() for cell in row.split("|")] for row in (a, b, c, mean, target)]
    assert [row[off] for row in rows] == ["1.00", "**1.80**", "–", "1.40", "≤ 1.5"]
    assert [row[pa] for row in rows] == ["40.0", "48.0", "–", "44.0", "≤ 45 (mean)"]
