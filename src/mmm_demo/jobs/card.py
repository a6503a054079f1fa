"""The evidence card of a version: what is known of it, on one page, as a run of its own."""

from contextlib import suppress
from pathlib import Path

import pandas as pd

from mmm_demo.checks.judge import judge
from mmm_demo.checks.proof import Bundle, BundleRefused
from mmm_demo.evidence import contest
from mmm_demo.fits import tables
from mmm_demo.fits.lift_report import compare_with_model
from mmm_demo.reports.card import CardInput, version_card
from mmm_demo.settings.run_schema import LABEL_TAG, SAMPLING_TAG, WARNINGS_TAG, Say
from mmm_demo.store import registry
from mmm_demo.store.champion import CHAMPION, PREFIX
from mmm_demo.store.evidence_store import load_evidence
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
        publisher = Publisher(run, root)
        page = publisher.page(html, f"card_{version.name}_v{version.version}")
    say(f"card: {page}")
    return page


def _card(version: registry.ModelVersion, bundle: Bundle, promises: pd.DataFrame) -> CardInput:
    fitted, market = bundle.fitted, version.name.removeprefix(PREFIX)  # a run may be of any market
    judged = judge(
        fitted, fitted.decompose(), bundle.experiment.gate, bundle.experiment.data.accept
    )
    moved = why = None
    champion = registry.find_alias(market, CHAMPION)
    if champion and champion.version != version.version:
        with suppress(BundleRefused):  # one that does not prove its pass is nothing to hold against
            other = registry.prove_version(champion)
            moved, why = contest.stability(other, bundle), contest.explain(other, bundle)
    aliases = ", ".join(version.aliases) or "no alias"
    lift = fitted.lift_tests
    registered = f"Registered {registry.made_on(version):%Y-%m-%d}; in the registry: {aliases}."
    sampled = version.tags.get(SAMPLING_TAG)  # older versions do not say it
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
        span=fitted.span,
        history=registered + (f" Sampled in {sampled}." if sampled else ""),
        hashes={"weekly table": bundle.gate.data_sha256, **bundle.files},
        evidence=load_evidence(version),
        champion=str(champion.version) if champion else None,
        stability=moved,
        differences=why,
        lift=None if lift is None else compare_with_model(lift, fitted.response),
        promises=promises,
        warnings=version.tags.get(WARNINGS_TAG, "").splitlines(),
    )
