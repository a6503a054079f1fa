"""A fitted model and a scenario -> a plan. Never fits."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from mmm_demo.fits.fitted import FittedModel
from mmm_demo.planning.doubts import counted, require_margin
from mmm_demo.planning.feasible import Region, region_of
from mmm_demo.planning.honesty import rank_pairs, smallest_move
from mmm_demo.planning.plan import TOLERANCE, Plan
from mmm_demo.planning.solver import (
    GAP_MAX,
    Goal,
    OutOfReach,
    Point,
    certificate,
    corrected,
    evaluate,
    goal_of,
    maximise,
)
from mmm_demo.planning.surface import Brought, ByTotals, ByWeek, Media
from mmm_demo.planning.window import BudgetError, Window, window_of
from mmm_demo.settings.scenario import SEEN, BudgetConfig, Engine, Scenario

# The search evaluates every draw at every step, so it takes a few of them. All draws then certify
# the plan; where they show more than `WELL` to win, they correct the few, and the search goes on.
SOLVER_DRAWS = 500
WELL = 5e-5
ROUNDS = 6
WEEKLY = "optimised"


@dataclass(frozen=True, eq=False)
class Totals:
    """The surfaces of channel totals with one spread over the weeks, over few draws and all."""

    thin: ByTotals
    full: ByTotals

    @cached_property
    def before(self) -> Brought:
        """What the last period's totals bring with this spread."""
        return self.full.at(self.full.media.window.current)

    @cached_property
    def marginal(self) -> np.ndarray:
        """What the next unit of money would bring there, shape (channel, sample)."""
        return self.full.marginal(self.before)


@dataclass(frozen=True, eq=False)
class Solved:
    """The best spend that a scenario allows.

    Attributes
    ----------
    region, goal
        What is allowed, and what was made as large as possible.
    weekly
        Money, shape (week, channel).
    point
        What that is worth, over all draws.
    gap
        See `plan.Plan`.
    """

    region: Region
    goal: Goal
    weekly: np.ndarray
    point: Point
    gap: float


