"""Experiment files: read whole or refused with everything that is wrong, written, flattened."""

from pathlib import Path

import pytest
import yaml

from helpers import PROJECT, make_experiment, plain_experiment, refusal, small_model
from mmm_demo.settings.experiment import ConfigError, SamplerConfig, to_dict
from mmm_demo.settings.experiment_file import (
    flat_params,
    from_dict,
    load_experiment,
    to_yaml,
)
from mmm_demo.settings.yaml_file import dump, read_mapping

EXPERIMENTS = sorted((PROJECT / "experiments").glob("*.yaml"))
WHY = {"rationale": "an earlier test says so"}


def write(folder: Path, text: str) -> Path:
    path = folder / "written.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_all_faults_are_reported_together() -> None:
    text = refusal(
        name="Not A Slug",
        data={"source": "csv"},
        model=small_model(adstock_max_lag=0, priors={"gamma_contrl": {"distribution": "Normal"}}),
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
        (None, "modle", "budget, data, description, evidence, gate, market, model, name, sampler"),
        ("data", "sorce", "lift_tests, missing_spend, path, seed, separator, source, trend, weeks"),
        ("model", "max_lag", "adstock_max_lag, autocorrelation, baseline, calendar, channel"),
        ("sampler", "drawz", "chains, draws, seed, target_accept, tune"),
        ("gate", "rhat", "rhat_max"),
        ("gate", "requires", "require, rhat_max, roas_range, worse_crps_max"),
        ("evidence", "fold", "draws, folds, horizon_weeks, placebos, replicates, tune"),
        ("model.scaling", "targets", "channels, target"),
        (
            "budget",
            "begin",
            "bounds, cost_per_unit, default_bounds, description, engine, fixed, groups, margin",
        ),
        ("budget", "total", "smoothness, start, tail, target, total_budget, weeks"),
    ],
)
def test_unknown_key_names_the_valid_ones(section: str | None, key: str, valid: str) -> None:
    content = place = plain_experiment()
    for part in section.split(".") if section else ():
        place = place.setdefault(part, {})
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


def test_rationale_is_logged_beside_the_prior() -> None:
    prior = {"distribution": "HalfNormal", "sigma": [0.5, 0.125]} | WHY
    experiment = make_experiment(model=small_model(priors={"saturation_beta": prior}))
    assert experiment.model.priors["saturation_beta"].parameters == {"sigma": (0.5, 0.125)}
    params = flat_params(experiment)
    assert params["prior.saturation_beta"] == "HalfNormal(sigma=[0.5, 0.125])"
    assert params["prior.saturation_beta.rationale"] == WHY["rationale"]
    assert [name for name in params if name.endswith(".rationale")] == [
        "prior.saturation_beta.rationale"
    ]


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


def test_file_round_trip(tmp_path: Path) -> None:
    prior = {"distribution": "StudentT", "nu": 4, "mu": 0.25, "sigma": 0.5} | WHY
    experiment = make_experiment(
        model=small_model(
            priors={"intercept": prior},
            saturation="michaelis_menten",
            adstock="binomial",
            scaling={"target": 900.5, "channels": [80, 70]},
        ),
        data={"groups": {"TV": ["Linear", "Streaming"]}, "trend": "linear"},
        budget={"bounds": {"TV": [0, 10.5]}, "total_budget": 7, "start": "2026-01-05"},
        gate={"require": ["plausibility", "backtest"], "roas_range": [0, 9.5]},
        evidence={"folds": 3},
        description="Grüße, 94 %",
    )
    again = load_experiment(write(tmp_path, to_yaml(experiment)))
    assert again == experiment
    assert again.fingerprint == experiment.fingerprint


def test_a_day_needs_no_quotes(tmp_path: Path) -> None:
    text = yaml.safe_dump(plain_experiment()) + "budget: {start: 2026-01-05}\n"
    assert load_experiment(write(tmp_path, text)).budget.start == "2026-01-05"


def test_budget_without_a_start_takes_one() -> None:
    changed = make_experiment(budget={"weeks": 4}).budget.with_settings({"start": "2026-01-05"})
    assert (changed.start, changed.weeks) == ("2026-01-05", 4)
    with pytest.raises(ConfigError, match=r"  start: must be a day .*got 'Monday'"):
        changed.with_settings({"start": "Monday"})


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
    budget = make_experiment(budget={"weeks": 4, "bounds": {"TV": [0, 5]}}).budget
    changed = budget.with_settings({"total_budget": 100.0})
    assert changed.total_budget == 100.0
    assert changed.weeks == 4 and changed.bounds == {"TV": (0.0, 5.0)}
    with pytest.raises(ConfigError, match=r"the plan asked for is not valid:\n  weeks: "):
        budget.with_settings({"weeks": 0})


