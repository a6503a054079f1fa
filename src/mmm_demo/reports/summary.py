"""Results -> the short texts that people read first: a run's page and the summary."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from mmm_demo.checks.gate import PASSED, Check, GateReport
from mmm_demo.forms.registry import default, find
from mmm_demo.planning.plan import Plan, spread
from mmm_demo.reports.check_names import check_name
from mmm_demo.reports.plan_text import chance, channel_flags, plan_sentences
from mmm_demo.settings.experiment import ExperimentConfig
from mmm_demo.settings.names import as_markdown, bullets, key, markdown_table
from mmm_demo.settings.wording import (
    ALL_SALES,
    ROAS_UNIT,
    amount,
    change,
    human,
    number_of,
    percent,
    roas_between,
)
from mmm_demo.settings.wording import roas as roas_text
from mmm_demo.sources.market import MarketingData

GATE_HEADER = ("check", "value", "limit", "verdict")
PRIOR_HEADER = ("parameter", "prior", "rationale")
JUDGED = "coverage, p-values, residuals and leave-one-out are about"
ROAS_TITLE = f"Incremental ROAS ({ROAS_UNIT}, all weeks of the data)"


def gate_rows(report: GateReport) -> list[tuple[str, str, str, str]]:
    """Return check, value, limit and verdict of each check; an advisory one is a flag at most."""
    return [(*_measured(check), _verdict(report, check)) for check in report.checks]


def _measured(check: Check) -> tuple[str, str, str]:
    value = "n/a" if math.isnan(check.value) else f"{check.value:.4g}"
    return check_name(check.name), value, f"{check.comparison} {check.limit:.4g}"


def _verdict(report: GateReport, check: Check) -> str:
    if check.passed:
        return PASSED
    return check.status.upper() if report.requires(check) else f"flag: {check.status}"


def check_rows(checks: Sequence[Check]) -> list[tuple[str, str, str, str, str]]:
    """Return check, value, limit, status and place of checks that nothing hangs on yet."""
    return [(*_measured(check), check.status, check.where) for check in checks]


def flag_lines(report: GateReport) -> list[str]:
    """Say what is flagged, a line each: name, number, place and what to do."""
    return check_lines(report.flags)


def check_lines(checks: Iterable[Check]) -> list[str]:
    """Say checks in full, a line each: name, number, place and what to do."""
    lines = []
    for check in checks:
        name, value, limit = _measured(check)
        place = f" ({check.where})" if check.where else ""
        advice = f": {check.advice}" if check.advice else ""
        lines.append(f"{name} {value}, limit {limit}{place}{advice}")
    return lines


def gate_sentence(report: GateReport) -> str:
    """Say a verdict in one line: gate passed: 28 checks, 0 flags."""
    counts = {
        "failed": len(report.failures),
        "not made": len(report.missing),
        "loosened": len(report.loosened),
    }
    told = [number_of(len(report.checks), "check")]
    told += [f"{count} {what}" for what, count in counts.items() if count]
    told.append(number_of(len(report.flags), "flag"))
    return f"gate {'passed' if report.passed else 'failed'}: {', '.join(told)}"


def evidence_sentence(name: str, checks: Sequence[Check]) -> str:
    """Say what the batteries found in one line: ... 9 checks, 8 passed, 1 failed."""
    found = Counter(check.status for check in checks)
    told = [f"{count} {status}" for status, count in found.most_common()]
    return f"Evidence about {name}: {', '.join([number_of(len(checks), 'check'), *told])}"


def headline(
    experiment: ExperimentConfig, report: GateReport, roas: pd.DataFrame | None
) -> list[str]:
    """Return what people look for first: verdict, lag, ROAS, priors; a line each."""
    model, values = experiment.model, {check.name: check.value for check in report.checks}
    verdict = gate_sentence(report)
    lines = [f"{verdict[0].upper()}{verdict[1:]}; adstock up to {model.longest_lag} weeks"]
    if "rhat_max" in values:
        lines[0] += (
            f", R-hat {values['rhat_max']:.4f}, ESS {values['ess_bulk_min']:,.0f} bulk and "
            f"{values['ess_tail_min']:,.0f} tail, {values['divergences']:.0f} divergences"
        )
    if roas is not None:
        shown = (f"{channel} {value} ({between})" for channel, value, between in roas_rows(roas))
        lines.append(f"Incremental ROAS: {', '.join(shown)}")
    noise = model.form("noise")
    if noise is not find("noise", default("noise")):
        given = f"; {JUDGED} {noise.given}" if noise.given else ""
        lines.append(f"{noise.words[0].upper()}{noise.words[1:]}{given}")
    priors = (f"{name} {prior}" for name, prior in model.full_priors.items())
    lines.append(f"Priors: {', '.join(priors)}")
    return lines


def version_tags(
    experiment: ExperimentConfig, report: GateReport, roas: pd.DataFrame
) -> dict[str, str]:
    """Return what the list of versions shows of a fit."""
    values = {check.name: check.value for check in report.checks}
    tags = {"adstock_max_lag": str(experiment.model.adstock_max_lag)}
    for channel, value, between in roas_rows(roas):
        # A promotion keeps it as a param that begins with `evidence.`, which takes its room.
        tag = key(channel, "evidence.roas.").removeprefix("evidence.")
        tags[tag] = f"{value} ({between})"
    tags["flags"] = ", ".join(check.name for check in report.flags) or "none"
    tags |= {name: f"{values[name]:.5g}" for name in ("rhat_max", "ess_bulk_min", "ess_tail_min")}
    return tags


def fit_page(
    experiment: ExperimentConfig,
    data: MarketingData,
    report: GateReport,
    roas: pd.DataFrame | None = None,
    not_identified: Sequence[str] = (),
) -> str:
    """Return the Markdown of a fit run's page: verdict, flags, ROAS, then the rest.

    Its first lines are all that MLflow shows at once.

    Parameters
    ----------
    experiment, data
        What was fitted, and on what.
    report
        Verdict of the gate.
    roas
        ROAS by channel (`tables.describe`); None when the fit was refused.
    not_identified
        Parameters that the data told nothing about.
    """
    lines: list[str] = []
    if not report.passed:
        lines += ["**Refused**, no result of it may be used:"]
        lines += ["", f"```\n{report.reasons()}\n```", ""]
    lines += [f"**{as_markdown(headline(experiment, report, None)[0])}**", ""]
    if report.flags:
        lines += ["**Flagged**, read results with this in mind:", ""]
        lines += [*bullets(flag_lines(report)), ""]
    if roas is not None:
        lines += [f"**{ROAS_TITLE}**", "", *markdown_table(*_marked(*roas_table(roas))), ""]
    if not_identified:
        lines += [as_markdown(identification_sentence(not_identified)), ""]
    lines += [experiment.description, ""]
    lines += [f"Market `{experiment.market}`, {data.source}, {data.span}.", ""]
    lines += bullets(f"accepted: {entry}" for entry in experiment.data.accept)
    lines += bullets(f"warning: {text}" for text in data.warnings)
    lines += [""] if lines[-1] else []
    lines += ["**All checks**", "", *markdown_table(GATE_HEADER, gate_rows(report))]
    priors = [(name, f"`{prior}`", why) for name, prior, why in prior_rows(experiment)]
    lines += ["", "**Priors**", "", *markdown_table(PRIOR_HEADER, priors)]
    return "\n".join(lines)


def prior_rows(experiment: ExperimentConfig) -> list[tuple[str, str, str]]:
    """Return parameter, prior and rationale (`PRIOR_HEADER`) of each prior."""
    priors = experiment.model.full_priors.items()
    return [(name, str(prior), prior.rationale or "project default") for name, prior in priors]


def identification_sentence(not_identified: Sequence[str]) -> str:
    """Name the parameters that the data told nothing about."""
    if not not_identified:
        return "The data told something about every parameter."
    return f"Not identified by this data, the posterior is the prior: {', '.join(not_identified)}."


def roas_rows(roas: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return channel, median ROAS and its 94 % interval."""
    return [
        (str(row.channel), roas_text(row.median), roas_between(row.lower_94, row.upper_94))
        for row in roas.itertuples()
    ]


