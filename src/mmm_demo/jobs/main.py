"""All of it in order: fit, gate, register, promote, load back through the registry, plan."""

from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from mmm_demo.evidence.battery import Watch
from mmm_demo.evidence.contest import MAIN_JOB
from mmm_demo.jobs.fit import FitResult, fit_in
from mmm_demo.jobs.plan import PlanResult, run_optimize
from mmm_demo.jobs.promote import ContestLost, run_promote
from mmm_demo.settings.experiment import ExperimentConfig
from mmm_demo.settings.names import as_markdown
from mmm_demo.settings.run_schema import Bar, Say
from mmm_demo.sources.market import MarketingData
from mmm_demo.store.publish import Publisher
from mmm_demo.store.runs import open_run, store_errors


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
    beside: Executor | None = None,
    bar: Bar = nullcontext,
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
    beside
        Draws the figures of the fit, where there is such a process.
    bar
        Shows how far the sampler is.

    Raises
    ------
    GateRefused
        When a gate refuses, or the version may not become the market's first champion.
    """
    with (
        open_run(experiment.name, "fit") as run,
        Publisher(run, root, beside=beside) as publisher,
    ):
        fit = fit_in(publisher, experiment, say, data, bar)
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
        page = "\n\n".join(filter(None, (plan.page, as_markdown(lost), fit.page)))
        run.describe(page)
        run.log_text(f"{page}\n", "summary.md")
    return MainResult(fit, lost, plan)
