"""The steps in order, with a gate between them: the only place where the rooms meet."""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.entities.model_registry import ModelVersion

from mmm_demo import bundle, diagnostics, registry, summary, tables
from mmm_demo.config import ExperimentConfig, flat_params, from_dict, to_yaml, with_budget
from mmm_demo.data import MarketingData, known_truth, load_market
from mmm_demo.figures import convergence_figures, plan_figures, prior_figures, result_figures
from mmm_demo.gate import GateReport, PassedGate
from mmm_demo.model import (
    Decomposition,
    FittedModel,
    Sampling,
    free_parameters,
    load_trace,
    sample_posterior,
    sample_prior,
    save_trace,
    table_sha256,
)
from mmm_demo.optimization import Plan, optimize_budget
from mmm_demo.outputs import Outputs
from mmm_demo.publish import Publisher
from mmm_demo.tracking import Run, find_run, open_run, temporary_folder

RETRY_TARGET_ACCEPT = 0.99
Say = Callable[[str], None]


@dataclass(frozen=True)
class FitResult:
    """A fit that passed and was registered."""

    run: Run
    report: GateReport
    version: ModelVersion
    roas: pd.DataFrame
    truth: pd.DataFrame | None


@dataclass(frozen=True)
class PlanResult:
    """A plan, its run and the champion it rests on."""

    run: Run
    plan: Plan
    version: ModelVersion
    file: Path


@dataclass(frozen=True)
class MainResult:
    """Everything the main job made."""

    fit: FitResult
    promotion: registry.Promotion
    plan: PlanResult


def run_main(experiment: ExperimentConfig, root: Path, say: Say) -> MainResult:
    """Fit, gate, register, promote, load back through the registry, plan."""
    with open_run(experiment.name, "fit") as run:
        fit = _fit(run, experiment, root, say)
        number = int(fit.version.version)
        promotion = run_promote(experiment.market, number, "main job", False, say, run)
        plan = run_optimize(experiment.market, {}, root, say, run)
        page = summary.plan_page(plan.plan, plan.version.name, plan.version.version)
        run.log_text(page, "summary.md")
    return MainResult(fit, promotion, plan)


def run_fit(experiment: ExperimentConfig, root: Path, say: Say) -> FitResult:
    """Fit one experiment and register it when it passes.

    Raises
    ------
    GateRefused
        When a gate refuses; everything that was measured is logged.
    """
    with open_run(experiment.name, "fit") as run:
        return _fit(run, experiment, root, say)


@dataclass(frozen=True)
class _Job:
    """What every step of one fit needs."""

    run: Run
    experiment: ExperimentConfig
    data: MarketingData
    publisher: Publisher
    folder: Path
    say: Say


def _fit(run: Run, experiment: ExperimentConfig, root: Path, say: Say) -> FitResult:
    started = time.monotonic()
    tags = {"market": experiment.market, "experiment": experiment.name}
    tags |= {"experiment.fingerprint": experiment.fingerprint}
    run.log(params=flat_params(experiment), tags=tags)
    run.log_text(to_yaml(experiment), "experiment.yaml")
    data = _load(run, experiment, root, say)
    publisher = Publisher(run, Outputs(root / "outputs", run.run_id))
    with temporary_folder() as folder:
        job = _Job(run, experiment, data, publisher, folder, say)
        bundle.write_config(folder, experiment)
        report = _check_prior(job)
        report = _sample(job, report)
        fitted = FittedModel(experiment.model, load_trace(folder / bundle.TRACE))
        parts = fitted.decompose()
        report = report.with_checks([diagnostics.decomposition_check(parts)])
        passed = _close_gate(job, report)
        roas, truth = _publish_results(publisher, experiment, fitted, parts)
        run.describe(summary.fit_page(experiment, data.span, report, roas))
        version = registry.register_version(
            run,
            folder,
            experiment,
            passed,
            description="\n\n".join(summary.headline(experiment, report, roas)),
            tags=summary.version_tags(experiment, report, roas),
            project=root,
        )
    say(f"registered {version.name} version {version.version}")
    run.log(
        tags={"model.name": version.name, "model.version": version.version},
        metrics={"seconds.fit": time.monotonic() - started},
    )
    return FitResult(run, report, version, roas, truth)


def _load(run: Run, experiment: ExperimentConfig, root: Path, say: Say) -> MarketingData:
    data = load_market(experiment.data, experiment.model, root)
    say(f"data: {data.source}, {data.span}")
    for warning in data.warnings:
        say(f"warning: {warning}")
    digest = table_sha256(data.table)
    run.log_dataset(data.table, experiment.market, digest, experiment.model.target_column)
    run.log_text(data.table.to_csv(index=False), "data/weekly_table.csv")
    run.log(
        params={"data.sha256": digest, "data.span": data.span},
        tags={"data.warnings": "; ".join(data.warnings) or "none"},
    )
    return data


