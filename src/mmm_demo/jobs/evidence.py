"""Evidence about a fit: each refit is a run of its own, and touches nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from mmm_demo.checks.gate import GateRefused, GateReport
from mmm_demo.checks.proof import Bundle
from mmm_demo.evidence import backtest, contest, scores
from mmm_demo.evidence.battery import Step, Watch
from mmm_demo.evidence.gathered import EVIDENCE, Evidence, gather
from mmm_demo.evidence.refit import Refitter
from mmm_demo.settings.batteries import EVIDENCE_BATTERIES
from mmm_demo.settings.run_schema import Say, by_channel
from mmm_demo.store import evidence_store, registry
from mmm_demo.store.champion import PREFIX
from mmm_demo.store.runs import Run, find_run, open_run, store_errors


@dataclass(frozen=True)
class EvidenceResult:
    """Evidence, the run that gathered it, and the version that it belongs to."""

    run: Run
    evidence: Evidence
    version: registry.ModelVersion


@store_errors()
def run_evidence(run_id: str, wanted: Sequence[str], say: Say, watch: Watch) -> EvidenceResult:
    """Gather evidence about a fit that passed, and bind it to its version.

    Parameters
    ----------
    run_id
        Fit run, or the first characters of its id.
    wanted
        Batteries to run; all when empty. What other batteries found before is kept.
    say, watch
        Progress messages; told of each refit.

    Raises
    ------
    BundleRefused
        When the fit's version does not prove its pass: nothing of it may be interpreted.
    NoVersionError
        When the fit made no version.
    ValueError
        When there is no such battery.
    """
    wanted = wanted or EVIDENCE_BATTERIES
    if unknown := [name for name in wanted if name not in EVIDENCE_BATTERIES]:
        raise ValueError(
            f"no battery {', '.join(unknown)}; there are {', '.join(EVIDENCE_BATTERIES)}"
        )
    source = find_run(run_id)
    version = registry.version_of(source)
    with open_run(f"evidence {source.run_id[:8]}", "evidence") as run:
        run.log(
            params={"evidence.fit_run": source.run_id, "evidence.version": version.version},
            tags={"market": version.name.removeprefix(PREFIX)},
        )
        bundle = registry.prove_version(version)
        known = _known(version, say)
        say(f"evidence about {version.name} version {version.version}")
        evidence = gather(bundle, source.run_id, wanted, known, recorded(run, watch))
        run.log_text(evidence.to_json(), EVIDENCE)
        for name, table in evidence.tables.items():
            run.log_text(table.to_csv(index=False), f"tables/{name}.csv")
        metrics = GateReport(evidence.checks).metrics()
        run.log(metrics=metrics)
        source.log(metrics=metrics)
        if "backtest" in wanted and "backtest" in evidence.tables:
            forecast = evidence.tables["backtest"]
            source.log_text(forecast.to_csv(index=False), scores.BACKTEST)
            source.log(metrics=scores.backtest_scores(forecast))
        evidence_store.bind_evidence(run, version, evidence)
    return EvidenceResult(run, evidence, version)


def _known(version: registry.ModelVersion, say: Say) -> Evidence | None:
    """Return what was gathered before; what is refused must not stand in the way for good."""
    try:
        return evidence_store.load_evidence(version)
    except GateRefused as refusal:
        say(f"what was found before is not kept: {refusal}")
        return None


def recorded(run: Run, watch: Watch) -> Watch:
    """Return a watch that logs each refit as a child run before it passes it on."""

    def record(step: Step) -> None:
        # Some are named by channel, whose characters a metric's name may not have.
        measured = pd.Series(step.measured).rename_axis("channel").reset_index(name="value")
        with open_run(f"{step.battery}: {step.name}", "refit", run) as child:
            child.log(
                params={"refit.battery": step.battery, "refit.number": step.number},
                metrics=step.refit.convergence.metrics()
                | by_channel(step.battery, measured, "value"),
                tags={"gate": "none: a refit for evidence", "converged": step.refit.converged},
            )
        watch(step)

    return record


def backtest_of(
    of: Bundle, like: Bundle, table: pd.DataFrame, evidence: Evidence | None, watch: Watch
) -> pd.DataFrame:
    """Backtest a configuration with another's folds, draws and seed, or return what is known.

    Parameters
    ----------
    of
        Whose model forecasts.
    like
        Whose folds, draws and seed are used.
    table
        Weeks, with the columns of the model.
    evidence
        What is known of this very model on this table.
    watch
        Is told of each refit.
    """
    if evidence and "backtest" in evidence.tables:
        return evidence.tables["backtest"]
    experiment = like.experiment
    refitter = Refitter(of.fitted.config, table, experiment.evidence)
    return backtest.run_backtest(
        refitter, table, of.fitted.lift_tests, experiment.sampler.seed, watch
    )


def paired_backtests(
    one: Bundle, other: Bundle, known: Evidence | None, watch: Watch
) -> tuple[pd.DataFrame, pd.DataFrame] | str:
    """Backtest two versions on the weeks of the second, with its folds, or say why that cannot be.

    Parameters
    ----------
    one, other
        Proven files of the versions.
    known
        Evidence about the second.
    watch
        Is told of each refit.
    """
    try:
        table = contest.common_table(one, other)
        second = backtest_of(other, other, other.fitted.table, known, watch)
        same = contest.same_forecasts(one, other)
        return (second if same else backtest_of(one, other, table, None, watch)), second
    except ValueError as fault:  # no common weeks, or too few for the folds
        return str(fault)
