"""What must be true of a lifter whatever it has learnt: tested on random weights and on the shipped ones."""

import hashlib
import json

import numpy as np
import pytest
import torch

from kinelift.core.errors import CaptureError
from kinelift.core.landmarks import MIRRORED, bridge
from kinelift.core.motion import CONTACT_POINTS
from kinelift.core.rotations import axis_angle, matrix_from_6d
from kinelift.core.skeleton import INDEX, JOINTS, MIRROR
from kinelift.inference import lift as lifting
from kinelift.inference.lift import levelled, lift, straightened
from kinelift.inference.lifters.lifter import SPREADS
from kinelift.inference.lifters.pose_lifter import PoseLifter
from kinelift.inference.lifters.view import FEATURES, USED, mirror_features, view
from kinelift.inference.lifters.weights import load_weights, save_weights
from kinelift.inference.pipeline import WEIGHTS
from kinelift.training.methods.motionet import MotioNet

CPU = torch.device("cpu")


def random_pose_lifter():
    """One whose every part says something."""
    torch.manual_seed(4)
    model = PoseLifter(width=32, blocks=1, context=16).eval()
    for layer in (model.head, model.context.head, model.context.spread):
        torch.nn.init.normal_(layer.weight, std=0.1)
    return model


@pytest.fixture(params=["random", "shipped", "pose"])
def model(request):
    if request.param == "shipped":
        return load_weights(WEIGHTS, CPU)
    if request.param == "pose":
        return random_pose_lifter()
    torch.manual_seed(3)
    return MotioNet(channels=32, static_channels=16, stages=2).eval()


def person(frames=50, seed=0):
    """Rays (T, 33, 2) of something like a person that wanders, with confidence."""
    rng = np.random.default_rng(seed)
    body = rng.normal(0, 0.08, (33, 2)) * [0.5, 1.5]
    way = np.cumsum(rng.normal(0, 0.004, (frames, 1, 2)), 0) + rng.normal(0, 0.1, 2)
    jitter = np.cumsum(rng.normal(0, 0.002, (frames, 33, 2)), 0)
    return body + way + jitter, rng.uniform(0.3, 1, (frames, 33))


def mirrored(rays, confidence):
    swapped = list(MIRRORED)
    return rays[:, swapped] * [-1, 1], confidence[:, swapped]


@pytest.mark.slow
def test_the_mirrored_clip_is_lifted_to_the_mirrored_motion(model):
    seen = person()
    body = lift(*seen, 30.0, model)
    other = lift(*mirrored(*seen), 30.0, model)
    flip = np.diag([-1.0, 1, 1])
    contacts = [CONTACT_POINTS.index(n[:-1] + {"L": "R", "R": "L"}[n[-1]]) for n in CONTACT_POINTS]
    assert np.allclose(other.rotations[:, list(MIRROR)], flip @ body.rotations @ flip, atol=1e-4)
    assert np.allclose(other.root, body.root * [-1, 1, 1], atol=1e-4)
    assert np.allclose(other.contacts[:, contacts], body.contacts, atol=1e-4)
    assert np.allclose(other.lengths, body.lengths, atol=1e-5)
    assert np.allclose(other.up, body.up * [-1, 1, 1], atol=1e-4)


def test_mirroring_the_features_is_mirroring_the_landmarks():
    seen, other = (
        [torch.as_tensor(x, dtype=torch.float32)[None] for x in clip]
        for clip in (person(), mirrored(*person()))
    )
    assert torch.allclose(mirror_features(view(*seen).features), view(*other).features, atol=1e-5)


def test_a_person_elsewhere_in_the_picture_looks_the_same_to_the_lifter():
    """Turning the camera changes where the person is and nothing of what the virtual camera sees."""
    rays, confidence = (torch.as_tensor(x, dtype=torch.float64)[None] for x in person())
    angle = torch.tensor(0.35, dtype=torch.float64)
    c, s = torch.cos(angle), torch.sin(angle)
    pan = torch.stack(
        [torch.stack([c, 0 * c, s]), torch.tensor([0.0, 1, 0]).double(), torch.stack([-s, 0 * c, c])]
    )
    turned = torch.cat([rays, torch.ones_like(rays[..., :1])], -1) @ pan.T
    a = view(rays, confidence)
    b = view(turned[..., :2] / turned[..., 2:], confidence)
    landmarks = 3 * len(USED)
    # the centre of a perspective image moves a little against its parts
    assert (a.features - b.features)[..., :landmarks].abs().max() < 0.05
    assert torch.allclose(a.size, b.size, rtol=0.03)


def test_bones_keep_their_lengths_and_rotations_are_rotations(model):
    body = lift(*person(frames=80), 30.0, model)
    m = body.rotations
    assert np.allclose(m @ np.swapaxes(m, -1, -2), np.eye(3), atol=1e-5)
    assert np.allclose(np.linalg.det(m), 1, atol=1e-5)
    assert (body.lengths > 0.01).all() and body.lengths.shape == (12,)


