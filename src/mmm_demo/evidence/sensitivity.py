"""Sensitivity: whether ROAS and plan hang on choices that the data cannot decide."""

import numpy as np
import pandas as pd

from mmm_demo.checks.gate import Check
from mmm_demo.evidence.refits import assessable

STAGE = "sensitivity"
BASE = "as fitted"
MOVED_MAX = 0.25
ADVICE = "a modelling choice decides this result; say so, or test the channel in the field"


def roas_rows(variant: str, channels: list[str], draws: np.ndarray) -> pd.DataFrame:
    """Describe ROAS under a variant; `draws` has shape (sample, channel)."""
    lower, median, upper = np.quantile(draws, [0.03, 0.5, 0.97], axis=0)
    return pd.DataFrame(
        {
            "variant": variant,
            "channel": channels,
            "roas": median,
            "lower_94": lower,
            "upper_94": upper,
        }
    )


def sensitivity_checks(table: pd.DataFrame) -> tuple[Check, ...]:
    """Judge how far variants of the model move ROAS and the plan.

    Parameters
    ----------
    table
        Rows of `roas_rows` with planned (money by channel) and converged; the variant `as fitted`
        is the model itself.
    """
    base = table[table["variant"] == BASE].set_index("channel")
    others = table[(table["variant"] != BASE) & table["converged"]]
    converged = table[table["variant"] != BASE].groupby("variant")["converged"].all()
    return assessable([_roas(base, others), _plan(base, others)], list(converged))


def _roas(base: pd.DataFrame, others: pd.DataFrame) -> Check:
    """How far the most moved median lies from the base, in half-widths of the base's interval."""
    of = base.loc[others["channel"]]
    distance = others["roas"].to_numpy() - of["roas"].to_numpy()
    reach = np.where(distance > 0, of["upper_94"] - of["roas"], of["roas"] - of["lower_94"])
    moved = np.abs(distance) / reach
    value, where = _worst(moved, others["channel"] + " under " + others["variant"])
    return Check("sensitivity_roas", STAGE, value, "<=", 1.0, where, ADVICE)


def _plan(base: pd.DataFrame, others: pd.DataFrame) -> Check:
    """Largest share of the budget that a variant would put elsewhere."""
    moved, names = [], []
    for variant, rows in others.groupby("variant"):
        planned = rows.set_index("channel")["planned"]
        elsewhere = (planned - base["planned"]).abs().sum(skipna=False) / 2
        moved.append(float(elsewhere / base["planned"].sum()))
        names.append(f"under {variant}")
    value, where = _worst(np.array(moved), pd.Series(names, dtype=str))
    return Check("sensitivity_plan", STAGE, value, "<=", MOVED_MAX, where, ADVICE)


def _worst(values: np.ndarray, names: pd.Series) -> tuple[float, str]:
    if not len(values) or not np.isfinite(values).all():
        return float("nan"), "not measured"
    return float(values.max()), str(names.iloc[int(values.argmax())])
