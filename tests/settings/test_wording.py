"""How numbers are written: the same digits and the same whole wherever they are read."""

import math
from datetime import date

import pytest

from mmm_demo.settings import wording

NAN = math.nan


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00153, "0.00153"),  # orders per unit of money, which two decimals made 0.00
        (0.0011718, "0.00117"),
        (0.0000153, "0.0000153"),
        (2.1, "2.10"),
        (32.0, "32.0"),
        (0.9996, "1.00"),
        (99.96, "100"),
        (1234.5, "1,230"),
        (999_600, "1,000,000"),
        (-0.5, "-0.500"),
        (0.0, "0"),
        (-0.0, "0"),
        (1.5e-12, "1.5e-12"),
        (NAN, "n/a"),
        (math.inf, "n/a"),
    ],
)
def test_a_roas_has_three_significant_digits_in_any_unit(value: float, text: str) -> None:
    assert wording.roas(value) == text


def test_a_roas_is_told_with_its_interval() -> None:
    assert wording.roas_with_interval(0.0015, 0.0012, 0.00191) == "0.00150 (0.00120 to 0.00191)"
    assert wording.roas_with_interval(NAN, 1.0, 2.0) == "n/a"
    assert wording.roas_between(NAN, 2.0) == "n/a"
    assert wording.roas_between(1.0, 2.0, " - ") == "1.00 - 2.00"


@pytest.mark.parametrize(
    ("of_all", "of_media", "text"),
    [
        (0.0231, 0.127, "+267k (+2.3% of all sales, +12.7% of those that media bring)"),
        (-0.132, -0.726, "+267k (-13.2% of all sales, -72.6% of those that media bring)"),
        (NAN, 0.127, "+267k (+12.7% of those that media bring)"),
        (0.0231, NAN, "+267k (+2.3% of all sales)"),
        (NAN, NAN, "+267k"),
    ],
)
def test_a_percentage_never_stands_without_its_whole(
    of_all: float, of_media: float, text: str
) -> None:
    assert wording.with_shares("+267k", of_all, of_media) == text


def test_columns_of_percentages_name_their_whole() -> None:
    assert (wording.OF_ALL, wording.OF_MEDIA) == (
        "gain, % of all sales",
        "gain, % of sales by media",
    )
    assert wording.percent(0.0231) == "+2.3%"
    assert wording.percent(NAN) == "n/a"


@pytest.mark.parametrize(
    ("before", "now", "text"),
    [
        (0.0, 0.0, "unchanged"),  # nothing last quarter and nothing planned is not new
        (0.0, 5.0, "new"),
        (100.0, 127.0, "+27%"),
        (100.0, 0.0, "-100%"),
        (100.0, 100.0, "+0%"),
    ],
)
def test_a_change_of_money(before: float, now: float, text: str) -> None:
    assert wording.change(before, now) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(12_000_000, "12,000,000"), (2.25, "2.25"), (0, "0"), (0.5, "0.5"), (NAN, "n/a")],
)
def test_amounts_stand_in_full_as_in_a_file(value: float, text: str) -> None:
    assert wording.amount(value) == text


def test_things_are_listed_and_counted_as_people_do() -> None:
    assert wording.join_words([]) == "" and wording.join_words(["a"]) == "a"
    assert wording.join_words(["a", 2, "c"]) == "a, 2 and c"
    assert wording.some(["a", "b"], 2) == "a, b"
    assert wording.some(["a", "b", "c", "d"], 2) == "a, b and 2 more"
    assert [wording.number_of(n) for n in (0, 1, 2)] == ["0 weeks", "1 week", "2 weeks"]
    assert wording.number_of(1, "fold") == "1 fold"


def test_a_span_of_one_day_is_that_day() -> None:
    first, last = date(2024, 1, 1), date(2024, 2, 5)
    assert wording.span([first]) == "2024-01-01"
    assert wording.span([first, date(2024, 1, 8), last]) == "2024-01-01 to 2024-02-05"


@pytest.mark.parametrize(
    ("part", "digits", "text"),
    [
        (0.123, 0, "12%"),
        (0.123, 1, "12.3%"),
        (-0.0001, 0, "0%"),  # no -0%
        (-0.25, 0, "-25%"),
        (math.nan, 0, "n/a"),
        (math.inf, 1, "n/a"),
    ],
)
def test_a_share_that_is_not_known_is_none(part: float, digits: int, text: str) -> None:
    assert wording.share(part, digits) == text
