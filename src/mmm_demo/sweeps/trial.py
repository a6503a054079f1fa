"""One trial of a sweep: prior check, backtest, fit of the whole table, scores. A pure function."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from mmm_demo.checks.convergence import prior_check
from mmm_demo.checks.gate import Check, GateReport
from mmm_demo.evidence import scores
from mmm_demo.evidence.backtest import backtest_folds, fold_table
from mmm_demo.evidence.refit import Refit, Refitter
from mmm_demo.fits.prior import PRIOR_DRAWS, prior_draws, sales_of
from mmm_demo.fits.trace import save_trace
from mmm_demo.settings.experiment import ExperimentConfig
from mmm_demo.settings.limits import EvidenceConfig
from mmm_demo.settings.run_schema import by_channel

Verdict = Literal["passed", "failed", "pruned"]
# Is told the forecast weeks of each fold as it is done; says whether the trial is hopeless.
Hopeless = Callable[[pd.DataFrame], bool]


@dataclass(frozen=True)
class Task:
    """What a worker needs to do one trial; nothing is read from a file or a store.

    Attributes
    ----------
    experiment
        What is fitted.
    table, lift_tests
        Clean weekly table and lift tests.
    sampling
        Folds, and draws of each refit.
    objective
        `crps` or `elpd`.
    longest_lag
        Of the sweep (`Refitter`).
    """

    experiment: ExperimentConfig
    table: pd.DataFrame
    lift_tests: pd.DataFrame | None
    sampling: EvidenceConfig
    objective: Literal["crps", "elpd"]
    longest_lag: int


@dataclass(frozen=True)
class TrialResult:
    """What became of a trial.

    Attributes
    ----------
    verdict
        `passed`: the prior check passed and every refit converged. `pruned`: ended early because
        it forecast worse than the best. `failed`: anything else; nothing of it is interpreted.
    reason
        Why it did not pass.
    value
        The objective; NaN unless passed.
    metrics, tables
        For the run, by name (`scores`).
    trace
        The stored fit of the whole table; empty unless passed.
    """

    verdict: Verdict
    reason: str = ""
    value: float = float("nan")
    metrics: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    trace: bytes = b""


def run_trial(task: Task, hopeless: Hopeless) -> TrialResult:
    """Do one trial, and stop at the first thing that speaks against it.

    Parameters
    ----------
    task
        What to fit.
    hopeless
        Is asked after each fold.
    """
    prior = GateReport((prior_check_of(task.experiment, task.table),))
    if prior.failures:
        return TrialResult("failed", str(prior.failures[0]), metrics=prior.metrics())
    model, lag = task.experiment.model, task.longest_lag
    refitter = Refitter(model, task.table, task.sampling, lag, cores=1)
    forecast = pd.DataFrame()
    if task.objective == "crps":
        ended, forecast = _backtest(task, refitter, hopeless)
        if ended is not None:
            return ended
    refit = refitter.fit(task.table, task.experiment.sampler.seed, task.lift_tests)
    if not refit.converged:
        return _not_converged(refit, "the fit of all weeks")
    return _scored(task, refit, forecast, prior.metrics())


def prior_check_of(experiment: ExperimentConfig, table: pd.DataFrame) -> Check:
    """Hold sales drawn from the priors against what is possible, as each fit does before it."""
    model = experiment.model
    rng = np.random.default_rng(experiment.sampler.seed)
    drawn = prior_draws(model, PRIOR_DRAWS, dict.fromkeys(model.priors, rng))
    sales = sales_of(model, table, drawn, rng)
    return prior_check(sales, table[model.target_column].to_numpy(), experiment.gate)


def _backtest(
    task: Task, refitter: Refitter, hopeless: Hopeless
) -> tuple[TrialResult | None, pd.DataFrame]:
    """Return why the trial ends here, if it does, and the forecast weeks."""
    parts: list[pd.DataFrame] = []
    seed = task.experiment.sampler.seed
    for fold in backtest_folds(refitter, task.table, task.lift_tests, seed):
        if not fold.refit.converged:
            return _not_converged(fold.refit, f"fold {fold.number}"), pd.DataFrame()
        parts.append(fold.forecast)
        if hopeless(fold.forecast) and fold.number < fold.total:
            reason = f"forecasts worse than the best so far after fold {fold.number}"
            rows = fold_table(pd.concat(parts))
            steps = {f"fold_{row.fold}.crps": row.crps for row in rows.itertuples()}
            return TrialResult("pruned", reason, metrics=steps), pd.DataFrame()
    return None, pd.concat(parts, ignore_index=True)


def _not_converged(refit: Refit, what: str) -> TrialResult:
    failure = refit.convergence.failures[0]
    reason = f"{what} did not converge: {failure}"
    return TrialResult("failed", reason, metrics=refit.convergence.metrics())


def _scored(
    task: Task, refit: Refit, forecast: pd.DataFrame, prior: Mapping[str, float]
) -> TrialResult:
    fitted = refit.fitted()
    tables = {
        scores.POINTWISE: scores.pointwise(refit.response),
        scores.ROAS: scores.roas_scores(refit.response),
        scores.PLAN: scores.plan_scores(fitted, task.experiment.budget),
    }
    judged = {**prior, **refit.convergence.metrics()}
    metrics = judged | scores.loo_scores(tables[scores.POINTWISE])
    metrics |= by_channel("roas", tables[scores.ROAS], "median")
    metrics |= by_channel("plan", tables[scores.PLAN], "planned")
    if len(forecast):
        tables[scores.BACKTEST] = forecast
        metrics |= scores.backtest_scores(forecast)
    value = metrics[scores.CRPS if task.objective == "crps" else scores.ELPD]
    if not np.isfinite(value):
        return TrialResult("failed", f"its {task.objective} cannot be measured", metrics=judged)
    with tempfile.TemporaryDirectory(prefix="mmm_demo_") as folder:
        path = Path(folder) / "trace.nc"
        save_trace(fitted.trace, path)
        return TrialResult("passed", "", value, metrics, tables, path.read_bytes())
