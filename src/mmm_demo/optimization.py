"""A fitted model and a budget -> a plan. Never fits."""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from pymc_marketing.mmm.budget_optimizer import BudgetOptimizer

from mmm_demo.config import BudgetConfig
from mmm_demo.fitted import WEEK, FittedModel

# SLSQP evaluates every draw at every step. A thousand of them give the same plan (the tests hold
# the expected response to 0.1 %); what the plan brings is then computed over all draws.
SOLVER_DRAWS = 1000
COMPILE = {"mode": "FAST_COMPILE"}  # a compiled objective costs more than it saves in one solve
NOTHING_CARRIED_IN = r"Requested \d+ carry-in periods"
TOLERANCE = 1e-6
SHORTFALL_MAX = 1e-3  # share of the response that the best plan could bring more at most


class BudgetError(ValueError):
    """A budget that cannot be planned."""


@dataclass(frozen=True)
class Plan:
    """A budget for one window and what it is expected to bring.

    Attributes
    ----------
    start, end
        First and last week of the window.
    total_budget
        Money for the whole window.
    table
        Columns channel, current, planned, lower_bound, upper_bound, observed_low, observed_high
        (money in the window), change (share) and outside_observed (bool). `current` is the mix of
        the last comparable period at the same budget.
    response, current_response
        Sales that plan and current mix bring, net of what earlier spend still earns, carryover
        after the window included; shape (sample,).
    """

    start: pd.Timestamp
    end: pd.Timestamp
    total_budget: float
    table: pd.DataFrame
    response: np.ndarray
    current_response: np.ndarray

    def __post_init__(self) -> None:
        """Check the plan's own law: it spends the budget and keeps the bounds."""
        planned, slack = self.table["planned"], TOLERANCE * self.total_budget
        if not abs(planned.sum() - self.total_budget) <= slack:
            raise BudgetError(f"plan spends {planned.sum():,.2f}, budget {self.total_budget:,.2f}")
        low, high = self.table["lower_bound"] - slack, self.table["upper_bound"] + slack
        if not planned.between(low, high).all():
            raise BudgetError(f"plan leaves its bounds:\n{self.table.to_string()}")
        if not (np.isfinite(self.response).all() and np.isfinite(self.current_response).all()):
            raise BudgetError("the response of the plan is not finite")

    @property
    def weeks(self) -> int:
        """Length of the window in weeks."""
        return (self.end - self.start) // WEEK + 1

    @property
    def uplift(self) -> dict[str, float]:
        """Gain over the current mix at the same budget: mean, 94 % interval, probability."""
        gain = self.response - self.current_response
        lower, upper = np.quantile(gain, [0.03, 0.97])
        return {
            "mean": float(gain.mean()),
            "lower_94": float(lower),
            "upper_94": float(upper),
            "share": float(gain.mean() / self.current_response.mean()),
            "probability": float((gain > 0).mean()),
        }


def optimize_budget(fitted: FittedModel, budget: BudgetConfig) -> Plan:
    """Allocate a budget over the channels for a window after the data.

    Parameters
    ----------
    fitted
        The champion.
    budget
        Window, total for the whole window and bounds.

    Raises
    ------
    BudgetError
        When the bounds and the budget clash, with the numbers that do.
    """
    bounds = _bounds(fitted, budget)
    recent = fitted.spend.tail(budget.weeks).sum()
    total = float(recent.sum()) if budget.total_budget is None else budget.total_budget
    _require_feasible(bounds, total, budget.weeks)
    mix = recent if recent.sum() > 0 else fitted.spend.sum()
    current = mix / mix.sum() * total

    start = window_start(fitted, budget)
    solver = _optimizer(fitted, start, budget.weeks, SOLVER_DRAWS)
    planned = _solve(solver, bounds, total, budget.weeks)
    judge = _optimizer(fitted, start, budget.weeks, None)
    nothing = _response(judge, 0 * current, budget.weeks)
    return Plan(
        start=start,
        end=start + WEEK * (budget.weeks - 1),
        total_budget=total,
        table=_table(current, planned, bounds),
        response=_response(judge, planned, budget.weeks) - nothing,
        current_response=_response(judge, current, budget.weeks) - nothing,
    )


def window_start(fitted: FittedModel, budget: BudgetConfig) -> pd.Timestamp:
    """Return the first day of the planning window, a whole number of weeks after the data.

    Raises
    ------
    BudgetError
        When the window starts inside the data or on another weekday.
    """
    following = pd.Timestamp(fitted.weeks[-1]) + WEEK
    if budget.start is None:
        return following
    start = pd.Timestamp(budget.start)
    if start < following or (start - following) % WEEK != pd.Timedelta(0):
        raise BudgetError(
            f"a plan cannot start {start:%A %Y-%m-%d}: the data end {following - WEEK:%Y-%m-%d}; "
            f"start on {following:%Y-%m-%d} or whole weeks later"
        )
    return start


def _bounds(fitted: FittedModel, budget: BudgetConfig) -> pd.DataFrame:
    """Return the bounds per channel, and the range that was ever observed, over the window."""
    if budget.weeks > len(fitted.table):
        raise BudgetError(
            f"a window of {budget.weeks} weeks is longer than the {len(fitted.table)} weeks of data"
        )
    # A rolling sum leaves rounding residues of about 1e-11 where spend was nothing.
    totals = fitted.spend.rolling(budget.weeks).sum().dropna().clip(lower=0.0)
    observed = pd.DataFrame({"observed_low": totals.min(), "observed_high": totals.max()})
    low, high = observed["observed_low"].copy(), observed["observed_high"].copy()
    if unknown := sorted(set(budget.bounds) - set(low.index)):
        raise BudgetError(f"bounds for {', '.join(unknown)}; channels: {', '.join(low.index)}")
    for channel, (lower, upper) in budget.bounds.items():
        low[channel], high[channel] = lower, upper
    return observed.assign(lower_bound=low, upper_bound=high)


