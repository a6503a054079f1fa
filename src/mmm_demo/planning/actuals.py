"""A stored plan and the weeks that came after it, read and checked."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mmm_demo.fits.fitted import FittedModel
from mmm_demo.settings.data import TREND, DataConfig
from mmm_demo.settings.wording import DAY
from mmm_demo.tables.continuity import Weekly, compare
from mmm_demo.tables.contract import validate_table
from mmm_demo.tables.derived import with_groups, with_trend
from mmm_demo.tables.faults import refuse
from mmm_demo.tables.records import NEITHER, idle_ends, tell_ends

NUMBERS = ["spend", "units", "cost_per_unit"]
COLUMNS = ["week", "channel", *NUMBERS]


class ActualsError(ValueError):
    """A plan or actual weeks that cannot be held against each other."""


@dataclass(frozen=True, eq=False)
class Planned:
    """A plan's spend, shape (week, channel), indexed by week, columns in model order.

    Attributes
    ----------
    units
        In the units of the weekly table.
    cost
        Money per unit, by channel.
    """

    units: pd.DataFrame
    cost: pd.Series

    @property
    def money(self) -> pd.DataFrame:
        """The same in money."""
        return self.units * self.cost


def read_plan(
    schedule: pd.DataFrame, dates: pd.DatetimeIndex, channels: tuple[str, ...], where: str
) -> Planned:
    """Return the spend of a stored plan.

    Parameters
    ----------
    schedule
        A row per week and channel: week, channel, spend (money), units (of the weekly table),
        cost_per_unit.
    dates, channels
        Weeks and channels that it must have, each once.
    where
        Name of the file, for messages.

    Raises
    ------
    ActualsError
        When it is not the plan of these weeks and channels.
    """
    if missing := [name for name in COLUMNS if name not in schedule]:
        raise ActualsError(f"{where} lacks {', '.join(missing)}; plan again: mmm-demo optimize")
    days = pd.to_datetime(schedule["week"], format=DAY, errors="coerce").astype("datetime64[ns]")
    numbers = schedule[NUMBERS].apply(pd.to_numeric, errors="coerce")
    wrong = ~(np.isfinite(numbers) & (numbers >= 0)).all(axis=1) | days.isna()
    wrong |= ~np.isclose(numbers["spend"], numbers["units"] * numbers["cost_per_unit"], rtol=1e-6)
    if wrong.any():
        first = schedule.loc[wrong, COLUMNS].iloc[0].to_dict()
        raise ActualsError(f"{where}: {wrong.sum()} unusable row(s), first {first}; plan again")
    found = pd.MultiIndex.from_arrays([days, schedule["channel"]])
    wanted = pd.MultiIndex.from_product([dates, channels])
    if found.has_duplicates or set(found) != set(wanted):
        raise ActualsError(
            f"{where} is not the plan of its run: {len(wanted)} rows are needed, one for each of "
            f"{len(dates)} weeks from {dates[0]:{DAY}} and of {', '.join(channels)}; "
            f"found {len(found)} rows, {len(set(found) & set(wanted))} of these. Plan again"
        )
    numbers.index = found
    units, cost = (numbers[name].unstack()[list(channels)] for name in ("units", "cost_per_unit"))
    if (cost.nunique() > 1).any():
        raise ActualsError(f"{where}: the cost per unit of a channel changes; plan again")
    return Planned(units.loc[dates], cost.iloc[0])


def join_actuals(
    raw: pd.DataFrame,
    fitted: FittedModel,
    made: DataConfig,
    where: str,
    planned: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the weeks of the data followed by the actual ones after them, and warnings.

    Parameters
    ----------
    raw
        Actual weeks in the form of the weekly table. Weeks that the model was fitted on are
        ignored: it knows its own.
    fitted
        The version that planned.
    made
        Groups and trend of its data: groups are added up where the file has their members, and
        the trend goes on.
    where
        Name of the file, for messages.
    planned
        Planned spend, in units of the table, indexed by week (`Planned.units`): spend that follows
        its plan is in the plan's unit, however far from what was spent before.

    Raises
    ------
    ActualsError
        When a column is missing, no week comes after the data, the last weeks have no sales yet,
        or a column is in another unit than the data.
    DataError
        When the weeks do not follow the data week by week, or a value is not one that a model may
        see (`contract.validate_table`).
    """
    config, data = fitted.config, fitted.table
    made = replace(made, missing_spend="error")  # what came is known
    groups = {name: of for name, of in made.groups.items() if name not in raw}
    raw, noticed = with_groups(raw, groups, made.missing_spend, where)
    trend = [TREND] if made.trend == "linear" else []
    raw = raw.drop(columns=trend, errors="ignore")
    columns = [name for name in config.columns if name not in trend]
    if missing := [name for name in columns if name not in raw]:
        raise ActualsError(
            f"{where} lacks the column(s) {', '.join(missing)}; it has "
            f"{', '.join(map(str, raw.columns))}. Bring the columns that the model was fitted on"
        )
    last, date = pd.Timestamp(fitted.weeks[-1]), config.date_column
    # What is no date is kept, for the contract to name it.
    days = pd.to_datetime(raw[date].astype(str), format=DAY, errors="coerce")
    late = ~(days <= last)
    new = raw.loc[late, columns]
    if new.empty:
        raise ActualsError(
            f"{where} has {len(raw)} week(s), the last {days.max():{DAY}}, and none after the data "
            f"of the version, which end {last:{DAY}}; bring the weeks since then"
            if len(raw)
            else f"{where} has no rows; bring the weeks since {last:{DAY}}"
        )
    numbers = new[[name for name in columns if name != date]].apply(pd.to_numeric, errors="coerce")
    amounts = numbers[[config.target_column, *config.channel_columns]]
    levels: tuple[str, ...] = ()
    # What is no number is for the contract to name, and says nothing of units.
    if np.isfinite(numbers).all(axis=None) and (amounts >= 0).all(axis=None) and days.notna().all():
        _require_sales(amounts.set_index(days[late]), data[config.target_column], where)
        levels = _require_units((raw[columns], new), fitted, made, planned, where)
    # With the data before them: a gap shows, and a channel may be dark in the few weeks after.
    joined = pd.concat([data[columns].astype(object), new.astype(object)], ignore_index=True)
    place = f"{where}, rows counted after the {len(data)} weeks of data (0 to {len(data) - 1})"
    if trend:
        joined = with_trend(joined, place)
    table, warnings = validate_table(joined, config, made, place, stored=True)
    return table, (*noticed, *levels, *warnings)


