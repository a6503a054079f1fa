"""An experiment is valid as a whole, or is refused with everything that is wrong with it."""

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from helpers import PROJECT, plain_experiment
from mmm_demo.config import (
    ConfigError,
    ExperimentConfig,
    GateConfig,
    flat_params,
    from_dict,
    load_experiment,
    registered_model_name,
    to_dict,
    to_yaml,
    with_budget,
)
from mmm_demo.priors import DEFAULT_PRIORS

EXPERIMENTS = sorted((PROJECT / "experiments").glob("*.yaml"))
WHY = {"rationale": "an earlier test says so"}
TIGHTER = {
    "rhat_max": 1.005,
    "ess_bulk_min": 1000.0,
    "ess_tail_min": 800.0,
    "chains_min": 6,
    "prior_extreme_share_max": 0.1,
    "prior_extreme_multiple": 3.0,
}
LOOSER = {
    "rhat_max": 1.0101,
    "ess_bulk_min": 399.9,
    "ess_tail_min": 399.9,
    "divergences_max": 1,
    "chains_min": 3,
    "prior_extreme_share_max": 0.21,
    "prior_extreme_multiple": 5.1,
}


def make(**sections: Any) -> ExperimentConfig:
    return from_dict(plain_experiment(**sections), "small.yaml")


def model(**settings: Any) -> dict[str, Any]:
    return {"channel_columns": ["TV", "Radio"], "control_columns": ["Trend"]} | settings


def refusal(**sections: Any) -> str:
    with pytest.raises(ConfigError) as refused:
        make(**sections)
    return str(refused.value)


def write(folder: Path, text: str) -> Path:
    path = folder / "written.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_small_experiment_gets_every_default() -> None:
    experiment = make()
    assert experiment.model.adstock_max_lag == 8
    assert (experiment.model.date_column, experiment.model.target_column) == ("Week", "Sales")
    sampler = experiment.sampler
    assert (sampler.draws, sampler.tune, sampler.chains) == (2000, 1000, 4)
    assert sampler.target_accept == 0.98
    assert experiment.model.priors == DEFAULT_PRIORS
    assert experiment.gate == GateConfig()


def test_experiment_is_frozen() -> None:
    with pytest.raises(AttributeError):
        make().model.adstock_max_lag = 4


def test_all_faults_are_reported_together() -> None:
    text = refusal(
        name="Not A Slug",
        data={"source": "csv"},
        model=model(adstock_max_lag=0, priors={"gamma_contrl": {"distribution": "Normal"}}),
        sampler={"draws": -1, "target_accept": 1.5, "warmup": 3},
        gate={"rhat_max": 1.2},
        budget={"total_budget": -5},
        extra=1,
    )
    assert text.startswith("small.yaml is not valid:")
    places = (
        "name",
        "data",
        "model.adstock_max_lag",
        "model.priors",
        "sampler.draws",
        "sampler.target_accept",
        "sampler.warmup",
        "gate.rhat_max",
        "budget.total_budget",
        "extra",
    )
    lines = text.splitlines()[1:]
    missing = [place for place in places if not any(f"  {place}: " in line for line in lines)]
    assert not missing, text
    assert len(lines) == len(places), text


@pytest.mark.parametrize(
    ("section", "key", "valid"),
    [
        (None, "modle", "budget, data, description, gate, market, model, name, sampler"),
        ("data", "sorce", "missing_spend, path, seed, source, weeks"),
        ("model", "max_lag", "adstock_max_lag, channel_columns, control_columns"),
        ("sampler", "drawz", "chains, draws, seed, target_accept, tune"),
        ("gate", "rhat", "rhat_max"),
        ("budget", "total", "bounds, total_budget, weeks"),
    ],
)
def test_unknown_key_names_the_valid_ones(section: str | None, key: str, valid: str) -> None:
    content = plain_experiment()
    place = content if section is None else content.setdefault(section, {})
    place[key] = 1
    with pytest.raises(ConfigError) as refused:
        from_dict(content, "small.yaml")
    path = key if section is None else f"{section}.{key}"
    assert f"{path}: unknown key; valid: " in str(refused.value)
    assert valid in str(refused.value)


