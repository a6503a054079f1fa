"""The evidence card of a model version: everything known about it, on one page."""

from collections.abc import Iterable

import pandas as pd

from mmm_demo.checks.gate import Check, GateReport
from mmm_demo.checks.identification import CORRELATION_LIMIT, OVERLAP_LIMIT, SENSITIVITY_LIMIT
from mmm_demo.evidence.backtest import fold_table
from mmm_demo.evidence.recovery import recovery_summary
from mmm_demo.plots import evidence as plot
from mmm_demo.reports.card_verdict import CardInput, battery_table, figure, lead, said
from mmm_demo.reports.page import Section, cell_text, in_percent, render_page
from mmm_demo.settings.check_names import battery_name, check_name
from mmm_demo.settings.wording import ROAS_UNIT, roas, roas_with_interval, share

SIGNS = {"<": "<", "<=": "≤", ">": ">", ">=": "≥"}
NO_TEST = "None calibrates this version. One in a prior-driven channel would tell most."
NO_PROMISE = (
    "No plan of this version was tracked yet. When the weeks of one are over, run: "
    "mmm-demo track --plan RUN --actuals FILE"
)
POOLED = "all"  # plan of the row that is all plans as one
__all__ = ["CardInput", "version_card"]


def version_card(card: CardInput) -> str:
    """Return all that is known about a version as one self-contained HTML page.

    Parameters
    ----------
    card
        What was found; what was not is named on the page, with the command that finds it.
    """
    parts = (_checks, _backtest, _recovery, _roas, _pairs, _placebo, _sensitivity)
    sections = [part(card) for part in (*parts, _lift, _champion, _promises, _ground)]
    title = f"Evidence card: {card.model} version {card.version} {card.label}".rstrip()
    return render_page(title, lead(card), sections)


def _checks(card: CardInput) -> Section:
    report = card.judged
    tables = {"What was asked": battery_table(report)}
    open_ones = [check for check in report.checks if not check.passed]
    if open_ones:
        advice = pd.DataFrame(
            [
                (check_name(check.name), check.status, check.where, check.advice)
                for check in open_ones
            ],
            columns=["check", "status", "where", "what to do"],
        )
        tables["Not passed, and what to do"] = advice
    tables["Every check"] = check_table(report)
    return Section(
        "The verdict, check by check",
        [
            *([card.history] if card.history else []),
            "A required check that does not pass refuses the version. An advisory one refuses "
            "nothing, and is shown wherever the result is shown.",
        ],
        tables,
    )


def check_table(report: GateReport) -> pd.DataFrame:
    """Return battery, check, status, value, limit, needed and where, a row per check."""
    rows = [
        {
            "battery": battery_name(check.stage),
            "check": check_name(check.name),
            "status": check.status,
            "value": figure(check.value),
            "limit": f"{SIGNS[check.comparison]} {figure(check.limit)}",
            "needed": "required" if report.requires(check) else "advisory",
            "where": check.where,
        }
        for check in report.checks
    ]
    return pd.DataFrame(rows)


def _battery(card: CardInput, name: str) -> tuple[pd.DataFrame | None, list[str]]:
    """Return a battery's rows, and its verdict or why there are none."""
    if card.evidence is not None and name in card.evidence.tables:
        table = card.evidence.tables[name]
        return (table if len(table) else None), _results(card.evidence.checks, name)
    if card.evidence is not None and name in card.evidence.unassessed:
        return None, [f"Not assessable: {card.evidence.unassessed[name]}."]
    return None, [f"Not measured, so nothing is known here. Run: {card.command}"]


def _results(checks: Iterable[Check], stage: str) -> list[str]:
    found = [check for check in checks if check.stage == stage]
    return [_sentence(f"{said(check)}, {check.status}.") for check in found]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _backtest(card: CardInput) -> Section:
    heading = "Backtest: forecasts of weeks it had not seen"
    table, results = _battery(card, "backtest")
    if table is None:
        return Section(heading, results)
    about = (
        "Each fold is a refit on the weeks before it. CRPS is the error of a whole forecast, in "
        "sales per week: less is better. The skill is the part of the naive forecast's error that "
        "the model saves. The naive forecast repeats the week a year before, or the last value "
        "where the data are short."
    )
    folds = in_percent(fold_table(table), "mape", "naive_mape", "coverage_94")
    return Section(
        heading,
        [*results, about],
        {"By fold; MAPE: mean error in percent; coverage: weeks inside the 94 % interval": folds},
        {"Observed sales, forecasts with 94 % interval and naive forecast": plot.backtest(table)},
    )


