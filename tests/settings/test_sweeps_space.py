"""Sweep files: what they may ask for, what each trial fits, and when two sweeps are the same."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from default_priors import DEFAULT_PRIORS
from helpers import make_experiment, plain_experiment, small_model
from mmm_demo.settings.dimension import Options, Range
from mmm_demo.settings.experiment import ConfigError
from mmm_demo.settings.sweep import MOST_TRIALS, Space, SweepConfig, in_words, load_sweep

LAG, SIGMA = "model.adstock_max_lag", "model.priors.saturation_beta.sigma"
GROUPED = {
    "data.groups": {"Both": ["TV", "Radio"]},
    "model.channel_columns": ["Both", "Search"],
}
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a sweep file, and its experiment, into a folder of their own."""
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(plain_experiment()))

    def write(search: Any = None, **settings: Any) -> Path:
        content = {"name": "s", "experiment": "small.yaml", "sampler": "grid"} | settings
        content["search"] = {LAG: [4, 8]} if search is None else search
        path = tmp_path / "sweep.yaml"
        given = {name: value for name, value in content.items() if value is not None}
        path.write_text(yaml.safe_dump(given, sort_keys=False))
        return path

    return write


@pytest.fixture
def load(write: Write, tmp_path: Path) -> Callable[..., Space]:
    return lambda search=None, **settings: Space.load(write(search, **settings), tmp_path)


