"""An experiment is valid as a whole, and every value of it is in its fingerprint."""

import math
from datetime import date, datetime
from typing import Any

import pytest

from default_priors import DEFAULT_PRIORS
from helpers import PROJECT, TIGHTER, make_experiment, plain_experiment, refusal, small_model
from mmm_demo.settings.experiment import (
    ConfigError,
    ExperimentConfig,
    GateConfig,
    ModelConfig,
    ScalingConfig,
    registered_model_name,
    to_dict,
)
from mmm_demo.settings.experiment_file import flat_params, from_dict, load_experiment
from mmm_demo.settings.limits import EvidenceConfig

EXPERIMENTS = sorted((PROJECT / "experiments").glob("*.yaml"))
WHY = {"rationale": "an earlier test says so"}


def test_small_experiment_gets_every_default() -> None:
    experiment = make_experiment()
    assert experiment.model.adstock_max_lag == 8
    assert (experiment.model.date_column, experiment.model.target_column) == ("Week", "Sales")
    sampler = experiment.sampler
    assert (sampler.draws, sampler.tune, sampler.chains) == (1000, 600, 4)
    assert sampler.target_accept == 0.95
    assert experiment.model.priors == DEFAULT_PRIORS
    assert experiment.gate == GateConfig()
    assert experiment.evidence == EvidenceConfig()
    assert (experiment.model.saturation, experiment.model.scaling) == ("logistic", None)
    assert experiment.model.adstock == "geometric"
    assert (experiment.data.lift_tests, experiment.budget.start) == (None, None)
    assert (experiment.data.groups, experiment.data.trend) == ({}, "none")


def test_experiment_is_frozen() -> None:
    with pytest.raises(AttributeError):
        make_experiment().model.adstock_max_lag = 4


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"sampler": {"draws": True}}, "sampler.draws"),
        ({"sampler": {"draws": "many"}}, "got 'many'"),
        ({"sampler": {"draws": "1000"}}, "got '1000'"),
        ({"sampler": {"draws": 1000.5}}, "got 1000.5"),
        ({"sampler": {"chains": 0}}, "sampler.chains"),
        ({"sampler": {"seed": -1}}, "sampler.seed"),
        ({"sampler": {"target_accept": math.nan}}, "sampler.target_accept"),
        ({"sampler": None}, "sampler"),
        ({"model": []}, "model"),
        ({"model": {"channel_columns": "TV"}}, "model.channel_columns"),
        ({"model": {"channel_columns": []}}, "model.channel_columns"),
        ({"model": {"channel_columns": [""]}}, "model.channel_columns.0"),
        ({"model": {"channel_columns": ["TV", "TV"]}}, "columns with two roles: TV"),
        ({"model": {"channel_columns": ["Sales"]}}, "columns with two roles: Sales"),
        ({"model": small_model(control_columns=["TV"])}, "columns with two roles: TV"),
        ({"model": small_model(adstock_max_lag=53)}, "model.adstock_max_lag"),
        ({"model": small_model(yearly_seasonality=11)}, "model.yearly_seasonality"),
        (
            {"model": small_model(adstock="weibull")},
            "model.adstock: unknown adstock 'weibull'; known: geometric, binomial",
        ),
        ({"data": {"trend": "quadratic"}}, "data.trend: Input should be 'none' or 'linear'"),
        (
            {"model": small_model(saturation="steep")},
            "unknown saturation 'steep'; known: logistic, michaelis_menten, s_shaped, hill, linear",
        ),
        ({"model": small_model(saturation=None)}, "model.saturation"),
        ({"model": small_model(saturation=True)}, "model.saturation"),
        ({"data": {"lift_tests": ""}}, "data.lift_tests"),
        ({"data": {"lift_tests": ["lift.csv"]}}, "data.lift_tests"),
        ({"data": {"source": "excel"}}, "'simulated', 'csv' or 'kaggle'"),
        ({"data": {"source": "csv"}}, "a path goes with csv"),
        ({"data": {"source": "simulated", "path": "a.csv"}}, "a path goes with csv"),
        ({"data": {"weeks": 103}}, "data.weeks"),
        ({"data": {"missing_spend": "mean"}}, "'error' or 'zero'"),
        ({"budget": {"total_budget": math.inf}}, "budget.total_budget"),
        ({"budget": {"total_budget": 0}}, "budget.total_budget"),
        ({"budget": {"bounds": {"TV": [5, 1]}}}, "TV: [5, 1]"),
        ({"budget": {"bounds": {"TV": [-1, 1]}}}, "budget.bounds.TV.0: "),
        ({"budget": {"bounds": {"TV": [0, math.nan]}}}, "budget.bounds.TV"),
        ({"budget": {"bounds": {"Tv": [0, 1]}}}, "channels are TV, Radio"),
        ({"market": "../other"}, "market"),
    ],
)
def test_nonsense_is_refused(sections: dict[str, Any], said: str) -> None:
    assert said in refusal(**sections)