def test_a_budget_takes_what_a_scenario_of_a_plan_file_takes(tmp_path: Path) -> None:
    budget = {"objective": "profit", "margin": 0.4, "relative_bounds": {"*": [0.5, 2]}}
    budget |= {"groups": {"all": {"channels": ["TV", "Radio"], "at_most": 9}}, "fixed": []}
    budget |= {"cost_per_unit": {"TV": 2.5}, "profile": {"TV": [1] * 13}, "name": "spring"}
    experiment = make_experiment(budget=budget)
    again = load_experiment(write(tmp_path, to_yaml(experiment)))
    assert again == experiment and again.fingerprint == experiment.fingerprint
    assert again.budget.margin == 0.4 and again.budget.groups["all"].at_most == 9.0
    plain = to_dict(experiment)["budget"]
    assert list(plain)[:4] == ["weeks", "start", "total_budget", "bounds"]
    assert set(plain) - set(budget) == {"weeks", "start", "total_budget", "bounds"}
    assert set(budget) - set(plain) == {"fixed"}  # says nothing


def test_a_budget_without_new_settings_is_stored_as_it_always_was() -> None:
    stored = {"weeks": 13, "start": None, "total_budget": None, "bounds": {}}
    assert to_dict(make_experiment())["budget"] == stored
    mine = {"weeks": 4, "start": "2026-01-05", "total_budget": 7.0, "bounds": {"TV": [0.0, 1.5]}}
    assert to_dict(make_experiment(budget=mine))["budget"] == mine


def test_a_new_setting_of_the_budget_is_another_experiment() -> None:
    prints = {
        make_experiment(budget=budget).fingerprint
        for budget in (
            {},
            {"engine": "own"},  # says nothing
            {"objective": "cvar"},
            {"relative_budget": 1.0},
            {"fixed": ["TV"]},
            {"engine": "library"},
        )
    }
    assert len(prints) == 5


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ({"objective": "profit"}, "budget: objective profit needs margin"),
        ({"margin": 0.4}, "budget: margin says nothing to objective response; leave it out"),
        ({"profile": {"TV": [1, 2]}}, "profile of TV needs 13 weights, not all zero; got 2"),
        ({"relative_bounds": {"Print": [0, 1]}}, "budget.relative_bounds names Print; channels"),
        ({"fixed": ["Print"]}, "budget.fixed names Print; channels are TV, Radio"),
        ({"cost_per_unit": {"Print": 1}}, "budget.cost_per_unit names Print; channels are TV"),
        ({"groups": {"g": {"channels": ["TV", "Print"], "at_most": 1}}}, "budget.groups names Pri"),
        ({"groups": {"g": {"channel": []}}}, "unknown key; valid: at_least, at_most, channels"),
        (
            {"total_budget": "1,000"},
            "budget.total_budget: Input should be a valid number, unable to",
        ),
        ({"total_budget": "nan"}, "budget.total_budget: "),
        ({"bounds": {"TV": ["0", "much"]}}, "budget.bounds.TV.1: Input should be a valid number"),
    ],
)
def test_a_budget_is_held_to_the_rules_of_a_scenario(budget: dict, said: str) -> None:
    assert said in refusal(budget=budget)


def test_numbers_in_quotes_are_read_in_a_budget_as_they_always_were(tmp_path: Path) -> None:
    text = yaml.safe_dump(plain_experiment())
    text += "budget: {total_budget: '1e6', bounds: {TV: ['0', \"2.5\"]}}\n"
    budget = load_experiment(write(tmp_path, text)).budget
    assert (budget.total_budget, budget.bounds) == (1e6, {"TV": (0.0, 2.5)})


def test_other_settings_leave_behind_what_was_said_to_another_objective() -> None:
    earning = make_experiment(budget={"objective": "profit", "margin": 0.4}).budget
    assert earning.with_settings({"objective": "response"}).margin is None
    assert earning.with_settings({"objective": "profit"}).margin == 0.4
    assert earning.with_settings({"margin": 0.3}).margin == 0.3
    with pytest.raises(ConfigError, match="its settings: objective target_roas needs target"):
        earning.with_settings({"objective": "target_roas"})
    more = make_experiment(budget={"relative_budget": 1.5}).budget
    changed = more.with_settings({"total_budget": 7.0})
    assert (changed.total_budget, changed.relative_budget) == (7.0, None)
    back = changed.with_settings({"relative_budget": 0.9})
    assert (back.total_budget, back.relative_budget) == (None, 0.9)


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
        "sampler.draws": SamplerConfig().draws,
        "sampler.target_accept": SamplerConfig().target_accept,
        "gate.limit.rhat_max": 1.01,
        "prior.saturation_beta": "HalfNormal(sigma=0.25)",
    }
    assert expected.items() <= params.items()


