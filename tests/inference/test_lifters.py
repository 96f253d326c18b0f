"""The papers' networks and what fits a skeleton to their joints."""

import pytest
import torch
from kinelift.inference.kinematics import joint_positions
from kinelift.inference.landmarks import MIRRORED
from kinelift.inference.lifters.fit import turned_onto, with_lengths
from kinelift.inference.lifters.gcn import GraphLifter
from kinelift.inference.lifters.simple import SimpleBaseline
from kinelift.inference.lifters.tpnet import TemporalPoseNet
from kinelift.inference.lifters.ugcn import STEP, UGCN, WINDOW, subsets
from kinelift.inference.lifters.view import FEATURES, view
from kinelift.inference.skeleton import INDEX, JOINTS, MIRROR, PARENTS, rest_offsets
from kinelift.tests.motions import random_motion


def known():
    motion = random_motion(40, 3)
    return motion, torch.as_tensor(motion.joints)[None], torch.as_tensor(motion.lengths)[None]


def test_known_lengths_change_no_direction():
    _, joints, lengths = known()
    stretched = with_lengths(joints, 1.3 * lengths)
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            old, new = (x[..., joint, :] - x[..., parent, :] for x in (joints, stretched))
            assert torch.allclose(new, 1.3 * old, atol=1e-5), JOINTS[joint]
    assert torch.allclose(with_lengths(stretched, lengths), joints, atol=1e-5)


def test_rotations_from_joints_put_a_rigid_body_back_where_it_was():
    motion, joints, lengths = known()
    offsets = rest_offsets(lengths)[:, None]
    assert torch.allclose(joint_positions(turned_onto(joints), joints[:, :, 0], offsets), joints, atol=1e-3)
    true = torch.as_tensor(motion.world_rotations)[None]
    assert torch.allclose(turned_onto(joints, true), true, atol=1e-3)  # nothing to turn, so the roll stays


def test_neighbours_are_parted_by_hops_to_the_hips():
    same, farther, nearer = subsets()
    shin = INDEX["shin.L"]
    assert same[shin].nonzero().flatten().tolist() == [shin]
    assert farther[shin].nonzero().flatten().tolist() == [INDEX["foot.L"]]
    assert nearer[shin].nonzero().flatten().tolist() == [INDEX["thigh.L"]]
    assert torch.allclose(farther[0].sum(), torch.tensor(1.0))


def test_an_impulse_is_felt_in_the_windows_that_hold_it_and_the_windows_are_averaged():
    torch.manual_seed(0)
    model = UGCN(8).eval()
    frames = WINDOW + 3 * STEP
    still = torch.randn(1, frames, FEATURES)
    struck = still.clone()
    struck[:, 0] += 1
    with torch.no_grad():
        windows = [model.encode(still[:, i * STEP : i * STEP + WINDOW]) for i in range(4)]
        whole, changed = model.encode(still), model.encode(struck)
    assert torch.allclose(whole[:, :STEP], windows[0][:, :STEP], atol=1e-5)
    assert torch.allclose(
        whole[:, STEP : 2 * STEP], (windows[0][:, STEP : 2 * STEP] + windows[1][:, :STEP]) / 2, atol=1e-5
    )
    assert not torch.equal(whole[:, :WINDOW], changed[:, :WINDOW])
    assert torch.equal(whole[:, WINDOW:], changed[:, WINDOW:])


@pytest.mark.parametrize(
    "model",
    [
        SimpleBaseline(16),
        GraphLifter(8, 2, shared=True),
        GraphLifter(8, 2, shared=False),
        UGCN(8),
        TemporalPoseNet(8, True, 8),
        TemporalPoseNet(8, False, 8),
    ],
    ids=["simple", "gcn shared", "gcn classes", "ugcn", "tp-net online", "tp-net semi-online"],
)
def test_the_mirrored_clip_is_lifted_to_the_mirrored_joints(model):
    torch.manual_seed(1)
    rays, confidence = torch.randn(1, 20, 33, 2) * 0.1, torch.rand(1, 20, 33)
    hint = torch.full((1, 20, 33, 3), torch.nan)
    x = torch.tensor([-1.0, 1, 1])
    model.eval()
    with torch.no_grad():
        here = model(view(rays, confidence, hint), flip=True).joints()
        order = list(MIRRORED)
        there = model(view(rays[:, :, order] * x[:2], confidence[:, :, order], hint), flip=True).joints()
        body = model(view(rays, confidence, hint))
    assert torch.allclose(there[:, :, list(MIRROR)] * x, here, atol=1e-4)
    identity = body.rotations @ body.rotations.transpose(-1, -2)
    assert torch.allclose(identity, torch.eye(3).expand_as(identity), atol=1e-4)
