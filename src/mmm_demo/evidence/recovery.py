"""Parameter recovery on the real spend: whether such data would show a known truth."""

import numpy as np
import pandas as pd
from scipy import stats

from mmm_demo.checks.gate import Check
from mmm_demo.evidence.refits import assessable

STAGE = "recovery"
LEVEL, TAIL = 0.90, 0.01
ADVICE = "these weeks and this spend cannot bring such a truth back; add tests, data or priors"


def recovery_rows(replicate: int, truth: pd.Series, draws: np.ndarray) -> pd.DataFrame:
    """Hold one replicate's estimates against the truth it was simulated from.

    Parameters
    ----------
    replicate
        Number of the replicate.
    truth
        True value by channel.
    draws
        Estimates, shape (sample, channel), in the same order and units.

    Returns
    -------
    pandas.DataFrame
        Columns replicate, channel, truth, median, lower_90, upper_90, relative_error, inside.
    """
    lower, median, upper = np.quantile(draws, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2], axis=0)
    true = truth.to_numpy()
    return pd.DataFrame(
        {
            "replicate": replicate,
            "channel": truth.index,
            "truth": true,
            "median": median,
            "lower_90": lower,
            "upper_90": upper,
            "relative_error": median / true - 1,
            "inside": (lower <= true) & (true <= upper),
        }
    )


def recovery_checks(table: pd.DataFrame) -> tuple[Check, ...]:
    """Judge the coverage of the 90 % intervals, for contributions and for ROAS.

    Fails only below the 1 % quantile of what correct intervals would give: few replicates prove
    little, and must not refuse by chance.

    Parameters
    ----------
    table
        Rows of `recovery_rows` with quantity (`contribution`, `ROAS`) and converged.
    """
    converged = table.groupby("replicate")["converged"].all()
    checks = [_coverage(table, quantity) for quantity in ("contribution", "ROAS")]
    return assessable(checks, list(converged))


def _coverage(table: pd.DataFrame, quantity: str) -> Check:
    rows = table[(table["quantity"] == quantity) & table["converged"]]
    count = len(rows)
    limit = stats.binom.ppf(TAIL, count, LEVEL) / count if count else 0.0
    missed = rows[~rows["inside"]].groupby("channel").size()
    where = f"{missed.idxmax()} is missed most often" if len(missed) else f"{count} intervals"
    # A single interval could not fail.
    value = float(rows["inside"].mean()) if limit > 0 else float("nan")
    name = f"recovery_{quantity.lower()}_coverage_90"
    return Check(name, STAGE, value, ">=", float(limit), where, ADVICE)


def recovery_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return median absolute relative error, bias and coverage by quantity and channel."""
    used = table[table["converged"]]
    groups = used.groupby(["quantity", "channel"], sort=False)
    return groups.agg(
        median_error=("relative_error", lambda error: error.abs().median()),
        bias=("relative_error", "mean"),
        coverage_90=("inside", "mean"),
        replicates=("replicate", "nunique"),
    ).reset_index()
