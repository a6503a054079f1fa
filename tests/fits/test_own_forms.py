"""Channels that differ: one graph, the same arrays, and nothing that a channel does not have."""

from dataclasses import replace

import numpy as np
import pymc as pm
import pytest
import xarray as xr

from mmm_demo.checks.contraction import contraction_table
from mmm_demo.checks.identification import prior_roas
from mmm_demo.checks.pointwise import fitted_log_likelihood, log_prior
from mmm_demo.fits.build import build_model
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.kernel import compile_kernel
from mmm_demo.fits.ladder import Attempt, graph_key
from mmm_demo.fits.sampler import Kernels, draw
from mmm_demo.settings.experiment import ModelConfig, SamplerConfig, free_parameters
from own_forms import CONCAVE, MEDIA, STEEP, as_fitted, own_forms, own_model

FEW = SamplerConfig(draws=60, tune=100, chains=2, seed=5)
FORMS = [
    pytest.param({"media": MEDIA}, id="mixed"),
    pytest.param({"media": CONCAVE}, id="concave"),
    pytest.param({"media": {"TV": {"max_lag": 2}}}, id="a lag of its own"),
    pytest.param({"media": {"TV": {"adstock": "delayed"}}, "adstock": "binomial"}, id="binomial"),
    pytest.param({"media": {}, "adstock": "delayed", "saturation": "hill"}, id="delayed hill"),
    pytest.param({"media": {}, "adstock": "none", "saturation": "linear"}, id="none linear"),
]


def media_only(fitted: FittedModel) -> np.ndarray:
    return fitted.response.contributions(fitted.spend.to_numpy())


# The graph


@pytest.mark.parametrize("settings", FORMS)
@pytest.mark.parametrize("longest_lag", [None, 9])
def test_the_graph_has_the_parameters_and_the_mean_that_the_arrays_have(
    settings, longest_lag
) -> None:
    fitted = as_fitted(own_model(**settings), draws=8)
    model = build_model(fitted.config, fitted.table, longest_lag=longest_lag).model
    shapes = model.eval_rv_shapes()
    sizes = {item.name: int(np.prod(shapes[item.name])) for item in model.free_RVs}
    assert sizes == free_parameters(fitted.config)
    found = pm.compute_deterministics(
        fitted.response.posterior,
        model=model,
        var_names=["mu", "channel_contribution"],
        progressbar=False,
        compile_kwargs={"mode": "FAST_COMPILE"},
    ).stack(sample=("chain", "draw"))
    theirs = found["channel_contribution"].transpose("sample", "date", "channel").to_numpy()
    np.testing.assert_allclose(
        media_only(fitted), theirs * fitted.target_scale, rtol=1e-8, atol=1e-8
    )
    mean = found["mu"].transpose("sample", "date").to_numpy() * fitted.target_scale
    np.testing.assert_allclose(fitted.response.mean(fitted.table), mean, rtol=1e-8)


def test_weeks_beyond_a_channels_own_lag_bring_nothing() -> None:
    weights = own_forms().response.weights
    assert weights.shape[1] == own_forms().config.longest_lag == 6
    for channel, lag in enumerate((6, 4, 1)):
        assert (weights[:, :lag, channel] > 0).all()
        assert (weights[:, lag:, channel] == 0).all()
    assert weights.sum(axis=1) == pytest.approx(1.0)


def test_a_channel_keeps_what_it_has_whatever_the_others_are() -> None:
    """The same draws: Radio's contribution is that of a model in which all are as Radio is."""
    fitted = own_forms()
    alone = own_model({}, saturation="hill")
    posterior, dims = fitted.response.posterior, ("chain", "draw", "channel")
    names = ("adstock_alpha", "saturation_lam", "saturation_beta", "saturation_slope")
    radio = {name: np.repeat(posterior[name].to_numpy()[..., [1]], 3, axis=2) for name in names}
    same = xr.Dataset({name: (dims, values) for name, values in radio.items()})
    response = replace(fitted.response, config=alone, posterior=same)
    found = response.contributions(fitted.spend.to_numpy())[:, :, 1]
    np.testing.assert_allclose(media_only(fitted)[:, :, 1], found, rtol=1e-12)


# What comes after a fit