# --- channels and scaling ------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [["TV Ads", "TV"], ["TV1", "TV2"], ["TV_Ads", "TVAds"]])
def test_channels_with_names_of_their_own_are_no_fault(channels: list[str]) -> None:
    model = make_experiment(model=small_model(channel_columns=channels)).model
    assert model.channel_columns == tuple(channels)


def test_scaling_is_read_as_numbers_in_the_order_of_the_channels() -> None:
    scaling = {"target": 900, "channels": [80, 70.5]}
    experiment = make_experiment(model=small_model(scaling=scaling))
    assert experiment.model.scaling == ScalingConfig(900.0, (80.0, 70.5))
    assert from_dict(to_dict(experiment), "again") == experiment
    turned = scaling | {"channels": [70.5, 80]}
    assert make_experiment(model=small_model(scaling=turned)).fingerprint != experiment.fingerprint


@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf, None, "9", True, [1.0]], ids=repr)
def test_scaling_that_is_no_positive_number_is_refused(bad: object) -> None:
    text = refusal(model=small_model(scaling={"target": bad, "channels": [1.0, 1.0]}))
    assert "model.scaling.target: " in text
    text = refusal(model=small_model(scaling={"target": 1.0, "channels": [1.0, bad]}))
    assert "model.scaling.channels.1: " in text
    with pytest.raises(ValueError, match="target"):
        ScalingConfig(target=bad, channels=(1.0,))


@pytest.mark.parametrize("channels", [[], [1.0], [1.0, 1.0, 1.0]])
def test_scaling_of_other_channels_is_refused(channels: list[float]) -> None:
    text = refusal(model=small_model(scaling={"target": 1.0, "channels": channels}))
    assert f"scaling has {len(channels)} channels, the model 2" in text
    with pytest.raises(ValueError, match="the model 1"):
        ModelConfig(("TV",), scaling=ScalingConfig(1.0, (1.0, 1.0)))


@pytest.mark.parametrize("given", [1.0, "largest", [1.0, [1.0, 1.0]], {"target": 1.0}, {}])
def test_scaling_that_is_none_is_refused(given: object) -> None:
    assert "model.scaling" in refusal(model=small_model(scaling=given))


# --- the planning window ------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["2026-01-05", "20260105", date(2026, 1, 5)], ids=repr)
def test_first_day_of_the_plan_is_kept_as_an_iso_date(start: object) -> None:
    experiment = make_experiment(budget={"start": start})
    assert experiment.budget.start == "2026-01-05"
    assert from_dict(to_dict(experiment), "again") == experiment


@pytest.mark.parametrize(
    "start",
    [
        *("", "soon", "05.01.2026", "2026-13-01", "2026-02-30", "2026-01-05 10:00", "2026-1-5"),
        *(20260105, 2026.0, True, math.nan, ["2026-01-05"], {}, datetime(2026, 1, 5, 10)),
    ],
    ids=repr,
)
def test_start_that_is_no_day_is_refused(start: object) -> None:
    text = refusal(budget={"start": start})
    assert f"budget.start: must be a day such as 2026-01-05, got {start!r}" in text


