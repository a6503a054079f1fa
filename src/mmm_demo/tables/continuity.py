"""A weekly table against the one that a version was fitted on: same units, no holes, same history.

A refresh brings new weeks, drops old ones and restates the last. It does not bring the same weeks
in another unit: the priors live on the champion's scale, so a column that is 1/1000 of what it was
tells the model nothing, and the fit returns its prior as if it had been found.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from mmm_demo.settings.data import TREND, DataConfig
from mmm_demo.settings.experiment import ModelConfig
from mmm_demo.settings.wording import DAY, number_of, span
from mmm_demo.settings.wording import amount as written
from mmm_demo.tables.faults import DataError

FACTOR = 5.0  # so many times what it was is another unit, in weeks that are alike in it
ENOUGH = 4  # weeks: fewer are corrections of single weeks
ALIKE = 2 / 3  # of the weeks that moved so far must have moved by the same factor
WIDE, NARROW = 1.5, 1.2  # the same factor: in half of all weeks or more (rounded units), in fewer
LEVEL = 50.0  # of weeks that nothing can be held against but the level of others; growth is less
EDGE = 13  # weeks at the end of one table and the start of the other whose levels are compared
SMALL = 0.05  # of the median: that less is gone makes no hole
RECENT, RESTATED = 8, 0.20  # what a source may still change, and by how much, without a remark
ROUNDING, STEADY = 1e-3, 0.02
LEAST = FACTOR * (1 - ROUNDING)
CORRECT = "correct the file, or use another market"


class ContinuityError(DataError):
    """A table in other units than those of the market's champion, or with holes in its weeks."""


@dataclass(frozen=True, eq=False)
class Weekly:
    """The columns of a weekly table that come from its source.

    Attributes
    ----------
    values
        Indexed by week: target, channels and controls.
    amounts
        Target and channels: where one of these is 0 and was not, something is gone.
    target
        The first of them.
    groups
        Members of the channels that are sums of columns.
    """

    values: pd.DataFrame
    amounts: tuple[str, ...]
    target: str
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, table: pd.DataFrame, model: ModelConfig, data: DataConfig) -> "Weekly":
        """Read a table; what is no number or no date is left to the contract.

        The control that `data.trend` makes starts at 0 in every table, so it is not among them.
        """
        amounts = (model.target_column, *model.channel_columns)
        made = {TREND} if data.trend == "linear" else set()
        names = [name for name in (*amounts, *model.control_columns) if name not in made]
        values = table[names].apply(pd.to_numeric, errors="coerce").astype(float)
        days = table[model.date_column].astype(str)
        values.index = pd.DatetimeIndex(pd.to_datetime(days, format=DAY, errors="coerce"))
        values = values[values.index.notna() & ~values.index.duplicated()]
        groups = data.dt_mart.groups if data.dt_mart else data.groups
        return cls(values.sort_index(), amounts, model.target_column, groups)


@dataclass(frozen=True)
class Findings:
    """What a table changes of the weeks before it, a line each.

    Attributes
    ----------
    units, holes
        What no fit may use.
    levels, changes
        What should be known.
    """

    units: tuple[str, ...]
    holes: tuple[str, ...]
    levels: tuple[str, ...]
    changes: tuple[str, ...]

    @property
    def refused(self) -> tuple[str, ...]:
        """What is another unit or a hole."""
        return (*self.units, *self.holes)

    @property
    def told(self) -> tuple[str, ...]:
        """Everything else."""
        return (*self.levels, *self.changes)


def compare(
    now: Weekly,
    before: Weekly,
    whose: str = "the champion",
    step: str = CORRECT,
    planned: pd.DataFrame | None = None,
) -> Findings:
    """Hold a table against an earlier one of the same market, over the columns that both have.

    Parameters
    ----------
    now, before
        The new table, and the one that the version was fitted on.
    whose
        Who was fitted on it, for the messages.
    step
        What to do about another unit or a hole.
    planned
        Spend that was planned for the new weeks, indexed by week: what follows its plan is in the
        plan's unit, however far it is from what was spent before.
    """
    skipped = [
        f"{name}: adds up other columns than {whose}'s, so it is not held against it"
        for name in now.values.columns.intersection(before.values.columns)
        if _regrouped(name, now, before)
    ]
    units: list[str] = []
    holes = list(_gone(now, before, whose, step))
    levels: list[str] = []
    changes = [*_span(now, before, whose), *skipped]
    pairs = dict(_pairs(now, before))
    if not pairs:
        changes.append(f"no column in common with {whose}: the table is not held against it")
    for name, (new, old) in pairs.items():
        expected = planned[name] if planned is not None and name in planned else None
        pair = _Pair(name, new, old, whose, expected)
        found = list(pair.units())
        empty = list(pair.holes(name in now.amounts, name in (now.target, before.target)))
        far, level = pair.level()
        if far and pair.comparable < ENOUGH and not pair.agrees:
            found.append(level)
        elif level:
            levels.append(level)
        units += [f"{line}: {step}" for line in found]
        holes += [f"{line}: {step}" for line, refused in empty if refused]
        changes += [line for line, refused in empty if not refused]
        if not found and not empty:
            changes += pair.changes()
    return Findings(tuple(units), tuple(holes), tuple(levels), tuple(changes))


