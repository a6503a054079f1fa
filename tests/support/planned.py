"""Plans of a model that needs no fit, shared by the tests of what is told about plans."""

from dataclasses import replace
from functools import cache

import numpy as np
import xarray as xr

from drawn_model import drawn_model
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.planning.optimize import Planner
from mmm_demo.planning.study import PlanStudy, study_plans
from mmm_demo.planning.window import window_of
from mmm_demo.settings.scenario import Scenario

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
def s_shaped(
    lam: tuple[float, ...] | None = None, beta: tuple[float, ...] | None = None
) -> Planner:
    """Return a planner of the same draws under a saturation that is not concave.

    `lam` and `beta`, by channel, take the place of the draws where they are given.
    """
    trace = drawn_model().trace
    groups = {name: trace[name].to_dataset() for name in trace.children}
    posterior = groups["posterior"] = groups["posterior"].copy(deep=True)
    for name, values in (("saturation_lam", lam), ("saturation_beta", beta)):
        if values is not None:
            posterior[name][:] = np.array(values)
    config = replace(drawn_model().config, saturation="s_shaped")
    return planner_of(FittedModel(config, xr.DataTree.from_dict(groups)))


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
