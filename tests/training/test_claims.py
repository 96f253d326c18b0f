"""Whether a claim holds is judged by an interval that is as wide as chance."""

import numpy as np
import pytest

from kinelift.training.claims import interval, student, verdict


def test_students_t_is_what_the_tables_say():
    for freedom, value in ((1, 12.706), (2, 4.303), (10, 2.228), (255, 1.969)):
        assert student(freedom) == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize(("seeds", "by_seed"), [(1, 0.0), (3, 0.0), (3, 0.5), (3, 3.0)])
def test_nineteen_of_twenty_intervals_hold_the_truth(seeds, by_seed):
    """Of one seed the interval holds what that seed would show on all clips."""
    random = np.random.default_rng(0)
    held = []
    for _ in range(400):
        of_clips, of_seeds = random.normal(2, 3, 60), random.normal(0, by_seed, (seeds, 1))
        low, high = interval(of_clips + of_seeds + random.normal(0, 2, (seeds, 60)))
        held.append(low < 2 < high)
    assert 0.92 < np.mean(held) <= 1


def test_differences_that_are_all_alike_leave_no_doubt():
    assert interval(np.full((3, 5), -2.0)) == (-2.0, -2.0)


@pytest.mark.parametrize(
    ("low", "high", "bound", "said"),
    [
        (-12, -8, 0, "yes"),
        (-12, 1, 0, "undecided"),
        (1, 2, 0, "**no**"),
        (-30, -26, 25, "yes"),
        (-30, -20, 25, "undecided"),
        (-24, -20, 25, "**no**"),
        (-24, -20, None, "–"),
    ],
)
def test_a_claim_holds_only_if_the_whole_interval_does(low, high, bound, said):
    assert verdict(low, high, bound) == said
