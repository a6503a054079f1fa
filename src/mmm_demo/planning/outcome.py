"""What a plan promised, held against what came. Never fits, never plans.

A plan promises incremental sales, which nobody can see. What can be seen are the sales of the
weeks, so its version forecasts those: once under the planned spend, which is the promise, and once
under the spend that really happened, which judges the model even where the plan was not followed.
Both know the real controls and the carryover of all earlier spend.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from mmm_demo.checks.gate import NOT_ASSESSABLE
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.planning.actuals import ActualsError, Planned
from mmm_demo.planning.plan import INTERVALS
from mmm_demo.settings.wording import DAY

HELD, NOT_HELD, NOT_FOLLOWED = "held", "not held", "not followed"
DEVIATION_MAX = 0.10  # more money than this off its channel's plan, and the plan was not followed
SEED = 0  # of the noise, the same under both spends, so that they differ by the spend alone


@dataclass(frozen=True, eq=False)
class Forecast:
    """Predictive draws of sales, noise included, and the sales that came.

    Attributes
    ----------
    draws
        Shape (sample, week).
    realised
        Shape (week,).
    """

    draws: np.ndarray
    realised: np.ndarray

    @property
    def total(self) -> "Forecast":
        """All weeks as one."""
        return Forecast(self.draws.sum(axis=1, keepdims=True), self.realised.sum(keepdims=True))

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row per week: mean, ends of the 50 and 94 % intervals, inside_50, inside_94.

        A week is inside when that is known: NaN is not.
        """
        ends = np.quantile(self.draws, list(INTERVALS.values()), axis=0)
        columns = dict(zip(INTERVALS, ends, strict=True))
        inside = {
            f"inside_{level}": (columns[f"lower_{level}"] <= self.realised)
            & (self.realised <= columns[f"upper_{level}"])
            for level in (50, 94)
        }
        return pd.DataFrame({"mean": self.draws.mean(axis=0)} | columns | inside)

    @property
    def z(self) -> np.ndarray:
        """Distance of what came from the mean, in standard deviations, shape (week,)."""
        return (self.realised - self.draws.mean(axis=0)) / self.draws.std(axis=0)

    @property
    def pit(self) -> np.ndarray:
        """Share of the draws below what came (half of those equal to it), shape (week,)."""
        unknown = ~(np.isfinite(self.draws).all(axis=0) & np.isfinite(self.realised))
        below, equal = self.draws < self.realised, self.draws == self.realised
        return np.where(unknown, np.nan, (below + equal / 2).mean(axis=0))


