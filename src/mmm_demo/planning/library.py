"""PyMC-Marketing's own optimizer on the same question, for plans and as the reference of ours."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import xarray as xr
from pymc_marketing.mmm.budget_optimizer import BudgetOptimizer
from pymc_marketing.mmm.constraints import Constraint, build_default_sum_constraint

from mmm_demo.fits.build import inside
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.planning.feasible import Region, region_of
from mmm_demo.planning.optimize import Planner, spread_of
from mmm_demo.planning.plan import Plan
from mmm_demo.planning.solver import Goal, goal_of
from mmm_demo.planning.window import BudgetError, Window
from mmm_demo.settings.scenario import Scenario
from mmm_demo.settings.wording import amount

NOTHING_CARRIED_IN = r"Requested \d+ carry-in periods"
MOST_RESPONSE = Goal()
ALIKE = 1e-3  # share by which its expected response may differ from our surface's


@dataclass(frozen=True, eq=False)
class Solved:
    """What the library's search ended at.

    Attributes
    ----------
    totals
        Money, shape (channel,).
    complaint
        Its message where it calls the search failed; empty else.
    """

    totals: np.ndarray
    complaint: str


@dataclass(frozen=True, eq=False)
class LibraryPlanner:
    """PyMC-Marketing's optimizer for one window and one goal, without tail and target.

    It counts money per week where we count per window.

    Attributes
    ----------
    fitted, window
        The model and the weeks to plan.
    draws
        Number of evenly spaced draws to keep at least; None for all.
    compiled
        Whether the objective is compiled: worth its seconds for several plans over many draws.
    spread
        Share of a channel's money by week, shape (week, channel); None for an even one.
    goal
        What response and money are worth; its `tail` and `least` are left aside.
    """

    fitted: FittedModel
    window: Window
    draws: int | None = None
    compiled: bool = False
    spread: np.ndarray | None = None
    goal: Goal = MOST_RESPONSE
    _held: list[Region] = field(default_factory=list, repr=False)

    @cached_property
    def optimizer(self) -> BudgetOptimizer:
        """The library's object; to build it takes seconds."""
        window, mmm = self.window, self.fitted.mmm
        everything, prices = mmm.idata, np.tile(window.cost, (window.weeks, 1))
        spread = None if self.spread is None else self._dated(self.spread)
        try:
            mmm.idata = _thinned(everything, self.draws)
            with warnings.catch_warnings():
                # After a gap the spend before the window is unknown, to both of us.
                warnings.filterwarnings("ignore", NOTHING_CARRIED_IN, UserWarning)
                return mmm.budget_optimizer(
                    window.start,
                    window.end,
                    # All channels, named: its own detection leaves out what it deems inactive.
                    budgets_to_optimize=self._labelled(np.ones(len(window.channels), dtype=bool)),
                    cost_per_unit=self._dated(prices),
                    budget_distribution_over_period=spread,
                    utility_function=self._utility,
                    compile_kwargs=None if self.compiled else {"mode": "FAST_COMPILE"},
                )
        finally:
            mmm.idata = everything

    @property
    def _channels(self) -> list[str]:
        return [inside(name) for name in self.window.channels]

    @cached_property
    def _carried_in(self) -> np.ndarray:
        """What earlier spend still earns; the library counts it as response, shape (sample,)."""
        return self._all_media(np.zeros(len(self.window.channels)))

    def plan(self, region: Region) -> np.ndarray:
        """Return the best channel totals of a region, shape (channel,).

        Raises
        ------
        BudgetError
            See `solve`.
        """
        return self.solve(region).totals

    def solve(self, region: Region) -> Solved:
        """Search the best channel totals of a region.

        Raises
        ------
        BudgetError
            When there is nothing to decide, or the search ended outside the region.
        """
        room, weeks = region.high - region.low, self.window.weeks
        if not room.sum() > 0:
            raise BudgetError("every channel is fixed: there is nothing to plan")
        budget = min(region.budget, float(region.high.sum()))
        if region.limits or not region.exact or self._held:  # else its own default does
            self.optimizer.set_constraints(self._constraints(region, budget))
            self._held[:] = [region]
        bounds = xr.DataArray(
            np.column_stack([region.low, region.high]) / weeks,
            dims=("channel", "bound"),
            coords={"channel": self._channels, "bound": ["lower", "upper"]},
        )
        start = region.low + room * (budget - region.low.sum()) / room.sum()
        solved = self.optimizer.allocate_budget(
            budget / weeks,
            bounds,
            x0=self._labelled(start / weeks),
            # SLSQP calls an optimum in a corner a failure, and the library then keeps it back.
            return_if_fail=True,
        )
        found = solved.budgets.sel(channel=self._channels).to_numpy() * weeks
        totals, outcome = np.clip(found, region.low, region.high), solved.scipy_result
        if not region.keeps(totals):
            raise BudgetError(
                f"PyMC-Marketing's optimizer found no plan: it ended at {amount(found.sum())} of a "
                f"budget of {amount(budget)} and said {str(outcome.message)!r}; change the "
                "budget or the bounds, or plan with engine: own"
            )
        return Solved(totals, "" if outcome.success else str(outcome.message))

    def _constraints(self, region: Region, budget: float) -> list[Constraint]:
        """Return budget and limits on sums of channels, in money per week."""
        found = [build_default_sum_constraint()]
        if not region.exact:
            found = [Constraint("budget", "ineq", lambda spend, money, _: money - spend.sum())]
        for limit in region.limits:
            weights, most = limit.weights, limit.most / self.window.weeks
            found.append(Constraint(limit.text, "ineq", partial(_room, weights, most)))
        return found

    def _utility(self, samples: Any, budgets: Any) -> Any:
        price = self.goal.price * self.window.weeks
        return self.goal.worth * samples.mean(dim="sample") - price * budgets.sum()

    def response(self, totals: np.ndarray) -> np.ndarray:
        """Return what channel totals bring, net of what earlier spend earns, shape (sample,)."""
        return self._all_media(totals) - self._carried_in

    def _all_media(self, totals: np.ndarray) -> np.ndarray:
        weekly = self._labelled(totals / self.window.weeks)
        return self.optimizer.evaluate_response_distribution(weekly).to_numpy()

    def _labelled(self, values: np.ndarray) -> xr.DataArray:
        return xr.DataArray(values, dims="channel", coords={"channel": self._channels})

    def _dated(self, values: np.ndarray) -> xr.DataArray:
        dated = {"date": self.window.dates.to_numpy(), "channel": self._channels}
        return xr.DataArray(values, dims=("date", "channel"), coords=dated)