def _require_sales(amounts: pd.DataFrame, known: pd.Series, where: str) -> None:
    """Refuse last weeks that have not come: a template filled with zeros, sales still to follow.

    Where weeks without sales are among the data, 0 may be what was sold while money was spent.
    """
    sales = amounts.iloc[:, [0]]
    looks = [(amounts, NEITHER)]
    if (known > 0).all():
        looks.append((sales, f"no {sales.columns[0]}: drop them until they are known"))
    for columns, lack in looks:
        empty = columns.index[idle_ends(columns)[1] :]
        if len(empty):
            raise ActualsError(f"{where}: {tell_ends(empty[:0], empty, lack)}")


def _require_units(
    tables: tuple[pd.DataFrame, pd.DataFrame],
    fitted: FittedModel,
    made: DataConfig,
    planned: pd.DataFrame | None,
    where: str,
) -> tuple[str, ...]:
    """Refuse columns in another unit than the data; return which levels should be looked at.

    Parameters
    ----------
    tables
        The whole file, whose weeks of the data show its unit best, and the new weeks alone, which
        may be in another.
    fitted, made, planned, where
        See `join_actuals`.
    """
    whole, new = (
        compare(
            Weekly.of(table, fitted.config, made),
            Weekly.of(fitted.table, fitted.config, made),
            whose="the version",
            step="bring them in the unit of its data",
            planned=planned,
        )
        for table in tables
    )
    units = dict.fromkeys((*whole.units, *new.units))
    refuse(f"{where} is not in the units of the version's data:", units, ActualsError)
    return new.levels
