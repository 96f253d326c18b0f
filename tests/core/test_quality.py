"""What is known of each frame is said: found, guessed limbs, uncertain sides, bridged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kinelift.core.capture import Capture
from kinelift.core.quality import STATES, shares, states, stretches
from kinelift.core.skeleton import INDEX
from kinelift.tests.motions import random_capture


def known() -> Capture:
    """A capture of 100 frames with each state, each worse one within a better one."""
    capture = random_capture(100)
    capture.confidence[20:60, [INDEX["shin.L"], INDEX["foot.L"]]] = 0
    capture.landmarks[30:40] = np.nan
    capture.confidence[30:40] = 0
    return replace(capture, unsure_sides=((35, 44), (90, 99)))


def test_a_frame_is_in_its_worst_state() -> None:
    expected = np.full(100, STATES.index("found"))
    expected[20:60] = STATES.index("guessed_limbs")
    expected[35:45] = expected[90:] = STATES.index("unsure_sides")
    expected[30:40] = STATES.index("bridged")
    np.testing.assert_array_equal(states(known()), expected)


def test_stretches_are_all_frames_and_shares_are_one() -> None:
    capture = known()
    told = stretches(capture)
    assert told["bridged"] == [(30, 39)] and told["unsure_sides"] == [(40, 44), (90, 99)]
    assert told["guessed_limbs"] == [(20, 29), (45, 59)] and told["found"] == [(0, 19), (60, 89)]
    assert shares(capture) == pytest.approx(
        {"found": 0.5, "guessed_limbs": 0.25, "unsure_sides": 0.15, "bridged": 0.1}
    )


@pytest.mark.parametrize("limb", [("head",), ("forearm.R", "hand.R"), ("shin.L", "foot.L")])
def test_a_limb_is_guessed_if_none_of_it_was_seen(limb: tuple[str, ...]) -> None:
    capture = random_capture(10)
    capture.confidence[5, [INDEX[name] for name in limb]] = 0
    assert stretches(capture)["guessed_limbs"] == [(5, 5)]
    capture.confidence[5, INDEX[limb[0]]] = 0.05
    assert not stretches(capture)["guessed_limbs"]


def test_legs_that_nobody_asked_for_are_no_guess() -> None:
    capture = random_capture(10)
    capture.confidence[
        :, [INDEX[f"{name}.{side}"] for name in ("thigh", "shin", "foot") for side in "LR"]
    ] = 0
    assert shares(capture)["guessed_limbs"] == 1
    assert shares(replace(capture, settings={"body": "upper"}))["found"] == 1
