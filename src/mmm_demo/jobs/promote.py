"""Promotion: a contest with a record; the only way to a champion."""

import getpass
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mmm_demo.checks.gate import Check, GateRefused, GateReport
from mmm_demo.checks.proof import FILES, Bundle, BundleRefused, require_pass
from mmm_demo.evidence import contest
from mmm_demo.evidence.backtest import fold_table
from mmm_demo.evidence.battery import Watch
from mmm_demo.evidence.compare import money_table, plan_overlap
from mmm_demo.evidence.gathered import Evidence
from mmm_demo.jobs.evidence import paired_backtests, recorded
from mmm_demo.settings.experiment import registered_model_name
from mmm_demo.settings.run_schema import Say
from mmm_demo.settings.wording import roas, roas_with_interval
from mmm_demo.store.champion import ACCEPTED, CHAMPION, promotion_params
from mmm_demo.store.evidence_store import load_evidence
from mmm_demo.store.provenance import COPY_TAG, promoted, require_promoted
from mmm_demo.store.registry import (
    BUNDLE,
    CHALLENGER,
    PREVIOUS,
    ModelVersion,
    NoVersionError,
    fetched,
    find_alias,
    find_version,
    promoting,
    prove_files,
    prove_version,
)
from mmm_demo.store.runs import Run, open_run, store_errors

# Challenger's files, its evidence and the champion's files -> why it may not become champion.
Objections = Callable[[Bundle, Evidence | None, Bundle | None], tuple[str, ...]]


class ContestLost(GateRefused):
    """A version that may not become champion and is the challenger now.

    Attributes
    ----------
    champion
        Version that stays champion; None where there is none.
    """

    def __init__(self, text: str, champion: str | None) -> None:
        super().__init__(text)
        self.champion = champion


class ChampionMoved(GateRefused):
    """Another promotion moved the champion while this one was judged."""


@dataclass(frozen=True)
class Promotion:
    """What a promotion changed.

    Attributes
    ----------
    name
        Registered model.
    version
        The champion now.
    former
        The champion before; None when there was none.
    """

    name: str
    version: int
    former: int | None


@store_errors()
def run_promote(
    market: str,
    number: int | None,
    reason: str,
    rollback: bool,
    say: Say,
    watch: Watch,
    parent: Run | None = None,
) -> Promotion:
    """Promote a version that passes every required check and beats the champion, or roll back.

    One at a time: who waits for another is held against the champion that the other one made.

    Raises
    ------
    ContestLost
        When the version is no better; it is the challenger now.
    """
    registered_model_name(market)  # a market that cannot be leaves no run behind
    with open_run(f"promote {market}", "promotion", parent) as run, promoting(market, say):
        if number is None and not rollback:
            number = int(find_version(market).version)
        command = f"mmm-demo promote --market {market} --version {number}"
        against = Contest(run, say, recorded(run, watch), reason, command)
        done = promote(run, market, number, reason, rollback, against)
    was = "no champion before" if done.former is None else f"before: version {done.former}"
    say(f"champion of {done.name} is version {done.version} ({was})")
    return done


