"""Two versions side by side, on the terms of the second, as a run of its own."""

from pathlib import Path

from mmm_demo.evidence import contest
from mmm_demo.evidence.backtest import fold_table
from mmm_demo.evidence.battery import Watch
from mmm_demo.evidence.compare import Comparison, compare
from mmm_demo.jobs.evidence import paired_backtests, recorded
from mmm_demo.reports.compare_page import comparison_page
from mmm_demo.settings.names import bullets
from mmm_demo.settings.run_schema import Say
from mmm_demo.store import registry
from mmm_demo.store.evidence_store import load_evidence
from mmm_demo.store.publish import Publisher
from mmm_demo.store.runs import open_run, store_errors


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
        publisher = Publisher(run, root)
        numbers = "_".join(f"v{item.version}" for item in versions)
        html = comparison_page(found, *names)
        page = publisher.page(html, f"comparison_{versions[0].name}_{numbers}")
        run.log(metrics=found.metrics())
        run.describe("\n".join(bullets(found.sentences())))
    say(f"page: {page}")
    return found
