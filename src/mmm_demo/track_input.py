"""A stored plan and the weeks that came after it, read and checked."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from mmm_demo.contract import Contract, validate_table
from mmm_demo.fitted import FittedModel

COLUMNS = ["week", "channel", "spend", "units"]
ISO = "%Y-%m-%d"


class TrackError(ValueError):
    """A plan or actual weeks that cannot be held against each other."""


@dataclass(frozen=True, eq=False)
class Planned:
    """A plan's spend, both of shape (week, channel), indexed by week, columns in model order.

    Attributes
    ----------
    units
        In the units of the weekly table.
    money
        In money.
    """

    units: pd.DataFrame
    money: pd.DataFrame

    @cached_property
    def cost(self) -> pd.Series:
        """Money per unit by channel; NaN for one without planned units beside units that cost."""
        cost = self.money.sum() / self.units.sum().replace(0.0, np.nan)
        # The weekly table is in money unless a channel shows otherwise.
        return cost.fillna(1.0) if np.allclose(cost.dropna(), 1.0) else cost


def read_plan(
    schedule: pd.DataFrame, dates: pd.DatetimeIndex, channels: tuple[str, ...], where: str
) -> Planned:
    """Return the spend of a stored plan.

    Parameters
    ----------
    schedule
        A row per week and channel: week, channel, spend (money), units (of the weekly table).
    dates, channels
        Weeks and channels that it must have, each once.
    where
        Name of the file, for messages.

    Raises
    ------
    TrackError
        When it is not the plan of these weeks and channels.
    """
    if missing := [name for name in COLUMNS if name not in schedule]:
        raise TrackError(f"{where} lacks {', '.join(missing)}; plan again: mmm-demo optimize")
    days = pd.to_datetime(schedule["week"], format=ISO, errors="coerce").astype("datetime64[ns]")
    numbers = schedule[["spend", "units"]].apply(pd.to_numeric, errors="coerce")
    wrong = ~(np.isfinite(numbers) & (numbers >= 0)).all(axis=1) | days.isna()
    if wrong.any():
        first = schedule.loc[wrong, COLUMNS].iloc[0].to_dict()
        raise TrackError(f"{where}: {wrong.sum()} unusable row(s), first {first}; plan again")
    found = pd.MultiIndex.from_arrays([days, schedule["channel"]])
    wanted = pd.MultiIndex.from_product([dates, channels])
    if found.has_duplicates or set(found) != set(wanted):
        raise TrackError(
            f"{where} is not the plan of its run: {len(wanted)} rows are needed, one for each of "
            f"{len(dates)} weeks from {dates[0]:{ISO}} and of {', '.join(channels)}; "
            f"found {len(found)} rows, {len(set(found) & set(wanted))} of these. Plan again"
        )
    numbers.index = found
    unstacked = (numbers[name].unstack().loc[dates, list(channels)] for name in ("units", "spend"))
    return Planned(*unstacked)


def join_actuals(
    raw: pd.DataFrame, fitted: FittedModel, where: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the weeks of the data followed by the actual ones after them, and warnings.

    Parameters
    ----------
    raw
        Actual weeks in the form of the weekly table. Weeks that the model was fitted on are
        ignored: it knows its own.
    fitted
        The version that planned.
    where
        Name of the file, for messages.

    Raises
    ------
    TrackError
        When a column is missing or no week comes after the data.
    DataError
        When the weeks do not follow the data week by week, or a value is not one that a model may
        see (`contract.validate_table`).
    """
    config, data = fitted.config, fitted.table
    contract = Contract(
        config.date_column,
        config.target_column,
        config.channel_columns,
        config.control_columns,
        config.adstock_max_lag,
    )
    columns = [name for name, _ in contract.roles()]
    if missing := [name for name in columns if name not in raw]:
        raise TrackError(
            f"{where} lacks the column(s) {', '.join(missing)}; it has "
            f"{', '.join(map(str, raw.columns))}. Bring the columns that the model was fitted on"
        )
    last, date = pd.Timestamp(fitted.weeks[-1]), config.date_column
    # What is no date is kept, for the contract to name it.
    days = pd.to_datetime(raw[date].astype(str), format=ISO, errors="coerce")
    new = raw.loc[~(days <= last), columns]
    if new.empty:
        raise TrackError(
            f"{where} has {len(raw)} week(s), the last {days.max():{ISO}}, and none after the data "
            f"of the version, which end {last:{ISO}}; bring the weeks since then"
            if len(raw)
            else f"{where} has no rows; bring the weeks since {last:{ISO}}"
        )
    # With the data before them: a gap shows, and a channel may be dark in the few weeks after.
    joined = pd.concat([data[columns].astype(object), new.astype(object)], ignore_index=True)
    place = f"{where}, rows counted after the {len(data)} weeks of data (0 to {len(data) - 1})"
    return validate_table(joined, contract, place)
