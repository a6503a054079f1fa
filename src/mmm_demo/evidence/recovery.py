"""Parameter recovery on the real spend: whether such data would show a known truth."""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from mmm_demo.checks.gate import Check
from mmm_demo.evidence.battery import Battery, Step, Watch, assessable
from mmm_demo.evidence.refit import Refitter
from mmm_demo.fits.response import Response

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


def run_recovery(refitter: Refitter, response: Response, seed: int, watch: Watch) -> pd.DataFrame:
    """Simulate sales from single draws of the posterior on the real spend, and find them again.

    Lift tests stay out: the question is what these weeks and this spend can tell.

    Returns
    -------
    pandas.DataFrame
        Rows of `recovery_rows` with quantity and converged.
    """
    config, table, evidence = response.config, response.training, refitter.sampling
    channels = list(config.channel_columns)
    spend = table[channels].to_numpy()
    measures = {
        "contribution": lambda of: of.contributions(spend).sum(axis=1),
        "ROAS": lambda of: of.roas(spend),
    }
    rng, parts = np.random.default_rng(seed), []
    for number in range(1, evidence.replicates + 1):
        truth = _one_draw(response, rng)
        sales = truth.sales(table, rng)[0]
        refit = refitter.fit(table.assign(**{config.target_column: sales}), seed + number)
        for quantity, measure in measures.items():
            true = pd.Series(measure(truth)[0], channels)
            rows = recovery_rows(number, true, measure(refit.response))
            parts.append(rows.assign(quantity=quantity, converged=refit.converged))
        measured = {
            "median_error": float(parts[-1]["relative_error"].abs().median()),
            "inside_90": float(parts[-1]["inside"].mean()),
        }
        name = f"replicate {number}"
        watch(Step(STAGE, number, evidence.replicates, name, refit, measured))
    return pd.concat(parts, ignore_index=True)


def _one_draw(response: Response, rng: np.random.Generator) -> Response:
    sizes = response.posterior.sizes
    place = {dim: [int(rng.integers(sizes[dim]))] for dim in ("chain", "draw")}
    return replace(response, posterior=response.posterior.isel(place))


RECOVERY = Battery(
    name=STAGE,
    question="Would such data bring a known truth back?",
    checks={
        "recovery_contribution_coverage_90": "recovered contributions inside 90 % intervals",
        "recovery_roas_coverage_90": "recovered ROAS inside 90 % intervals",
    },
    run=lambda of: run_recovery(of.refitter, of.fitted.response, of.seed, of.watch),
    judge=recovery_checks,
    flags=frozenset({"inside"}),
)
