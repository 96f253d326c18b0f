"""An artist's sentence is readable, whatever a file made it repeat."""

from __future__ import annotations

from kinelift.core.errors import CaptureError


def test_a_sentence_stays_as_it_is() -> None:
    said = "Die Datei „Übung 1/ダンス 👍🏽.mp4“ can't be read: it is damaged."
    assert str(CaptureError(said)) == said


def test_what_moves_the_cursor_or_turns_the_text_is_escaped() -> None:
    said = str(CaptureError("There is no file a\x1b[2J\r\n\0\u202egnp.mp4\udcff; check its name."))
    assert said == r"There is no file a\x1b[2J\r\n\x00\u202egnp.mp4\udcff; check its name."


def test_what_is_far_too_long_is_shortened_in_the_middle() -> None:
    said = str(CaptureError(f"There is no file {'x' * 100_000}.mp4; check its name."))
    assert len(said) < 600
    assert said.startswith("There is no file xx") and said.endswith("x.mp4; check its name.")
    assert len(str(CaptureError("word " * 100_000))) <= 2000
