"""The truth of made-up scenes of several people is exact, and they are drawn before and behind each other."""

from dataclasses import replace

import numpy as np
import pytest

from kinelift.bench.feet import touching
from kinelift.bench.gatherings import GATHERINGS
from kinelift.bench.people import paths_from_above, shown_by
from kinelift.bench.stage import Stage, looking, reference
from kinelift.core.skeleton import INDEX
from kinelift.tests.inference.test_bad_input import filmed
from kinelift.tests.motions import capture_of

WRISTS = [INDEX["hand.L"], INDEX["hand.R"]]


@pytest.fixture(scope="module")
def scenes():
    return {name: make() for name, make in GATHERINGS.items()}


def everybody(scene):
    return [scene.motion, *scene.others]


@pytest.mark.parametrize("name", GATHERINGS)
def test_everybody_is_in_the_picture_and_stands_on_the_floor(name, scenes):
    scene = scenes[name]
    camera = looking(*scene.cameras[""])
    for motion in everybody(scene):
        assert len(motion) == len(scene.motion)
        pixels = camera.project(motion.joints)
        assert (pixels > 0).all() and (pixels < camera.size).all()
        soles, planted = touching(motion), motion.contacts > 0.5
        assert np.abs(soles[..., 2][planted]).max() < 1e-5
        stays = planted[1:] & planted[:-1]
        assert np.linalg.norm(np.diff(soles, axis=0), axis=-1)[stays].max() < 1e-5


def test_two_cross_and_change_places(scenes):
    for name in ("crossing", "post"):
        a, b = (one.root[:, 1] for one in everybody(scenes[name]))
        assert a[0] > b[0] + 2 and a[-1] < b[-1] - 2


def test_hands_are_held_and_somebody_is_lifted(scenes):
    one, other = (motion.joints[:, WRISTS] for motion in everybody(scenes["hands"]))
    apart = np.linalg.norm(one[:, :, None] - other[:, None], axis=-1)
    assert apart.min((1, 2)).max() < 0.08
    lifter, lifted = everybody(scenes["lift"])
    in_the_air = (lifted.contacts < 0.5).all(axis=1)
    assert (lifter.contacts > 0.5).all() and 1.5 < in_the_air.sum() / lifted.fps < 3
    assert lifted.sole_heights()[in_the_air].max() > 0.3


def test_who_is_nearer_hides_who_is_behind(scenes):
    scene = scenes["crossing"]
    camera = looking(*scene.cameras[""])
    camera = replace(camera, focal=camera.focal / 4, size=(320, 180))
    middle = len(scene.motion) // 2
    x, y = camera.project(scene.motion.joints[middle, INDEX["chest"]]).astype(int)

    def shown(of, only=None):
        return (
            Stage(of, [camera] * len(of.motion), np.random.default_rng(0), only).frame(middle).astype(float)
        )

    both, near, far = shown(scene), shown(scene, [0]), shown(scene, [1])
    assert np.abs(both - near)[y, x].max() < 5 < np.abs(both - far)[y, x].max()
    # alone they wear what they wear together
    at = camera.project(scene.others[0].joints[0, INDEX["chest"]]).astype(int)
    first = Stage(scene, [camera] * len(scene.motion), np.random.default_rng(0)).frame(0).astype(float)
    alone = Stage(scene, [camera] * len(scene.motion), np.random.default_rng(0), [1]).frame(0).astype(float)
    assert np.abs(first - alone)[at[1], at[0]].max() < 5


def test_who_shows_whom(scenes, tmp_path):
    scene = scenes["crossing"]
    camera = looking(*scene.cameras[""])
    a, b = (filmed(replace(capture_of(one), camera=camera), noise=0.002) for one in everybody(scene))
    np.savez(tmp_path / "a.npz", **reference(scene, camera))
    assert (shown_by([a, b], tmp_path / "a.npz") == 0).all()
    # half way they are taken for each other
    half = len(a) // 2 + 15
    mixed = [
        replace(one, landmarks=np.concatenate([one.landmarks[:half], two.landmarks[half:]]))
        for one, two in ((a, b), (b, a))
    ]
    assert np.count_nonzero(np.diff(shown_by(mixed, tmp_path / "a.npz"))) == 1
    gone = replace(a, landmarks=np.full_like(a.landmarks, np.nan))
    assert (shown_by([gone], tmp_path / "a.npz") == -1).all()


def test_a_picture_of_paths_lies_on_the_true_ones(scenes):
    people = everybody(scenes["crossing"])
    way = np.eye(4)
    way[:3] = [[0, -1, 0, 3], [1, 0, 0, -2], [0, 0, 1, 0]]
    turned = [(one, one.moved(way)) for one in people]
    pictures = [paths_from_above(one, 1.0) for one in (turned, [(one, one) for one in people])]
    inked = [(255 - one.astype(float)).sum((0, 1)) for one in pictures]
    np.testing.assert_allclose(*inked, rtol=0.05)
