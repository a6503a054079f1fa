"""Plan files: what they may ask for, and what is refused in one clear line."""

from copy import deepcopy
from pathlib import Path

import pytest

from mmm_demo.settings.experiment import BudgetConfig, ConfigError
from mmm_demo.settings.scenario import (
    Group,
    PlanRequest,
    Scenario,
    load_request,
)
from mmm_demo.settings.yaml_file import build

NAN, INF = float("nan"), float("inf")
GROUP = {"channels": ["TV", "Radio"], "at_most": 5.0}


def plan(**changes: object) -> dict:
    return {"market": "demo", "scenarios": [{"name": "a"}]} | changes


def one(**scenario: object) -> dict:
    return plan(weeks=3, scenarios=[{"name": "a"} | scenario])


def group(**changes: object) -> dict:
    return one(groups={"g": GROUP | changes})


def faults(content: object) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        build(PlanRequest, content, "spring.yaml")
    first, *lines = str(refused.value).splitlines()
    assert first == "spring.yaml is not valid:"
    assert all(line.startswith("  ") for line in lines)
    return [line.removeprefix("  ") for line in lines]


# Valid


def test_a_short_plan_is_completed():
    request = build(PlanRequest, plan(), "spring.yaml")
    assert (request.weeks, request.start, request.cost_per_unit) == (13, None, {})
    (scenario,) = request.scenarios
    assert scenario == Scenario("a", objective="response", profile="even")


def test_a_whole_plan_is_read():
    content = {
        "market": "demo",
        "weeks": 2,
        "start": "2026-01-05",
        "description": "spring",
        "cost_per_unit": {"Search": 0.5},
        "scenarios": [
            {
                "name": "a",
                "objective": "cvar",
                "tail": 0.2,
                "total_budget": 100,
                "bounds": {"TV": [0, 50.5]},
                "relative_bounds": {"*": [0.5, 2]},
                "fixed": ["Search"],
                "groups": {"g": {"channels": ["TV", "Radio"], "at_least": 1, "at_most": 9}},
                "profile": {"TV": [1, 3], "Audio": [1, 0]},
            },
            {"name": "b", "objective": "profit", "margin": 0.4, "profile": "historical"},
            {"name": "c", "objective": "target_roas", "target": 3, "relative_budget": 1.5},
            {"name": "d", "profile": "optimised", "smoothness": 0.2},
        ],
    }
    request = build(PlanRequest, content, "spring.yaml")
    first = request.scenarios[0]
    assert request.start == "2026-01-05"
    assert request.cost_per_unit == {"Search": 0.5}
    assert first.bounds == {"TV": (0, 50.5)}
    assert first.profile == {"TV": (1, 3), "Audio": (1, 0)}
    assert first.groups == {"g": Group(("TV", "Radio"), 1.0, 9.0)}
    assert first.channels == {"TV", "Radio", "Search", "Audio"}
    assert [s.spends_all for s in request.scenarios] == [True, False, False, True]
    assert [s.worst_share for s in request.scenarios] == [0.2, 1.0, 1.0, 1.0]


def test_the_tail_has_a_default():
    assert Scenario("a", objective="cvar").worst_share == 0.1


def test_our_own_engine_plans_unless_another_is_asked_for():
    assert build(PlanRequest, plan(), "spring.yaml").engine == "own"
    for engine in ("own", "library", "both"):
        assert build(PlanRequest, plan(engine=engine), "spring.yaml").engine == engine
    assert faults(plan(engine="theirs")) == [
        "engine: Input should be 'own', 'library' or 'both', got 'theirs'"
    ]
    (told,) = faults(plan(scenarios=[{"name": "a", "engine": "library"}]))
    assert told.startswith("scenarios.0.engine: unknown key; valid: ")  # one for the whole file


def test_no_scenario_is_called_like_the_librarys_plan_of_another():
    twins = [{"name": "a"}, {"name": "a_library"}]
    told = "engine both calls the library's plans like scenarios of this file: a_library; give"
    assert told in faults(plan(engine="both", scenarios=twins))[0]
    for engine in ("own", "library"):
        assert len(build(PlanRequest, plan(engine=engine, scenarios=twins), "x").scenarios) == 2


def test_equal_bounds_and_a_zero_bound_are_allowed():
    scenario = Scenario("a", bounds={"TV": (0, 0), "Radio": (3, 3)})
    assert scenario.bounds == {"TV": (0, 0), "Radio": (3, 3)}


