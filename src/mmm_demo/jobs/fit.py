"""One fit, each step with its gate: load, check the prior, sample, judge, publish, register."""

import json
import time
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import xarray as xr

from mmm_demo.checks import convergence, proof
from mmm_demo.checks.contraction import contraction_key, contraction_table, not_identified
from mmm_demo.checks.gate import GateRefused, GateReport, PassedGate
from mmm_demo.checks.judge import Judged, judge
from mmm_demo.checks.next_steps import Tried, advised, ground_of
from mmm_demo.evidence import scores
from mmm_demo.evidence.contest import same_model
from mmm_demo.fits import tables
from mmm_demo.fits.environment import environment_params
from mmm_demo.fits.fitted import Decomposition, FittedModel
from mmm_demo.fits.ladder import Attempt, attempt_params, ladder
from mmm_demo.fits.lift_report import compare_with_model
from mmm_demo.fits.prior import sample_prior
from mmm_demo.fits.response import scaling_of
from mmm_demo.fits.sampler import sample_posterior
from mmm_demo.fits.trace import load_trace, save_trace, table_sha256
from mmm_demo.jobs.table import data_tags, load_data
from mmm_demo.reports import summary
from mmm_demo.reports.check_names import check_name
from mmm_demo.reports.figures import (
    Found,
    convergence_figures,
    lift_figures,
    prior_figures,
    result_figures,
)
from mmm_demo.settings.batteries import FIT_BATTERIES
from mmm_demo.settings.experiment import ExperimentConfig, free_parameters
from mmm_demo.settings.experiment_file import flat_params, to_yaml
from mmm_demo.settings.names import as_markdown, key
from mmm_demo.settings.run_schema import SAMPLING_TAG, Bar, Say, by_channel
from mmm_demo.settings.wording import drew
from mmm_demo.sources.market import MarketingData, known_truth, with_events
from mmm_demo.store import registry
from mmm_demo.store.publish import Publisher
from mmm_demo.store.runs import Run, open_run, store_errors, temporary_folder


@dataclass(frozen=True)
class Results:
    """What a fit that passed says.

    Attributes
    ----------
    roas
        ROAS by channel (`tables.describe`).
    truth
        Estimates against truth (`tables.truth_table`); None where the truth is not known.
    not_identified
        Parameters that the data told nothing about.
    """

    roas: pd.DataFrame
    truth: pd.DataFrame | None
    not_identified: list[str]


@dataclass(frozen=True)
class Job:
    """What every step of one fit needs."""

    run: Run
    experiment: ExperimentConfig
    data: MarketingData
    publisher: Publisher
    folder: Path
    say: Say
    bar: Bar


@dataclass(frozen=True)
class FitResult:
    """A fit that passed and was registered.

    Attributes
    ----------
    run
        Fit run.
    report
        Its verdict.
    version
        What it was registered as.
    label
        What results must be called, where the source does not say it.
    results
        What it says.
    fitted
        The model.
    page
        Markdown of its run's page, which a notebook shows.
    """

    run: Run
    report: GateReport
    version: registry.ModelVersion
    label: str
    results: Results
    fitted: FittedModel
    page: str

    @property
    def roas(self) -> pd.DataFrame:
        """ROAS by channel, with what each rests on."""
        return self.results.roas

    @property
    def checks(self) -> pd.DataFrame:
        """Every check of the gate."""
        return pd.DataFrame(summary.gate_rows(self.report), columns=[*summary.GATE_HEADER])

    def _repr_markdown_(self) -> str:
        return self.page


@store_errors()
def run_fit(
    experiment: ExperimentConfig,
    root: Path,
    say: Say,
    data: MarketingData | None = None,
    beside: Executor | None = None,
    bar: Bar = nullcontext,
) -> FitResult:
    """Fit one experiment and register it when it passes; see `run_main`.

    Raises
    ------
    GateRefused
        When a gate refuses; everything that was measured is logged.
    """
    with (
        open_run(experiment.name, "fit") as run,
        Publisher(run, root, beside=beside) as publisher,
    ):
        return fit_in(publisher, experiment, say, data, bar)


