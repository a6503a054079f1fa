"""Recovery: estimates against a truth, and how many misses are more than chance."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from each import each
from mmm_demo.checks.gate import FAILED, NOT_ASSESSABLE, PASSED
from mmm_demo.evidence.recovery import recovery_checks, recovery_rows, recovery_summary

CHANNELS = ["TV", "Radio", "Search", "Social"]


def table_of(inside: list[bool], per_replicate: int = 4, **columns: object) -> pd.DataFrame:
    """Return both quantities' rows with intervals that hold their truth or miss it."""
    count = len(inside)
    rows = pd.DataFrame(
        {
            "replicate": np.arange(count) // per_replicate + 1,
            "channel": [CHANNELS[i % per_replicate % 4] for i in range(count)],
            "relative_error": np.linspace(-0.2, 0.2, count),
            "inside": inside,
            "converged": True,
        }
    )
    both = [rows.assign(quantity=quantity) for quantity in ("contribution", "ROAS")]
    return pd.concat(both, ignore_index=True).assign(**columns)


def statuses(table: pd.DataFrame) -> set[str]:
    return {check.status for check in recovery_checks(table)}


# Rows


def test_an_estimate_is_held_against_its_truth():
    draws = np.column_stack([np.linspace(0.0, 100.0, 1001), np.linspace(0.0, 1.0, 1001)])
    rows = recovery_rows(3, pd.Series([40.0, 2.0], ["TV", "Radio"]), draws)
    assert rows["replicate"].tolist() == [3, 3]
    assert rows["channel"].tolist() == ["TV", "Radio"]
    assert rows["truth"].tolist() == [40.0, 2.0]
    assert rows["lower_90"].to_numpy() == pytest.approx([5.0, 0.05])
    assert rows["upper_90"].to_numpy() == pytest.approx([95.0, 0.95])
    assert rows["relative_error"].to_numpy() == pytest.approx([0.25, -0.75])
    assert rows["inside"].tolist() == [True, False]


@pytest.mark.parametrize("truth", [4.99, 95.01, np.nan])
def test_a_truth_beyond_the_interval_is_missed(truth):
    draws = np.linspace(0.0, 100.0, 1001)[:, None]
    assert not recovery_rows(1, pd.Series([truth], ["TV"]), draws)["inside"].item()


def test_draws_that_are_not_numbers_hold_no_truth():
    draws = np.array([[1.0], [np.nan], [3.0]])
    assert not recovery_rows(1, pd.Series([2.0], ["TV"]), draws)["inside"].item()


# Verdict


def test_of_twenty_intervals_fourteen_suffice_and_thirteen_do_not():
    """P(X <= 13) = 0.0024 and P(X <= 14) = 0.0113 for 20 intervals that are right."""
    assert stats.binom.cdf(13, 20, 0.9) < 0.01 < stats.binom.cdf(14, 20, 0.9)
    for check in recovery_checks(table_of([True] * 14 + [False] * 6)):
        assert (check.status, check.value, check.limit) == (PASSED, 0.7, 0.7)
    for check in recovery_checks(table_of([True] * 13 + [False] * 7)):
        assert (check.status, check.value, check.limit) == (FAILED, 0.65, 0.7)


@each(count=range(2, 120))
def test_the_limit_is_the_last_count_that_chance_explains(count):
    fewest = next(k for k in range(count + 1) if stats.binom.cdf(k, count, 0.9) >= 0.01)
    assert statuses(table_of([True] * fewest + [False] * (count - fewest))) == {PASSED}
    assert statuses(table_of([True] * (fewest - 1) + [False] * (count - fewest + 1))) == {FAILED}


def test_a_single_interval_that_could_not_fail_is_not_assessable():
    assert statuses(table_of([True])) == {NOT_ASSESSABLE}
    assert statuses(table_of([False])) == {NOT_ASSESSABLE}


def test_each_quantity_is_judged_by_its_own_rows():
    table = table_of([True] * 20)
    table.loc[table["quantity"] == "ROAS", "inside"] = False
    found = {check.name: check for check in recovery_checks(table)}
    assert found["recovery_contribution_coverage_90"].status == PASSED
    assert found["recovery_roas_coverage_90"].status == FAILED


def test_a_quantity_that_was_not_measured_is_not_assessable():
    table = table_of([True] * 20)
    checks = recovery_checks(table[table["quantity"] == "ROAS"])
    assert [check.status for check in checks] == [NOT_ASSESSABLE, PASSED]


def test_the_channel_missed_most_often_is_named():
    inside = [i % 4 != 2 for i in range(20)]
    inside[0] = False
    assert {check.where for check in recovery_checks(table_of(inside))} == {
        "Search is missed most often"
    }
    assert {check.where for check in recovery_checks(table_of([True] * 20))} == {"20 intervals"}


def test_a_replicate_that_did_not_converge_is_left_out():
    table = table_of([True] * 16 + [False] * 4)
    table["converged"] = table["replicate"] != 5
    for check in recovery_checks(table):
        assert (check.value, check.where) == (1.0, "16 intervals")
    table["converged"] = table["replicate"] < 4
    assert statuses(table) == {NOT_ASSESSABLE}


def test_one_row_that_did_not_converge_spoils_its_replicate():
    table = table_of([True] * 12)  # three replicates
    table.loc[0, "converged"] = False
    assert statuses(table) == {NOT_ASSESSABLE}


def test_an_empty_table_never_passes():
    assert statuses(table_of([True] * 20).head(0)) == {NOT_ASSESSABLE}


# Summary


def test_the_summary_shows_error_bias_and_coverage_by_channel():
    table = table_of([True, False, True, False], per_replicate=2)
    table["relative_error"] = [0.1, 0.5, -0.3, 0.5] * 2
    summary = recovery_summary(table).set_index(["quantity", "channel"])
    tv, radio = summary.loc[("ROAS", "TV")], summary.loc[("ROAS", "Radio")]
    assert tv.to_list() == pytest.approx([0.2, -0.1, 1.0, 2])
    assert radio.to_list() == pytest.approx([0.5, 0.5, 0.0, 2])
    assert len(summary) == 4


def test_the_summary_leaves_out_what_did_not_converge():
    table = table_of([True] * 8)
    table.loc[table["replicate"] == 1, ["converged", "relative_error"]] = [False, 99.0]
    summary = recovery_summary(table)
    assert (summary["replicates"] == 1).all()
    assert (summary["median_error"] < 1).all()