@pytest.mark.parametrize("missing", ["name", "market", "model"])
def test_missing_section_is_named(missing: str) -> None:
    content = plain_experiment()
    del content[missing]
    with pytest.raises(ConfigError, match=rf"{missing}: missing"):
        from_dict(content, "small.yaml")


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
        ({"model": model(control_columns=["TV"])}, "columns with two roles: TV"),
        ({"model": model(adstock_max_lag=53)}, "model.adstock_max_lag"),
        ({"model": model(yearly_seasonality=11)}, "model.yearly_seasonality"),
        ({"data": {"source": "excel"}}, "'simulated', 'csv' or 'kaggle'"),
        ({"data": {"source": "csv"}}, "a path goes with csv"),
        ({"data": {"source": "simulated", "path": "a.csv"}}, "a path goes with csv"),
        ({"data": {"weeks": 103}}, "data.weeks"),
        ({"data": {"missing_spend": "mean"}}, "'error' or 'zero'"),
        ({"budget": {"total_budget": math.inf}}, "budget.total_budget"),
        ({"budget": {"total_budget": 0}}, "budget.total_budget"),
        ({"budget": {"bounds": {"TV": [5, 1]}}}, "TV: [5.0, 1.0]"),
        ({"budget": {"bounds": {"TV": [-1, 1]}}}, "0 <= low <= high"),
        ({"budget": {"bounds": {"TV": [0, math.nan]}}}, "budget.bounds.TV"),
        ({"budget": {"bounds": {"Tv": [0, 1]}}}, "channels are TV, Radio"),
        ({"market": "../other"}, "market"),
    ],
)
def test_nonsense_is_refused(sections: dict[str, Any], said: str) -> None:
    assert said in refusal(**sections)


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
    text = refusal(model=model(priors={name: given}))
    assert said in text and name in text, text


def test_misspelt_prior_names_every_valid_one() -> None:
    text = refusal(model=model(priors={"beta": {"distribution": "HalfNormal", "sigma": 1}}))
    assert all(name in text for name in DEFAULT_PRIORS), text


def test_faults_of_several_priors_are_reported_together() -> None:
    priors = {"nonsense": 1, "y_sigma": {"distribution": "HalfNormal", "sigma": -1}}
    text = refusal(model=model(priors=priors))
    assert "nonsense: unknown prior" in text and "y_sigma: sigma must be positive" in text


def test_other_prior_needs_a_rationale() -> None:
    prior = {"distribution": "HalfNormal", "sigma": 0.5}
    text = refusal(model=model(priors={"saturation_beta": prior}))
    assert "HalfNormal(sigma=0.5) differs from the default HalfNormal(sigma=0.25)" in text
    assert "rationale" in text
    blank = prior | {"rationale": "  \n "}
    assert "rationale" in refusal(model=model(priors={"saturation_beta": blank}))


def test_the_smallest_difference_needs_a_rationale() -> None:
    prior = {"distribution": "HalfNormal", "sigma": 0.25 * (1 + 1e-12)}
    assert "rationale" in refusal(model=model(priors={"saturation_beta": prior}))


def test_default_prior_written_out_needs_no_rationale() -> None:
    prior = {"distribution": "Normal", "mu": 0.5, "sigma": 0.25}
    assert make(model=model(priors={"intercept": prior})) == make()


def test_rationale_is_logged_beside_the_prior() -> None:
    prior = {"distribution": "HalfNormal", "sigma": [0.5, 0.125]} | WHY
    experiment = make(model=model(priors={"saturation_beta": prior}))
    assert experiment.model.priors["saturation_beta"].parameters == {"sigma": (0.5, 0.125)}
    params = flat_params(experiment)
    assert params["prior.saturation_beta"] == "HalfNormal(sigma=[0.5, 0.125])"
    assert params["prior.saturation_beta.rationale"] == WHY["rationale"]
    assert [name for name in params if name.endswith(".rationale")] == [
        "prior.saturation_beta.rationale"
    ]


@pytest.mark.parametrize(
    ("name", "settings"),
    [("gamma_control", {"control_columns": []}), ("gamma_fourier", {"yearly_seasonality": 0})],
)
def test_prior_of_a_parameter_that_the_model_has_not_is_refused(
    name: str, settings: dict[str, Any]
) -> None:
    prior = {"distribution": "Normal", "mu": 0, "sigma": 3} | WHY
    text = refusal(model=model(**settings, priors={name: prior}))
    assert f"{name}: the model has no such parameter" in text


def test_a_faulty_count_is_not_blamed_on_the_prior() -> None:
    prior = {"distribution": "Laplace", "mu": 0, "b": [1, 1, 1, 1]} | WHY
    text = refusal(model=model(yearly_seasonality=99, priors={"gamma_fourier": prior}))
    assert "model.yearly_seasonality" in text and "gamma_fourier" not in text


# --- limits of the gate -------------------------------------------------------------------------


def test_every_limit_of_the_gate_is_tested() -> None:
    assert set(LOOSER) == {field.name for field in fields(GateConfig)}
    assert set(TIGHTER) == set(LOOSER) - {"divergences_max"}  # none is none


@pytest.mark.parametrize(("limit", "value"), LOOSER.items())
def test_no_limit_can_be_loosened(limit: str, value: float) -> None:
    assert f"gate.{limit}: " in refusal(gate={limit: value})
    with pytest.raises(ValueError, match=limit):
        GateConfig(**{limit: value})


