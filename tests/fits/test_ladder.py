"""The attempts of a fit, how a run says which one it kept, and which models share a compilation."""

from dataclasses import replace

import pandas as pd
import pytest

from drawn_model import drawn_model
from mmm_demo.fits.ladder import Attempt, attempt_params, graph_key, ladder, read_attempt
from mmm_demo.settings.experiment import ModelConfig, SamplerConfig, ScalingConfig
from mmm_demo.settings.priors import PriorConfig

TARGETS = (0.6, 0.8, SamplerConfig().target_accept, 0.95, 0.98, 0.99, 0.995, 0.999)

# Attempts


@pytest.mark.parametrize("target", TARGETS)
def test_each_attempt_is_another_way_and_none_less_careful_than_asked(target: float) -> None:
    attempts = ladder(target)
    assert len(attempts) > 1
    assert len(set(attempts)) == len(attempts)
    assert len({str(attempt) for attempt in attempts}) == len(attempts)
    assert attempts[0].target_accept == target
    for attempt in attempts:
        assert target <= attempt.target_accept < 1
        assert attempt.adaptation in ("low_rank", "diag")
        assert attempt.longer >= 1


def test_an_attempt_says_what_it_is_and_the_usual_stays_unsaid() -> None:
    assert str(Attempt(0.9)) == "low_rank, target_accept 0.9"
    assert str(Attempt(0.99, "diag", 3)) == "diag, target_accept 0.99, 3 times the warm-up"


def as_logged(params: dict[str, str | float | int]) -> dict[str, str]:
    """Return params as MLflow gives them back."""
    return {name: str(value) for name, value in params.items()}


@pytest.mark.parametrize("target", TARGETS)
def test_a_run_that_logged_its_attempts_gives_each_of_them_back(target: float) -> None:
    attempts = dict(enumerate(ladder(target), 1))
    params: dict[str, str] = {}
    for number, attempt in attempts.items():
        params |= as_logged(attempt_params(number, attempt))
    for number, attempt in attempts.items():
        assert read_attempt(params, str(number)) == attempt


def test_no_param_of_an_attempt_is_that_of_another() -> None:
    one, other = (attempt_params(number, Attempt(0.9)) for number in (1, 2))
    assert one.keys().isdisjoint(other)
    assert len(one) == len(other) == 3


def test_an_older_run_says_the_target_only_and_moved_by_the_only_way_there_was() -> None:
    params = {"sampler.attempt_1.target_accept": "0.98", "sampler.attempt_2.target_accept": "0.99"}
    assert read_attempt(params, "2") == Attempt(0.99, "low_rank", 1)


@pytest.mark.parametrize(
    ("params", "number", "said"),
    [
        ({}, "1", "missing"),
        ({"target_accept": "0.98"}, "2", "missing"),
        ({"target_accept": "0.98"}, "?", "missing"),
        ({"target_accept": "high"}, "1", "high"),
        ({"target_accept": "0.98", "warm_up_times": "some"}, "1", "some"),
        ({"adaptation": "diag", "warm_up_times": "3"}, "1", "missing"),
    ],
)
def test_a_run_that_does_not_say_how_it_moved_is_refused(params, number, said) -> None:
    logged = {f"sampler.attempt_1.{name}": value for name, value in params.items()}
    with pytest.raises(ValueError, match=rf"attempt_{'[?]' if number == '?' else number}.*{said}"):
        read_attempt(logged, number)


# One compilation for many models

CONFIG = drawn_model().config
LIFT = pd.DataFrame({"channel": ["TV"], "x": [1.0], "delta_x": [1.0], "delta_y": [1.0],
                     "sigma": [1.0], "date": [pd.Timestamp("2023-06-05")]})  # fmt: skip


def with_prior(name: str, prior: PriorConfig) -> ModelConfig:
    return replace(CONFIG, priors=CONFIG.priors | {name: prior})


@pytest.mark.parametrize(
    "config",
    [
        replace(CONFIG, adstock_max_lag=2),
        replace(CONFIG, adstock_max_lag=8),
        replace(CONFIG, scaling=ScalingConfig(1.0, (1.0, 1.0))),
        with_prior("y_sigma", PriorConfig("HalfNormal", {"sigma": 0.9}, "other")),
        with_prior("saturation_beta", PriorConfig("HalfNormal", {"sigma": (0.9, 0.1)}, "other")),
    ],
)
def test_lag_scaling_and_values_of_priors_need_no_compilation(config):
    assert graph_key(config, None, 8) == graph_key(CONFIG, None, 8)


@pytest.mark.parametrize(
    "config",
    [
        replace(CONFIG, yearly_seasonality=2),
        replace(CONFIG, yearly_seasonality=0),
        replace(CONFIG, saturation="s_shaped"),
        replace(CONFIG, adstock="binomial"),
        replace(CONFIG, control_columns=()),
        replace(CONFIG, control_columns=("Price",)),
        replace(CONFIG, channel_columns=("Radio", "TV")),
        with_prior("y_sigma", PriorConfig("Gamma", {"alpha": 2.0, "beta": 9.0}, "other")),
        with_prior("saturation_beta", PriorConfig("HalfNormal", {"sigma": 0.2}, "one for all")),
        with_prior("saturation_lam", PriorConfig("Gamma", {"alpha": (3, 3), "beta": 1.0}, "own")),
    ],
)
def test_other_shapes_of_the_model_need_one(config):
    assert graph_key(config, None, 8) != graph_key(CONFIG, None, 8)


def test_so_do_another_longest_lag_and_lift_tests():
    key = graph_key(CONFIG, None, 8)
    assert graph_key(CONFIG, None, 9) != key
    tested = graph_key(CONFIG, LIFT, 8)
    assert tested != key
    assert graph_key(CONFIG, LIFT.assign(sigma=2.0), 8) != tested
    scaled = replace(CONFIG, scaling=ScalingConfig(1.0, (1.0, 1.0)))
    assert graph_key(scaled, LIFT, 8) != tested  # tests are compiled in scaled