def _recovery(card: CardInput) -> Section:
    heading = "Recovery: would such data bring a known truth back?"
    table, results = _battery(card, "recovery")
    if table is None:
        return Section(heading, results)
    about = (
        "Sales were simulated on the real spend from parameters that the model holds possible, "
        "and the model was fitted to them. It fails only when so many misses can hardly be chance."
    )
    used = table[table["converged"].astype(bool)]
    summary = recovery_summary(used) if len(used) else None
    caption = "Median absolute error, mean error (bias) and truths inside the 90 % interval"
    tables = {}
    if summary is not None:
        tables[caption] = in_percent(summary, "median_error", "bias", "coverage_90")
    figure = plot.recovery(table)
    return Section(heading, [*results, about], tables, {"Estimate against truth": figure})


def _roas(card: CardInput) -> Section:
    about = (
        f"{ROAS_UNIT.capitalize()}, over all weeks of the data. A ROAS is prior-driven when "
        f"it moves with the prior (sensitivity of {SENSITIVITY_LIMIT:g} or more) or when prior "
        f"and posterior overlap by more than {OVERLAP_LIMIT:.0%}; it then says little that was "
        "not assumed. Contraction is the part of the prior's variance that the data took away."
    )
    shown = ["channel", "label", "spend_share", "overlap", "prior_sensitivity", "contraction"]
    known = card.identification[shown].set_index("channel")
    numbers = card.roas.set_index("channel")[["median", "lower_94", "upper_94"]].map(roas)
    table = numbers.join(known).reset_index()
    return Section(
        "ROAS, and what it rests on",
        [*_results(card.report.checks, "identification"), about],
        {"ROAS with identification": in_percent(table, "spend_share", "overlap")},
        {"ROAS by channel": plot.roas_labelled(card.roas, card.labels)},
    )


def _pairs(card: CardInput) -> Section:
    heading = "Channels that cannot be told apart"
    if card.pairs.empty:
        none = f"None: no two ROAS have a posterior correlation below {CORRELATION_LIMIT:g}."
        return Section(heading, [none])
    about = (
        f"The posterior correlation of their ROAS is below {CORRELATION_LIMIT:g}: what one gains, "
        "the other loses. Only their sum is known."
    )
    return Section(heading, [about], {"Pairs, the closest first": card.pairs})


def _placebo(card: CardInput) -> Section:
    heading = "Placebo: a channel that cannot have brought sales"
    table, results = _battery(card, "placebo")
    if table is None:
        return Section(heading, results)
    about = (
        "The spend of a real channel, shifted in time by more than any carryover, enters as one "
        "more channel. Two that are believed are one too many."
    )
    shares = in_percent(table, "share_lower_5", "share_median", "share_upper_95")
    return Section(
        heading,
        [*results, about],
        {"Share of all sales that the model gave to each placebo": shares},
        {"Share of all sales by placebo": plot.placebo(table)},
    )


def _sensitivity(card: CardInput) -> Section:
    heading = "Sensitivity: other modelling choices"
    table, results = _battery(card, "sensitivity")
    if table is None:
        return Section(heading, results)
    about = "The same data under another lag, saturation and seasonality; the plan moves with it."
    plans = table.pivot(index="channel", columns="variant", values="planned")
    plans = plans.reindex(index=table["channel"].unique(), columns=table["variant"].unique())
    return Section(
        heading,
        [*results, about],
        {"Recommended spend in the planning window": plans.reset_index()},
        {"ROAS by channel and variant": plot.sensitivity(table)},
    )


def _lift(card: CardInput) -> Section:
    heading = "Lift tests against the model"
    if card.lift is None or card.lift.empty:
        named = card.experiment.data.lift_tests
        text = f"The tests of {named} were not held against the model." if named else NO_TEST
        return Section(heading, [text])
    about = (
        "Change of weekly sales between two steady levels of weekly spend, as tested and as the "
        "model has it, each with its 94 % interval; z is the distance in standard errors of the "
        "test. The tests are part of the likelihood. One of unexpected sign is kept as it is."
    )
    rows = [
        {
            "channel": test.channel,
            "date": test.date,
            "spend": test.x,
            "change_of_spend": test.delta_x,
            "tested": _interval(test.delta_y, test.lower_94, test.upper_94),
            "model": _interval(test.model_mean, test.model_lower_94, test.model_upper_94),
            "z": test.z,
            "model_inside_test": test.inside,
            "unexpected_sign": test.unexpected_sign,
        }
        for test in card.lift.itertuples()
    ]
    return Section(heading, [about], {"Tests, in sales and spend per week": pd.DataFrame(rows)})


