"""Sentences about plans: what a budget owner reads is what was found, with every warning."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mmm_demo.planning.honesty import PAIRS
from mmm_demo.planning.plan import AGAINST, RANKED, Move, Plan, spread
from mmm_demo.planning.plan import UNRANKED as NOT_RANKED
from mmm_demo.reports.plan_text import (
    UNRANKED,
    aim,
    certificate_sentence,
    chance,
    channel_flags,
    in_short,
    money,
    moves_sentence,
    plan_sentences,
    signed,
    smallest_sentence,
)
from mmm_demo.settings.scenario import Scenario
from planned import study

DATA = {"TV": "data-driven", "Radio": "data-driven"}
SURE = ("TV", "Radio", 1.0, 0.2, 2.0, 0.99, RANKED)
UNSURE = ("TV", "Radio", 0.5, -0.1, 1.0, 0.8, NOT_RANKED)
FORCED = ("Radio", "TV", -1.0, -2.0, -0.2, 0.01, AGAINST)
NO_FLAG = (
    "No channel leaves the spend that the data have seen, stops at a bound or rests on its prior."
)


def edited(*pairs: tuple, gain: np.ndarray | None = None, **columns: list) -> Plan:
    """Return the main plan with other pairs, gains (sample,) and columns of its table."""
    plan = study().main
    response = plan.response if gain is None else plan.status_quo + gain
    table = plan.table.assign(outside_observed=False, at_bound="").assign(**columns)
    found = pd.DataFrame(list(pairs), columns=PAIRS)
    return replace(plan, pairs=found, table=table, response=response)


def test_the_sentences_say_what_to_change_and_what_it_brings():
    plan = edited(SURE)
    change, gain, sure, care = plan_sentences(plan, DATA)
    tv, radio = (row for row in plan.table.itertuples())
    assert change.startswith(f"Spend {money(plan.total_budget)} in the 8 weeks from ")
    assert "as much as in the last 8 weeks" in change
    for row in (tv, radio):
        told = f"{row.channel} {signed(row.planned - row.current)} ({row.change:+.0%})"
        assert told in change
    uplift = plan.uplift
    of_all, of_media = (
        plan.gain.mean() / plan.window.sales,
        plan.gain.mean() / plan.status_quo.mean(),
    )
    assert 0 < of_all < of_media
    assert gain.startswith(
        f"Expected: {money(uplift['mean'])} more sales ({of_all:+.1%} of all sales, "
        f"{of_media:+.1%} of those that media bring) than by repeating the last 8 weeks: "
    )
    assert (
        f"Last 8 weeks: all sales were {money(plan.window.sales)}; a repeat of their spend is "
        f"expected to bring {money(plan.status_quo.mean())} by media, carryover included." in gain
    )
    for name in ("lower_50", "upper_50", "lower_94", "upper_94"):
        assert signed(uplift[name]) in sure
    assert sure.startswith(
        "How sure: it sells more than the repeat with a probability of "
        f"{chance(uplift['probability'])}; "
    )
    worst = f"{money(abs(uplift['shortfall']))} {'more' if uplift['shortfall'] > 0 else 'less'}"
    assert sure.endswith(f"worst 5% of cases it sells on average {worst} than the repeat.")
    assert care == NO_FLAG


@pytest.mark.parametrize(
    ("timing", "told"),
    [
        (3e4, "70.0k from moving money, 30.0k from spreading it over the weeks. Last"),
        (-3e4, "+130k from moving money, -30.0k from spreading it over the weeks. Last"),
        (0.0, "all of it from moving money, none from timing. Last"),
    ],
)
def test_the_gain_is_split_into_what_moves_and_what_timing_bring(timing, told):
    plan = replace(edited(SURE, gain=np.full(60, 1e5)), timing=timing)
    gain = plan_sentences(plan, DATA)[1]
    assert f"than by repeating the last 8 weeks: {told}" in gain


def test_profit_leads_where_it_is_the_aim_and_sales_follow():
    plan = study().plans[2]
    told = plan_sentences(plan, DATA)
    (at,) = (number for number, text in enumerate(told) if " profit (margin x " in text)
    profit, sure, sales = told[at : at + 3]
    found = spread(0.4 * plan.gain - (plan.total_budget - plan.current_budget))
    assert profit.startswith(f"Expected: {money(abs(found['mean']))} more profit")
    assert "at a margin of 0.4 per unit of sales" in profit
    assert f"94% interval {signed(found['lower_94'])} to {signed(found['upper_94'])}" in sure
    assert (
        f"earns more than the repeat with a probability of {chance(found['probability'])}" in sure
    )
    assert f"it earns on average {money(abs(found['shortfall']))}" in sure
    assert f"{money(abs(plan.uplift['mean']))} " in sales
    assert "sells more than the repeat" in told[at + 3]
    assert not any("profit" in text for text in plan_sentences(study().main, DATA))


def test_a_target_tells_the_saving_and_how_sure_it_is_to_be_reached():
    plan = edited(SURE)
    target = float(np.quantile(plan.response, 0.25))
    asked = Scenario("one", objective="target_response", target=target)
    less = replace(plan, scenario=asked, table=plan.table.assign(current=plan.table["planned"] * 2))
    reached = plan_sentences(less, DATA)[1]
    assert reached == (
        f"Saves {money(plan.total_budget)} (50.0%) of what the last 8 weeks spent; the target of "
        f"{money(target)} sales by media is met in expectation, and reached with a probability "
        "of 75%."
    )
    more = replace(plan, scenario=asked, table=plan.table.assign(current=plan.table["planned"] / 2))
    assert plan_sentences(more, DATA)[1].startswith(
        f"Costs {money(plan.total_budget / 2)} (100.0%) more than the last 8 weeks spent; "
    )
    roas = float(np.quantile(plan.response, 0.25)) / plan.total_budget
    asked = Scenario("one", objective="target_roas", target=roas)
    text = plan_sentences(replace(plan, scenario=asked), DATA)[1]
    assert text.startswith(f"Expected ROAS: {plan.response.mean() / plan.total_budget:.3g};")
    assert text.endswith("reached with a probability of 75%.")


def test_a_plan_that_cannot_be_ranked_says_so_after_what_it_brings_with_the_smallest_move():
    plan = edited(SURE, UNSURE)
    change, gain, sure, label, care = plan_sentences(plan, DATA)
    assert label.startswith(UNRANKED)
    assert "moves money from Radio to TV, but" in label
    assert "as a whole may be sure all the same" in label
    assert smallest_sentence(plan) in label
    assert [change, gain, sure, care] == plan_sentences(edited(SURE), DATA)


def test_money_that_limits_force_against_the_data_is_told_apart():
    *before, forced, care = plan_sentences(edited(SURE, FORCED), DATA)
    assert forced.startswith("Against the data: its limits force the plan to move money from TV to")
    assert UNRANKED not in forced
    assert [*before, care] == plan_sentences(edited(SURE), DATA)
    assert plan_sentences(edited(FORCED, UNSURE), DATA)[-2] == forced


def test_the_smallest_move_is_told_in_money_by_channel():
    plan = edited(UNSURE)
    current = plan.table["current"].to_numpy()
    moved = replace(plan, smallest=Move(current + np.array([1e5, -1e5]), 1e5, 0.95))
    text = smallest_sentence(moved)
    assert f"TV +100k ({1e5 / current[0]:+.0%})" in text
    assert f"Radio -100k ({-1e5 / current[1]:+.0%})" in text
    assert "it moves 100k" in text
    assert smallest_sentence(replace(plan, smallest=None)) == ""
    assert "keeps 95% of what moving money is expected to gain:" in text


def test_the_smallest_move_is_told_from_the_mix_at_the_budget_of_the_plan():
    plan = edited(UNSURE)
    mix = plan.table["current"].to_numpy()
    halved = plan.table.assign(current=mix / 2)
    moved = replace(plan, table=halved, smallest=Move(mix + np.array([1e5, -1e5]), 1e5, 0.95))
    text = smallest_sentence(moved)
    assert text.startswith("The smallest change from last period's mix at this budget that keeps")
    assert f"TV +100k ({1e5 / mix[0]:+.0%})" in text
    change = (plan.table["planned"] - mix).clip(lower=0).sum()
    assert text.endswith(f"it moves 100k, the plan {money(change)}.")


@pytest.mark.parametrize(
    ("scenario", "certified", "why"),
    [
        (Scenario("one", objective="target_roas", target=1.0), True, "with a target."),
        (Scenario("one"), False, "S-shaped."),
        (Scenario("one"), True, "is not expected to gain."),
    ],
)
def test_an_unrankable_plan_without_a_smallest_move_says_why(scenario, certified, why):
    plan = replace(edited(UNSURE), smallest=None, scenario=scenario, certified=certified)
    (label,) = [text for text in plan_sentences(plan, DATA) if text.startswith(UNRANKED)]
    assert label.endswith(why)


@pytest.mark.parametrize(
    ("scenario", "told"),
    [
        (Scenario("one", objective="profit", margin=0.4), "expected to gain in profit:"),
        (Scenario("one", objective="cvar"), "expected to gain in the worst 10% of cases:"),
    ],
)
def test_the_smallest_move_names_the_gain_that_it_keeps(scenario, told):
    assert told in smallest_sentence(replace(edited(UNSURE), scenario=scenario))


@pytest.mark.parametrize(
    ("columns", "labels", "told"),
    [
        (
            {"outside_observed": [True, False]},
            DATA,
            "TV outside the spend that the data have seen (in 8 weeks, or at work in one)",
        ),
        (
            {"at_bound": ["upper", "upper"]},
            DATA,
            "TV and Radio at the upper bound (stopped by the limit, not by the data)",
        ),
        (
            {"at_bound": ["", "lower"]},
            DATA,
            "Radio at the lower bound (stopped by the limit, not by the data)",
        ),
        ({}, DATA | {"Radio": "not assessable"}, "Radio whose ROAS could not be assessed"),
        ({}, DATA | {"TV": "not known"}, "TV whose ROAS may rest on the prior (not known)"),
        ({}, {"TV": "data-driven"}, "Radio whose ROAS may rest on the prior (not known)"),
        ({}, DATA | {"Radio": "prior-driven"}, "Radio resting on the prior more than on data"),
    ],
)
def test_every_flag_is_told(columns, labels, told):
    care = plan_sentences(edited(SURE, **columns), labels)[-1]
    assert care == f"Read with care: {told}."


def test_without_labels_nobody_claims_that_channels_rest_on_data():
    care = plan_sentences(edited(SURE), {})[-1]
    assert "rests on its prior" not in care
    assert care.endswith("Whether the ROAS rest on data or on the prior is not known.")
    care = plan_sentences(edited(SURE, at_bound=["upper", ""]), {})[-1]
    assert care.startswith("Read with care: TV at the upper bound")
    assert care.endswith("is not known.")


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (1, "1 week between data and window is not known and counts as without spend."),
        (3, "3 weeks between data and window are not known and count as without spend."),
    ],
)
def test_weeks_that_are_not_known_are_told(count, told):
    plan = edited(SURE)
    late = replace(plan, window=replace(plan.window, unknown_weeks=count))
    assert plan_sentences(late, DATA) == [*plan_sentences(plan, DATA), told]


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
    gain, sure = plan_sentences(plan, DATA)[1:3]
    assert gain.startswith("Expected: 100k fewer sales")
    assert "sells more than the repeat with a probability of 25%" in sure
    assert "it sells on average" in sure
    assert "less than the repeat." in sure


def test_a_plan_that_is_the_last_period_is_no_gain():
    gain = plan_sentences(edited(gain=np.zeros(60)), DATA)[1]
    assert gain == "It is what the last 8 weeks spent, and brings no more and no less."


def test_more_money_is_told_beside_the_sales_that_it_brings():
    plan = study().plans[1]
    change, gain = (
        next(text for text in plan_sentences(plan, DATA) if text.startswith(begin))
        for begin in ("Spend", "Expected: ")
    )
    assert "20% more than in the last 8 weeks" in change
    assert f"for {money(plan.total_budget - plan.current_budget)} more money: " in gain
    assert "from spending other amounts, " in gain
    assert "beats" not in gain


def test_channels_without_past_spend_are_new():
    plan = study().main
    table = plan.table.assign(current=[0.0, plan.current_budget])
    change = plan_sentences(replace(plan, table=table), DATA)
    assert any("TV +" in text and "(new)" in text for text in change)


@pytest.mark.parametrize(
    ("probability", "told"),
    [
        (1.0, "over 99%"),
        (0.0, "under 1%"),
        (0.5, "50%"),
        (0.99, "99%"),
        (float("nan"), "n/a"),
    ],
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
    text = certificate_sentence(plan)
    assert text.startswith("Judged over all draws, no other plan within the limits is better")
    assert "at stake: the expected sales by media." in text
    assert "holds against every allowed plan" in text
    assert "at stake: margin x expected sales by media + spend." in certificate_sentence(
        study().plans[2]
    )
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
    assert told["profit"].endswith("at a margin of 0.4 per unit of sales")
    assert "6.00M" in told["target_response"]
    assert "worst 10%" in told["cvar"]


# What is read first


def moved_by(**columns) -> pd.DataFrame:
    """Return a move curve of three points, the second of which is the plan's."""
    table = {
        "most": [0.0, 0.3, np.nan],
        "gain": [10e3, 60e3, 100e3],
        "lower_94": [1e3, 2e3, -3e3],
        "upper_94": [20e3, 90e3, 300e3],
        "moved": [0.0, 30e3, 80e3],
        "of_widest": [0.1, 0.6, 1.0],
        "is_plan": [False, True, False],
    }
    found = pd.DataFrame(table | columns)
    found.attrs["unit"] = "sales"
    return found


