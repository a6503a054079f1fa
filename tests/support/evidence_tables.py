"""Rows of refits as batteries leave them."""

import numpy as np
import pandas as pd

from mmm_demo.evidence.placebo import placebo_row

FILES = {"trace.nc": "aa", "config.json": "bb", "gate.json": "cc"}


def backtest_table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "fold": np.repeat([1, 2, 3, 4, 5], 2),
            "week": pd.date_range("2025-01-06", periods=10, freq="7D"),
            "observed": 100.0 + np.arange(10) / 7,
            "mean": 101.0,
            "lower_94": 90.0,
            "upper_94": 110.0,
            "naive": 95.0,
            "crps": np.linspace(1.0, 2.0, 10) / 3,
            "naive_crps": np.linspace(2.0, 3.0, 10),
            "converged": True,
        }
    )


def recovery_table() -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            "replicate": np.repeat([1, 2, 3, 4, 5], 2),
            "channel": ["TV", "Radio"] * 5,
            "truth": 10.0,
            "median": 11.0,
            "lower_90": 9.0,
            "upper_90": 12.0,
            "relative_error": 0.1,
            "inside": True,
        }
    )
    both = [rows.assign(quantity=quantity) for quantity in ("contribution", "ROAS")]
    return pd.concat(both, ignore_index=True).assign(converged=True)


def placebo_table(believed: int = 0) -> pd.DataFrame:
    draws = [np.linspace(0.03 if i < believed else 0.0, 0.05, 101) for i in range(3)]
    return pd.DataFrame([placebo_row("TV", 20 + i, d, True) for i, d in enumerate(draws)])


def sensitivity_table() -> pd.DataFrame:
    base = pd.DataFrame(
        {
            "channel": ["TV", "Radio"],
            "roas": [2.0 / 3, 4.0],
            "lower_94": [0.5, 3.0],
            "upper_94": [4.0, 6.0],
            "planned": [60.0, 40.0],
            "converged": True,
        }
    )
    names = ("as fitted", "lag of 4 weeks", "michaelis-menten saturation", "3 seasonal modes")
    parts = [
        base.assign(variant=name, roas=base["roas"] * (1 + i / 50)) for i, name in enumerate(names)
    ]
    return pd.concat(parts, ignore_index=True)
