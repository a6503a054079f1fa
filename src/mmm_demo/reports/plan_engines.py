"""Who solved a plan, where that was not our own solver alone: in sentences and tables."""

from collections.abc import Sequence

import pandas as pd

from mmm_demo.planning.engines import Rivals, rivals
from mmm_demo.planning.plan import Plan
from mmm_demo.planning.solver import GAP_MAX
from mmm_demo.reports.page import Section
from mmm_demo.reports.plan_tables import spoken
from mmm_demo.reports.plan_text import SMALL, gap_text, moves
from mmm_demo.settings.wording import MEDIA_SALES, money, percent, signed

LIBRARY = "PyMC-Marketing's BudgetOptimizer"
COUNTED = "What it brings is counted like that of every plan here, by the model over all draws."

CAPTION = "What each is expected to bring; left to win: what another plan could bring more at most"
ALIKE = 5e-5  # share below which two plans are the same: our own search ends there


def engine_sentences(plans: Sequence[Plan]) -> list[str]:
    """Say who solved the plans of one request, and how far both engines are apart.

    Returns
    -------
    list of str
        Empty where our own solver made all of them.
    """
    pairs = rivals(plans)
    told = [_apart(pair, named=len(pairs) > 1) for pair in pairs]
    theirs = [plan for plan in plans if plan.engine == "library"]
    if theirs and not pairs:
        what = "this plan" if len(plans) == 1 else "these plans"
        told.append(f"{LIBRARY} made {what}. {COUNTED}")
    named = len(theirs) > 1 or bool(pairs)
    return told + [text for plan in theirs for text in _doubts(plan, named=named)]


def engine_lead(plans: Sequence[Plan]) -> dict[str, str]:
    """Say of the main plan who solved it, where that was not our own solver alone."""
    told = engine_sentences(plans[:1] if plans[0].engine == "library" else plans[:2])
    return {"Who solved it": " ".join(told)} if told else {}


def engine_sections(plans: Sequence[Plan]) -> list[Section]:
    """Return what a plan's page says of its engines; nothing where our own solver made all."""
    pairs, sentences = rivals(plans), engine_sentences(plans)
    if not sentences:
        return []
    about = (
        f"{LIBRARY} is asked the same: the same weeks, bounds and budget, carry-in taken off, over "
        "all draws. How far to move, the smallest change and the budget frontier of this page are "
        "by our own solver in any case."
    )
    tables = {CAPTION: _objectives(pairs)} if pairs else {}
    weeks = plans[0].weeks
    for pair in pairs:
        caption = f"{spoken(pair.own.scenario.name)}: money by channel, in {weeks} weeks"
        tables[caption] = _spend(pair)
    return [Section("Who solved it", [*sentences, about], tables)]


def _apart(pair: Rivals, *, named: bool) -> str:
    begin = f"Both engines planned{' ' + pair.own.scenario.name if named else ''}"
    what, share = _aim(pair.own), pair.share
    more = f"{money(abs(pair.objective))} {'more' if pair.objective >= 0 else 'less'}"
    brings = f"{more} in {what} ({percent(share, 3)}) than"
    if abs(share) < ALIKE:
        brings = f"the same {what} as"
    planned = pair.own.table.set_index(pair.own.table["channel"].astype(str))["planned"]
    spend = pd.Series(pair.spend, planned.index)
    least = SMALL * pair.own.total_budget
    puts = "divides the money alike"
    if (spend.abs() > least).any():
        puts = f"puts {money(pair.moved)} elsewhere: {moves(spend, planned, least)}"
    return f"{begin}: the plan of {LIBRARY} is expected to bring {brings} our own, and {puts}."


def _doubts(plan: Plan, *, named: bool) -> list[str]:
    """Say that the library's plan is not the best, and that it doubted its own search."""
    name, told = f" of {plan.scenario.name}" if named else "", []
    where = "within the limits" if plan.certified else "nearby"  # see `certificate_sentence`
    if plan.gap > GAP_MAX:
        told.append(
            f"The library's plan{name} may not be the best: another one {where} could bring up to "
            f"{gap_text(plan)} more; engine: own searches for that one."
        )
    if plan.complaint:
        told.append(
            f"Of its search{' for ' + plan.scenario.name if named else ''} the library said "
            f"{plan.complaint!r}, as it may at an optimum in a corner; judged by our own bound, no "
            f"other plan {where} is better by more than {gap_text(plan)}."
        )
    return told


def _aim(plan: Plan) -> str:
    """Say what both engines make as large as possible."""
    others = {"profit": "profit", "target_mroas": f"{MEDIA_SALES} - target x spend"}
    return others.get(plan.scenario.objective, MEDIA_SALES)


def _objectives(pairs: Sequence[Rivals]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "scenario": [spoken(pair.own.scenario.name) for pair in pairs],
            "of": [_aim(pair.own) for pair in pairs],
            "own": [money(pair.own.value) for pair in pairs],
            "library": [money(pair.library.value) for pair in pairs],
            "difference": [signed(pair.objective) for pair in pairs],
            "% of own": [percent(pair.share, 3) for pair in pairs],
            "money elsewhere": [money(pair.moved) for pair in pairs],
            "left to win: own": [gap_text(pair.own) for pair in pairs],
            "left to win: library": [gap_text(pair.library) for pair in pairs],
        }
    )


def _spend(pair: Rivals) -> pd.DataFrame:
    own, library = (plan.table["planned"] for plan in (pair.own, pair.library))
    return pd.DataFrame(
        {
            "channel": pair.own.table["channel"],
            "last period": pair.own.table["current"].map(money),
            "own": own.map(money),
            "library": library.map(money),
            "difference": [signed(value) for value in pair.spend],
        }
    )
