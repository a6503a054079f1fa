"""What a weekly table must be before a model may see it.

The model library silently fills empty cells with zero, drops repeated weeks and accepts columns
that cannot be told apart. Here each is a fault with place, value and next step, all in one go.
"""

import difflib
from collections import Counter
from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd

from mmm_demo.settings.data import DataConfig
from mmm_demo.settings.experiment import ModelConfig
from mmm_demo.settings.wording import DAY, some
from mmm_demo.tables import faults
from mmm_demo.tables.cells import (
    OTHER_DECIMALS,
    Advice,
    Cells,
    advise_dates,
    advise_numbers,
    pending_step,
    read_cells,
    split_pending,
)
from mmm_demo.tables.date_cells import WEEK_DAYS
from mmm_demo.tables.faults import CELLS_SHOWN, WEEKS_SHOWN
from mmm_demo.tables.number_cells import Form, to_values
from mmm_demo.tables.odd_rows import header_row, odd_rows
from mmm_demo.tables.records import judge_records
from mmm_demo.tables.repeats import partners_of, unit_of

MIN_WEEKS = 26  # half a year: fewer weeks cannot tell media from season, whatever the model
SPARE_WEEKS = 10  # left over after two carry-over windows and one week per channel and control


def min_weeks(model: ModelConfig) -> int:
    """Fewest weeks that can carry a model: two lags, one per column, and some to spare."""
    effects = len(model.channel_columns) + len(model.control_columns)
    return max(MIN_WEEKS, 2 * model.longest_lag + effects + SPARE_WEEKS)