def roas_table(roas: pd.DataFrame) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return header and rows of the ROAS table, with the identification label where it is known."""
    header, rows = ("channel", "ROAS", "94 % interval"), roas_rows(roas)
    if "label" not in roas:
        return header, list(rows)
    return (*header, "label"), [
        (*row, label) for row, label in zip(rows, roas["label"], strict=True)
    ]


# Gains are over the replay of the last period.
SCENARIO_HEADER = ("scenario", "money", "gain", f"of {ALL_SALES}", "94 % interval", "sure")


def plan_header(plan: Plan) -> tuple[str, ...]:
    """Return the heads of `plan_rows`."""
    weeks = f"{plan.weeks} weeks"
    return ("channel", f"spend, last {weeks}", f"planned, {weeks}", "change", "beware")


def plan_rows(plan: Plan, labels: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Return channel, spend of the last period, planned spend, change and flags."""
    columns = (plan.table[name] for name in ("channel", "current", "planned"))
    rows = zip(*columns, channel_flags(plan, labels), strict=True)
    return [
        (str(channel), amount(was), amount(now), change(was, now), beware)
        for channel, was, now, beware in rows
    ]


def scenario_rows(plans: Sequence[Plan]) -> list[tuple[str, ...]]:
    """Return name, money, gain with its share of all sales, its interval and probability.

    Of profit where that is asked for, which is no share of sales.
    """
    rows = []
    for plan in plans:
        draws, unit, share = plan.profit_gain, "profit", ""
        if draws is None:
            draws, unit, share = plan.gain, "sales", percent(plan.of_all_sales)
        gain = spread(draws)
        told = f"{human(gain['mean'])} {unit}"
        between = f"{human(gain['lower_94'])} to {human(gain['upper_94'])}"
        name, money = plan.scenario.name, human(plan.total_budget)
        rows.append((name, money, told, share, between, chance(gain["probability"])))
    return rows


