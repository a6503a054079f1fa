"""What a cell that should be a day says, and how to turn its column into days."""

import datetime as dt
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

WEEK_DAYS = 7
# Every way of writing a day that `strptime` reads; of two with the same marks, both are tried.
DAYS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d"),
    *(f"%d{mark}%m{mark}%Y" for mark in "/.-"),
    *(f"%m{mark}%d{mark}%Y" for mark in "/.-"),
    *(f"%d{mark}%m{mark}%y" for mark in "/.-"),
    *(f"%m{mark}%d{mark}%y" for mark in "/.-"),
    *("%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d %b %y", "%b %d, %Y", "%b %d %Y", "%Y-%b-%d"),
    *("%d %B %Y", "%d. %B %Y", "%d-%B-%Y", "%B %d, %Y", "%B %d %Y"),
    *("%a %Y-%m-%d", "%a %d/%m/%Y", "%a %m/%d/%Y", "%a %d.%m.%Y", "%a, %d %b %Y", "%a %d %b %Y"),
    *("%A, %B %d, %Y", "%A, %d %B %Y", "%a, %b %d, %Y"),
)
WEEKS = (
    *("%G-W%V", "%GW%V", "%G W%V", "W%V %G", "W%V-%G", "W%V/%G", "KW%V %G", "KW%V/%G"),
    *("KW %V %G", "KW %V/%G", "%G-KW%V", "Week %V %G", "Week %V, %G", "%G Week %V"),
    *("%G-%V", "%G/%V", "%V/%G", "%V-%G", "%G%V"),
)
MONTHS = ("%Y-%m", "%m/%Y", "%Y/%m", "%m.%Y", "%Y%m", "%b %Y", "%b-%y", "%B %Y", "%Y-%b", "%b-%Y")
BARE_WEEKS = WEEKS[-5:]  # which could be months
WORDS = {
    **{"%Y": "year", "%y": "year", "%m": "month", "%b": "month", "%B": "month", "%d": "day"},
    **{"%a": "weekday", "%A": "weekday"},
}
EXCEL_DAYS = (20_000, 80_000)  # 1954 to 2119
UNIX_SECONDS = (3e8, 5e9)  # 1979 to 2128
UNITS = {"D": "days", "s": "seconds", "ms": "milliseconds"}
ONE_ROW = "a row is a week"
CODE = ", e.g. "
TIME = re.compile(
    r"(.*\d)(?:T| +)(\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?(?: ?[AP]M)?) *(Z|UTC|[+-]\d\d:?\d\d)?",
    re.IGNORECASE,
)
MIDNIGHT = re.compile(r"0?0:00(:00(\.0+)?)?|12:00(:00)? ?AM", re.IGNORECASE)
SPAN = re.compile(r"\d{4}-\d\d-\d\d *(/|to|bis|\u2013|-) *\d{4}-\d\d-\d\d", re.IGNORECASE)
PERIOD = re.compile(r"[qh][1-4]\W*\d{4}|\d{4}\W*[qh][1-4]|\d{4}", re.IGNORECASE)
type Days = Mapping[int, dt.date | None]  # by row; None where the cell is unread


def parse(text: str, form: str) -> dt.date | None:
    """Return the day that a text is in a form of `strptime`; a week is its Monday."""
    if "%V" in form:
        text, form = f"{text}-1", f"{form}-%u"
    try:
        return dt.datetime.strptime(text, form).date()
    except ValueError:
        return None


def is_day(text: str) -> bool:
    """Return whether a text can be read as a day or a week, in whatever form."""
    match = TIME.fullmatch(text.strip())
    day = match[1] if match else text.strip()
    return any(parse(day, form) for form in (*DAYS, *WEEKS))


