"""What the training's tests learn from: a little mocap, and detections that are exactly known."""

import numpy as np
import pytest
import torch

from kinelift.core.bvh import write_bvh
from kinelift.core.rotations import rotation_between
from kinelift.core.skeleton import INDEX, JOINTS, PARENTS, STANDARD_HEIGHT
from kinelift.tests.motions import random_capture, random_motion
from kinelift.tests.training.comparison import FRAMES
from kinelift.training import emulator, evaluate
from kinelift.training.compare import Material
from kinelift.training.detected import _HAND_DIRECTION, CARRIERS, FILE_JOINTS, fit_detector, load_detected
from kinelift.training.emulator import emulated
from kinelift.training.mistakes import Detections, Mistakes
from kinelift.training.mocap import load_mocap
from kinelift.training.pose_training import make_pool


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Networks this small only wait for each other's threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def mocap(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mocap")
    for seed in range(3):
        write_bvh(random_motion(60 + 20 * seed, seed), folder / f"clip{seed}.bvh")
    return folder


@pytest.fixture(scope="session")
def placement():
    """Where every landmark lies from its joint, metres at standard height."""
    return np.random.default_rng(9).normal(0, 0.02, (33, 3))


@pytest.fixture(scope="session")
def detected(tmp_path_factory, placement):
    """A detected batch whose landmarks lie exactly where `placement` says, on T-posed bodies."""
    folder = tmp_path_factory.mktemp("detected")
    parts = []
    for seed in range(4):
        capture = random_capture(40 + seed, seed + 20)
        motion = capture.motion
        scale = STANDARD_HEIGHT / motion.height
        points = [
            motion.joints[:, at] + motion.world_rotations[:, by] @ (placement[k] / scale)
            for k, (at, by) in enumerate(CARRIERS)
        ]
        landmarks = np.concatenate(
            [capture.camera.project(np.stack(points, 1)), np.ones((len(motion), 33, 1))], -1
        )
        parts.append((capture, np.insert(landmarks, 2, 0, axis=2)))
    _write_part(folder / "part_00.npz", parts)
    return folder


def _write_part(path, parts):
    def joint(motion, name):
        known = {"nose": "head", "heel": "foot", "toe_tip": "toe"}
        base, dot, side = name.partition(".")
        return INDEX[known.get(base, base) + dot + side]

    rows = {k: [] for k in ("landmarks", "joints_world", "joint_rotations", "contact_points")}
    clips = {k: [] for k in ("K", "camera_from_world", "joint_rest", "source")}
    for capture, landmarks in parts:
        motion = capture.motion
        order = [joint(motion, name) for name in FILE_JOINTS]
        rest = np.zeros((len(JOINTS), 3))
        for j, parent in enumerate(PARENTS):
            rest[j] = motion.offsets[j] + (rest[parent] if parent >= 0 else 0)
        rows["landmarks"].append(landmarks)
        rows["joints_world"].append(motion.joints[:, order])
        rows["joint_rotations"].append(motion.world_rotations[:, order] @ _hands(order))
        rows["contact_points"].append(motion.contacts > 0.5)
        centre, focal = capture.camera.centre, capture.camera.focal
        clips["K"].append([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]])
        clips["camera_from_world"].append(capture.camera.camera_from_world)
        clips["joint_rest"].append(rest[order])
        clips["source"].append("known")
    first = np.cumsum([0] + [len(x) for x in rows["landmarks"]])
    np.savez(
        path,
        first=first,
        **{k: np.concatenate(v) for k, v in rows.items()},
        **{k: np.array(v) for k, v in clips.items()},
    )


def _hands(order):
    """The files' bodies rest with bent hands: their rotations are relative to that."""
    turns = np.tile(np.eye(3), (len(order), 1, 1))
    for side, sign in (("L", 1.0), ("R", -1.0)):
        bent = rotation_between(_HAND_DIRECTION * [sign, 1, 1], np.array([sign, 0.0, 0.0]))
        turns[[i for i, j in enumerate(order) if JOINTS[j] == f"hand.{side}"]] = bent
    return turns


@pytest.fixture(scope="session")
def material(mocap, detected):
    sequences = load_detected(detected)
    detector, clips = fit_detector(sequences), load_mocap(mocap)
    pool = make_pool(clips, "cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emulator, "_EPOCHS", 1)
        pool.mistakes = Mistakes(emulated(detector, sequences), "cpu")
    pool.detections = Detections(sequences, "cpu")
    clear, noisy = (evaluate.test_batches(clips, detector, noise, FRAMES, 2, 2) for noise in (False, True))
    return Material(pool, clear, noisy, {"rendered/one": noisy[0], "real/two": clear[0]})