def fit_in(
    publisher: Publisher,
    experiment: ExperimentConfig,
    say: Say,
    data: MarketingData | None = None,
    bar: Bar = nullcontext,
) -> FitResult:
    """Fit in the open run of a publisher, which has to `finish` figures; see `run_fit`."""
    started = time.monotonic()
    run, root = publisher.run, publisher.root
    requirements = registry.pinned_requirements(root)  # read now: missing, it would cost a fit
    tags = {"market": experiment.market, "experiment": experiment.name}
    tags |= {"experiment.fingerprint": experiment.fingerprint}
    run.log(params=flat_params(experiment) | environment_params(), tags=tags)
    run.log_text(to_yaml(experiment), "experiment.yaml")
    data = load_data(run, experiment, root, say, data)
    with temporary_folder() as folder:
        experiment = with_events(experiment, data)
        experiment = with_scaling(experiment, data.table, say)
        job = Job(run, experiment, data, publisher, folder, say, bar)
        proof.write_config(folder, experiment)
        report = check_prior(job)
        report, trace, sampled = sample(job, report)
        fitted = FittedModel(experiment.model, trace)
        parts = fitted.decompose()
        say("checking what the fit says")
        judged = judge(fitted, parts, experiment.gate, experiment.data.accept)
        report = report.with_checks(judged.checks)
        passed = close_gate(job, report)
        say("tables and plots")
        results = publish_results(publisher, experiment, fitted, parts)
        labels = judged.identification[["channel", "label"]]
        results = replace(results, roas=results.roas.merge(labels, on="channel"))
        publish_identification(publisher, experiment.name, judged)
        log_scores(run, experiment, fitted, judged.pointwise)
        publish_lift_tests(publisher, experiment.name, fitted, say)
        page = summary.fit_page(experiment, data, report, results.roas, results.not_identified)
        run.describe(page)
        told = summary.headline(experiment, report, results.roas)
        version = registry.register_version(
            run,
            folder,
            experiment,
            passed,
            description=as_markdown("\n\n".join(told)),
            tags=summary.version_tags(experiment, report, results.roas)
            | data_tags(data)
            | {SAMPLING_TAG: sampled},
            requirements=requirements,
        )
    say(f"registered {version.name} version {version.version}")
    run.log(
        tags={"model.name": version.name, "model.version": version.version},
        metrics={"seconds.fit": time.monotonic() - started},
    )
    return FitResult(run, report, version, data.label, results, fitted, page)


def with_scaling(experiment: ExperimentConfig, table: pd.DataFrame, say: Say) -> ExperimentConfig:
    """Decide what sales and spend are divided by, which decides what the priors mean.

    A refresh of the champion's model takes the champion's scaling: a new record week must not
    move its priors. Every other fit takes the largest sale and spend of its own table.
    """
    model = experiment.model
    if model.scaling:
        return experiment
    scaling = scaling_of(model, table)
    champion = registry.champion_model(experiment.market)
    if champion and champion.scaling and same_model(model, champion):
        if champion.scaling != scaling:
            say("scaling: the champion's, so that the priors mean the same")
        scaling = champion.scaling
    return replace(experiment, model=replace(model, scaling=scaling))


def check_prior(job: Job) -> GateReport:
    """Gate before any sampling: the priors must allow mainly sales that are possible."""
    model, limits, table = job.experiment.model, job.experiment.gate, job.data.table
    observed = table[model.target_column].to_numpy()
    job.say("prior check: do the priors allow mainly sales that are possible?")
    draws = sample_prior(model, table, job.experiment.sampler.seed)
    check = convergence.prior_check(draws, observed, limits)
    report = GateReport((check,), tuple(name for name in limits.require if name in FIT_BATTERIES))
    ceiling = limits.prior_extreme_multiple * observed.max()
    weeks = table[model.date_column].to_numpy()
    job.publisher.draw(prior_figures, weeks, observed, draws, ceiling)
    job.run.log(metrics=report.metrics())
    if report.failures:
        _refuse(job, report)
    return report


