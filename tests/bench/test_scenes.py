"""The truth of made-up scenes is exact: feet stand still on their levels, and who flies falls freely."""

from dataclasses import replace

import numpy as np
import pytest

from kinelift.bench.feet import touching
from kinelift.bench.puppet import curve
from kinelift.bench.scenes import SCENES, THICK, Box
from kinelift.bench.stage import Stage, looking, room
from kinelift.core.skeleton import INDEX


@pytest.mark.parametrize("name", SCENES)
def test_planted_feet_lie_on_their_level_and_stay(name):
    scene = SCENES[name]()
    soles, planted = touching(scene.motion), scene.motion.contacts > 0.5
    assert (np.isfinite(scene.levels) == planted).all() and planted.any()
    assert np.abs(soles[..., 2] - scene.levels)[planted].max() < 1e-5
    # who stays planted stands on the same level as before
    stays = planted[1:] & planted[:-1]
    assert np.linalg.norm(np.diff(soles, axis=0), axis=-1)[stays].max() < 1e-5
    # nothing goes far below any floor
    assert (soles[..., 2] > -0.01).all()


def test_who_jumps_or_runs_falls_freely_while_no_foot_stands():
    jump, run = (SCENES[name]().motion for name in ("box_jump", "run"))
    for motion, flights in ((jump, 1), (run, 6)):
        flies = (motion.contacts < 0.5).all(axis=1)
        inside = flies[2:] & flies[1:-1] & flies[:-2]
        fall = np.diff(motion.root[:, 2].astype(float), 2) * motion.fps**2
        assert np.count_nonzero(np.diff(flies.astype(int)) > 0) >= flights
        assert fall[inside] == pytest.approx(-9.81, abs=0.01)


def test_the_seat_and_the_floor_carry_the_hips():
    chair, lying, upside = (SCENES[name]() for name in ("chair", "lie_down", "handstand"))
    seated = chair.truth["seated"]
    assert chair.motion.root[seated, 2] == pytest.approx(0.45 + THICK, abs=1e-4)
    assert lying.motion.root[:, 2].min() == pytest.approx(THICK, abs=1e-4)
    middle = len(upside.motion) // 2
    joints = upside.motion.joints[middle]
    hands = upside.motion.joints[60:100, [INDEX["hand.L"], INDEX["hand.R"]]]
    assert joints[INDEX["head"], 2] < joints[INDEX["hips"], 2] < joints[INDEX["foot.L"], 2]
    assert np.ptp(hands, axis=0).max() < 1e-4 and (hands[..., 2] < 0.1).all()


def test_a_curve_goes_through_its_keys_without_overshoot():
    t = np.linspace(-1, 4, 501)
    found = curve(t, (0.0, 1.0), (1.0, 3.0), (2.0, 3.0), (3.0, 0.0))
    assert found[[0, 100, 200, 300, 400, 500]] == pytest.approx([1, 1, 3, 3, 0, 0])
    assert found.max() < 3 + 1e-9 and found.min() > -1e-9
    assert np.abs(np.diff(found)).max() < 0.06


def test_a_room_is_as_near_as_its_boxes_and_hides_what_is_behind():
    camera = looking((0.0, -4.0, 1.0), (0.0, 0.0, 1.0))
    boxes = (
        Box((-9.0, 5.0, 0.0), (9.0, 6.0, 9.0), (0, 0, 250)),
        Box((-0.5, 1.0, 0.5), (0.5, 2.0, 1.5), (250, 0, 0)),
    )
    for order in (boxes, boxes[::-1]):
        image, near = room(order, camera, np.ones((2, 3)))
        wide, high = camera.size
        assert 1 / near[high // 2, wide // 2] == pytest.approx(5.0, abs=1e-3)
        assert 1 / near[high // 2, wide // 8] == pytest.approx(9.0, abs=1e-3)
        assert image[high // 2, wide // 2].argmax() == 0 and image[high // 2, wide // 8].argmax() == 2


def test_the_body_is_drawn_where_its_joints_are_unless_something_hides_it():
    scene = SCENES["chair"]()
    camera = looking(*scene.cameras["side"])
    camera = replace(camera, focal=camera.focal / 8, size=(160, 90))
    pixels = camera.project(scene.motion.joints[0, [INDEX["chest"], INDEX["shin.L"]]])
    (chest_x, chest_y), (knee_x, knee_y) = pixels.astype(int)
    away = replace(scene, motion=replace(scene.motion, root=scene.motion.root + np.array([0, 20.0, 0])))
    ahead, unseen = (Box((x, -2.0, 0.0), (x + 0.2, 2.0, 0.8), (0, 0, 0)) for x in (1.0, 9.0))

    def shown(of, box):
        stage = Stage(
            replace(of, boxes=(*scene.boxes, box)), [camera] * len(of.motion), np.random.default_rng(0)
        )
        return stage.frame(0).astype(float)

    body, nobody, behind = shown(scene, unseen), shown(away, unseen), shown(scene, ahead)
    different = np.abs(body - nobody).max(-1) > 15
    assert different[chest_y, chest_x] and different[knee_y, knee_x]
    assert different.mean() < 0.1
    assert np.abs(body - behind)[chest_y, chest_x].max() < 5
    assert behind[knee_y, knee_x].max() < 20 < body[knee_y, knee_x].max()
