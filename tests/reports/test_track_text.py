"""A tracked plan in words: the verdict first, and never better than what was measured."""

import re
from dataclasses import replace

import numpy as np
import pytest

from mmm_demo.planning.outcome import Forecast
from mmm_demo.reports.track_text import HEADER, headline, rows, sentences, short, verdict
from track_data import make_outcome


@pytest.mark.parametrize(
    ("settings", "start", "words"),
    [
        ({}, "Held after all 6 weeks: all sales of 600 lie inside the 94 % interval", ()),
        ({"weeks": 2}, "Held so far (2 of 6 weeks): all sales of 200 lie inside", ()),
        ({"outside": (0, 3)}, "Not held after all 6 weeks: all sales of 800 lie outside", ("+8.",)),
        (
            {"spent": (1.0, 0.5, 1.5)},
            "Not followed after all 6 weeks: 33% of the planned money went elsewhere",
            ("cannot be judged", "Given the spend that happened, all sales of 600 lie inside"),
        ),
        ({"spent": (1.0, 0.5, 1.5), "outside": (0, 3)}, "Not followed", ("lie outside",)),
        ({"spent": (1.0, np.nan, 1.0)}, "Not assessable after all 6 weeks", ()),
    ],
)
def test_verdict_says_what_became_of_the_promise(
    settings: dict, start: str, words: tuple[str, ...]
) -> None:
    text = verdict(make_outcome(**settings))
    assert text.startswith(start)
    assert not [word for word in words if word not in text]
    assert sentences(make_outcome(**settings))[0] == text


def test_interval_of_the_verdict_is_that_of_the_total() -> None:
    found = re.search(r"interval (\d+) to (\d+), ([-+].*) standard", verdict(make_outcome()))
    assert found
    low, high, z = map(float, found.groups())
    half = 1.8808 * 10 * np.sqrt(6)
    assert (low, high) == (pytest.approx(600 - half, abs=4), pytest.approx(600 + half, abs=4))
    assert abs(z) <= 0.1


def test_weeks_and_money_are_counted() -> None:
    outcome = make_outcome(outside=(0,), spent=(1.0, 1.05, 0.5))
    _, weeks, money = sentences(outcome)
    assert weeks.startswith("Of 6 week(s), 5 lie inside the promised 94 % interval and 5 inside")
    assert money.startswith("Spent 153 of 180 planned. Off plan: Radio 60 planned, 63 spent; Sea")
    assert "TV" not in money
    assert sentences(make_outcome())[2] == "Spent 180 of 180 planned. Every channel is on plan."
    unknown = sentences(make_outcome(spent=(1.0, np.nan, 1.0)))[2]
    assert unknown == "Spent n/a of 180 planned. Off plan: Radio 60 planned, n/a spent."


def test_short_words_name_weeks_total_and_verdict() -> None:
    assert short(make_outcome(outside=(0,))) == "6 weeks, 5 inside 94 %, total outside, not held"
    assert headline(make_outcome(weeks=1), "A") == "A: 1 week, 1 inside 94 %, total inside, held"


def test_rows_are_the_weeks_and_their_total() -> None:
    table = rows(make_outcome(outside=(0,)))
    assert len(table) == 7 and {len(row) for row in table} == {len(HEADER)}
    assert table[0][:2] == ("2026-01-05", "200") and table[0][3:] == ("no", "30", "30")
    assert table[1][3] == "yes"
    assert table[-1][:2] == ("total", "700") and table[-1][3:] == ("no", "180", "180")


def test_what_is_not_known_reads_like_it() -> None:
    outcome = make_outcome()
    lost = Forecast(outcome.promised.draws * np.nan, outcome.promised.realised)
    table = rows(replace(outcome, promised=lost))
    assert {row[3] for row in table} == {"no"}
    assert "nan to nan" in table[0][2]
