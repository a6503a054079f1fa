"""The library's optimizer as an engine: what it may be asked, how good its plans are, and ours."""

from dataclasses import replace

import numpy as np
import pytest

from drawn_model import drawn_model
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.planning import optimize
from mmm_demo.planning.engines import Rivals, plans_by, rivals
from mmm_demo.planning.feasible import Region, region_of
from mmm_demo.planning.library import LibraryPlanner, library_plans
from mmm_demo.planning.optimize import Planner, spread_of
from mmm_demo.planning.solver import GAP_MAX
from mmm_demo.planning.window import BudgetError, window_of
from mmm_demo.settings.events import Occurrence
from mmm_demo.settings.scenario import Group, Scenario
from own_forms import as_fitted, own_forms, own_model

WEEKS, WIDE = 6, {"*": (0.3, 2.0)}
EVENTS = (
    Occurrence("Fair", "2022-06-07", "2022-06-08"),
    Occurrence("Fair", "2023-06-07", "2023-06-08"),
)


def planner_of(fitted: FittedModel, **cost: float) -> Planner:
    return Planner(fitted, window_of(fitted, WEEKS, None, cost))


@pytest.fixture(scope="module")
def planner() -> Planner:
    return planner_of(drawn_model())


def both(planner: Planner, scenario: Scenario) -> Rivals:
    plans = plans_by("both", planner, [scenario])
    assert [plan.engine for plan in plans] == ["own", "library"]
    (pair,) = rivals(plans)
    return pair


def assert_alike(pair: Rivals, planner: Planner, share: float = 1e-5) -> None:
    """Check that the library answered the same question, and about as well."""
    own, library = pair.own, pair.library
    assert library.window is own.window
    assert list(library.weekly.index) == list(planner.window.dates)
    assert library.scenario.name == f"{own.scenario.name}_library"
    assert library.total_budget == pytest.approx(own.total_budget, rel=1e-6)
    for plan in (own, library):
        assert plan.region.keeps(plan.table["planned"].to_numpy())
    np.testing.assert_allclose(library.table["lower_bound"], own.table["lower_bound"])
    np.testing.assert_allclose(library.table["upper_bound"], own.table["upper_bound"])
    assert abs(pair.share) <= share
    assert pair.objective == pytest.approx(library.response.mean() - own.response.mean())
    assert (library.certified, library.thinning) == (own.certified, 0.0)
    assert 0 <= library.gap <= GAP_MAX


@pytest.mark.parametrize(
    ("asked", "cost"),
    [
        ({"relative_budget": 0.6, "relative_bounds": {"*": (0.0, 1.0)}}, {}),
        ({"relative_budget": 1.4, "relative_bounds": WIDE}, {"TV": 2.5}),
        ({"profile": "historical", "relative_bounds": WIDE}, {}),
        ({"profile": {"TV": (1.0, 2.0, 3.0, 0.0, 0.0, 0.0)}, "relative_bounds": WIDE}, {}),
        ({}, {}),  # within the default bounds
    ],
)
def test_the_library_answers_the_same_question_and_counts_the_same(asked, cost) -> None:
    planner = planner_of(drawn_model(), **cost)
    pair = both(planner, Scenario("same", **asked))
    assert_alike(pair, planner)
    spread = spread_of(pair.own.scenario, planner.window)
    library = LibraryPlanner(planner.fitted, planner.window, spread=spread)
    planned = pair.library.table["planned"].to_numpy()
    np.testing.assert_allclose(library.response(planned), pair.library.response, rtol=1e-6)
    assert (library._carried_in > 0).all()  # and all the same it is in neither's response
    shares = pair.library.weekly.to_numpy() / planned
    np.testing.assert_allclose(shares, spread, atol=1e-12)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"objective": "profit", "margin": 0.6},
        {"objective": "profit", "margin": 1.0},
        {"objective": "profit", "margin": 0.5, "relative_budget": 0.8},
        {"objective": "target_mroas", "target": 2.0},
    ],
)
def test_it_plans_for_profit_a_marginal_return_and_within_groups(asked) -> None:
    planner = planner_of(own_forms(True))
    free = both(planner, Scenario("free", relative_bounds=WIDE, **asked))
    spent = free.own.table.set_index("channel")["planned"]
    capped, kept = ["Radio", "Search"], ["TV", "Search"]
    groups = {
        "capped": Group(tuple(capped), at_most=0.95 * spent[capped].sum()),
        "kept": Group(tuple(kept), at_least=1.02 * spent[kept].sum()),
    }
    held = both(planner, Scenario("held", relative_bounds=WIDE, groups=groups, **asked))
    assert not held.own.region.keeps(spent.to_numpy())  # the groups are felt
    for pair in (free, held):
        at_stake = max(abs(pair.own.value), pair.own.response.mean())
        assert abs(pair.objective) <= 1e-5 * at_stake
        assert 0 <= pair.library.gap <= GAP_MAX
        assert pair.moved <= 1e-3 * pair.own.total_budget
        assert pair.library.total_budget <= pair.library.region.budget * (1 + 1e-6)
    planned = held.library.table.set_index("channel")["planned"]
    assert planned[capped].sum() <= groups["capped"].at_most + 1
    assert planned[kept].sum() >= groups["kept"].at_least - 1