@pytest.mark.slow
@pytest.mark.parametrize("fps", [5.0, 23.976, 30.0, 60.0, 240.0])
def test_any_frame_rate_comes_back_at_its_own(model, fps):
    seconds = 2.0
    seen = person(frames=int(seconds * fps))
    body = lift(*seen, fps, model)
    assert len(body.root) == len(body.rotations) == len(body.contacts) == len(seen[0])
    assert all(np.isfinite(x).all() for x in vars(body).values() if x is not None)


@pytest.mark.slow
@pytest.mark.parametrize("fps", [12.0, 60.0])
def test_what_a_lifter_doubts_comes_back_at_any_frame_rate(fps):
    body = lift(*person(frames=50), fps, PoseLifter(32, 1).eval())
    assert body.turn_spread.shape == (50, len(JOINTS)) and (body.turn_spread > 0).all()


@pytest.mark.slow
def test_the_frame_rate_does_not_change_the_motion():
    """The same movement, sampled twice as often, is the same movement."""
    model = load_weights(WEIGHTS, CPU)
    t = np.arange(0, 3, 1 / 60)
    rays, confidence = person(frames=1)
    sway = 0.05 * np.stack([np.sin(2 * t), 0.3 * np.cos(3 * t)], -1)[:, None]
    rays, confidence = rays + sway * np.linspace(0, 1, 33)[:, None], np.repeat(confidence, len(t), 0)
    fast = lift(rays, confidence, 60.0, model)
    slow = lift(rays[::2], confidence[::2], 30.0, model)
    assert np.abs(fast.rotations[::2] - slow.rotations).max() < 0.05
    assert np.abs(fast.root[::2] - slow.root).max() < 0.05


@pytest.mark.slow
def test_a_long_clip_is_lifted_in_stretches_as_in_one_piece(model, monkeypatch):
    seen = person(frames=200)
    whole = lift(*seen, 30.0, model)
    monkeypatch.setattr(lifting, "_STRETCH", 70)
    parts = lift(*seen, 30.0, model)
    for name in ("rotations", "root", "contacts", "up"):
        assert np.abs(getattr(parts, name) - getattr(whole, name)).max() < 1e-4, name
    # every stretch tells the bones' lengths, and their mean counts
    assert np.abs(np.log(parts.lengths / whole.lengths)).max() < 0.15


@pytest.mark.slow
def test_one_frame_and_gaps_are_lifted_without_nan(model):
    rays, confidence = person(frames=60)
    rays[20:31] = np.nan
    filled, seen = bridge(rays, confidence)
    assert np.isfinite(filled).all() and (seen[20:31] == 0).all() and (seen[:20] == confidence[:20]).all()
    assert np.allclose(filled[25], (rays[19] + rays[31]) / 2)
    for part in (slice(None), slice(0, 1), slice(0, 2)):
        body = lift(filled[part], seen[part], 30.0, model)
        assert all(np.isfinite(x).all() for x in vars(body).values() if x is not None)


@pytest.mark.slow
def test_weights_come_back_as_they_went(tmp_path):
    torch.manual_seed(5)
    model = PoseLifter(width=16, blocks=1, context=8).eval()
    save_weights(model, tmp_path / "w.safetensors")
    again = load_weights(tmp_path / "w.safetensors", CPU)
    a, b = lift(*person(), 30.0, model), lift(*person(), 30.0, again)
    assert np.allclose(a.rotations, b.rotations, atol=0.01)  # half precision on disk


def test_missing_and_altered_weights_are_refused_in_a_sentence(tmp_path):
    path = tmp_path / "w.safetensors"
    with pytest.raises(CaptureError, match="missing"):
        load_weights(path, CPU)
    save_weights(PoseLifter(width=16, blocks=1), path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CaptureError, match="altered"):
        load_weights(path, CPU)


