"""What is told of who solved a plan: how far both are apart, and what a library's plan lacks."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from test_plan_page import GROUND, HEADINGS

from mmm_demo.planning.plan import Plan
from mmm_demo.planning.solver import GAP_MAX
from mmm_demo.planning.study import study_plans
from mmm_demo.reports.plan_engines import engine_lead, engine_sections, engine_sentences
from mmm_demo.reports.plan_page import plan_page
from mmm_demo.reports.plan_text import certificate_sentence
from mmm_demo.settings.scenario import Scenario
from mmm_demo.settings.wording import money
from pages import Page, assert_self_contained
from planned import WIDE, planner, s_shaped, study

SHIFT = np.array([200_000.0, -200_000.0])


@cache
def own() -> Plan:
    return planner().plan(Scenario("keep", relative_bounds=WIDE))


@cache
def library(name: str = "keep_library", shift: float = 1.0) -> Plan:
    """Return a plan as the library might have made it, some way off the best."""
    scenario = replace(own().scenario, name=name)
    planned = own().table["planned"].to_numpy() + shift * SHIFT
    return planner().judged(scenario, planned, "library")


def test_of_our_own_plans_nothing_is_told() -> None:
    assert engine_sentences(study().plans) == engine_sections(study().plans) == []
    assert engine_lead(study().plans) == {}


def test_a_pair_is_told_with_its_difference_of_spend_and_objective() -> None:
    lost = own().response.mean() - library().response.mean()
    first, second = engine_sentences([own(), library()])
    assert first == (
        "Both engines planned: the plan of PyMC-Marketing's BudgetOptimizer is expected to bring "
        f"{money(lost)} less in sales by media ({-lost / own().response.mean():+.3%}) than our "
        f"own, and puts 200k elsewhere: {told_moves()}."
    )
    assert library().gap > GAP_MAX  # else there is nothing to confess
    assert second == (
        "The library's plan of keep_library may not be the best: another one within the limits "
        f"could bring up to {library().gap:.3%} more; engine: own searches for that one."
    )
    assert engine_lead([own(), library()]) == {"Who solved it": f"{first} {second}"}


def told_moves() -> str:
    tv, radio = own().table["planned"]
    return f"TV +200k ({200_000 / tv:+.0%}), Radio -200k ({-200_000 / radio:+.0%})"


def test_a_pair_that_agrees_names_no_channel() -> None:
    (told,) = engine_sentences([own(), library(shift=0.0)])
    assert told.endswith(
        "is expected to bring the same sales by media as our own, and divides the money alike."
    )


def test_several_pairs_are_told_by_name_and_the_first_screen_has_the_first() -> None:
    other = replace(own(), scenario=replace(own().scenario, name="other"))
    plans = [own(), library(shift=0.0), other, library("other_library", 0.0)]
    told = engine_sentences(plans)
    assert [text.partition(":")[0] for text in told] == [
        "Both engines planned keep",
        "Both engines planned other",
    ]
    assert engine_lead(plans)["Who solved it"].count("Both engines planned") == 1


@pytest.mark.parametrize("count", [1, 2])
def test_the_librarys_own_plans_are_called_so(count: int) -> None:
    plans = [library(name, 0.0) for name in ("one", "two")][:count]
    (told,) = engine_sentences(plans)
    what = "this plan" if count == 1 else "these plans"
    assert told.startswith(f"PyMC-Marketing's BudgetOptimizer made {what}. What it brings")
    (section,) = engine_sections(plans)
    assert section.heading == "Who solved it" and not section.tables


def test_what_the_library_said_of_its_own_search_is_told() -> None:
    odd = replace(library("one", 0.0), complaint="Positive directional derivative")
    told = engine_sentences([odd])[1]
    assert "the library said 'Positive directional derivative', as it may at an opt" in told
    assert told.endswith("no other plan within the limits is better by more than 0.001%.")


def test_the_page_shows_both_side_by_side_in_a_section_of_its_own() -> None:
    found = study_plans(planner(), [own(), library()])
    text = plan_page(found, GROUND)
    assert_self_contained(text)
    shown = " ".join(Page(text).texts)
    assert all(heading in shown for heading in HEADINGS)
    (section,) = engine_sections(found.plans)
    objectives, spend = section.tables.values()
    assert objectives["money elsewhere"].tolist() == ["200k"]
    assert objectives["left to win: library"].tolist() == [f"{library().gap:.3%}"]
    assert spend["difference"].tolist() == ["+200k", "-200k"]
    assert spend["own"].tolist() == [*map(money, own().table["planned"])]
    assert spend["library"].tolist() == [*map(money, library().table["planned"])]
    for cell in ("money elsewhere", "-200k", engine_sentences(found.plans)[0]):
        assert cell in shown
    ours = " ".join(Page(plan_page(study(), GROUND)).texts)
    assert "Who solved it" not in ours


def test_where_nothing_is_certified_one_search_is_not_called_many() -> None:
    steep = s_shaped()
    plan = steep.plan(Scenario("steep", relative_bounds=WIDE))
    theirs = steep.judged(plan.scenario, plan.table["planned"].to_numpy(), "library")
    assert certificate_sentence(plan).startswith("The best of many searches. Judged")
    assert certificate_sentence(theirs).startswith("Where one search ended. Judged")
    odd = replace(theirs, gap=0.02, complaint="Iteration limit reached")
    _, best, said = engine_sentences([odd])
    assert "another one nearby could bring up to 2.000% more" in best
    assert said.endswith("no other plan nearby is better by more than 2.000%.")
