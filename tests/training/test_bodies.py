"""The project's own detector in the loop: the detector finds the drawn bodies, the files say the truth."""

import numpy as np
import pytest

from kinelift.core.kinematics import joint_positions, world_rotations
from kinelift.core.landmarks import LANDMARKS, PLACES, landmarks_on
from kinelift.core.rotations import matrix_from_vector
from kinelift.core.skeleton import (
    JOINTS,
    LENGTHS,
    STANDARD_HEIGHT,
    TEMPLATE_LENGTHS,
    rest_offsets,
    standing_height,
)
from kinelift.training.bodies import Scene, make, truth
from kinelift.training.detected import POSITIONED, ROTATED, load_detected


def test_what_is_written_of_a_scene_comes_back(tmp_path):
    """Through joints, rotations relative to the references' rest pose, and a camera that is held askew."""
    rng = np.random.default_rng(6)
    lengths = TEMPLATE_LENGTHS.copy()
    lengths[
        [LENGTHS.index(name) for name in ("forearm", "hand", "thigh", "shin", "foot", "toe", "head")]
    ] *= 1.1
    lengths *= STANDARD_HEIGHT / standing_height(lengths)
    vectors = rng.normal(0, 0.8, (5, len(JOINTS), 3))
    rotations = world_rotations(matrix_from_vector(vectors))
    root = rng.normal(0, 0.2, (5, 3)) + np.array([0, 4.0, 0])
    joints = joint_positions(rotations, root, rest_offsets(lengths))
    up = np.array([0.2, -0.1, 0.97]) / np.linalg.norm([0.2, -0.1, 0.97])
    contacts = (rng.random((5, 4)) > 0.5).astype(float)
    of_frames, once = truth(Scene(rotations, joints, lengths, contacts, up, 300.0, (320, 240)))
    nobody = {"landmarks": np.full((5, 33, 4), np.nan)}
    alone = {name: value[None] for name, value in (once | {"source": np.array("made")}).items()}
    np.savez(tmp_path / "part_0.npz", first=np.array([0, 5]), **of_frames, **nobody, **alone)
    assert of_frames["joints_world"][..., 2].min() == 0  # it stands on the floor of an upright world

    (back,) = load_detected(tmp_path)
    np.testing.assert_allclose(back.joints[:, POSITIONED], joints[:, POSITIONED], atol=1e-4)
    np.testing.assert_allclose(back.rotations[:, ROTATED], rotations[:, ROTATED], atol=2e-3)
    np.testing.assert_allclose(back.lengths, lengths, atol=1e-4)
    np.testing.assert_allclose(back.up, up, atol=1e-5)
    assert (back.contacts == (contacts > 0.5)).all()


@pytest.mark.slow
def test_the_detector_finds_the_body_where_the_truth_is_and_a_batch_goes_on(tmp_path):
    make(tmp_path, [], 1, seed=3)
    (part,) = tmp_path.iterdir()
    (sequence,) = load_detected(tmp_path)
    seen = np.isfinite(sequence.rays[..., 0]).all(1)
    assert len(seen) == 45 and seen.mean() > 0.9
    assert np.isclose(standing_height(sequence.lengths), STANDARD_HEIGHT, rtol=0.01)
    points = landmarks_on(sequence.joints, sequence.rotations, np.array([place for _, _, place in PLACES]))
    rays = np.stack([points[..., 0], -points[..., 2]], -1) / points[..., 1:2]
    off = np.linalg.norm(sequence.rays - rays, axis=-1) * points[..., 1] / STANDARD_HEIGHT
    assert np.median(off[seen]) < 0.04
    for name in ("shoulder.L", "hip.R", "knee.L", "ankle.R"):
        assert np.median(off[seen][:, LANDMARKS.index(name)]) < 0.05, name

    before = part.read_bytes()
    part.write_bytes(before[:100])  # whatever is there is left alone
    make(tmp_path, [], 1, seed=3)
    assert part.read_bytes() == before[:100]
