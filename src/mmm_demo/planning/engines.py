"""Who looks for the best spend: our own solver, PyMC-Marketing's BudgetOptimizer, or both."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmm_demo.planning.doubts import require_margin
from mmm_demo.planning.feasible import region_of
from mmm_demo.planning.optimize import WEEKLY, Planner
from mmm_demo.planning.plan import Plan
from mmm_demo.planning.window import BudgetError
from mmm_demo.settings.scenario import OF_THE_LIBRARY, Engine, Scenario

OF_LIBRARY = ("response", "profit", "target_mroas")  # objectives without a tail or a constraint


@dataclass(frozen=True, eq=False)
class Rivals:
    """The plans of both engines for one scenario."""

    own: Plan
    library: Plan

    @property
    def spend(self) -> np.ndarray:
        """Money that the library gives a channel more than we do, shape (channel,)."""
        return (self.library.table["planned"] - self.own.table["planned"]).to_numpy()

    @property
    def moved(self) -> float:
        """Money that lies elsewhere in the library's plan, counted once."""
        return float(max(self.spend.clip(min=0).sum(), -self.spend.clip(max=0).sum()))

    @property
    def objective(self) -> float:
        """By how much the library's plan is better than ours, of what the scenario asks for."""
        return self.library.value - self.own.value

    @property
    def share(self) -> float:
        """The same as a share of ours; NaN where that is nothing."""
        return self.objective / self.own.value if self.own.value > 0 else float("nan")


def rivals(plans: Sequence[Plan]) -> list[Rivals]:
    """Return the pairs among plans that were made by both engines."""
    made = {plan.scenario.name: plan for plan in plans if plan.engine == "library"}
    pairs = ((plan, made.get(plan.scenario.name + OF_THE_LIBRARY)) for plan in plans)
    return [Rivals(plan, other) for plan, other in pairs if plan.engine == "own" and other]


def plans_by(engine: Engine, planner: Planner, scenarios: Sequence[Scenario]) -> tuple[Plan, ...]:
    """Return the plans of scenarios by an engine; of both, ours and then the library's.

    Raises
    ------
    BudgetError
        When a scenario allows no plan, or asks the library for more than it is asked for here;
        that is found before anything is solved.
    """
    if engine != "own":
        for scenario in scenarios:
            require_of_library(scenario, planner)
    own = () if engine == "library" else tuple(planner.plan(one) for one in scenarios)
    if engine == "own":
        return own
    # It takes seconds to load, and a plan of our own needs nothing of it.
    from mmm_demo.planning.library import library_plans

    if engine == "both":
        scenarios = [replace(one, name=one.name + OF_THE_LIBRARY) for one in scenarios]
    theirs = library_plans(planner, scenarios)
    if engine == "library":
        return theirs
    return tuple(plan for pair in zip(own, theirs, strict=True) for plan in pair)


def require_of_library(scenario: Scenario, planner: Planner) -> None:
    """Refuse what the library's optimizer is not asked for, naming all of it.

    Raises
    ------
    BudgetError
        With the settings, and what to do.
    """
    asked = []
    if scenario.objective not in OF_LIBRARY:
        asked.append(f"objective: {scenario.objective}")
    if scenario.profile == WEEKLY:
        asked.append(f"profile: {WEEKLY}")
    if scenario.smoothness is not None:
        asked.append(f"smoothness: {scenario.smoothness:g}")
    if asked:
        raise BudgetError(
            f"scenario {scenario.name}: PyMC-Marketing's optimizer is asked for channel totals of "
            f"objective {', '.join(OF_LIBRARY[:-1])} or {OF_LIBRARY[-1]}, their spread over the "
            f"weeks given; not for {', '.join(asked)}. Leave that out, or plan with engine: own"
        )
    require_margin(scenario, planner.window, float(planner.replay.total.mean()))
    region = region_of(scenario, planner.window)
    if not (region.high > region.low).any():
        raise BudgetError(
            f"scenario {scenario.name}: every channel is fixed, which leaves PyMC-Marketing's "
            "optimizer nothing to plan; free a channel, or plan with engine: own"
        )