# What is refused


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ({"model.bogus": [1, 2]}, ["model.bogus = 1", "unknown key", "adstock_max_lag"]),
        ({"modle.adstock_max_lag": [4, 8]}, ["modle.adstock_max_lag", "data.<setting> or model."]),
        ({"sampler.seed": [1, 2]}, ["sampler.seed", "data and model only"]),
        ({"evidence.horizon_weeks": [4, 8]}, ["evidence.horizon_weeks", "data and model only"]),
        ({"adstock_max_lag": [4, 8]}, ["adstock_max_lag", "as model.adstock_max_lag", "[4, 8]"]),
        ({LAG: [4]}, [LAG, "two or more values", "[4]"]),
        ({LAG: 4}, [LAG, "two or more values", "got 4"]),
        ({LAG: "4, 8"}, [LAG, "two or more values", "'4, 8'"]),
        ({LAG: []}, [LAG, "two or more values", "[]"]),
        ({LAG: [4, 4]}, [LAG, "given twice", "[4, 4]"]),
        ({LAG: [1, 1.0]}, [LAG, "given twice", "[1, 1.0]"]),
        ({LAG: [1, True]}, [LAG, "given twice", "[1, True]"]),
        ({"model.scaling": [None, None]}, ["model.scaling", "given twice"]),
        ({LAG: ["4", "8"]}, [f"{LAG} = 4", "valid integer", "'4'"]),
        ({LAG: [True, 8]}, [f"{LAG} = True", "valid integer", "True"]),
        ({LAG: [4, 99]}, [f"{LAG} = 99", "less than or equal to 52", "99"]),
        ({LAG: {"low": 8, "high": 4}}, [LAG, "low must be below high", "8 and 4"]),
        ({LAG: {"low": 4, "high": 4}}, [LAG, "low must be below high", "4 and 4"]),
        ({LAG: {"low": 1, "hihg": 4}}, [LAG, "low and high", "low, hihg"]),
        ({LAG: {"low": 1}}, [LAG, "low and high", "got low"]),
        ({LAG: {"low": 1, "high": 4, "steps": 1}}, [LAG, "step or log", "steps"]),
        ({LAG: {"low": 1, "high": 4, "step": 0}}, [LAG, "step must be positive", "got 0"]),
        ({LAG: {"low": 1, "high": 4, "step": 9}}, [LAG, "fit into the range", "got 9"]),
        ({LAG: {"low": 1, "high": 10, "step": 4}}, [LAG, "steps of 4 end at 9, not at 10"]),
        ({LAG: {"low": True, "high": 4}}, [LAG, "low must be a finite number", "True"]),
        ({LAG: {"low": "1", "high": 4}}, [LAG, "low must be a finite number", "'1'"]),
        ({LAG: {"low": 1, "high": None}}, [LAG, "high must be a finite number", "None"]),
        ({LAG: {"low": 1, "high": 10**400}}, [LAG, "high must be a finite number"]),
        ({SIGMA: {"low": float("nan"), "high": 1}}, [SIGMA, "low must be a finite", "nan"]),
        ({SIGMA: {"low": 0.1, "high": float("inf")}}, [SIGMA, "high must be a finite", "inf"]),
        ({SIGMA: [0.1, float("nan")]}, [f"{SIGMA} = nan", "finite number", "nan"]),
        ({SIGMA: {"low": -0.1, "high": 1, "step": 1.1}}, [f"{SIGMA} = -0.1", "positive", "-0.1"]),
        ({SIGMA: {"low": 0.1, "high": 1, "log": True, "step": 0.9}}, [SIGMA, "log", "no step"]),
        ({SIGMA: {"low": 0, "high": 1, "log": True}}, [SIGMA, "log", "starts above 0"]),
        ({SIGMA: {"low": 0.1, "high": 1, "log": "yes"}}, [SIGMA, "log must be true or false"]),
        ({SIGMA: {"low": 0.1, "high": 1}}, [SIGMA, "grid needs values or a step"]),
        ({"model.priors.y_sigma": [1, 2]}, ["model.priors.y_sigma = 1", "with a distribution"]),
        ({"model.priors.bogus.sigma": [1, 2]}, ["model.priors.bogus.sigma", "no 'bogus'"]),
        ({"data.path": ["2026-01-05", "x.csv"]}, ["data.path = 2026-01-05", "goes with csv"]),
        ({"model.date_column": [1, 2]}, ["model.date_column = 1", "valid string"]),
        ({"size": [1, 2]}, ["size", "named sets of settings", "[1, 2]"]),
        ({"size": {"a": {LAG: 4}}}, ["size", "two or more named sets"]),
        ({"size": {"a": {LAG: 4}, "b": 4}}, ["size", "b must map settings to values", "4"]),
        ({"size": {1: {LAG: 4}, "1": {LAG: 8}}}, ["size", "name is given twice", "1, 1"]),
        ({"size": {"a": {LAG: 4}, "b": {"model": {}}}}, ["size", "data.<setting> or", "'model'"]),
        ({LAG: [4, 8], "x": {"a": {LAG: 2}, "b": {}}}, [f"{LAG} and x both set {LAG}", "keep one"]),
        (
            {SIGMA: [0.1, 0.2], "model.priors.saturation_beta": [{}, {"a": 1}]},
            [f"{SIGMA} and model.priors.saturation_beta both set {SIGMA}"],
        ),
        ({}, ["search", "at least 1 item"]),
        ([LAG], ["search", "must map settings to values"]),
        ({LAG: {"low": 1, "high": 10**9}}, ["grid of 1000000000 combinations", "too large"]),
    ],
)
def test_a_search_that_cannot_be_is_refused_with_place_and_value(load, search, said):
    with pytest.raises(ConfigError) as refused:
        load(search)
    for words in ["sweep.yaml", *said]:
        assert words in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"sampler": "tpe"}, ["'tpe'", "needs a number of trials"]),
        ({"sampler": None}, ["'tpe'", "needs a number of trials"]),  # the default
        ({"sampler": "random"}, ["'random'", "needs a number of trials"]),
        ({"trials": 2}, ["a grid has 2 trials", "drop `trials`"]),
        ({"sampler": "tpe", "trials": 0}, ["trials", "greater than or equal to 1", "0"]),
        ({"sampler": "tpe", "trials": MOST_TRIALS + 1}, ["trials", str(MOST_TRIALS)]),
        ({"sampler": "tpe", "trials": True}, ["trials", "valid integer", "True"]),
        ({"sampler": "bayes"}, ["sampler", "'tpe', 'random' or 'grid'", "bayes"]),
        ({"objective": "r2"}, ["objective", "'crps' or 'elpd'", "r2"]),
        ({"folds": 1}, ["folds", "greater than or equal to 2"]),
        ({"draws": 10}, ["draws", "greater than or equal to 500"]),
        ({"seed": -1}, ["seed", "greater than or equal to 0"]),
        ({"name": "My sweep"}, ["name", "pattern", "My sweep"]),
        ({"name": "a" * 51}, ["name", "at most 50"]),
        ({"sampelr": "tpe"}, ["sampelr", "unknown key", "sampler"]),
        ({"name": None}, ["name", "missing"]),
    ],
)
def test_settings_that_cannot_be_are_refused(load, settings, said):
    with pytest.raises(ConfigError) as refused:
        load(**settings)
    for words in ["sweep.yaml", *said]:
        assert words in str(refused.value)