@dataclass(frozen=True, eq=False)
class Planner:
    """A model, ready to answer scenarios for one window.

    Attributes
    ----------
    fitted
        The champion.
    window
        The weeks to plan.
    """

    fitted: FittedModel
    window: Window
    _surfaces: dict[bytes, Totals] = field(default_factory=dict, repr=False)

    @cached_property
    def media(self) -> Media:
        """The media part of the model, all draws."""
        return Media(self.window, self.fitted.response)

    @cached_property
    def thin(self) -> Media:
        """The same over evenly spaced draws, for the search."""
        draws = self.media.worth.shape[2]
        return Media(self.window, self.fitted.response, max(1, draws // SOLVER_DRAWS))

    @cached_property
    def replay(self) -> Brought:
        """What the last period's spend, week by week, would bring in the window."""
        return ByWeek(self.media).at(self.window.last.ravel())

    @property
    def concave(self) -> bool:
        """Whether one search finds the best plan."""
        return self.fitted.config.form("saturation").concave

    def plan(self, scenario: Scenario) -> Plan:
        """Return the best plan for a scenario.

        Raises
        ------
        BudgetError
            When it allows no plan, with the limits that clash, or its target is out of reach.
        """
        solved = self.solve(scenario)
        weekly, point, spread = solved.weekly, solved.point, spread_of(scenario, self.window)
        if scenario.profile == WEEKLY:
            spread = shares_of(weekly, spread)
        totals = self._by_totals(spread)
        thinned, expected = (
            float(one.total.mean()) for one in (totals.thin.at(weekly.sum(axis=0)), point.brought)
        )
        thinning = thinned / expected - 1 if expected > 0 else 0.0
        return self._plan(
            scenario, solved.region, spread, weekly, point, gap=solved.gap, thinning=thinning
        )

    def judged(
        self, scenario: Scenario, planned: np.ndarray, engine: Engine, complaint: str = ""
    ) -> Plan:
        """Return channel totals that someone else chose as a plan, however good they are.

        Parameters
        ----------
        scenario
            What was asked; not week by week.
        planned
            Money, shape (channel,).
        engine, complaint
            See `Plan`.

        Raises
        ------
        BudgetError
            When they break a limit of the scenario.
        """
        region, goal = region_of(scenario, self.window), goal_of(scenario)
        spread = spread_of(scenario, self.window)
        full = self._by_totals(spread).full
        point = evaluate(goal, full, planned)
        return self._plan(
            scenario,
            region,
            spread,
            full.weekly(planned),
            point,
            gap=certificate(goal, region, point),
            thinning=0.0,
            engine=engine,
            complaint=complaint,
        )

    def _plan(
        self,
        scenario: Scenario,
        region: Region,
        spread: np.ndarray,
        weekly: np.ndarray,
        point: Point,
        **found: Any,
    ) -> Plan:
        """Return money by week as a plan, with all that is told of it."""
        totals, planned, brought = self._by_totals(spread), weekly.sum(axis=0), point.brought
        return Plan(
            scenario=scenario,
            window=self.window,
            region=region,
            table=self._table(region, weekly, brought, totals.full.marginal(brought)),
            weekly=pd.DataFrame(weekly, self.window.dates, pd.Index(self.window.channels)),
            response=brought.total,
            status_quo=self.replay.total,
            value=point.value,
            timing=float((totals.before.total - self.replay.total).mean()),
            pairs=rank_pairs(totals.marginal, self.window.current, planned, self.window.channels),
            smallest=smallest_move(
                goal_of(scenario), region, totals.thin, self.window.current, planned
            )
            if self.concave
            else None,
            certified=self.concave,
            **found,
        )

    def solve(self, scenario: Scenario, spread: np.ndarray | None = None) -> "Solved":
        """Return the best spend for a scenario, and nothing around it.

        Parameters
        ----------
        scenario
            What is asked.
        spread
            How money is spread over the weeks, shape (week, channel), whatever the scenario says.

        Raises
        ------
        BudgetError
            See `plan`.
        """
        region, goal = region_of(scenario, self.window), goal_of(scenario)
        by_week = scenario.profile == WEEKLY and spread is None
        spread = spread_of(scenario, self.window) if spread is None else spread
        replay = float(self.replay.total.mean())
        require_margin(scenario, self.window, replay)
        try:
            weekly, point, gap = self._solve(scenario, goal, region, spread, by_week)
        except OutOfReach as fault:
            most, what = (
                scenario.most_change(self.window.tested),
                counted(scenario, self.window, replay),
            )
            wider = ""
            if most != SEEN:
                wider = (
                    f". Channels without bounds change by at most {most:.0%} here; with "
                    "default_bounds: seen (--bounds seen) they go as far as the data have seen"
                )
            raise OutOfReach(
                f"scenario {scenario.name}: {fault}{wider}. Note that {what}"
            ) from None
        return Solved(region, goal, weekly, point, gap)

    def _solve(
        self, scenario: Scenario, goal: Goal, region: Region, spread: np.ndarray, by_week: bool
    ) -> tuple[np.ndarray, Point, float]:
        """Return the best money by week, shape (week, channel), what it is worth, and its gap."""
        begin = self._begin(region)
        totals = self._by_totals(spread)
        thin, full = totals.thin, totals.full
        if by_week:
            begin = spread * begin
            region = region.by_week(spread * region.low, scenario.smoothness)
            thin, full = ByWeek(self.thin), ByWeek(self.media)
        surface, spend = thin, begin.ravel()
        for number in range(ROUNDS):
            one_hill = self.concave or number > 0  # later searches only settle what the first found
            spend = maximise(goal, region, surface, spend, concave=one_hill)
            point = evaluate(goal, full, spend)
            gap = certificate(goal, region, point)
            if gap <= WELL:
                break
            surface = corrected(goal, thin, full, point)
        if not gap <= GAP_MAX:
            raise BudgetError(
                f"scenario {scenario.name}: the solver stopped short of the best plan, another "
                f"could bring {gap:.2%} more; widen the bounds or change the budget"
            )
        return full.weekly(spend), point, gap

    def _begin(self, region: Region) -> np.ndarray:
        """Return last period's mix at the budget, shape (channel,)."""
        current = self.window.current
        spent = current.sum()
        return current * (min(region.budget, spent) / spent) if spent > 0 else current

    def _by_totals(self, spread: np.ndarray) -> Totals:
        """Return the surfaces of channel totals with this spread, kept for the next scenario."""
        key = spread.tobytes()
        if key not in self._surfaces:
            thin, full = ByTotals(self.thin, spread), ByTotals(self.media, spread)
            self._surfaces[key] = Totals(thin, full)
        return self._surfaces[key]

    def _table(
        self, region: Region, weekly: np.ndarray, brought: Brought, marginal: np.ndarray
    ) -> pd.DataFrame:
        window, planned = self.window, weekly.sum(axis=0)
        lowest, highest = window.observed
        slack = TOLERANCE * max(planned.sum(), 1.0)
        outside = (planned < lowest - slack) | (planned > highest + slack)
        outside |= window.leaves_the_seen(weekly)
        current = np.where(window.current > 0, window.current, np.nan)
        lower, upper = np.quantile(marginal, [0.03, 0.97], axis=1)
        at = {
            "fixed": region.high - region.low <= slack,
            "lower": planned <= region.low + slack,
            "upper": planned >= region.high - slack,
        }
        return pd.DataFrame(
            {
                "channel": window.channels,
                "current": window.current,
                "planned": planned,
                "change": np.where(window.current == planned, 0.0, planned / current - 1),
                "units": planned / window.cost,
                "lower_bound": region.low,
                "upper_bound": region.high,
                "observed_low": lowest,
                "observed_high": highest,
                "outside_observed": outside,
                "at_bound": np.select([*at.values()], [*at], ""),
                "carry_in": self.media.carry_in.mean(axis=1)
                if not window.unknown_weeks
                else np.nan,
                "inside": brought.inside.mean(axis=1),
                "after": brought.after.mean(axis=1),
                "roas": brought.channels.mean(axis=1) / np.where(planned > 0, planned, np.nan),
                "mroas": marginal.mean(axis=1),
                "lower_94": lower,
                "upper_94": upper,
            }
        )


def shares_of(weekly: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Return how money is spread over the weeks; channels without any as they are otherwise."""
    total = weekly.sum(axis=0)
    return np.where(total > 0, weekly / np.where(total > 0, total, 1.0), otherwise)


def spread_of(scenario: Scenario, window: Window) -> np.ndarray:
    """Return how a scenario spreads a channel's money over the weeks, shape (week, channel).

    Fixed channels keep the weeks of the last period, too.
    """
    spread = np.full(window.last.shape, 1 / window.weeks)
    as_before = shares_of(window.last, spread)
    if scenario.profile == "historical":
        return as_before
    for place, name in enumerate(window.channels):
        if name in scenario.fixed:
            spread[:, place] = as_before[:, place]
        elif name in scenario.weights:
            weights = np.array(scenario.weights[name])
            spread[:, place] = weights / weights.sum()
    return spread


def optimize_budget(fitted: FittedModel, budget: BudgetConfig) -> Plan:
    """Allocate a budget over the channels for a window after the data, with our own engine.

    What is known of a fit must not hang on who solves, so `engine` says nothing here; a plan by the
    library is a job's (`planning.engines`).

    Parameters
    ----------
    fitted
        The champion.
    budget
        The scenario and its window.

    Raises
    ------
    BudgetError
        When the bounds and the budget clash, with the numbers that do.
    """
    window = window_of(fitted, budget.weeks, budget.start, budget.cost_per_unit)
    return Planner(fitted, window).plan(budget)