def explain_texts(cells: Mapping[int, Any], known: Days, name: str) -> list[tuple[list[int], str]]:
    """Say what texts in a column of days are.

    Parameters
    ----------
    cells
        Texts that are no YYYY-MM-DD, by row.
    known
        Days of the other rows: weekly steps tell days from months.
    name
        Column.

    Returns
    -------
    list of (rows, next step)
        Every row is in one item, in the order of the table.
    """
    left, found = {row: str(cell) for row, cell in cells.items()}, []
    while left:
        rows, step = _largest(left, known, name)
        alike = len(rows) == len(cells) and not any(known.values())
        if not alike and "'%Y-%m-%d'" not in step:  # which reads days with zeros as well
            step = step.partition(CODE)[0]
        found.append((rows, step))
        left = {row: text for row, text in left.items() if row not in rows}
    return sorted(found)


def explain_numbers(
    cells: Mapping[int, Any], known: Days, name: str
) -> list[tuple[list[int], str]]:
    """Say what numbers in a column of days are; as `explain_texts`."""
    column, texts = f"table[{name!r}]", {row: f"{float(cell):.0f}" for row, cell in cells.items()}
    value = float(next(iter(cells.values())))
    units = {"D": EXCEL_DAYS, "s": UNIX_SECONDS, "ms": tuple(1e3 * end for end in UNIX_SECONDS)}
    words = {"D": "Excel's number of a day", "s": "seconds since 1970", "ms": "ms since 1970"}
    for unit, (low, high) in units.items():
        if all(low <= float(cell) < high for cell in cells.values()):
            start = f"unit={unit!r}" + (", origin='1899-12-30'" if unit == "D" else "")
            days = dt.timedelta(**{UNITS[unit]: value})
            day = (dt.datetime(*(1899, 12, 30) if unit == "D" else (1970, 1, 1)) + days).date()
            shown = f"{value:.0f} is {day}{CODE}{column} = pd.to_datetime({column}, {start})"
            return [([*cells], f"convert it, as {words[unit]}: {shown}.dt.normalize()")]
    return [
        (rows, f"convert it: {step}" if CODE in step else step)
        for rows, step in explain_texts(texts, known, name)
    ]


def _largest(cells: Mapping[int, str], known: Days, name: str) -> tuple[list[int], str]:
    """Return the most rows that one step mends, and the step."""
    column = f"table[{name!r}]"
    spaced = [row for row, text in cells.items() if text != text.strip()]
    if spaced and all(parse(cells[row].strip(), "%Y-%m-%d") for row in spaced):
        return spaced, f"spaces around the day: take them off, with {column}.str.strip()"
    plain = {row: text.strip() for row, text in cells.items()}
    if timed := {row: match for row, text in plain.items() if (match := TIME.fullmatch(text))}:
        return _timed(timed, known, name)
    fits = {form: _read(plain, form) for form in (*DAYS, *WEEKS)}
    if not (most := max(map(len, fits.values()))):
        return _words(plain, column)
    rows = next([*days] for days in fits.values() if len(days) == most)
    best = {form: days for form, days in fits.items() if [*days] == rows}
    form = next(iter(best))
    if form in BARE_WEEKS and all(_is_month(plain[row]) for row in rows):
        return rows, f"a month, or a week? {ONE_ROW}: write the day that it begins on as YYYY-MM-DD"
    if _differ(best):
        weekly = {form: days for form, days in best.items() if _steps_by_weeks(days, known)}
        if not weekly or _differ(weekly):
            return rows, _unsure(plain, rows, best)
        form = next(iter(weekly))
    return rows, _convert(form, best[form][rows[0]], plain[rows[0]], column)


def _read(cells: Mapping[int, str], form: str) -> dict[int, dt.date]:
    return {row: day for row, text in cells.items() if (day := parse(text, form))}


def _differ(readings: Mapping[str, Mapping[int, dt.date]]) -> bool:
    return len({tuple(days.values()) for days in readings.values()}) > 1


def _steps_by_weeks(days: Mapping[int, dt.date], known: Days) -> bool:
    """Return whether days go on by a week from row to row, with those of the other rows."""
    both = sorted({**{row: day for row, day in known.items() if day}, **days}.items())
    steps = [
        (after - before).days == WEEK_DAYS * (row - last)
        for (last, before), (row, after) in pairwise(both)
        if row in days or last in days
    ]
    return bool(steps) and all(steps)