def test_all_faults_are_reported_together(load):
    with pytest.raises(ConfigError) as refused:
        load({LAG: [4], SIGMA: [1, 1], "x": 3}, folds=1)
    for words in (f"{LAG}: must be a list", f"{SIGMA}: a value is given twice", "x: ", "folds: "):
        assert words in str(refused.value)


def test_files_that_are_not_there_are_named_with_those_that_are(write, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no sweep file .*nope\.yaml; files: .*small"):
        load_sweep(tmp_path / "nope.yaml")
    path = write(experiment="missing.yaml")
    with pytest.raises(FileNotFoundError, match=r"no experiment file .*missing\.yaml"):
        Space.load(path, tmp_path)


def test_what_only_goes_together_is_possible_in_a_grid_and_refused_elsewhere(load):
    groups = {"data.groups": [{"Both": ["TV", "Radio"]}, {"Both": ["TV", "Search"]}]}
    together = groups | {"model.channel_columns": [["Both"], ["Both", "Social"]]}
    assert load(together).sweep.size == 4
    apart = groups | {"model.channel_columns": [["Both"], ["Search"]]}
    for search, settings in ((apart, {}), (together, {"sampler": "tpe", "trials": 4})):
        with pytest.raises(ConfigError, match="values that cannot be fitted") as refused:
            load(search, **settings)
        assert "data.groups = {Both: [TV, Search]}" in str(refused.value)
        assert "add to model.channel_columns" in str(refused.value)


# What is read


def test_the_sweep_of_the_project_is_read_whole(project):
    space = Space.load("experiments/sweeps/demo_carryover_season.yaml", project)
    assert space.base.name == "demo"
    assert space.sweep.size == 12
    assert not space.sweep.stops_early
    assert space.longest_lag == 8


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ({"low": 2, "high": 5}, [2, 3, 4, 5]),
        ({"low": 2, "high": 8, "step": 3}, [2, 5, 8]),
        ({"low": 0.1, "high": 0.4, "step": 0.1}, [0.1, 0.2, 0.3, 0.4]),
        ({"low": 1, "high": 2.0, "step": 0.5}, [1.0, 1.5, 2.0]),
        ({"low": 0.1, "high": 0.4}, []),
        ({"low": 1, "high": 100, "log": True}, []),
    ],
)
def test_a_range_has_both_of_its_ends(given, values):
    of = Range(**given)
    assert of.values() == values
    assert of.count == len(values)
    assert of.whole == all(isinstance(end, int) for end in given.values())


def test_a_large_range_is_counted_without_being_written_out():
    assert Range(1, 10**12).count == 10**12


@pytest.mark.parametrize(
    ("settings", "stops"),
    [
        ({}, False),
        ({"early_stopping": True}, True),
        ({"sampler": "tpe", "trials": 5}, True),
        ({"sampler": "random", "trials": 5, "early_stopping": False}, False),
        ({"sampler": "tpe", "trials": 5, "objective": "elpd"}, False),
    ],
)
def test_a_grid_does_not_stop_early_unless_asked(load, settings, stops):
    assert load(**settings).sweep.stops_early is stops


def test_a_sampler_may_have_ranges_without_steps(load):
    search = {SIGMA: {"low": 0.05, "high": 0.5, "log": True}, LAG: {"low": 2, "high": 9}}
    space = load(search, sampler="tpe", trials=7)
    assert space.sweep.size == 7
    assert space.longest_lag == 9


# What a trial fits


def test_a_choice_changes_its_settings_and_nothing_else(load):
    space = load({LAG: [4, 8], SIGMA: [0.1, 0.3]}, seed=17)
    made = space.experiment({LAG: 4, SIGMA: 0.3}, "s_3")
    base = make_experiment()
    assert (made.name, made.model.adstock_max_lag, made.sampler.seed) == ("s_3", 4, 17)
    prior = made.model.priors["saturation_beta"]
    assert (prior.distribution, prior.parameters) == ("HalfNormal", {"sigma": 0.3})
    assert "sweep s" in prior.rationale
    priors = made.model.priors | {"saturation_beta": base.model.priors["saturation_beta"]}
    model = replace(made.model, adstock_max_lag=8, priors=priors)
    sampler = replace(made.sampler, seed=base.sampler.seed)
    assert replace(made, name=base.name, model=model, sampler=sampler) == base
    assert space.base == base