# --- priors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "prior", "said"),
    [
        ("saturation_bta", {"distribution": "HalfNormal", "sigma": 1}, "unknown prior; valid: "),
        ("intercept", {"distribution": "Normal", "mu": 0}, "Normal takes mu, sigma; got mu"),
        ("intercept", {"distribution": "Normal", "mu": 0, "sigma": 1, "nu": 3}, "got mu, sigma, n"),
        ("intercept", {"distribution": "Cauchy", "mu": 0}, "'Cauchy' not possible; valid: Normal"),
        ("intercept", {"distribution": ["Normal"]}, "['Normal'] not possible"),
        ("intercept", {"mu": 0, "sigma": 1}, "must be a mapping with a distribution"),
        ("intercept", 0.5, "must be a mapping with a distribution"),
        ("intercept", {"distribution": "Normal", "mu": [0, 1], "sigma": 1}, "takes one number"),
        ("adstock_alpha", {"distribution": "Normal", "mu": 0, "sigma": 1}, "valid: Beta"),
        ("saturation_beta", {"distribution": "Normal", "mu": 0, "sigma": 1}, "valid: HalfNormal"),
        ("y_sigma", {"distribution": "Laplace", "mu": 0, "b": 1}, "'Laplace' not possible"),
        ("gamma_control", {"distribution": "HalfNormal", "sigma": 1}, "'HalfNormal' not possible"),
        ("saturation_beta", {"distribution": "HalfNormal", "sigma": 0}, "must be positive, got 0"),
        ("saturation_beta", {"distribution": "HalfNormal", "sigma": -1}, "must be positive"),
        ("saturation_beta", {"distribution": "HalfNormal", "sigma": math.nan}, "finite number"),
        ("saturation_beta", {"distribution": "HalfNormal", "sigma": math.inf}, "finite number"),
        ("saturation_beta", {"distribution": "HalfNormal", "sigma": "1"}, "finite number, got '1'"),
        ("saturation_beta", {"distribution": "HalfNormal", "sigma": True}, "finite number"),
        ("saturation_beta", {"distribution": "HalfNormal", "sigma": [1, -1]}, "positive, got -1"),
        ("saturation_beta", {"distribution": "HalfNormal", "sigma": [1, 2, 3]}, "needs 2 values"),
        ("saturation_beta", {"distribution": "HalfNormal", "sigma": []}, "needs 2 values"),
        ("gamma_control", {"distribution": "Normal", "mu": 0, "sigma": [1, 1]}, "needs 1 values"),
        ("gamma_fourier", {"distribution": "Laplace", "mu": 0, "b": [1, 1]}, "needs 4 values"),
    ],
)
def test_impossible_prior_is_refused(name: str, prior: object, said: str) -> None:
    given = prior | WHY if isinstance(prior, dict) else prior
    text = refusal(model=small_model(priors={name: given}))
    assert said in text and name in text, text


def test_misspelt_prior_names_every_valid_one() -> None:
    text = refusal(model=small_model(priors={"beta": {"distribution": "HalfNormal", "sigma": 1}}))
    assert all(name in text for name in DEFAULT_PRIORS), text


def test_faults_of_several_priors_are_reported_together() -> None:
    priors = {"nonsense": 1, "y_sigma": {"distribution": "HalfNormal", "sigma": -1}}
    text = refusal(model=small_model(priors=priors))
    assert "nonsense: unknown prior" in text and "y_sigma: sigma must be positive" in text


def test_other_prior_needs_a_rationale() -> None:
    prior = {"distribution": "HalfNormal", "sigma": 0.5}
    text = refusal(model=small_model(priors={"saturation_beta": prior}))
    assert "HalfNormal(sigma=0.5) differs from the default HalfNormal(sigma=0.25)" in text
    assert "rationale" in text
    blank = prior | {"rationale": "  \n "}
    assert "rationale" in refusal(model=small_model(priors={"saturation_beta": blank}))


def test_the_smallest_difference_needs_a_rationale() -> None:
    prior = {"distribution": "HalfNormal", "sigma": 0.25 * (1 + 1e-12)}
    assert "rationale" in refusal(model=small_model(priors={"saturation_beta": prior}))


