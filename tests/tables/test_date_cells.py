"""Texts and numbers in columns of days: the form of the value shown, and code that reads it."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from mmm_demo.tables.date_cells import CODE, explain_numbers, explain_texts, is_day

MONDAYS = [dt.date(2023, 1, 2) + dt.timedelta(weeks=week) for week in range(60)]


def column(form: str | Callable[[dt.date], Any], days: list[dt.date] = MONDAYS) -> list[Any]:
    return [form(day) if callable(form) else day.strftime(form) for day in days]


def the_step(cells: list[Any], known: dict[int, dt.date] | None = None) -> str:
    explained = explain_texts if isinstance(cells[0], str) else explain_numbers
    ((rows, step),) = explained(dict(enumerate(cells)), known or {}, "week")
    assert rows == list(range(len(cells)))
    return step


FORMS: dict[str, str | Callable[[dt.date], Any]] = {
    "US": "%m/%d/%Y",
    "US, short year": "%m/%d/%y",
    "US, no zeros": lambda day: f"{day.month}/{day.day}/{day.year}",
    "British": "%d/%m/%Y",
    "German": "%d.%m.%Y",
    "German, short year": "%d.%m.%y",
    "German, no zeros": lambda day: f"{day.day}.{day.month}.{day.year}",
    "Dutch": "%d-%m-%Y",
    "slashes, year first": "%Y/%m/%d",
    "ISO without zeros": lambda day: f"{day.year}-{day.month}-{day.day}",
    "ISO with spaces": " %Y-%m-%d",
    "ISO, basic": "%Y%m%d",
    "ISO, basic, number": lambda day: int(day.strftime("%Y%m%d")),
    "ISO week": "%G-W%V",
    "ISO week, basic": "%GW%V",
    "ISO week, plain": "%G-%V",
    "ISO week, number": lambda day: int(day.strftime("%G%V")),
    "German week": "KW %V/%G",
    "month in letters": "%d-%b-%y",
    "month in words": "%B %d, %Y",
    "weekday": "%a %d.%m.%Y",
    "midnight": "%Y-%m-%d 00:00:00",
    "midnight, ISO": "%Y-%m-%dT00:00:00Z",
    "midnight, US": "%m/%d/%Y 0:00",
    "span of days": lambda day: f"{day}/{day + dt.timedelta(days=6)}",
    "Excel's number": lambda day: (day - dt.date(1899, 12, 30)).days,
    "seconds": lambda day: 86_400 * (day - dt.date(1970, 1, 1)).days,
    "milliseconds": lambda day: 86_400_000.0 * (day - dt.date(1970, 1, 1)).days,
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_the_code_of_the_step_gives_the_days(form: str | Callable[[dt.date], Any]) -> None:
    cells = column(form)
    step = the_step(cells)
    table = pd.DataFrame({"week": cells})
    for piece in step.replace("with table", f"{CODE}table['week'] = table").split(CODE)[1:]:
        exec(piece.partition("; then")[0], {"table": table, "pd": pd})
    assert pd.to_datetime(table["week"]).dt.date.tolist() == MONDAYS, step


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (column("%Y-%m-%d 12:30"), "a time of day (12:30)"),
        (column("%Y-%m-%dT23:00:00Z"), "a time in another zone (2023-01-02T23:00:00Z)"),
        (column("%Y"), "more than a week"),
        (column("%b %Y"), "more than a week"),
        (["2023-01", "2023-02", "2023-03"], "a month, or a week?"),
        (["2024-Q1", "2024-Q2"], "more than a week"),
        (["W01", "W02"], "a week without its year"),
        ([1, 2, 3], "a week without its year"),
        (["2. Januar 2023", "9. März 2023"], "write it in numbers"),
        (["2022-02-30"], "no such day"),
        (["soon"], "no day"),
        ([20.5], "without its year"),
        ([1e300], "no day"),
    ],
)
def test_what_is_no_day_of_a_week_is_said(cells: list[Any], words: str) -> None:
    assert words in the_step(cells)


def test_a_day_that_could_be_a_month_is_ambiguous_and_never_guessed() -> None:
    step = the_step(["03/04/2024"])
    assert "'03/04/2024' is ambiguous, 2024-04-03 (3 April) or 2024-03-04 (4 March)" in step
    assert CODE not in step
    # First of months, with no day above 12: no form makes them weekly.
    assert "ambiguous" in the_step(["01/02/2024", "01/03/2024", "01/04/2024"])


def test_weekly_steps_tell_days_from_months() -> None:
    few = MONDAYS[5:6] + MONDAYS[9:10]  # 2023-02-06 and 2023-03-06
    both = {0: "02/06/2023", 4: "03/06/2023"}
    ((_, step),) = explain_texts(both, {}, "week")
    assert step.startswith("month, day and year: write '02/06/2023' as 2023-02-06"), (few, step)
    ((_, step),) = explain_texts({1: "08/01/2024"}, {0: dt.date(2024, 1, 1)}, "week")
    assert step == "day, month and year: write '08/01/2024' as 2024-01-08"
    ((_, step),) = explain_texts({1: "03/04/2024"}, {0: dt.date(2024, 1, 1)}, "week")
    assert "ambiguous" in step


def test_code_is_for_a_column_that_is_all_alike() -> None:
    assert CODE not in the_step(["13/02/2023"], {1: dt.date(2023, 2, 20)})
    found = explain_texts({0: "13/02/2023", 1: "soon", 2: "27/02/2023"}, {}, "week")
    assert [rows for rows, _ in found] == [[0, 2], [1]]
    assert all(CODE not in step for _, step in found)


@pytest.mark.parametrize("text", ["2024-01-01", "1/2/2024", "2024-W05", "2 Jan 2024 00:00"])
def test_a_day_is_a_day_in_any_form(text: str) -> None:
    assert is_day(text)


@pytest.mark.parametrize("text", ["Total", "Source: panel", "2024-13-45", ""])
def test_other_texts_are_no_day(text: str) -> None:
    assert not is_day(text)