def _convert(form: str, day: dt.date, text: str, column: str) -> str:
    series = f"{column}.astype(str)" if text.isdigit() else column
    if "%V" in form:
        what, series, form = "year and week", f"{series} + '-1'", f"{form}-%u"
        what += " (of ISO 8601, from Monday)"
    elif form == "%Y-%m-%d":
        what = "a day without its zeros"
    else:
        *parts, last = (WORDS[part] for part in re.findall(r"%[A-Za-z]", form))
        what = f"{', '.join(parts)} and {last}"
    code = f"{column} = pd.to_datetime({series}, format={form!r})"
    return f"{what}: write {text!r} as {day}{CODE}{code}"


def _unsure(
    cells: Mapping[int, str], rows: list[int], best: Mapping[str, Mapping[int, dt.date]]
) -> str:
    row = next(row for row in rows if len({days[row] for days in best.values()}) > 1)
    choices = dict.fromkeys(days[row] for days in best.values())
    said = " or ".join(f"{day} ({day.day} {day:%B})" for day in choices)
    return f"{cells[row]!r} is ambiguous, {said}: write YYYY-MM-DD"


def _timed(timed: Mapping[int, re.Match[str]], known: Days, name: str) -> tuple[list[int], str]:
    column = f"table[{name!r}]"
    late = [match for match in timed.values() if not MIDNIGHT.fullmatch(match[2])]
    if late and late[0][3]:
        example = f"pd.to_datetime({column}, utc=True).dt.tz_convert('Europe/Berlin')"
        step = f"a time in another zone ({late[0][0]}): give the day where you are, as YYYY-MM-DD"
        return [*timed], f"{step}{CODE}{column} = {example}.dt.strftime('%Y-%m-%d')"
    if late:
        step = "give the day that the week begins on, as YYYY-MM-DD"
        return [*timed], f"a time of day ({late[0][2]}): {step}"
    days = {row: match[1].strip() for row, match in timed.items()}
    if all(re.fullmatch(r"\d{4}-\d\d-\d\d", day) for day in days.values()):
        first = next(iter(days.values()))
        return [*timed], f"a time of day: write {first}{CODE}{column} = {column}.str[:10]"
    rows, step = _largest(days, known, name)
    cut = f"{column} = {column}.str.replace(r'[T ]+\\d+:.*', '', regex=True)"
    return rows, f"a time of day: take it off, with {cut}; then {step}"


def _words(cells: Mapping[int, str], column: str) -> tuple[list[int], str]:
    """Say what texts are that no form reads, one kind at a time."""
    kinds: dict[str, list[int]] = {}
    for row, text in cells.items():
        kinds.setdefault(_word(text, column), []).append(row)
    step, rows = max(kinds.items(), key=lambda item: len(item[1]))
    return rows, step


def _word(text: str, column: str) -> str:
    if SPAN.fullmatch(text):
        return f"a span of days: give its first day{CODE}{column} = {column}.astype(str).str[:10]"
    if _is_month(text) or PERIOD.fullmatch(text):
        return f"more than a week: {ONE_ROW}; bring one row every 7 days"
    if re.fullmatch(r"(w|kw|week|wk)?\W*\d{1,2}", text, re.IGNORECASE):
        return "a week without its year: give the day that it begins on, as YYYY-MM-DD"
    if re.fullmatch(r"\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}", text):
        return "there is no such day: correct it, as YYYY-MM-DD"
    if re.search(r"\d", text) and re.search(r"[^\W\d_]{3,}", text):
        return "no form that is known: write it in numbers, as YYYY-MM-DD"
    return "no day: write the day that the week begins on as YYYY-MM-DD"


def _is_month(text: str) -> bool:
    return any(parse(text, form) for form in MONTHS)