def test_default_prior_written_out_needs_no_rationale() -> None:
    prior = {"distribution": "Normal", "mu": 0.5, "sigma": 0.25}
    assert make_experiment(model=small_model(priors={"intercept": prior})) == make_experiment()


@pytest.mark.parametrize(
    ("name", "settings"),
    [("gamma_control", {"control_columns": []}), ("gamma_fourier", {"yearly_seasonality": 0})],
)
def test_prior_of_a_parameter_that_the_model_has_not_is_refused(
    name: str, settings: dict[str, Any]
) -> None:
    prior = {"distribution": "Normal", "mu": 0, "sigma": 3} | WHY
    text = refusal(model=small_model(**settings, priors={name: prior}))
    assert f"{name}: the model has no such parameter" in text


def test_a_faulty_count_is_not_blamed_on_the_prior() -> None:
    prior = {"distribution": "Laplace", "mu": 0, "b": [1, 1, 1, 1]} | WHY
    text = refusal(model=small_model(yearly_seasonality=99, priors={"gamma_fourier": prior}))
    assert "model.yearly_seasonality" in text and "gamma_fourier" not in text


def test_champions_never_cross_markets() -> None:
    markets = {load_experiment(path).market for path in EXPERIMENTS} | {"a", "a_b", "demo_a"}
    assert len({registered_model_name(market) for market in markets}) == len(markets)
    assert make_experiment(market="other").registered_model == "mmm_other"


def leaves(plain: object, path: tuple = ()) -> list[tuple]:
    """Return the path of every single value in nested mappings."""
    if not isinstance(plain, dict):
        return [path]
    return [leaf for key, inner in plain.items() for leaf in leaves(inner, (*path, key))]


def other(value: Any, path: tuple) -> Any:
    """Return another valid value."""
    if path[0] == "gate":
        return TIGHTER[path[1]]
    if path in OTHER:
        return OTHER[path]
    if isinstance(value, list):
        return [*value, "Another"]
    if isinstance(value, str):
        return {"simulated": "kaggle", "error": "zero"}.get(value, f"{value}_x")
    if isinstance(value, float):
        return value + 1e-6
    return 12 if value is None else value + 1


OTHER = {
    ("model", "adstock"): "binomial",
    ("model", "saturation"): "michaelis_menten",
    ("model", "scaling"): {"target": 1.0, "channels": [1.0, 1.0]},
    ("data", "lift_tests"): "lift.csv",
    ("data", "trend"): "linear",
    ("budget", "start"): "2026-01-05",
}
# Values that no single change can reach; the cases after them change these.


FIXED = {("gate", "divergences_max"), ("data", "path"), ("data", "dt_mart")}


FIXED |= {("model", "priors", name, "distribution") for name in DEFAULT_PRIORS}


SINGLE = [path for path in leaves(to_dict(make_experiment())) if path not in FIXED]


@pytest.mark.parametrize("path", SINGLE, ids=lambda path: ".".join(path))
def test_fingerprint_sees_every_value(path: tuple) -> None:
    plain = place = to_dict(make_experiment())
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = other(place[path[-1]], path)
    if path[:2] == ("model", "priors"):
        place |= WHY
    assert from_dict(plain, "changed").fingerprint != make_experiment().fingerprint


@pytest.mark.parametrize(
    "sections",
    [
        {"budget": {"bounds": {"TV": [0, 1]}}},
        {"data": {"source": "csv", "path": "a.csv"}},
        {
            "model": small_model(
                priors={"y_sigma": {"distribution": "Exponential", "lam": 0.15} | WHY}
            )
        },
        {
            "model": small_model(
                priors={"y_sigma": {"distribution": "HalfNormal", "sigma": 0.15} | WHY}
            )
        },
        {"model": small_model(channel_columns=["Radio", "TV"])},
        {"model": small_model(scaling={"target": 900, "channels": [80, 70]})},
        {"gate": {"require": ["backtest", "plausibility"], "roas_range": [0, 9]}},
        {"data": {"groups": {"TV": ["Linear", "Streaming"]}}},
    ],
)
def test_fingerprint_sees_values_that_change_together(sections: dict[str, Any]) -> None:
    changed = make_experiment(**sections)
    assert changed.fingerprint != make_experiment().fingerprint
    assert from_dict(to_dict(changed), "again").fingerprint == changed.fingerprint