def test_params_say_what_is_required_and_plausible() -> None:
    plain = flat_params(make_experiment())
    assert (plain["gate.limit.require"], plain["gate.limit.roas_range"]) == ("none", "none")
    asked = {"require": ["plausibility", "backtest"], "roas_range": [0.5, 9]}
    params = flat_params(make_experiment(gate=asked))
    assert params["gate.limit.require"] == "plausibility, backtest"
    assert params["gate.limit.roas_range"] == "0.5 to 9"
    changed = {name for name, value in params.items() if plain[name] != value}
    assert changed == {"gate.limit.require", "gate.limit.roas_range"}


def test_params_name_the_saturation_and_how_much_evidence() -> None:
    params = flat_params(
        make_experiment(model=small_model(saturation="michaelis_menten"), evidence={"folds": 3})
    )
    assert params["model.saturation.type"] == "michaelis_menten"
    assert (params["evidence.folds"], params["evidence.placebos"]) == (3, 3)


def test_params_name_the_lift_tests() -> None:
    assert "data.lift_tests" not in flat_params(make_experiment())
    params = flat_params(make_experiment(data={"lift_tests": "data/lift.csv"}))
    assert params["data.lift_tests"] == "data/lift.csv"


def test_params_name_adstock_groups_and_trend() -> None:
    plain = flat_params(make_experiment())
    assert (plain["model.adstock.type"], plain["data.trend"]) == ("geometric", "none")
    made = {"groups": {"TV": ["Linear", "Streaming"], "Radio": ["FM"]}, "trend": "linear"}
    params = flat_params(make_experiment(model=small_model(adstock="binomial"), data=made))
    assert (params["model.adstock.type"], params["data.trend"]) == ("binomial", "linear")
    assert params["data.groups"] == "TV = Linear + Streaming, Radio = FM"
    assert {*params} - {*plain} == {"data.groups"}


def test_file_from_before_a_setting_has_its_default() -> None:
    plain = to_dict(make_experiment())
    for section, name in (("model", "adstock"), ("data", "groups"), ("data", "trend")):
        del plain[section][name]
    assert from_dict(plain, "old") == make_experiment()


def test_params_of_a_file_name_the_file() -> None:
    params = flat_params(make_experiment(data={"source": "csv", "path": "data/a.csv"}))
    assert params["data.path"] == "data/a.csv" and "data.seed" not in params


# --- how a CSV file is written ------------------------------------------------------------------

CSV = {"source": "csv", "path": "a.csv"}


def test_form_of_a_csv_file_is_kept_where_it_says_something() -> None:
    plain = make_experiment(data=CSV)
    same = make_experiment(data=CSV | {"decimal": ".", "separator": ","})
    other = make_experiment(data=CSV | {"decimal": ",", "separator": ";"})
    assert same.fingerprint == plain.fingerprint != other.fingerprint
    assert not {"data.decimal", "data.separator"} & {*flat_params(plain)}
    params = flat_params(other)
    assert (params["data.decimal"], params["data.separator"]) == (",", ";")
    assert from_dict(to_dict(other), "again") == other


@pytest.mark.parametrize("form", [{"decimal": ","}, {"separator": ";"}, {"separator": "\t"}])
@pytest.mark.parametrize("source", ["simulated", "kaggle"])
def test_form_is_for_csv_files_only(form: dict[str, str], source: str) -> None:
    assert "decimal and separator go with source csv" in refusal(data={"source": source} | form)


def test_no_controls_may_be_written_as_nothing() -> None:
    empty = make_experiment(model=small_model(control_columns=None))
    assert empty == make_experiment(model=small_model(control_columns=[]))


def test_yaml_of_an_experiment_is_read_back_whatever_the_names(tmp_path: Path) -> None:
    names = ["1e6", "on", "TV: spend", "#1", "2024-01-01", "検索"]
    experiment = make_experiment(model=small_model(channel_columns=["1e6", "on", "TV: spend"]))
    path = tmp_path / "again.yaml"
    path.write_text(to_yaml(experiment), encoding="utf-8")
    assert load_experiment(path) == experiment
    path.write_text(dump({"names": names}), encoding="utf-8")
    assert read_mapping(path, "list", "lists") == {"names": names}