def test_the_first_screen_answers_five_questions_in_words_and_numbers():
    told = in_short(edited(SURE), DATA, moved_by())
    assert list(told) == ["What to do", "What it brings", "How sure", "What could change it"]
    assert re.match(r"(TV|Radio) [+-][\d.]+[kM]? \([+-]\d+%\), .*\. In all ", told["What to do"])
    assert " sales (+" in told["What it brings"] and "% of all sales" in told["What it brings"]
    assert re.match(r"(Over )?\d+% that it sells more than the repeat; 94%", told["How sure"])
    assert told["What could change it"] == (
        "Wider moves, as far as the data have seen, claim 100k more sales (-3.00k to +300k)."
    )
    quiet = in_short(edited(SURE), DATA, moved_by(is_plan=[False, False, True]))
    assert quiet["What could change it"] == "Nothing that was measured speaks for another plan."
    assert quiet["A smaller step"] == (
        "With no channel changed by more than 30% (--bounds 0.3): 60.0k sales, 60% of the gain, "
        "+2.00k to +90.0k, for moving 30.0k instead of 80.0k."
    )


def test_the_first_screen_names_what_could_change_the_decision():
    told = in_short(
        edited(UNSURE, FORCED, outside_observed=[True, False]),
        {"TV": "data-driven", "Radio": "prior-driven"},
        moved_by(),
    )["What could change it"]
    for words in (
        f"{UNRANKED}: the data do not tell where",
        "a lift test would.",
        "Its limits move money against what the data say.",
        "The ROAS of Radio rests on its prior.",
        "No 8 weeks of the data had such spend: TV.",
    ):
        assert words in told
    unknown = in_short(edited(SURE), {"TV": "not assessable"}, moved_by())
    assert "The ROAS of TV is not assessed." in unknown["What could change it"]


def test_how_far_to_move_is_told_as_shares_of_what_the_widest_plan_claims():
    told = moves_sentence(moved_by())
    assert told.startswith(
        "How far to move: the plan that goes as far as the data have seen claims a gain of 100k "
        "sales by moving 80.0k. The last period's mix, spread over the weeks like the plan, brings "
        "10% of "
    )
    assert told.endswith("the best plan brings: 30% 60% (this plan, which moves 30.0k).")
    assert "seen, this plan, claims" in moves_sentence(moved_by(is_plan=[False, False, True]))


@pytest.mark.parametrize("table", [moved_by().head(0), moved_by(of_widest=[np.nan] * 3)])
def test_without_a_widest_plan_that_gains_nothing_is_said_of_moves(table):
    assert moves_sentence(table) == ""