@pytest.mark.parametrize("limit", LOOSER)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1, None, "none", False])
def test_no_limit_can_be_switched_off(limit: str, value: object) -> None:
    assert f"gate.{limit}: " in refusal(gate={limit: value})


@pytest.mark.parametrize(("limit", "value"), TIGHTER.items())
def test_every_limit_can_be_tightened(limit: str, value: float) -> None:
    assert getattr(make(gate={limit: value}).gate, limit) == value


def test_tighter_with_takes_the_stricter_of_both_limit_by_limit() -> None:
    normal, tight = GateConfig(), GateConfig(**TIGHTER)
    assert normal.tighter_with(tight) == tight == tight.tighter_with(normal)
    for limit, value in TIGHTER.items():
        one = GateConfig(**{limit: value})
        others = GateConfig(**{name: v for name, v in TIGHTER.items() if name != limit})
        assert normal.tighter_with(one) == one == one.tighter_with(normal)
        assert one.tighter_with(others) == tight == others.tighter_with(one)


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_shipped_experiment_loads(path: Path) -> None:
    experiment = load_experiment(path)
    assert experiment.name == path.stem
    assert from_dict(to_dict(experiment), "again") == experiment


def test_shipped_experiments_are_what_the_project_promises() -> None:
    shipped = {path.stem: load_experiment(path) for path in EXPERIMENTS}
    assert {"demo", "demo_short_lag", "demo_refused", "mmm_example", "mmm_roas_data"} <= {*shipped}
    demo, short = shipped["demo"], shipped["demo_short_lag"]
    assert demo.model.adstock_max_lag != short.model.adstock_max_lag
    assert demo.registered_model == short.registered_model == "mmm_demo"
    few = shipped["demo_refused"].sampler
    assert few.chains * few.draws <= 400  # fewer draws than an ESS of 400 needs


def test_champions_never_cross_markets() -> None:
    markets = {load_experiment(path).market for path in EXPERIMENTS} | {"a", "a_b", "demo_a"}
    assert len({registered_model_name(market) for market in markets}) == len(markets)
    assert make(market="other").registered_model == "mmm_other"


def test_file_round_trip(tmp_path: Path) -> None:
    prior = {"distribution": "StudentT", "nu": 4, "mu": 0.25, "sigma": 0.5} | WHY
    experiment = make(
        model=model(priors={"intercept": prior}),
        budget={"bounds": {"TV": [0, 10.5]}, "total_budget": 7},
        description="Grüße, 94 %",
    )
    again = load_experiment(write(tmp_path, to_yaml(experiment)))
    assert again == experiment
    assert again.fingerprint == experiment.fingerprint


def leaves(plain: object, path: tuple = ()) -> list[tuple]:
    """Return the path of every single value in nested mappings."""
    if not isinstance(plain, dict):
        return [path]
    return [leaf for key, inner in plain.items() for leaf in leaves(inner, (*path, key))]


def other(value: Any, path: tuple) -> Any:
    """Return another valid value."""
    if path[0] == "gate":
        return TIGHTER[path[1]]
    if isinstance(value, list):
        return [*value, "Another"]
    if isinstance(value, str):
        return {"simulated": "kaggle", "error": "zero"}.get(value, f"{value}_x")
    if isinstance(value, float):
        return value + 1e-6
    return 12 if value is None else value + 1


# Values that no single change can reach; the cases after them change these.
FIXED = {("gate", "divergences_max"), ("data", "path"), ("data", "dt_mart")}
FIXED |= {("model", "priors", name, "distribution") for name in DEFAULT_PRIORS}
SINGLE = [path for path in leaves(to_dict(make())) if path not in FIXED]


@pytest.mark.parametrize("path", SINGLE, ids=lambda path: ".".join(path))
def test_fingerprint_sees_every_value(path: tuple) -> None:
    plain = place = to_dict(make())
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = other(place[path[-1]], path)
    if path[:2] == ("model", "priors"):
        place |= WHY
    assert from_dict(plain, "changed").fingerprint != make().fingerprint


@pytest.mark.parametrize(
    "sections",
    [
        {"budget": {"bounds": {"TV": [0, 1]}}},
        {"data": {"source": "csv", "path": "a.csv"}},
        {"model": model(priors={"y_sigma": {"distribution": "Exponential", "lam": 0.15} | WHY})},
        {"model": model(priors={"y_sigma": {"distribution": "HalfNormal", "sigma": 0.15} | WHY})},
        {"model": model(channel_columns=["Radio", "TV"])},
    ],
)
def test_fingerprint_sees_values_that_change_together(sections: dict[str, Any]) -> None:
    changed = make(**sections)
    assert changed.fingerprint != make().fingerprint
    assert from_dict(to_dict(changed), "again").fingerprint == changed.fingerprint