# --- what the data make -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"groups": {"Digital": ["Search", "Social"]}}, "makes Digital: add to model.channel_col"),
        ({"groups": {"Trend": ["a", "b"]}}, "makes Trend: add to model.channel_columns"),
        ({"groups": {"TV": ["Radio", "Linear"]}}, "adds up Radio: take out of the model"),
        ({"groups": {"TV": ["Linear", "Sales"]}}, "adds up Sales: take out of the model"),
        ({"groups": {"TV": ["Linear"], "Radio": ["FM", "Linear"]}}, "in two groups: Linear"),
        ({"groups": {"TV": ["Linear", "Linear"]}}, "in two groups: Linear"),
        ({"groups": {"TV": ["TV", "Streaming"]}}, "TV cannot be both a group and in one"),
        ({"groups": {"TV": []}}, "data.groups.TV: "),
        ({"groups": {"TV": "Linear"}}, "data.groups.TV: "),
        ({"groups": ["TV"]}, "data.groups: "),
        ({"source": "kaggle", "groups": {"TV": ["Linear"]}}, "DT Mart has dt_mart.groups"),
    ],
)
def test_groups_that_lose_or_double_money_are_refused(data: dict[str, Any], said: str) -> None:
    assert said in refusal(data=data)


def test_groups_are_kept_in_order() -> None:
    data = make_experiment(data={"groups": {"TV": ["Linear", "Streaming"], "Radio": ["FM"]}}).data
    assert data.groups == {"TV": ("Linear", "Streaming"), "Radio": ("FM",)}
    assert data.members == ("Linear", "Streaming", "FM")
    assert data.grouping == "TV = Linear + Streaming, Radio = FM"


def test_bounds_of_a_part_of_a_channel_are_refused() -> None:
    text = refusal(
        data={"groups": {"TV": ["Linear", "Streaming"]}}, budget={"bounds": {"Linear": [0, 1]}}
    )
    assert "budget.bounds names Linear; channels are TV, Radio" in text


def test_a_trend_that_the_model_does_not_take_is_refused() -> None:
    made = {"data": {"trend": "linear"}}
    assert make_experiment(**made).data.trend == "linear"
    without = refusal(**made, model={"channel_columns": ["TV"]})
    assert "data.trend: linear makes Trend: add to model.control_columns" in without
    assert "data.trend" in refusal(**made, model={"channel_columns": ["Trend"]})


# --- DT Mart ------------------------------------------------------------------------------------


def dt_mart(**options: Any) -> ExperimentConfig:
    return from_dict(plain_experiment(data={"source": "kaggle", "dt_mart": options}), "small.yaml")


def test_dt_mart_options_are_resolved_logged_and_fingerprinted() -> None:
    plain, after = dt_mart(), dt_mart(august="start_after")
    assert plain == from_dict(plain_experiment(data={"source": "kaggle"}), "small.yaml")
    assert to_dict(plain)["data"]["dt_mart"]["august"] == "indicator"
    assert from_dict(to_dict(after), "again") == after
    assert plain.fingerprint != after.fingerprint
    params = flat_params(after)
    assert params["data.august"] == "start_after"
    assert "Digital = Digital + SEM + Content Marketing" in str(params["data.groups"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"agust": "indicator"}, "unknown key agust; valid: august, groups, radio_other"),
        ({"august": "ignore"}, "august must be one of indicator, start_after, got 'ignore'"),
        ({"groups": {"TV": ["TV"]}}, "these channels are in no group"),
    ],
)
def test_bad_dt_mart_options_are_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        dt_mart(**options)
    assert said in str(refused.value)


def test_dt_mart_options_go_with_kaggle_only() -> None:
    with pytest.raises(ConfigError, match=r"data\.dt_mart: goes with source kaggle"):
        from_dict(plain_experiment(data={"source": "simulated", "dt_mart": {}}), "small.yaml")
