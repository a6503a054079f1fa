"""Sentences about plans: what a budget owner reads is what was found, with every warning."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mmm_demo.plan_text import (
    UNRANKED,
    aim,
    certificate_sentence,
    chance,
    channel_flags,
    money,
    plan_sentences,
    signed,
    smallest_sentence,
)
from mmm_demo.planning.honesty import PAIRS
from mmm_demo.planning.plan import Move, Plan
from mmm_demo.planning.scenario import Scenario
from planned import study

DATA = {"TV": "data-driven", "Radio": "data-driven"}
SURE, UNSURE = ("TV", "Radio", 1.0, 0.2, 2.0, 0.99), ("TV", "Radio", 0.5, -0.1, 1.0, 0.8)


def edited(*pairs: tuple, gain: np.ndarray | None = None, **columns: list) -> Plan:
    """Return the main plan with other pairs, gains (sample,) and columns of its table."""
    plan = study().main
    response = plan.response if gain is None else plan.status_quo + gain
    table = plan.table.assign(outside_observed=False, at_bound="").assign(**columns)
    found = pd.DataFrame(list(pairs), columns=PAIRS)
    return replace(plan, pairs=found, table=table, response=response)


def test_the_sentences_say_what_to_change_and_what_it_brings():
    plan = edited(SURE)
    change, gain, care = plan_sentences(plan, DATA)
    tv, radio = (row for row in plan.table.itertuples())
    assert change.startswith(f"Spend {money(plan.total_budget)} in the 8 weeks from ")
    assert "as much as in the last 8 weeks" in change
    for row in (tv, radio):
        told = f"{row.channel} {signed(row.planned - row.current)} ({row.change:+.0%})"
        assert told in change
    uplift = plan.uplift
    assert f"{money(uplift['mean'])} more sales ({uplift['share']:+.1%})" in gain
    for name in ("lower_50", "upper_50", "lower_94", "upper_94", "shortfall"):
        assert signed(uplift[name]) in gain
    assert chance(uplift["probability"]) in gain
    assert f"would bring {signed(plan.timing)}" in gain
    assert care.startswith("No channel leaves the spend ever observed")


def test_a_plan_that_cannot_be_ranked_says_so_first_with_the_smallest_move():
    plan = edited(SURE, UNSURE)
    first, *rest = plan_sentences(plan, DATA)
    assert first.startswith(UNRANKED)
    assert "prefers TV over Radio." in first
    assert smallest_sentence(plan) in first
    assert rest == plan_sentences(edited(SURE), DATA)


def test_the_smallest_move_is_told_in_money_by_channel():
    plan = edited(UNSURE)
    current = plan.table["current"].to_numpy()
    moved = replace(plan, smallest=Move(current + np.array([1e5, -1e5]), 1e5, 0.95))
    text = smallest_sentence(moved)
    assert f"TV +100k ({1e5 / current[0]:+.0%})" in text
    assert f"Radio -100k ({-1e5 / current[1]:+.0%})" in text
    assert "it moves 100k" in text
    assert smallest_sentence(replace(plan, smallest=None)) == ""
    assert plan_sentences(replace(plan, smallest=None), DATA)[0].endswith("TV over Radio.")


@pytest.mark.parametrize(
    ("columns", "labels", "told"),
    [
        ({"outside_observed": [True, False]}, DATA, "TV outside the spend ever observed"),
        ({"at_bound": ["upper", "upper"]}, DATA, "TV and Radio at the upper bound"),
        ({"at_bound": ["", "lower"]}, DATA, "Radio at the lower bound"),
        ({}, DATA | {"Radio": "prior-driven"}, "Radio resting on the prior more than on data"),
    ],
)
def test_every_flag_is_told(columns, labels, told):
    care = plan_sentences(edited(SURE, **columns), labels)[-1]
    assert care == f"Read with care: {told}."


def test_without_labels_nobody_claims_that_channels_rest_on_data():
    care = plan_sentences(edited(SURE), {})[-1]
    assert "rests on its prior" not in care
    assert "not known" in care


def test_flags_stand_with_their_channel():
    plan = edited(SURE, at_bound=["fixed", "upper"], outside_observed=[False, True])
    labels = {"TV": "prior-driven", "Radio": "data-driven"}
    assert channel_flags(plan, labels) == [
        "fixed, prior-driven",
        "at upper bound, outside observed range",
    ]
    assert channel_flags(edited(SURE), DATA) == ["", ""]
    assert channel_flags(edited(SURE), {"TV": "not assessable"}) == ["not assessable", ""]


def test_a_loss_is_called_one():
    plan = edited(SURE, gain=np.linspace(-3e5, 1e5, 60))
    gain = plan_sentences(plan, DATA)[1]
    assert gain.startswith("Expected: 100k fewer sales")
    assert "probability of 25%" in gain


def test_a_plan_that_is_the_last_period_is_no_gain():
    gain = plan_sentences(edited(gain=np.zeros(60)), DATA)[1]
    assert gain == "It is what the last 8 weeks spent, and brings no more and no less."


def test_more_money_is_told_beside_the_sales_that_it_brings():
    plan = study().plans[1]
    change, gain = plan_sentences(plan, DATA)[-3:-1]
    assert "20% more than in the last 8 weeks" in change
    assert f"for {money(plan.total_budget - plan.current_budget)} more money" in gain


def test_channels_without_past_spend_are_new():
    plan = study().main
    table = plan.table.assign(current=[0.0, plan.current_budget])
    change = plan_sentences(replace(plan, table=table), DATA)
    assert any("TV +" in text and "(new)" in text for text in change)


@pytest.mark.parametrize(
    ("probability", "told"), [(1.0, "over 99%"), (0.0, "under 1%"), (0.5, "50%"), (0.99, "99%")]
)
def test_a_share_of_draws_is_never_certainty(probability, told):
    assert chance(probability) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [(2.9e6, "2.90M"), (684_306, "684k"), (1e6, "1.00M"), (0, "0"), (350.4, "350"), (0.25, "0.25")],
)
def test_amounts_have_three_digits(value, told):
    assert money(value) == told
    assert money(float("nan")) == "n/a"
    assert signed(-value) == (f"-{told}" if value else "0")
    assert signed(value) == (f"+{told}" if value else "0")


def test_a_certificate_holds_everywhere_only_where_the_response_is_concave():
    plan = study().main
    assert "No other plan within the limits is better" in certificate_sentence(plan)
    local = certificate_sentence(replace(plan, certified=False, gap=5e-4))
    assert "proves nothing about plans further away" in local
    assert "0.050%" in local
    assert "0.000%" not in certificate_sentence(replace(plan, gap=0.0))


def test_every_objective_is_put_in_words():
    plain = {"profit": {"margin": 0.4}, "target_response": {"target": 6e6}}
    plain |= {"target_roas": {"target": 3.0}, "target_mroas": {"target": 2.0}}
    told = {
        name: aim(Scenario("one", objective=name, **plain.get(name, {})))
        for name in ("response", "cvar", *plain)
    }
    assert len(set(told.values())) == 6
    assert "40%" in told["profit"]
    assert "6.00M" in told["target_response"]
    assert "worst 10%" in told["cvar"]