def _regrouped(name: str, now: Weekly, before: Weekly) -> bool:
    """Whether one name stands for sums of different columns."""
    both = name in now.groups and name in before.groups
    return both and set(now.groups[name]) != set(before.groups[name])


def _pairs(now: Weekly, before: Weekly) -> Iterator[tuple[str, tuple[pd.Series, pd.Series]]]:
    """Yield each column that both have, or that one has as a sum and the other in parts."""
    for name in dict.fromkeys([*before.values, *now.values]):
        if not _regrouped(name, now, before):
            new, old = _column(now, name, before.groups), _column(before, name, now.groups)
            if new is not None and old is not None:
                yield name, (new, old)


def _column(weekly: Weekly, name: str, others: Mapping[str, tuple[str, ...]]) -> pd.Series | None:
    """Return a column, or the sum of the columns that the other table calls so."""
    if name in weekly.values:
        return weekly.values[name]
    members = list(others.get(name, ()))
    if members and set(members) <= set(weekly.values.columns):
        return weekly.values[members].sum(axis=1)
    return None


def _gone(now: Weekly, before: Weekly, whose: str, step: str) -> Iterator[str]:
    """Name the weeks in the middle of a table that the other has and it has not."""
    new, old = now.values.index, before.values.index
    gone = old[(old > new.min()) & (old < new.max())].difference(new)
    if len(gone) and len(new.intersection(old)):
        yield f"{_weeks(gone)} that {whose} was fitted on {_are(gone)} missing: {step}"


def _span(now: Weekly, before: Weekly, whose: str) -> Iterator[str]:
    """Say which weeks came and went, but for the new ones."""
    new, old = now.values.index, before.values.index
    if not len(new.intersection(old)):
        days = [f"{weeks[0]:%A}s" for weeks in (new, old)]
        at = "" if days[0] == days[1] else f", {days[0]} and {days[1]}"
        yield (
            f"no week in common with {whose} ({span(new)} and {span(old)}{at}): only the levels "
            "are held against it"
        )
        return
    for weeks, what in (
        (old[old < new[0]], "left out"),
        (new[new < old[0]], "added"),
        (old[old > new[-1]], "left out"),
    ):
        if len(weeks):
            of = f" of {whose}'s" if what == "left out" else f" before {whose}'s"
            yield f"{_weeks(weeks)}{of} {_are(weeks)} {what}"


