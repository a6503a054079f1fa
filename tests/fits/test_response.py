"""The NumPy model against PyMC-Marketing's own graph, and against what one can do by hand."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr

from drawn_model import DIMS
from mmm_demo.fits.build import build_model, features
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.prior import prior_distribution
from mmm_demo.fits.response import Response, standardised
from mmm_demo.fits.trace import WEEKLY_TABLE
from mmm_demo.forms.registry import STORED_NAMES
from mmm_demo.settings.events import Occurrence
from mmm_demo.settings.experiment import ModelConfig, ScalingConfig
from mmm_demo.settings.priors import parameters_of
from mmm_demo.sources.simulate import simulate_market

WEEK = pd.Timedelta(days=7)
CHAINS, DRAWS = 2, 5
TABLE = simulate_market(seed=3, weeks=104).table
FULL = ModelConfig(
    channel_columns=("TV", "Radio"),
    control_columns=("Trend",),
    adstock_max_lag=4,
    yearly_seasonality=1,
)
OWN_PRIORS = {
    "saturation_beta": {"distribution": "HalfNormal", "sigma": [0.2, 0.4], "rationale": "test"},
    "adstock_alpha": {"distribution": "Beta", "alpha": [1, 5], "beta": [3, 2], "rationale": "test"},
    "gamma_fourier": {"distribution": "Laplace", "mu": 0, "b": [0.1, 0.3], "rationale": "test"},
}
EVENTS = (
    Occurrence("Sale", "2023-02-06", "2023-02-19"),
    Occurrence("Fair", "2023-06-07", "2023-06-08"),
    Occurrence("Sale", "2025-01-06", "2025-01-12"),
)
CONFIGS = {
    "logistic": FULL,
    "michaelis-menten": replace(FULL, saturation="michaelis_menten"),
    "s-shaped": replace(FULL, saturation="s_shaped"),
    "binomial": replace(FULL, adstock="binomial"),
    "binomial of one week": replace(FULL, adstock="binomial", adstock_max_lag=1),
    "without controls": replace(FULL, control_columns=()),
    "without season": replace(FULL, yearly_seasonality=0, saturation="michaelis_menten"),
    "media only": replace(FULL, control_columns=(), yearly_seasonality=0),
    "a lag of one week": replace(FULL, adstock_max_lag=1),
    "a prior for each channel": replace(FULL, priors=OWN_PRIORS),
    "a trend": replace(FULL, baseline="trend"),
    "a drift": replace(FULL, baseline="drift", control_columns=()),
    "events": replace(FULL, calendar=EVENTS),
    "a drift and events": replace(FULL, baseline="drift", calendar=EVENTS),
    "a champion's scaling": replace(FULL, scaling=ScalingConfig(2e6, (1e5, 3e5))),
}


def drawn_response(config: ModelConfig, table: pd.DataFrame) -> Response:
    """Return a model with draws from its priors in place of a posterior."""
    rng = np.random.default_rng(11)
    posterior = xr.Dataset(coords={"chain": range(CHAINS), "draw": range(DRAWS)})
    for name, prior in config.priors.items():
        absent = {
            "gamma_control": config.control_columns,
            "gamma_fourier": [*DIMS["gamma_fourier"]],
        }
        if not absent.get(name, True) or (
            name == "gamma_fourier" and not config.yearly_seasonality
        ):
            continue
        item = parameters_of(config.form)[name]
        dim, items = (item.dim, [*item.items]) if item.items else DIMS.get(name, (None, []))
        if item.dim == "event":
            dim, items = item.dim, ["Sale", "Fair"]
        shape = (CHAINS, DRAWS, len(items)) if dim else (CHAINS, DRAWS)
        draws = prior_distribution(prior).rvs(shape, random_state=rng)
        posterior[STORED_NAMES.get(name, name)] = (("chain", "draw", dim)[: len(shape)], draws)
        posterior = posterior.assign_coords({dim: items} if dim else {})
    scaling = config.scaling or ScalingConfig(
        table["Sales"].max(), (table["TV"].max(), table["Radio"].max())
    )
    return Response(config, scaling, posterior, table)


def librarys(response: Response, name: str) -> np.ndarray:
    """Return what PyMC-Marketing's graph makes of the same draws, original units."""
    model = build_model(response.config, response.training).model
    draws = pm.compute_deterministics(
        response.posterior,
        model=model,
        var_names=[name],
        progressbar=False,
        compile_kwargs={"mode": "FAST_COMPILE"},
    )[name]
    flat = draws.stack(sample=("chain", "draw")).transpose("sample", "date", ...)
    return flat.to_numpy() * response.scaling.target


