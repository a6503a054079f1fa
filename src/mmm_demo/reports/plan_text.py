"""A plan in sentences that a budget owner understands."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from mmm_demo.checks.gate import DATA_DRIVEN, NOT_ASSESSABLE, PRIOR_DRIVEN
from mmm_demo.planning.feasible import mix_at
from mmm_demo.planning.honesty import KEPT
from mmm_demo.planning.plan import AGAINST, TOLERANCE, Plan, spread
from mmm_demo.planning.plan import UNRANKED as NOT_RANKED
from mmm_demo.settings.scenario import USUAL_STEP, Scenario
from mmm_demo.settings.wording import (
    ALL_SALES,
    MEDIA_SALES,
    change,
    join_words,
    money,
    roas,
    signed,
    with_shares,
)

UNRANKED = NOT_RANKED.upper()  # the label of a plan that moves money between such channels
SURE_AS_A_WHOLE = (
    "The gain of the plan as a whole may be sure all the same, but not that these moves add to it."
)
SMALL = 0.005  # share of the budget below which a change is not told
TOLD = 6  # changes and pairs that a sentence lists at most
SURE = 0.995  # from here on a probability is `over 99%`
TARGETS = ("target_response", "target_roas", "target_mroas")


def plan_sentences(plan: Plan, labels: Mapping[str, str]) -> list[str]:
    """Return what a reader should know who reads nothing else.

    Parameters
    ----------
    plan
        What was found.
    labels
        Identification label by channel (`checks.identification`); empty when unknown.

    Returns
    -------
    list of str
        Numbers that another unit would explain, if any, then what to change, what that is expected
        to bring (profit, saving or target first, where the scenario asks for it; how much of the
        sales comes from moving money and how much from timing), how sure that is, and what to
        beware of: first that the channels cannot be ranked, if so.
    """
    asked = (*plan.doubts, _change(plan), _reached(plan), *_profit(plan), *_sales(plan))
    beware = (_unranked(plan), _forced(plan), _care(plan, labels), _unknown_weeks(plan))
    return [part for part in (*asked, *beware) if part]


def in_short(plan: Plan, labels: Mapping[str, str], moves: pd.DataFrame) -> dict[str, str]:
    """Return what a budget owner reads in ten seconds, by the question that it answers.

    Parameters
    ----------
    plan, labels
        As for `plan_sentences`, which says the same in full.
    moves
        `planning.moves.move_curve` of the plan.
    """
    smaller = _smaller_step(moves)
    return {
        "What to do": " ".join([*plan.doubts, _to_do(plan)]),
        "What it brings": _brings(plan),
        "How sure": _how_sure(plan),
        **({"A smaller step": smaller} if smaller else {}),
        "What could change it": _could_change(plan, labels, moves),
    }


def _to_do(plan: Plan) -> str:
    table = _by_channel(plan)
    told = moves(table["planned"] - table["current"], table["current"], SMALL * plan.total_budget)
    return (
        f"{told or 'Leave every channel as it is'}. In all {money(plan.total_budget)} in the "
        f"{plan.weeks} weeks from {plan.start:%Y-%m-%d}, "
        f"{_against(plan.total_budget, plan.current_budget)} the last {plan.weeks}."
    )


def _brings(plan: Plan) -> str:
    if _as_before(plan):
        return f"What a repeat of the last {plan.weeks} weeks brings, no more and no less."
    of = f"than a repeat of the last {plan.weeks} weeks"
    told = f"{_more(plan.uplift['mean'], 'fewer')} sales"
    sales = f"{with_shares(told, plan.of_all_sales, plan.of_media_sales)} {of}."
    draws = plan.profit_gain
    profit = "" if draws is None else f"{_more(float(draws.mean()))} profit {of}; "
    return " ".join(part for part in (_reached(plan), f"{profit}{sales}") if part)


def _how_sure(plan: Plan) -> str:
    if _as_before(plan):
        return "Nothing changes, so there is nothing to be sure of."
    draws, verb = plan.profit_gain, "earns"
    if draws is None:
        draws, verb = plan.gain, "sells"
    gain = spread(draws)
    return (
        f"{chance(gain['probability']).capitalize()} that it {verb} more than the repeat; 94% "
        f"interval {signed(gain['lower_94'])} to {signed(gain['upper_94'])}."
    )


def _smaller_step(moves: pd.DataFrame) -> str:
    """Say what the field's usual step brings, where the plan goes further; else nothing."""
    step = moves[moves["most"] == USUAL_STEP]
    if not len(step) or not moves["is_plan"].iloc[-1] or not step["of_widest"].notna().all():
        return ""
    usual, widest = step.iloc[0], moves.iloc[-1]
    return (
        f"With no channel changed by more than {USUAL_STEP:.0%} (--bounds {USUAL_STEP:g}): "
        f"{money(usual['gain'])} {moves.attrs['unit']}, {usual['of_widest']:.0%} of the gain, "
        f"{signed(usual['lower_94'])} to {signed(usual['upper_94'])}, for moving "
        f"{money(usual['moved'])} instead of {money(widest['moved'])}."
    )


