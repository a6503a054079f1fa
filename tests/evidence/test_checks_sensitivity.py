"""Sensitivity: how far other modelling choices move ROAS and the plan."""

import numpy as np
import pandas as pd
import pytest

from mmm_demo.checks.gate import FAILED, NOT_ASSESSABLE, PASSED
from mmm_demo.evidence.sensitivity import roas_rows, sensitivity_checks

BASE = pd.DataFrame(
    {
        "variant": "as fitted",
        "channel": ["TV", "Radio"],
        "roas": [2.0, 4.0],
        "lower_94": [1.0, 3.0],
        "upper_94": [4.0, 6.0],
        "planned": [60.0, 40.0],
        "converged": True,
    }
)


def variants(*changes: dict[str, object]) -> pd.DataFrame:
    """Return the base and a variant for each change to it."""
    parts = [BASE]
    for number, columns in enumerate(changes, 1):
        parts.append(BASE.assign(**({"variant": f"choice {number}"} | columns)))
    return pd.concat(parts, ignore_index=True)


def judged(table: pd.DataFrame) -> tuple[object, object]:
    roas, plan = sensitivity_checks(table)
    assert (roas.name, plan.name) == ("sensitivity_roas", "sensitivity_plan")
    return roas, plan


def test_roas_is_described_by_median_and_interval():
    draws = np.column_stack([np.linspace(0.0, 1.0, 1001), np.linspace(10.0, 20.0, 1001)])
    rows = roas_rows("as fitted", ["TV", "Radio"], draws)
    assert rows["variant"].tolist() == ["as fitted"] * 2
    assert rows["roas"].to_numpy() == pytest.approx([0.5, 15.0])
    assert rows["lower_94"].to_numpy() == pytest.approx([0.03, 10.3])
    assert rows["upper_94"].to_numpy() == pytest.approx([0.97, 19.7])


def test_what_no_choice_moves_passes():
    roas, plan = judged(variants({}, {}, {}))
    assert (roas.status, roas.value) == (PASSED, 0.0)
    assert (plan.status, plan.value) == (PASSED, 0.0)


@pytest.mark.parametrize(
    ("median", "distance"),
    [(3.0, 0.5), (4.0, 1.0), (4.5, 1.25), (1.5, 0.5), (1.0, 1.0), (0.5, 1.5)],
)
def test_a_median_may_move_to_the_end_of_the_interval_on_its_side(median, distance):
    """TV: 2 in 1 to 4, so it reaches 2 upwards and 1 downwards."""
    roas, _ = judged(variants({"roas": [median, 4.0]}))
    assert roas.value == pytest.approx(distance)
    assert roas.status == (PASSED if distance <= 1 else FAILED)
    assert roas.where == "TV under choice 1"


def test_the_worst_channel_and_variant_are_named():
    roas, plan = judged(
        variants(
            {"roas": [2.1, 4.1], "planned": [65.0, 35.0]},
            {"roas": [2.2, 8.0], "planned": [20.0, 80.0]},
            {"roas": [1.9, 3.9], "planned": [55.0, 45.0]},
        )
    )
    assert (roas.status, roas.value, roas.where) == (FAILED, 2.0, "Radio under choice 2")
    assert (plan.status, plan.value, plan.where) == (FAILED, 0.4, "under choice 2")


@pytest.mark.parametrize(("planned", "moved"), [([35.0, 65.0], 0.25), ([34.0, 66.0], 0.26)])
def test_a_quarter_of_the_budget_may_move(planned, moved):
    _, plan = judged(variants({"planned": planned}))
    assert plan.value == pytest.approx(moved)
    assert plan.passed == (moved <= 0.25)


def test_channels_are_matched_by_name_not_by_place():
    shuffled = variants({}, {}).iloc[[0, 1, 3, 2, 5, 4]]
    roas, plan = judged(shuffled)
    assert (roas.value, plan.value) == (0.0, 0.0)


@pytest.mark.parametrize("rows", [[2], [2, 3], [0], [0, 1]])
def test_a_plan_that_was_not_measured_is_not_assessable(rows):
    table = variants({}, {})
    table.loc[rows, "planned"] = np.nan
    roas, plan = judged(table)
    assert plan.status == NOT_ASSESSABLE
    assert plan.where == "not measured"
    assert roas.status == PASSED


@pytest.mark.parametrize("column", ["roas", "lower_94"])
@pytest.mark.parametrize("row", [0, 1])
def test_a_base_that_was_not_measured_is_not_assessable(column, row):
    table = variants({})
    table.loc[row, column] = np.nan
    assert judged(table)[0].status == NOT_ASSESSABLE


def test_a_variants_roas_that_was_not_measured_is_not_assessable():
    table = variants({}, {})
    table.loc[5, "roas"] = np.nan
    assert judged(table)[0].status == NOT_ASSESSABLE


def test_a_variant_that_lacks_a_channel_is_not_assessable():
    _, plan = judged(variants({}).head(3))
    assert plan.status == NOT_ASSESSABLE


def test_one_of_three_variants_that_did_not_converge_is_too_many():
    table = variants({}, {}, {"converged": False})
    assert {check.status for check in sensitivity_checks(table)} == {NOT_ASSESSABLE}


def test_one_of_five_that_did_not_converge_is_left_out():
    far = {"roas": [99.0, 99.0], "planned": np.nan, "converged": False}
    roas, plan = judged(variants({}, {}, {}, {}, far))
    assert (roas.status, plan.status) == (PASSED, PASSED)


def test_a_base_alone_or_nothing_at_all_never_passes():
    for table in (BASE, BASE.head(0)):
        assert {check.status for check in sensitivity_checks(table)} == {NOT_ASSESSABLE}