def test_a_day_is_read_whether_quoted_or_not(tmp_path):
    for number, start in enumerate(("2026-01-05", "'2026-01-05'")):
        path = tmp_path / f"{number}.yaml"
        path.write_text(f"market: demo\nstart: {start}\nscenarios: [{{name: a}}]\n")
        assert load_request(path).start == "2026-01-05"


def test_an_experiments_budget_is_a_scenario_with_its_window():
    budget = BudgetConfig(weeks=8, total_budget=1e6, bounds={"TV": (1.0, 2.0)})
    assert isinstance(budget, Scenario)
    assert (budget.name, budget.objective, budget.profile) == ("plan", "response", "even")
    request = PlanRequest("demo", (budget,), weeks=budget.weeks, start=budget.start)
    assert request.scenarios == (budget,)


def test_budget_and_plan_file_have_the_same_window():
    for field in ("weeks", "start", "cost_per_unit", "engine"):
        default = getattr(PlanRequest("demo", (Scenario("a"),)), field)
        assert getattr(BudgetConfig(), field) == default


# One fault, one line: field and value

NUMBERS = {"nan": NAN, "infinite": INF, "negative": -1.0, "text": "5", "true": True, "a list": [1]}
POSITIVE = {
    "total_budget": {},
    "relative_budget": {},
    "margin": {"objective": "profit"},
    "target": {"objective": "target_roas"},
    "smoothness": {"profile": "optimised"},
    "tail": {"objective": "cvar"},
}


@pytest.mark.parametrize("kind", [*NUMBERS, "zero"])
@pytest.mark.parametrize("field", POSITIVE)
def test_a_positive_number_is_required(field, kind):
    value = (NUMBERS | {"zero": 0})[kind]
    (line,) = faults(one(**POSITIVE[field], **{field: value}))
    assert line.startswith(f"scenarios.0.{field}: ")
    assert line.endswith(f"got {value!r}")


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize(
    ("place", "make"),
    [
        ("scenarios.0.bounds.TV.0", lambda v: one(bounds={"TV": [v, 5]})),
        ("scenarios.0.relative_bounds.TV.1", lambda v: one(relative_bounds={"TV": [0, v]})),
        ("scenarios.0.groups.g.at_least", lambda v: group(at_least=v)),
        ("scenarios.0.groups.g.at_most", lambda v: group(at_most=v)),
        ("cost_per_unit.TV", lambda v: plan(cost_per_unit={"TV": v})),
    ],
)
def test_a_number_inside_a_section_is_named_with_its_value(place, make, kind):
    (line,) = faults(make(NUMBERS[kind]))
    assert line.startswith(f"{place}: ")
    assert line.endswith(f"got {NUMBERS[kind]!r}")


@pytest.mark.parametrize("weights", [[1, -1, 1], [1, NAN, 1], [1, "2", 1], [1, True, 1]])
def test_a_wrong_profile_weight_is_one_line(weights):
    (line,) = faults(one(profile={"TV": weights}))
    assert "profile" in line
    assert "TV.1" in line
    assert line.endswith(f"got {weights[1]!r}")


@pytest.mark.parametrize("profile", ["evn", 3, None])
def test_a_profile_of_no_kind_is_one_line_that_names_the_kinds(profile):
    (line,) = faults(one(profile=profile))
    assert line.startswith("scenarios.0.profile: ")
    assert "'even', 'historical' or 'optimised'" in line
    assert line.endswith(f"got {profile!r}")


@pytest.mark.parametrize("weeks", [0, -1, 8.0, "13", True, 105, None, NAN])
def test_weeks_must_be_a_whole_number(weeks):
    (line,) = faults(plan(weeks=weeks))
    assert line.startswith("weeks: ")
    assert line.endswith(f"got {weeks!r}")


@pytest.mark.parametrize("start", ["monday", "2026-02-30", "", 20260105, True, "2026-01-05T00:00"])
def test_start_must_be_a_day(start):
    (line,) = faults(plan(start=start))
    assert line == f"start: must be a day such as 2026-01-05, got {start!r}"


