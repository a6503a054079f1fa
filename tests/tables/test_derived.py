"""Columns that are made from others: no money is lost, doubled or made from what is no spend."""

import numpy as np
import pandas as pd
import pytest

from mmm_demo.tables.derived import with_groups, with_trend
from mmm_demo.tables.faults import DataError

RAW = pd.DataFrame({"Search": [1, 2], "Social": [0.5, 0.0], "Print": [7, 8]})
DIGITAL = {"Digital": ("Search", "Social")}


def grouped(raw: pd.DataFrame, missing_spend: str = "error") -> list:
    return with_groups(raw, DIGITAL, missing_spend, "a.csv")[0]["Digital"].tolist()


def test_members_are_added_up_and_leave_the_table() -> None:
    before = RAW.copy()
    table, warnings = with_groups(RAW, DIGITAL | {"Paper": ("Print",)}, "error", "a.csv")
    pd.testing.assert_frame_equal(table, pd.DataFrame({"Digital": [1.5, 2.0], "Paper": [7.0, 8.0]}))
    assert warnings == ()
    pd.testing.assert_frame_equal(RAW, before)


def test_without_groups_the_table_stays_as_it_is() -> None:
    table, warnings = with_groups(RAW, {}, "zero", "a.csv")
    pd.testing.assert_frame_equal(table, RAW)
    assert warnings == ()


@pytest.mark.parametrize("cell", [-3.0, "1,234", np.inf, -np.inf, True, "many"])
@pytest.mark.parametrize("missing_spend", ["error", "zero"])
def test_what_is_no_spend_takes_the_place_of_the_sum(cell: object, missing_spend: str) -> None:
    raw = RAW.astype(object)
    raw.loc[1, "Social"] = cell
    assert grouped(raw, missing_spend)[0] == 1.5
    assert grouped(raw, missing_spend)[1] is cell or grouped(raw, missing_spend)[1] == cell


def test_empty_cells_are_nothing_only_where_that_is_declared() -> None:
    raw = pd.DataFrame({"Search": [1.0, np.nan, np.nan], "Social": [np.nan, np.nan, 2.0]})
    assert np.isnan(grouped(raw)).all()
    assert grouped(raw, "zero") == [1.0, 0.0, 2.0]
    _, warnings = with_groups(raw, DIGITAL, "zero", "a.csv")
    assert warnings == (
        "column 'Search': 2 empty cell(s) read as 0 spend",
        "column 'Social': 2 empty cell(s) read as 0 spend",
    )


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (RAW.drop(columns="Social"), r"Digital: missing column\(s\) Social; .*\n.*Search, Print"),
        (RAW.assign(Digital=1.0), "Digital: is a column already"),
        (RAW[["Search", "Search", "Social"]], r"Digital: repeated column\(s\) Search"),
    ],
)
def test_columns_at_fault_are_named(raw: pd.DataFrame, said: str) -> None:
    with pytest.raises(DataError, match=rf"a\.csv: data\.groups cannot be added up\n- {said}"):
        with_groups(raw, DIGITAL, "error", "a.csv")


def test_the_second_of_two_equal_columns_is_warned_about() -> None:
    raw = RAW.assign(**{"Social.1": 4.0, "Print.1": 4.0})
    (warning,) = with_groups(raw, DIGITAL, "error", "a.csv")[1]
    assert "'Social.1': ignored" in warning and "second 'Social'" in warning


def test_a_trend_counts_rows_and_replaces_none() -> None:
    table = with_trend(RAW, "a.csv")
    assert table["Trend"].tolist() == [0.0, 1.0] and "Trend" not in RAW
    with pytest.raises(DataError, match=r"a\.csv: .*'Trend', which the table has already"):
        with_trend(table, "a.csv")
