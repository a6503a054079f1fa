"""The words in which every fault of a table is told."""

import numpy as np
import pandas as pd
import pytest

from mmm_demo.planning.actuals import ActualsError
from mmm_demo.tables.faults import DataError, cells, judged, place, refuse, twins

DAY = pd.Timestamp("2024-01-08")


def test_all_faults_are_told_in_one_error_and_none_in_none() -> None:
    refuse("weekly.csv is fine:", [])
    with pytest.raises(DataError) as told:
        refuse("weekly.csv has faults:", iter(["one; mend it", "two; mend it"]))
    assert str(told.value) == "weekly.csv has faults:\n- one; mend it\n- two; mend it"
    with pytest.raises(ActualsError, match="not the plan"):
        refuse("not the plan of its run:", ["one"], ActualsError)


def test_a_cell_is_told_with_row_week_and_value() -> None:
    assert place(3, None) == "row 3"
    assert cells([(3, DAY, -5.0)]) == "row 3 (2024-01-08) = -5.0"
    assert cells([(3, None, "a\nb")]) == r"row 3 = 'a\nb'"
    assert cells([(3, None, "9" * 100)]) == f"row 3 = '{'9' * 36}..."
    many = cells((row, None, row) for row in range(10))
    assert many == "row 0 = 0, row 1 = 1, row 2 = 2 and 7 more"


def test_columns_are_judged_by_each_rule() -> None:
    table = pd.DataFrame({"tv": [1.0, np.nan], "radio": [2.0, 2.0], "search": [1.0, 2.0]})
    rules = {
        "not finite:": lambda values: not np.isfinite(values).all(),
        "constant:": lambda values: values.nunique() == 1,
    }
    assert judged(table, rules) == ["not finite: tv", "constant: tv, radio"]
    assert judged(table[["search"]], rules) == []


def test_a_second_column_of_a_name_is_seen_unless_it_has_a_role() -> None:
    labels = ["tv", "tv.1", "tv.x", "radio.1", "search", "search.2"]
    (warning,) = twins(labels, ["tv", "search", "search.2"])
    assert warning == "column 'tv.1': ignored; check in the header if it is a second 'tv'"