REFUSED = {
    "inverted bounds": (
        one(bounds={"TV": [5, 1], "Radio": [0, 1]}),
        "scenarios.0.bounds: bounds must satisfy low <= high, got TV: [5, 1]",
    ),
    "inverted relative bounds": (
        one(relative_bounds={"*": [2, 0.5]}),
        "scenarios.0.relative_bounds: bounds must satisfy low <= high, got *: [2, 0.5]",
    ),
    "one bound": (one(bounds={"TV": [1]}), "scenarios.0.bounds.TV"),
    "three bounds": (one(bounds={"TV": [1, 2, 3]}), "scenarios.0.bounds.TV: "),
    "bounded and fixed": (
        one(bounds={"TV": [0, 1]}, fixed=["TV"]),
        "scenarios.0: limited twice (bounds, relative_bounds, fixed): TV",
    ),
    "bounded twice": (
        one(bounds={"TV": [0, 1]}, relative_bounds={"TV": [0, 1], "*": [0, 2]}),
        "scenarios.0: limited twice (bounds, relative_bounds, fixed): TV",
    ),
    "fixed twice": (one(fixed=["TV", "TV"]), "scenarios.0: limited twice"),
    "all channels in money": (one(bounds={"*": [0, 1]}), "scenarios.0: '*' is for relative_bounds"),
    "no margin": (one(objective="profit"), "scenarios.0: objective profit needs margin"),
    "no response target": (
        one(objective="target_response"),
        "scenarios.0: objective target_response needs target",
    ),
    "no ROAS target": (
        one(objective="target_roas", total_budget=5),
        "scenarios.0: objective target_roas needs target",
    ),
    "no mROAS target": (
        one(objective="target_mroas"),
        "scenarios.0: objective target_mroas needs target",
    ),
    "margin without profit": (one(margin=0.5), "scenarios.0: margin says nothing to objective"),
    "target with profit": (
        one(objective="profit", margin=0.5, target=2),
        "scenarios.0: target says nothing to objective profit",
    ),
    "tail without cvar": (one(tail=0.1), "scenarios.0: tail says nothing to objective response"),
    "tail above half": (one(objective="cvar", tail=0.6), "scenarios.0.tail: "),
    "smoothness of an even profile": (
        one(smoothness=0.1),
        "scenarios.0: smoothness needs profile: optimised",
    ),
    "two budgets": (
        one(total_budget=1, relative_budget=1),
        "scenarios.0: give total_budget or relative_budget, not both",
    ),
    "unknown objective": (one(objective="respons"), "scenarios.0.objective: "),
    "a group of one": (group(channels=["TV"]), "scenarios.0.groups.g.channels: "),
    "a channel twice in a group": (
        group(channels=["TV", "TV"]),
        "scenarios.0.groups.g: channels named twice: TV",
    ),
    "a group without limits": (
        one(groups={"g": {"channels": ["TV", "Radio"]}}),
        "scenarios.0.groups.g: a group needs at_least or at_most",
    ),
    "inverted group": (
        group(at_least=9),
        "scenarios.0.groups.g: at_least 9 is above at_most 5",
    ),
    "an empty group": (one(groups={"g": None}), "scenarios.0.groups.g: "),
    "too few weights": (
        one(profile={"TV": [1, 2]}),
        "the file: scenario a: profile of TV needs 3 weights, not all zero; got 2 that add up to 3",
    ),
    "too many weights": (one(profile={"TV": [1, 2, 3, 4]}), "the file: scenario a: profile of TV"),
    "zero weights": (
        one(profile={"TV": [0, 0, 0]}),
        "the file: scenario a: profile of TV needs 3 weights, not all zero; got 3 that add up to 0",
    ),
    "weights beyond all numbers": (one(profile={"TV": [1e308] * 3}), "the file: scenario a: "),
    "two of one name": (
        plan(scenarios=[{"name": "a"}, {"name": "b"}, {"name": "a"}]),
        "the file: scenarios with one name: a",
    ),
    "no scenario": (plan(scenarios=[]), "the file: a plan has 1 to 20 scenarios, got 0"),
    "scenarios left out": ({"market": "demo"}, "scenarios: missing"),
    "market left out": ({"scenarios": [{"name": "a"}]}, "market: missing"),
    "name left out": (plan(scenarios=[{}]), "scenarios.0.name: missing"),
    "scenarios empty": (plan(scenarios=None), "scenarios: "),
    "scenarios by name": (plan(scenarios={"a": {}}), "scenarios: "),
    "a scenario that is a word": (plan(scenarios=["a"]), "scenarios.0: "),
    "a name with spaces": (one(name="My plan"), "scenarios.0.name: "),
    "a market with spaces": (plan(market="my market"), "market: "),
    "a list for a file": ([1, 2], "the file: "),
    "an empty file": (None, "the file: "),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_no_plan_can_mean_is_refused_in_one_line(fault):
    content, start = REFUSED[fault]
    (line,) = faults(deepcopy(content))
    assert line.startswith(start)


@pytest.mark.parametrize(
    "content",
    [
        one(fixed=["*"]),
        group(channels=["*", "TV"]),
        one(profile={"*": [1, 2, 3]}),
    ],
    ids=["fixed", "group", "profile"],
)
def test_all_channels_stands_for_no_channel_elsewhere(content):
    """`*` would be taken for a channel's name and silently change nothing."""
    (line,) = faults(content)
    assert "*" in line


@pytest.mark.parametrize(
    ("content", "place", "valid"),
    [
        (
            plan(week=3),
            "week",
            "cost_per_unit, description, engine, market, scenarios, start, weeks",
        ),
        (
            one(budget=3),
            "scenarios.0.budget",
            "bounds, default_bounds, description, fixed, groups, margin, name, objective, profile, "
            "relative_bounds, relative_budget, smoothness, tail, target, total_budget",
        ),
        (group(at_mots=3), "scenarios.0.groups.g.at_mots", "at_least, at_most, channels"),
    ],
)
def test_an_unknown_key_names_the_valid_ones(content, place, valid):
    assert faults(content) == [f"{place}: unknown key; valid: {valid}"]


def test_several_faults_are_reported_together():
    content = {
        "market": "demo",
        "weeks": 0,
        "start": "soon",
        "cost_per_unit": {"TV": -1},
        "extra": 1,
        "scenarios": [
            {"name": "a", "objective": "profit"},
            {"name": "b", "total_budget": NAN, "bounds": {"TV": [2, 1]}, "more": 1},
        ],
    }
    places = {line.partition(": ")[0] for line in faults(content)}
    assert places == {
        "weeks",
        "start",
        "cost_per_unit.TV",
        "extra",
        "scenarios.0",
        "scenarios.1.total_budget",
        "scenarios.1.bounds",
        "scenarios.1.more",
    }


# Files


def written(folder: Path, text: str) -> Path:
    path = folder / "spring.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_read(tmp_path):
    text = "market: demo\nweeks: 8\nscenarios:\n- name: a\n  total_budget: 100\n"
    assert load_request(written(tmp_path, text)) == PlanRequest(
        "demo", (Scenario("a", total_budget=100.0),), weeks=8
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("market: demo\nmarket: other\nscenarios: [{name: a}]\n", "key given twice: market"),
        ("market: demo\nscenarios: [{name: a, fixed: [TV], fixed: []}]\n", "given twice: fixed"),
        ("- market: demo\n", "must hold a mapping, got list"),
        ("market: demo\nscenarios: [{name: a}]\nweeks: 0\n", "weeks: "),
    ],
)
def test_a_bad_file_is_named_with_the_reason(tmp_path, text, reason):
    with pytest.raises(ConfigError) as refused:
        load_request(written(tmp_path, text))
    assert "spring.yaml" in str(refused.value)
    assert reason in str(refused.value)