def _check_prior(job: _Job) -> GateReport:
    """Gate before any sampling: the priors must allow mainly sales that are possible."""
    model, limits, table = job.experiment.model, job.experiment.gate, job.data.table
    observed = table[model.target_column].to_numpy()
    draws = sample_prior(model, table, job.experiment.sampler.seed)
    check = diagnostics.prior_check(draws, observed, limits)
    job.say(str(check))
    report = GateReport((check,))
    ceiling = limits.prior_extreme_multiple * observed.max()
    weeks = table[model.date_column].to_numpy()
    job.publisher.figures(prior_figures(weeks, observed, draws, ceiling))
    job.run.log(metrics=report.metrics())
    if report.failures:
        _refuse(job, report)
    return report


def _sample(job: _Job, report: GateReport) -> GateReport:
    """Sample, at most twice; convergence gate over the trace as it is stored.

    Nothing is read from a trace that did not converge but the plots that show why.
    """
    first = job.experiment.sampler.target_accept
    for attempt, target in enumerate(dict.fromkeys([first, max(first, RETRY_TARGET_ACCEPT)]), 1):
        stored = job.folder / f"attempt_{attempt}.nc"
        checks = _attempt(job, attempt, target, stored)
        if not checks.failures:
            break
        job.say(f"attempt {attempt} did not converge")
    stored.rename(job.folder / bundle.TRACE)
    report = report.with_checks(checks.checks)
    trace = load_trace(job.folder / bundle.TRACE)
    job.publisher.trace(job.folder / bundle.TRACE, job.experiment.name)
    job.run.log_file(job.folder / bundle.TRACE)
    job.publisher.figures(convergence_figures(trace))
    if report.failures:
        _refuse(job, report)
    return report


def _attempt(job: _Job, attempt: int, target_accept: float, stored: Path) -> GateReport:
    experiment = job.experiment
    sampler = experiment.sampler
    job.say(f"sampling, attempt {attempt}: {sampler.chains} chains, target_accept {target_accept}")
    sampling = sample_posterior(
        experiment.model, job.data.table, sampler, target_accept=target_accept
    )
    save_trace(sampling.trace, stored)
    parameters = free_parameters(experiment.model)
    checks = GateReport(
        diagnostics.convergence_checks(
            load_trace(stored), parameters, experiment.gate, sampler.chains
        )
    )
    _log_attempt(job.run, attempt, target_accept, sampling, checks)
    for check in checks.checks:
        job.say(str(check))
    return checks


def _log_attempt(
    run: Run, attempt: int, target_accept: float, sampling: Sampling, checks: GateReport
) -> None:
    # The attempt is the metrics' step: MLflow shows the last, which the gate judges, and keeps all.
    run.log(
        params={f"sampler.attempt_{attempt}.target_accept": target_accept},
        metrics=checks.metrics() | {"seconds.sampling": sampling.seconds},
        tags={"compile_cache": sampling.compile_cache, "attempts": attempt},
        step=attempt,
    )
    run.log_text(json.dumps(checks.to_dict(), indent=2), f"attempts/gate_attempt_{attempt}.json")


def _refuse(job: _Job, report: GateReport) -> None:
    job.run.describe(summary.fit_page(job.experiment, job.data.span, report, None))
    _close_gate(job, report)


def _close_gate(job: _Job, report: GateReport) -> PassedGate:
    """Write the verdict, which never changes afterwards, and go on only with a pass."""
    verdict = "passed" if report.passed else "failed"
    gate = bundle.write_gate(job.folder, report, job.run.run_id, table_sha256(job.data.table))
    for path in (gate, job.folder / bundle.CONFIG):
        job.run.log_file(path)
    metrics = report.stage("decomposition").metrics() | {"gate.passed": float(report.passed)}
    job.run.log(metrics=metrics, tags={"gate": verdict})
    job.say(f"gate {verdict}")
    return report.require()


