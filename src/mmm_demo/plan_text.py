"""A plan in sentences that a budget owner understands."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from mmm_demo.explore_measures import join_words
from mmm_demo.gate import PRIOR_DRIVEN
from mmm_demo.planning.honesty import KEPT
from mmm_demo.planning.plan import TOLERANCE, Plan
from mmm_demo.planning.scenario import Scenario
from mmm_demo.plot_style import human

UNRANKED = "CANNOT BE RANKED"  # the label of a plan that moves money between such channels
SMALL = 0.005  # share of the budget below which a change is not told
TOLD = 6  # changes and pairs that a sentence lists at most
SURE = 0.995  # from here on a probability is `over 99%`


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
        That the channels cannot be ranked, if so, then what to change, what that is expected to
        bring (and how much of it by timing alone), and what to beware of.
    """
    parts = (_unranked(plan), _change(plan), _gain(plan), _care(plan, labels))
    return [part for part in parts if part]


def chance(probability: float) -> str:
    """Write a probability that comes from draws: never 0% or 100%."""
    if probability > SURE:
        return "over 99%"
    return "under 1%" if probability < 1 - SURE else f"{probability:.0%}"


def money(value: float) -> str:
    """Write an amount with three digits, as many in every row: 2.90M, 684k, 0.25."""
    text = human(value)
    number = text.rstrip("kMBT")
    if number == text:
        return text
    return f"{float(number):#.3g}".rstrip(".") + text[len(number) :]


def signed(value: float) -> str:
    """Write an amount with its sign: +134k."""
    return f"{'+' if value > 0 else ''}{money(value)}"


def aim(scenario: Scenario) -> str:
    """Say what a scenario asks for."""
    target = money(scenario.target or 0.0)
    return {
        "response": "most expected sales for the budget",
        "profit": f"most expected profit at a margin of {scenario.margin or 0:.0%}",
        "cvar": f"best sales in the worst {scenario.worst_share:.0%} of cases",
        "target_response": f"{target} sales at the least cost",
        "target_roas": f"most sales at a ROAS of at least {target}",
        "target_mroas": f"spend until the next unit brings {target}",
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
        flags += [label] if label not in ("", "data-driven") else []
        texts.append(", ".join(flag for flag in flags if flag))
    return texts


def moves(changes: pd.Series, current: pd.Series, least: float = 0.0) -> str:
    """Write changes of money by channel, the largest first: TV +134k (+27%), ..."""
    order = changes.abs().sort_values(ascending=False, kind="stable").index
    told = [name for name in order if abs(changes[name]) > least]
    texts = [
        f"{name} {signed(changes[name])} ({_share(changes[name], current[name])})"
        for name in told[:TOLD]
    ]
    return ", ".join(texts + (["and less elsewhere"] if len(told) > TOLD else []))


def _share(change: float, current: float) -> str:
    return f"{change / current:+.0%}" if current > 0 else "new"


def _by_channel(plan: Plan) -> pd.DataFrame:
    return plan.table.set_index(plan.table["channel"].astype(str))


def _unranked(plan: Plan) -> str:
    pairs = [f"{pair.taker} over {pair.giver}" for pair in plan.unrankable.itertuples()]
    if not pairs:
        return ""
    listed = pairs[:TOLD] + ([f"{len(pairs) - TOLD} more"] if len(pairs) > TOLD else [])
    text = (
        f"{UNRANKED}: the data do not tell which of two channels earns more with the next unit of "
        f"money, though this plan prefers {join_words(listed)}."
    )
    return f"{text} {smallest_sentence(plan)}".rstrip()


def smallest_sentence(plan: Plan) -> str:
    """Say how little would do nearly as well; empty where there is no such move."""
    if plan.smallest is None:
        return ""
    table = _by_channel(plan)
    change = pd.Series(plan.smallest.planned, table.index) - table["current"]
    told = moves(change, table["current"], SMALL * plan.total_budget) or "none"
    return (
        f"The smallest change that keeps {KEPT:.0%} of the expected gain: {told}; it moves "
        f"{money(plan.smallest.moved)}, the plan {money(moved(plan))}."
    )


def moved(plan: Plan) -> float:
    """Return the money that a plan moves, counted once."""
    change = plan.table["planned"] - plan.table["current"]
    return float(max(change.clip(lower=0).sum(), -change.clip(upper=0).sum()))


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


def _gain(plan: Plan) -> str:
    gain, more = plan.uplift, plan.total_budget - plan.current_budget
    if not np.abs(plan.gain).max() > TOLERANCE * np.abs(plan.status_quo).max():
        return f"It is what the last {plan.weeks} weeks spent, and brings no more and no less."
    share = f" ({gain['share']:+.1%})" if math.isfinite(gain["share"]) else ""
    cost = ""
    if abs(more) > SMALL * plan.current_budget:
        cost = f" for {money(abs(more))} {'more' if more > 0 else 'less'} money"
    return (
        f"Expected: {money(abs(gain['mean']))} {'more' if gain['mean'] >= 0 else 'fewer'} sales"
        f"{share} than by repeating the last {plan.weeks} weeks{cost}; 50% interval "
        f"{signed(gain['lower_50'])} to {signed(gain['upper_50'])}, 94% interval "
        f"{signed(gain['lower_94'])} to {signed(gain['upper_94'])}. It beats the repeat with a "
        f"probability of {chance(gain['probability'])}; the worst 5% of cases bring "
        f"{signed(gain['shortfall'])} on average. Timing alone, the old totals spread over the "
        f"weeks like the plan, would bring {signed(plan.timing)}."
    )


def _care(plan: Plan, labels: Mapping[str, str]) -> str:
    table = _by_channel(plan)
    names = list(table.index)
    found = {
        "outside the spend ever observed": table.index[table["outside_observed"]],
        "at the upper bound": table.index[table["at_bound"] == "upper"],
        "at the lower bound": table.index[table["at_bound"] == "lower"],
        "resting on the prior more than on data": [
            name for name in names if labels.get(name) == PRIOR_DRIVEN
        ],
    }
    parts = [f"{join_words(list(where))} {what}" for what, where in found.items() if len(where)]
    if parts:
        return f"Read with care: {'; '.join(parts)}."
    if not labels:
        return (
            "No channel leaves the spend ever observed or stops at a bound; whether their ROAS "
            "rest on data or prior is not known."
        )
    return "No channel leaves the spend ever observed, stops at a bound or rests on its prior."


def gap_text(plan: Plan) -> str:
    """Write by how much another plan could be better, at most."""
    return f"{max(plan.gap, 1e-5):.3%}"


def certificate_sentence(plan: Plan) -> str:
    """Say how sure it is that no other plan is better, and what the search left out."""
    if plan.certified:
        text = (
            f"No other plan within the limits is better by more than {gap_text(plan)} of what is "
            "at stake, over all draws: the response is concave, so this holds for each of them."
        )
    else:
        text = (
            f"The best of many searches. Nearby plans are not better by more than {gap_text(plan)}"
            ", but where saturation is S-shaped that proves nothing about plans further away."
        )
    return (
        f"{text} Over the draws searched with, the plan's expected response differs by "
        f"{abs(plan.thinning):.2%} from that over all draws."
    )
