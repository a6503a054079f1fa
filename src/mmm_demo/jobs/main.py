"""The steps in order, with a gate between them: the only place where the rooms meet."""

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from mmm_demo.checks import proof
from mmm_demo.checks.gate import GateReport
from mmm_demo.checks.judge import judge
from mmm_demo.evidence.battery import Watch
from mmm_demo.evidence.contest import MAIN_JOB, same_model
from mmm_demo.fits.environment import environment_params
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.response import scaling_of
from mmm_demo.jobs.fit import (
    Job,
    Results,
    check_prior,
    close_gate,
    data_tags,
    load_data,
    log_scores,
    publish_identification,
    publish_lift_tests,
    publish_results,
    sample,
    tell_flags,
)
from mmm_demo.jobs.plan import PlanResult, run_optimize
from mmm_demo.jobs.promotion import ContestLost, run_promote
from mmm_demo.reports import summary
from mmm_demo.reports.explore_page import exploration_page
from mmm_demo.reports.figures import convergence_figures, exploration_named
from mmm_demo.settings.experiment import ExperimentConfig
from mmm_demo.settings.experiment_file import flat_params, from_dict, to_yaml
from mmm_demo.settings.names import as_markdown, bullets
from mmm_demo.settings.run_keys import Say
from mmm_demo.sources.explore import Exploration, explore
from mmm_demo.sources.market import MarketingData
from mmm_demo.store import registry
from mmm_demo.store.outputs import Outputs
from mmm_demo.store.publish import Publisher
from mmm_demo.store.runs import Run, find_run, open_run, store_errors, temporary_folder


@dataclass(frozen=True)
class FitResult:
    """A fit that passed and was registered."""

    run: Run
    report: GateReport
    version: registry.ModelVersion
    label: str
    results: Results


@dataclass(frozen=True)
class MainResult:
    """Everything the main job made; `lost` says why the version did not become champion."""

    fit: FitResult
    lost: str
    plan: PlanResult


@store_errors()
def run_main(
    experiment: ExperimentConfig,
    root: Path,
    say: Say,
    watch: Watch,
    data: MarketingData | None = None,
) -> MainResult:
    """Fit, gate, register, promote, load back through the registry, plan.

    A version that loses the contest becomes challenger, and the champion plans.

    Parameters
    ----------
    experiment, root
        What to fit; the project's folder.
    say, watch
        Are told of each step and of each refit.
    data
        The weekly table, where it is loaded already.

    Raises
    ------
    GateRefused
        When a gate refuses, or the version may not become the market's first champion.
    """
    with open_run(experiment.name, "fit") as run:
        fit = _fit(run, experiment, root, say, data)
        number = int(fit.version.version)
        lost = ""
        try:
            run_promote(experiment.market, number, MAIN_JOB, False, say, watch, run)
        except ContestLost as refusal:
            if refusal.champion is None:
                raise  # nobody can plan
            lost = f"{refusal} The plan uses the champion, version {refusal.champion}."
            say(lost)
        plan = run_optimize(experiment.market, {}, root, say, run)
        told = summary.identification_sentence(fit.results.not_identified)
        run.log_text("\n\n".join(filter(None, (plan.page, lost, told))) + "\n", "summary.md")
    return MainResult(fit, lost, plan)


@store_errors()
def run_fit(
    experiment: ExperimentConfig, root: Path, say: Say, data: MarketingData | None = None
) -> FitResult:
    """Fit one experiment and register it when it passes; see `run_main`.

    Raises
    ------
    GateRefused
        When a gate refuses; everything that was measured is logged.
    """
    with open_run(experiment.name, "fit") as run:
        return _fit(run, experiment, root, say, data)


def _fit(
    run: Run, experiment: ExperimentConfig, root: Path, say: Say, data: MarketingData | None
) -> FitResult:
    started = time.monotonic()
    requirements = registry.pinned_requirements(root)  # read now: missing, it would cost a fit
    tags = {"market": experiment.market, "experiment": experiment.name}
    tags |= {"experiment.fingerprint": experiment.fingerprint}
    run.log(params=flat_params(experiment) | environment_params(), tags=tags)
    run.log_text(to_yaml(experiment), "experiment.yaml")
    data = load_data(run, experiment, root, say, data)
    publisher = Publisher(run, Outputs(root / "outputs", run.run_id))
    with temporary_folder() as folder:
        experiment = with_scaling(experiment, data.table, say)
        job = Job(run, experiment, data, publisher, folder, say)
        proof.write_config(folder, experiment)
        report = check_prior(job)
        report, trace = sample(job, report)
        fitted = FittedModel(experiment.model, trace)
        parts = fitted.decompose()
        judged = judge(fitted, parts, experiment.gate, experiment.data.accept)
        report = report.with_checks(judged.checks)
        tell_flags(say, report)
        passed = close_gate(job, report)
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
            tags=summary.version_tags(experiment, report, results.roas) | data_tags(data),
            requirements=requirements,
        )
    say(f"registered {version.name} version {version.version}")
    run.log(
        tags={"model.name": version.name, "model.version": version.version},
        metrics={"seconds.fit": time.monotonic() - started},
    )
    return FitResult(run, report, version, data.label, results)


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


@store_errors()
def run_explore(
    experiment: ExperimentConfig, root: Path, say: Say, data: MarketingData | None = None
) -> Exploration:
    """Say what an experiment's data can tell, before any model is fitted; see `run_main`."""
    with open_run(f"explore {experiment.market}", "exploration") as run:
        tags = {"market": experiment.market, "experiment": experiment.name}
        run.log(params=flat_params(experiment), tags=tags)
        data = load_data(run, experiment, root, say, data)
        found = explore(data.table, experiment.model, data.source)
        publisher = Publisher(run, Outputs(root / "outputs", run.run_id))
        publisher.figures(exploration_named(found))
        label = data.label or experiment.market
        noticed = [f"Warning: {text}." for text in data.warnings]
        noticed += [f"Unlike the other weeks, and accepted: {e}." for e in experiment.data.accept]
        html = exploration_page(found, label, noticed)
        page = publisher.page(html, f"exploration_{experiment.name}")
        run.log(metrics=found.metrics())
        run.describe("\n".join(bullets((*found.verdict, *noticed))))
    say(f"page: {page}")
    return found


@store_errors()
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
        for name in proof.FILES:
            source.download(name, folder)
        experiment = from_dict(json.loads((folder / proof.CONFIG).read_text()), proof.CONFIG)
        hashes = {name: proof.sha256(folder / name) for name in proof.FILES}
        proven = proof.prove_bundle(
            folder,
            recorded=hashes,
            run_id=source.run_id,
            registered_model=experiment.registered_model,
        )
        publisher = Publisher(run, Outputs(root / "outputs", run.run_id))
        publisher.figures(convergence_figures(proven.fitted.trace))
        publish_results(publisher, experiment, proven.fitted, proven.fitted.decompose())
    say(f"plots and tables of run {source.run_id} are in run {run.run_id}")
    return run
