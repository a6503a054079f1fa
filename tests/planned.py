"""Plans of a model that needs no fit, shared by the tests of what is told about plans."""

from dataclasses import replace
from functools import cache

from drawn_model import drawn_model
from mmm_demo.fitted import FittedModel
from mmm_demo.optimization import Planner
from mmm_demo.planning.scenario import Scenario
from mmm_demo.planning.study import PlanStudy, study_plans
from mmm_demo.planning.window import window_of

WEEKS = 8
WIDE = {"*": (0.0, 3.0)}


def planner_of(fitted: FittedModel, **cost: float) -> Planner:
    """Return a planner of the weeks after the data of a model."""
    return Planner(fitted, window_of(fitted, WEEKS, None, cost))


@cache
def planner() -> Planner:
    """Return the planner of `drawn_model`. Shared: change nothing."""
    return planner_of(drawn_model())


@cache
def s_shaped() -> Planner:
    """Return a planner of the same draws under a saturation that is not concave."""
    config = replace(drawn_model().config, saturation="s_shaped")
    return planner_of(FittedModel(config, drawn_model().trace))


@cache
def study() -> PlanStudy:
    """Return three plans, the last of them with a margin. Shared: change nothing."""
    scenarios = (
        Scenario("keep_budget", relative_bounds=WIDE),
        Scenario("tv_as_before", relative_budget=1.2, relative_bounds={"Radio": (0, 3)},
                 fixed=("TV",)),
        Scenario("profit", objective="profit", margin=0.4, relative_bounds=WIDE),
    )  # fmt: skip
    return study_plans(planner(), [planner().plan(scenario) for scenario in scenarios])
