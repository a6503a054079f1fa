"""What more or less money would bring: by channel, and for the whole budget."""

from dataclasses import replace

import numpy as np
import pandas as pd

from mmm_demo.planning.feasible import Region, region_of
from mmm_demo.planning.optimize import Planner, shares_of, spread_of
from mmm_demo.planning.plan import INTERVALS, Plan
from mmm_demo.planning.solver import Goal, maximise
from mmm_demo.planning.surface import ByTotals, Media
from mmm_demo.planning.window import BudgetError
from mmm_demo.settings.scenario import Scenario

BEYOND = 1.5  # how far the curves go beyond the most that was or would be spent
LEAST, MOST = 0.5, 2.0  # ends of the frontier, as multiples of the budget
STEP = 1e-3  # share of the budget that stands for its next unit


def response_curves(planner: Planner, plan: Plan, points: int = 40) -> pd.DataFrame:
    """Return what each channel brings at other totals, spread over the weeks like the plan.

    A channel's response does not depend on the other channels' money. Drawn from the evenly spaced
    draws that the planner searches with (`Planner.thin`), so it may differ from the plan's own
    numbers by about `Plan.thinning`.

    Parameters
    ----------
    planner, plan
        A plan of this planner. A channel that it gives nothing is spread by its profile.
    points
        Of each curve, from no money to half more than was or would be spent.

    Returns
    -------
    pandas.DataFrame
        One row per channel and point: channel; spend (money in the window); mean, lower_94,
        lower_50, upper_50, upper_94 (sales, carryover after the window included, net of earlier
        spend); marginal, marginal_lower_94, marginal_upper_94 (sales of the next unit of money);
        observed (whether the data have stretches with less and with more).
    """
    table = plan.table
    top = table[["current", "planned", "observed_high"]].max(axis=1).to_numpy()
    grid = np.linspace(0.0, BEYOND * top, points)  # (point, channel)
    spread = shares_of(plan.weekly.to_numpy(), spread_of(plan.scenario, plan.window))
    surface = ByTotals(planner.thin, spread)
    brought = [surface.at(spend) for spend in grid]
    response = np.array([at.channels for at in brought])  # (point, channel, sample)
    marginal = np.array([surface.marginal(at) for at in brought])
    steep = np.quantile(marginal, [INTERVALS["lower_94"], INTERVALS["upper_94"]], axis=2)
    columns = {
        "spend": grid,
        "mean": response.mean(axis=2),
        **dict(zip(INTERVALS, np.quantile(response, [*INTERVALS.values()], axis=2), strict=True)),
        "marginal": marginal.mean(axis=2),
        "marginal_lower_94": steep[0],
        "marginal_upper_94": steep[1],
        "observed": (grid >= table["observed_low"].to_numpy())
        & (grid <= table["observed_high"].to_numpy()),
    }
    flat = {name: values.T.ravel() for name, values in columns.items()}
    return pd.DataFrame({"channel": np.repeat(table["channel"].to_numpy(), points), **flat})