def sample(job: Job, report: GateReport) -> tuple[GateReport, xr.DataTree, str]:
    """Sample, in one way after the other; convergence gate over the trace as it is stored.

    Nothing is read from a trace that did not converge but the plots that show why.

    Returns
    -------
    report
        With the checks of convergence.
    trace
        As it was read back from the file that is kept.
    sampled
        Which attempt was kept, in words.
    """
    experiment, tried = job.experiment, list[Tried]()
    attempts = ladder(experiment.sampler.target_accept)
    for number, attempt in enumerate(attempts, 1):
        stored = job.folder / f"attempt_{number}.nc"
        checks, trace = _attempt(job, number, attempt, stored)
        tried.append(Tried(attempt, checks))
        if not checks.failures:
            job.say("converged")
            break
        failed = ", ".join(check_name(check.name) for check in checks.failures)
        job.say(f"attempt {number} did not converge: {failed}")
    sampled = f"attempt {number} of {len(attempts)}: {attempt}"
    job.run.log(tags={SAMPLING_TAG: sampled})
    stored.rename(job.folder / proof.TRACE)
    if checks.failures:
        posterior = trace["posterior"].to_dataset()
        ground = ground_of(experiment.model, experiment.sampler, job.data.table, posterior)
        checks = advised(checks, tried, ground)
    report = report.with_checks(checks.checks)
    job.publisher.trace(job.folder / proof.TRACE, job.experiment.name)
    job.run.log_file(job.folder / proof.TRACE)
    job.publisher.draw(convergence_figures, trace)
    if report.failures:
        _refuse(job, report)
    return report, trace, sampled


def _attempt(
    job: Job, number: int, attempt: Attempt, stored: Path
) -> tuple[GateReport, xr.DataTree]:
    experiment = job.experiment
    sampler = experiment.sampler
    job.say(f"sampling, attempt {number}: {sampler.chains} chains, {attempt}")
    started = time.monotonic()
    with job.bar() as watch:
        sampling = sample_posterior(
            experiment.model,
            job.data.table,
            sampler,
            attempt,
            lift_tests=job.data.lift_tests,
            watch=watch,
        )
    whole = time.monotonic() - started
    job.say(drew(sampler.chains, sampler.draws, sampling.seconds, whole))
    save_trace(sampling.trace, stored)
    trace, parameters = load_trace(stored), free_parameters(experiment.model)
    checks = GateReport(
        convergence.convergence_checks(trace, parameters, experiment.gate, sampler.chains)
    )
    # The attempt is the metrics' step: MLflow shows the last, which the gate judges, and keeps all.
    job.run.log(
        params=attempt_params(number, attempt),
        metrics=checks.metrics() | {"seconds.sampling": sampling.seconds},
        tags={"compile_cache": sampling.compile_cache, "attempts": number},
        step=number,
    )
    text = json.dumps(checks.to_dict(), indent=2)
    job.run.log_text(text, f"attempts/gate_attempt_{number}.json")
    return checks, trace


def _refuse(job: Job, report: GateReport) -> None:
    job.run.describe(summary.fit_page(job.experiment, job.data, report))
    close_gate(job, report)


def close_gate(job: Job, report: GateReport) -> PassedGate:
    """Write the verdict, which never changes afterwards, and go on only with a pass."""
    verdict = "passed" if report.passed else "failed"
    data = table_sha256(job.data.table, job.data.calendar)
    gate = proof.write_gate(job.folder, report, job.run.run_id, data)
    for path in (gate, job.folder / proof.CONFIG):
        job.run.log_file(path)
    metrics = report.metrics() | {"gate.passed": float(report.passed)}
    metrics["gate.flags"] = float(len(report.flags))
    flags = ", ".join(check.name for check in report.flags)
    job.run.log(metrics=metrics, tags={"gate": verdict, "flags": flags or "none"})
    job.say(f"gate {verdict}" + (f", flagged: {flags}" if flags else ""))
    try:
        return report.require()
    except GateRefused as refusal:
        refusal.add_note(
            f"No result of it may be used. Plots and all numbers: uv run mmm-demo ui   "
            f"(run {job.run.run_id})"
        )
        raise


