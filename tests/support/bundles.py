"""Bundles and plans made by hand, for what compares versions: real in all but the sampling."""

import numpy as np
import pandas as pd
import xarray as xr

from drawn_model import drawn_model
from helpers import good_report
from mmm_demo.checks.gate import GateFile, GateReport
from mmm_demo.checks.proof import Bundle
from mmm_demo.fits.fitted import WEEK, FittedModel
from mmm_demo.fits.trace import WEEKLY_TABLE, table_sha256
from mmm_demo.planning.feasible import Region
from mmm_demo.planning.honesty import PAIRS
from mmm_demo.planning.plan import Plan
from mmm_demo.planning.window import Window
from mmm_demo.settings.experiment import ExperimentConfig, ModelConfig
from mmm_demo.settings.scenario import Scenario


def make_bundle(fitted: FittedModel, report: GateReport | None = None) -> Bundle:
    """Return a version that holds a model."""
    report = report or good_report()
    experiment = ExperimentConfig(name="small", market="small", model=fitted.config)
    gate = GateFile(report, "run", table_sha256(fitted.table), {})
    return Bundle(experiment, fitted, gate, report, {})


def changed(
    config: ModelConfig | None = None,
    table: pd.DataFrame | None = None,
    posterior: xr.Dataset | None = None,
) -> FittedModel:
    """Return the drawn model with another config, weekly table or posterior."""
    drawn = drawn_model()
    table = drawn.table if table is None else table
    groups = {
        "posterior": drawn.trace["posterior"].to_dataset() if posterior is None else posterior,
        WEEKLY_TABLE: xr.Dataset.from_dataframe(table.rename_axis("row")),
    }
    return FittedModel(config or drawn.config, xr.DataTree.from_dict(groups))


def make_plan(fitted: FittedModel, weeks: int = 8, **planned: float) -> Plan:
    """Return a plan for the weeks after the data of a model, its money spread evenly."""
    table = pd.DataFrame({"channel": list(planned), "planned": list(planned.values())})
    table["lower_bound"], table["upper_bound"] = 0.0, table["planned"]
    table["units"] = table["planned"]
    money, response = table["planned"].to_numpy(float), np.ones(60)
    window = Window(
        start=pd.Timestamp(fitted.weeks[-1]) + WEEK,
        channels=tuple(planned),
        before=np.empty((0, len(planned))),
        last=np.tile(money / weeks, (weeks, 1)),
        observed=np.array([money, money]),
        weights=np.ones((1, len(planned))),
        working=np.array([0 * money, money]),
        cost=np.ones(len(planned)),
        sales=float(fitted.observed[-weeks:].sum()),
    )
    return Plan(
        scenario=Scenario("made"),
        window=window,
        region=Region(0 * money, money, (), float(money.sum()), True),
        table=table,
        weekly=pd.DataFrame(window.last, window.dates, list(planned)),
        response=response,
        status_quo=response,
        value=1.0,
        timing=0.0,
        pairs=pd.DataFrame(columns=PAIRS),
        smallest=None,
        gap=0.0,
        thinning=0.0,
        certified=True,
    )


def make_folds(*crps: float, **columns: object) -> pd.DataFrame:
    """Return the folds of a backtest with these scores."""
    count = len(crps)
    plain = {
        "fold": range(1, count + 1),
        "start": pd.date_range("2025-01-06", periods=count, freq="8W-MON"),
        "weeks": 8,
        "crps": crps,
        "naive_crps": np.arange(count) + 100.0,
        "converged": True,
    }
    return pd.DataFrame(plain | columns)
