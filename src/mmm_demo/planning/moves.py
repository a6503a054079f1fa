"""How much of the gain smaller moves bring: the best plan when channels may change by so much."""

from dataclasses import replace

import numpy as np
import pandas as pd

from mmm_demo.planning.feasible import mix_at
from mmm_demo.planning.optimize import Planner, shares_of, spread_of
from mmm_demo.planning.plan import INTERVALS, Plan
from mmm_demo.planning.surface import ByTotals
from mmm_demo.planning.window import BudgetError
from mmm_demo.settings.scenario import SEEN

STEPS = (0.05, 0.1, 0.2, 0.3, 0.5)
# Others ask for a target and not for the most that a budget can bring.
JUDGED = ("response", "profit", "cvar")
COLUMNS = ("most", "gain", *INTERVALS, "probability", "moved", "of_widest", "is_plan")


def move_curve(planner: Planner, plan: Plan) -> pd.DataFrame:
    """Return the gain of the best plan for each of some limits on how far a channel may move.

    Every plan is for the scenario's aim, budget and limits, spread over the weeks like the plan;
    only the bounds of channels that have none of their own differ.

    Parameters
    ----------
    planner, plan
        A plan of this planner.

    Returns
    -------
    pandas.DataFrame
        One row per limit, the narrowest first: most (change by channel, as a share of the last
        period's; 0 for its mix at the plan's budget, which is told even where the scenario's own
        limits forbid it; NaN for as far as the data have seen), gain over the replay of the last
        period with its intervals (sales; money of profit where that is the aim), probability (that
        it is above zero), moved (money that changes its place against the last period's mix at that
        budget, counted once), of_widest (share of the expected gain of the widest; NaN where there
        is none or it gains nothing), is_plan (whether the plan has this limit). No rows where the
        scenario has a target, or no channel is left to the default. Limits that allow no plan have
        none; `attrs["missing"]` says which, `attrs["unit"]` what a gain is in: sales or profit.
    """
    scenario, table = plan.scenario, pd.DataFrame(columns=COLUMNS)
    unit = "profit" if scenario.objective == "profit" else "sales"
    table.attrs |= {"missing": (), "unit": unit}
    own = {*scenario.bounds, *scenario.relative_bounds, *scenario.fixed}
    if scenario.objective not in JUDGED or "*" in own or own >= {*plan.window.channels}:
        return table
    spread = shares_of(plan.weekly.to_numpy(), spread_of(scenario, plan.window))
    known = scenario.most_change(plan.window.tested)
    steps = sorted({*STEPS, *([known] if known != SEEN else [])})
    mix = mix_at(plan.window.current, plan.total_budget)
    still = ByTotals(planner.media, spread).at(mix).total
    rows, missing = [_row(plan, 0.0, mix, still, False)], []
    for most in (*steps, SEEN):
        at = np.nan if most == SEEN else most
        if most == known:
            rows.append(_row(plan, at, plan.table["planned"].to_numpy(), plan.response, True))
            continue
        try:
            solved = planner.solve(replace(scenario, default_bounds=most), spread)
        except BudgetError:
            missing.append(most)
            continue
        planned = solved.weekly.sum(axis=0)
        rows.append(_row(plan, at, planned, solved.point.brought.total, False))
    table = pd.DataFrame(rows)
    widest = float(table["gain"].iloc[-1]) if np.isnan(table["most"].iloc[-1]) else np.nan
    of_widest = table["gain"] / widest if widest > 0 else np.nan
    table = table.assign(of_widest=of_widest)[list(COLUMNS)]
    table.attrs |= {"missing": tuple(missing), "unit": unit}
    return table


def _row(
    plan: Plan, most: float, planned: np.ndarray, response: np.ndarray, is_plan: bool
) -> dict[str, object]:
    gain, spent = response - plan.status_quo, planned.sum()
    if plan.scenario.objective == "profit":
        gain = plan.scenario.margin * gain - (spent - plan.current_budget)
    change = planned - mix_at(plan.window.current, spent)
    return {
        "most": most,
        "gain": float(gain.mean()),
        **{name: float(np.quantile(gain, at)) for name, at in INTERVALS.items()},
        "probability": float((gain > 0).mean()),
        "moved": float(max(change.clip(min=0).sum(), -change.clip(max=0).sum())),
        "is_plan": is_plan,
    }