def _could_change(plan: Plan, labels: Mapping[str, str], moves: pd.DataFrame) -> str:
    """Say what would make another plan the better one; never nothing."""
    told = []
    if len(plan.unrankable):
        told.append(
            f"{UNRANKED}: the data do not tell where the next unit of money earns more, on the way "
            f"{_moved_between(plan.unrankable)}; a lift test would."
        )
    if len(plan.pairs[plan.pairs["verdict"] == AGAINST]):
        told.append("Its limits move money against what the data say.")
    table = _by_channel(plan)
    for label, what in ((PRIOR_DRIVEN, "rests on its prior"), (NOT_ASSESSABLE, "is not assessed")):
        if weak := [name for name in table.index if labels.get(name) == label]:
            told.append(f"The ROAS of {join_words(weak)} {what}.")
    if beyond := list(table.index[table["outside_observed"]]):
        told.append(f"No {plan.weeks} weeks of the data had such spend: {join_words(beyond)}.")
    wider = moves[moves["most"].isna() & ~moves["is_plan"].astype(bool)]
    if len(wider):
        last = wider.iloc[0]
        told.append(
            f"Wider moves, as far as the data have seen, claim {money(last['gain'])} more "
            f"{moves.attrs['unit']} ({signed(last['lower_94'])} to {signed(last['upper_94'])})."
        )
    return " ".join(told) or "Nothing that was measured speaks for another plan."


def moves_sentence(moves: pd.DataFrame) -> str:
    """Say how much of the gain smaller moves bring; empty where there is no such curve."""
    if not moves["of_widest"].astype(float).notna().any():
        return ""
    last, still = moves.iloc[-1], moves.iloc[0]
    told = [
        f"{row.most:.0%} {row.of_widest:.0%}"
        + (f" (this plan, which moves {money(row.moved)})" if row.is_plan else "")
        for row in moves[moves["most"] > 0].itertuples()
    ]
    mine = ", this plan," if last["is_plan"] else ""
    return (
        f"How far to move: the plan that goes as far as the data have seen{mine} claims a gain of "
        f"{money(last['gain'])} {moves.attrs['unit']} by moving {money(last['moved'])}. The last "
        f"period's mix, spread over the weeks like the plan, brings {still['of_widest']:.0%} of "
        "that gain; with no channel changed by more than 5%, 10% and so on, the best plan brings: "
        f"{', '.join(told)}."
    )


def chance(probability: float) -> str:
    """Write a probability that comes from draws: never 0% or 100%."""
    if math.isnan(probability):
        return "n/a"
    if probability > SURE:
        return "over 99%"
    return "under 1%" if probability < 1 - SURE else f"{probability:.0%}"


def aim(scenario: Scenario) -> str:
    """Say what a scenario asks for."""
    target = money(scenario.target or 0.0)
    return {
        "response": f"most expected {MEDIA_SALES} for the budget",
        "profit": f"most expected profit at a margin of {scenario.margin or 0:g} per unit of sales",
        "cvar": f"most {MEDIA_SALES} in the worst {scenario.worst_share:.0%} of cases",
        "target_response": f"{target} {MEDIA_SALES} at the least cost",
        "target_roas": f"most {MEDIA_SALES} at a ROAS of at least {roas(scenario.target or 0.0)}",
        "target_mroas": f"spend until the next unit brings {roas(scenario.target or 0.0)}",
    }[scenario.objective]


