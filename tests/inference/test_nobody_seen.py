"""Where nobody is seen a capture rests, ends or fades, as asked, and says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinelift.core.capture import Capture, joined
from kinelift.core.foot_ik import clean_up
from kinelift.core.motion import Motion
from kinelift.core.options import FADE, HOLD, TRIM
from kinelift.inference.pipeline import resolve
from kinelift.tests.inference.test_bad_input import filmed, lost, walking

# solves again and again
pytestmark = pytest.mark.slow

FRAMES = 90
LENS = {"focal": 28.0}
#: the person comes after ten frames and leaves twenty before the end
GONE = np.r_[0:10, 70:FRAMES]


def leaving(how: str) -> Capture:
    capture = lost(filmed(walking(FRAMES)), GONE)
    return replace(capture, settings={**capture.settings, "unseen": how})


def quickest(motion: Motion, frames: slice) -> float:
    """Metres per second."""
    return float(np.linalg.norm(np.diff(motion.joints[frames], axis=0), axis=-1).max() * motion.fps)


def test_it_rests_by_default_and_says_where() -> None:
    capture = leaving(HOLD)
    rests = resolve(capture, LENS)
    assert len(rests) == FRAMES
    assert (
        "Nobody is seen in frames 0 to 9 (0.0 to 0.3 s), 70 to 89 (2.3 to 3.0 s): the body only rests there."
        in (rests.warnings)
    )
    assert rests.confidence[GONE].max() == 0
    for frames in (slice(0, 11), slice(69, FRAMES)):
        assert quickest(rests.motion, frames) < 1e-4
    # planted feet go from their spots over to where they rest
    assert quickest(clean_up(rests.motion), slice(75, FRAMES)) < 0.1
    unsaid = {name: value for name, value in capture.settings.items() if name != "unseen"}
    same = resolve(replace(capture, settings=unsaid), LENS)
    np.testing.assert_array_equal(same.motion.root, rests.motion.root)


def test_trimmed_it_begins_and_ends_with_what_is_seen(tmp_path: Path) -> None:
    trimmed, whole = (resolve(leaving(how), LENS) for how in (TRIM, HOLD))
    assert len(trimmed) == 60 and trimmed.motion.start == pytest.approx(10 / trimmed.motion.fps)
    assert np.isfinite(trimmed.landmarks).all() and not any("Nobody" in said for said in trimmed.warnings)
    np.testing.assert_array_equal(trimmed.motion.joints, whole.motion.joints[10:70])
    trimmed.save(tmp_path / "m.npz")
    again = resolve(Capture.load(tmp_path / "m.npz"), LENS)
    assert len(again) == 60 and again.motion.start == trimmed.motion.start


def test_fading_it_comes_to_rest_softly() -> None:
    fades = resolve(leaving(FADE), LENS)
    assert len(fades) == FRAMES
    assert quickest(fades.motion, slice(70, 74)) > 0.05 and quickest(fades.motion, slice(86, FRAMES)) < 0.1


def test_shots_within_keep_their_length_when_the_ends_are_trimmed() -> None:
    cut = joined([leaving(TRIM), leaving(TRIM)])
    trimmed = resolve(cut, LENS)
    assert len(trimmed) == 2 * FRAMES - 30 and trimmed.motion.cuts == (FRAMES - 10,)
    assert len(trimmed.later_cameras) == 1
    # between the shots it rests
    assert quickest(trimmed.motion, slice(59, FRAMES - 10)) < 1e-4


def test_shots_at_the_ends_without_anybody_are_trimmed_and_those_within_wait() -> None:
    nobody = lost(leaving(TRIM), slice(None))
    trimmed = resolve(joined([nobody, leaving(TRIM), nobody, leaving(TRIM), nobody]), LENS)
    assert len(trimmed) == 3 * FRAMES - 30
    assert trimmed.motion.cuts == (FRAMES - 10, 2 * FRAMES - 10)
    # the shots of this made-up video begin at 0 s, each
    assert sum("Nobody is to be found in the shot" in said for said in trimmed.warnings) == 1
    assert quickest(trimmed.motion, slice(FRAMES - 10, 2 * FRAMES - 10)) < 1e-4