def test_settings_without_a_choice_stay_as_they_are(load):
    assert load().experiment({}).model == make_experiment().model


def test_the_default_prior_needs_no_other_reason(load):
    default = DEFAULT_PRIORS["saturation_beta"].parameters["sigma"]
    made = load({SIGMA: [0.1, default]}).experiment({SIGMA: default})
    assert made.model.priors["saturation_beta"].parameters == {"sigma": default}


def test_whole_priors_and_lists_are_values_with_readable_names(load):
    priors = [{"distribution": "HalfNormal", "sigma": [0.1, 0.2]},
              {"distribution": "Gamma", "alpha": 2.0, "beta": 8.0}]  # fmt: skip
    space = load({"model.priors.saturation_beta": priors})
    of = space.sweep.search["model.priors.saturation_beta"]
    names = ["{distribution: HalfNormal, sigma: [0.1, 0.2]}",
             "{distribution: Gamma, alpha: 2.0, beta: 8.0}"]  # fmt: skip
    assert of.values() == names
    first, second = (
        space.experiment({"model.priors.saturation_beta": name}).model.priors["saturation_beta"]
        for name in names
    )
    assert first.parameters == {"sigma": (0.1, 0.2)}
    assert (second.distribution, second.parameters) == ("Gamma", {"alpha": 2.0, "beta": 8.0})
    assert first.rationale and second.rationale


def test_making_experiments_does_not_change_the_sweep(load, write):
    priors = [{"distribution": "HalfNormal", "sigma": s} for s in (0.1, 0.2)]
    sets = {"a": {"model.priors.y_sigma": {"distribution": "HalfNormal", "sigma": 0.3}}, "b": {}}
    search = {"model.priors.saturation_beta": priors, "noise": sets}
    used, fresh = load(search).sweep, load_sweep(write(search))
    assert used == fresh
    assert used.identity("x", make_experiment()) == fresh.identity("x", make_experiment())


def test_lists_are_named_as_they_are_written(load):
    sigmas = [[0.1, 0.2], [0.2, 0.1]]
    space = load({SIGMA: sigmas, "model.channel_columns": [["TV", "Radio"], ["TV", "Search"]]})
    assert space.sweep.search[SIGMA].values() == ["[0.1, 0.2]", "[0.2, 0.1]"]
    assert space.sweep.search["model.channel_columns"].values() == ["[TV, Radio]", "[TV, Search]"]
    made = space.experiment({SIGMA: "[0.2, 0.1]"})
    assert made.model.priors["saturation_beta"].parameters["sigma"] == (0.2, 0.1)


def test_named_sets_change_together(load):
    space = load({"channels": {"single": {}, "grouped": GROUPED}, LAG: [2, 3]})
    assert space.sweep.size == 4
    made = space.experiment({"channels": "grouped", LAG: 3})
    assert made.data.members == ("TV", "Radio")
    assert made.model.channel_columns == ("Both", "Search")
    assert space.experiment({"channels": "single"}).data.groups == {}


def test_the_trend_is_a_set_as_well(load):
    trend = {"data.trend": "linear", "model.control_columns": ["Trend"]}
    none = {"data.trend": "none", "model.control_columns": []}
    space = load({"trend": {"linear": trend, "none": none}})
    assert space.experiment({"trend": "linear"}).data.trend == "linear"
    assert space.experiment({"trend": "none"}).model.control_columns == ()


def test_noise_is_swept_as_any_other_form(load, write, tmp_path):
    search = {"model.noise": ["normal", "student_t"], "model.autocorrelation": [False, True]}
    space = load(search)
    for noise, on in ((n, on) for n in search["model.noise"] for on in (False, True)):
        choice = {"model.noise": noise, "model.autocorrelation": on}
        model = space.experiment(choice).model
        assert (model.noise, model.autocorrelation) == (noise, on)
        assert ("y_rho" in model.priors) == on
        assert ("y_nu_above_2" in model.priors) == (noise == "student_t")
    path, base = write(search), small_model(noise="student_t", autocorrelation=True)
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(plain_experiment(model=base)))
    plain = {"model.noise": "normal", "model.autocorrelation": False}
    found = Space.load(path, tmp_path).experiment(plain).model
    assert {*found.priors}.isdisjoint({"y_rho", "y_nu_above_2"})