def publish_results(
    publisher: Publisher, experiment: ExperimentConfig, fitted: FittedModel, parts: Decomposition
) -> Results:
    """Publish tables, plots and metrics of a fit that passed."""
    made = tables.result_tables(fitted, parts, known_truth(experiment.data))
    roas, shares, truth = made["roas"], made["channel_shares"], made.get("truth")
    metrics = by_channel("roas", roas, "median") | by_channel("share", shares, "mean")
    metrics |= by_channel("roas_lower_94", roas, "lower_94")
    metrics |= by_channel("roas_upper_94", roas, "upper_94")
    told = contraction_table(fitted.trace["posterior"].to_dataset(), fitted.config)
    metrics |= {contraction_key(row): row["contraction"] for _, row in told.iterrows()}
    predictive = convergence.predictive_metrics(fitted.observed, fitted.predictive())
    metrics |= {f"predictive.{name}": value for name, value in predictive.items()}
    metrics["decomposition.negative_baseline"] = convergence.negative_baseline_share(parts)
    for name, table in {**made, "contraction": told}.items():
        publisher.table(table, f"{name}_{experiment.name}")
    if truth is not None:
        metrics |= _truth_metrics(truth)
    publisher.draw(result_figures, Found.of(fitted, parts, made))
    publisher.run.log(metrics=metrics)
    return Results(roas, truth, not_identified(told))


def publish_lift_tests(publisher: Publisher, name: str, fitted: FittedModel, say: Say) -> None:
    """Publish each lift test that calibrated the fit against what the model says now."""
    if fitted.lift_tests is None:
        return
    told = compare_with_model(fitted.lift_tests, fitted.response)
    publisher.table(told, f"lift_tests_{name}")
    publisher.draw(lift_figures, told)
    for row in told.itertuples():
        sign = "; its sign is not the expected one" if row.unexpected_sign else ""
        say(
            f"lift test {row.channel} {row.date:%Y-%m-%d}: measured {row.delta_y:,.4g} +- "
            f"{row.sigma:,.4g}, model {row.model_mean:,.4g} ({row.model_lower_94:,.4g} to "
            f"{row.model_upper_94:,.4g}){sign}"
        )
    publisher.run.log(metrics={"lift_tests.inside_94": float(told["inside"].mean())})


def log_scores(
    run: Run, experiment: ExperimentConfig, fitted: FittedModel, by_week: pd.DataFrame
) -> None:
    """Log what a fit that passed is compared with others by; a backtest is evidence, and later.

    Parameters
    ----------
    run, experiment, fitted
        The fit.
    by_week
        Its leave-one-out estimates (`judge.Judged.pointwise`).
    """
    plan = scores.plan_scores(fitted, experiment.budget)
    roas = scores.roas_scores(fitted.response)
    made = {scores.POINTWISE: by_week, scores.ROAS: roas, scores.PLAN: plan}
    for name, table in made.items():
        run.log_text(table.to_csv(index=False), name)
    run.log(metrics=scores.loo_scores(by_week) | by_channel("plan", plan, "planned"))


def publish_identification(publisher: Publisher, name: str, judged: Judged) -> None:
    """Publish what of each ROAS comes from the data, and which channels cannot be told apart."""
    table = judged.identification
    publisher.table(table, f"identification_{name}")
    publisher.table(judged.pairs, f"channel_pairs_{name}")
    metrics = by_channel("identification.overlap", table, "overlap")
    metrics |= by_channel("identification.prior_sensitivity", table, "prior_sensitivity")
    labels = zip(table["channel"], table["label"], strict=True)
    tags = {key(channel, "roas.label."): label for channel, label in labels}
    publisher.run.log(metrics=metrics, tags=tags)


def _truth_metrics(truth: pd.DataFrame) -> dict[str, float]:
    roas = truth[truth["quantity"] == "ROAS"]
    error = (roas["median"] / roas["truth"] - 1).abs()
    return by_channel("truth.roas", roas, "truth") | {
        "truth.inside_94": float(truth["inside"].mean()),
        "truth.roas_error": float(error.mean()),
    }
