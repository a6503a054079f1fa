"""The plans of one request side by side, with what more or less money would bring."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmm_demo.planning.curves import budget_frontier, response_curves
from mmm_demo.planning.moves import move_curve
from mmm_demo.planning.optimize import Planner
from mmm_demo.planning.plan import INTERVALS, Plan, spread
from mmm_demo.planning.surface import ByWeek

REPLAY = "last period"  # how the replay of the last period is called among the scenarios
SPREAD = ("lower_94", "lower_50", "upper_50", "upper_94")


@dataclass(frozen=True, eq=False)
class PlanStudy:
    """The plans of one request, and what surrounds them.

    Attributes
    ----------
    plans
        The main one first; all for one window.
    scenarios
        `scenario_table` of them.
    curves, frontier
        `response_curves` and `budget_frontier` of the main plan; budgets of the frontier whose
        search failed are not among its rows, `frontier.attrs["missing"]` is their number.
    moves
        `move_curve` of the main plan.
    """

    plans: tuple[Plan, ...]
    scenarios: pd.DataFrame
    curves: pd.DataFrame
    frontier: pd.DataFrame
    moves: pd.DataFrame

    @property
    def main(self) -> Plan:
        """The plan that the rest is about."""
        return self.plans[0]


def study_plans(planner: Planner, plans: Sequence[Plan]) -> PlanStudy:
    """Return plans of one planner with scenario table, curves and frontier."""
    main = plans[0]
    return PlanStudy(
        plans=tuple(plans),
        scenarios=scenario_table(planner, plans),
        curves=response_curves(planner, main),
        frontier=budget_frontier(planner, main.scenario),
        moves=move_curve(planner, main),
    )


def scenario_table(planner: Planner, plans: Sequence[Plan]) -> pd.DataFrame:
    """Return what a replay of the last period and each plan cost and bring.

    Returns
    -------
    pandas.DataFrame
        The replay first, then a row per plan: scenario, objective; budget (money); response with
        response_ and its 94 % interval (sales); gain over the replay with gain_ and its intervals
        (sales), of_all_sales (share of all sales of the last period), of_media_sales (of the
        replay's response), probability (that the plan beats it) and
        shortfall (mean gain of the worst 5 %), all NaN for the replay; roas; mroas (sales of the
        next unit of money, spread like the row's own); profit (margin x response - budget) with
        profit_gain over the replay, profit_gain_lower_94, profit_gain_upper_94 and
        profit_probability (that the plan earns more), NaN where no margin is known. A margin that
        is the only one in the request holds for every row.
    """
    margins = {plan.scenario.margin for plan in plans} - {None}
    common = next(iter(margins)) if len(margins) == 1 else None
    replay = _row(REPLAY, "", float(planner.window.current.sum()), planner.replay.total, common)
    rows = [replay | {"mroas": _replay_marginal(planner)}]
    for plan in plans:
        scenario, gain = plan.scenario, plan.uplift
        margin = scenario.margin or common
        row = _row(scenario.name, scenario.objective, plan.total_budget, plan.response, margin)
        row |= {"gain": gain["mean"]} | {f"gain_{name}": gain[name] for name in SPREAD}
        row |= {"of_all_sales": plan.of_all_sales, "of_media_sales": plan.of_media_sales}
        row |= {name: gain[name] for name in ("probability", "shortfall")}
        rows.append(row | _profit_gain(plan, margin) | {"mroas": _marginal(plan)})
    return pd.DataFrame(rows)


def _profit_gain(plan: Plan, margin: float | None) -> dict[str, float]:
    """Return by how much a plan earns more than the replay, empty where no margin is known."""
    if margin is None:
        return {}
    found = spread(margin * plan.gain - (plan.total_budget - plan.current_budget))
    names = {"mean": "gain", "probability": "probability"}
    names |= {name: f"gain_{name}" for name in ("lower_94", "upper_94")}
    return {f"profit_{names[name]}": found[name] for name in names}


def _row(
    name: str, objective: str, budget: float, response: np.ndarray, margin: float | None
) -> dict[str, object]:
    mean = float(response.mean())
    gains = ("gain", *(f"gain_{name}" for name in SPREAD), "of_all_sales", "of_media_sales")
    gains += ("probability", "shortfall")
    profits = ("gain", "gain_lower_94", "gain_upper_94", "probability")
    unknown = (*gains, *(f"profit_{name}" for name in profits))
    return {
        "scenario": name,
        "objective": objective,
        "budget": budget,
        "response": mean,
        "response_lower_94": float(np.quantile(response, INTERVALS["lower_94"])),
        "response_upper_94": float(np.quantile(response, INTERVALS["upper_94"])),
        **dict.fromkeys(unknown, np.nan),
        "roas": mean / budget if budget > 0 else np.nan,
        "mroas": np.nan,
        "profit": margin * mean - budget if margin is not None else np.nan,
    }


def _marginal(plan: Plan) -> float:
    """Return the sales of the next unit of money, spread like the plan."""
    money = plan.table["planned"].to_numpy()
    if not money.sum() > 0:
        return np.nan
    return float(plan.table["mroas"].to_numpy() @ money / money.sum())


def _replay_marginal(planner: Planner) -> float:
    last = planner.window.last.ravel()
    if not last.sum() > 0:
        return np.nan
    draws = planner.replay.total.size
    slope = ByWeek(planner.media).gradient(planner.replay, np.full(draws, 1 / draws))
    return float(slope @ last / last.sum())
