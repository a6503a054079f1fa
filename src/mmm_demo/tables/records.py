"""What is odd about the values of a weekly table: holes, empty ends, weeks in another unit.

A wrong unit or a template filled in advance gives numbers that are as good as any to a model. Here
they are found by their size beside the other weeks; `contract` refuses or warns, `explore` tells.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from mmm_demo.settings.data import Accepted
from mmm_demo.settings.wording import DAY, number_of, span
from mmm_demo.tables import faults as words
from mmm_demo.tables.two_levels import FAR, dotted, is_many, lasts, two_levels

ALMOST_NONE = 0.05  # of the median week of the target: a hole in the records rather than demand
NEITHER = "neither sales nor spend: drop them"
OUTLIER_RATIO = 50.0  # warned about above this many times the median positive value,
OUTLIER_GAP = 5.0  # and this many times the largest other: skewed spend reaches far by small steps


@dataclass(frozen=True, eq=False)
class Finding:
    """Weeks of a column that are unlike its others.

    Attributes
    ----------
    column, kind
        The column; `ends`, `low`, `high`, `hole` or `outlier`.
    days
        The weeks, in order.
    fault
        Whether no model may see them.
    text
        What is odd, and what to do.
    """

    column: str
    kind: str
    days: pd.DatetimeIndex
    fault: bool
    text: str


def holes(target: pd.Series) -> pd.Series:
    """Return the weeks of almost no sales: a hole in the records rather than low demand."""
    return target < ALMOST_NONE * target.median()


def above_lowest(control: pd.Series) -> pd.Series:
    """Return the weeks in which an indicator or count is above its lowest value."""
    return control > control.min()


def marked_by(controls: pd.DataFrame, weeks: np.ndarray) -> list[str]:
    """Name the controls that mark just some weeks."""
    same = {name: above_lowest(values).to_numpy() == weeks for name, values in controls.items()}
    return [str(name) for name, equal in same.items() if equal.all()]


def outliers(values: np.ndarray) -> np.ndarray:
    """Return the weeks far above all others."""
    positive = values[values > 0]
    far = values > (OUTLIER_RATIO * np.median(positive) if positive.size else np.inf)
    return far & bool(far.any() and values[far].min() > OUTLIER_GAP * values[~far].max(initial=0))


def idle_ends(amounts: pd.DataFrame) -> tuple[int, int]:
    """Return the row of the first week with an amount, and the one after the last; 0 and 0 if none.

    What lies outside is a template that was filled in advance, or not in yet.
    """
    alive = np.flatnonzero((amounts != 0).any(axis=1))
    return (int(alive[0]), int(alive[-1]) + 1) if alive.size else (0, 0)


def tell_ends(first: pd.DatetimeIndex, last: pd.DatetimeIndex, lack: str) -> str:
    """Say what the first and the last weeks of a table lack, and what to do."""
    parts = []
    if len(first):
        parts.append(f"the first {number_of(len(first))} (until {first[-1]:{DAY}})")
    if len(last):
        parts.append(f"the last {number_of(len(last))} (from {last[0]:{DAY}})")
    return f"{' and '.join(parts)} {'has' if len(first) + len(last) == 1 else 'have'} {lack}"


def odd_weeks(
    table: pd.DataFrame,
    target: str,
    channels: Sequence[str],
    accepted: Sequence[Accepted] = (),
    offered: bool = True,
) -> list[Finding]:
    """Find the weeks of a column that are unlike its others and that no one accepted.

    A channel that is dark is no finding, nor is spend that comes in bursts.

    Parameters
    ----------
    table
        Index the weeks; numbers, one column each. What is neither target nor channel is a control.
    target, channels
        Roles; one that is not in the table is left out.
    accepted
        Weeks that are known to be right.
    offered
        Whether settings can be changed, so that a step may name one.

    Returns
    -------
    list of Finding
        Faults are weeks at an end of the table without sales and spend, and many weeks at 1/50 of
        the others or less, or at 50 times them: of spend only up to an end of the table, as
        campaigns come and go, and of a control that is never 0, such as a price. Sales that a
        control tells of are none.
    """
    names = dict.fromkeys([target, *channels, *table])
    looks = (
        _Look(table, name, target, channels, accepted, offered) for name in names if name in table
    )
    return [found for look in looks for found in look.findings()]


def judge_records(
    table: pd.DataFrame,
    target: str,
    channels: Sequence[str],
    accepted: Sequence[Accepted] = (),
    today: date | None = None,
    offered: bool = True,
) -> tuple[list[str], list[str]]:
    """Say what is wrong with the values of a table, and what should be looked at.

    Parameters
    ----------
    table, target, channels, accepted, offered
        See `odd_weeks`.
    today
        No sales are known after it; None where dates mean nothing, as in a simulated market.

    Returns
    -------
    faults, warnings
        One line each. An accepted stretch in which nothing is odd is a fault.
    """
    found = odd_weeks(table, target, channels, accepted, offered)
    faults, warnings = (
        [words.of_column(item.column, item.text) for item in found if item.fault is fault]
        for fault in (True, False)
    )
    for entry in accepted if offered else ():
        look = _Look(table, entry.column, target, channels, (entry,))
        if entry.column in table and not (look.suspect & look.known).any():
            faults.append(
                f"data.accept, {entry}: no week of it is unlike the others of {entry.column!r}; "
                "correct its days or remove it"
            )
    late = table.index > pd.Timestamp(today) if today else np.zeros(len(table), dtype=bool)
    for item in found:
        late &= ~(table.index.isin(item.days) & (item.kind == "ends"))  # told of already
    if late.any() and target in table:
        days = table.index[late]
        told = f"{number_of(len(days))} after today, {today}: {span(days)}"
        planned = (table.loc[late, target] == 0).all()
        if planned:
            told += ", without sales; what is planned is no data: drop them"
        else:
            told += "; sales to come are not known: drop forecasts, or correct the year"
        (faults if planned else warnings).append(words.of_column(str(table.index.name), told))
    return faults, warnings


type _Tell = Callable[[np.ndarray], tuple[bool, str]]  # rows -> fault, text


class _Look:
    """One column, looked at in several ways; a week is told of once."""

    def __init__(
        self,
        table: pd.DataFrame,
        name: str,
        target: str,
        channels: Sequence[str],
        accepted: Sequence[Accepted],
        offered: bool = True,
    ) -> None:
        self.offered = offered
        self.table, self.name, self.is_target = table, name, name == target
        self.media = [channel for channel in channels if channel in table]
        self.whole = target in table and len(self.media) == len(channels)
        self.known = np.zeros(len(table), dtype=bool)
        for entry in accepted:
            inside = (table.index >= entry.first) & (table.index <= entry.last)
            self.known |= inside & (entry.column == name)

    @property
    def values(self) -> np.ndarray:
        return self.table[self.name].to_numpy(dtype=float)

    @property
    def suspect(self) -> np.ndarray:
        """Every week that would be told of if none were accepted."""
        masks = [mask for _, mask, _ in self.looks()]
        return np.logical_or.reduce(masks)

    def findings(self) -> Iterator[Finding]:
        told = self.known.copy()
        for kind, mask, tell in self.looks():
            rows = np.flatnonzero(mask & ~told)
            if rows.size:
                yield Finding(self.name, kind, self.table.index[rows], *tell(rows))
            told |= mask

    def looks(self) -> Iterator[tuple[str, np.ndarray, _Tell]]:
        values = self.values
        if not self.is_target and self.name not in self.media:
            yield from self.looks_at_control(values)
            return
        if self.is_target:
            yield "ends", self.empty_ends(), self.tell_ends
        low = two_levels(values, "low") | dotted(values)
        high = two_levels(values, "high")
        if self.is_target:
            low &= ~self.told_of()
            low &= is_many(values[low])  # fewer are holes
        else:  # campaigns come and go
            high &= lasts(high, values > 0)
        yield "low", low, self.tell_low
        yield "high", high & is_many(values[high]), self.tell_high
        if self.is_target:
            yield "hole", self.unmarked_holes(), self.tell_holes
        yield "outlier", outliers(values), self.tell_outliers

    def looks_at_control(self, values: np.ndarray) -> Iterator[tuple[str, np.ndarray, _Tell]]:
        """Look at a price or the like; an event is 0 without it, and may be of any size."""
        for side, tell in (("low", self.tell_low), ("high", self.tell_high)):
            odd = two_levels(values, side)
            yield side, odd & is_many(values[odd]) & (values > 0).all(), tell

    def empty_ends(self) -> np.ndarray:
        """Return the weeks before the first and after the last that have sales or spend."""
        ends = np.zeros(len(self.table), dtype=bool)
        if self.whole:
            first, last = idle_ends(self.table[[self.name, *self.media]])
            ends[:first], ends[last:] = last > 0, last > 0
        return ends

    @property
    def controls(self) -> pd.DataFrame:
        return self.table.drop(columns=[self.name, *self.media])

    def told_of(self) -> np.ndarray:
        """Return the weeks in which an indicator is on: the model is told what happened there."""
        on = [above_lowest(x).to_numpy() for _, x in self.controls.items() if len(x.unique()) == 2]
        return np.logical_or.reduce([np.zeros(len(self.table), dtype=bool), *on])

    def unmarked_holes(self) -> np.ndarray:
        empty = holes(self.table[self.name]).to_numpy()
        return empty & (not marked_by(self.controls, empty))

    def tell_ends(self, rows: np.ndarray) -> tuple[bool, str]:
        days, start = self.table.index, int(np.argmin(self.empty_ends()))
        return True, tell_ends(days[rows[rows < start]], days[rows[rows > start]], NEITHER)

    def tell_low(self, rows: np.ndarray) -> tuple[bool, str]:
        guess = "another unit, or dots as thousands separators"
        if dotted(self.values).any():
            value = self.values[rows[0]]
            guess = f"dots as thousands separators ({1000 * value:.0f} written as {value:g})"
        return self.tell_level(rows, "below 1/{:g}", "1/{:,.0f}", guess)

    def tell_high(self, rows: np.ndarray) -> tuple[bool, str]:
        return self.tell_level(rows, "above {:g} times", "{:,.0f} times", "another unit")

    def tell_level(self, rows: np.ndarray, than: str, by: str, guess: str) -> tuple[bool, str]:
        values = self.values
        others = np.setdiff1d(np.flatnonzero(values > 0), rows)
        level, usual = float(np.median(values[rows])), float(np.median(values[others]))
        days, fault = self.table.index[rows], is_many(values[rows])
        told = ""
        if self.is_target and level < usual:
            told = "mark them with a control that is 1 there, "
        been, ratio = "is" if len(rows) == 1 else "are", max(level / usual, usual / level)
        return fault, (
            f"{number_of(len(rows))}, {span(days)}, {been} {than.format(FAR)} of the others "
            f"(median {level:.4g} beside {usual:.4g}, {by.format(ratio)}): "
            f"{self.cells(rows)}; {guess}?"
        ) + self.offered * (
            f" Correct the file, {told}or say in data.accept why it is right: {{column: "
            f"{self.name}, from: {days[0]:{DAY}}, until: {days[-1]:{DAY}}, reason: ...}}"
        )

    def tell_holes(self, rows: np.ndarray) -> tuple[bool, str]:
        median, last = float(np.median(self.values)), len(self.values) - 1
        idle = (self.table[self.media].iloc[rows] == 0).all(axis=None) if self.whole else False
        step = (
            "holes in the records? Fill them at the source, or mark them with a control that is 1 "
            "there"
        )
        if rows[-1] == last and not idle:
            step = "not in yet? Then drop the last weeks"
        return False, (
            f"{number_of(len(rows))} of almost none{' and no spend' * bool(idle)} (below "
            f"{ALMOST_NONE:.0%} of the median {median:.4g}), {span(self.table.index[rows])}: "
            f"{self.cells(rows)}; {step}"
        )

    def tell_outliers(self, rows: np.ndarray) -> tuple[bool, str]:
        values = self.values
        median = float(np.median(values[values > 0]))
        what = f"up to {float(values[rows].max()) / median:.4g}x the median positive {median:.4g}"
        step = "check the unit: scaling by the maximum squashes all other weeks towards 0"
        return False, f"{len(rows)} outlier(s), {what}: {self.cells(rows)}; {step}"

    def cells(self, rows: np.ndarray) -> str:
        return words.cells((row, self.table.index[row], float(self.values[row])) for row in rows)
