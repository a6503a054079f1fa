"""The plans of one request as one HTML page for whoever decides the budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd
from matplotlib.figure import Figure

from mmm_demo.checks.gate import DATA_DRIVEN
from mmm_demo.planning.plan import AGAINST, Plan
from mmm_demo.planning.study import PlanStudy
from mmm_demo.plots import plan as plot
from mmm_demo.reports import plan_tables as show
from mmm_demo.reports.page import Drawing, Section, render_page
from mmm_demo.reports.plan_engines import engine_lead, engine_sections
from mmm_demo.reports.plan_text import (
    SURE_AS_A_WHOLE,
    UNRANKED,
    certificate_sentence,
    in_short,
    moves_sentence,
    plan_sentences,
    smallest_sentence,
)
from mmm_demo.reports.what_if_part import what_if_section
from mmm_demo.settings.scenario import SEEN
from mmm_demo.settings.wording import (
    ALL_SALES,
    MEDIA_SALES,
    join_words,
    money,
    number_of,
    share,
)


@dataclass(frozen=True)
class Ground:
    """What the plans of a page rest on.

    Attributes
    ----------
    model, version
        Registered model and number of the version.
    age_days
        Since the version was made.
    span
        Weeks of data that the model was fitted to.
    gate
        Status of the gate, e.g. `passed`.
    flags
        What the gate flagged without refusing the version, a line each.
    flagged
        The same by name.
    warnings
        What was noticed about the data when they were read for the fit.
    accepted
        Weeks unlike the others that someone said are right, each with its reason.
    past
        That the window is over, in one sentence; empty while it is not.
    lift_tests
        Number of lift tests that calibrate the version.
    evidence
        Evidence about the version in one line; empty when none was gathered.
    command
        What writes the version's evidence card.
    label
        What results must be called, e.g. `DT Mart look-alike`; empty for none.
    labels
        Identification label by channel; empty when unknown.
    truth
        What the first plan really brings, in one sentence; empty where nobody knows.
    market
        Whose champion it is; without it no plan file can be written.
    """

    model: str
    version: str
    age_days: int
    span: str
    gate: str
    lift_tests: int
    command: str
    evidence: str = ""
    flags: Sequence[str] = ()
    flagged: Sequence[str] = ()
    warnings: Sequence[str] = ()
    accepted: Sequence[str] = ()
    past: str = ""
    label: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    truth: str = ""
    market: str = ""


def plan_figures(study: PlanStudy) -> dict[str, Figure]:
    """Return the figures of a page by a name that may be part of a file's, in its order."""
    plan = study.main
    span = f"{plan.start:%Y-%m-%d} to {plan.end:%Y-%m-%d}"
    profit = plan.scenario.objective == "profit"
    scenarios = study.scenarios.assign(scenario=study.scenarios["scenario"].map(show.spoken))
    return {
        "change": plot.budget_change(plan.table, f"What to change, {span}"),
        **({"moves": plot.moves(study.moves, profit)} if len(study.moves) else {}),
        "gains": plot.gains(scenarios),
        "response_curves": plot.response_curves(study.curves, plan.table),
        "marginal_curves": plot.marginal_curves(study.curves, plan.table),
        "frontier": plot.frontier(study.frontier, scenarios),
        "weekly_spend": plot.weekly_spend(plan.weekly, plan.window.last),
    }


def plan_page(
    study: PlanStudy, ground: Ground, figures: Mapping[str, Drawing] | None = None
) -> str:
    """Return plans as one self-contained HTML page, the first one in full.

    Parameters
    ----------
    study
        Plans, scenario table, curves and frontier.
    ground
        What they rest on.
    figures
        `plan_figures` of the study, where they are drawn already.
    """
    drawn = plan_figures(study) if figures is None else figures
    plan, labels = study.main, ground.labels
    title = (
        f"Budget plan {plan.start:%Y-%m-%d} to {plan.end:%Y-%m-%d}: {ground.model} version "
        f"{ground.version} {ground.label}"
    )
    lead = in_short(plan, labels, study.moves) | engine_lead(study.plans)
    lead["Who stands behind it"] = basis(ground)
    if ground.truth:
        lead["What is true"] = ground.truth
    sections = [
        Section("What to change", figures={"Change": drawn["change"]}),
        *_moves(study.moves, drawn),
        *([what_if_section(study.what_if, ground.market)] if study.what_if else []),
        *(
            replace(section, folded=True)
            for section in (
                Section("In full sentences", [*plan_sentences(plan, labels), basis(ground)]),
                _changes(plan, labels),
                _scenarios(study, labels, drawn["gains"]),
                _ranking(plan),
                _carryover(plan),
                _curves(drawn),
                _frontier(study.frontier, drawn["frontier"]),
                _weeks(plan, drawn["weekly_spend"]),
                _optimum(study),
                *engine_sections(study.plans),
                _ground(ground),
            )
        ),
    ]
    return render_page(title.rstrip(), lead, sections)