def _publish_results(
    publisher: Publisher, experiment: ExperimentConfig, fitted: FittedModel, parts: Decomposition
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Publish tables, plots and metrics of a fit that passed; return ROAS and truth tables."""
    roas = tables.describe(fitted.roas())
    shares = tables.share_table(fitted, parts)
    metrics = _by_channel("roas", roas, "median") | _by_channel("share", shares, "mean")
    metrics |= _by_channel("roas_lower_94", roas, "lower_94")
    metrics |= _by_channel("roas_upper_94", roas, "upper_94")
    predictive = diagnostics.predictive_metrics(fitted.observed, fitted.predictive())
    metrics |= {f"predictive.{name}": value for name, value in predictive.items()}
    metrics["decomposition.negative_baseline"] = diagnostics.negative_baseline_share(parts)
    name, known = experiment.name, known_truth(experiment.data)
    publisher.table(roas, f"roas_{name}")
    publisher.table(shares, f"channel_shares_{name}")
    publisher.table(tables.contribution_table(fitted, parts), f"contributions_{name}")
    publisher.table(tables.adstock_table(fitted), f"adstock_{name}")
    publisher.table(tables.saturation_table(fitted), f"saturation_{name}")
    truth = None
    if known is not None:
        truth = tables.truth_table(fitted, parts, known)
        publisher.table(truth, f"truth_{name}")
        metrics |= _truth_metrics(truth)
    publisher.figures(result_figures(fitted, parts, known))
    publisher.run.log(metrics=metrics)
    return roas, truth


def _by_channel(prefix: str, table: pd.DataFrame, column: str) -> dict[str, float]:
    """Return one metric per channel, e.g. `roas.TV`."""
    names = (metric_name(f"{prefix}.{channel}") for channel in table["channel"])
    return dict(zip(names, table[column], strict=True))


def metric_name(text: str) -> str:
    """Return text with the characters replaced that a metric's name may not have."""
    return re.sub(r"[^\w.\- /]", "_", text)


def _truth_metrics(truth: pd.DataFrame) -> dict[str, float]:
    roas = truth[truth["quantity"] == "ROAS"]
    error = (roas["median"] / roas["truth"] - 1).abs()
    return _by_channel("truth.roas", roas, "truth") | {
        "truth.inside_94": float(truth["inside"].mean()),
        "truth.roas_error": float(error.mean()),
    }


def run_promote(
    market: str,
    number: int | None,
    reason: str,
    rollback: bool,
    say: Say,
    parent: Run | None = None,
) -> registry.Promotion:
    """Promote a version, or roll back, as a run of its own."""
    with open_run(f"promote {market}", "promotion", parent) as run:
        done = registry.promote(run, market, number, reason, rollback)
    was = "no champion before" if done.former is None else f"before: version {done.former}"
    say(f"champion of {done.name} is version {done.version} ({was})")
    return done


def run_optimize(
    market: str,
    overrides: Mapping[str, Any],
    root: Path,
    say: Say,
    parent: Run | None = None,
) -> PlanResult:
    """Plan a budget with the market's champion and nothing else.

    Parameters
    ----------
    market
        Whose champion plans.
    overrides
        Values that replace those of the champion's `BudgetConfig`.
    root, say, parent
        Project folder, progress messages, run that this one belongs to.

    Raises
    ------
    BudgetError, ConfigError
        When the budget cannot be planned.
    GateRefused
        When the champion does not prove its pass.
    """
    with open_run(f"plan {market}", "plan", parent) as run:
        champion = registry.load_champion(market)
        experiment, version = champion.bundle.experiment, champion.version
        say(f"plan with champion {version.name} version {version.version}, proven")
        budget = with_budget(experiment, overrides).budget
        run.log(
            params={
                "plan.model": version.name,
                "plan.model_version": version.version,
                "plan.fit_run": version.run_id,
                "plan.weeks": budget.weeks,
            },
            tags={"market": market, "model.version": version.version},
        )
        run.log_model_input(version.source.removeprefix("models:/"))
        plan = optimize_budget(champion.bundle.fitted, budget)
        file = _publish_plan(run, plan, experiment.name, root)
        run.describe(summary.plan_page(plan, version.name, version.version))
    return PlanResult(run, plan, version, file)


def _publish_plan(run: Run, plan: Plan, description: str, root: Path) -> Path:
    publisher = Publisher(run, Outputs(root / "outputs", run.run_id))
    file = publisher.scenario(plan.table, description)
    publisher.figures(plan_figures(plan))
    metrics = {f"plan.uplift_{name}": value for name, value in plan.uplift.items()}
    metrics |= _by_channel("plan.planned", plan.table, "planned")
    metrics |= _by_channel("plan.current", plan.table, "current")
    metrics["plan.total_budget"] = plan.total_budget
    metrics["plan.response"] = float(plan.response.mean())
    run.log(metrics=metrics)
    return file


def run_report(run_id: str, root: Path, say: Say) -> Run:
    """Build plots and tables of a fit run again, as a run of its own; nothing is overwritten.

    Raises
    ------
    GateRefused
        When the fit did not pass: its results must not be interpreted.
    """
    source = find_run(run_id)
    with open_run(f"report {source.run_id[:8]}", "report") as run, temporary_folder() as folder:
        run.log(params={"report.fit_run": source.run_id})
        for name in bundle.FILES:
            source.download(name, folder)
        experiment = from_dict(json.loads((folder / bundle.CONFIG).read_text()), bundle.CONFIG)
        hashes = {name: bundle.sha256(folder / name) for name in bundle.FILES}
        proven = bundle.prove_bundle(
            folder,
            recorded=hashes,
            run_id=source.run_id,
            registered_model=experiment.registered_model,
        )
        publisher = Publisher(run, Outputs(root / "outputs", run.run_id))
        publisher.figures(convergence_figures(proven.fitted.trace))
        _publish_results(publisher, experiment, proven.fitted, proven.fitted.decompose())
    say(f"plots and tables of run {source.run_id} are in run {run.run_id}")
    return run