def channel_flags(plan: Plan, labels: Mapping[str, str]) -> list[str]:
    """Return what to beware of by channel, in the order of the plan's table; empty where nothing.

    A channel that stays where it was is flagged all the same: that was a decision, too.
    """
    texts = []
    for row in plan.table.itertuples():
        flags = [f"at {row.at_bound} bound" if row.at_bound in ("lower", "upper") else row.at_bound]
        flags += ["outside observed range"] if row.outside_observed else []
        label = labels.get(str(row.channel), "")
        flags += [label] if label not in ("", DATA_DRIVEN) else []
        texts.append(", ".join(flag for flag in flags if flag))
    return texts


def moves(changes: pd.Series, current: pd.Series, least: float = 0.0) -> str:
    """Write changes of money by channel, the largest first: TV +134k (+27%), ..."""
    order = changes.abs().sort_values(ascending=False, kind="stable").index
    told = [name for name in order if abs(changes[name]) > least]
    texts = [
        f"{name} {signed(changes[name])} ({change(current[name], current[name] + changes[name])})"
        for name in told[:TOLD]
    ]
    return ", ".join(texts + (["and less elsewhere"] if len(told) > TOLD else []))


def _by_channel(plan: Plan) -> pd.DataFrame:
    return plan.table.set_index(plan.table["channel"].astype(str))


def _moved_between(pairs: pd.DataFrame) -> str:
    told = [f"from {pair.giver} to {pair.taker}" for pair in pairs.itertuples()]
    more = len(told) - TOLD
    return join_words(told[:TOLD] + ([f"between {more} more pairs"] if more > 0 else []))


def _unranked(plan: Plan) -> str:
    if plan.unrankable.empty:
        return ""
    return (
        f"{UNRANKED}: this plan moves money {_moved_between(plan.unrankable)}, but the data do not "
        f"tell which of the two earns more with the next unit of money. {SURE_AS_A_WHOLE} "
        f"{smallest_sentence(plan) or _no_smallest(plan)}"
    )


def _forced(plan: Plan) -> str:
    forced = plan.pairs[plan.pairs["verdict"] == AGAINST]
    if forced.empty:
        return ""
    return (
        f"Against the data: its limits force the plan to move money {_moved_between(forced)}, "
        "where the next unit of money earns less."
    )


def smallest_sentence(plan: Plan) -> str:
    """Say how little would do nearly as well; empty where there is no such move."""
    if plan.smallest is None:
        return ""
    mix = _mix(plan)
    told = moves(plan.smallest.planned - mix, mix, SMALL * plan.total_budget) or "none"
    begin = "" if _same_budget(plan) else " from last period's mix at this budget"
    goal = {
        "profit": " in profit",
        "cvar": f" in the worst {plan.scenario.worst_share:.0%} of cases",
        "target_mroas": f" in {MEDIA_SALES} - target x spend",
    }.get(plan.scenario.objective, "")
    return (
        f"The smallest change{begin} that keeps {KEPT:.0%} of what moving money is expected to "
        f"gain{goal}: {told}; it moves {money(plan.smallest.moved)}, the plan {money(moved(plan))}."
    )


def _no_smallest(plan: Plan) -> str:
    if plan.scenario.objective in TARGETS:
        return "No smallest change is told for a scenario with a target."
    if not plan.certified:
        return "No smallest change is told where saturation may be S-shaped."
    return "No smallest change is told: moving money at this budget is not expected to gain."


def moved(plan: Plan) -> float:
    """Return the money that a plan moves against last period's mix at its budget, counted once."""
    change = _by_channel(plan)["planned"] - _mix(plan)
    return float(max(change.clip(lower=0).sum(), -change.clip(upper=0).sum()))


def _mix(plan: Plan) -> pd.Series:
    table = _by_channel(plan)
    return pd.Series(mix_at(table["current"].to_numpy(), plan.total_budget), table.index)


