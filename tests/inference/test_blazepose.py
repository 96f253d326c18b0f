"""BlazePose on torch answers as MediaPipe does with the same files, and looks where it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import mediapipe
import numpy as np
import numpy.typing as npt
import pytest
import torch
from mediapipe.tasks.python import BaseOptions, vision

from kinelift.core.arrays import Array
from kinelift.core.errors import CaptureError
from kinelift.core.landmarks import LANDMARK, MIRRORED
from kinelift.inference.blazepose.answers import LandmarkNetwork
from kinelift.inference.blazepose.heat import spreads
from kinelift.inference.blazepose.landmarks import SIZE, Pose, PoseFinder
from kinelift.inference.blazepose.people import PeopleFinder
from kinelift.inference.blazepose.region import Region, around
from kinelift.inference.blazepose.runner import MediaPipeRunner, TorchRunner
from kinelift.inference.blazepose.task import FULL, HEAVY, landmark_network, people_network, read_task
from kinelift.inference.blazepose.tflite import read
from kinelift.tests.videos import SAMPLE, Image, read_video

CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Several threads wait for each other where others compute too."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def frames() -> list[Image]:
    return read_video(SAMPLE)[::40]


@pytest.fixture(scope="module")
def finder() -> Iterator[PeopleFinder]:
    with closing(PeopleFinder(CPU)) as finder:
        yield finder


@pytest.fixture(scope="module")
def full() -> Iterator[PoseFinder]:
    with closing(PoseFinder(FULL, CPU)) as poses:
        yield poses


def _picture(image: Image) -> Any:
    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))


def _tensor(image: Image) -> torch.Tensor:
    return torch.from_numpy(image[None]).permute(0, 3, 1, 2) / 255


@pytest.mark.parametrize("path", [FULL, HEAVY], ids=["full", "heavy"])
def test_the_landmark_network_answers_what_its_file_says(
    frames: list[Image], finder: PeopleFinder, path: Path
) -> None:
    crop = finder.find(frames[1])[0].cut(frames[1], SIZE, cv2.BORDER_REPLICATE)
    # MediaPipe's embedder runs any network, and says what comes out of it
    options = vision.ImageEmbedderOptions(
        base_options=BaseOptions(model_asset_buffer=landmark_network(path)),
        l2_normalize=False,
        quantize=False,
    )
    with vision.ImageEmbedder.create_from_options(options) as embedder:
        points, score, mask, heatmaps, world = (
            torch.tensor(one.embedding) for one in embedder.embed(_picture(crop)).embeddings
        )
    with torch.inference_mode():
        answers = LandmarkNetwork(path, mask=True).answers(_tensor(crop))
    assert score > 0.9 and answers.score[0] == pytest.approx(float(score), abs=1e-5)
    off = (answers.points[0] - points.view(39, 5)).abs()
    assert off[:, :2].max() < 0.01 and off[:, 2].max() < 0.05, "pixels"
    assert off[:, 3:].max() < 0.001, "visibility, presence"
    # MediaPipe's sums of the full network are off by 3e-5 themselves, those of torch by 3e-6
    assert (answers.world[0] - world.view(39, 3)).abs().max() < 5e-5, "metres"
    assert (answers.heatmaps[0] - heatmaps.view(64, 64, 39).permute(2, 0, 1)).abs().max() < 1e-3
    assert answers.mask is not None
    assert (answers.mask[0].sigmoid() - mask.view(SIZE, SIZE).sigmoid()).abs().max() < 1e-3
    assert {side: maps.shape[2:] for side, maps in answers.features.items()} == {
        side: (side, side) for side in (2, 8, 16, 64)
    }


@pytest.mark.parametrize("path", [FULL, HEAVY], ids=["full", "heavy"])
def test_poses_are_mediapipes(frames: list[Image], finder: PeopleFinder, path: Path) -> None:
    options = vision.PoseLandmarkerOptions(base_options=BaseOptions(model_asset_buffer=read_task(path)))
    with (
        vision.PoseLandmarker.create_from_options(options) as landmarker,
        closing(PoseFinder(path, CPU)) as poses,
    ):
        for image in frames:
            (pose,) = poses.poses(image, finder.find(image)[:1])
            found = landmarker.detect(_picture(image))
            size = image.shape[1], image.shape[0]
            theirs = np.array(
                [(p.x * size[0], p.y * size[1], p.z * size[0]) for p in found.pose_landmarks[0]]
            )
            assert np.abs(pose.landmarks[:, :2] - theirs[:, :2]).max() < 0.5
            assert np.abs(pose.landmarks[:, 2] - theirs[:, 2]).max() < 1
            sure = np.array([(p.visibility, p.presence) for p in found.pose_landmarks[0]])
            assert np.abs(pose.landmarks[:, 3:] - sure).max() < 0.01
            world = np.array([(p.x, p.y, p.z) for p in found.pose_world_landmarks[0]])
            assert np.abs(pose.world - world).max() < 0.002


def test_a_pose_says_where_to_look_next(
    frames: list[Image], finder: PeopleFinder, full: LandmarkNetwork
) -> None:
    (found,) = finder.find(frames[0])
    (first,) = full.poses(frames[0], [found])
    (again,) = full.poses(frames[0], [first.around])
    assert first.score > 0.9 and again.score > 0.9
    height = np.ptp(first.landmarks[:, 1])
    assert np.linalg.norm(again.landmarks[:, :2] - first.landmarks[:, :2], axis=1).mean() < 0.03 * height
    assert abs(first.around.turn) < 0.2 and height < first.around.side < 2 * height


def _somewhere_else(pose: Pose) -> Region:
    """The region of somebody who is turned upside down with the picture."""
    x, y = pose.around.middle
    return Region((719 - x, 719 - y), pose.around.side, pose.around.turn + np.pi)


def test_somebody_upside_down_is_seen_as_well(
    frames: list[Image], finder: PeopleFinder, full: PoseFinder
) -> None:
    (found,) = full.poses(frames[0], finder.find(frames[0]))
    (upright,) = full.poses(frames[0], [found.around])
    (turned,) = full.poses(np.ascontiguousarray(frames[0][::-1, ::-1]), [_somewhere_else(found)])
    assert np.abs(719 - turned.landmarks[:, :2] - upright.landmarks[:, :2]).max() < 2
    assert np.abs(turned.world[:, :2] + upright.world[:, :2]).max() < 0.02
    assert np.abs(turned.world[:, 2] - upright.world[:, 2]).max() < 0.02


def test_several_regions_at_once(frames: list[Image], finder: PeopleFinder, full: PoseFinder) -> None:
    region = finder.find(frames[2])[0]
    other = Region(region.middle, 1.2 * region.side, 0.1)
    both = full.poses(frames[2], [region, other])
    for one, alone in zip(both, (full.poses(frames[2], [r])[0] for r in (region, other)), strict=True):
        np.testing.assert_allclose(one.landmarks, alone.landmarks, atol=0.05)


def test_nobody_is_found_where_nobody_is(finder: PeopleFinder, full: PoseFinder) -> None:
    empty = np.full((300, 400, 3), 120, np.uint8)
    assert finder.find(empty) == []
    assert full.poses(empty, [Region((200, 150), 200)])[0].score < 0.1
    assert full.poses(empty, []) == []


def test_a_region_is_cut_where_it_says() -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    head, hips = np.array([180.0, 60.0]), np.array([140.0, 100.0])
    cv2.circle(image, (180, 60), 3, (255, 255, 255), -1)
    region = around(hips, head)
    assert region.turn == pytest.approx(np.pi / 4) and region.side == pytest.approx(2.5 * 40 * 2**0.5)
    cut = region.cut(image, SIZE, cv2.BORDER_CONSTANT)
    rows, columns = np.nonzero(cut[..., 0] > 128)
    seen = np.array([columns.mean(), rows.mean()]) / SIZE
    assert seen == pytest.approx((0.5, 0.1), abs=0.01), "the head is straight above the hips"
    assert region.place(seen) == pytest.approx(head, abs=1)


def test_a_part_of_a_picture_is_searched(frames: list[Image], finder: PeopleFinder) -> None:
    image = cv2.copyMakeBorder(frames[0], 0, 3000, 0, 3000, cv2.BORDER_CONSTANT)
    assert finder.find(image) == [], "too small"
    (whole,) = finder.find(frames[0])
    for parts in ([Region((360, 360), 720)], [Region((360, 360), 720), Region((400, 330), 640)]):
        (found,) = finder.find(image, parts=parts)
        assert found.middle == pytest.approx(whole.middle, abs=10), "once, where they are"
        assert found.side == pytest.approx(whole.side, rel=0.1)


def test_two_looks_agree_and_err_differently(frames: list[Image], finder: PeopleFinder) -> None:
    with closing(PoseFinder(FULL, CPU, 2)) as twice, closing(PoseFinder(FULL, CPU)) as once:
        for image in frames:
            regions = finder.find(image)
            mirrored = image[:, ::-1]
            middle = regions[0].middle
            other = [Region((image.shape[1] - 1 - middle[0], middle[1]), regions[0].side, -regions[0].turn)]
            one, mean = once.poses(image, regions)[0], twice.poses(image, regions)[0]
            back = twice.poses(mirrored, other)[0].landmarks[list(MIRRORED)]
            back[:, 0] = image.shape[1] - 1 - back[:, 0]
            height = np.ptp(one.landmarks[:, 1])
            off = np.linalg.norm(mean.landmarks[:, :2] - one.landmarks[:, :2], axis=1)
            assert 0.0005 * height < off.mean() < 0.02 * height
            # the mirrored picture is seen as the picture is, but for a pixel of the crop
            assert np.abs(back[:, :2] - mean.landmarks[:, :2]).mean() < 0.01 * height


@pytest.mark.parametrize("data", [people_network(FULL), landmark_network(FULL)], ids=["people", "landmarks"])
def test_torch_answers_as_mediapipe_does(frames: list[Image], data: bytes) -> None:
    graph = read(data)
    wanted = graph.outputs if len(graph.outputs) == 2 else [graph.outputs[i] for i in (0, 1, 3, 4)]
    side = graph.shapes[graph.inputs[0]][1]
    scale, offset = (1 / 127.5, -1.0) if len(wanted) == 2 else (1 / 255, 0.0)
    pictures = [cv2.resize(image, (side, side)) for image in frames[:2]]
    with (
        closing(MediaPipeRunner(data, graph, wanted)) as one,
        closing(TorchRunner(graph, wanted, CPU, scale, offset)) as other,
    ):
        answers = one.run(pictures), other.run(pictures)
    for theirs, ours in zip(*answers, strict=True):
        assert theirs.shape == ours.shape and len(ours) == 2
        np.testing.assert_allclose(ours, theirs, atol=2e-3, rtol=1e-3)
    if len(wanted) > 2:  # so are spreads
        theirs, ours = (
            spreads(points.reshape(2, -1, 5)[:, :33, :2] / SIZE, heatmaps)
            for points, _, heatmaps, _ in answers
        )
        np.testing.assert_allclose(ours, theirs, rtol=0.01, atol=1e-7)


def _heatmap(covariance: npt.ArrayLike, at: tuple[float, float], peak: float = 0.9) -> Array:
    """A heatmap's logits (64, 64) of a normal distribution, in cells."""
    rows, columns = np.mgrid[:64, :64]
    off = np.stack([columns, rows], -1) - at
    heat = peak * np.exp(-0.5 * np.einsum("...i,ij,...j->...", off, np.linalg.inv(covariance), off))
    return np.asarray(np.log(np.maximum(heat, 1e-9) / (1 - heat)))


