"""The weeks that are planned, and the last period that they are held against."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmm_demo.fitted import WEEK, FittedModel


class BudgetError(ValueError):
    """A budget that cannot be planned."""


@dataclass(frozen=True, eq=False)
class Window:
    """The planning window of a model.

    Attributes
    ----------
    start
        First week.
    channels
        Names, in the model's order.
    before
        Spend of the weeks before the window that still work in it, shape (week, channel); empty
        when weeks between data and window leave it unknown. In the units of the weekly table.
    last
        Spend of the last period, the status quo, shape (week, channel), in money.
    totals
        Spend of every stretch of as many weeks in the data, shape (stretch, channel), in money.
    top_week
        Highest weekly spend ever, shape (channel,), in money.
    cost
        Money per unit of the weekly table, shape (channel,).
    """

    start: pd.Timestamp
    channels: tuple[str, ...]
    before: np.ndarray
    last: np.ndarray
    totals: np.ndarray
    top_week: np.ndarray
    cost: np.ndarray

    @property
    def weeks(self) -> int:
        """Length in weeks."""
        return len(self.last)

    @property
    def dates(self) -> pd.DatetimeIndex:
        """First day of each week."""
        return pd.date_range(self.start, periods=self.weeks, freq=WEEK, name="week")

    @property
    def end(self) -> pd.Timestamp:
        """Return the first day of the last week."""
        return self.dates[-1]

    @property
    def current(self) -> np.ndarray:
        """Money of the last period by channel, shape (channel,)."""
        return self.last.sum(axis=0)

    @property
    def observed(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest total by channel over so many weeks, each of shape (channel,)."""
        return self.totals.min(axis=0), self.totals.max(axis=0)


def window_of(
    fitted: FittedModel, weeks: int, start: str | None, cost_per_unit: dict[str, float]
) -> Window:
    """Return the window of a model.

    Raises
    ------
    BudgetError
        When it starts inside the data or on another weekday, is longer than the data, or a cost
        names no channel.
    """
    channels = tuple(fitted.config.channel_columns)
    if unknown := sorted(set(cost_per_unit) - set(channels)):
        raise BudgetError(
            f"cost_per_unit names {', '.join(unknown)}; channels: {', '.join(channels)}"
        )
    if weeks > len(fitted.table):
        raise BudgetError(
            f"a window of {weeks} weeks is longer than the {len(fitted.table)} weeks of data"
        )
    first = window_start(fitted, start)
    cost = np.array([cost_per_unit.get(name, 1.0) for name in channels])
    units = fitted.spend.to_numpy(float)
    follows = first == pd.Timestamp(fitted.weeks[-1]) + WEEK
    reach = fitted.config.adstock_max_lag - 1
    stretches = np.lib.stride_tricks.sliding_window_view(units, weeks, axis=0)
    return Window(
        start=first,
        channels=channels,
        before=units[len(units) - reach :] if follows else units[:0],
        last=units[-weeks:] * cost,
        totals=stretches.sum(axis=2) * cost,
        top_week=units.max(axis=0) * cost,
        cost=cost,
    )


def window_start(fitted: FittedModel, start: str | None) -> pd.Timestamp:
    """Return the first day of the planning window, a whole number of weeks after the data.

    Raises
    ------
    BudgetError
        When the window starts inside the data or on another weekday.
    """
    following = pd.Timestamp(fitted.weeks[-1]) + WEEK
    if start is None:
        return following
    first = pd.Timestamp(start)
    if first < following or (first - following) % WEEK != pd.Timedelta(0):
        raise BudgetError(
            f"a plan cannot start {first:%A %Y-%m-%d}: the data end {following - WEEK:%Y-%m-%d}; "
            f"start on {following:%Y-%m-%d} or whole weeks later"
        )
    return first
