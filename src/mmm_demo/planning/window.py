"""The weeks that are planned, and the last period that they are held against."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from mmm_demo.fits.fitted import WEEK, FittedModel

FURTHEST = 3650  # days; further away no champion is fresh, and dates leave their range


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
    observed
        Lowest and highest total of any stretch of as many weeks in the data, shape (2, channel), in
        money.
    weights
        Mean share of a week's spend that works at each lag, shape (lag, channel).
    working
        Lowest and highest working spend (adstocked, by these weights) of any week in the data,
        shape (2, channel), in money per week: where the data have seen the saturation curve.
    cost
        Money per unit of the weekly table, shape (channel,).
    sales
        All sales of the last period as they came, with or without media: the whole that a gain is
        told as a share of.
    unknown_weeks
        Weeks between the data and the window, whose spend is not known.
    tested
        Whether lift tests calibrate the model.
    """

    start: pd.Timestamp
    channels: tuple[str, ...]
    before: np.ndarray
    last: np.ndarray
    observed: np.ndarray
    weights: np.ndarray
    working: np.ndarray
    cost: np.ndarray
    sales: float
    unknown_weeks: int = 0
    tested: bool = False

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

    def leaves_the_seen(self, weekly: np.ndarray) -> np.ndarray:
        """Whether weekly money takes a channel's working spend above any in the data, (channel,).

        Where the weeks before are not known, they count as without spend.
        """
        reach = len(self.weights) - 1
        before = np.zeros((reach, len(self.channels)))
        if len(self.before):
            before = self.before * self.cost
        planned, replay = (
            working_spend(np.vstack([before, spend]), self.weights).max(axis=0)
            for spend in (weekly, self.last)
        )
        return planned > np.maximum(self.working[1], replay) * (1 + 1e-6)

    @property
    def current(self) -> np.ndarray:
        """Money of the last period by channel, shape (channel,)."""
        return self.last.sum(axis=0)

    @property
    def seen(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest total that keeps working spend where the data have seen it.

        Each of shape (channel,). The last period's own total is always inside.
        """
        low, high = self.working * self.weeks
        return np.minimum(low, self.current), np.maximum(high, self.current)


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
    unknown_weeks = (first - pd.Timestamp(fitted.weeks[-1])) // WEEK - 1
    weights = fitted.response.weights.mean(axis=0)
    reach = len(weights) - 1
    working = working_spend(units, weights)
    totals = np.lib.stride_tricks.sliding_window_view(units, weeks, axis=0).sum(axis=2)
    return Window(
        start=first,
        channels=channels,
        before=units[:0] if unknown_weeks else units[len(units) - reach :],
        last=units[-weeks:] * cost,
        # A rolling sum leaves rounding residues of about 1e-11 where spend was nothing.
        observed=np.array([totals.min(axis=0), totals.max(axis=0)]) * cost,
        weights=weights,
        working=np.array([working.min(axis=0), working.max(axis=0)]) * cost,
        cost=cost,
        sales=float(fitted.observed[-weeks:].sum()),
        unknown_weeks=unknown_weeks,
        tested=fitted.lift_tests is not None,
    )


def working_spend(weekly: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return adstocked spend of the weeks whose whole past is known, shape (week, channel).

    Parameters
    ----------
    weekly
        Shape (week, channel).
    weights
        Share that works at each lag, shape (lag, channel).
    """
    stretches = np.lib.stride_tricks.sliding_window_view(weekly, len(weights), axis=0)
    return np.einsum("wcl,lc->wc", stretches, weights[::-1])  # a stretch ends with its own week


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
    first = date.fromisoformat(start)
    away = (first - following.date()).days
    if away < 0 or away % 7 or away > FURTHEST:
        raise BudgetError(
            f"a plan cannot start {first:%A %Y-%m-%d}: the data end {following - WEEK:%Y-%m-%d}; "
            f"start on {following:%Y-%m-%d} or whole weeks later, within ten years"
        )
    return following + pd.Timedelta(days=away)