def budget_frontier(planner: Planner, scenario: Scenario, points: int = 20) -> pd.DataFrame:
    """Return the most that other budgets could be expected to bring within a scenario's limits.

    Each budget is spent to the last unit, for the largest expected response, whatever the
    scenario's own objective is; its bounds, groups and spread over the weeks hold. A scenario that
    is optimised week by week is spread evenly here. Searched for over the planner's thinned draws,
    told over four times as many.

    Parameters
    ----------
    planner, scenario
        Model, window and limits.
    points
        Number of budgets: from half to twice the last period's (or the scenario's own, where that
        goes further), as far as the limits allow. One only, where they allow no other.

    Returns
    -------
    pandas.DataFrame
        One row per budget: budget (money), mean, lower_94, lower_50, upper_50, upper_94 (sales),
        roas, and mroas: sales of the next unit of budget, put where the limits let it bring most
        (of the last unit, where they allow no more; NaN where no other budget is allowed). A
        budget for which no search ends at a certified plan has no row; `attrs["missing"]` is their
        number.

    Raises
    ------
    BudgetError
        When the scenario's limits clash.
    """
    region, spread = region_of(scenario, planner.window), spread_of(scenario, planner.window)
    thin, told = ByTotals(planner.thin, spread), ByTotals(_telling(planner), spread)
    ends = _allowed(region)
    budgets = _budgets(region, ends, float(planner.window.current.sum()), points)
    rows = []
    for budget, spend in zip(budgets, _best(planner, region, thin, budgets), strict=True):
        if spend is None:
            continue
        brought = told.at(spend)
        mean, levels = brought.total.mean(), np.quantile(brought.total, [*INTERVALS.values()])
        slope = told.marginal(brought).mean(axis=1)
        roas = mean / budget if budget > 0 else np.nan
        rows.append((budget, mean, *levels, roas, _next_unit(region, ends, budget, slope)))
    table = pd.DataFrame(rows, columns=["budget", "mean", *INTERVALS, "roas", "mroas"])
    table.attrs["missing"] = len(budgets) - len(table)
    return table


def _telling(planner: Planner) -> Media:
    """Return the draws that tell what a budget brings: four times those of the search."""
    return Media(planner.window, planner.fitted.response, max(1, planner.thin.step // 4))


def _at(region: Region, budget: float) -> Region:
    return replace(region, budget=budget, exact=True)


def _allowed(region: Region) -> tuple[float, float]:
    """Return the least and the most money that the limits allow, whatever the budget."""
    free, everything = replace(region, budget=np.inf, exact=False), np.ones(len(region.low))
    return float(free.furthest(-everything).sum()), float(free.furthest(everything).sum())


def _budgets(region: Region, ends: tuple[float, float], current: float, points: int) -> np.ndarray:
    known = [money for money in (current, region.budget) if 0 < money < np.inf]
    least, most = ends
    if known:
        least, most = max(least, LEAST * min(known)), min(most, MOST * max(known))
    if least > most:  # the limits allow only budgets further away
        least, most = ends
    return np.linspace(least, most, points if most > least else 1)


def _best(
    planner: Planner, region: Region, surface: ByTotals, budgets: np.ndarray
) -> list[np.ndarray | None]:
    """Return the best spend (channel,) of each budget, each begun at the one before.

    None where no search ends at a certified spend. Where the response is not concave, the budgets
    are passed once upwards and once downwards, each time from the best of many searches at the
    end, and the better spend of the two counts: one way alone stays on a hill that is no longer
    the highest.
    """
    up = _pass(planner, region, surface, budgets)
    if planner.concave:
        return up
    down = _pass(planner, region, surface, budgets[::-1])[::-1]
    found = [[spend for spend in pair if spend is not None] for pair in zip(up, down, strict=True)]
    return [max(pair, key=lambda spend: surface.at(spend).total.mean(), default=None)
            for pair in found]  # fmt: skip


def _pass(
    planner: Planner, region: Region, surface: ByTotals, budgets: np.ndarray
) -> list[np.ndarray | None]:
    spends: list[np.ndarray | None] = []
    begin, many = planner.window.current, not planner.concave
    for budget in budgets:
        start = begin * (budget / begin.sum()) if begin.sum() > 0 else begin
        try:
            begin = maximise(Goal(), _at(region, budget), surface, start, concave=not many)
        except BudgetError:  # one budget less; the plans themselves are solved
            spends.append(None)
            continue
        spends.append(begin)
        many = False  # later searches follow the spend from budget to budget
    return spends


def _next_unit(
    region: Region, ends: tuple[float, float], budget: float, slope: np.ndarray
) -> float:
    """Return what the next unit of budget brings where money may still go."""
    step = STEP * (budget or region.unit)
    other = budget + step if budget + step <= ends[1] else budget - step
    if other < ends[0]:
        return np.nan
    here, there = (slope @ _at(region, money).furthest(slope) for money in (budget, other))
    return float(there - here) / (other - budget)