def validate_table(
    raw: pd.DataFrame,
    model: ModelConfig,
    data: DataConfig,
    where: str,
    today: date | None = None,
    *,
    stored: bool = False,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Turn a raw weekly table of one market into a clean one, or say all that is wrong with it.

    Parameters
    ----------
    raw : pandas.DataFrame
        One row per week, sorted by week. Not changed; its index and other columns are ignored.
    model : ModelConfig
        Which column plays which role, and the weeks over which spend carries over.
    data : DataConfig
        What an empty spend cell means, which odd weeks are accepted, and how decimals are written.
    where : str
        Name of the source, shown first in the message.
    today : datetime.date, optional
        See `records.judge_records`.
    stored : bool
        Whether the settings are those of a stored version, which no message may offer to change.

    Returns
    -------
    table : pandas.DataFrame
        Shape (weeks, 2 + channels + controls): date (datetime64[ns], midnight, no timezone),
        target, channels, controls (float64, in the units of ``raw``); RangeIndex.
    warnings : tuple of str
        What is allowed but should be looked at.

    Raises
    ------
    DataError
        If the table breaks the contract. The message has one line per fault.
    """
    look = _Inspection(raw, model, data, stored)
    look.read_columns()
    look.check_records(today)
    look.check_length()
    look.check_repeats()
    count = f"{len(look.faults)} fault(s) in the weekly table (row 0 is the first of data)"
    faults.refuse(f"{where}: {count}", look.faults)
    dates = pd.Series(look.dates, dtype="datetime64[ns]")
    return pd.DataFrame({model.date_column: dates, **look.clean}), tuple(look.warnings)


class _Inspection:
    """One pass over one table. Each check adds its findings and leaves the others to theirs."""

    def __init__(
        self, raw: pd.DataFrame, model: ModelConfig, data: DataConfig, stored: bool
    ) -> None:
        self.raw, self.model, self.data, self.stored = raw, model, data, stored
        self.rows = list(range(len(raw)))  # that are weeks, as numbered in the source
        self.odd: dict[int, str] = {}  # rows that are no weeks, and what they are
        self.form = Form(data.decimal, not stored)
        self.roles = {model.date_column: "date", model.target_column: "target"}
        self.roles |= dict.fromkeys(model.channel_columns, "channel")
        self.roles |= dict.fromkeys(model.control_columns, "control")
        self.dates: list[pd.Timestamp | None] = [None] * len(raw)
        self.clean: dict[str, np.ndarray] = {}  # numbers of the columns without a bad cell
        self.decimals: dict[str, Advice] = {}  # by column that has decimals of another kind
        self.pending: dict[int, list[str]] = {}  # columns empty in the last weeks, by their number
        self.faults: list[str] = []
        self.warnings: list[str] = []

    def read_columns(self) -> None:
        labels = [str(label) for label in self.raw.columns]
        if (row := header_row(self.raw, {*self.roles} - {*labels})) is not None:
            self.faults.append(f"the header stands in row {row}; remove all that is above it")
            return
        self.leave_out_odd_rows(labels)
        for name, role in self.roles.items():
            same = [place for place, label in enumerate(labels) if label == name]
            if not same:
                self.fault(name, f"missing; {self.suggest(name, labels)}")
            elif len(same) > 1:
                self.fault(name, f"occurs {len(same)}x, at positions {same}; keep one")
            else:
                read = self.read_dates if role == "date" else self.read_numbers
                read(name, self.raw.iloc[:, same[0]])
        self.warnings += faults.twins(labels, self.roles)
        self.report_decimals()
        self.report_pending()

    def leave_out_odd_rows(self, labels: list[str]) -> None:
        once = {name: labels.index(name) for name in self.roles if labels.count(name) == 1}
        columns = {name: self.raw.iloc[:, place] for name, place in once.items()}
        self.odd = odd_rows(columns, self.model.date_column, self.model.target_column)
        for what in dict.fromkeys(self.odd.values()):
            rows = [str(row) for row in self.odd if self.odd[row] == what]
            what = what if len(rows) == 1 else f"each {what}"
            self.faults.append(f"row{'s' * (len(rows) > 1)} {some(rows, WEEKS_SHOWN)} {what}")
        self.rows = [row for row in self.rows if row not in self.odd]
        self.raw = self.raw.iloc[self.rows]
        self.dates = [None] * len(self.rows)

    def suggest(self, name: str, labels: list[str]) -> str:
        if name in self.raw.index.names:
            return "it is the index of the table: call .reset_index()"
        spare = {label.strip().casefold(): label for label in labels if label not in self.roles}
        if close := difflib.get_close_matches(name.strip().casefold(), spare, n=1):
            return f"did you mean {spare[close[0]]!r}? Correct the config or rename the column"
        return f"correct the config; the table has {faults.short(labels, 200)}"

    def read_dates(self, name: str, column: pd.Series) -> None:
        self.dates, bad = read_cells(column, "date")
        days = {row: day and day.date() for row, day in enumerate(self.dates)}
        for advice in advise_dates(bad, days, name):
            self.fault_cells(name, advice)
        known = [(row, day) for row, day in enumerate(self.dates) if day is not None]
        counts = Counter(day for _, day in known)
        if repeated := [f"{day:{DAY}} ({n}x)" for day, n in counts.items() if n > 1]:
            step = "a panel of several markets? Sum the rows per week, or filter to one market"
            self.fault(
                name, f"{len(repeated)} repeated date(s): {some(repeated, CELLS_SHOWN)}; {step}"
            )
        if late := [row for (_, before), (row, day) in pairwise(known) if day < before]:
            self.fault(name, f"out of order, first at {self.place(late[0])}; sort the table by it")
        if not bad:  # an unreadable date would show up a second time, as a gap
            self.check_spacing(name, sorted(counts))

    def check_spacing(self, name: str, days: list[pd.Timestamp]) -> None:
        gaps = Counter((after - before).days for before, after in pairwise(days))
        if set(gaps) <= {WEEK_DAYS}:
            return
        if WEEK_DAYS in gaps and all(gap % WEEK_DAYS == 0 for gap in gaps):
            absent = pd.date_range(days[0], days[-1], freq=f"{WEEK_DAYS}D").difference(days)
            weeks = some([f"{day:{DAY}}" for day in absent], WEEKS_SHOWN)
            self.fault(name, f"{len(absent)} missing week(s): {weeks}; add a row for each")
        else:
            seen = some([f"{gap} day(s) ({gaps[gap]}x)" for gap in sorted(gaps)], WEEKS_SHOWN)
            first = next(b for a, b in pairwise(days) if (b - a).days != WEEK_DAYS)
            row = self.place(self.dates.index(first))
            self.fault(name, f"not weekly, first at {row}: {seen}; bring one row every 7 days")

    def read_numbers(self, name: str, column: pd.Series) -> None:
        if self.odd:  # one of them made the whole column text
            column = pd.Series(to_values(column, self.form.decimal), dtype=object)
        values, bad = read_cells(column, self.roles[name])
        if self.data.missing_spend == "zero" and (empty := bad.pop("missing channel value", 0)):
            values = [0.0 if value is None else value for value in values]
            self.warn(name, f"{len(empty)} empty cell(s) read as 0 spend: {self.places(empty)}")
        self.fault_numbers(name, column, bad)
        if not bad:
            self.clean[name] = np.array(values, dtype=np.float64)
            self.check_values(name, self.clean[name])

    def check_values(self, name: str, values: np.ndarray) -> None:
        if len(values) > 1 and unit_of(values) is None:
            level = f"constant at {values[0]:.6g}" if values.any() else "0 in every week"
            self.fault(name, f"{self.roles[name]} {level}; check the source or leave it out")

    def check_records(self, today: date | None) -> None:
        if None in self.dates:  # weeks that cannot be named are a fault already
            return
        weeks = pd.DatetimeIndex(self.dates, name=self.model.date_column)
        table, media = pd.DataFrame(self.clean, index=weeks), self.model.channel_columns
        found, warnings = judge_records(
            table, self.model.target_column, media, self.data.accept, today, not self.stored
        )
        # A stored version was fitted with its weeks, and those after them may follow a plan.
        (self.warnings if self.stored else self.faults).extend(found)
        self.warnings += warnings

    def check_length(self) -> None:
        # A row whose date is unreadable is a week too.
        weeks = len(set(self.dates) - {None}) + self.dates.count(None)
        if weeks < (least := min_weeks(self.model)):
            step = "bring more weeks or shorten adstock_max_lag"
            self.faults.append(f"{weeks} week(s) of data, at least {least} needed; {step}")

    def check_repeats(self) -> None:
        units = {n: unit for n, x in self.clean.items() if (unit := unit_of(x)) is not None}
        target = units.pop(self.model.target_column, None)
        basis: dict[str, np.ndarray] = {}
        for name, unit in units.items():  # channels first, as in the contract
            if len(unit) < len(basis) + 4:  # with columns enough, anything repeats anything
                break
            if target is not None and partners_of(target, {name: unit}):
                self.fault(name, "repeats the target (a multiple or shifted copy); leave it out")
            if partners := partners_of(unit, basis):
                # Controls that repeat only each other leave the channels identified.
                mixed = {name, *partners} & {*self.model.channel_columns}
                what = f"perfectly collinear with {', '.join(map(repr, partners))}"
                (self.fault if mixed else self.warn)(name, f"{what}; merge them or drop one")
            else:
                basis[name] = unit

    def fault(self, name: str, what: str) -> None:
        self.faults.append(faults.of_column(name, what))

    def warn(self, name: str, what: str) -> None:
        self.warnings.append(faults.of_column(name, what))

    def fault_cells(self, name: str, advice: Advice) -> None:
        kind, cells, step = advice
        self.fault(name, f"{kind} in {len(cells)} row(s): {self.places(cells)}; {step}")

    def fault_numbers(self, name: str, column: pd.Series, bad: dict[str, Cells]) -> None:
        missing = f"missing {self.roles[name]} value"
        before, count = split_pending(bad.get(missing, []), len(self.rows))
        longest = max(self.pending, default=0)
        if self.roles[name] == "control" and count > longest:
            before = bad[missing]  # what sales and spend are known for is no matter of time
        elif count >= max(longest, 1):  # dropping more weeks drops these
            self.pending.setdefault(count, []).append(name)
        left = {kind: cells for kind, cells in (bad | {missing: before}).items() if cells}
        for advice in advise_numbers(left, column, self.roles[name], self.form):
            if advice[0] == OTHER_DECIMALS:
                self.decimals[name] = advice
            else:
                self.fault_cells(name, advice)

    def report_decimals(self) -> None:
        """Report decimal commas once, however many columns have them: they have one cause."""
        for name, (kind, cells, step) in [*self.decimals.items()][:1]:
            others = [repr(other) for other in self.decimals if other != name]
            also = f"; the same in {', '.join(others)}" if others else ""
            self.fault_cells(name, (kind, cells, step + also))

    def report_pending(self) -> None:
        for count, names in self.pending.items():
            days = self.dates[-count:]
            weeks = [f"{day:{DAY}}" if day else "no date" for day in days]
            spend = {self.roles[name] for name in names} == {"channel"}
            self.faults.append(pending_step(names, weeks, spend, self.form.offered))

    def places(self, cells: Cells) -> str:
        return faults.cells((self.rows[row], self.dates[row], value) for row, value in cells)

    def place(self, row: int) -> str:
        return faults.place(self.rows[row], self.dates[row])