def test_a_spread_lies_as_the_heat_does_and_grows_with_it() -> None:
    at = (30.3, 22.7)
    shapes = [np.array([[1.5, 0.8], [0.8, 2.5]]) * scale for scale in (1, 2, 4)]
    heatmaps = np.stack([_heatmap(shape, at) for shape in shapes])
    heatmaps = np.repeat(heatmaps[..., None], 33, axis=-1)
    places = np.tile(np.array(at) / 64, (3, 33, 1))
    found = spreads(places, heatmaps)
    nose = LANDMARK["nose"]
    for one, shape in zip(found[:, nose], shapes, strict=True):
        assert one / one[0] == pytest.approx(shape[[0, 0, 1], [0, 1, 1]] / shape[0, 0], abs=0.05)
    wide = found[:, nose, [0, 2]].mean(-1)
    assert (wide[1:] / wide[:-1] > 2.2).all() and (wide[1:] / wide[:-1] < 4).all()
    # it is about the landmark, not about the heat's middle
    beside = spreads(np.add(places, [3 / 64, 0]), heatmaps)
    assert (beside[:, nose, 0] > found[:, nose, 0]).all()


def test_a_mirror_turns_spreads_round(frames: list[Image], finder: PeopleFinder, full: PoseFinder) -> None:
    image = finder.find(frames[0])[0].cut(frames[0], SIZE, cv2.BORDER_REPLICATE)
    whole = [Region((SIZE / 2, SIZE / 2), SIZE)]
    again, one = full.with_mirrored(image, whole[0])
    (other,) = full.poses(np.ascontiguousarray(image[:, ::-1]), whole)
    np.testing.assert_allclose(one.spread, other.spread[list(MIRRORED)] * [1, -1, 1], rtol=1e-4)
    with closing(PoseFinder(FULL, CPU, 2)) as twice:
        (mean,) = twice.poses(image, whole)
        both = twice.with_mirrored(image, whole[0])
    np.testing.assert_array_equal([pose.spread for pose in both], [mean.spread, one.spread])
    # two looks err as each does on average, and where they disagree
    x, y = (one.landmarks - again.landmarks)[:, :2].T / 2
    expected = (one.spread + again.spread) / 2 + np.stack([x * x, x * y, y * y], -1)
    np.testing.assert_allclose(mean.spread, expected, rtol=1e-3, atol=1e-3)


