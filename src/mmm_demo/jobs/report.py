"""Cards and comparisons of versions: what is known, on one page, as runs of their own."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from mmm_demo.checks.judge import judge
from mmm_demo.checks.proof import Bundle, BundleRefused
from mmm_demo.evidence import contest
from mmm_demo.evidence.backtest import fold_table
from mmm_demo.evidence.battery import Watch
from mmm_demo.evidence.compare import Comparison, compare
from mmm_demo.fits import tables
from mmm_demo.fits.lift_report import compare_with_model
from mmm_demo.jobs.evidence import paired_backtests, recorded
from mmm_demo.reports.card import CardInput, version_card
from mmm_demo.reports.compare_page import comparison_page
from mmm_demo.settings.names import bullets
from mmm_demo.settings.run_keys import LABEL_TAG, WARNINGS_TAG, Say
from mmm_demo.store import registry
from mmm_demo.store.champion import CHAMPION, PREFIX
from mmm_demo.store.evidence_store import load_evidence
from mmm_demo.store.outputs import Outputs
from mmm_demo.store.promises import past_promises
from mmm_demo.store.publish import Publisher
from mmm_demo.store.runs import open_run, store_errors


@store_errors()
def run_card(market: str, name: str, root: Path, say: Say) -> Path:
    """Make the evidence card of a version: one self-contained page.

    Parameters
    ----------
    market
        Whose model.
    name
        Version: number, alias or fit run.
    root, say
        Project folder, progress messages.

    Raises
    ------
    BundleRefused
        When the version does not prove its pass.
    """
    version = registry.named_version(market, name)
    with open_run(f"card {version.name} {version.version}", "card") as run:
        run.log(params={"card.model": version.name, "card.version": version.version})
        bundle = registry.prove_version(version)
        html = version_card(_card(version, bundle, past_promises(version)))
        publisher = Publisher(run, Outputs(root / "outputs", run.run_id))
        page = publisher.page(html, f"card_{version.name}_v{version.version}")
    say(f"card: {page}")
    return page


def _card(version: registry.ModelVersion, bundle: Bundle, promises: pd.DataFrame) -> CardInput:
    fitted, market = bundle.fitted, version.name.removeprefix(PREFIX)  # a run may be of any market
    judged = judge(
        fitted, fitted.decompose(), bundle.experiment.gate, bundle.experiment.data.accept
    )
    weeks = pd.to_datetime(fitted.weeks)
    moved = why = None
    champion = registry.find_alias(market, CHAMPION)
    if champion and champion.version != version.version:
        with suppress(BundleRefused):  # one that does not prove its pass is nothing to hold against
            other = registry.prove_version(champion)
            moved, why = contest.stability(other, bundle), contest.explain(other, bundle)
    made = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)
    aliases = ", ".join(version.aliases) or "no alias"
    lift = fitted.lift_tests
    return CardInput(
        model=version.name,
        version=str(version.version),
        run_id=str(version.run_id),
        label=version.tags.get(LABEL_TAG, ""),
        experiment=bundle.experiment,
        report=bundle.gate.report,
        roas=tables.describe(fitted.roas()),
        identification=judged.identification,
        pairs=judged.pairs,
        source=bundle.experiment.data.source,
        span=f"{weeks[0]:%Y-%m-%d} to {weeks[-1]:%Y-%m-%d}, {len(weeks)} weeks",
        history=f"Registered {made:%Y-%m-%d}; in the registry: {aliases}.",
        hashes={"weekly table": bundle.gate.data_sha256, **bundle.files},
        evidence=load_evidence(version),
        champion=str(champion.version) if champion else None,
        stability=moved,
        differences=why,
        lift=None if lift is None else compare_with_model(lift, fitted.response),
        promises=promises,
        warnings=version.tags.get(WARNINGS_TAG, "").splitlines(),
    )


@store_errors()
def run_compare(market: str, a: str, b: str, root: Path, say: Say, watch: Watch) -> Comparison:
    """Compare two versions; both forecast and plan on the terms of the second.

    Parameters
    ----------
    market
        Whose models, for numbers and aliases.
    a, b
        Versions: numbers, aliases or fit runs.
    root, say, watch
        Project folder, progress messages; told of each refit.

    Raises
    ------
    BundleRefused
        When a version does not prove its pass.
    """
    versions = [registry.named_version(market, name) for name in (a, b)]
    names = [f"{item.name} version {item.version}" for item in versions]
    with open_run(f"compare {a} {b}", "comparison") as run:
        run.log(params={"compare.a": names[0], "compare.b": names[1]})
        one, other = (registry.prove_version(version) for version in versions)
        say(f"backtests: {names[0]} and {names[1]} on the weeks of the latter")
        known = load_evidence(versions[1])
        forecasts = paired_backtests(one, other, known, recorded(run, watch))
        folds = forecasts if isinstance(forecasts, str) else tuple(map(fold_table, forecasts))
        say("plans of both")
        found = compare(one, other, folds, contest.plans_of(one, other))
        publisher = Publisher(run, Outputs(root / "outputs", run.run_id))
        numbers = "_".join(f"v{item.version}" for item in versions)
        html = comparison_page(found, *names)
        page = publisher.page(html, f"comparison_{versions[0].name}_{numbers}")
        run.log(metrics=found.metrics())
        run.describe("\n".join(bullets(found.sentences())))
    say(f"page: {page}")
    return found
