"""Public holidays of a country, by the `holidays` package."""

from collections.abc import Iterator
from datetime import date, timedelta

from mmm_demo.settings.events import Holidays, Occurrence
from mmm_demo.tables.faults import DataError

YEARS_AHEAD = 5  # for forecasts and plans
ENGLISH = "en_US"


def occurrences(wanted: Holidays, first: date, last: date) -> tuple[Occurrence, ...]:
    """Return the holidays of the weeks that a model is fitted on, and of some years after them.

    Parameters
    ----------
    wanted
        Country, names and days around them.
    first, last
        First and last day of the weeks.

    Raises
    ------
    DataError
        When there is no such country, part of it, or holiday; says which there are.
    """
    found = list(_named(wanted, first, last))
    here = {name for name, _, day in found if first <= day <= last}
    if wanted.names:
        known = {word for own, english, _ in found for word in (own, english)}
        if missing := [name for name in wanted.names if name not in known]:
            there = sorted({own if own == en else f"{own} ({en})" for own, en, _ in found})
            raise DataError(
                f"data.holidays: no holiday {', '.join(missing)} in {wanted.country}; there are "
                f"{', '.join(there)}"
            )
    around = timedelta(days=wanted.before), timedelta(days=wanted.after)
    times = []
    for own, english, day in found:
        called = next((name for name in (own, english) if name in wanted.names), None)
        if called is None and (wanted.names or own not in here):
            continue
        start, end = day - around[0], day + around[1]
        times.append(Occurrence(called or own, start.isoformat(), end.isoformat()))
    return tuple(times)


def _named(wanted: Holidays, first: date, last: date) -> Iterator[tuple[str, str, date]]:
    """Yield each holiday's name in its country's language and in English, and its day."""
    import holidays

    country, part = wanted.country.upper(), wanted.subdivision
    supported = holidays.list_supported_countries()
    if country not in supported:
        raise DataError(
            f"data.holidays: no country {wanted.country!r}; codes are those of ISO 3166, e.g. DE, "
            "GB, NO, US"
        )
    if part is not None and part not in supported[country]:
        valid = ", ".join(supported[country]) or "none"
        raise DataError(f"data.holidays: {country} has no subdivision {part!r}; codes are {valid}")
    years = range(first.year, last.year + YEARS_AHEAD + 1)
    options = {"subdiv": part, "years": years, "observed": False}
    own = holidays.country_holidays(country, **options)
    english = ENGLISH in holidays.list_localized_countries().get(country, [])
    spoken = holidays.country_holidays(country, language=ENGLISH, **options) if english else own
    # Where two fall on one day, each language sorts them in its own way.
    called = {
        own[day]: spoken[day]
        for day in own
        if len(own.get_list(day)) == len(spoken.get_list(day)) == 1
    }
    for day in sorted(own):
        for name in own.get_list(day):
            yield name, called.get(name, name), day