@dataclass(frozen=True, eq=False)
class PlanOutcome:
    """A plan against what came, over the weeks of its window that are known so far.

    Attributes
    ----------
    weeks
        First days of the weeks so far.
    weeks_planned
        Length of the window.
    promised, expected
        Sales under the planned spend, and under the spend that happened.
    spend
        A row per week and channel: week, channel, planned, realised, deviation; money.
    """

    weeks: pd.DatetimeIndex
    weeks_planned: int
    promised: Forecast
    expected: Forecast
    spend: pd.DataFrame

    @property
    def by_channel(self) -> pd.DataFrame:
        """A row per channel: channel, planned, realised, deviation (money), change (a share)."""
        totals = self.spend.groupby("channel", sort=False)[["planned", "realised", "deviation"]]
        table = totals.agg(lambda money: money.sum(skipna=False)).reset_index()
        return table.assign(change=table["deviation"] / table["planned"].replace(0.0, np.nan))

    @property
    def deviation(self) -> float:
        """Money off its channel's plan, either way, as a share of the planned money; NaN unknown.

        Over all weeks so far: spend that only moved between weeks of a channel is no deviation.
        """
        table = self.by_channel
        off, planned = float(table["deviation"].abs().sum(skipna=False)), table["planned"].sum()
        if planned > 0:
            return off / float(planned)
        return off if off == 0 else float(np.inf if off > 0 else np.nan)

    @property
    def status(self) -> str:
        """What became of the promise: held, not held, not followed or not assessable."""
        total = self.promised.total
        known = np.isfinite(total.draws).all() and np.isfinite(total.realised).all()
        if not known or np.isnan(self.deviation):
            return NOT_ASSESSABLE
        if not self.deviation <= DEVIATION_MAX:
            return NOT_FOLLOWED
        return HELD if total.table["inside_94"].item() else NOT_HELD

    @property
    def table(self) -> pd.DataFrame:
        """A row per week: sales as realised, promised and expected with intervals, and money."""
        money = self.spend.groupby("week", sort=False)[["planned", "realised"]]
        totals = money.agg(lambda column: column.sum(skipna=False)).reset_index(drop=True)
        return pd.concat(
            [
                pd.DataFrame({"week": self.weeks, "realised": self.promised.realised}),
                self.promised.table.add_prefix("promised_"),
                self.expected.table.add_prefix("expected_"),
                totals.add_prefix("spend_"),
            ],
            axis=1,
        )

    def metrics(self) -> Iterator[tuple[str, float]]:
        """Yield name and value of all that was measured."""
        for prefix, forecast in (("", self.promised), ("given_spend.", self.expected)):
            weeks, total = forecast.table, forecast.total
            yield f"{prefix}coverage_50", float(weeks["inside_50"].mean())
            yield f"{prefix}coverage_94", float(weeks["inside_94"].mean())
            yield f"{prefix}total_inside_50", float(total.table["inside_50"].item())
            yield f"{prefix}total_inside_94", float(total.table["inside_94"].item())
            yield f"{prefix}total_z", float(total.z.item())
            yield f"{prefix}total_pit", float(total.pit.item())
            yield f"{prefix}sales", float(total.table["mean"].item())
        yield "sales_realised", float(self.promised.realised.sum())
        yield "spend_planned", float(self.spend["planned"].sum())
        yield "spend_realised", float(self.spend["realised"].sum(skipna=False))
        yield "spend_deviation", self.deviation
        yield "weeks", float(len(self.weeks))


def outcome_of(fitted: FittedModel, planned: Planned, table: pd.DataFrame) -> PlanOutcome:
    """Hold a plan against the weeks of its window that are known so far.

    Parameters
    ----------
    fitted
        The version that planned.
    planned
        Its plan.
    table
        Weeks of the data and actual weeks (`join_actuals`), contiguous.

    Raises
    ------
    ActualsError
        When none of the window's weeks is there.
    """
    date, channels = fitted.config.date_column, list(fitted.config.channel_columns)
    start, end = planned.units.index[0], planned.units.index[-1]
    known = table[table[date] <= end]
    weeks = pd.DatetimeIndex(known.loc[known[date] >= start, date])
    if not len(weeks):
        raise ActualsError(
            f"the actual weeks end {table[date].iloc[-1]:{DAY}}, before the plan starts "
            f"({start:{DAY}}); track it when its first week is over"
        )
    so_far = len(weeks)
    # No spend works longer than the lag, so what lies before it changes nothing.
    real = known.tail(so_far + fitted.config.adstock_max_lag - 1).reset_index(drop=True)
    as_planned = real.copy()
    units = planned.units.iloc[:so_far]
    as_planned.loc[len(real) - so_far :, channels] = units.to_numpy()
    sales = real[fitted.config.target_column].to_numpy()[-so_far:]
    promised, expected = (
        Forecast(fitted.response.forecast(spent, np.random.default_rng(SEED))[:, -so_far:], sales)
        for spent in (as_planned, real)
    )
    spend = _spend(planned, real[channels].tail(so_far).set_axis(weeks))
    return PlanOutcome(weeks, len(planned.units), promised, expected, spend)


def _spend(planned: Planned, units: pd.DataFrame) -> pd.DataFrame:
    """Return planned and realised money by week and channel, from realised units."""
    money = units * planned.cost
    weeks, channels = len(units), list(units.columns)
    table = pd.DataFrame(
        {
            "week": np.repeat(units.index.to_numpy(), len(channels)),
            "channel": channels * weeks,
            "planned": planned.money.iloc[:weeks].to_numpy().ravel(),
            "realised": money.to_numpy().ravel(),
        }
    )
    return table.assign(deviation=table["realised"] - table["planned"])
