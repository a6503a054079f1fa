"""Reading one prior: what it may be, what it must say, and what the defaults promise."""

import numpy as np
import pytest
from pymc_extras.prior import Prior

from default_priors import DEFAULT_PARAMETERS, DEFAULT_PRIORS
from mmm_demo.settings.priors import (
    LOCATIONS,
    PriorConfig,
    prior_to_dict,
    read_prior,
)

SUPPORTS = {name: item.support for name, item in DEFAULT_PARAMETERS.items()}
WHY = {"rationale": "an earlier test says so"}


def test_every_parameter_has_a_default_of_its_own_support() -> None:
    assert list(DEFAULT_PRIORS) == list(SUPPORTS)
    for name, prior in DEFAULT_PRIORS.items():
        assert set(prior.parameters) == set(SUPPORTS[name][prior.distribution]), name


@pytest.mark.parametrize("name", SUPPORTS)
def test_every_distribution_is_one_that_the_library_knows(name: str) -> None:
    for distribution, parameters in SUPPORTS[name].items():
        Prior(distribution, **dict.fromkeys(parameters, 1.0))  # raises on an unknown name


def draw(prior: PriorConfig) -> np.ndarray:
    built = Prior(prior.distribution, **prior.parameters)
    fast = {"mode": "FAST_COMPILE"}
    draws = built.sample_prior(draws=2000, random_seed=1, compile_kwargs=fast)
    return draws["variable"].to_numpy().ravel()


@pytest.mark.parametrize("name", SUPPORTS)
def test_support_is_what_the_parameter_needs(name: str) -> None:
    for distribution, parameters in SUPPORTS[name].items():
        flat = {"distribution": distribution} | dict.fromkeys(parameters, 1.0) | WHY
        draws = draw(read_prior(DEFAULT_PARAMETERS[name], flat, None))
        if name in ("saturation_lam", "saturation_beta", "y_sigma"):
            assert (draws > 0).all(), distribution
        elif name == "adstock_alpha":
            assert ((draws > 0) & (draws < 1)).all(), distribution
        elif name.startswith("gamma"):
            assert (draws < 0).any() and (draws > 0).any(), distribution


def test_defaults_say_what_their_comment_says() -> None:
    intercept = draw(DEFAULT_PRIORS["intercept"])
    assert ((intercept > 0) & (intercept < 1)).mean() > 0.9
    assert (draw(DEFAULT_PRIORS["saturation_beta"]) > 0.5).mean() < 0.06
    assert np.abs(draw(DEFAULT_PRIORS["gamma_control"])).mean() < 0.1
    assert np.abs(draw(DEFAULT_PRIORS["gamma_fourier"])).mean() < 0.15


@pytest.mark.parametrize("name", SUPPORTS)
def test_every_scale_must_be_positive_and_every_location_may_be_anything(name: str) -> None:
    for distribution, parameters in SUPPORTS[name].items():
        good = {"distribution": distribution} | dict.fromkeys(parameters, 1.5) | WHY
        for parameter in parameters:
            for bad in (0, 0.0, -1.0):
                if parameter in LOCATIONS:
                    assert read_prior(DEFAULT_PARAMETERS[name], good | {parameter: bad}, None)
                    continue
                with pytest.raises(ValueError, match=f"{parameter} must be positive, got {bad}"):
                    read_prior(DEFAULT_PARAMETERS[name], good | {parameter: bad}, None)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), None, "1", True, {}])
@pytest.mark.parametrize("as_list", [False, True])
def test_value_that_is_no_finite_number_is_refused(value: object, as_list: bool) -> None:
    given = {"distribution": "Normal", "mu": [0.0, value] if as_list else value, "sigma": 1} | WHY
    with pytest.raises(ValueError, match="mu must be a finite number"):
        read_prior(DEFAULT_PARAMETERS["gamma_control"], given, 2)


def test_list_gives_one_value_each() -> None:
    given = {"distribution": "Beta", "alpha": [1, 2, 3], "beta": 3} | WHY
    prior = read_prior(DEFAULT_PARAMETERS["adstock_alpha"], given, 3)
    assert prior.parameters == {"alpha": (1.0, 2.0, 3.0), "beta": 3.0}
    assert str(prior) == "Beta(alpha=[1, 2, 3], beta=3)"
    for length in (2, 4):
        with pytest.raises(ValueError, match=f"alpha needs {length} values, one for each, got 3"):
            read_prior(DEFAULT_PARAMETERS["adstock_alpha"], given, length)
    with pytest.raises(ValueError, match="alpha takes one number, got a list of 3"):
        read_prior(DEFAULT_PARAMETERS["adstock_alpha"], given, None)


def test_equal_values_written_as_a_list_still_need_a_rationale() -> None:
    given = {"distribution": "HalfNormal", "sigma": [0.25, 0.25]}
    with pytest.raises(ValueError, match="rationale"):
        read_prior(DEFAULT_PARAMETERS["saturation_beta"], given, 2)


def test_parameters_in_another_order_are_the_same_prior() -> None:
    given = {"sigma": 0.25, "mu": 0.5, "distribution": "Normal"}
    assert read_prior(DEFAULT_PARAMETERS["intercept"], given, None) == DEFAULT_PRIORS["intercept"]


def test_ready_prior_is_read_as_strictly_as_a_written_one() -> None:
    made = PriorConfig("HalfNormal", {"sigma": 2.0})
    with pytest.raises(ValueError, match="rationale"):
        read_prior(DEFAULT_PARAMETERS["saturation_beta"], made, 2)
    reasoned = PriorConfig("HalfNormal", {"sigma": 2.0}, "because")
    assert read_prior(DEFAULT_PARAMETERS["saturation_beta"], reasoned, 2) == reasoned


@pytest.mark.parametrize("name", DEFAULT_PRIORS)
def test_round_trip(name: str) -> None:
    assert (
        read_prior(DEFAULT_PARAMETERS[name], prior_to_dict(DEFAULT_PRIORS[name]), 4)
        == DEFAULT_PRIORS[name]
    )
    parameters = next(iter(SUPPORTS[name].items()))[1]
    flat = {"distribution": next(iter(SUPPORTS[name]))} | dict.fromkeys(parameters, 3.0) | WHY
    assert prior_to_dict(read_prior(DEFAULT_PARAMETERS[name], flat, 4)) == flat
