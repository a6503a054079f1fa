"""What a version's plans promised and what came, as tracking runs wrote it down in params.

MLflow never changes a param once it is written. The metrics and tags that tell the same in the UI
can be changed by anyone, so nothing is read from them.
"""

from typing import Any

import pandas as pd

from mmm_demo.planning.outcome import HELD, NOT_FOLLOWED, NOT_HELD, PlanOutcome
from mmm_demo.store.registry import ModelVersion
from mmm_demo.store.runs import stored_runs

KIND = "tracking"
PLAN_RUN, MODEL, VERSION = "track.plan_run", "track.model", "track.model_version"
COUNTS = ("weeks", "inside_50", "inside_94", "total_inside")


def outcome_params(outcome: PlanOutcome) -> dict[str, Any]:
    """Return what a tracking run writes down about the plan, as params.

    Weeks and total inside are those of the spend that happened: they judge the version's
    intervals whether the plan was followed or not.
    """
    weeks, total = outcome.expected.table, outcome.expected.total.table
    return {
        "track.start": f"{outcome.weeks[0]:%Y-%m-%d}",
        "track.weeks": len(outcome.weeks),
        "track.weeks_planned": outcome.weeks_planned,
        "track.inside_50": int(weeks["inside_50"].sum()),
        "track.inside_94": int(weeks["inside_94"].sum()),
        "track.total_inside": int(total["inside_94"].sum()),
        "track.deviation": outcome.deviation,
        "track.status": outcome.status,
    }


def past_promises(version: ModelVersion) -> pd.DataFrame:
    """Return how a version's forecasts for its plans turned out.

    Parameters
    ----------
    version
        Version that planned.

    Returns
    -------
    pandas.DataFrame
        A row per tracked plan, the latest tracking of each, the latest first; then all of them as
        one. Columns plan (first characters of its run), scenario, start, weeks_planned, promise
        (its status), deviation (of spend, a share), plans, weeks, inside_50, inside_94,
        total_inside (counts, given the spend that happened; NaN where a run does not tell them).
        No rows when no plan was tracked.
    """
    rows = [_row(params) for params in _latest(version)]
    if not rows:
        return pd.DataFrame()
    table = pd.DataFrame(rows)
    promises = table["promise"].value_counts()
    named = [status for status in (HELD, NOT_HELD, NOT_FOLLOWED) if status in promises]
    named += sorted(set(promises.index) - set(named))
    whole = {
        "plan": "all",
        "promise": ", ".join(f"{promises[status]} {status}" for status in named),
        **{name: table[name].sum(skipna=False) for name in ("plans", "weeks_planned", *COUNTS)},
    }
    return pd.DataFrame([*rows, whole])


def _row(params: dict[str, str]) -> dict[str, Any]:
    numbers = ("weeks_planned", "deviation", *COUNTS)
    return {
        "plan": params[PLAN_RUN][:8],
        "scenario": params.get("track.scenario", ""),
        "start": params.get("track.start", ""),
        "promise": params.get("track.status", "not known"),
        "plans": 1,
        **{name: pd.to_numeric(params.get(f"track.{name}"), errors="coerce") for name in numbers},
    }


def _latest(version: ModelVersion) -> list[dict[str, str]]:
    """Return the params of each plan's latest finished tracking run."""
    asked = {MODEL: version.name, VERSION: version.version}
    wanted = [f"params.`{key}` = '{value}'" for key, value in asked.items()]
    found: dict[str, dict[str, str]] = {}
    for run in stored_runs(" and ".join([*wanted, "attributes.status = 'FINISHED'"])):
        if PLAN_RUN in run.data.params:
            found.setdefault(run.data.params[PLAN_RUN], dict(run.data.params))
    return list(found.values())
