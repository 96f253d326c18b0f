"""Detected sequences hold the truth, and the detector model fits them."""

from dataclasses import replace

import numpy as np

from kinelift.core.camera import WORLD_FROM_LEVEL_CAMERA
from kinelift.core.rotations import axis_angle
from kinelift.core.skeleton import STANDARD_HEIGHT
from kinelift.tests.motions import random_capture
from kinelift.training import detected as detected_module
from kinelift.training.detected import (
    fit_detector,
    is_seen,
    load_detected,
)


def test_detected_sequences_hold_the_truth_in_camera_axes(detected):
    for seed, sequence in enumerate(load_detected(detected)):
        capture = random_capture(40 + seed, seed + 20)
        motion = capture.motion
        level = WORLD_FROM_LEVEL_CAMERA @ capture.camera.camera_from_world[:3]
        scale = STANDARD_HEIGHT / motion.height
        joints = (motion.joints @ level[:, :3].T + level[:, 3]) * scale
        known = detected_module.POSITIONED
        assert np.allclose(sequence.joints[:, known], joints[:, known], atol=2e-3)
        turned = detected_module.ROTATED
        assert np.allclose(
            sequence.rotations[:, turned], (level[:, :3] @ motion.world_rotations)[:, turned], atol=2e-3
        )
        assert np.allclose(sequence.up, level[:, 2])


def test_the_placement_of_landmarks_is_found_again(detected, placement):
    detector = fit_detector(load_detected(detected))
    swap = detected_module.LANDMARK
    other = [swap[detected_module._swap(n)] for n in detected_module.LANDMARKS]
    symmetric = (placement + placement[other] * [-1, 1, 1]) / 2
    assert np.abs(detector.placement - symmetric).max() < 2e-3


def test_a_body_seen_straight_is_the_same_wherever_the_camera_looks():
    points = np.random.default_rng(0).normal(0, 0.4, (20, 33, 3)) + np.array([0.0, 4, 0])
    hips = [detected_module.LANDMARK[f"hip.{side}"] for side in "LR"]
    points[:, :, ::2] -= points[:, hips, ::2].mean(1, keepdims=True)  # straight ahead
    straight = detected_module.seen_straight(points)
    ahead = points - points[:, hips].mean(1, keepdims=True)
    assert np.allclose(straight, ahead[..., [0, 2, 1]] * [1, -1, 1])
    panned = points @ axis_angle(np.array([0.0, 0, 1]), np.array(0.4)).T
    assert np.allclose(detected_module.seen_straight(panned), straight)


def test_what_is_about_something_else_is_told(detected):
    sequence = load_detected(detected)[0]
    assert is_seen(sequence)
    rays = sequence.rays.copy()
    rays[: len(rays) // 4] += 0.5
    assert not is_seen(replace(sequence, rays=rays))
    rays[: len(rays) // 4] = np.nan
    assert not is_seen(replace(sequence, rays=rays))
