"""What data can tell before any fit, as a run of its own."""

from pathlib import Path

from mmm_demo.jobs.table import load_data
from mmm_demo.reports.explore_page import exploration_page
from mmm_demo.reports.figures import exploration_named
from mmm_demo.settings.experiment import ExperimentConfig
from mmm_demo.settings.experiment_file import flat_params
from mmm_demo.settings.names import bullets
from mmm_demo.settings.run_schema import Say
from mmm_demo.sources.explore import Exploration, explore
from mmm_demo.sources.market import MarketingData
from mmm_demo.store.publish import Publisher
from mmm_demo.store.runs import open_run, store_errors


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
        publisher = Publisher(run, root)
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