def test_the_limits_of_one_scenario_do_not_hold_in_the_next(planner) -> None:
    free = Scenario("free", relative_bounds=WIDE)
    best = planner.plan(free).table.set_index("channel")["planned"]
    few = {"few": Group(("TV", "Radio"), at_most=0.7 * best.sum())}
    held = replace(free, name="held", objective="profit", margin=1.0, groups=few)
    again = replace(held, name="again", groups={})
    one, two, three, four = library_plans(planner, [free, held, again, replace(free, name="last")])
    assert two.total_budget <= 0.7 * best.sum() * (1 + 1e-6) < three.total_budget
    for plan in (one, four):
        np.testing.assert_allclose(plan.table["planned"], best, rtol=1e-4)


def test_a_margin_in_another_unit_is_refused_as_of_our_own(planner) -> None:
    odd = Scenario("odd", objective="profit", margin=40.0)
    for engine in ("own", "library", "both"):
        with pytest.raises(BudgetError, match="margin 40 means 4000% of sales"):
            plans_by(engine, planner, [odd])


def test_a_fixed_channel_keeps_its_weeks() -> None:
    planner = planner_of(own_forms(True))
    free = {"Radio": (0.5, 2.0), "Search": (0.5, 2.0)}
    pair = both(planner, Scenario("fixed", fixed=("TV",), relative_bounds=free))
    assert_alike(pair, planner)
    np.testing.assert_allclose(pair.library.weekly["TV"], planner.window.last[:, 0])


@pytest.mark.parametrize(
    "settings",
    [
        {"baseline": "trend"},
        {"baseline": "drift"},
        {"adstock": "binomial"},
        {"adstock": "delayed"},
        {"adstock": "none"},
        {"saturation": "michaelis_menten"},
        {"saturation": "linear"},
        {"noise": "student_t", "autocorrelation": True},
        {"calendar": EVENTS},
        {"yearly_seasonality": 0, "control_columns": ()},
    ],
)
def test_the_library_plans_with_every_form_whose_response_is_concave(settings) -> None:
    planner = planner_of(as_fitted(own_model({}, **settings)))
    assert_alike(both(planner, Scenario("form", relative_bounds=WIDE)), planner)


@pytest.mark.parametrize("settings", [{"saturation": "s_shaped"}, {"saturation": "hill"}, None])
def test_where_the_response_is_not_concave_its_one_search_is_never_better(settings) -> None:
    fitted = own_forms(False) if settings is None else as_fitted(own_model({}, **settings))
    planner = planner_of(fitted)
    pair = both(planner, Scenario("steep", relative_bounds={"*": (0.0, 2.0)}))
    assert not pair.library.certified
    assert pair.share <= 1e-4
    assert pair.library.total_budget == pytest.approx(pair.own.total_budget, rel=1e-6)


