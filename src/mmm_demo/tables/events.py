"""Events: when they were and will be, held against the weeks that shall tell their effects."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mmm_demo.settings.events import Occurrence
from mmm_demo.settings.wording import DAY
from mmm_demo.tables.faults import DataError, refuse
from mmm_demo.tables.table_file import read_texts

COLUMNS = ("name", "start", "end")
SHOWN = 8
WEEK = pd.Timedelta(days=7)


def read_events(path: Path) -> tuple[Occurrence, ...]:
    """Read a CSV file of events: name, first and last day of each time, as YYYY-MM-DD.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    DataError
        When it is no such file, with one line for each row at fault.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"no events at {path}; put the file there or change data.events in the experiment file"
        )
    raw = read_texts(path, COLUMNS)
    if sorted(raw.columns) != sorted(COLUMNS):
        raise DataError(
            f"{path} must have the columns {', '.join(COLUMNS)}; it has "
            f"{', '.join(map(str, raw.columns))}"
        )
    if raw.empty:
        raise DataError(f"{path} holds no event; add one or remove data.events")
    read, faults = [], []
    for number, cells in enumerate(raw[list(COLUMNS)].itertuples(index=False), 1):
        try:
            read.append(Occurrence(*(cell.strip() for cell in cells)))
        except ValueError as fault:
            faults.append(f"row {number}: {fault}")
    refuse(f"{path} holds events that cannot be used:", faults)
    return tuple(read)


def require_told(
    calendar: Sequence[Occurrence], weeks: pd.Series, columns: Sequence[str], where: str
) -> tuple[str, ...]:
    """Require that the weeks can tell the effect of every event.

    Parameters
    ----------
    calendar
        Every time of every event.
    weeks
        First days of the weeks that a model is fitted on.
    columns
        Names that the model has already.
    where
        Name of the source, for the message.

    Returns
    -------
    tuple of str
        What was noticed without refusing.

    Raises
    ------
    DataError
        With one line for each event whose effect no week can tell.
    """
    inside = {
        name: _weeks_of([time for time in calendar if time.name == name], weeks)
        for name in dict.fromkeys(time.name for time in calendar)
    }
    refuse(f"{where}: events whose effect the weeks cannot tell:", [
        *_untold(inside, calendar, weeks),
        *(f"{name}: is a column of the model too; rename the event" for name in inside
          if name in columns),
    ])  # fmt: skip
    return tuple(_noticed(inside, weeks))


def _weeks_of(times: Sequence[Occurrence], weeks: pd.Series) -> np.ndarray:
    """Return which weeks have a day of an event, shape (week,)."""
    found = np.zeros(len(weeks), dtype=bool)
    for time in times:
        start, end = pd.Timestamp(time.start), pd.Timestamp(time.end)
        found |= ((weeks <= end) & (weeks + WEEK > start)).to_numpy()
    return found


def _untold(
    inside: dict[str, np.ndarray], calendar: Sequence[Occurrence], weeks: pd.Series
) -> Iterator[str]:
    first, last = weeks.iloc[0], weeks.iloc[-1] + WEEK - pd.Timedelta(days=1)
    for name, found in inside.items():
        times = [time for time in calendar if time.name == name]
        if not found.any():
            when = "after" if times[0].start > f"{last:{DAY}}" else "outside of"
            yield (
                f"{name}: {times[0].start} is {when} the weeks {first:{DAY}} to {last:{DAY}}, so "
                "nothing tells what it does; leave it out until it has been, or give a date when "
                "it was before"
            )
        elif found.all():
            yield (
                f"{name}: is in every week, so nothing tells its effect from the level of sales; "
                "leave it out"
            )


def _noticed(inside: dict[str, np.ndarray], weeks: pd.Series) -> Iterator[str]:
    if not inside:
        return
    first = weeks.iloc[0]
    yield (
        f"events: a week is its date and the 6 days after it ({first:%A} {first:{DAY}} to "
        f"{first + WEEK - pd.Timedelta(days=1):%A}); if your dates end weeks, give their first days"
    )
    seen: dict[bytes, list[str]] = {}
    for name, found in inside.items():
        seen.setdefault(found.tobytes(), []).append(name)
    for names in seen.values():
        if len(names) > 1:
            yield f"events {', '.join(names[:SHOWN])} are in the same weeks: only their sum is told"