def doubts_elsewhere(plans: Sequence[Plan]) -> list[str]:
    """Return what looks like another unit in the scenarios that are not told in full."""
    return [f"{plan.scenario.name}: {text}" for plan in plans[1:] for text in plan.doubts]


def scenario_title(plan: Plan) -> str:
    """Say what the gains of `scenario_rows` are over."""
    return f"Scenarios: gain over a repeat of the last {plan.weeks} weeks"


def plan_title(plan: Plan) -> str:
    """Name window and budget of a plan."""
    return (
        f"{plan.start:%Y-%m-%d} to {plan.end:%Y-%m-%d} ({plan.weeks} weeks), "
        f"total {amount(plan.total_budget)}"
    )


def plan_markdown(
    plans: Sequence[Plan], name: str, labels: Mapping[str, str], last: Sequence[str] = ()
) -> str:
    """Return the Markdown of a plan run's page.

    Parameters
    ----------
    plans
        One per scenario; the first is shown whole.
    name
        Model, version and what its results must be called.
    labels
        What each channel's ROAS rests on, by channel.
    last
        Sentences that follow, as on how far to move and on what the plans rest; empty ones are left
        out.
    """
    plan = plans[0]
    lines = [f"**Plan of {as_markdown(name)}: {plan_title(plan)}**", ""]
    lines += bullets([*plan_sentences(plan, labels), *filter(None, last)])
    lines += ["", *markdown_table(*_marked(plan_header(plan), plan_rows(plan, labels)))]
    if len(plans) > 1:
        table = markdown_table(SCENARIO_HEADER, scenario_rows(plans))
        lines += ["", f"**{scenario_title(plan)}**", "", *table]
        lines += ["", *bullets(doubts_elsewhere(plans))]
    return "\n".join(lines)


def _marked(
    header: tuple[str, ...], rows: Sequence[tuple[str, ...]]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    wide = tuple(f"{name}\u00a0\u00a0" for name in header)  # MLflow puts no space between columns
    return wide, [tuple(map(as_markdown, row)) for row in rows]
