"""A video file becomes frames, upright and in time, or one clear sentence."""

from __future__ import annotations

import os
import shutil
import struct
import threading
import zlib
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from kinelift.core.errors import CaptureError
from kinelift.inference.footage import MAX_SIDE
from kinelift.inference.video import VideoReader
from kinelift.tests.videos import (
    SAMPLE,
    encoded,
    number,
    numbered,
    trimmed,
    turned,
    with_times,
    write_video,
)


def test_every_frame_of_a_plain_video_comes_once_at_its_time() -> None:
    clip = VideoReader(SAMPLE)
    frames = [(frame.index, frame.time, frame.image.shape) for frame in clip]
    assert (clip.size, clip.fps, clip.frames, clip.warnings) == ((720, 720), 30.0, 120, [])
    assert [index for index, _, _ in frames] == list(range(120))
    np.testing.assert_allclose([time for _, time, _ in frames], np.arange(120) / 30, atol=1e-6)
    assert {shape for _, _, shape in frames} == {(720, 720, 3)}


@pytest.mark.parametrize("size", [(96, 48), (48, 96), (64, 64)])
def test_colours_and_shape(tmp_path: Path, size: tuple[int, int]) -> None:
    image = np.zeros((size[1], size[0], 3), np.uint8)
    image[:, : size[0] // 2] = (220, 30, 30)
    clip = VideoReader(write_video(tmp_path / "red_left.mp4", [image] * 3))
    frame = next(iter(clip))
    assert clip.size == size and frame.image.shape == image.shape
    assert np.abs(frame.image.astype(int) - image).mean() < 8


@pytest.mark.parametrize("fps", [5.0, 24.0, 30.0, 60.0, 240.0])
def test_the_frame_nearest_in_time_stands_for_each_moment(tmp_path: Path, fps: float) -> None:
    clip = VideoReader(write_video(tmp_path / "numbers.mp4", numbered(60)), fps=fps)
    frames = [(frame.index, frame.time, number(frame.image)) for frame in clip]
    wanted = np.arange(len(frames)) / fps
    assert len(frames) == pytest.approx(2 * fps, abs=fps / 30)
    shown = np.array([shown for _, _, shown in frames])
    np.testing.assert_allclose([time for _, time, _ in frames], shown / 30, atol=1e-6)
    assert np.abs(shown / 30 - wanted).max() <= 1 / 60 + 1e-6


@pytest.mark.parametrize("fps", [5.0, 240.0])
def test_slow_and_fast_videos_keep_their_own_rate(tmp_path: Path, fps: float) -> None:
    clip = VideoReader(write_video(tmp_path / "numbers.mp4", numbered(40), fps))
    assert clip.fps == pytest.approx(fps)
    assert [number(frame.image) for frame in clip] == list(range(40))


def test_variable_frame_rate_is_resampled_by_time(tmp_path: Path) -> None:
    # two seconds at 30 frames per second, then three at 10
    times = np.concatenate([np.arange(60) / 30, 2 + np.arange(30) / 10])
    video = with_times(write_video(tmp_path / "uneven.mp4", numbered(90)), times)
    own = VideoReader(video)
    assert own.fps == pytest.approx(90 / 5, rel=0.01)
    for clip in (own, VideoReader(video, fps=25)):
        frames = [(frame.time, number(frame.image)) for frame in clip]
        assert len(frames) == pytest.approx(5 * clip.fps, abs=2)
        for index, (time, shown) in enumerate(frames):
            assert time == pytest.approx(times[shown], abs=1e-3)
            off = np.abs(times - index / clip.fps)
            assert off[shown] == pytest.approx(off.min(), abs=1e-3)


@pytest.mark.parametrize(("start", "end"), [(0.0, 0.5), (1.0, 2.5), (3.0, None), (3.9, None), (3.99, None)])
def test_a_range_is_met_to_the_frame(tmp_path: Path, start: float, end: float | None) -> None:
    clip = VideoReader(write_video(tmp_path / "numbers.mp4", numbered(120)), start, end)
    frames = list(clip)
    first, last = round(start * 30), min(round((end or 4) * 30), 120)
    expected = list(range(first, last)) or [119]
    assert [number(frame.image) for frame in frames] == expected
    assert clip.frames == len(expected)
    assert frames[0].index == 0


def test_a_range_of_a_video_with_variable_frame_rate(tmp_path: Path) -> None:
    times = np.concatenate([np.arange(20) / 5, 4 + np.arange(60) / 30])
    video = with_times(write_video(tmp_path / "uneven.mp4", numbered(80)), times)
    assert [number(frame.image) for frame in VideoReader(video, 5, 5.5, fps=30)] == list(range(50, 65))


@pytest.mark.parametrize(
    ("times", "fps"),
    [
        (np.arange(240) / 30, None),
        (np.arange(240) * 1001 / 12000, None),
        (np.concatenate([np.arange(120) / 30, 4 + np.arange(120) / 10]), None),
        (np.concatenate([np.arange(120) / 10, 12 + np.arange(120) / 30]), 24.0),
        (np.concatenate([np.arange(120) / 30, 4.9 + np.arange(120) / 30]), 60.0),
    ],
    ids=["even", "29.97", "slows down", "speeds up", "a gap"],
)
def test_a_part_is_what_comes_from_the_whole(tmp_path: Path, times: np.ndarray, fps: float | None) -> None:
    clip = VideoReader(with_times(write_video(tmp_path / "numbers.mp4", numbered(240)), times), 0.3, fps=fps)
    whole = [(frame.index, frame.time, number(frame.image)) for frame in clip]
    count = len(whole)
    for first, last in ((0, 5), (20, 40), (count // 2, count // 2 + 9), (count // 2 + 9, None)):
        part = clip.part(first, last)
        assert [(frame.index, frame.time, number(frame.image)) for frame in part] == whole[first:last]
    assert not list(clip.part(count + 50)) and not clip.warnings


def test_a_part_begins_right_wherever_it_is_cut(tmp_path: Path) -> None:
    """In a gap between frames too, where the nearest one is far from the cut."""
    times = np.concatenate([np.arange(45) / 30, 2.4 + np.arange(30) / 30])
    clip = VideoReader(with_times(write_video(tmp_path / "gap.mp4", numbered(75)), times), fps=30)
    whole = [number(frame.image) for frame in clip]
    for first in range(0, len(whole), 3):
        assert number(next(iter(clip.part(first))).image) == whole[first]


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_rotation_in_the_file_is_honoured(tmp_path: Path, degrees: int, mirrored: bool) -> None:
    image = np.full((48, 96, 3), 60, np.uint8)
    image[:24, :48] = 220  # top left
    clip = VideoReader(turned(write_video(tmp_path / "phone.mp4", [image] * 3), degrees, mirrored))
    expected = np.rot90(image, -degrees // 90)
    expected = expected[:, ::-1] if mirrored else expected
    assert clip.size == expected.shape[1::-1]
    assert (clip.turn, clip.mirrored) == (degrees, mirrored)
    assert np.abs(next(iter(clip)).image.astype(int) - expected).mean() < 8


@pytest.mark.parametrize(
    ("pixels", "size"),
    [
        (Fraction(4, 3), (128, 48)),
        (Fraction(8, 9), (85, 48)),
        (Fraction(1), (96, 48)),
        (Fraction(1, 100), (96, 48)),
        (Fraction(200), (96, 48)),
    ],
)
def test_pixels_become_square_unless_the_file_talks_nonsense(
    tmp_path: Path, pixels: Fraction, size: tuple[int, int]
) -> None:
    image = np.full((48, 96, 3), 60, np.uint8)
    image[:, :48] = 220
    clip = VideoReader(encoded(tmp_path / "dvd.mp4", [image] * 3, "mpeg4", pixels))
    shown = next(iter(clip)).image
    assert clip.size == shown.shape[1::-1] == size
    bright = shown[24, :, 0] > 140
    assert bright.sum() == pytest.approx(size[0] / 2, abs=1) and bright[0]


def test_wide_pixels_of_a_picture_that_lies_on_its_side(tmp_path: Path) -> None:
    image = np.full((48, 96, 3), 60, np.uint8)
    video = encoded(tmp_path / "phone.mp4", [image] * 3, "mpeg4", Fraction(4, 3))
    clip = VideoReader(turned(video, 90))
    assert clip.size == next(iter(clip)).image.shape[1::-1] == (48, 128)


@pytest.mark.parametrize(
    ("codec", "name"),
    [("libsvtav1", "a.mp4"), ("libx265", "a.mov"), ("libvpx-vp9", "a.webm"), ("libx264", "a.ts")],
)
def test_codecs_and_containers(tmp_path: Path, codec: str, name: str) -> None:
    clip = VideoReader(encoded(tmp_path / name, numbered(40), codec))
    frames = list(clip)
    assert [number(frame.image) for frame in frames] == list(range(40))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(40) / 30, atol=2e-3)
    assert [number(f.image) for f in VideoReader(tmp_path / name, 0.5, 1.0)] == list(range(15, 30))
    assert clip.warnings == []


@pytest.mark.parametrize("name", ["a.mp4", "a.ts"])
def test_after_damage_it_goes_on_and_says_what_is_bridged(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(1)
    grain = rng.integers(0, 20, (90, 48, 64, 3), np.uint8)
    video = encoded(tmp_path / name, np.array(numbered(90)) + grain, "libx264")
    data = bytearray(video.read_bytes())
    first, last = len(data) // 2, len(data) // 2 + len(data) // 12
    with av.open(str(video)) as file:
        packets = [p for p in file.demux(video=0) if p.pts is not None]
    begins = min(p.pts for p in packets)
    pictures = [(round((p.pts - begins) * p.time_base * 30), p) for p in packets]
    hurt = [at for at, p in pictures if p.pos < last and first < p.pos + p.size]
    whole = [at for at, p in pictures if p.is_keyframe]
    data[first:last] = bytes(last - first)
    video.write_bytes(data)
    clip = VideoReader(video)
    frames = list(clip)
    assert len(frames) == 90
    there = sorted({frame.time for frame in frames})
    before, after = max(pairwise(there), key=lambda pair: pair[1] - pair[0])
    assert 1 < before < after < 2.5
    # lost is what follows the damage up to a picture that is whole in itself, and the five before it at most:
    # decoders tell late of damage
    lost = range(min(hurt) - 5, min(at for at in whole if at > max(hurt)))
    assert {round(30 * time) for time in there} >= set(range(90)) - set(lost)
    assert len(clip.warnings) == 1
    assert (
        f"are damaged or missing from {before:.2f} to {after:.2f} s; the motion there is" in clip.warnings[0]
    )
    for frame in frames:  # what is shown is sound
        assert abs(number(frame.image) / 30 - frame.time) < 0.01


def test_a_lossless_trim_is_as_long_as_it_is(tmp_path: Path) -> None:
    clip = VideoReader(trimmed(write_video(tmp_path / "trim.mp4", numbered(90)), 1.0, 2.5))
    assert [number(frame.image) for frame in clip] == list(range(30, 75))
    assert (clip.frames, clip.warnings) == (45, [])
    assert [number(f.image) for f in VideoReader(clip.path, 0.5, 1.0)] == list(range(45, 60))


def test_nothing_but_the_file_itself_is_opened(tmp_path: Path) -> None:
    """FFmpeg reads lists of other files, too."""
    shutil.copy(SAMPLE, tmp_path / "other.mp4")
    for text in (
        "ffconcat version 1.0\nfile other.mp4\n",
        "#EXTM3U\n#EXTINF:4,\nother.mp4\n#EXT-X-ENDLIST\n",
    ):
        (tmp_path / "list.mp4").write_text(text)
        with pytest.raises(CaptureError, match="can't be read as a video"):
            VideoReader(tmp_path / "list.mp4")


def test_the_cover_of_a_song_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "song.mp3"), "w") as file:
        sound, cover = file.add_stream("mp3", 44100), file.add_stream("mjpeg", 25)
        cover.width = cover.height = 64
        cover.pix_fmt = "yuvj420p"
        cover.disposition = Disposition.attached_pic
        file.mux(cover.encode(av.VideoFrame.from_ndarray(numbered(1)[0])))
        quiet = av.AudioFrame.from_ndarray(np.zeros((2, 1152), np.float32), "fltp", "stereo")
        quiet.sample_rate = 44100
        file.mux(sound.encode(quiet))
        file.mux(sound.encode())
    with pytest.raises(CaptureError, match="can't be read as a video"):
        VideoReader(tmp_path / "song.mp3")


def test_giant_pictures_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    path = tmp_path / "giant.png"
    header = struct.pack(">IIBBBBB", 12000, 12000, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(36001) * 100)
    chunks = chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    with pytest.raises(CaptureError, match="12000 x 12000 pixels, are too large"):
        VideoReader(path)


def test_a_video_without_end_is_refused(tmp_path: Path) -> None:
    """A few bytes can claim to last for days."""
    video = with_times(write_video(tmp_path / "days.mp4", numbered(3)), [0, 1, 90_000])
    assert VideoReader(video, fps=30).frames > 1e6
    with pytest.raises(CaptureError, match="more than 432000 frames; capture a shorter stretch"):
        next(iter(VideoReader(video, fps=30)))
    assert len(list(VideoReader(video, 0, 2, fps=30))) == 60


def test_8k_is_scaled_down_and_one_frame_is_a_video(tmp_path: Path) -> None:
    clip = VideoReader(write_video(tmp_path / "large.mp4", [np.full((4320, 7680, 3), 99, np.uint8)]))
    frames = list(clip)
    assert clip.size == (7680, 4320)
    assert [frame.image.shape for frame in frames] == [(MAX_SIDE * 9 // 16, MAX_SIDE, 3)]


@pytest.mark.parametrize("name", ["with space.mp4", 'it\'s "quoted".mp4', "Спорт_踊り_%02d.mp4", "a:b.mp4"])
def test_names(tmp_path: Path, name: str) -> None:
    shutil.copy(SAMPLE, tmp_path / name)
    assert len(list(VideoReader(tmp_path / name, end=0.2))) == 6


def test_a_video_cut_off_is_read_as_far_as_it_goes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cut = tmp_path / "cut.mp4"
    data = SAMPLE.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    clip = VideoReader(cut)
    count = len(list(clip))
    assert 20 < count < 100
    assert len(clip.warnings) == 1 and f"{count / 30:.1f} of 4.0 s" in clip.warnings[0]
    assert capfd.readouterr() == ("", ""), "FFmpeg's own words don't reach the artist"


def test_reading_part_of_a_clip_leaves_no_thread(tmp_path: Path) -> None:
    for frame in VideoReader(SAMPLE):
        if frame.index == 3:
            break
    del frame
    frames = iter(VideoReader(SAMPLE))
    next(frames)
    frames.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name == "decode"]


def _unknown_codec(path: Path) -> None:
    path.write_bytes(SAMPLE.read_bytes().replace(b"avc1\0\0\0\0", b"zzzz\0\0\0\0"))


def _cut_before_its_index(path: Path) -> None:
    write_video(path, numbered(30))
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 4])


def _without_frames(path: Path) -> None:
    data = SAMPLE.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 4])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "no file"),
        (lambda path: path.mkdir(), "is a folder without numbered pictures; choose a video"),
        (lambda path: path.touch(), "is empty"),
        (lambda path: path.write_text("not a film\n" * 100), "can't be read as a video"),
        (lambda path: path.write_bytes(struct.pack(">I4s", 8, b"free") * 100), "can't be read as a video"),
        (_unknown_codec, "can't be read as a video"),
        (_cut_before_its_index, "can't be read as a video"),
        (_without_frames, "can be decoded"),
    ],
)
def test_what_is_no_video_gets_one_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], make: object, says: str
) -> None:
    path = tmp_path / "clip.mp4"
    assert callable(make)
    make(path)
    with pytest.raises(CaptureError, match=says) as error:
        VideoReader(path)
    assert "\n" not in str(error.value) and str(error.value).endswith(".")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("start", "end", "fps", "says"),
    [
        (4.0, None, None, "beyond the end.*4.0 s long"),
        (1000.0, None, None, "beyond the end.*4.0 s long"),
        (-1.0, None, None, "0 or more"),
        (2.0, 1.0, None, "end has to lie after the start"),
        (0.0, None, 4.0, "5 to 240"),
        (0.0, None, 241.0, "5 to 240"),
    ],
)
def test_what_the_video_cannot_give_gets_one_sentence(
    start: float, end: float | None, fps: float | None, says: str
) -> None:
    with pytest.raises(CaptureError, match=says):
        VideoReader(SAMPLE, start, end, fps)


def test_a_start_behind_what_can_be_decoded(tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    data = SAMPLE.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    with pytest.raises(CaptureError, match="beyond the end"):
        list(VideoReader(cut, 3.5))


def test_frames_that_share_a_picture_cannot_be_drawn_on(tmp_path: Path) -> None:
    frame = next(iter(VideoReader(write_video(tmp_path / "numbers.mp4", numbered(3)), fps=90)))
    with pytest.raises(ValueError, match="read-only"):
        frame.image[:] = 255


@pytest.mark.parametrize("name", ["a\nb.mp4", "a\x1b[31m.mp4", os.fsdecode(b"a\xff.mp4")])
def test_a_name_that_cannot_be_shown_is_refused_before_anything_is_decoded(tmp_path: Path, name: str) -> None:
    shutil.copy(SAMPLE, tmp_path / name)
    with pytest.raises(CaptureError, match="rename the video") as error:
        VideoReader(tmp_path / name)
    assert str(error.value).isprintable()
