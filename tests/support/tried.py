"""Fits side by side as `improve` judges them, made by hand."""

import pandas as pd

from mmm_demo.checks.gate import Check, GateReport
from mmm_demo.evidence.improve import Tried
from mmm_demo.settings.changes import Settings
from mmm_demo.sweeps.candidate import Judged

FOLDS, WEEKS = 5, 8
# By week: mean 0, so that a forecast is as far from another as their levels are.
UNEVEN = [0.0, 2.0, -2.0, 1.0, -1.0, 3.0, -3.0, 0.0]
LAG, DRIFT, CURVE = (
    {("model", name): value}
    for name, value in (
        ("adstock_max_lag", 13),
        ("baseline", "drift"),
        ("saturation", "michaelis_menten"),
    )
)


def forecast(level: float, seed: int = 0, folds: int = FOLDS, wobble: float = 1.0) -> pd.DataFrame:
    """Return backtest rows with a mean CRPS; those of two seeds differ by fold and week."""
    rows = []
    for fold in range(1, folds + 1):
        for week, uneven in enumerate(UNEVEN):
            shift = wobble * (uneven * (seed + 1) + (fold - (folds + 1) / 2) * seed)
            day = pd.Timestamp("2024-01-01") + pd.Timedelta(weeks=fold * WEEKS + week)
            row = (fold, day, 100.0, 90.0, 110.0, level + shift, True)
            rows.append(row)
    names = ["fold", "week", "observed", "lower_94", "upper_94", "crps", "converged"]
    return pd.DataFrame(rows, columns=names)


def roas(tv: float = 2.0, radio: float = 3.0, half: float = 0.5) -> pd.DataFrame:
    """Return medians with intervals of the same width."""
    medians = pd.Series([tv, radio])
    ends = {"median": medians, "lower_94": medians - half, "upper_94": medians + half}
    return pd.DataFrame({"channel": ["TV", "Radio"], **ends, "label": "data-driven"})


def tried(
    settings: Settings | None = None,
    flags: str = "",
    level: float = 50.0,
    seed: int = 0,
    parameters: int = 10,
    **more: object,
) -> Tried:
    """Return a fit that was judged."""
    given = {"roas": roas(), "forecast": forecast(level, seed), "seconds": 30.0} | more
    return Tried(settings or {}, parameters, frozenset(flags.split()), **given)


def judged(flags: str = "", level: float = 50.0, seed: int = 0, where: str = "TV") -> Judged:
    """Return what a worker hands back of a fit that passed with flags."""
    from helpers import good_checks

    found = [
        Check(name, "posterior_predictive", 0.001, ">=", 0.01, where, "so it is")
        for name in flags.split()
    ]
    report = GateReport((*good_checks(), *found))
    return Judged(report, roas(), forecast(level, seed), 12.0, b"a trace")
