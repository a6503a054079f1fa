"""Evidence about a fit, and the contest that a promotion is."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from mmm_demo.checks.gate import Check, GateRefused, GateReport
from mmm_demo.checks.proof import Bundle
from mmm_demo.evidence import backtest, contest, scores
from mmm_demo.evidence.backtest import fold_table
from mmm_demo.evidence.battery import Step, Watch
from mmm_demo.evidence.compare_measures import money_table, plan_overlap
from mmm_demo.evidence.gathered import EVIDENCE, Evidence, gather
from mmm_demo.evidence.refit import Refitter
from mmm_demo.jobs import promotion
from mmm_demo.settings.batteries import EVIDENCE_BATTERIES
from mmm_demo.settings.experiment import registered_model_name
from mmm_demo.settings.run_keys import Say, by_channel
from mmm_demo.settings.wording import roas, roas_with_interval
from mmm_demo.store import evidence_store, registry
from mmm_demo.store.gated_store import PREFIX
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
    """
    source = find_run(run_id)
    version = registry.version_of(source)
    wanted = wanted or EVIDENCE_BATTERIES
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


@store_errors()
def run_promote(
    market: str,
    number: int | None,
    reason: str,
    rollback: bool,
    say: Say,
    watch: Watch,
    parent: Run | None = None,
) -> promotion.Promotion:
    """Promote a version that passes every required check and beats the champion, or roll back.

    One at a time: who waits for another is held against the champion that the other one made.

    Raises
    ------
    ContestLost
        When the version is no better; it is the challenger now.
    """
    registered_model_name(market)  # a market that cannot be leaves no run behind
    with open_run(f"promote {market}", "promotion", parent) as run, registry.promoting(market, say):
        if number is None and not rollback:
            number = int(registry.find_version(market).version)
        command = f"mmm-demo promote --market {market} --version {number}"
        judge = Contest(run, say, recorded(run, watch), reason, command)
        done = promotion.promote(run, market, number, reason, rollback, judge)
    was = "no champion before" if done.former is None else f"before: version {done.former}"
    say(f"champion of {done.name} is version {done.version} ({was})")
    return done


@dataclass(frozen=True)
class Contest:
    """What a promotion asks of a version; the answers are logged on the promotion's run.

    Attributes
    ----------
    run, say, watch
        The promotion's run, progress messages, told of each refit.
    reason
        Why the version is promoted.
    command
        What promotes it, for who has to give a reason.
    """

    run: Run
    say: Say
    watch: Watch
    reason: str = ""
    command: str = "mmm-demo promote"

    def __call__(
        self, bundle: Bundle, evidence: Evidence | None, champion: Bundle | None
    ) -> tuple[str, ...]:
        """Return why a version may not become champion; nothing when it may.

        Parameters
        ----------
        bundle, evidence
            The challenger's proven files, and what is known beyond its fit.
        champion
            The champion's proven files; None where there is no champion that proves its pass.
        """
        limits = bundle.experiment.gate
        known = evidence or Evidence({}, bundle.gate.run_id, bundle.files)
        against = list(known.failures(limits))
        checks: list[Check] = []
        if champion is not None:
            if foreign := contest.held_to(champion, bundle).refused:  # nothing can be compared
                against += foreign
            else:
                checks = [
                    self._forecasts(bundle, evidence, champion),
                    *self._refresh(bundle, champion),
                    self._knowledge(bundle, champion),
                ]
        for check in checks:
            self.say(str(check))
        self.run.log(metrics=GateReport(tuple(checks)).metrics())
        self.run.log_text(json.dumps(GateReport(tuple(checks)).to_dict(), indent=2), "contest.json")
        return (*against, *contest.reasons(checks))

    def _forecasts(self, bundle: Bundle, evidence: Evidence | None, champion: Bundle) -> Check:
        worse_max = bundle.experiment.gate.worse_crps_max
        if contest.same_forecasts(bundle, champion):
            return contest.tie_check(worse_max)
        self.say("contest: both forecast the same weeks of the challenger's data")
        try:
            table = contest.common_table(champion, bundle)
            mine = backtest_of(bundle, bundle, bundle.fitted.table, evidence, self.watch)
            theirs = backtest_of(champion, bundle, table, None, self.watch)
        except ValueError as fault:  # no common weeks, or too few for the folds
            return contest.not_comparable(worse_max, str(fault))
        for name, forecast in (("challenger", mine), ("champion", theirs)):
            self.run.log_text(forecast.to_csv(index=False), f"tables/backtest_{name}.csv")
        return contest.crps_check(fold_table(mine), fold_table(theirs), worse_max)

    def _plans(self, bundle: Bundle, champion: Bundle) -> None:
        """Show how the recommended plan would change."""
        plans = contest.plans_of(champion, bundle)
        if isinstance(plans, str):
            self.say(f"plans cannot be compared: {plans}")
            return
        money = money_table(*plans)
        self.run.log_text(money.to_csv(index=False), "tables/plans.csv")
        self.run.log(metrics={"contest.plan_overlap": plan_overlap(money)})
        for row in money.itertuples():
            self.say(f"planned spend {row.channel}: {row.a:,.0f} -> {row.b:,.0f}")

    def _refresh(self, bundle: Bundle, champion: Bundle) -> list[Check]:
        """Show what moved; the same model on newer data must stay inside the champion's ROAS."""
        moved = contest.stability(champion, bundle)
        why = contest.explain(champion, bundle)
        self.run.log_text(moved.to_csv(index=False), "tables/stability.csv")
        self.run.log_text(why.to_csv(index=False), "tables/differences.csv")
        for row in moved.itertuples():
            self.say(
                f"ROAS {row.channel}: "
                f"{roas_with_interval(row.champion, row.lower_94, row.upper_94)} -> "
                f"{roas(row.challenger)}, overlap {row.overlap:.0%}"
            )
        for row in why.itertuples():
            self.say(f"differs: {row.setting}: {row.champion} -> {row.challenger}")
        if len(why):
            self._plans(bundle, champion)
        refresh = contest.same_configuration(bundle, champion)
        return [contest.refresh_check(moved)] if refresh else []

    def _knowledge(self, bundle: Bundle, champion: Bundle) -> Check:
        """Tell whose ROAS the data no longer tell; a contest is not won by ignorance."""
        known = contest.lost_knowledge(champion, bundle)
        self.run.log_text(known.to_csv(index=False), "tables/labels.csv")
        for row in known[known["lost"] != "no"].itertuples():
            self.say(f"ROAS {row.channel}: {row.champion} in the champion, {row.challenger} now")
        refresh = contest.same_configuration(bundle, champion)
        return contest.knowledge_check(known, refresh, self.reason, self.command)