def test_overrides_replace_the_values_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, yaml.safe_dump(plain_experiment(sampler={"draws": 700, "tune": 300})))
    overrides = {"sampler": {"draws": 900, "seed": 5}, "model": {"adstock_max_lag": 3}}
    experiment = load_experiment(path, overrides)
    sampler = experiment.sampler
    assert (sampler.draws, sampler.tune, sampler.seed) == (900, 300, 5)
    assert experiment.model.adstock_max_lag == 3
    assert experiment.model.channel_columns == ("TV", "Radio")


def test_overrides_are_validated_like_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, yaml.safe_dump(plain_experiment()))
    with pytest.raises(ConfigError, match=r"sampler\.draws: .*greater than or equal to 50, got 1"):
        load_experiment(path, {"sampler": {"draws": 1}})
    broken = write(tmp_path, yaml.safe_dump(plain_experiment(sampler=[1])))
    with pytest.raises(ConfigError, match=r"sampler: "):
        load_experiment(broken, {"sampler": {"draws": 100}})


def test_budget_can_be_replaced_and_is_validated() -> None:
    experiment = make(budget={"weeks": 4, "bounds": {"TV": [0, 5]}})
    changed = with_budget(experiment, {"total_budget": 100.0})
    assert changed.budget.total_budget == 100.0
    assert changed.budget.weeks == 4 and changed.budget.bounds == {"TV": (0.0, 5.0)}
    assert changed.model == experiment.model
    with pytest.raises(ConfigError, match=r"budget\.weeks"):
        with_budget(experiment, {"weeks": 0})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: a\nname: b\n", "key given twice: name"),
        ("model:\n  adstock_max_lag: 4\n  adstock_max_lag: 8\n", "twice: adstock_max_lag"),
        ("name: [unclosed\n", "is not readable YAML"),
        ("name: !!python/object/apply:os.getcwd []\n", "is not readable YAML"),
        ("name: !!python/name:os.system\n", "is not readable YAML"),
        ("? [a, b]\n: 1\n", "is not readable YAML"),
        ("- a\n- b\n", "must hold a mapping, got list"),
        ("", "must hold a mapping, got NoneType"),
    ],
)
def test_file_that_is_no_experiment_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        load_experiment(path)
    assert said in str(refused.value) and str(path) in str(refused.value)


def test_unsafe_yaml_runs_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    text = f"name: !!python/object/apply:os.mkdir ['{mark}']\n"
    with pytest.raises(ConfigError):
        load_experiment(write(tmp_path, text))
    assert not mark.exists()
    yaml.unsafe_load(text)  # the text does what it says where it is let
    assert mark.exists()


def test_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "written.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not readable YAML"):
        load_experiment(path)


def test_merged_keys_are_no_repeated_keys(tmp_path: Path) -> None:
    text = "name: a\nmarket: m\nmodel: {channel_columns: [TV]}\n"
    text += "sampler: {<<: {tune: 60, draws: 80}, draws: 100}\n"
    experiment = load_experiment(write(tmp_path, text))
    assert (experiment.sampler.draws, experiment.sampler.tune) == (100, 60)


def test_missing_file_names_the_files_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    for path in ("experiments/dmeo.yaml", "dmeo.yaml", "experiments"):
        with pytest.raises(FileNotFoundError) as missing:
            load_experiment(path)
        assert f"no experiment file {path}; files: " in str(missing.value)
        assert all(f"experiments/{file.name}" in str(missing.value) for file in EXPERIMENTS)


def test_missing_file_elsewhere_says_where_to_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="go to the project's folder"):
        load_experiment("experiments/demo.yaml")


# --- parameters for the tracking store ----------------------------------------------------------


def test_params_are_flat_and_plain() -> None:
    params = flat_params(load_experiment(PROJECT / "experiments" / "demo.yaml"))
    assert all(isinstance(value, str | int | float) for value in params.values())
    assert all(name == name.strip() and " " not in name for name in params)
    expected = {
        "experiment.name": "demo",
        "experiment.market": "demo",
        "data.source": "simulated",
        "data.weeks": 156,
        "model.channels": "TV, Radio, Search, Social",
        "model.controls": "Trend, Promotion",
        "model.adstock.max_lag": 8,
        "model.seasonality.modes": 2,
        "sampler.draws": 2000,
        "sampler.target_accept": 0.98,
        "gate.limit.rhat_max": 1.01,
        "prior.saturation_beta": "HalfNormal(sigma=0.25)",
    }
    assert expected.items() <= params.items()


def test_params_of_a_file_name_the_file() -> None:
    params = flat_params(make(data={"source": "csv", "path": "data/a.csv"}))
    assert params["data.path"] == "data/a.csv" and "data.seed" not in params


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