def _same_budget(plan: Plan) -> bool:
    return abs(plan.total_budget - plan.current_budget) <= SMALL * plan.current_budget


def _change(plan: Plan) -> str:
    table, budget = _by_channel(plan), plan.total_budget
    told = moves(table["planned"] - table["current"], table["current"], SMALL * budget)
    return (
        f"Spend {money(budget)} in the {plan.weeks} weeks from {plan.start:%Y-%m-%d}, "
        f"{_against(budget, plan.current_budget)} the last {plan.weeks} weeks: "
        f"{told or 'every channel as before'}."
    )


def _against(budget: float, current: float) -> str:
    if not current > 0:
        return "after nothing in"
    change = budget / current - 1
    if abs(change) < SMALL:
        return "as much as in"
    return f"{abs(change):.0%} {'more' if change > 0 else 'less'} than in"


def _reached(plan: Plan) -> str:
    """Say what a target costs or saves, and how sure it is to be reached."""
    scenario, target = plan.scenario, plan.scenario.target or 0.0
    if scenario.objective == "target_response":
        reached, less = plan.response >= target, plan.current_budget - plan.total_budget
        share = f" ({abs(less) / plan.current_budget:.1%})" if plan.current_budget > 0 else ""
        lead = (
            f"{'Saves' if less >= 0 else 'Costs'} {money(abs(less))}{share} "
            f"{'of what' if less >= 0 else 'more than'} the last {plan.weeks} weeks spent; the "
            f"target of {money(target)} {MEDIA_SALES}"
        )
    elif scenario.objective == "target_roas":
        reached = plan.response >= target * plan.total_budget
        spent = plan.total_budget
        found = roas(float(plan.response.mean()) / spent if spent > 0 else math.nan)
        lead = f"Expected ROAS: {found}; the target of {roas(target)}"
    else:
        return ""
    sure = chance(float(reached.mean()))
    return f"{lead} is met in expectation, and reached with a probability of {sure}."


def _profit(plan: Plan) -> tuple[str, ...]:
    draws = plan.profit_gain
    if draws is None or _as_before(plan):
        return ()
    gain = spread(draws)
    expected = (
        f"Expected: {_more(gain['mean'])} profit (margin x {MEDIA_SALES} - spend) than by "
        f"repeating the last {plan.weeks} weeks, at a margin of {plan.scenario.margin:g} per unit "
        "of sales."
    )
    return expected, _sureness(gain, "earns")


def _sales(plan: Plan) -> tuple[str, ...]:
    if _as_before(plan):
        return (f"It is what the last {plan.weeks} weeks spent, and brings no more and no less.",)
    gain, more = plan.uplift, plan.total_budget - plan.current_budget
    told = f"{_more(gain['mean'], 'fewer')} sales"
    cost = "" if _same_budget(plan) else f" for {_more(more)} money"
    expected = (
        f"Expected: {with_shares(told, plan.of_all_sales, plan.of_media_sales)} than by repeating "
        f"the last {plan.weeks} weeks{cost}: {_sources(plan)}. {_wholes(plan)}"
    )
    return expected, _sureness(gain, "sells")


def _wholes(plan: Plan) -> str:
    """Say what the percentages of a gain are taken of."""
    return (
        f"Last {plan.weeks} weeks: {ALL_SALES} were {money(plan.window.sales)}; a repeat of their "
        f"spend is expected to bring {money(float(plan.status_quo.mean()))} by media, carryover "
        "included."
    )


def _as_before(plan: Plan) -> bool:
    return not np.abs(plan.gain).max() > TOLERANCE * np.abs(plan.status_quo).max()


def _sources(plan: Plan) -> str:
    """Say what part of the expected sales comes from amounts, and what from timing."""
    amounts, timing = by_amounts(plan), plan.timing
    what = "moving money" if _same_budget(plan) else "spending other amounts"
    if not abs(timing) > TOLERANCE * float(np.abs(plan.status_quo).mean()):
        return f"all of it from {what}, none from timing"
    told = money if min(amounts, timing) >= 0 else signed
    return f"{told(amounts)} from {what}, {told(timing)} from spreading it over the weeks"