def gap(ours: np.ndarray, theirs: np.ndarray) -> float:
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


# Against the library


@pytest.mark.parametrize("name", CONFIGS)
def test_the_mean_and_its_media_part_are_the_librarys(name):
    response = drawn_response(CONFIGS[name], TABLE)
    spend = TABLE[["TV", "Radio"]].to_numpy()
    assert gap(response.mean(TABLE), librarys(response, "mu")) < 1e-9
    assert gap(response.contributions(spend), librarys(response, "channel_contribution")) < 1e-9


WRONG = {
    "another lag": lambda r: replace(r, config=replace(r.config, adstock_max_lag=3)),
    "another family": lambda r: replace(r, config=replace(r.config, saturation="michaelis_menten")),
    "another adstock": lambda r: replace(r, config=replace(r.config, adstock="binomial")),
    "another sales scale": lambda r: replace(
        r, scaling=replace(r.scaling, target=1.001 * r.scaling.target)
    ),
    "another spend scale": lambda r: replace(
        r, scaling=replace(r.scaling, channels=r.scaling.channels[::-1])
    ),
    "controls standardised by other weeks": lambda r: replace(r, training=TABLE.head(80)),
    "no season": lambda r: replace(r, config=replace(r.config, yearly_seasonality=0)),
    "draws in another order": lambda r: replace(
        r, posterior=r.posterior.isel(draw=[1, 0, 2, 3, 4])
    ),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_model_that_differs_a_little_is_told_apart(fault):
    response = drawn_response(FULL, TABLE)
    right = response.mean(TABLE)
    assert gap(WRONG[fault](response).mean(TABLE), right) > 1e-4


@pytest.mark.parametrize("name", ["logistic", "a trend", "a drift", "events"])
def test_weeks_after_the_data_and_their_carryover_are_the_librarys(name):
    config = CONFIGS[name]
    response = drawn_response(config, TABLE)
    after = TABLE.tail(6).assign(Week=TABLE["Week"].tail(6) + 6 * WEEK, TV=0.0, Radio=9000.0)
    weeks = pd.concat([TABLE, after.assign(Trend=1.5)], ignore_index=True)
    mmm = build_model(config, TABLE)
    mmm.idata = xr.DataTree.from_dict({"posterior": response.posterior})
    theirs = mmm.sample_posterior_predictive(
        features(config, weeks, TABLE),
        extend_idata=False,
        combined=True,
        var_names=["mu"],
        progressbar=False,
        compile_kwargs={"mode": "FAST_COMPILE"},
    )["mu"]
    expected = theirs.transpose("sample", "date").to_numpy() * response.scaling.target
    assert gap(response.mean(weeks), expected) < 1e-9
    # Had the weeks to forecast stood alone, spend before them would have been lost.
    assert gap(response.mean(after), expected[:, -6:]) > 1e-3


def test_roas_is_the_fitted_models():
    response = drawn_response(FULL, TABLE)
    weekly = xr.Dataset.from_dataframe(TABLE.rename_axis("row"))
    groups = {"posterior": response.posterior, WEEKLY_TABLE: weekly}
    fitted = FittedModel(FULL, xr.DataTree.from_dict(groups))
    expected = fitted.roas().transpose("sample", "channel").to_numpy()
    spend = fitted.spend.to_numpy()
    assert gap(response.roas(spend), expected) < 1e-9
    assert gap(fitted.response.roas(spend), expected) < 1e-9
    inside = response.contributions(spend).sum(axis=1) / spend.sum(axis=0)
    assert gap(inside, expected) > 1e-3  # without the carryover after the last week


# By hand


def by_hand(
    saturation: str = "logistic", lag: int = 2, adstock: str = "geometric", alpha: float = 0.5
) -> Response:
    """One draw, one channel, nothing but media: lam 2, beta 0.3."""
    config = ModelConfig(
        channel_columns=("TV",),
        adstock_max_lag=lag,
        adstock=adstock,
        yearly_seasonality=0,
        saturation=saturation,
    )
    values = {"adstock_alpha": alpha, "saturation_lam": 2.0, "saturation_beta": 0.3}
    one = {name: (("chain", "draw", "channel"), [[[value]]]) for name, value in values.items()}
    one |= {"intercept_contribution": (("chain", "draw"), [[0.5]])}
    one |= {"y_sigma": (("chain", "draw"), [[0.1]])}
    return Response(config, ScalingConfig(1000.0, (50.0,)), xr.Dataset(one), TABLE)


@pytest.mark.parametrize(
    ("saturation", "curve"),
    [
        ("logistic", lambda x: 300 * (1 - math.exp(-2 * x)) / (1 + math.exp(-2 * x))),
        ("michaelis_menten", lambda x: 300 * 2 * x / (2 * x + math.log(3))),
        ("s_shaped", lambda x: 300 * x**2 / (x**2 + math.log(3) ** 2 / 4)),
    ],
)
def test_one_weeks_spend_by_hand(saturation, curve):
    response = by_hand(saturation)
    assert response.weights.ravel() == pytest.approx([2 / 3, 1 / 3])
    brought = response.contributions(np.array([[50.0], [0.0], [0.0]])).ravel()
    assert brought == pytest.approx([curve(2 / 3), curve(1 / 3), 0.0])
    assert response.roas(np.array([[50.0]])).item() == pytest.approx(brought.sum() / 50)
    assert curve(math.log(3) / 2) == pytest.approx(150)  # all: half of it at log(3) / lam


@pytest.mark.parametrize(
    ("adstock", "alpha", "weights"),
    [
        ("geometric", 0.5, [4 / 7, 2 / 7, 1 / 7]),
        ("binomial", 0.5, [4 / 9, 3 / 9, 2 / 9]),  # a straight line: nothing at a lag of 4
        ("binomial", 1 / 3, [16 / 29, 9 / 29, 4 / 29]),
        ("binomial", 1.0, [1 / 3, 1 / 3, 1 / 3]),
        ("binomial", 1e-9, [1, 0, 0]),
    ],
)
def test_weights_of_the_lags_by_hand(adstock, alpha, weights):
    response = by_hand(lag=3, adstock=adstock, alpha=alpha)
    assert response.weights.ravel() == pytest.approx(weights)


def test_fewer_weeks_than_the_lag_are_no_error():
    response = by_hand(lag=8)
    two, many = response.contributions(np.full((2, 1), 50.0)), np.full((20, 1), 50.0)
    assert two == pytest.approx(response.contributions(many)[:, :2])


def test_no_spend_brings_nothing():
    assert not by_hand().contributions(np.zeros((5, 1))).any()


def test_sales_scatter_by_the_models_noise_around_its_mean():
    response = by_hand()
    response = replace(response, posterior=response.posterior.isel(draw=[0] * 4000))
    weeks = TABLE.head(3)
    sales = response.sales(weeks, np.random.default_rng(1))
    assert sales.shape == (4000, 3)
    assert sales.std(axis=0) == pytest.approx(100.0, rel=0.05)
    assert sales.mean(axis=0) == pytest.approx(response.mean(weeks)[0], abs=5 * 100 / 4000**0.5)
    assert (sales == response.sales(weeks, np.random.default_rng(1))).all()
    assert (sales != response.sales(weeks, np.random.default_rng(2))).all()


def test_samples_run_chain_by_chain():
    response = drawn_response(FULL, TABLE)
    alpha = response.posterior["adstock_alpha"].to_numpy()
    assert (response.draws("adstock_alpha") == np.concatenate([alpha[0], alpha[1]])).all()


# Controls


def test_controls_are_counted_in_standard_deviations_of_training():
    training = pd.DataFrame({"x": [1.0, 3.0], "y": [10.0, 30.0]})
    later = pd.DataFrame({"x": [4.0], "y": [20.0]})
    assert standardised(later, training).iloc[0].to_list() == [2.0, 0.0]


@pytest.mark.parametrize("value", [0.0, 0.1, 0.3, 7.7, 1e6 / 3])
def test_a_constant_control_is_zero_in_training_and_stays_on_its_scale_after(value):
    """Rounding leaves 0.3, a hundred times, a standard deviation of 6e-17."""
    training = pd.DataFrame({"x": [value] * 104})
    assert standardised(training, training)["x"].to_numpy() == pytest.approx(0.0, abs=1e-9)
    later = pd.DataFrame({"x": [value + 1.0]})
    assert standardised(later, training)["x"].item() == pytest.approx(1.0, rel=1e-6)
