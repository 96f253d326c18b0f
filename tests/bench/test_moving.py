"""The cameras that move before a made-up walk keep the person in the picture, and move as they say."""

from itertools import pairwise

import numpy as np
import pytest

from kinelift.bench.feet import touching
from kinelift.bench.moving import CAMERAS, walk
from kinelift.bench.puppet import FPS
from kinelift.core.rotations import geodesic_angle


@pytest.fixture(scope="module")
def scene():
    return walk()


def cameras_of(name, scene):
    times = np.arange(len(scene.motion)) / FPS
    return CAMERAS[name](times, np.asarray(scene.motion.root, float))


@pytest.mark.parametrize("name", CAMERAS)
def test_the_person_is_in_the_picture(name, scene):
    for camera, joints in zip(cameras_of(name, scene), scene.motion.joints, strict=True):
        pixels = camera.project(joints)
        assert (pixels > 0).all() and (pixels < camera.size).all()


def test_feet_stand_on_the_floor(scene):
    soles, planted = touching(scene.motion), scene.motion.contacts > 0.5
    assert np.abs(soles[..., 2][planted]).max() < 1e-5
    stays = planted[1:] & planted[:-1]
    assert np.linalg.norm(np.diff(soles, axis=0), axis=-1)[stays].max() < 1e-5


@pytest.mark.parametrize(
    ("name", "turns", "travels", "zooms"),
    [
        ("still", 0, 0, 0), ("pan", 1, 0, 0), ("tilt", 1, 0, 0), ("zoom", 0, 0, 1),
        ("hand", 1, 0.1, 0), ("beside", 1, 5, 0), ("dolly", 0, 2, 0), ("orbit", 1, 2, 0),
    ],
)  # fmt: skip
def test_a_camera_turns_travels_and_zooms_as_it_says(name, turns, travels, zooms, scene):
    cameras = cameras_of(name, scene)
    first = cameras[0].camera_from_world[:3, :3]
    turned = [geodesic_angle(camera.camera_from_world[:3, :3], first) for camera in cameras]
    way = sum(np.linalg.norm(b.eye - a.eye) for a, b in pairwise(cameras))
    assert (np.degrees(np.max(turned)) > 1) == bool(turns)
    assert way >= 0.9 * travels if travels else way == pytest.approx(0, abs=1e-9)
    assert (np.ptp([camera.focal for camera in cameras]) > 1) == bool(zooms)