def by_amounts(plan: Plan) -> float:
    """Return the expected sales that come from the amounts by channel, not from timing."""
    return plan.uplift["mean"] - plan.timing


def _sureness(gain: Mapping[str, float], verb: str) -> str:
    return (
        f"How sure: it {verb} more than the repeat with a probability of "
        f"{chance(gain['probability'])}; 50% interval {signed(gain['lower_50'])} to "
        f"{signed(gain['upper_50'])}, 94% interval {signed(gain['lower_94'])} to "
        f"{signed(gain['upper_94'])}; in the worst 5% of cases it {verb} on average "
        f"{_more(gain['shortfall'])} than the repeat."
    )


def _more(value: float, less: str = "less") -> str:
    return f"{money(abs(value))} {'more' if value >= 0 else less}"


def _care(plan: Plan, labels: Mapping[str, str]) -> str:
    """Name every channel that leaves the data, stops at a limit or does not rest on the data."""
    table = _by_channel(plan)
    known = pd.Series({name: labels.get(name, "not known") for name in table.index}, dtype=object)
    stopped = "bound (stopped by the limit, not by the data)"
    found = {
        f"outside the spend that the data have seen (in {plan.weeks} weeks, or at work in one)": (
            table["outside_observed"]
        ),
        f"at the upper {stopped}": table["at_bound"] == "upper",
        f"at the lower {stopped}": table["at_bound"] == "lower",
        "resting on the prior more than on data": known == PRIOR_DRIVEN,
        "whose ROAS could not be assessed": known == NOT_ASSESSABLE,
    }
    if labels:
        rest = ~known.isin([DATA_DRIVEN, PRIOR_DRIVEN, NOT_ASSESSABLE])
        found["whose ROAS may rest on the prior (not known)"] = rest
    told = {what: join_words(list(table.index[where])) for what, where in found.items()}
    parts = [f"{names} {what}" for what, names in told.items() if names]
    unknown = "" if labels else "Whether the ROAS rest on data or on the prior is not known."
    if parts:
        return f"Read with care: {'; '.join(parts)}. {unknown}".rstrip()
    if unknown:
        return f"No channel leaves the spend that the data have seen or stops at a bound. {unknown}"
    return (
        "No channel leaves the spend that the data have seen, stops at a bound or rests on its "
        "prior."
    )


def _unknown_weeks(plan: Plan) -> str:
    count = plan.window.unknown_weeks
    if not count:
        return ""
    what = "week between data and window is not known and counts"
    if count > 1:
        what = "weeks between data and window are not known and count"
    return f"{count} {what} as without spend."


def gap_text(plan: Plan) -> str:
    """Write by how much another plan could be better, at most."""
    return f"{max(plan.gap, 1e-5):.3%}"


def certificate_sentence(plan: Plan) -> str:
    """Say how sure it is that no other plan is better, and what the search left out."""
    gap = f"{gap_text(plan)} of what is at stake: {_at_stake(plan.scenario)}."
    if plan.certified:
        text = (
            f"Judged over all draws, no other plan within the limits is better by more than {gap} "
            "As the response is concave, this holds against every allowed plan."
        )
    else:
        text = (
            f"{_searched(plan)}. Judged over all draws, nearby plans are not better by more "
            f"than {gap} Where saturation may be S-shaped that proves nothing about plans further "
            "away."
        )
    return (
        f"{text} Over the draws searched with, the plan's expected response differs by "
        f"{abs(plan.thinning):.2%} from that over all draws."
    )


def _searched(plan: Plan) -> str:
    return "The best of many searches" if plan.engine == "own" else "Where one search ended"


def _at_stake(scenario: Scenario) -> str:
    return {
        "profit": f"margin x expected {MEDIA_SALES} + spend",
        "cvar": f"the expected {MEDIA_SALES} in the worst {scenario.worst_share:.0%} of cases",
        "target_response": "the spend",
        "target_mroas": f"expected {MEDIA_SALES} + target x spend",
    }.get(scenario.objective, f"the expected {MEDIA_SALES}")
