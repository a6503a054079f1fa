"""One real fit with a drift and holidays: through the gate, as a champion, into a plan."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from pymc_marketing.mmm import MMM

from helpers import plain_experiment
from mmm_demo.jobs.fit import run_fit
from mmm_demo.jobs.plan import run_optimize
from mmm_demo.jobs.promote import run_promote
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.sources.market import load_market
from mmm_demo.sources.simulate import simulate_market
from mmm_demo.store import registry

pytestmark = pytest.mark.slow  # a fit, its promotion, its plan
WEEKS = 156
HOLIDAYS = {"country": "NO", "names": ["Christmas Day", "Grunnlovsdag"], "before": 3}
EVENTS = "name,start,end\nFair,2023-03-06,2023-03-19\nFair,2024-03-04,2024-03-17\n"


def silent(*_: object) -> None:
    """Say nothing."""


def market(folder: Path) -> None:
    """Write a market whose level wanders by a tenth and that sells a fifth more at its fairs."""
    table = simulate_market(seed=7, weeks=WEEKS).table
    level = table["Sales"].mean() * 0.1 * np.sin(np.arange(WEEKS) / 14)
    fair = table["Week"].isin(pd.to_datetime(["2023-03-06", "2023-03-13", "2024-03-04"]))
    fair |= table["Week"] == pd.Timestamp("2024-03-11")
    table["Sales"] += level + 0.2 * table["Sales"].mean() * fair
    table.to_csv(folder / "data" / "sales.csv", index=False)
    (folder / "data" / "events.csv").write_text(EVENTS)


def test_a_drift_and_events_go_all_the_way(store, project: Path) -> None:
    (project / "data").mkdir(exist_ok=True)
    market(project)
    content = plain_experiment(
        market="moving",
        model={
            "channel_columns": ["TV", "Radio", "Search", "Social"],
            "control_columns": ["Promotion"],
            "adstock_max_lag": 4,
            "baseline": "drift",
        },
        data={
            "source": "csv",
            "path": "data/sales.csv",
            "holidays": HOLIDAYS,
            "events": "data/events.csv",
        },
        sampler={"draws": 1000, "tune": 600, "chains": 4},
    )
    path = project / "experiments" / "moving.yaml"
    path.write_text(yaml.safe_dump(content))
    experiment = load_experiment(path)
    data = load_market(experiment.data, experiment.model, project)
    done = run_fit(experiment, project, silent, data)
    assert done.report.require()
    run = store.get_run(done.run.run_id)
    assert run.data.params["model.baseline.type"] == "drift"
    assert run.data.params["data.holidays.country"] == "NO"
    assert all(np.isfinite(value) for value in run.data.metrics.values())
    assert "contraction.event_scale" in run.data.metrics
    assert not [
        name for name in run.data.metrics if "drift_wave" in name
    ]  # single ones say nothing

    # The parts: known to each other, and what was put in.
    parts, sold = done.fitted.decompose(), data.table["Sales"].mean()
    assert done.fitted.config.calendar == data.calendar
    fair = parts.events.sel(event="Fair").mean("sample")
    assert float(fair.max()) == pytest.approx(0.2 * sold, rel=0.35)
    level = 0.1 * sold * np.sin(np.arange(WEEKS) / 14)
    path = parts.baseline.mean("sample").to_numpy()
    assert np.corrcoef(path, level)[0, 1] > 0.9
    library = MMM.load(store.download_artifacts(done.run.run_id, "trace.nc"))
    assert [effect.form for effect in library.mu_effects] == ["drift", "pooled"]

    # The champion: proven again, served into a year that the calendar knows, planned with.
    run_promote("moving", None, "", False, silent, silent)
    champion = registry.load_champion("moving")
    assert champion.bundle.experiment.model.calendar == data.calendar
    served = mlflow.pyfunc.load_model("models:/mmm_moving@champion")
    weeks = data.table.drop(columns="Sales").tail(52)
    later = weeks.assign(Week=weeks["Week"] + pd.Timedelta(weeks=52))
    forecast = served.predict(later).set_index("Week")
    width = (forecast["upper_94"] - forecast["lower_94"]).to_numpy()
    assert width[40:].mean() > 1.2 * width[:4].mean()
    assert run_optimize("moving", {}, project, silent).plans[0].certified