def test_a_noise_that_cannot_be_is_refused_with_its_trial(load):
    with pytest.raises(ConfigError, match="unknown noise 'students'; known: normal, student_t"):
        load({"model.noise": ["normal", "students"]})
    with pytest.raises(ConfigError, match="autocorrelation: must be true or false, got 'ar1'"):
        load({"model.autocorrelation": [False, "ar1"]})


@pytest.mark.parametrize(
    ("search", "lag"),
    [
        ({SIGMA: [0.1, 0.2]}, 6),
        ({LAG: [2, 4]}, 6),  # the base's counts too
        ({LAG: [2, 13]}, 13),
        ({LAG: {"low": 2, "high": 12, "step": 5}}, 12),
        ({"size": {"a": {LAG: 20}, "b": {}}}, 20),
        ({"size": {"a": {LAG: 3}, "b": {"model.saturation": "s_shaped"}}}, 6),
    ],
)
def test_the_longest_lag_is_that_of_any_trial(load, tmp_path, write, search, lag):
    path = write(search)
    model = small_model(adstock_max_lag=6)
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(plain_experiment(model=model)))
    assert Space.load(path, tmp_path).longest_lag == lag


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({LAG: 8}, "adstock_max_lag 8"),
        ({SIGMA: 0.2, "channels": "grouped"}, "saturation_beta sigma 0.2, channels grouped"),
        ({"model.priors.y_sigma": "{a: 1}"}, "y_sigma {a: 1}"),
        ({}, ""),
    ],
)
def test_a_choice_is_said_in_short(choice, words):
    assert in_words(choice) == words


# Which sweeps are the same


def sweep_of(**settings: Any) -> SweepConfig:
    given = {"name": "s", "experiment": "small.yaml", "sampler": "tpe", "trials": 5}
    given["search"] = {LAG: [4, 8], SIGMA: {"low": 0.1, "high": 0.5}}
    return SweepConfig(**given | settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"name": "t"},
        {"sampler": "random"},
        {"sampler": "grid", "trials": None, "search": {LAG: [4, 8]}},
        {"objective": "elpd"},
        {"folds": 4},
        {"early_stopping": False},
        {"draws": 1001},
        {"tune": 501},
        {"seed": 2},
        {"search": {LAG: [4, 9], SIGMA: {"low": 0.1, "high": 0.5}}},
        {"search": {LAG: [4, 8, 9], SIGMA: {"low": 0.1, "high": 0.5}}},
        {"search": {LAG: [4, 8], SIGMA: {"low": 0.1, "high": 0.6}}},
        {"search": {LAG: [4, 8], SIGMA: {"low": 0.1, "high": 0.5, "log": True}}},
        {"search": {LAG: [4, 8]}},
        {"search": {"x": {"a": {LAG: 4}, "b": {LAG: 8}}, SIGMA: {"low": 0.1, "high": 0.5}}},
    ],
)
def test_whatever_changes_a_trial_makes_another_sweep(settings):
    base = make_experiment()
    assert sweep_of(**settings).identity("d", base) != sweep_of().identity("d", base)


def test_experiment_and_data_are_part_of_a_sweep_and_the_number_of_trials_is_not():
    base, sweep = make_experiment(), sweep_of()
    same = sweep.identity("d", base)
    assert sweep_of(trials=50).identity("d", base) == same
    assert sweep_of(early_stopping=True).identity("d", base) == same  # what it does anyway
    assert sweep_of(experiment="moved/small.yaml").identity("d", base) == same
    assert sweep.identity("e", base) != same
    assert sweep.identity("d", make_experiment(model=small_model(adstock_max_lag=7))) != same
    assert len(same) == 12


def test_values_that_look_the_same_in_other_types_are_another_search():
    base = make_experiment()
    one, two = (
        sweep_of(search={"x": {"a": {LAG: value}, "b": {}}}).identity("d", base)
        for value in (4, "4")
    )
    assert one != two
    assert isinstance(sweep_of().search[LAG], Options)
