"""Events: read, held against the weeks, and messages that say what to do."""

from pathlib import Path

import pandas as pd
import pytest

from mmm_demo.settings.events import Occurrence
from mmm_demo.tables.events import read_events, require_told
from mmm_demo.tables.faults import DataError

WEEKS = pd.Series(pd.date_range("2024-01-01", periods=30, freq="7D"))


def told(*times: tuple[str, str, str], columns: tuple[str, ...] = ()) -> tuple[str, ...]:
    return require_told([Occurrence(*time) for time in times], WEEKS, columns, "sales.csv")


def written(folder: Path, text: str) -> Path:
    path = folder / "events.csv"
    path.write_text(text, "utf-8")
    return path


def test_a_file_of_events_is_read_whatever_separates_its_cells(tmp_path):
    for sign in (",", ";", "\t"):
        rows = ("name", "start", "end"), ("Sale", "2024-02-05", "2024-02-18")
        path = written(tmp_path, "\n".join(sign.join(row) for row in rows))
        assert read_events(path) == (Occurrence("Sale", "2024-02-05", "2024-02-18"),)


def test_every_row_at_fault_is_named_in_one_go(tmp_path):
    path = written(
        tmp_path,
        "name,start,end\nSale,2024-02-18,2024-02-05\n,2024-02-05,2024-02-05\n"
        "Sale,05.02.2024,2024-02-05\nSale,2024-02-05,\n",
    )
    with pytest.raises(DataError) as refused:
        read_events(path)
    lines = str(refused.value).splitlines()
    assert "row 1: end 2024-02-05 comes before start 2024-02-18" in lines[1]
    assert "row 2: name must be text that says something, got ''" in lines[2]
    assert "row 3: start must be a day such as 2026-01-05, got '05.02.2024'" in lines[3]
    assert "row 4: end must be a day such as 2026-01-05, got ''" in lines[4]


def test_a_file_that_is_not_there_or_none_of_events_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="change data"):
        read_events(tmp_path / "none.csv")
    with pytest.raises(DataError, match="must have the columns name, start, end; it has name, day"):
        read_events(written(tmp_path, "name,day\nSale,2024-02-05\n"))
    with pytest.raises(DataError, match="holds no event; add one or remove"):
        read_events(written(tmp_path, "name,start,end\n"))


def test_an_event_that_no_week_tells_is_refused_with_the_reason():
    inside = ("Sale", "2024-02-05", "2024-02-18")
    assert len(told(inside)) == 1
    with pytest.raises(DataError, match=r"Opening: 2024-09-02 is after the weeks 2024-01-01 to 20"):
        told(inside, ("Opening", "2024-09-02", "2024-09-03"))
    with pytest.raises(DataError, match="Opening: 2023-09-02 is outside of the weeks"):
        told(inside, ("Opening", "2023-09-02", "2023-09-03"))
    with pytest.raises(DataError, match="Open: is in every week"):
        told(("Open", "2023-01-01", "2025-01-01"))
    with pytest.raises(DataError, match="TV: is a column of the model too; rename the event"):
        told(("TV", "2024-02-05", "2024-02-18"), columns=("TV",))


def test_an_event_may_come_again_after_the_data():
    assert told(("Sale", "2024-02-05", "2024-02-18"), ("Sale", "2025-02-05", "2025-02-18"))


def test_how_weeks_are_read_and_what_only_a_sum_tells_is_said():
    one, other = ("Sale", "2024-02-05", "2024-02-07"), ("Fair", "2024-02-06", "2024-02-08")
    week, sums = told(one, other, ("Party", "2024-03-05", "2024-03-05"))
    assert "a week is its date and the 6 days after it (Monday 2024-01-01 to Sunday)" in week
    assert sums == "events Sale, Fair are in the same weeks: only their sum is told"


def test_no_events_need_no_word():
    assert told() == ()