def _metadata(content, **changes):
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] |= changes
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"", lambda content: content[: len(content) // 2],
        lambda content: (1 << 62).to_bytes(8, "little") + content[8:],
        lambda content: _metadata(content, lifter="other"),
        lambda content: _metadata(content, config="[" * 10**5),
        lambda content: _metadata(content, config="7"), lambda content: _metadata(content, config='{"x": 1}'),
        lambda content: _metadata(content, config='{"width": 8, "blocks": 1}'),
        lambda content: _metadata(content, config='{"width": "16"}'),
        lambda content: content[:-2] + b"\x00\x7e",  # NaN in half precision
    ],
)  # fmt: skip
def test_weights_that_this_lifter_cannot_use_are_refused_in_a_sentence(tmp_path, spoil):
    path = tmp_path / "w.safetensors"
    save_weights(PoseLifter(width=16, blocks=1), path)
    path.write_bytes(spoil(path.read_bytes()))
    path.with_suffix(".sha256").write_text(hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(CaptureError, match="holds no weights that this lifter can use"):
        load_weights(path, CPU)


def test_the_shipped_weights_are_small_enough():
    assert WEIGHTS.stat().st_size <= 16 * 2**20


def test_spreads_of_the_mirrored_clip_are_the_mirrored_spreads():
    model = random_pose_lifter()
    seen, other = (
        [torch.as_tensor(x, dtype=torch.float32)[None] for x in clip]
        for clip in (person(), mirrored(*person()))
    )
    with torch.no_grad():
        a, b = (model(model.see(*clip), flip=True).spread for clip in (seen, other))
    for name, value in a._asdict().items():
        there = getattr(b, name)
        if name in ("along", "across", "turn"):
            there = there[..., list(MIRROR)]
        assert torch.allclose(value, there, rtol=1e-4), name


def test_a_guess_about_the_roll_of_a_bone_does_not_turn_the_bone():
    axes = PoseLifter(width=8, blocks=1).axes
    along = {"thigh": 2, "forearm": 0, "spine": 2, "foot": 1}
    sixd = torch.randn(200, 6, generator=torch.Generator().manual_seed(0))
    other = torch.cat([sixd[:, :3], torch.randn(200, 3, generator=torch.Generator().manual_seed(1))], 1)
    for joint, j in INDEX.items():
        axis = along.get(joint.split(".")[0])
        if axis is None:
            continue
        bones = [(matrix_from_6d(x) @ axes[j])[:, :, axis] for x in (sixd, other)]
        assert torch.allclose(*bones, atol=1e-5), joint
    assert torch.allclose(torch.linalg.det(axes), torch.ones(len(axes)))


def test_a_frame_without_context_is_lifted_alone():
    model = PoseLifter(width=32, blocks=1).eval()
    torch.nn.init.normal_(model.head.weight, std=0.1)
    seen = [torch.as_tensor(x, dtype=torch.float32)[None] for x in person()]
    with torch.no_grad():
        whole = model(model.see(*seen)).rotations[:, 20:21]
        alone = model(model.see(*(x[:, 20:21] for x in seen))).rotations
    assert torch.allclose(whole, alone, atol=1e-5)


def test_the_lengths_of_a_clip_are_those_of_its_surest_frames():
    model = PoseLifter(width=32, blocks=1).eval()
    features = torch.randn(1, 6, FEATURES, generator=torch.Generator().manual_seed(2))
    torch.nn.init.normal_(model.head.weight, std=0.1)
    frame = model.encode(features)[1]["lengths"]
    # of two frames the first is a hundred times as sure
    sure = torch.full((1, 2, SPREADS), -4.0)
    sure[:, 1] += np.log(100)
    model.spread.register_forward_hook(lambda *_: sure)
    whole = model.encode(features[:, :2])[0].lengths
    assert torch.allclose(whole, frame[:, 0], atol=1e-3)
    assert not torch.allclose(whole, frame[:, 1], atol=1e-3)


def test_cameras_that_seem_a_little_rolled_are_level_and_rolled_ones_stay_rolled():
    def rolled(degrees, pitch=-20.0):
        roll, pitch = np.radians(degrees), np.radians(pitch)
        return axis_angle(np.array([0.0, 1, 0]), np.array(roll)) @ [0.0, np.sin(pitch), np.cos(pitch)]

    for degrees, most in ((3.0, 0.5), (-6.0, 2.5), (30.0, 29.0)):
        up = levelled(rolled(degrees))
        left = np.degrees(np.arctan2(up[0], up[2]))
        assert 0 < left * np.sign(degrees) < most and np.isclose(np.linalg.norm(up), 1)
        assert np.isclose(up[1], rolled(degrees)[1])  # its pitch stays
    assert left > 27


def test_limbs_that_are_nearly_straight_are_straightened_and_point_where_they_pointed():
    bends = np.radians([0.0, 10, 20, 45, 90])
    rotations = np.tile(np.eye(3), (len(bends), len(JOINTS), 1, 1))
    side = np.tile([1.0, 0, 0], (len(bends), 1))
    thigh, shin, foot = (INDEX[f"{name}.L"] for name in ("thigh", "shin", "foot"))
    rotations[:, thigh], rotations[:, shin] = axis_angle(side, -bends / 2), axis_angle(side, bends / 2)
    straighter = straightened(rotations)
    down = np.array([0.0, 0, -1])
    after = np.arccos(np.clip(((straighter[:, thigh] @ down) * (straighter[:, shin] @ down)).sum(-1), -1, 1))
    assert (after <= bends + 1e-9).all() and after[1] < np.radians(3) and after[4] > np.radians(80)
    assert (np.diff(after) > 0).all()
    ahead = (straighter[:, thigh] + straighter[:, shin]) @ down
    np.testing.assert_allclose(ahead[:, :2], 0, atol=1e-6)
    assert (straighter[:, foot] == rotations[:, foot]).all()