@pytest.mark.parametrize("engine", ["library", "both"])
@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"objective": "cvar"}, "objective: cvar"),
        ({"objective": "target_response", "target": 1e5}, "objective: target_response"),
        ({"objective": "target_roas", "target": 1.0}, "objective: target_roas"),
        ({"profile": "optimised"}, "profile: optimised"),
        (
            {"objective": "cvar", "profile": "optimised", "smoothness": 0.2},
            "objective: cvar, profile: optimised, smoothness: 0.2",
        ),
    ],
)
def test_what_it_is_not_asked_for_is_refused_before_anything_is_solved(
    planner, monkeypatch, engine, asked, named
) -> None:
    searched: list[object] = []
    monkeypatch.setattr(optimize, "maximise", lambda *of, **_: searched.append(of))
    monkeypatch.setattr(LibraryPlanner, "solve", lambda *of: searched.append(of))
    scenarios = [Scenario("fine"), Scenario("more", **asked)]
    told = f"scenario more: .* not for {named}. Leave that out, or plan with engine: own"
    with pytest.raises(BudgetError, match=told):
        plans_by(engine, planner, scenarios)
    assert not searched


def test_a_plan_without_a_choice_and_one_without_a_region_are_refused(planner) -> None:
    fixed = Scenario("as_before", fixed=planner.window.channels)
    with pytest.raises(BudgetError, match=r"as_before: every channel is fixed, .* engine: own"):
        plans_by("library", planner, [fixed])
    with pytest.raises(BudgetError, match="these limits clash: "):
        tight = Scenario("little", total_budget=1.0, relative_bounds={"*": (0.9, 1.1)})
        plans_by("library", planner, [tight])


def test_a_search_that_fails_is_told_with_what_the_library_said(planner) -> None:
    current = planner.window.current
    beyond = Region(0 * current, current, (), 3 * float(current.sum()), True)
    told = r"found no plan: it ended at [\d,]+ of a budget of [\d,]+ and said '.+'; change the"
    with pytest.raises(BudgetError, match=told):
        LibraryPlanner(planner.fitted, planner.window).solve(beyond)


def test_a_library_that_plans_for_another_model_is_refused() -> None:
    fitted, other = as_fitted(own_model({})), as_fitted(own_model({}, saturation="linear"))
    assert library_plans(planner_of(fitted), [Scenario("own")])
    fitted.__dict__["mmm"] = other.mmm  # as if its graph had come to mean something else
    with pytest.raises(BudgetError, match=r"scenario own: .* planned for another model"):
        library_plans(planner_of(fitted), [Scenario("own")])


def test_a_plan_that_is_far_from_the_best_says_by_how_much_at_most(planner) -> None:
    scenario = Scenario("poor", relative_bounds=WIDE)
    best, region = planner.plan(scenario), region_of(scenario, planner.window)
    worst = region.furthest(planner.window.current - best.table["planned"].to_numpy())
    poor = planner.judged(scenario, worst, "library", "Iteration limit reached")
    lost = best.value / poor.value - 1
    assert lost > GAP_MAX  # else nothing is shown
    assert poor.gap >= lost * (1 - 1e-9)
    assert (poor.engine, poor.complaint) == ("library", "Iteration limit reached")
    assert poor.certified
    assert planner.judged(scenario, best.table["planned"].to_numpy(), "library").gap <= GAP_MAX
    with pytest.raises(BudgetError, match="plan breaks its limits"):
        planner.judged(scenario, 2 * worst, "library")


def test_plans_of_one_engine_have_no_rivals(planner) -> None:
    own, library = (
        plans_by(engine, planner, [Scenario("one", relative_bounds=WIDE)])
        for engine in ("own", "library")
    )
    assert (own[0].engine, library[0].engine) == ("own", "library")
    assert own[0].scenario.name == library[0].scenario.name == "one"
    assert rivals(own) == rivals(library) == []


def test_the_difference_of_rivals_is_the_librarys_minus_ours(planner) -> None:
    scenario = Scenario("gap", relative_bounds=WIDE)
    own = planner.plan(scenario)
    shift = np.array([30_000.0, -30_000.0])
    named = replace(scenario, name="gap_library")
    other = planner.judged(named, own.table["planned"].to_numpy() + shift, "library")
    (pair,) = rivals([own, other])
    np.testing.assert_allclose(pair.spend, shift)
    assert pair.moved == pytest.approx(30_000.0)
    lost = other.response.mean() - own.response.mean()
    assert lost < 0
    assert pair.objective == pytest.approx(lost)
    assert pair.share == pytest.approx(lost / own.response.mean())
