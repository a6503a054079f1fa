"""Fits that can be ranked, made of nothing but their scores."""

from typing import Any

import numpy as np
import pandas as pd

from mmm_demo.evidence.ranking import PASSED, Candidate, Tables
from mmm_demo.settings.run_schema import SALES_PARAM

FOLDS, HORIZON, WEEKS = 5, 8, 104
RNG = np.random.default_rng(21)
SALES = "a" * 64
# Differences between weeks that all models share: some weeks are hard to forecast.
HARD = np.abs(np.random.default_rng(4).normal(100, 30, FOLDS * HORIZON))
CHANNELS = ("TV", "Search")


def backtest(
    crps: np.ndarray | float, start: str = "2024-11-04", folds: int = FOLDS
) -> pd.DataFrame:
    """Return a backtest with these scores by week, three of four weeks inside."""
    count = folds * HORIZON
    inside = np.arange(count) % 4 > 0
    return pd.DataFrame(
        {
            "fold": np.repeat(np.arange(1, folds + 1), HORIZON),
            "week": pd.date_range(start, periods=count, freq="7D"),
            "observed": 1000.0,
            "lower_94": np.where(inside, 900.0, 1100.0),
            "upper_94": 1200.0,
            "crps": crps,
            "converged": True,
        }
    )


def pointwise(elpd_i: np.ndarray | float, k: float = 0.3) -> pd.DataFrame:
    """Return leave-one-out estimates of two years."""
    weeks = pd.date_range("2023-01-02", periods=WEEKS, freq="7D")
    return pd.DataFrame({"week": weeks, "elpd_i": elpd_i, "pareto_k": k})


def roas(*medians: float, channels: tuple[str, ...] = CHANNELS) -> pd.DataFrame:
    """Return ROAS by channel, each with an interval of 20 % to either side."""
    middle = np.array(medians)
    ends = {"lower_94": 0.8 * middle, "upper_94": 1.2 * middle}
    return pd.DataFrame({"channel": channels, "median": middle} | ends)


def plan(*money: float, channels: tuple[str, ...] = CHANNELS) -> pd.DataFrame:
    """Return planned money by channel."""
    return pd.DataFrame({"channel": channels, "planned": money})


def candidate(number: int, crps: Any = None, elpd: Any = None, **fields: Any) -> Candidate:
    """Return a fit that passed; its scores by week, or nothing measured."""
    tables = {
        "backtest": None if crps is None else backtest(crps),
        "pointwise": None if elpd is None else pointwise(elpd),
        "roas": roas(2.0, 3.0),
        "plan": plan(600.0, 400.0),
    }
    tables |= {name: fields.pop(name) for name in list(fields) if name in tables}
    params = {SALES_PARAM: SALES} | fields.pop("params", {})
    plain = {"name": f"model {number}", "kind": "fit", "verdict": PASSED, "reason": ""}
    plain |= {"started": number, "rhat": 1.002} | fields
    if plain["verdict"] != PASSED:
        tables = {}
    return Candidate(f"{number:08x}" + "0" * 24, params=params, tables=Tables(**tables), **plain)
