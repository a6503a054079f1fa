"""Rows that are no weeks: each said once, whatever else it would set off."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mmm_demo.settings.experiment import DataConfig, ModelConfig
from mmm_demo.tables.contract import validate_table
from mmm_demo.tables.faults import DataError
from mmm_demo.tables.odd_rows import header_row, odd_rows
from refused_files import CASES, refusal

DAYS = ["2024-01-01", "2024-01-08", "2024-01-15", "2024-01-22"]
MODEL = ModelConfig(("tv", "search", "social"), ("price",), "week", "sales")


def odd(*more: tuple[Any, Any, Any]) -> dict[int, str]:
    rows = [(day, 100.0 + place, 10.0) for place, day in enumerate(DAYS)] + list(more)
    table = pd.DataFrame(rows, columns=["week", "sales", "tv"], dtype=object)
    return odd_rows({name: table[name] for name in table}, "week", "sales")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("Total", 406.0, 40.0), "is a total ('Total')"),
        (("Grand Total:", 406.0, None), "is a total"),
        (("Gesamtergebnis", 406.0, 40.0), "is a total"),
        (("Summe", None, 40.0), "is a total"),
        (("Average", 101.5, 10.0), "is an average"),
        ((None, 406.0, 40.0), "is a total (the sum of the rows above)"),
        (("week", "sales", "tv"), "is a second header"),
        ((None, None, float("nan")), "is empty"),
        (("Source: panel of 2024", None, ""), "is a note ('Source: panel of 2024')"),
    ],
)
def test_a_row_that_is_no_week_is_said_to_be_one(row: tuple[Any, Any, Any], words: str) -> None:
    ((place, what),) = odd(row).items()
    assert place == 4 and words in what and "remove it" in what.lower()


@pytest.mark.parametrize(
    "row",
    [
        ("2024-01-29", None, None),  # a week without values yet
        ("29.01.2024", None, None),
        ("2024-01-29", 406.0, 40.0),  # as much as all weeks before
        (None, 99.0, 10.0),  # a week without its day
        ("soon", 99.0, 10.0),
    ],
)
def test_a_week_is_no_odd_row(row: tuple[Any, Any, Any]) -> None:
    assert odd(row) == {}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("total_row", "row 104 is a total ('Total') and no week; remove it"),
        ("header_twice", "row 52 is a second header"),
    ],
)
def test_no_second_fault_follows_from_a_row_that_is_no_week(name: str, words: str) -> None:
    text = refusal(name)
    assert "1 fault(s)" in text and words in text
    # The same table as pandas reads it, where one row makes every column text.
    with pytest.raises(DataError) as refused:
        validate_table(pd.read_csv(CASES / f"{name}.csv"), MODEL, DataConfig(), "weekly.csv")
    assert "1 fault(s)" in str(refused.value) and words in str(refused.value)


def test_faults_in_the_weeks_keep_their_row_numbers() -> None:
    table = pd.read_csv(CASES / "header_twice.csv")
    table["tv"] = table["tv"].astype(object)
    table.loc[60, "tv"] = "-5"
    with pytest.raises(DataError, match=r"2 fault\(s\)(?s:.*)negative value in 1 row\(s\): row 60"):
        validate_table(table, MODEL, DataConfig(), "weekly.csv")


def test_empty_rows_are_said_together() -> None:
    table = pd.read_csv(CASES / "weeks52.csv")
    padded = pd.concat([table, pd.DataFrame(index=range(3))], ignore_index=True)
    with pytest.raises(DataError, match=r"1 fault\(s\).*\n- rows 52, 53, 54 each is empty"):
        validate_table(padded, MODEL, DataConfig(), "weekly.csv")


def test_a_header_below_a_title_is_one_fault(tmp_path: Path) -> None:
    text = (CASES / "weeks52.csv").read_text("utf-8")
    path = tmp_path / "weeks52.csv"
    path.write_text("Media report,,,,,\n,,,,,\n" + text)
    said = refusal("weeks52", tmp_path)
    assert "1 fault(s)" in said and "the header stands in row" in said
    assert header_row(pd.read_csv(CASES / "weeks52.csv"), {"radio", "print"}) is None
