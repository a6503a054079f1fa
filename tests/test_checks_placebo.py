"""Placebo: shifts beyond the lag, and when a channel that cannot have worked is believed."""

import numpy as np
import pandas as pd
import pytest

from mmm_demo.checks.placebo import placebo_checks, placebo_row, shifts, with_placebo
from mmm_demo.gate import FAILED, NOT_ASSESSABLE, PASSED

NOTHING, SOMETHING = np.linspace(0.0, 0.05, 1001), np.linspace(0.02, 0.08, 1001)


def placebos(*shares: np.ndarray, converged: tuple[bool, ...] | None = None) -> pd.DataFrame:
    flags = converged or (True,) * len(shares)
    pairs = zip(shares, flags, strict=True)
    return pd.DataFrame(
        [placebo_row("TV", 10 + i, share, flag) for i, (share, flag) in enumerate(pairs)]
    )


def verdict(table: pd.DataFrame) -> tuple[str, float]:
    (check,) = placebo_checks(table)
    return check.status, check.value


# Shifts


@pytest.mark.parametrize(
    ("weeks", "lag", "count"), [(156, 8, 3), (104, 4, 3), (52, 4, 3), (156, 8, 9)]
)
def test_shifts_lie_beyond_the_lag_on_both_sides_and_differ(weeks, lag, count):
    found = shifts(weeks, lag, count)
    assert len(set(found)) == count
    assert all(lag < shift < weeks - lag for shift in found)


def test_shifts_are_evenly_spread():
    assert shifts(156, 8, 3) == [39, 78, 117]


@pytest.mark.parametrize(("weeks", "lag", "count"), [(52, 13, 3), (20, 4, 9), (3, 1, 3)])
def test_too_few_weeks_to_shift_are_refused(weeks, lag, count):
    with pytest.raises(ValueError, match=f"{weeks} weeks are too few for {count} shifts beyond"):
        shifts(weeks, lag, count)


def test_the_placebo_is_the_channel_moved_in_a_circle():
    table = pd.DataFrame({"TV": [1.0, 2.0, 3.0, 4.0], "Radio": [5.0] * 4})
    changed = with_placebo(table, "TV", 1)
    assert changed["placebo"].tolist() == [4.0, 1.0, 2.0, 3.0]
    pd.testing.assert_frame_equal(changed[["TV", "Radio"]], table)
    assert "placebo" not in table


# Rows


def test_a_placebo_is_believed_when_nearly_all_draws_give_it_sales():
    row = placebo_row("TV", 39, np.linspace(0.0, 1.0, 101), converged=True)
    shares = [row["share_lower_5"], row["share_median"], row["share_upper_95"]]
    assert shares == pytest.approx([0.05, 0.5, 0.95])
    assert (row["channel"], row["shift_weeks"], row["converged"]) == ("TV", 39, True)
    assert row["believed"] is True
    assert placebo_row("TV", 1, np.full(10, 0.02), True)["believed"] is False
    assert placebo_row("TV", 1, np.full(10, 0.0201), True)["believed"] is True


# Verdict


def test_one_that_is_believed_passes_and_two_fail():
    assert verdict(placebos(NOTHING, NOTHING, NOTHING)) == (PASSED, 0.0)
    assert verdict(placebos(NOTHING, SOMETHING, NOTHING)) == (PASSED, 1.0)
    assert verdict(placebos(SOMETHING, NOTHING, SOMETHING)) == (FAILED, 2.0)
    assert verdict(placebos(SOMETHING, SOMETHING, SOMETHING)) == (FAILED, 3.0)


def test_those_that_are_believed_are_named():
    (check,) = placebo_checks(placebos(SOMETHING, NOTHING, SOMETHING))
    assert check.where == "TV by 10 weeks, TV by 12 weeks"


def test_the_share_decides_whatever_the_row_says_of_it():
    table = placebos(SOMETHING, SOMETHING, NOTHING).assign(believed=False)
    assert verdict(table) == (FAILED, 2.0)


def test_a_share_that_was_not_measured_is_not_assessable():
    unmeasured = np.array([0.01, np.nan])
    assert verdict(placebos(NOTHING, NOTHING, unmeasured))[0] == NOT_ASSESSABLE
    nothing = placebos(NOTHING, NOTHING, NOTHING).assign(share_lower_5=None)
    nothing["share_lower_5"] = nothing["share_lower_5"].astype("float64")
    assert verdict(nothing)[0] == NOT_ASSESSABLE


def test_one_of_three_that_did_not_converge_is_too_many():
    table = placebos(NOTHING, NOTHING, NOTHING, converged=(True, True, False))
    assert verdict(table)[0] == NOT_ASSESSABLE


def test_one_of_five_that_did_not_converge_is_left_out():
    flags = (True, True, True, True, False)
    one = placebos(NOTHING, SOMETHING, NOTHING, NOTHING, SOMETHING, converged=flags)
    assert verdict(one) == (PASSED, 1.0)
    two = placebos(NOTHING, SOMETHING, SOMETHING, NOTHING, NOTHING, converged=flags)
    assert verdict(two) == (FAILED, 2.0)


@pytest.mark.parametrize("count", [0, 1])
def test_so_few_placebos_that_none_could_fail_are_not_assessable(count):
    table = placebos(NOTHING, NOTHING, NOTHING).head(count)
    assert verdict(table)[0] == NOT_ASSESSABLE
