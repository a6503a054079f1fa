"""Placebo: shifts beyond the lag, and when a channel that cannot have worked is believed."""

import numpy as np
import pandas as pd
import pytest

from mmm_demo.checks.gate import FAILED, NOT_ASSESSABLE, PASSED
from mmm_demo.evidence.placebo import free_name, placebo_checks, placebo_row, shifts, with_placebo

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


def from_a_year(shift: int) -> int:
    """Return how many weeks a shift is from the nearest whole number of years."""
    return min(shift % 52, -shift % 52)


@pytest.mark.parametrize("weeks", [52, 104, 156, 208, 260])
@pytest.mark.parametrize(("lag", "count"), [(4, 3), (8, 3), (4, 9)])
def test_shifts_lie_beyond_the_lag_on_both_sides_and_of_whole_years(weeks, lag, count):
    found = shifts(weeks, lag, count)
    assert len(set(found)) == count
    assert found == sorted(found)
    assert all(lag < shift < weeks - lag for shift in found)
    assert all(from_a_year(shift) > lag for shift in found)


def test_shifts_are_evenly_spread_and_moved_off_whole_years_alone():
    assert shifts(156, 8, 3) == [39, 78, 117]
    assert shifts(104, 8, 3) == [26, 52 + 9, 78]
    assert shifts(208, 4, 3) == [52 + 5, 104 + 5, 156 + 5]
    assert shifts(112, 4, 1) == [52 + 5]  # 56 is as near as the lag
    assert shifts(114, 4, 1) == [57]


def test_a_shift_moves_to_the_nearer_side_and_stays_inside_the_weeks():
    assert shifts(101, 4, 1) == [52 - 5]  # from 50
    assert shifts(106, 4, 1) == [52 + 5]  # from 53
    assert shifts(60, 8, 3) == [15, 30, 52 - 9]  # 52 + 9 is more weeks than there are


@pytest.mark.parametrize("lag", [1, 4, 8, 13, 25])
@pytest.mark.parametrize("count", [3, 9])
def test_whatever_the_weeks_shifts_are_valid_or_refused(lag, count):
    valid = refused = 0
    for weeks in range(3, 600):
        try:
            found = shifts(weeks, lag, count)
        except ValueError as refusal:
            assert str(refusal).startswith(f"{weeks} weeks are too few for {count} shifts")
            refused += 1
            continue
        assert len(set(found)) == count
        assert all(lag < s < weeks - lag and from_a_year(s) > lag for s in found), (weeks, found)
        valid += 1
    assert min(valid, refused) > 0


def test_any_table_of_usual_length_has_its_three_placebos():
    assert all(len(shifts(weeks, 8, 3)) == 3 for weeks in range(40, 320))


@pytest.mark.parametrize(("weeks", "lag", "count"), [(52, 13, 3), (20, 4, 9), (3, 1, 3)])
def test_too_few_weeks_to_shift_are_refused(weeks, lag, count):
    with pytest.raises(ValueError, match=f"{weeks} weeks are too few for {count} shifts beyond"):
        shifts(weeks, lag, count)


def test_shifts_that_would_meet_beside_the_same_year_are_refused():
    with pytest.raises(ValueError, match="150 weeks are too few for 4 shifts"):
        shifts(150, 25, 4)  # 60 and 90 would both be 78
    assert shifts(150, 25, 2) == [26, 78]


@pytest.mark.parametrize("lag", [26, 30, 52])
def test_a_lag_that_leaves_no_week_of_the_year_is_refused(lag):
    with pytest.raises(ValueError, match=f"beyond {lag} weeks .* a shorter lag"):
        shifts(520, lag, 3)
    assert len(shifts(520, 25, 3)) == 3


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


def test_a_column_that_is_called_placebo_stays_as_it_is():
    table = pd.DataFrame({"TV": [1.0, 2.0, 3.0], "placebo": [7.0, 8.0, 9.0]})
    changed = with_placebo(table, "TV", 1)
    assert list(changed["placebo"]) == [7.0, 8.0, 9.0]
    assert list(changed[free_name(table)]) == [3.0, 1.0, 2.0]
    assert free_name(["TV"]) == "placebo"