def test_a_landmark_without_heat_may_be_anywhere_near() -> None:
    places = np.full((1, 33, 2), 0.5)
    cold, warm = np.full((1, 64, 64, 33), -20.0), _heatmap(np.eye(2), (32, 32))[None, ..., None]
    (nothing,), (something,) = spreads(places, cold), spreads(places, np.repeat(warm, 33, axis=-1))
    assert (nothing[:, 0] > 30 * something[:, 0]).all() and np.abs(nothing[:, 1]).max() < 1e-6
    outside = spreads(np.full((1, 33, 2), [1.4, -0.3]), cold)
    assert np.isfinite(outside).all() and (outside[..., [0, 2]] > 0).all()


def test_spreads_turn_and_grow_with_their_region() -> None:
    region = Region((200.0, 100.0), 300.0, 0.7)
    points = np.random.default_rng(0).multivariate_normal([0.5, 0.4], [[0.02, 0.01], [0.01, 0.03]], 50)
    covariances = (np.cov(points.T), np.cov(region.place(points).T))
    inside, placed = (one[[0, 0, 1], [0, 1, 1]] for one in covariances)
    np.testing.assert_allclose(region.place_spread(inside), placed)
    np.testing.assert_allclose(region.place_spread(np.tile(inside, (4, 33, 1)))[3, 32], placed)


def test_the_network_can_be_trained() -> None:
    full = LandmarkNetwork()
    answers = full.answers(torch.rand(2, 3, SIZE, SIZE))
    answers.world.square().sum().backward()  # type: ignore[no-untyped-call]
    first = next(full.network.parameters())
    assert first.grad is not None and first.grad.abs().max() > 0


@pytest.mark.parametrize("path", [FULL, HEAVY], ids=["full", "heavy"])
def test_an_altered_network_is_refused(tmp_path: Path, path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[5_000_000] ^= 1
    (tmp_path / path.name).write_bytes(content)
    with pytest.raises(CaptureError, match="altered"):
        PoseFinder(tmp_path / path.name, CPU)
    (tmp_path / path.name).unlink()
    with pytest.raises(CaptureError, match="missing"):
        PoseFinder(tmp_path / path.name, CPU)
