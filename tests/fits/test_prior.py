"""The one sampler of priors: held to the library's own draws of the same seed."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from drawn_model import drawn_model
from mmm_demo.fits.build import build_model, features, target, target_scale
from mmm_demo.fits.prior import PRIOR_DRAWS, prior_draws, sample_prior
from mmm_demo.settings.experiment import (
    MediaConfig,
    ModelConfig,
    ScalingConfig,
    free_parameters,
)
from mmm_demo.settings.priors import PriorConfig

TABLE = drawn_model().table
PLAIN = ModelConfig(channel_columns=("TV", "Radio"), adstock_max_lag=3, yearly_seasonality=0)
WIDE = {
    "intercept": PriorConfig("StudentT", {"nu": 3, "mu": 0.1, "sigma": 0.5}, "wide"),
    "saturation_lam": PriorConfig("LogNormal", {"mu": 0.0, "sigma": (0.5, 2)}, "wide"),
    "saturation_beta": PriorConfig("Exponential", {"lam": (1.0, 2.0)}, "wide"),
    "gamma_control": PriorConfig("Laplace", {"mu": -0.3, "b": 0.7}, "wide"),
    "gamma_fourier": PriorConfig("Normal", {"mu": (0.2, -0.2), "sigma": (1, 0.4)}, "wide"),
    "y_sigma": PriorConfig("Gamma", {"alpha": 2.0, "beta": 4.0}, "wide"),
}
MODELS = {
    "drawn": drawn_model().config,
    "media only": PLAIN,
    "every kind of prior": replace(
        drawn_model().config, priors=WIDE, adstock="binomial", saturation="s_shaped"
    ),
    "season, no controls": replace(PLAIN, yearly_seasonality=2, saturation="michaelis_menten"),
    "a champion's scaling": replace(PLAIN, scaling=ScalingConfig(2e6, (1e5, 3e5))),
    "no carryover, linear": replace(PLAIN, adstock="none", saturation="linear"),
}
# PyMC hands their streams out in another order, which hangs on the graph.
ALIKE = {
    "delayed hill": replace(PLAIN, adstock="delayed", saturation="hill"),
    "channels that differ": replace(
        drawn_model().config,
        media={"Radio": MediaConfig("delayed", 6, "hill"), "TV": MediaConfig("none")},
    ),
}
MANY = 4000


def librarys(
    config: ModelConfig, table: pd.DataFrame, seed: int, draws: int = PRIOR_DRAWS
) -> np.ndarray:
    """Return PyMC-Marketing's draws of sales, shape (sample, week)."""
    mmm = build_model(config, table)
    drawn = mmm.sample_prior_predictive(
        features(config, table, table),
        target(config, table),
        samples=draws,
        random_seed=seed,
        compile_kwargs={"mode": "FAST_COMPILE"},
    )
    return drawn["y"].transpose("sample", "date").to_numpy() * target_scale(mmm)


@pytest.mark.parametrize("name", MODELS)
def test_draws_are_the_librarys_own_of_the_same_seed(name: str) -> None:
    config = MODELS[name]
    ours, theirs = sample_prior(config, TABLE, seed=3), librarys(config, TABLE, seed=3)
    assert ours.shape == theirs.shape == (PRIOR_DRAWS, len(TABLE))
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("name", ALIKE)
def test_draws_are_of_the_librarys_law_in_any_other_order(name: str) -> None:
    config = ALIKE[name]
    ours = sample_prior(config, TABLE, seed=3, draws=MANY)
    theirs = librarys(config, TABLE, 3, MANY)
    for measure in (lambda sales: sales.mean(axis=1), lambda sales: sales.std(axis=1)):
        ends = [
            np.quantile(measure(sales), [0.05, 0.25, 0.5, 0.75, 0.95]) for sales in (ours, theirs)
        ]
        assert ends[0] == pytest.approx(ends[1], abs=0.12 * measure(theirs).std())


def test_another_seed_and_another_prior_are_seen() -> None:
    first = sample_prior(PLAIN, TABLE, seed=3)
    assert (first == sample_prior(PLAIN, TABLE, seed=3)).all()
    assert (first != sample_prior(PLAIN, TABLE, seed=4)).all()
    louder = replace(PLAIN, priors={"y_sigma": WIDE["y_sigma"]})
    assert sample_prior(louder, TABLE, seed=3).std() > 1.5 * first.std()


def test_parameters_are_drawn_in_the_order_and_from_the_streams_that_are_given() -> None:
    rng = np.random.default_rng(1)
    drawn = prior_draws(PLAIN, 7, {"saturation_lam": rng, "intercept": rng, "gamma_control": rng})
    assert list(drawn) == ["saturation_lam", "intercept_contribution"]  # it has no controls
    again = np.random.default_rng(1)
    assert (drawn["saturation_lam"].to_numpy() == again.gamma(3, size=(1, 7, 2))).all()
    assert (drawn["intercept_contribution"].to_numpy() == again.normal(0.5, 0.25, (1, 7))).all()


@pytest.mark.parametrize("name", MODELS)
def test_all_parameters_have_the_sizes_of_a_fit(name: str) -> None:
    config = MODELS[name]
    drawn = prior_draws(config, 5, dict.fromkeys(config.priors, np.random.default_rng(1)))
    sizes = {str(name): values[0, 0].size for name, values in drawn.items()}
    assert sizes == free_parameters(config)
