"""The project's own detector in the loop: the detector finds the drawn bodies, the files say the truth."""

import numpy as np

from kinelift.core.kinematics import joint_positions, world_rotations
from kinelift.core.landmarks import LANDMARKS, PLACES
from kinelift.core.rotations import matrix_from_vector
from kinelift.core.skeleton import (
    INDEX,
    JOINTS,
    LENGTHS,
    STANDARD_HEIGHT,
    TEMPLATE_LENGTHS,
    rest_offsets,
    standing_height,
)
from kinelift.training.bodies import Scene, make, truth
from kinelift.training.detected import POSITIONED, ROTATED, landmarks_on, load_sequences
from kinelift.training.poses import made_clips


def test_made_motion_stays_within_what_joints_allow_and_on_the_floor():
    clips = made_clips(3, seed=4)
    assert len({clip.name for clip in clips}) == len(clips) / 3 >= 5
    for clip in clips:
        turns = clip.rotations
        np.testing.assert_allclose(turns @ np.swapaxes(turns, -1, -2), np.eye(3) + 0 * turns, atol=1e-9)
        joints = joint_positions(turns, clip.root, rest_offsets(clip.lengths))
        assert joints[..., 2].min() > 0.0 and joints[..., 2].min(1).max() < 0.3
        for side, sign in (("L", 1.0), ("R", -1.0)):
            for upper, lower, bone, towards in (
                ("thigh", "shin", [0, 0, -1.0], [0, 1.0, 0]),
                ("upper_arm", "forearm", [sign, 0, 0], [0, -1.0, 0]),
            ):
                along = turns[:, INDEX[f"{lower}.{side}"]] @ bone
                bent = (along * (turns[:, INDEX[f"{upper}.{side}"]] @ towards)).sum(-1)
                assert bent.min() > -1e-6
        quickest = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max() * 30
        assert quickest < 14
    again = made_clips(3, seed=4)
    assert all((a.rotations == b.rotations).all() for a, b in zip(clips, again, strict=True))


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
    nobody = {"landmarks": np.full((5, 33, 4), np.nan), "world_landmarks": np.full((5, 33, 3), np.nan)}
    alone = {name: value[None] for name, value in (once | {"source": np.array("made")}).items()}
    np.savez(tmp_path / "part_0.npz", first=np.array([0, 5]), **of_frames, **nobody, **alone)
    assert of_frames["joints_world"][..., 2].min() == 0  # it stands on the floor of an upright world

    (back,) = load_sequences(tmp_path)
    np.testing.assert_allclose(back.joints[:, POSITIONED], joints[:, POSITIONED], atol=1e-4)
    np.testing.assert_allclose(back.rotations[:, ROTATED], rotations[:, ROTATED], atol=2e-3)
    np.testing.assert_allclose(back.lengths, lengths, atol=1e-4)
    np.testing.assert_allclose(back.up, up, atol=1e-5)
    assert (back.contacts == (contacts > 0.5)).all()


def test_the_detector_finds_the_body_where_the_truth_is_and_a_batch_goes_on(tmp_path):
    make(tmp_path, [], 1, seed=3)
    (part,) = tmp_path.iterdir()
    (sequence,) = load_sequences(tmp_path)
    seen = np.isfinite(sequence.rays[..., 0]).all(1)
    assert len(seen) == 90 and seen.mean() > 0.9
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