def _room(weights: np.ndarray, most: float, spend: Any, *_: object) -> Any:
    """Return what a limit on a sum of channels leaves free."""
    counted = [spend.isel(channel=place) * weights[place] for place in np.flatnonzero(weights)]
    return most - sum(counted[1:], counted[0])


def library_plans(planner: Planner, scenarios: Sequence[Scenario]) -> tuple[Plan, ...]:
    """Return the library's plans for scenarios that `engines.require_of_library` lets through.

    It searches over all draws; what its plans bring is counted as that of ours.

    Raises
    ------
    BudgetError
        When its search fails, or it counts another response than our surface.
    """
    optimizers: dict[tuple[bytes, Goal], LibraryPlanner] = {}
    plans = []
    for scenario in scenarios:
        spread, goal = spread_of(scenario, planner.window), goal_of(scenario)
        fresh = LibraryPlanner(planner.fitted, planner.window, spread=spread, goal=goal)
        library = optimizers.setdefault((spread.tobytes(), goal), fresh)
        try:
            solved = library.solve(region_of(scenario, planner.window))
        except BudgetError as fault:
            raise BudgetError(f"scenario {scenario.name}: {fault}") from None
        plan = planner.judged(scenario, solved.totals, "library", solved.complaint)
        theirs, ours = (float(x.mean()) for x in (library.response(solved.totals), plan.response))
        if not abs(theirs - ours) <= ALIKE * abs(ours):
            raise BudgetError(
                f"scenario {scenario.name}: PyMC-Marketing's optimizer expects {amount(theirs)} of "
                f"its plan where the model brings {amount(ours)}, so it planned for another "
                "model; plan with engine: own"
            )
        plans.append(plan)
    return tuple(plans)


def _thinned(idata: xr.DataTree, draws: int | None) -> xr.DataTree:
    posterior = idata["posterior"].to_dataset()
    if draws is not None:
        step = max(1, posterior.sizes["draw"] * posterior.sizes["chain"] // draws)
        posterior = posterior.isel(draw=slice(None, None, step))
    return xr.DataTree.from_dict({"posterior": posterior})
