"""Detections are kept by what they depend on, not by the video's name."""

import shutil
from pathlib import Path

import pytest

from kinelift.bench import detections
from kinelift.bench.detections import ROOT, baseline, detected, detection_key
from kinelift.core.capture import Capture
from kinelift.tests.motions import random_capture

SAMPLE = ROOT / "samples/walk_front.mp4"


@pytest.fixture
def checkout(tmp_path):
    """A copy of the sources that the key depends on."""
    for name in detections._SOURCES:
        source, copy = ROOT / name, tmp_path / "checkout" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy)
        else:
            shutil.copyfile(source, copy)
    return tmp_path / "checkout"


def test_a_renamed_copy_of_a_video_has_the_same_key(tmp_path):
    copy = tmp_path / "another name.mp4"
    shutil.copyfile(SAMPLE, copy)
    assert detection_key(copy, "best") == detection_key(SAMPLE, "best")


def test_another_video_of_the_same_name_and_another_setting_have_other_keys(tmp_path):
    other = tmp_path / SAMPLE.name
    other.write_bytes(SAMPLE.read_bytes() + b"\0")
    assert (
        len({detection_key(SAMPLE, "quick"), detection_key(SAMPLE, "best"), detection_key(other, "best")})
        == 3
    )


def test_a_changed_source_or_model_and_a_new_file_of_the_detector_change_the_key(checkout):
    keys = [detection_key(SAMPLE, "best", checkout)]
    assert keys == [detection_key(SAMPLE, "best")]
    for name in detections._SOURCES:
        path = checkout / name
        if path.is_dir():
            (path / "new.py").write_text("", encoding="utf-8")
            (path / "other.py").write_text("new = 1", encoding="utf-8")
        else:
            path.write_bytes(path.read_bytes() + b"#")
        keys.append(detection_key(SAMPLE, "best", checkout))
    assert len(set(keys)) == len(keys)


def test_videos_of_one_name_are_kept_apart_and_detected_once(tmp_path, monkeypatch):
    asked = []

    def capture(video, settings):
        asked.append((video, settings.quality))
        return random_capture(5, len(asked))

    def plain(video, out):
        asked.append((video, "plain"))
        Path(out).write_bytes(video.read_bytes()[-1:])

    monkeypatch.setattr(detections, "capture", capture)
    monkeypatch.setattr(detections.mediapipe_baseline, "capture", plain)
    videos = [tmp_path / folder / "clip.mp4" for folder in "ab"]
    for video in videos:
        video.parent.mkdir()
        video.write_bytes(video.parent.name.encode())
    for _ in range(2):
        for video in videos:
            assert isinstance(detected(video, tmp_path, "best"), Capture)
            assert baseline(video, tmp_path, "best").read_bytes() == video.read_bytes()
    assert asked == [(video, how) for video in videos for how in ("best", "plain")]