def test_every_parameter_has_a_row_for_each_channel_that_has_it_and_no_number_is_missing() -> None:
    fitted = own_forms()
    posterior = fitted.trace["posterior"].to_dataset()
    table = contraction_table(posterior, fitted.config)
    of = table.groupby("parameter")["item"].agg(list)
    assert of["adstock_theta"] == ["TV"]
    assert of["adstock_alpha"] == of["saturation_lam"] == of["saturation_slope"] == ["TV", "Radio"]
    assert of["saturation_beta"] == ["TV", "Radio", "Search"]
    assert np.isfinite(table.drop(columns=["parameter", "item", "identified"])).all(axis=None)
    assert np.isfinite(log_prior(posterior, fitted.config)).all()
    assert np.isfinite(prior_roas(fitted, draws=30)).all()
    steep = table.set_index(["parameter", "item"])["prior_mean"]["saturation_slope"]
    assert steep["TV"] == pytest.approx(np.exp(0.35 + 0.125))
    assert steep["Radio"] == pytest.approx(np.exp(0.5 + 0.045))


def test_its_parts_add_up_in_the_librarys_graph() -> None:
    fitted = as_fitted(own_model(MEDIA), draws=6)
    parts = fitted.decompose()
    gap = parts.mean - parts.non_media - parts.channels.sum("channel")
    assert abs(gap).max() < 1e-8 * fitted.observed.max()
    np.testing.assert_allclose(parts.channels.to_numpy(), media_only(fitted), rtol=1e-8, atol=1e-6)
    ours = fitted.response.roas(fitted.spend.to_numpy())
    np.testing.assert_allclose(fitted.roas().to_numpy(), ours, rtol=1e-8)
    assert np.isfinite(fitted_log_likelihood(fitted)).all()


# One compilation, and none where nothing differs


def key(**settings: object) -> str:
    return graph_key(own_model(**settings), None, 12)


def test_models_share_a_compilation_where_only_numbers_differ() -> None:
    own = {"media": MEDIA}
    later = {"media": MEDIA | {"TV": MEDIA["TV"] | {"max_lag": 9}}, "adstock_max_lag": 8}
    assert key(**own) == key(**later)
    steep = STEEP | {"mu": 0.2}
    flat = MEDIA["Radio"] | {"priors": {"saturation_slope": steep}}
    assert key(**own) == key(media=MEDIA | {"Radio": flat})
    assert key(media={}) == key(media={"TV": {"adstock": "geometric", "max_lag": 4}})
    for other in (
        {"media": {}},
        {"media": CONCAVE},
        {"media": {"TV": {"max_lag": 2}}},
        {"media": {"Radio": MEDIA["TV"], "TV": MEDIA["Radio"], "Search": MEDIA["Search"]}},
        own | {"saturation": "s_shaped", "media": {"TV": MEDIA["TV"]}},
    ):
        assert key(**other) != key(**own), other


def test_an_entry_that_says_what_the_model_says_draws_the_same_bits() -> None:
    config = own_model({})
    same = own_model({"TV": {"adstock": "geometric", "max_lag": 4, "saturation": "logistic"}})
    table, kernels = own_forms().table, Kernels(2)

    def drawn(of: ModelConfig) -> dict[str, np.ndarray]:
        made = draw(of, table, FEW, Attempt(0.9), longest_lag=6, cores=2, kernels=kernels)
        return {str(n): np.asarray(v) for n, v in made.trace["posterior"].data_vars.items()}

    one, other = drawn(config), drawn(same)
    assert one.keys() == other.keys() and all((one[n] == other[n]).all() for n in one)


@pytest.mark.slow
def test_other_lags_weeks_and_priors_need_no_other_kernel() -> None:
    config, table = own_forms().config, own_forms().table
    kernel = compile_kernel(build_model(config, table, longest_lag=9).model)
    media = MEDIA | {"TV": MEDIA["TV"] | {"max_lag": 9}}
    other = own_model(media, adstock_max_lag=2)
    again = build_model(other, table.head(70), longest_lag=9).model
    fresh, shared = compile_kernel(again), kernel.with_data(again)
    place = np.random.default_rng(1).normal(0, 0.5, sum(item.size for item in kernel.items))
    data = {name: np.asarray(value) for name, value in shared.compiled.shared_data.items()}
    own = {name: np.asarray(value) for name, value in fresh.compiled.shared_data.items()}
    assert data.keys() == own.keys()
    assert all(np.array_equal(data[name], own[name]) for name in own)
    value, slope = fresh.compiled.logp_func(place)
    assert np.isfinite(value) and np.isfinite(slope).all()
