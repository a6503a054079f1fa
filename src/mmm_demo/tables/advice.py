"""The next step for cells that a model may not see: one that fits the value shown."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from mmm_demo.tables.cells import EXACT_LIMIT, NOT_ISO, NUMBER_DATE, TEXT, YEARS, Cells
from mmm_demo.tables.date_cells import Days, explain_numbers, explain_texts
from mmm_demo.tables.number_cells import DECIMAL, PLAIN, Form, explain, shapes

NEXT_STEP = {
    "missing date value": "give the row its week or drop it",
    "timezone-aware date": "drop the timezone with .dt.tz_localize(None)",
    "date with a time of day": "keep the day only, with .dt.normalize()",
    "date out of range": f"correct the year; it must be from {YEARS[0]} to {YEARS[-1]}",
    "missing channel value": "fill it, or set missing_spend: zero if empty means no spend",
    "missing target value": "fill it at the source; a target is never filled in for you",
    "missing control value": "fill it at the source; a control is never filled in for you",
    "infinite value": "correct it; infinity would scale the whole column to zero",
    "negative value": "move refunds and corrections to the week they belong to",
    "value too large": f"correct it or choose a larger unit; the limit is {EXACT_LIMIT:.0e}",
    "true/false value": "give an amount; only controls may be true/false",
    "value that is not a number": "give one real number per cell",
}
WEEKS_SHOWN = 10
MOST_PENDING = 0.25  # of the weeks; a column that is empty for longer has ended
OTHER_DECIMALS = f"{TEXT} (other decimals)"
STORED = {"missing channel value": "write 0 if nothing was spent, else the amount"}
type Advice = tuple[str, Cells, str]  # kind of fault, cells, next step


def advise_dates(bad: Mapping[str, Cells], days: Days, name: str) -> Iterator[Advice]:
    """Say what to do about the bad cells of a column of days.

    Parameters
    ----------
    bad
        Row and value, by kind of fault.
    days
        Days of all rows; None where they are not known.
    name
        Column.
    """
    explained: dict[str, Callable[[Any, Days, str], list[tuple[list[int], str]]]] = {
        NOT_ISO: explain_texts,
        NUMBER_DATE: explain_numbers,
    }
    for kind, cells in bad.items():
        if kind not in explained:
            yield kind, cells, NEXT_STEP[kind]
            continue
        for rows, step in explained[kind](dict(cells), days, name):
            chosen = set(rows)
            yield kind, [(row, cell) for row, cell in cells if row in chosen], step


def advise_numbers(
    bad: Mapping[str, Cells], column: Iterable[Any], role: str, form: Form
) -> Iterator[Advice]:
    """Say what to do about the bad cells of a column of numbers.

    Parameters
    ----------
    bad
        Row and value, by kind of fault.
    column
        All its cells; they tell decimal commas from separators of thousands.
    role
        `channel`, `target` or `control`.
    form
        How the file writes numbers.
    """
    for kind, cells in bad.items():
        if kind != TEXT:
            yield (
                kind,
                cells,
                NEXT_STEP[kind] if form.offered else STORED.get(kind, NEXT_STEP[kind]),
            )
            continue
        seen = shapes(column, form)
        found: dict[str, tuple[str, Cells]] = {}
        for row, text in cells:
            reading = explain(text, seen, role, form)
            found.setdefault(reading.kind, (reading.step, []))[1].append((row, text))
        if PLAIN in found and len(found) > 1:
            # One "1,234" makes a CSV column text as a whole: show it before its neighbours.
            plain = found.pop(PLAIN)[1]
            next(iter(found.values()))[1].extend(plain)
        for style, (step, chosen) in found.items():
            yield OTHER_DECIMALS if style == DECIMAL else kind, chosen, step


def split_pending(cells: Cells, weeks: int) -> tuple[Cells, int]:
    """Split empty cells of a column into those before its last value, and the number of the rest.

    Weeks whose sales are not known yet stand at the end, and are few.
    """
    empty, count = {row for row, _ in cells}, 0
    while weeks - 1 - count in empty:
        count += 1
    return (cells, 0) if not 0 < count <= MOST_PENDING * weeks else (cells[:-count], count)


def pending_step(names: list[str], weeks: list[str], spend: bool, offered: bool) -> str:
    """Say what to do about the last weeks, in which columns are empty.

    Parameters
    ----------
    names, weeks
        Columns, and the weeks as shown.
    spend
        Whether all the columns are channels, of which an empty cell may mean 0.
    offered
        Whether settings can be changed.
    """
    several = len(weeks) > 1
    shown = ", ".join(weeks) if len(weeks) <= WEEKS_SHOWN else f"{weeks[0]} to {weeks[-1]}"
    have = f"last {len(weeks)} weeks have" if several else "last week has"
    step = (
        f"the {have} no {' and no '.join(names)} yet: drop {'them' if several else 'it'} ({shown})"
    )
    zero = "set missing_spend: zero" if offered else "write 0"
    return step + f", or {zero} if nothing was spent" * spend