def basis(ground: Ground) -> str:
    """Say in one line what plans rest on: version, data, gate with flags, lift tests, evidence."""
    tests = number_of(ground.lift_tests, "lift test") if ground.lift_tests else "no lift tests"
    evidence = f"evidence: {ground.evidence}" if ground.evidence else "no evidence gathered"
    age = f"{number_of(ground.age_days, 'day')} old"
    parts = [
        f"It rests on {ground.model} version {ground.version}, {age}, fitted to {ground.span}",
        f"gate: {ground.gate}{_named(' with', 'flag', ground.flagged)}",
    ]
    if ground.warnings:
        short = [text.partition("; ")[0].partition(": row ")[0] for text in ground.warnings]
        parts.append(f"data:{_named('', 'warning', short)}")
    parts += [f"accepted: {entry}" for entry in ground.accepted]
    return f"{'; '.join([*parts, tests, evidence])}. {ground.past}".rstrip()


def _named(begin: str, noun: str, names: Sequence[str]) -> str:
    """Count things and name them: ` with 2 flags (a, b)`; empty for none."""
    return f"{begin} {number_of(len(names), noun)} ({', '.join(names)})" if names else ""


def _moves(moves: pd.DataFrame, figures: Mapping[str, Drawing]) -> list[Section]:
    if moves.empty:
        return []
    about = "The best plan for the same money when no channel may change further than that."
    sentence = moves_sentence(moves).partition(": ")[2]  # without what the heading says
    told = [about, *([sentence[:1].upper() + sentence[1:]] if sentence else [])]
    missing = [share(most) if most != SEEN else "as far as seen" for most in moves.attrs["missing"]]
    if missing:
        told.append(f"No plan keeps all limits with moves of at most {join_words(missing)}.")
    table = {"Gain over the replay of the last period": show.moves(moves)}
    return [Section("How far to move", told, table, {"Gain by move": figures["moves"]})]


def _changes(plan: Plan, labels: Mapping[str, str]) -> Section:
    about = (
        f"Money for the whole window of {plan.weeks} weeks beside that of the last {plan.weeks} "
        f"weeks of the data. Observed: the lowest and the highest total of any {plan.weeks} weeks "
        "in a row. Outside of it, or where more spend works in a week (carryover of earlier weeks "
        "included) than in any week of the data, the model extrapolates and the channel is flagged."
    )
    smallest = "" if len(plan.unrankable) else smallest_sentence(plan)  # else the lead has it
    paragraphs = [text for text in (about, smallest) if text]
    tables = {f"Money by channel, in {plan.weeks} weeks": show.changes(plan, labels)}
    return Section("Money by channel", paragraphs, tables)


def _scenarios(study: PlanStudy, labels: Mapping[str, str], figure: Drawing) -> Section:
    weeks = study.main.weeks
    about = (
        f"The replay repeats the spend of the last {weeks} weeks of the data, week by week, in the "
        "window; it is not the same season a year before. A gain is over that replay. Probability: "
        "that the plan sells more (of profit: earns more). Worst 5%: mean gain of the worst 5% of "
        f"cases. {MEDIA_SALES.capitalize()}: what spend is expected to bring, net of earlier "
        f"spend, carryover after the window included. {ALL_SALES.capitalize()}: those that came "
        f"in the last {weeks} weeks of the data, {money(study.main.window.sales)}, with or without "
        f"media. ROAS: {MEDIA_SALES} per unit of money. Marginal ROAS: of the next unit of money, "
        "spread like the row's own. By timing: what the last period's totals would gain, spread "
        "over the weeks like the plan; by amounts: the rest, by other amounts per channel."
    )
    tables = {
        f"Costs and {MEDIA_SALES}": show.costs(study.scenarios),
        "Sales beyond those of the replay": show.gains(study),
    }
    profits = show.profits(study.scenarios)
    if len(profits):
        tables[f"Profit (margin x {MEDIA_SALES} - spend) beside the replay"] = profits
    tables |= {
        f"Money by channel, in {weeks} weeks": show.money_by_channel(study),
        "What each scenario asks for, and what to beware of": show.asked(study, labels),
    }
    return Section("Scenarios beside a replay", [about], tables, {"Gain by scenario": figure})