@dataclass(frozen=True, eq=False)
class _Pair:
    """One column of both tables."""

    name: str
    new: pd.Series
    old: pd.Series
    whose: str
    planned: pd.Series | None = None

    @cached_property
    def shared(self) -> pd.DataFrame:
        """Weeks of both: old, new, ratio (NaN where one of them is 0)."""
        table = pd.DataFrame({"old": self.old, "new": self.new}).dropna()
        return table.assign(ratio=(table["new"] / table["old"]).where((table != 0).all(axis=1)))

    @property
    def comparable(self) -> int:
        """Number of weeks with a ratio."""
        return int(self.shared["ratio"].notna().sum())

    @property
    def agrees(self) -> bool:
        """Whether a week of both shows the same unit."""
        return bool(self.shared["ratio"].between(1 / LEAST, LEAST).any())

    def units(self) -> Iterator[str]:
        """Name the weeks that are the same constant factor of what they were."""
        ratio = self.shared["ratio"]
        for moved in (ratio[ratio > LEAST], ratio[(ratio > 0) & (ratio < 1 / LEAST)]):
            near = WIDE if 2 * len(moved) >= self.comparable else NARROW
            middle = float(moved.median())
            alike = moved[(moved <= middle * near) & (moved >= middle / near)]
            if len(alike) < ENOUGH or len(alike) < ALIKE * len(moved):
                continue
            # Single weeks off the factor do not make it one of a part of the weeks.
            whole = len(alike) >= 0.9 * self.comparable
            weeks = self.shared if whole else self.shared.loc[alike.index]
            yield self._factor(middle, weeks)

    def _factor(self, factor: float, weeks: pd.DataFrame) -> str:
        where = self._where(weeks)
        return f"{self.name}: {_times(factor)} what {self.whose} was fitted on in {where}"

    def _where(self, weeks: pd.DataFrame) -> str:
        """Name weeks of both, with the sums in them."""
        number = len(self.shared)
        part = f"{len(weeks)} of " if len(weeks) < number else ""
        when = f", {span(weeks.index)}" if part else ""
        sums = _change(weeks["old"].sum(), weeks["new"].sum())
        return f"{part}the same {number} weeks{when} ({sums})"

    def holes(self, amount: bool, target: bool) -> Iterator[tuple[str, bool]]:
        """Name the weeks that had an amount and are 0 now, and say whether that is refused."""
        old, new = self.shared["old"], self.shared["new"]
        lost = self.shared[(new == 0) & (old > SMALL * old[old > 0].median())]
        if amount and len(lost):
            where = f"{len(lost)} of the same {len(self.shared)} weeks, {span(lost.index)}"
            line = f"{self.name}: 0 in {where}, in which {self.whose} had "
            line += written(lost["old"].sum())
            yield line, target or len(lost) >= ENOUGH

    def level(self) -> tuple[bool, str]:
        """Hold the weeks beyond the other table against its nearest: is it too far, and a line."""
        new, old = self.new.dropna(), self.old.dropna()
        later = new.index.max() >= old.index.min()
        fresh = new[new.index > old.index.max()] if later else new
        fresh = fresh if len(fresh) or self.comparable >= ENOUGH else new
        fresh, near = (
            (fresh.head(EDGE), old.tail(EDGE)) if later else (new.tail(EDGE), old.head(EDGE))
        )
        came, all_known = fresh[fresh > 0], old[old > 0]
        known = near[near > 0] if (near > 0).any() else all_known
        if not (len(came) and len(known)):
            return False, ""
        now, then = float(came.median()), float(known.median())
        low, high = all_known.quantile([0.05, 0.95])
        outside = max(now / high, low / now)  # below 1 where such weeks are known
        far = max(now / then, then / now)
        if far < FACTOR or outside <= 1:
            return False, ""
        plan = self._plan(fresh.index)
        side = "last" if later else "first"
        line = (
            f"{_times(now / then, digits=2)} {self.whose}'s {side} {len(near)} weeks in "
            f"{_weeks(fresh.index)} ({_change(then, now)} in the middle week"
            f"{'' if np.isnan(plan) else f', planned {written(plan)}'})"
        )
        unplanned = np.isnan(plan) or max(now / plan, plan / now) >= LEVEL
        return far >= LEVEL and outside >= FACTOR and unplanned, f"{self.name}: {line}"

    def _plan(self, weeks: pd.Index) -> float:
        if self.planned is None:
            return float("nan")
        planned = self.planned[self.planned.index.isin(weeks)]
        return float(planned[planned > 0].median())

    def changes(self) -> Iterator[str]:
        """Say what is no longer what it was, in weeks that no fault is about."""
        old, new = self.shared["old"], self.shared["new"]
        off = (new - old).abs()
        moved = self.shared[off > ROUNDING * np.maximum(old.abs(), new.abs())]
        if moved.empty:
            return
        ratio, middle = moved["ratio"].dropna(), float(moved["ratio"].median())
        steady = ((ratio / middle - 1).abs() <= STEADY).sum() if len(ratio) else 0
        if steady >= ENOUGH and steady >= 0.9 * self.comparable:
            yield self._factor(middle, self.shared)
            return
        share = float((off / old.abs())[moved.index].max())
        first = f"{moved.index[0]:{DAY}}"
        if moved.index[0] in self.old.index[-RECENT:] and share <= RESTATED:
            yield f"{self.name}: the last weeks are restated, from {first}, by up to {share:.0%}"
            return
        most = off[moved.index].idxmax()
        yield (
            f"{self.name}: history is not the same: {len(moved)} of the same {len(self.shared)} "
            f"weeks changed, most in {most:{DAY}} ({_change(old[most], new[most])})"
        )


def _weeks(weeks: pd.DatetimeIndex) -> str:
    return f"{number_of(len(weeks))} ({span(weeks)})"


def _are(weeks: pd.Index) -> str:
    return "are" if len(weeks) > 1 else "is"


def _times(factor: float, digits: int = 3) -> str:
    """Return a factor as people say it: 1/1000 of, 0.9 times, 1000 times."""
    if factor < 1 / LEAST:
        return f"1/{float(f'{1 / factor:.{digits}g}'):.10g} of"
    return f"{float(f'{factor:.{digits}g}'):.10g} times"


def _change(old: float, new: float) -> str:
    return f"{written(old)} -> {written(new)}"