def promote(
    run: Run, market: str, number: int | None, reason: str, rollback: bool, objections: Objections
) -> Promotion:
    """Make a version the champion, after proving it again and a contest. The run is the record.

    MLflow keeps no history of aliases, so who, when, why, from, to and the evidence are logged.

    Parameters
    ----------
    run
        Promotion run.
    market
        Market whose champion it becomes.
    number
        Version; by default the latest that passed the gate.
    reason
        Why, in words.
    rollback
        Swap champion and previous instead. No contest: it undoes one, and must work at once.
    objections
        Says what speaks against the version.

    Raises
    ------
    NoVersionError
        When there is no such version.
    BundleRefused, GateRefused
        When the version does not prove a pass under today's limits; nothing moves.
    ContestLost
        When something speaks against the version; it becomes the challenger.
    ChampionMoved
        When another promotion ended since this one began, where no lock keeps them apart.
    """
    former = find_alias(market, CHAMPION)
    version = find_alias(market, PREVIOUS) if rollback else find_version(market, number)
    if version is None:
        raise NoVersionError(f"market {market!r} has no previous champion to roll back to")
    _record(run, market, version, former, reason, rollback)
    with fetched(version) as data:
        bundle = prove_files(version, data)
        proven = require_pass(bundle)
        _keep_copy(run, version, data)
    run.log_text(json.dumps(proven.report.to_dict(), indent=2), "gate.json")
    if rollback:
        require_promoted(version)  # anyone may set the alias `previous`
    elif not (former and former.version == version.version and promoted(former)):
        against = objections(bundle, load_evidence(version), _proven(run, former))
        _settle(run, version, former, against)
    _require_unmoved(market, former)
    run.log(tags=ACCEPTED)  # from here on, the store lets the champion move
    # After that tag: a version whose last promotion broke off keeps the one before.
    run.client.set_model_version_tag(version.name, str(version.version), COPY_TAG, run.run_id)
    number, was = int(version.version), int(former.version) if former else None
    if number != was:  # the former champion becomes `previous`
        for alias, of in ((PREVIOUS, was), (CHAMPION, number)):
            if of is not None:
                run.client.set_registered_model_alias(version.name, alias, str(of))
    _end_challenge(run, market, version)
    run.log(tags={"promotion": "done"}, metrics=proven.report.metrics())
    return Promotion(version.name, number, was)


def _require_unmoved(market: str, former: ModelVersion | None) -> None:
    """Refuse a verdict against a champion of the past."""
    now = find_alias(market, CHAMPION)
    judged, found = (str(item.version) if item else "none" for item in (former, now))
    if judged != found:
        raise ChampionMoved(
            f"market {market!r}: the champion was version {judged} when this promotion began and "
            f"is version {found} now; run it again: mmm-demo promote --market {market}"
        )


def _proven(run: Run, former: ModelVersion | None) -> Bundle | None:
    """Return the champion's files; one that does not prove its pass is no champion to beat."""
    if former is None:
        return None
    try:
        require_promoted(former)
        return prove_version(former)
    except BundleRefused as refusal:
        run.log(tags={"promotion.champion": f"nothing to beat: {refusal}"})
        return None


def _settle(
    run: Run, version: ModelVersion, former: ModelVersion | None, against: tuple[str, ...]
) -> None:
    """Make a version that lost the challenger, and refuse it."""
    if not against:
        return
    run.client.set_registered_model_alias(version.name, CHALLENGER, str(version.version))
    run.log(tags={"promotion": "lost", "promotion.against": " | ".join(against)})
    lines = "\n".join(f"  {line}" for line in against)
    raise ContestLost(
        f"version {version.version} of {version.name} is challenger, not champion:\n{lines}",
        former.version if former else None,
    )


def _end_challenge(run: Run, market: str, version: ModelVersion) -> None:
    """Take the alias of the challenger from a version that is champion now."""
    challenger = find_alias(market, CHALLENGER)
    if challenger and challenger.version == version.version:
        run.client.delete_registered_model_alias(version.name, CHALLENGER)


def _record(
    run: Run,
    market: str,
    version: ModelVersion,
    former: ModelVersion | None,
    reason: str,
    rollback: bool,
) -> None:
    """Write down what is about to be judged; a promotion that ends here was refused."""
    run.log(
        params=promotion_params(version.name, former.version if former else None, version.version)
        | {
            "promotion.reason": reason or "none given",
            "promotion.by": getpass.getuser(),
            "promotion.rollback": str(rollback),
        }
        | {f"evidence.{key}": value for key, value in version.tags.items()},
        tags={"promotion": "refused", "market": market},
    )


def _keep_copy(run: Run, version: ModelVersion, data: Path) -> None:
    """Keep the proven files in the promotion run: `mlflow gc` may take those of the fit."""
    for name in FILES:
        run.log_file(data / name, BUNDLE)


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
        found = paired_backtests(champion, bundle, evidence, self.watch)
        if isinstance(found, str):
            return contest.not_comparable(worse_max, found)
        theirs, mine = found
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
