"""Public holidays, by the real package."""

from datetime import date

import pytest

from mmm_demo.settings.events import Holidays, Occurrence
from mmm_demo.sources.holidays import YEARS_AHEAD, occurrences
from mmm_demo.tables.faults import DataError

FIRST, LAST = date(2023, 1, 2), date(2024, 12, 29)


def found(**wanted) -> tuple[Occurrence, ...]:
    return occurrences(Holidays(**wanted), FIRST, LAST)


def test_a_holiday_is_found_by_its_own_name_and_in_english():
    own, english = (
        found(country="NO", names=(name,)) for name in ("Første juledag", "Christmas Day")
    )
    assert [time.start for time in own] == [time.start for time in english]
    assert {time.name for time in english} == {"Christmas Day"}
    years = [f"{year}-12-25" for year in range(2023, LAST.year + YEARS_AHEAD + 1)]
    assert [time.start for time in own] == years


def test_days_around_it_belong_to_it():
    time = found(country="us", names=("Independence Day",), before=3, after=1)[0]
    assert (time.start, time.end) == ("2023-07-01", "2023-07-05")


def test_without_names_all_that_the_weeks_have_are_taken():
    names = {time.name for time in found(country="NO")}
    assert {"Første juledag", "Grunnlovsdag", "Langfredag"} <= names
    assert len(names) == 12


def test_two_on_one_day_keep_their_own_names_in_both_languages():
    """In 2027 Constitution Day is a Whit Monday."""
    for name, days in (("Constitution Day", "05-17"), ("Whit Monday", "05-17")):
        starts = [time.start for time in found(country="NO", names=(name,))]
        assert f"2027-{days}" in starts
    starts = [time.start for time in found(country="NO", names=("Whit Monday",))]
    assert "2024-05-17" not in starts and "2024-05-20" in starts


def test_a_part_of_a_country_has_its_own():
    everywhere, bavaria = found(country="DE"), found(country="DE", subdivision="BY")
    more = {time.name for time in bavaria} - {time.name for time in everywhere}
    assert "Heilige Drei Könige" in more


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"country": "XX"}, "no country 'XX'; codes are those of ISO 3166"),
        ({"country": "DE", "subdivision": "XX"}, "DE has no subdivision 'XX'; codes are BB, "),
        (
            {"country": "NO", "names": ("Xmas",)},
            r"no holiday Xmas in NO; there are .*juledag",
        ),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(wanted, words):
    with pytest.raises(DataError, match=words):
        found(**wanted)
