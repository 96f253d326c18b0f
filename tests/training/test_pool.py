"""What the pool draws: true bodies, seen from where they are, each of its own."""

import numpy as np
import pytest
import torch

from kinelift.core.kinematics import joint_positions
from kinelift.core.landmarks import PLACES
from kinelift.core.skeleton import (
    INDEX,
    MIRROR,
    STANDARD_HEIGHT,
    TEMPLATE_LENGTHS,
    rest_offsets,
    standing_height,
)
from kinelift.training.dice import Dice
from kinelift.training.mocap import load_mocap
from kinelift.training.pool import Pool
from kinelift.training.variety import positions, reaching, straightened

PLACEMENT = np.array([place for _, _, place in PLACES])


@pytest.fixture(scope="module")
def clips(mocap):
    return load_mocap(mocap)


@pytest.fixture(scope="module")
def pool(clips):
    return Pool(clips, PLACEMENT, "cpu")


def test_the_same_seed_draws_the_same_batch_and_another_another(pool):
    a, b, c = (vars(pool.draw(20, 3, seed)) for seed in (1, 1, 2))
    for name, value in a.items():
        assert torch.equal(value.nan_to_num(), b[name].nan_to_num()), name
    assert not torch.equal(a["joints"], c["joints"])


@pytest.mark.parametrize("frames", [1, 9])
def test_bodies_are_whole_and_before_the_camera(pool, frames):
    batch = pool.draw(200, frames, 0)
    for name, value in vars(batch).items():
        assert torch.isfinite(value).all(), name
        assert value.shape[0] == 200, name
    unit = batch.rotations.mT @ batch.rotations
    assert torch.allclose(unit, torch.eye(3).expand_as(unit), atol=1e-4)
    assert torch.allclose(torch.linalg.det(batch.rotations), torch.ones(200, frames, 21), atol=1e-4)
    again = joint_positions(batch.rotations, batch.joints[:, :, 0], rest_offsets(batch.lengths)[:, None])
    assert torch.allclose(again, batch.joints, atol=1e-4)
    assert torch.allclose(standing_height(batch.lengths), torch.tensor(STANDARD_HEIGHT), atol=1e-4)
    assert (batch.joints[:, :, 0, 1] > 1.2).all()
    assert torch.allclose(torch.linalg.vector_norm(batch.up, dim=-1), torch.ones(200), atol=1e-5)


def test_every_window_has_a_body_and_a_camera_of_its_own(pool):
    batch = pool.draw(300, 1, 0)
    assert len(batch.lengths.unique(dim=0)) == 300
    assert len(batch.up.unique(dim=0)) == 300


def test_landmarks_are_where_the_body_appears(pool):
    batch = pool.draw(100, 4, 3)
    for landmark, (at, _, place) in enumerate(PLACES):
        joint = batch.joints[:, :, INDEX[at]]
        seen = torch.cat([joint[..., :1], -joint[..., 2:]], -1) / joint[..., 1:2]
        off = torch.linalg.vector_norm((batch.rays[:, :, landmark] - seen) * joint[..., 1:2], dim=-1)
        assert off.max() < 1.6 * np.linalg.norm(place) + 0.08, landmark


def test_without_mixing_a_pose_is_a_clips_or_its_mirror_image(clips):
    batch = Pool(clips, PLACEMENT, "cpu", mixed=False).draw(60, 1, 0)
    known = torch.cat([torch.as_tensor(c.rotations, dtype=torch.float32) for c in clips])
    flip = torch.tensor([-1.0, 1, 1])
    known = torch.cat([known, known[:, list(MIRROR)] * (flip[:, None] * flip)])
    known, drawn = (x[:, :1].mT @ x for x in (known, batch.rotations[:, 0]))
    away = torch.cdist(drawn.flatten(1), known.flatten(1)).amin(1)
    assert away.max() < 1e-2
    mixed = Pool(clips, PLACEMENT, "cpu").draw(60, 1, 0).rotations[:, 0]
    away = torch.cdist((mixed[:, :1].mT @ mixed).flatten(1), known.flatten(1)).amin(1)
    assert (away > 0.1).float().mean() > 0.5


def test_limbs_are_straightened_and_never_bent_the_other_way(pool):
    before = pool.rotations[None, :200].expand(50, -1, -1, -1, -1)
    after = straightened(Dice(torch.device("cpu"), 0), before)
    straight = 0
    for upper, lower, axis in (("thigh", "shin", 2), ("upper_arm", "forearm", 0)):
        for side in "LR":
            a, b = (
                torch.stack([x[:, :, INDEX[f"{n}.{side}"], :, axis] for n in (upper, lower)])
                for x in (before, after)
            )
            was, now = (torch.rad2deg(torch.arccos((x[0] * x[1]).sum(-1).clamp(-1, 1))) for x in (a, b))
            assert (now <= was + 0.1).all() and (was - now).max() < 36
            straight += int((now < 0.1).sum())
            # what the limb ends in keeps about its place
            moved = torch.linalg.vector_norm(a.sum(0) - b.sum(0), dim=-1)
            assert moved.max() < 0.8
    assert straight > 0
    foot = INDEX["foot.L"]
    assert torch.equal(before[:, :, foot], after[:, :, foot])


@pytest.mark.parametrize("side", ["L", "R"])
def test_hands_reach_by_arms_of_the_same_length(pool, side):
    before = pool.rotations[None, :80].expand(40, -1, -1, -1, -1)
    after = reaching(Dice(torch.device("cpu"), 1), before, side, share=1.0)
    unit = after.mT @ after
    assert torch.allclose(unit, torch.eye(3).expand_as(unit), atol=1e-4)
    changed = {j for j in range(21) if not torch.equal(before[:, :, j], after[:, :, j])}
    assert changed == {INDEX[f"{n}.{side}"] for n in ("upper_arm", "forearm", "hand")}
    lengths = torch.as_tensor(TEMPLATE_LENGTHS, dtype=torch.float32).expand(40, -1)
    joints = positions(after, torch.zeros(40, 80, 3), lengths)
    hand, head = (joints[:, :, INDEX[n]] for n in (f"hand.{side}", "head"))
    # some of them are at the face
    assert (torch.linalg.vector_norm(hand - head, dim=-1).mean(1) < 0.2).sum() >= 3
    # the wrist does what it did
    forearm, wrist = (INDEX[f"{n}.{side}"] for n in ("forearm", "hand"))
    was, now = (x[:, :, forearm].mT @ x[:, :, wrist] for x in (before, after))
    assert torch.allclose(was, now, atol=1e-4)
