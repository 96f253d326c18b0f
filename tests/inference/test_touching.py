"""People who touch each other are as far away as each other there, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kinelift.bench.gatherings import GATHERINGS
from kinelift.bench.stage import looking
from kinelift.core.capture import Capture
from kinelift.core.options import ALL, Settings
from kinelift.core.skeleton import INDEX
from kinelift.inference.touching import touches, touching_said
from kinelift.tests.inference.test_bad_input import filmed
from kinelift.tests.inference.test_everybody import everybody
from kinelift.tests.motions import capture_of

#: how much farther away one of two people comes out, as a share
FARTHER = 1.04


def of(name: str) -> list[Capture]:
    """What a good detector says of a made-up scene's people, with their true motions."""
    scene = GATHERINGS[name]()
    camera = looking(*scene.cameras[""])
    return [
        filmed(replace(capture_of(one), camera=camera), noise=0.003) for one in (scene.motion, *scene.others)
    ]


def farther(capture: Capture) -> Capture:
    """The same person, who looks the same from farther away."""
    motion, eye = capture.motion, capture.camera.eye
    root = eye + FARTHER * (motion.root - eye)
    return replace(capture, motion=replace(motion, root=root, offsets=FARTHER * motion.offsets))


@pytest.mark.parametrize("name", ["crossing", "post", "row"])
def test_who_passes_or_stands_beside_touches_nobody(name: str) -> None:
    found, when = touches(of(name))
    assert not any(found) and not np.any(when)


def test_hands_that_are_held_meet_half_way() -> None:
    one, other = of("hands")
    other = farther(other)
    (first, second), when = touches([one, other])
    assert first is not None and second is not None
    assert np.mean(when) > 0.9
    assert first.joints == (INDEX["hand.L"],) or first.joints == (INDEX["hand.R"],)
    depths = []
    for capture, touch in ((one, first), (other, second)):
        hand = capture.motion.joints[:, touch.joints[0]]
        depths.append(np.linalg.norm(hand - capture.camera.eye, axis=-1))
    middle = np.mean(depths, axis=0)
    held = when[0]
    for touch in (first, second):
        np.testing.assert_allclose(touch.far[held, 0], middle[held], atol=0.02)
        assert touch.weight[held].max() == 1 and (touch.weight >= 0).all()
    assert "guess" in touching_said(one, when[0])


@pytest.mark.parametrize("name", ["hug", "lift"])
def test_hands_on_somebodys_trunk(name: str) -> None:
    people = of(name)
    found, when = touches(people)
    fps = people[0].motion.fps
    # before anybody reaches out nobody is touched, and then for seconds
    assert any(found) and not np.any(when, axis=0)[: round(0.5 * fps)].any()
    assert np.any(when, axis=0).sum() > 0.8 * fps
    # true hands are where they touch already
    for capture, touch in zip(people, found, strict=True):
        if touch is not None:
            hands = capture.motion.joints[:, touch.joints] - capture.camera.eye
            off = np.abs(np.linalg.norm(hands, axis=-1) - touch.far)[touch.weight > 0.5]
            assert np.median(off) < 0.1


@pytest.mark.slow
def test_hands_that_are_held_are_captured_together() -> None:
    truth = of("hands")
    lens = truth[0].camera.focal_mm
    found = everybody(*truth, settings=Settings(person=ALL, focal=lens, height=truth[0].motion.height))
    assert all(any("Hands seem to touch" in said for said in one.warnings) for one in found)
    ways = found[0].motion.joints[:, [INDEX["hand.L"], INDEX["hand.R"]]][:, :, None] - found[1].motion.joints[
        :, None, [INDEX["hand.L"], INDEX["hand.R"]]
    ]  # fmt: skip
    nearest = np.linalg.norm(ways, axis=-1).min((1, 2))
    assert np.median(nearest) < 0.1
    # one world still
    assert np.array_equal(found[0].camera.camera_from_world, found[1].camera.camera_from_world)
    assert abs(found[0].camera.eye[2] - truth[0].camera.eye[2]) < 0.1


@pytest.mark.slow
def test_who_is_lifted_is_not_put_on_the_floor() -> None:
    truth = of("lift")
    lens = truth[0].camera.focal_mm
    found = everybody(*truth, settings=Settings(person=ALL, focal=lens, height=truth[0].motion.height))
    lifter, lifted = sorted(found, key=lambda one: float(np.ptp(one.motion.root[:, 2])))
    for capture, known in zip((lifter, lifted), truth, strict=True):
        np.testing.assert_allclose(capture.motion.root[:, 2], known.motion.root[:, 2], atol=0.06)
    apart, true = (np.linalg.norm((a.motion.root - b.motion.root)[:, :2], axis=1) for a, b in (found, truth))
    assert np.abs(apart - true).mean() < 0.08 * true.mean()
