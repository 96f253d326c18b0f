"""Known motions: what the tests put in, so that they know what has to come out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kinelift.core.camera import WORLD_FROM_LEVEL_CAMERA, Camera, focal_pixels
from kinelift.core.capture import Capture, Source, still_camera, turns_not_known
from kinelift.core.landmarks import PLACES, nothing_known
from kinelift.core.motion import Motion
from kinelift.core.rotations import matrix_from_vector, quaternion_from_matrix
from kinelift.core.skeleton import INDEX, JOINTS, LENGTHS, STANDARD_HEIGHT, TEMPLATE_LENGTHS, rest_offsets


def _wander(
    rng: np.random.Generator, seconds: npt.NDArray[Any], shape: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """Smooth random curves (T, *shape) of about unit size: three slow waves each."""
    waves = rng.uniform(0.2, 1.2, (3, *shape))
    phases = rng.uniform(0, 2 * np.pi, (3, *shape))
    angles = 2 * np.pi * waves * seconds.reshape(-1, 1, *(1 for _ in shape)) + phases
    curves: npt.NDArray[np.float64] = np.sin(angles).mean(axis=1)
    return curves


def level_camera(size: tuple[int, int], distance: float = 4.5, height: float = 1.2) -> Camera:
    """A camera `distance` metres before the origin, a little raised and turned, as somebody would hold it."""
    yaw, pitch = np.radians(12), np.radians(-7)
    turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    world_from_camera = turn @ tilt @ WORLD_FROM_LEVEL_CAMERA
    place = turn @ np.array([0.1, -distance, height])
    pose = np.eye(4)
    pose[:3, :3] = world_from_camera.T
    pose[:3, 3] = -world_from_camera.T @ place
    return Camera(focal_pixels(28.0, size), size, pose)


def landmarks_on(motion: Motion) -> npt.NDArray[np.float64]:
    """The places (T, 33, 3) of the landmarks on a body."""
    size = motion.height / STANDARD_HEIGHT
    return np.stack(
        [
            motion.joints[:, INDEX[joint]]
            + motion.world_rotations[:, INDEX[carrier]] @ (size * np.array(offset))
            for joint, carrier, offset in PLACES
        ],
        axis=1,
    )


def random_capture(
    frames: int,
    seed: int = 0,
    *,
    fps: float = 30.0,
    size: tuple[int, int] = (1920, 1080),
    warnings: tuple[str, ...] = (),
) -> Capture:
    """A person of random proportions who moves every joint smoothly while walking about before the camera.

    The landmarks are their places on the body seen by the camera, without noise.
    """
    rng = np.random.default_rng(seed)
    seconds = np.arange(frames) / fps
    offsets = rest_offsets(TEMPLATE_LENGTHS * rng.uniform(0.9, 1.1, len(LENGTHS)))
    vectors = _wander(rng, seconds, (len(JOINTS), 3)) * 1.5
    angles = np.linalg.norm(vectors, axis=-1, keepdims=True)
    rotations = np.concatenate(
        [np.cos(angles / 2), np.sin(angles / 2) * vectors / np.maximum(angles, 1e-9)], -1
    )
    root = _wander(rng, seconds, (3,)) * [1.2, 0.8, 0.15] + [0, 0, 0.95]
    motion = Motion(
        fps=fps,
        start=0.0,
        offsets=offsets,
        rotations=rotations,
        root=root,
        contacts=0.5 + 0.5 * _wander(rng, seconds, (4,)),
    )
    camera = level_camera(size)
    seen = landmarks_on(motion)
    pixels = camera.project(seen)
    return Capture(
        motion=motion,
        camera=camera,
        confidence=np.full((frames, len(JOINTS)), 0.9),
        landmarks=np.concatenate([pixels, np.full((frames, 33, 1), 0.95)], axis=-1),
        world_landmarks=(seen - motion.joints[:, :1]) @ camera.camera_from_world[:3, :3].T,
        spread=rng.uniform([4, -2, 4], [9, 2, 9], (frames, 33, 3)),
        presence=np.full((frames, 33), 0.98),
        turn_spread=np.full((frames, len(JOINTS)), 0.05),
        **still_camera(frames),
        source=Source("random.mp4"),
        warnings=warnings,
    )


def filmed_moving(capture: Capture, seed: int = 0) -> Capture:
    """The same person filmed by a camera that turns, travels and zooms, with its landmarks."""
    frames = len(capture)
    curves = _wander(np.random.default_rng(seed), np.arange(frames) / capture.motion.fps, (7,))
    moving = replace(
        capture,
        camera_turns=quaternion_from_matrix(matrix_from_vector(0.3 * curves[:, :3])),
        camera_places=0.5 * curves[:, 3:6],
        camera_zooms=1.2 ** curves[:, 6],
    )
    pixels = moving.cameras.project(landmarks_on(capture.motion))
    return replace(moving, landmarks=np.concatenate([pixels, capture.landmarks[..., 2:]], axis=-1))


def random_motion(frames: int, seed: int = 0, *, fps: float = 30.0) -> Motion:
    """The motion of `random_capture`."""
    return random_capture(frames, seed, fps=fps).motion


def capture_of(motion: Motion, size: tuple[int, int] = (1920, 1080)) -> Capture:
    """A capture with a known motion, of which nothing was seen."""
    frames = len(motion)
    return Capture(
        motion=motion,
        camera=level_camera(size),
        confidence=np.ones((frames, len(JOINTS))),
        turn_spread=turns_not_known(frames),
        **nothing_known(frames),
        **still_camera(frames),
    )
