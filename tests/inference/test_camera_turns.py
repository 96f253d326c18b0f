"""A known turn and zoom of a camera in, the same turn and zoom out."""

import cv2
import numpy as np
import pytest

from kinelift.bench.camera import somebody
from kinelift.core.camera import Camera
from kinelift.core.rotations import geodesic_angle, matrix_from_vector
from kinelift.inference.camera_turns import Background, focal_of, turns_of

SIZE = (640, 360)
#: focal length, as a share of the width
LENS = 0.9
FRAMES = 40


def panorama():
    """A picture full of detail on a plane far away, which holds all that a camera may turn to."""
    rng = np.random.default_rng(0)
    fine, rough = (
        cv2.resize(
            rng.uniform(0, 255, (600 // n, 1200 // n)).astype(np.float32), (2400, 1200), interpolation=3
        )
        for n in (4, 16)
    )
    return np.clip(0.5 * fine + 0.5 * rough, 0, 255).astype(np.float32)


def film(vectors, zooms, noise=2.0, passing=False, background=None, cuts=()):
    """The `Background` of a camera that turns by rotation vectors (T, 3) and zooms (T,).

    At the frames of `cuts` another one goes on.
    """
    picture = panorama() if background is None else background
    rng = np.random.default_rng(1)
    stretches = [Background(SIZE)]
    plane = np.array([[LENS * SIZE[0], 0, 1200], [0, LENS * SIZE[0], 600], [0, 0, 1.0]])
    for frame, (vector, zoom) in enumerate(zip(vectors, zooms, strict=True)):
        lens = LENS * SIZE[0] * zoom
        own = np.array([[lens, 0, SIZE[0] / 2], [0, lens, SIZE[1] / 2], [0, 0, 1]])
        seen = cv2.warpPerspective(picture, own @ matrix_from_vector(vector) @ np.linalg.inv(plane), SIZE)
        image = np.repeat((seen + rng.normal(0, noise, seen.shape)).clip(0, 255)[..., None], 3, axis=2)
        people = []
        if passing:
            x = 20 + 12 * frame
            image[100:340, x : x + 80] = rng.uniform(0, 255, (240, 80, 3))
            if frame % 2:  # in every other frame the detector misses them
                camera = Camera(SIZE[0], SIZE, np.eye(4))
                corners = np.array([[x, 100], [x + 80, 340]]) - [SIZE[0] / 2, SIZE[1] / 2]
                people = [somebody(np.column_stack([corners / SIZE[0], np.ones(2)]), camera)]
        image = image.astype(np.uint8)
        stretches[-1].observe(image, frame / 30, people, frame in cuts)
        if frame in cuts:
            stretches.append(Background(SIZE))
            stretches[-1].observe(image, frame / 30, people)
    whole, *others = stretches
    for other in others:
        whole.go_on(other)
    return whole


def turning(much):
    """Rotation vectors (T, 3) that go up to so many degrees, about all axes."""
    share = np.linspace(0, 1, FRAMES)
    return np.radians(much) * np.stack([0.3 * np.sin(3 * share), share, 0.2 * np.sin(5 * share)], axis=1)


@pytest.mark.parametrize("much", [0.0, 2.0, 30.0])
@pytest.mark.parametrize("passing", [False, True])
def test_a_turn(much, passing):
    vectors = turning(much)
    found = turns_of(film(vectors, np.ones(FRAMES), passing=passing).points.pairs, LENS)
    true = matrix_from_vector(vectors) @ matrix_from_vector(vectors[0]).T
    assert np.degrees(geodesic_angle(found.rotations, true)).max() < 0.02 * much + 0.05
    assert found.zooms == pytest.approx(1, abs=0.004)


def test_a_zoom_is_no_turn():
    zooms = np.linspace(1, 1.5, FRAMES)
    found = turns_of(film(np.zeros((FRAMES, 3)), zooms).points.pairs, LENS)
    assert found.zooms == pytest.approx(zooms, rel=0.005)
    assert np.degrees(geodesic_angle(found.rotations, np.eye(3))).max() < 0.1


def test_a_wide_turn_tells_the_lens():
    lens, spread = focal_of(film(turning(30.0), np.ones(FRAMES)).points.pairs)
    assert lens == pytest.approx(LENS, rel=0.02)
    assert spread < 0.02


def test_a_camera_that_stands_tells_no_lens():
    _, spread = focal_of(film(np.zeros((FRAMES, 3)), np.ones(FRAMES)).points.pairs)
    assert spread > 0.3


PLAIN = np.full((1200, 2400), 128.0)


def test_where_nothing_can_be_followed_the_camera_keeps_what_it_had():
    found = turns_of(film(turning(20.0), np.ones(FRAMES), noise=0, background=PLAIN).points.pairs, LENS)
    assert np.isnan(found.misfit).all()
    assert np.abs(found.rotations - np.eye(3)).max() == 0
    assert (found.zooms == 1).all()


def test_noise_that_is_followed_shows_by_its_misfit():
    turned, noise = (
        film(turning(20.0), np.ones(FRAMES), background=one).points.pairs for one in (None, PLAIN)
    )
    right, wrong = (np.nanmedian(turns_of(pairs, LENS).misfit) for pairs in (turned, noise))
    assert right < 0.001 < 0.002 < wrong


def test_a_clip_in_stretches_is_one_clip():
    vectors, zooms = turning(20.0), np.linspace(1, 1.2, FRAMES)
    whole, cut = (turns_of(film(vectors, zooms, cuts=cuts).points.pairs, LENS) for cuts in ((), (11, 12, 30)))
    assert len(cut.zooms) == FRAMES
    assert np.degrees(geodesic_angle(cut.rotations, whole.rotations)).max() < 0.2
    assert cut.zooms == pytest.approx(whole.zooms, rel=0.005)


@pytest.mark.parametrize("cuts", [(), (11, 12, 30)])
def test_points_keep_their_numbers(cuts):
    """Through key frames and stretches: a point of one number lies in one direction."""
    vectors = turning(25.0)
    pairs = film(vectors, np.ones(FRAMES), cuts=cuts).points.pairs
    turns = matrix_from_vector(vectors)
    directions = {}
    for pair in pairs:
        rays = np.column_stack([pair.after / LENS, np.ones(len(pair.after))]) @ turns[pair.frame]
        for number, ray in zip(pair.numbers, rays / np.linalg.norm(rays, axis=1, keepdims=True), strict=True):
            directions.setdefault(number, []).append(ray)
    off = [
        np.linalg.norm(np.array(rays) - np.median(rays, axis=0), axis=1).max() for rays in directions.values()
    ]
    assert np.quantile(off, 0.9) < 0.008
    # and it is seen for long
    assert len({pair.key for pair in pairs}) > 2
    assert np.quantile([len(rays) for rays in directions.values()], 0.8) > FRAMES / 3
