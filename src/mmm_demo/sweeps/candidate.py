"""A candidate in place of a fit: sampled, judged by the whole gate, backtested. Pure."""

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from mmm_demo.checks.convergence import convergence_checks
from mmm_demo.checks.gate import GateReport
from mmm_demo.checks.judge import judge
from mmm_demo.evidence import scores
from mmm_demo.evidence.backtest import backtest_folds
from mmm_demo.evidence.refit import Refitter
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.ladder import ladder
from mmm_demo.fits.trace import (
    SAMPLE_STATS,
    WEEKLY_TABLE,
    as_written,
    load_trace,
    save_trace,
    stored_table,
)
from mmm_demo.settings.batteries import FIT_BATTERIES
from mmm_demo.settings.experiment import ExperimentConfig, free_parameters
from mmm_demo.sweeps.trial import prior_check_of

TRACE = "trace.nc"


@dataclass(frozen=True)
class Candidate:
    """What a worker needs to fit one; nothing is read from a file or a store.

    Attributes
    ----------
    experiment
        What is fitted, with its scaling.
    table, lift_tests
        Clean weekly table and lift tests.
    """

    experiment: ExperimentConfig
    table: pd.DataFrame
    lift_tests: pd.DataFrame | None


@dataclass(frozen=True)
class Judged:
    """What became of a candidate.

    Attributes
    ----------
    report
        Every check that was made.
    roas
        `scores.roas_scores` with the label of each channel; empty unless the gate passed.
    forecast
        Rows of `backtest.run_backtest`; empty unless the gate passed.
    seconds
        That all of it took.
    trace
        The stored fit; empty where the sampler was not started.
    fault
        Why it could not be fitted at all; empty where it could.
    """

    report: GateReport
    roas: pd.DataFrame = field(default_factory=pd.DataFrame)
    forecast: pd.DataFrame = field(default_factory=pd.DataFrame)
    seconds: float = float("nan")
    trace: bytes = b""
    fault: str = ""

    @property
    def refused(self) -> str:
        """Why no result of it may be used, in one line; empty when its gate passed."""
        if self.fault:
            return self.fault
        failed = self.report.failed() or ", ".join(self.report.missing)
        return "" if self.report.passed else f"its gate refused it: {failed}"


def fit_candidate(task: Candidate) -> Judged:
    """Fit a candidate as `mmm-demo fit` would, judge it likewise, and backtest it if it passes."""
    started = time.monotonic()
    limits = task.experiment.gate
    required = tuple(name for name in limits.require if name in FIT_BATTERIES)
    report = GateReport((prior_check_of(task.experiment, task.table),), required)
    if report.failures:
        return Judged(report, seconds=time.monotonic() - started)
    with tempfile.TemporaryDirectory(prefix="mmm_demo_") as folder:
        checks, path = _sampled(task, Path(folder))
        report, kept = report.with_checks(checks.checks), path.read_bytes()
        fitted = FittedModel(task.experiment.model, load_trace(path))
    if checks.failures:  # nothing is read from draws that did not converge
        return Judged(report, seconds=time.monotonic() - started, trace=kept)
    judged = judge(fitted, fitted.decompose(), limits, task.experiment.data.accept)
    report = report.with_checks(judged.checks)
    if not report.passed:
        return Judged(report, seconds=time.monotonic() - started, trace=kept)
    labels = judged.identification[["channel", "label"]]
    roas = scores.roas_scores(fitted.response).merge(labels, on="channel")
    forecast = _backtest(task)
    return Judged(report, roas, forecast, time.monotonic() - started, kept)


def _sampled(task: Candidate, folder: Path) -> tuple[GateReport, Path]:
    """Sample in one way after the other; the checks are about the draws as they are stored."""
    from mmm_demo.fits.sampler import draw

    model, sampler = task.experiment.model, task.experiment.sampler
    for number, attempt in enumerate(ladder(sampler.target_accept)):
        drawn = draw(model, task.table, sampler, attempt, lift_tests=task.lift_tests, cores=1)
        stats = drawn.trace["sample_stats"].to_dataset()
        groups = {
            "posterior": as_written(drawn.trace["posterior"].to_dataset(), model),
            "sample_stats": stats[[name for name in SAMPLE_STATS if name in stats]],
            WEEKLY_TABLE: stored_table(task.table),
        }
        path = folder / f"{number}_{TRACE}"
        save_trace(xr.DataTree.from_dict(groups), path)
        checks = GateReport(
            convergence_checks(
                load_trace(path), free_parameters(model), task.experiment.gate, sampler.chains
            )
        )
        if not checks.failures:
            break
    return checks, path


def _backtest(task: Candidate) -> pd.DataFrame:
    """Return the forecast weeks."""
    experiment = task.experiment
    refitter = Refitter(experiment.model, task.table, experiment.evidence, cores=1)
    folds = backtest_folds(refitter, task.table, task.lift_tests, experiment.sampler.seed)
    return pd.concat([fold.forecast for fold in folds], ignore_index=True)


def not_fitted(fault: str) -> Judged:
    """Return what became of a candidate that cannot be fitted."""
    return Judged(GateReport(()), fault=fault, seconds=np.nan)
