"""One real fit with a delayed and a Hill channel: through the gate, as a champion, into a plan."""

from pathlib import Path

import mlflow
import numpy as np
import pytest
import yaml
from pymc_marketing.mmm import MMM

from helpers import plain_experiment
from mmm_demo.evidence.refit import Refitter
from mmm_demo.evidence.sensitivity import variants
from mmm_demo.fits.trace import load_trace
from mmm_demo.jobs.fit import run_fit
from mmm_demo.jobs.plan import run_optimize
from mmm_demo.jobs.promote import run_promote
from mmm_demo.settings.experiment import free_parameters
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.settings.limits import EvidenceConfig
from mmm_demo.store import registry

pytestmark = [
    pytest.mark.slow,  # a fit, its lift test, its promotion, its plan
    pytest.mark.filterwarnings("ignore:The 'convert_dates' keyword"),  # `MMM.load` of lift tests
]

STEEP = {"distribution": "LogNormal", "mu": 0.3, "sigma": 0.3, "rationale": "as in other markets"}
OWN = {
    "TV": {"adstock": "delayed", "max_lag": 6},
    "Radio": {"saturation": "hill", "priors": {"saturation_slope": STEEP}},
    "Search": {"adstock": "none"},
}
LIFT = "channel,x,delta_x,delta_y,sigma,date\nRadio,60000,20000,20000,9000,2023-09-04\n"


def silent(*_: object) -> None:
    """Say nothing."""


def test_channels_with_forms_of_their_own_go_all_the_way(store, project: Path) -> None:
    (project / "data").mkdir(exist_ok=True)
    (project / "data" / "tests.csv").write_text(LIFT)
    content = plain_experiment(
        market="own",
        model={
            "channel_columns": ["TV", "Radio", "Search"],
            "control_columns": ["Trend", "Promotion"],
            "adstock_max_lag": 4,
            "media": OWN,
        },
        data={"source": "simulated", "seed": 7, "weeks": 130, "lift_tests": "data/tests.csv"},
        sampler={"draws": 700, "tune": 600, "chains": 4},
    )
    path = project / "experiments" / "own.yaml"
    path.write_text(yaml.safe_dump(content))
    experiment = load_experiment(path)
    done = run_fit(experiment, project, silent)
    assert done.report.require()
    run = store.get_run(done.run.run_id)
    assert run.data.params["model.media.TV.adstock"] == "delayed"
    assert run.data.params["model.media.Radio.saturation"] == "hill"
    assert "contraction.adstock_theta_TV_" in run.data.metrics
    assert "contraction.saturation_slope_Radio_" in run.data.metrics
    assert not [name for name in run.data.metrics if "theta_Radio" in name or "slope_TV" in name]
    assert all(np.isfinite(value) for value in run.data.metrics.values())

    # The trace: names as written, of those that have the parameter, and nothing missing.
    file = store.download_artifacts(done.run.run_id, "trace.nc")
    posterior = load_trace(Path(file))["posterior"].to_dataset()
    assert posterior["adstock_theta_channel"].values.tolist() == ["TV"]
    assert posterior["saturation_slope_channel"].values.tolist() == ["Radio"]
    assert posterior["adstock_alpha_channel"].values.tolist() == ["TV", "Radio"]
    sizes = {str(name): of[0, 0].size for name, of in posterior.items()}
    assert sizes == free_parameters(experiment.model)
    assert all(np.isfinite(of).all() for of in posterior.values())
    library = MMM.load(file)
    theirs = library.incrementality.contribution_over_spend(frequency="all_time")
    theirs = theirs.mean(("chain", "draw")).to_numpy()
    ours = done.fitted.roas().mean("sample").to_numpy()
    assert theirs[2] == pytest.approx(ours[2], rel=1e-5)  # no carryover leaves the data
    assert theirs == pytest.approx(ours, rel=0.1)

    # The champion: proven again, served, planned with.
    run_promote("own", None, "", False, silent, silent)
    champion = registry.load_champion("own")
    assert champion.bundle.experiment.model.media == experiment.model.media
    served = mlflow.pyfunc.load_model("models:/mmm_own@champion")
    weeks = done.fitted.table.drop(columns="Sales").tail(3)
    assert np.isfinite(served.predict(weeks)["mean"]).all()
    plan = run_optimize("own", {}, project, silent).plans[0]
    assert not plan.certified and plan.gap <= 0.005  # Radio may have a threshold

    # A refit of other weeks, and one of its neighbours.
    few = EvidenceConfig(draws=500, tune=300)
    refit = Refitter(done.fitted.config, done.fitted.table, few).fit(
        done.fitted.table.head(104), 1, done.fitted.lift_tests
    )
    assert np.isfinite(refit.response.roas(done.fitted.spend.to_numpy())).all()
    assert len(variants(done.fitted.config)) == 4
