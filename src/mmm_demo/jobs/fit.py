"""The steps of one fit, each with its gate: load, check the prior, sample, judge, publish."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import xarray as xr

from mmm_demo.checks import convergence, proof
from mmm_demo.checks.contraction import contraction_key, contraction_table, not_identified
from mmm_demo.checks.gate import GateReport, PassedGate
from mmm_demo.checks.judge import Judged
from mmm_demo.checks.next_steps import Attempt, advised, ground_of
from mmm_demo.evidence import scores
from mmm_demo.fits import tables
from mmm_demo.fits.build import Sampling, sample_posterior
from mmm_demo.fits.fitted import Decomposition, FittedModel
from mmm_demo.fits.lift_report import compare_with_model
from mmm_demo.fits.prior import sample_prior
from mmm_demo.fits.trace import load_trace, sales_sha256, save_trace, table_sha256
from mmm_demo.reports import summary
from mmm_demo.reports.figures import (
    convergence_figures,
    lift_figures,
    prior_figures,
    result_figures,
)
from mmm_demo.settings.batteries import FIT_BATTERIES
from mmm_demo.settings.experiment import ExperimentConfig, free_parameters
from mmm_demo.settings.names import key
from mmm_demo.settings.run_keys import LABEL_TAG, SALES_PARAM, WARNINGS_TAG, Say, by_channel
from mmm_demo.sources.market import MarketingData, known_truth, load_market
from mmm_demo.store import registry
from mmm_demo.store.publish import Publisher
from mmm_demo.store.runs import Run
from mmm_demo.tables.continuity import ContinuityError, Weekly, compare
from mmm_demo.tables.lift import lift_sha256

RETRY_TARGET_ACCEPT = 0.99
LONGEST_TAG = 4000  # letters; stores cut or refuse tags that are longer than some 5000


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


def load_data(
    run: Run,
    experiment: ExperimentConfig,
    root: Path,
    say: Say,
    data: MarketingData | None = None,
) -> MarketingData:
    """Load the weekly table, hold it against contract and champion, log it as the run's input.

    Parameters
    ----------
    run, experiment, root, say
        The fit or exploration.
    data
        The table, where it is loaded already.

    Raises
    ------
    DataError
        When the table breaks the contract, or is another than the champion's (`hold_to_champion`).
    """
    data = data or load_market(experiment.data, experiment.model, root)
    say(f"data: {data.source}, {data.span}")
    for warning in data.warnings:
        say(f"warning: {warning}")
    for entry in experiment.data.accept:
        say(f"accepted: {entry}")
    known = hold_to_champion(experiment, data, say)
    digest = table_sha256(data.table)
    run.log_dataset(data.table, experiment.market, digest, experiment.model.target_column)
    run.log_text(data.table.to_csv(index=False), "data/weekly_table.csv")
    if data.report is not None:
        run.log_text(data.report.to_csv(index=False), "data/report.csv")
        run.log_text(data.report.to_json(orient="records", indent=2), "data/report.json")
    if data.lift_tests is not None:
        run.log_text(data.lift_tests.to_csv(index=False), "data/lift_tests.csv")
        run.log(params={"data.lift_tests.sha256": lift_sha256(data.lift_tests)})
    told = {"data.sha256": digest, "data.span": data.span, "data.made_from": data.source}
    told[SALES_PARAM] = sales_sha256(data.table, experiment.model)
    run.log(
        params=told,
        tags={
            WARNINGS_TAG: "; ".join(data.warnings) or "none",
            "data.against_champion": "; ".join(known) or "none",
        }
        | label_tag(data),
    )
    return data


def hold_to_champion(
    experiment: ExperimentConfig, data: MarketingData, say: Say
) -> tuple[str, ...]:
    """Hold a table against the weeks that the market's champion was fitted on (`continuity`).

    Returns
    -------
    tuple of str
        What it changes without being another table; empty without a champion.

    Raises
    ------
    ContinuityError
        When a column is in another unit than the champion's, or has holes.
    """
    try:
        champion = registry.load_champion(experiment.market)
    except registry.NoVersionError:
        return ()
    except proof.BundleRefused as refusal:
        # Its weeks are worth no more than its draws; who repairs the market needs a new fit.
        told: tuple[str, ...] = (f"the table could not be held against the champion: {refusal}",)
    else:
        of = champion.bundle
        found = compare(
            Weekly.of(data.table, experiment.model, experiment.data),
            Weekly.of(of.fitted.table, of.experiment.model, of.experiment.data),
        )
        if found.refused:
            lines = "\n".join(f"- {line}" for line in found.refused)
            raise ContinuityError(
                f"{data.source} does not go on from the table of champion version "
                f"{champion.version.version} of market {experiment.market!r}\n{lines}"
            )
        told = found.told
    for line in told:
        say(f"against the champion: {line}")
    return told


def label_tag(data: MarketingData) -> dict[str, str]:
    """Return the tag that says what results must be called, where the source does not."""
    return {LABEL_TAG: data.label} if data.label else {}


def data_tags(data: MarketingData) -> dict[str, str]:
    """Return what a version says of its data: label and warnings, a line each."""
    lines = list(data.warnings)
    while sum(map(len, lines)) > LONGEST_TAG:
        lines = [*lines[:-2], "and more, see the fit run"]
    return label_tag(data) | ({WARNINGS_TAG: "\n".join(lines)} if lines else {})


def check_prior(job: Job) -> GateReport:
    """Gate before any sampling: the priors must allow mainly sales that are possible."""
    model, limits, table = job.experiment.model, job.experiment.gate, job.data.table
    observed = table[model.target_column].to_numpy()
    draws = sample_prior(model, table, job.experiment.sampler.seed)
    check = convergence.prior_check(draws, observed, limits)
    job.say(str(check))
    report = GateReport((check,), tuple(name for name in limits.require if name in FIT_BATTERIES))
    ceiling = limits.prior_extreme_multiple * observed.max()
    weeks = table[model.date_column].to_numpy()
    job.publisher.figures(prior_figures(weeks, observed, draws, ceiling))
    job.run.log(metrics=report.metrics())
    if report.failures:
        _refuse(job, report)
    return report


def sample(job: Job, report: GateReport) -> tuple[GateReport, xr.DataTree]:
    """Sample, at most twice; convergence gate over the trace as it is stored.

    Nothing is read from a trace that did not converge but the plots that show why.

    Returns
    -------
    report
        With the checks of convergence.
    trace
        As it was read back from the file that is kept.
    """
    experiment, tried = job.experiment, list[Attempt]()
    first = experiment.sampler.target_accept
    for attempt, target in enumerate(dict.fromkeys([first, max(first, RETRY_TARGET_ACCEPT)]), 1):
        stored = job.folder / f"attempt_{attempt}.nc"
        checks, trace = _attempt(job, attempt, target, stored)
        tried.append(Attempt(target, checks))
        if not checks.failures:
            break
        job.say(f"attempt {attempt} did not converge")
    stored.rename(job.folder / proof.TRACE)
    if checks.failures:
        posterior = trace["posterior"].to_dataset()
        ground = ground_of(experiment.model, experiment.sampler, job.data.table, posterior)
        checks = advised(checks, tried, ground)
    report = report.with_checks(checks.checks)
    job.publisher.trace(job.folder / proof.TRACE, job.experiment.name)
    job.run.log_file(job.folder / proof.TRACE)
    job.publisher.figures(convergence_figures(trace))
    if report.failures:
        _refuse(job, report)
    return report, trace


def _attempt(
    job: Job, attempt: int, target_accept: float, stored: Path
) -> tuple[GateReport, xr.DataTree]:
    experiment = job.experiment
    sampler = experiment.sampler
    job.say(f"sampling, attempt {attempt}: {sampler.chains} chains, target_accept {target_accept}")
    sampling = sample_posterior(
        experiment.model,
        job.data.table,
        sampler,
        target_accept=target_accept,
        lift_tests=job.data.lift_tests,
    )
    save_trace(sampling.trace, stored)
    trace, parameters = load_trace(stored), free_parameters(experiment.model)
    checks = GateReport(
        convergence.convergence_checks(trace, parameters, experiment.gate, sampler.chains)
    )
    _log_attempt(job.run, attempt, target_accept, sampling, checks)
    for check in checks.checks:
        job.say(str(check))
    return checks, trace


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


def _refuse(job: Job, report: GateReport) -> None:
    job.run.describe(summary.fit_page(job.experiment, job.data, report))
    close_gate(job, report)


def close_gate(job: Job, report: GateReport) -> PassedGate:
    """Write the verdict, which never changes afterwards, and go on only with a pass."""
    verdict = "passed" if report.passed else "failed"
    gate = proof.write_gate(job.folder, report, job.run.run_id, table_sha256(job.data.table))
    for path in (gate, job.folder / proof.CONFIG):
        job.run.log_file(path)
    metrics = report.metrics() | {"gate.passed": float(report.passed)}
    metrics["gate.flags"] = float(len(report.flags))
    tags = {"gate": verdict, "flags": ", ".join(check.name for check in report.flags) or "none"}
    job.run.log(metrics=metrics, tags=tags)
    job.say(f"gate {verdict}")
    return report.require()


def tell_flags(say: Say, report: GateReport) -> None:
    """Tell which advisory checks did not pass."""
    for check in report.flags:
        say(f"flag: {check}; {check.advice}")


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
    publisher.figures(result_figures(fitted, parts, made))
    publisher.run.log(metrics=metrics)
    return Results(roas, truth, not_identified(told))


def publish_lift_tests(publisher: Publisher, name: str, fitted: FittedModel, say: Say) -> None:
    """Publish each lift test that calibrated the fit against what the model says now."""
    if fitted.lift_tests is None:
        return
    told = compare_with_model(fitted.lift_tests, fitted.response)
    publisher.table(told, f"lift_tests_{name}")
    publisher.figures(lift_figures(told))
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
