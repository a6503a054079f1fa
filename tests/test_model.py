"""Building and sampling: what reaches PyMC-Marketing, and that it comes out the same again."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from scipy.stats import norm

from drawn_model import drawn_model
from mmm_demo.checks.convergence import prior_check
from mmm_demo.fits.build import (
    LIFT_LIKELIHOOD,
    build_model,
    target_scale,
)
from mmm_demo.fits.ladder import Attempt
from mmm_demo.fits.lift_report import compare_with_model
from mmm_demo.fits.prior import sample_prior
from mmm_demo.fits.response import Response, scaling_of
from mmm_demo.fits.sampler import Sampling, sample_posterior
from mmm_demo.fits.trace import (
    LIFT_TESTS,
    SAMPLE_STATS,
    TRACE_GROUPS,
    WEEKLY_TABLE,
    lift_table,
)
from mmm_demo.settings.experiment import (
    GateConfig,
    ModelConfig,
    SamplerConfig,
    ScalingConfig,
    free_parameters,
)
from mmm_demo.settings.priors import PriorConfig
from mmm_demo.tables.lift import COLUMNS

LIBRARY_DEFAULTS = {
    "intercept": {"distribution": "Normal", "mu": 0, "sigma": 2},
    "saturation_beta": {"distribution": "HalfNormal", "sigma": 2},
    "gamma_control": {"distribution": "Normal", "mu": 0, "sigma": 2},
    "gamma_fourier": {"distribution": "Laplace", "mu": 0, "b": 1},
    "y_sigma": {"distribution": "HalfNormal", "sigma": 2},
}


# Build


def sampled_sizes(config: ModelConfig, table: pd.DataFrame) -> dict[str, int]:
    """Return the number of values of each parameter that PyMC would sample."""
    built = build_model(config, table).model
    shapes = built.eval_rv_shapes()
    return {item.name: int(np.prod(shapes[item.name])) for item in built.free_RVs}


def test_each_build_is_a_model_of_its_own(fitted):
    first, second = (build_model(fitted.config, fitted.table) for _ in range(2))
    assert first is not second
    assert first.model is not second.model
    halved = fitted.table.assign(Sales=fitted.table["Sales"] / 2)
    assert target_scale(build_model(fitted.config, halved)) == target_scale(first) / 2


def test_controls_are_standardised_by_the_training_weeks(fitted):
    stored = fitted.trace["fit_data"].to_dataset()
    for name in fitted.config.control_columns:
        values = stored[name].to_numpy()
        assert values.mean() == pytest.approx(0, abs=1e-12)
        assert values.std() == pytest.approx(1)
        raw = fitted.table[name].to_numpy()
        assert values == pytest.approx((raw - raw.mean()) / raw.std())
    spend = stored[list(fitted.config.channel_columns)].to_dataframe()
    assert (spend.to_numpy() == fitted.spend.to_numpy()).all()


def test_the_model_has_exactly_the_parameters_that_the_gate_judges(fitted):
    sizes = sampled_sizes(fitted.config, fitted.table)
    assert sizes == free_parameters(fitted.config)
    assert set(fitted.trace["posterior"].data_vars) == set(sizes)


@pytest.mark.parametrize("controls", [(), ("Trend",)])
@pytest.mark.parametrize("modes", [0, 1])
def test_parameters_follow_controls_and_seasonality(fitted, controls, modes):
    config = ModelConfig(
        channel_columns=("TV",), control_columns=controls, yearly_seasonality=modes
    )
    assert sampled_sizes(config, fitted.table) == free_parameters(config)


def test_a_prior_with_a_value_per_channel_reaches_the_model(fitted):
    sigma = [0.1, 0.2, 0.3, 0.4]
    prior = {"distribution": "HalfNormal", "sigma": sigma, "rationale": "spend shares"}
    config = ModelConfig(
        channel_columns=fitted.config.channel_columns, priors={"saturation_beta": prior}
    )
    beta = build_model(config, fitted.table).model["saturation_beta"]
    draws = pm.draw(beta, 4000, random_seed=1)
    assert draws.std(axis=0) == pytest.approx(np.array(sigma) * np.sqrt(1 - 2 / np.pi), rel=0.1)


@pytest.mark.parametrize("saturation", ["logistic", "michaelis_menten", "s_shaped"])
@pytest.mark.parametrize("adstock", ["geometric", "binomial"])
def test_every_family_can_be_stored_with_a_fit(saturation, adstock):
    drawn = drawn_model()
    config = replace(drawn.config, saturation=saturation, adstock=adstock)
    attributes = build_model(config, drawn.table).create_idata_attrs()
    for part in ("saturation", "adstock"):
        assert "__type__" in attributes[part]


# Open models: priors and lag are data


def log_density(model: pm.Model) -> Callable[[dict[str, np.ndarray]], float]:
    return model.compile_logp(mode="FAST_COMPILE")


def points(model: pm.Model) -> list[dict[str, np.ndarray]]:
    """Return places in the space of the sampler, around its start."""
    rng, start = np.random.default_rng(5), model.initial_point()
    return [
        {name: value + rng.normal(0, 0.4, value.shape) for name, value in start.items()}
        for _ in range(4)
    ]


@pytest.mark.parametrize("adstock", ["geometric", "binomial"])
def test_an_open_model_has_the_density_of_the_fixed_one_whatever_data_it_is_given(adstock):
    """One graph serves other lags, priors, scalings and weeks: that is what sweeps rest on."""
    drawn = drawn_model()
    first = replace(drawn.config, adstock=adstock)
    priors = first.priors | {
        "intercept": PriorConfig("Normal", {"mu": 0.1, "sigma": 0.7}, "other"),
        "adstock_alpha": PriorConfig("Beta", {"alpha": 2.0, "beta": 2.0}, "other"),
        "saturation_beta": PriorConfig("HalfNormal", {"sigma": (0.6, 0.1)}, "other"),
        "gamma_fourier": PriorConfig("Laplace", {"mu": 0.1, "b": 0.3}, "other"),
        "y_sigma": PriorConfig("HalfNormal", {"sigma": 0.3}, "other"),
    }
    scaling = ScalingConfig(9_000_000.0, (40_000.0, 30_000.0))
    early = drawn.table.head(70)
    models = [(first, drawn.table)]
    for lag in (1, 2, 7):
        other = replace(first, adstock_max_lag=lag, priors=priors, scaling=scaling)
        models.append((other, early))
    shared = build_model(*models[0], longest_lag=7).model
    density = log_density(shared)
    for config, table in models:
        for item in build_model(config, table, longest_lag=7).model.data_vars:
            shared[item.name].set_value(item.get_value())
        fixed = build_model(config, table).model
        expected = log_density(fixed)
        for point in points(fixed):
            assert density(point) == pytest.approx(expected(point), rel=1e-10)


def test_an_open_model_has_the_names_and_sizes_of_the_fixed_one():
    drawn = drawn_model()
    fixed, opened = (
        build_model(drawn.config, drawn.table, longest_lag=lag).model for lag in (None, 9)
    )
    assert [v.name for v in fixed.free_RVs] == [v.name for v in opened.free_RVs]
    assert fixed.eval_rv_shapes() == opened.eval_rv_shapes()
    assert fixed.initial_point().keys() == opened.initial_point().keys()


def test_the_lag_of_an_open_model_is_the_models_own_not_the_longest():
    drawn = drawn_model()
    density = {
        lag: log_density(build_model(drawn.config, drawn.table, longest_lag=lag).model)
        for lag in (4, 12)
    }
    longer = log_density(build_model(replace(drawn.config, adstock_max_lag=12), drawn.table).model)
    for point in points(build_model(drawn.config, drawn.table).model):
        assert density[4](point) == pytest.approx(density[12](point), rel=1e-10)
        assert density[12](point) != pytest.approx(longer(point), rel=1e-6)


# Lift tests

LIFT = pd.DataFrame(
    [
        ("Radio", 2e4, 1e4, 2e4, 1e4, pd.Timestamp("2023-06-05")),
        ("TV", 3e4, -3e4, -5e4, 2e4, pd.Timestamp("2023-09-04")),
        ("Radio", 2e4, 1e4, -1e4, 1e4, pd.Timestamp("2023-06-05")),
    ],
    columns=list(COLUMNS),
)
SCALING = ScalingConfig(target=12_345_678.0, channels=(33_000.0, 44_000.0))


ONE_LIFT_MODEL = ("logistic", SCALING)
OTHER_LIFT_MODELS = [
    pytest.param(saturation, scaling, marks=pytest.mark.slow)
    for saturation in ("logistic", "michaelis_menten", "s_shaped")
    for scaling in (None, SCALING)
    if (saturation, scaling) != ONE_LIFT_MODEL
]


@pytest.mark.parametrize(("saturation", "scaling"), [ONE_LIFT_MODEL, *OTHER_LIFT_MODELS])
def test_lift_tests_enter_the_likelihood_on_the_scale_of_the_model(saturation, scaling):
    drawn = drawn_model()
    config = replace(drawn.config, saturation=saturation, scaling=scaling)
    model = build_model(config, drawn.table, LIFT).model
    assert {item.name for item in model.observed_RVs} == {"y", LIFT_LIKELIHOOD}
    used = scaling or ScalingConfig(
        drawn.table["Sales"].max(), tuple(drawn.table[["TV", "Radio"]].max())
    )
    # The library's own estimate of each lift, for draws of the prior, against ours.
    names = [*free_parameters(config), f"{LIFT_LIKELIHOOD}_model_estimated_lift_original_scale"]
    *draws, lifts = pm.draw([model[name] for name in names], 40, random_seed=1)
    dims = [("chain", "draw", *model.named_vars_to_dims[name]) for name in names[:-1]]
    drawn_from_prior = xr.Dataset(
        {name: (dim, draw[None]) for name, dim, draw in zip(names, dims, draws, strict=False)}
    )
    response = Response(config, used, drawn_from_prior, drawn.table)
    ours = compare_with_model(LIFT, response)["model_mean"]
    assert ours.to_numpy() == pytest.approx(lifts.mean(axis=0), rel=1e-9)
    # The density is that of the measured lifts around the model's, in sales units.
    lift = model.replace_rvs_by_values([model[f"{LIFT_LIKELIHOOD}_model_estimated_lift"]])
    density = model.logp(vars=[model[LIFT_LIKELIHOOD]], sum=False)
    both = model.compile_fn([*density, *lift], inputs=model.value_vars, on_unused_input="ignore")
    logp, at_point = both(model.initial_point())
    expected = norm.logpdf(LIFT["delta_y"], at_point * used.target, LIFT["sigma"])
    assert logp == pytest.approx(expected + np.log(used.target), rel=1e-9)


def test_lift_tests_add_no_parameter():
    drawn = drawn_model()
    free = {item.name for item in build_model(drawn.config, drawn.table, LIFT).model.free_RVs}
    assert free == set(free_parameters(drawn.config))


# Prior gate


def test_the_project_priors_pass_the_prior_gate_and_the_library_defaults_fail(fitted):
    table, config = fitted.table, fitted.config
    observed = fitted.observed
    ours = prior_check(sample_prior(config, table, seed=1), observed, GateConfig())
    assert ours.passed
    assert ours.value < 0.1
    priors = {
        name: prior | {"rationale": "PyMC-Marketing's default"}
        for name, prior in LIBRARY_DEFAULTS.items()
    }
    wide = ModelConfig(
        channel_columns=config.channel_columns,
        control_columns=config.control_columns,
        priors=priors,
    )
    theirs = prior_check(sample_prior(wide, table, seed=1), observed, GateConfig())
    assert not theirs.passed
    assert theirs.value > 0.2


# Sampling


@pytest.fixture(scope="module")
def sampling() -> Sampling:
    """A real fit with too few draws to be of use."""
    drawn = drawn_model()
    sampler = SamplerConfig(draws=60, tune=70, chains=3, seed=9)
    return sample_posterior(
        drawn.config, drawn.table, sampler, Attempt(0.9, "diag", longer=2), lift_tests=LIFT
    )


def test_a_fit_has_the_draws_that_were_asked_for_and_keeps_what_is_sampled(
    sampling: Sampling,
) -> None:
    drawn, trace = drawn_model(), sampling.trace
    assert set(trace.children) == {*TRACE_GROUPS, WEEKLY_TABLE, LIFT_TESTS}
    posterior = trace["posterior"].to_dataset()
    sizes = {name: draws.size for name, draws in posterior.data_vars.items()}
    assert sizes == {name: 3 * 60 * n for name, n in free_parameters(drawn.config).items()}
    for name, draws in posterior.data_vars.items():
        assert draws.dims[:2] == ("chain", "draw"), name
        assert np.isfinite(draws).all(), name
        assert (draws.std("draw") > 0).all(), f"{name} stood still"
    assert list(posterior["channel"].values) == list(drawn.config.channel_columns)
    stats = set(trace["sample_stats"].data_vars)
    assert {"diverging", "energy"} <= stats <= set(SAMPLE_STATS)
    assert sampling.seconds > 0
    assert sampling.compile_cache in ("warm", "cold")


def test_a_fit_keeps_its_data_and_its_lift_tests(sampling: Sampling) -> None:
    drawn, trace = drawn_model(), sampling.trace
    sales = drawn.table["Sales"].to_numpy()
    assert (trace["fit_data"]["Sales"].to_numpy() == sales).all()
    measured = trace["observed_data"][LIFT_LIKELIHOOD].to_numpy()
    assert measured == pytest.approx(LIFT["delta_y"].to_numpy() / sales.max())
    pd.testing.assert_frame_equal(lift_table(trace), LIFT, check_dtype=False)
    assert json.loads(trace.attrs["channel_columns"]) == list(drawn.config.channel_columns)


def test_a_fits_draws_have_the_level_of_its_sales(sampling: Sampling) -> None:
    """The intercept is itself again, not the level that the sampler had in its place."""
    drawn = drawn_model()
    used = scaling_of(drawn.config, drawn.table)
    posterior = sampling.trace["posterior"].to_dataset()
    weekly = Response(drawn.config, used, posterior, drawn.table).mean(drawn.table)
    assert weekly.mean(axis=1) == pytest.approx(drawn.table["Sales"].mean(), rel=0.2)
    assert weekly.mean() == pytest.approx(drawn.table["Sales"].mean(), rel=0.02)
