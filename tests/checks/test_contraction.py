"""How much the data told: priors and posteriors whose answer is known."""

import numpy as np
import pytest
import xarray as xr

from default_priors import DEFAULT_PARAMETERS
from helpers import convergent_trace
from mmm_demo.checks.contraction import contraction_table, not_identified
from mmm_demo.settings.experiment import ModelConfig
from mmm_demo.settings.priors import PriorConfig

MODEL = ModelConfig(channel_columns=("TV", "Radio"), control_columns=("Trend",))
RNG = np.random.default_rng(3)


def posterior(**given: np.ndarray) -> xr.Dataset:
    """Return draws of every parameter, some of them given as (chain, draw, item)."""
    draws = convergent_trace(MODEL)["posterior"].to_dataset().copy()
    for name, values in given.items():
        shape = draws[name].shape
        draws[name] = (draws[name].dims, values.reshape(shape))
    return draws


def test_posterior_that_is_the_prior_is_not_identified() -> None:
    shape = convergent_trace(MODEL)["posterior"]["adstock_alpha"].shape
    draws = RNG.beta(1, 3, shape)
    draws[..., 1] = RNG.beta(60, 60, shape[:-1])  # Radio is known well
    table = contraction_table(posterior(adstock_alpha=draws), MODEL).set_index(
        ["parameter", "item"]
    )
    assert table.loc[("adstock_alpha", "TV"), "contraction"] == pytest.approx(0, abs=0.1)
    assert table.loc[("adstock_alpha", "Radio"), "contraction"] > 0.9
    assert not table.loc[("adstock_alpha", "TV"), "identified"]
    assert table.loc[("adstock_alpha", "Radio"), "identified"]
    assert "adstock_alpha[TV]" in not_identified(table.reset_index())
    assert "adstock_alpha[Radio]" not in not_identified(table.reset_index())


def test_posterior_as_wide_as_the_prior_but_elsewhere_is_identified() -> None:
    shape = convergent_trace(MODEL)["posterior"]["gamma_control"].shape
    moved = posterior(gamma_control=RNG.normal(0.08, 0.1, shape))
    table = contraction_table(moved, MODEL).set_index("parameter")
    assert table.loc["gamma_control", "contraction"] == pytest.approx(0, abs=0.1)
    assert table.loc["gamma_control", "identified"]


def test_unmeasured_is_not_identified() -> None:
    shape = convergent_trace(MODEL)["posterior"]["y_sigma"].shape
    table = contraction_table(posterior(y_sigma=np.full(shape, np.nan)), MODEL)
    assert "y_sigma" in not_identified(table)


def test_every_parameter_has_a_row() -> None:
    table = contraction_table(posterior(), MODEL)
    assert len(table) == 1 + 3 * 2 + 1 + 4 + 1


@pytest.mark.parametrize(
    ("prior", "mean", "sd"),
    [
        (PriorConfig("Normal", {"mu": 1.0, "sigma": 2.0}), 1.0, 2.0),
        (PriorConfig("Laplace", {"mu": 1.0, "b": 2.0}), 1.0, 8**0.5),
        (PriorConfig("StudentT", {"nu": 4.0, "mu": 1.0, "sigma": 2.0}), 1.0, 8**0.5),
        (PriorConfig("HalfNormal", {"sigma": 2.0}), 2 * (2 / np.pi) ** 0.5, 1.2056),
        (PriorConfig("Gamma", {"alpha": 3.0, "beta": 2.0}), 1.5, 0.75**0.5),
        (PriorConfig("LogNormal", {"mu": 0.0, "sigma": 1.0}), np.exp(0.5), 2.1612),
        (PriorConfig("Exponential", {"lam": 4.0}), 0.25, 0.25),
        (PriorConfig("Beta", {"alpha": 1.0, "beta": 3.0}), 0.25, 0.0375**0.5),
    ],
    ids=lambda value: getattr(value, "distribution", ""),
)
def test_moments_of_every_distribution(prior: PriorConfig, mean: float, sd: float) -> None:
    model = ModelConfig(channel_columns=("TV",), yearly_seasonality=0)
    model.full_priors["intercept"] = prior  # some that no intercept may have
    table = contraction_table(convergent_trace(model)["posterior"].to_dataset(), model)
    row = table.set_index("parameter").loc["intercept"]
    assert row["prior_mean"] == pytest.approx(mean, rel=1e-3)
    assert row["prior_sd"] == pytest.approx(sd, rel=1e-3)


def test_no_distribution_is_forgotten() -> None:
    tested = {"Normal", "Laplace", "StudentT", "HalfNormal", "Gamma", "LogNormal"}
    possible = {name for item in DEFAULT_PARAMETERS.values() for name in item.support}
    assert possible == tested | {"Exponential", "Beta"}