def _require_feasible(bounds: pd.DataFrame, total: float, weeks: int) -> None:
    if not (math.isfinite(total) and total > 0):
        raise BudgetError(f"total budget must be a positive number, got {total!r}")
    low, high = bounds["lower_bound"].sum(), bounds["upper_bound"].sum()
    slack = TOLERANCE * total
    if not low - slack <= total <= high + slack:
        raise BudgetError(
            f"no plan spends {total:,.0f} in {weeks} weeks: the lower bounds add up to "
            f"{low:,.0f} and the upper bounds to {high:,.0f}; change the budget or the bounds"
        )


def _optimizer(
    fitted: FittedModel, start: pd.Timestamp, weeks: int, draws: int | None
) -> BudgetOptimizer:
    """Return the library's optimizer for the window, over `draws` evenly spaced draws or all.

    Spend in weeks between the data and the window is not known, so nothing is carried in then.
    """
    mmm = fitted.mmm
    everything, channels = mmm.idata, list(fitted.config.channel_columns)
    try:
        mmm.idata = _thinned(everything, draws)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", NOTHING_CARRIED_IN, UserWarning)
            return mmm.budget_optimizer(
                start,
                start + WEEK * (weeks - 1),
                # All channels, named: the library's detection leaves out what it deems inactive.
                budgets_to_optimize=_labelled(np.ones(len(channels), dtype=bool), channels),
                compile_kwargs=COMPILE,
            )
    finally:
        mmm.idata = everything


def _thinned(idata: xr.DataTree, draws: int | None) -> xr.DataTree:
    posterior = idata["posterior"].to_dataset()
    if draws is not None:
        step = max(1, posterior.sizes["draw"] * posterior.sizes["chain"] // draws)
        posterior = posterior.isel(draw=slice(None, None, step))
    return xr.DataTree.from_dict({"posterior": posterior})


def _labelled(values: np.ndarray, channels: list[str]) -> xr.DataArray:
    return xr.DataArray(values, dims="channel", coords={"channel": channels})


def _solve(optimizer: BudgetOptimizer, bounds: pd.DataFrame, total: float, weeks: int) -> pd.Series:
    """Return the best totals per channel. The library counts money per week, we per window."""
    limits = bounds[["lower_bound", "upper_bound"]].to_numpy()
    if not (limits[:, 1] > limits[:, 0]).any():  # nothing to decide
        return bounds["lower_bound"].rename("planned")
    weekly = xr.DataArray(
        limits / weeks,
        dims=("channel", "bound"),
        coords={"channel": list(bounds.index), "bound": ["lower", "upper"]},
    )
    share = (total - limits[:, 0].sum()) / (limits[:, 1] - limits[:, 0]).sum()
    inside = limits[:, 0] + share * (limits[:, 1] - limits[:, 0])
    solved: Any = optimizer.allocate_budget(
        total / weeks,
        weekly,
        x0=_labelled(inside / weeks, list(bounds.index)),
        return_if_fail=True,  # SLSQP calls an optimum in a corner a failure; the plan is judged
    )
    planned = pd.Series(
        solved.budgets.sel(channel=list(bounds.index)).to_numpy() * weeks, bounds.index
    )
    planned = planned.clip(bounds["lower_bound"], bounds["upper_bound"])
    planned *= total / planned.sum()  # SLSQP keeps the sum to about 1e-9 only
    _require_best(optimizer, planned, bounds, weeks)
    return planned


def _require_best(
    optimizer: BudgetOptimizer, planned: pd.Series, bounds: pd.DataFrame, weeks: int
) -> None:
    """Refuse a plan that leaves a gain on the table, whatever the solver said about it.

    The response is concave in spend, so no other plan brings more than all money times the largest
    difference between what another unit brings in one channel and what it is worth in another.
    """
    plan = _labelled(planned.to_numpy() / weeks, list(planned.index))
    judged = optimizer.evaluate_plan(plan)
    [gradient] = judged.utility_gradient.values()
    marginal = gradient.sel(channel=list(planned.index)).to_series()
    slack = TOLERANCE * planned.sum()
    may_grow = planned < bounds["upper_bound"] - slack
    may_shrink = planned > bounds["lower_bound"] + slack
    if not (may_grow.any() and may_shrink.any()):
        return
    gap = marginal[may_grow].max() - marginal[may_shrink].min()
    if not gap * planned.sum() / weeks <= SHORTFALL_MAX * judged.utility:
        raise BudgetError(
            "the solver stopped short of the best plan; widen the bounds or change the budget:\n"
            + bounds.assign(planned=planned).to_string()
        )


def _response(optimizer: BudgetOptimizer, totals: pd.Series, weeks: int) -> np.ndarray:
    """Return the media response of a plan, carry-in included, shape (sample,)."""
    plan = _labelled(totals.to_numpy() / weeks, list(totals.index))
    return optimizer.evaluate_response_distribution(plan).to_numpy()


def _table(current: pd.Series, planned: pd.Series, bounds: pd.DataFrame) -> pd.DataFrame:
    table = pd.DataFrame({"current": current, "planned": planned}).join(bounds)
    before = table["current"].where(table["current"] > 0)
    table["change"] = table["planned"] / before - 1
    slack = TOLERANCE * table["planned"].sum()
    table["outside_observed"] = ~table["planned"].between(
        table["observed_low"] - slack, table["observed_high"] + slack
    )
    return table.rename_axis("channel").reset_index()