def _champion(card: CardInput) -> Section:
    heading = "Comparison with the champion"
    if card.champion is None:
        return Section(heading, ["The market has no champion yet, so there is nothing to beat."])
    if card.champion == card.version:
        return Section(heading, ["This version is the champion."])
    text, tables = f"The champion is version {card.champion}.", {}
    if card.stability is None or card.stability.empty:
        text += " ROAS not measured against it: no channel that both have, or not compared."
    else:
        caption = "ROAS: the champion's with 94 % interval, and this version's median"
        tables[caption] = _stability(card.stability)
    if card.differences is None:
        text += " What differs was not measured."
    elif card.differences.empty:
        text += " Nothing differs in data, model, priors and scaling."
    else:
        tables["What differs"] = card.differences.rename(columns={"challenger": "this_version"})
    return Section(heading, [text], tables)


def _stability(stability: pd.DataFrame) -> pd.DataFrame:
    between = [
        roas_with_interval(row.champion, row.lower_94, row.upper_94)
        for row in stability.itertuples()
    ]
    table = stability.assign(champion=between, challenger=stability["challenger"].map(roas))[
        ["channel", "champion", "challenger", "inside", "overlap"]
    ]
    return in_percent(table, "overlap").rename(columns={"challenger": "this_version"})


def _promises(card: CardInput) -> Section:
    heading = "Past promises: its plans, and what came"
    if card.promises is None or card.promises.empty:
        return Section(heading, [NO_PROMISE])
    about = (
        "A promise is judged where its plan was followed. The counts are of sales inside the "
        "version's intervals given the spend that happened, so they judge the version either way; "
        "of many weeks, 50 and 94 % should lie inside. Plans of the same weeks share their sales."
    )
    rows = [
        {
            "plan": f"{past.plan} {past.scenario}" if past.plan != POOLED else POOLED,
            "from": past.start if past.plan != POOLED else "",
            "promise": past.promise,
            "weeks": _of(past.weeks, past.weeks_planned),
            "spend_off_plan": share(past.deviation) if past.plan != POOLED else "",
            "inside_50_%": _counted(past.inside_50, past.weeks),
            "inside_94_%": _counted(past.inside_94, past.weeks),
            "totals_inside_94_%": _of(past.total_inside, past.plans),
        }
        for past in card.promises.itertuples()
    ]
    return Section(heading, [about], {"Plans, the latest first": pd.DataFrame(rows)})


def _of(part: float, whole: float) -> str:
    return f"{part:.0f} of {whole:.0f}" if pd.notna(part) and pd.notna(whole) else "n/a"


def _counted(part: float, whole: float) -> str:
    return f"{_of(part, whole)} ({part / whole:.0%})" if part <= whole and whole > 0 else "n/a"


def _ground(card: CardInput) -> Section:
    model = card.experiment.model
    season = f"{model.yearly_seasonality} yearly modes" if model.yearly_seasonality else "none"
    priors = pd.DataFrame(
        [
            (name, str(prior), prior.rationale or "project default")
            for name, prior in model.priors.items()
        ],
        columns=["parameter", "prior", "rationale"],
    )
    noticed = [f"Noticed when the data were read: {text}." for text in card.warnings]
    hashes = pd.DataFrame(card.hashes.items(), columns=["what", "sha256"])
    return Section(
        "What it rests on",
        [
            f"Data: {card.source}, {card.span}. Market {card.experiment.market}, experiment "
            f"{card.experiment.name}, fit run {card.run_id}.",
            f"Carryover of up to {model.adstock_max_lag} weeks, the week of the spend included "
            f"({model.adstock} adstock); "
            f"{model.saturation.replace('_', '-')} saturation; seasonality: {season}; controls: "
            f"{', '.join(model.control_columns) or 'none'}.",
            *noticed,
        ],
        {"Priors": priors, "Identity of data and files": hashes},
    )


def _interval(point: float, low: float, high: float) -> str:
    return f"{cell_text(point)} ({cell_text(low)} to {cell_text(high)})"