def test_a_missing_file_names_the_ones_there(tmp_path):
    written(tmp_path, "market: demo\n")
    with pytest.raises(FileNotFoundError, match=r"no plan file .*autumn\.yaml.*spring\.yaml"):
        load_request(tmp_path / "autumn.yaml")


# How far channels may move that have no bounds of their own


@pytest.mark.parametrize("most", ["seen", 0.05, 0.3, 1])
def test_a_move_is_a_share_or_as_far_as_the_data_have_seen(most):
    assert Scenario("a", default_bounds=most).default_bounds == most
    assert Scenario("a", default_bounds=most).most_change(tested=False) == most


def test_without_a_word_a_model_without_lift_tests_moves_by_the_usual_step():
    assert Scenario("a").most_change(tested=False) == 0.3
    assert Scenario("a").most_change(tested=True) == "seen"


@pytest.mark.parametrize(
    ("most", "words"),
    [
        (30, "a share of what a channel spent, so at most 1, got 30; 30% is 0.3"),
        (3, "3% is 0.03"),
        (0, "greater than 0"),
        (-0.3, "greater than 0"),
        (float("nan"), "finite"),
        ("wide", "'seen'"),
    ],
)
def test_what_is_no_move_is_refused(most, words):
    (fault,) = faults(one(default_bounds=most))
    assert fault.startswith("scenarios.0.default_bounds") and words in fault