def _ranking(plan: Plan) -> Section:
    heading = "Can the data rank the channels?"
    if plan.pairs.empty:
        return Section(heading, ["The plan moves no money from one channel to another."])
    about = (
        "For each pair of channels between which the plan moves money: by how much more sales the "
        "next unit of money brings with the one that gains, at the last period's spend."
    )
    return Section(heading, [_verdict(plan), about], {"Pairs": show.pairs(plan)})


def _verdict(plan: Plan) -> str:
    count, every = len(plan.unrankable), len(plan.pairs)
    forced = int((plan.pairs["verdict"] == AGAINST).sum())
    if not count and not forced:
        return "Yes: the interval of every difference is above zero."
    unsure = (
        f"{UNRANKED}: of {every} pairs, {count} have an interval that contains zero or is not "
        f"measured. {SURE_AS_A_WHOLE}"
    )
    against = (
        f"Against the data: in {forced} of {every} pairs the limits force money to where the next "
        "unit earns less."
    )
    return " ".join(text for text, told in ((unsure, count), (against, forced)) if told)


def _carryover(plan: Plan) -> Section:
    about = (
        f"{MEDIA_SALES.capitalize()} in the window come from earlier spend, whatever is planned "
        "(carry-in), and from the plan; some of the plan's come after the window (carry-out). "
        "Gains and ROAS count the plan's own, inside and after, and no carry-in."
    )
    tables = {
        f"Expected {MEDIA_SALES}": show.flows(plan),
        f"Return on the planned money, {MEDIA_SALES} per unit": show.returns(plan),
    }
    return Section("When it comes: carry-in, window, carry-out", [about], tables)


def _curves(figures: Mapping[str, Drawing]) -> Section:
    about = (
        "Each curve is a channel's total spread over the weeks like the plan. Hatched: totals that "
        "no stretch of as many weeks in the data had, where it rests on the model's shape."
    )
    shown = {
        "Response by channel": figures["response_curves"],
        "Marginal return by channel": figures["marginal_curves"],
    }
    return Section("What more or less money per channel would bring", [about], figures=shown)


def _frontier(frontier: pd.DataFrame, figure: Drawing) -> Section:
    about = (
        f"Every budget is divided for the most expected {MEDIA_SALES} within the limits of the "
        "first scenario. Marginal ROAS: sales of the next unit of budget, put where limits let it "
        "bring most. A scenario with other limits, another aim or another spread over the weeks "
        "need not lie on the line."
    )
    missing, heading = frontier.attrs["missing"], "What another budget would bring"
    lost = (
        f"{missing} of {missing + len(frontier)} budgets are missing: no search for them ended at "
        "a certified plan."
    )
    paragraphs = [about, lost] if missing else [about]
    tables = {"Frontier": show.budgets(frontier)} if len(frontier) else {}
    return Section(heading, paragraphs, tables, {"Budget frontier": figure})


def _weeks(plan: Plan, figure: Drawing) -> Section:
    tables = {"Money by week and channel": show.weeks(plan)}
    return Section("Week by week", [], tables, {"Spend by week": figure})


def _optimum(study: PlanStudy) -> Section:
    heading, sentence = "Is there a better plan?", certificate_sentence(study.main)
    if len(study.plans) == 1:
        return Section(heading, [sentence])
    caption = "By scenario; thinning: fewer draws for the search than for the numbers told"
    return Section(heading, [sentence], {caption: show.certificates(study)})


def _ground(ground: Ground) -> Section:
    known = {name: label for name, label in ground.labels.items() if label != DATA_DRIVEN}
    weak = [f"{name} ({label})" for name, label in known.items()]
    if not ground.labels:
        roas = "Whether ROAS rest on data or prior was not measured."
    elif weak:
        roas = f"ROAS that do not rest on the data: {join_words(weak)}."
    else:
        roas = "The ROAS of every channel rests on the data more than on its prior."
    facts = {
        "model": f"{ground.model} version {ground.version}",
        "made": f"{ground.age_days} days ago",
        "data": f"{ground.label + ', ' if ground.label else ''}{ground.span}",
        "gate": ground.gate,
        "flagged": "; ".join(ground.flags) or "nothing",
        "warnings about the data": "; ".join(ground.warnings) or "none known",
        "accepted weeks": "; ".join(ground.accepted) or "none",
        "lift tests": str(ground.lift_tests),
        "evidence": ground.evidence or "none gathered",
        "evidence card": ground.command,
    }
    table = pd.DataFrame(facts.items(), columns=["what", "value"])
    return Section("What it rests on", [roas], {"Ground": table})
