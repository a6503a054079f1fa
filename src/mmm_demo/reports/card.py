"""The evidence card of a model version: everything known about it, on one page."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from mmm_demo.checks.gate import FAILED, NOT_ASSESSABLE, PASSED, PRIOR_DRIVEN, Check, GateReport
from mmm_demo.checks.identification import CORRELATION_LIMIT, OVERLAP_LIMIT, SENSITIVITY_LIMIT
from mmm_demo.evidence.backtest import fold_table
from mmm_demo.evidence.gathered import Evidence
from mmm_demo.evidence.recovery import recovery_summary
from mmm_demo.plots.evidence import FIGURES, roas_labelled
from mmm_demo.reports.check_names import BASIC, QUESTIONS, battery_name, check_name
from mmm_demo.reports.page import Section, cell_text, in_percent, render_page
from mmm_demo.reports.summary import JUDGED, PRIOR_HEADER, prior_rows
from mmm_demo.settings.batteries import BATTERIES, EVIDENCE_BATTERIES, FIT_BATTERIES
from mmm_demo.settings.experiment import ExperimentConfig, MediaConfig, ModelConfig
from mmm_demo.settings.wording import ROAS_UNIT, join_words, roas, roas_with_interval, share

NOT_MEASURED = "not measured"
WORDS = {"<": "below", "<=": "at most", ">": "above", ">=": "at least"}
SIGNS = {"<": "<", "<=": "≤", ">": ">", ">=": "≥"}
NO_TEST = "None calibrates this version. One in a prior-driven channel would tell most."
NO_PROMISE = (
    "No plan of this version was tracked yet. When the weeks of one are over, run: "
    "mmm-demo track --plan RUN --actuals FILE"
)
POOLED = "all"  # plan of the row that is all plans as one


@dataclass(frozen=True)
class CardInput:
    """All that is known about one model version.

    Attributes
    ----------
    model, version, run_id
        Registered model, number of the version, and the fit run that it comes from.
    label
        What the results must be called; empty where the source does not say.
    experiment
        As it was resolved for the fit.
    report
        Verdict of the fit (`gate.json`), without the evidence gathered later.
    roas
        `tables.describe` of the ROAS.
    identification, pairs
        `checks.identification.identification_table` and `inseparable_pairs`.
    source, span
        Where the weekly table comes from, and its weeks (`MarketingData`).
    history
        When it was made and, if so, promoted: a sentence or two.
    hashes
        Sha256 of the weekly table and of each file of the version.
    evidence
        None when none was gathered.
    champion
        Number of the market's champion; None when there is none.
    stability, differences
        Against the champion (`contest.stability`, `contest.explain`); None when this is it.
    lift
        `lift_report.compare_with_model`; None when no lift test calibrates the version.
    promises
        `promises.past_promises`, the last row all plans as one; None or empty when there is none.
    warnings
        What was noticed about the data when they were read for the fit.
    """

    model: str
    version: str
    run_id: str
    label: str
    experiment: ExperimentConfig
    report: GateReport
    roas: pd.DataFrame
    identification: pd.DataFrame
    pairs: pd.DataFrame
    source: str
    span: str
    history: str
    hashes: Mapping[str, str]
    evidence: Evidence | None = None
    champion: str | None = None
    stability: pd.DataFrame | None = None
    differences: pd.DataFrame | None = None
    lift: pd.DataFrame | None = None
    promises: pd.DataFrame | None = None
    warnings: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse evidence about another fit: it would speak for a model that it never saw."""
        if self.evidence is not None and self.evidence.fit_run != self.run_id:
            raise ValueError(
                f"evidence is about run {self.evidence.fit_run}, the version comes from "
                f"{self.run_id}; run: {self.command}"
            )

    @property
    def judged(self) -> GateReport:
        """All checks, of the fit and of the evidence, with every battery that a pass needs."""
        required = dict.fromkeys((*self.report.batteries, *self.experiment.gate.require))
        gathered = self.evidence.checks if self.evidence else ()
        return GateReport((*self.report.checks, *gathered), tuple(required))

    @property
    def command(self) -> str:
        """What gathers the evidence about this version."""
        return f"mmm-demo evidence {self.run_id[:8]}"

    @property
    def labels(self) -> dict[str, str]:
        """Identification label by channel."""
        table = self.identification
        return dict(zip(table["channel"].astype(str), table["label"], strict=True))


def version_card(card: CardInput) -> str:
    """Return all that is known about a version as one self-contained HTML page.

    Parameters
    ----------
    card
        What was found; what was not is named on the page, with the command that finds it.
    """
    parts = (_lift, _champion, _promises, _ground)
    rest = [_every_check(card), *_answers(card), *(part(card) for part in parts)]
    sections = [_checks(card), *(replace(section, folded=True) for section in rest)]
    title = f"Evidence card: {card.model} version {card.version} {card.label}".rstrip()
    answers = {question: " ".join(told) for question, told in in_short(card).items() if told}
    return render_page(title, answers, sections)


def in_short(card: CardInput) -> dict[str, list[str]]:
    """Return what a reader should know who reads nothing else, by question, the verdict first."""
    report, accepted = card.judged, card.experiment.data.accept
    unlike = [f"Unlike the other weeks, and accepted: {entry}." for entry in accepted]
    return {
        "Verdict": [_verdict(report), _standing(card)],
        "Why": [*_batteries(report), *_flags(report), *unlike],
        "What is not known": [*_unmeasured(card)],
        "What the data tell": [*_identified(card), *_experiments(card), *_moved(card)],
    }


def battery_status(report: GateReport, battery: str) -> str:
    """Return a battery's worst status; `not measured` when none of its checks was made."""
    found = {check.status for check in report.stage(battery).checks}
    order = (FAILED, NOT_ASSESSABLE, PASSED)
    return next((status for status in order if status in found), NOT_MEASURED)


def battery_table(report: GateReport) -> pd.DataFrame:
    """Return columns battery, result, needed and question, a row per battery."""
    rows = []
    for battery, question in QUESTIONS.items():
        checks = report.stage(battery).checks
        needed = any(report.requires(check) for check in checks)
        always = battery in BASIC or battery in report.batteries
        extent = "required" if always else "partly required" if needed else "advisory"
        rows.append((battery_name(battery), battery_status(report, battery), extent, question))
    return pd.DataFrame(rows, columns=["battery", "result", "needed", "question"])


def said(check: Check) -> str:
    """Say a check in words: its name, value, limit and place."""
    place = f"; {check.where}" if check.where else ""
    needed = f"({WORDS[check.comparison]} {figure(check.limit)} needed{place})"
    if check.status == NOT_ASSESSABLE:
        return f"{check_name(check.name)} could not be assessed {needed}"
    return f"{check_name(check.name)}: {figure(check.value)} {needed}"


def figure(value: float) -> str:
    """Write a value so that it can be held against a limit: 1.012 is not 1.01."""
    fine = math.isfinite(value) and abs(value) < 1000
    return f"{value + 0.0:.4g}" if fine else cell_text(value)


def _verdict(report: GateReport) -> str:
    needed = sum(report.requires(check) for check in report.checks)
    if report.passed:
        return f"Passed: all {needed} required checks hold."
    reasons = [said(check) for check in report.failures]
    reasons += [f"{_part(name)} is required and was not measured" for name in report.missing]
    reasons += [
        f"{check_name(check.name)} was judged less strictly than required"
        for check in report.loosened
    ]
    return f"Refused, so no budget may rest on it: {'; '.join(reasons)}."


def _part(name: str) -> str:
    return f"the battery {battery_name(name)}" if name in BATTERIES else check_name(name)


def _standing(card: CardInput) -> str:
    if card.champion is None:
        return "The market has no champion yet."
    if card.champion == card.version:
        return "It is the market's champion."
    return f"It is not the market's champion; that is version {card.champion}."


def _batteries(report: GateReport) -> Iterator[str]:
    by_status: dict[str, list[str]] = {}
    for battery in (*FIT_BATTERIES, *EVIDENCE_BATTERIES):
        name = battery_name(battery)
        by_status.setdefault(battery_status(report, battery), []).append(name)
    passed = by_status.pop(PASSED, [])
    text = f"{len(passed)} of {len(BATTERIES)} batteries passed"
    text += f" ({', '.join(passed)})" if passed else ""
    rest = [f"{status}: {join_words(names)}" for status, names in by_status.items()]
    yield f"{'; '.join([text, *rest])}."


def _flags(report: GateReport) -> Iterator[str]:
    failed = [said(check) for check in report.flags if check.status == FAILED]
    if failed:
        yield f"Flagged, though it refuses nothing: {'; '.join(failed)}."
    elif all(battery_status(report, battery) == PASSED for battery in BATTERIES):
        yield "Nothing is flagged."


def _unmeasured(card: CardInput) -> Iterator[str]:
    report = card.judged
    unclear = [check for check in report.flags if check.status == NOT_ASSESSABLE]
    if unclear:
        yield f"Not assessable, so not passed either: {'; '.join(map(said, unclear))}."
    for batteries, step in ((FIT_BATTERIES, "mmm-demo fit"), (EVIDENCE_BATTERIES, card.command)):
        missing = [battery_name(name) for name in batteries if not report.stage(name).checks]
        if missing:
            yield f"Not measured, so nothing is known about {join_words(missing)}. Run: {step}"


def _identified(card: CardInput) -> Iterator[str]:
    by_label: dict[str, list[str]] = {}
    for channel in card.roas["channel"].astype(str):
        by_label.setdefault(card.labels.get(channel, NOT_ASSESSABLE), []).append(channel)
    if driven := by_label.get(PRIOR_DRIVEN):
        are, their = ("is", "its") if len(driven) == 1 else ("are", "their")
        names = f"{join_words(driven)} {are} prior-driven"
        yield f"{names}: {their} ROAS is largely what the prior said."
    elif NOT_ASSESSABLE not in by_label:
        yield "The ROAS of every channel is data-driven: it says more than the prior did."
    if unknown := by_label.get(NOT_ASSESSABLE):
        yield f"Whether data or prior decided over the ROAS of {join_words(unknown)} is not known."
    for pair in card.pairs.itertuples():
        yield (
            f"{pair.channel_a} and {pair.channel_b} cannot be told apart: read their ROAS as a "
            "sum only."
        )


def _experiments(card: CardInput) -> Iterator[str]:
    if card.lift is not None and len(card.lift):
        inside = int(card.lift["inside"].sum())
        text = f"{inside} of {len(card.lift)} lift tests agree with the model"
        odd = card.lift.loc[card.lift["unexpected_sign"].astype(bool), "channel"].unique()
        text += f"; of unexpected sign: a test of {join_words(odd)}" if len(odd) else ""
        yield f"{text}."


def _moved(card: CardInput) -> Iterator[str]:
    if card.stability is None or card.stability.empty:
        return
    moved = card.stability.loc[~card.stability["inside"].astype(bool), "channel"]
    if len(moved):
        yield f"ROAS outside the champion's 94 % interval: {join_words(moved)}."
    else:
        yield "The ROAS of every channel lies inside the champion's 94 % interval."


def _checks(card: CardInput) -> Section:
    report = card.judged
    tables = {"What was asked": battery_table(report)}
    open_ones = [check for check in report.checks if not check.passed]
    if open_ones:
        rows = [(check_name(of.name), of.status, of.where, of.advice) for of in open_ones]
        advice = pd.DataFrame(rows, columns=["check", "status", "where", "what to do"])
        tables["Not passed, and what to do"] = advice
    return Section("What was asked of it", [card.history] if card.history else [], tables)


def _every_check(card: CardInput) -> Section:
    about = (
        "A required check that does not pass refuses the version. An advisory one refuses "
        "nothing, and is shown wherever the result is shown."
    )
    tables = {"Every check": check_table(card.judged)}
    return Section("The verdict, check by check", [about], tables)


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


def _results(checks: Iterable[Check], stage: str) -> list[str]:
    told = [f"{said(check)}, {check.status}." for check in checks if check.stage == stage]
    return [text[:1].upper() + text[1:] for text in told]


@dataclass(frozen=True)
class Told:
    """What is told of a battery of refits beside its verdict.

    Attributes
    ----------
    heading, about
        Of its section; what was done.
    tables
        Rows of the battery -> tables by caption.
    figure
        Caption of its figure.
    """

    heading: str
    about: str
    tables: Callable[[pd.DataFrame], dict[str, pd.DataFrame]]
    figure: str


def _folds(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    folds = in_percent(fold_table(rows), "mape", "naive_mape", "coverage_94")
    return {"By fold; MAPE: mean error in percent; coverage: weeks inside the 94 % interval": folds}


def _recovered(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    if not rows["converged"].any():
        return {}
    summary = in_percent(recovery_summary(rows), "median_error", "bias", "coverage_90")
    return {"Median absolute error, mean error (bias) and truths inside the 90 % interval": summary}


def _believed(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    shares = in_percent(rows, "share_lower_5", "share_median", "share_upper_95")
    return {"Share of all sales that the model gave to each placebo": shares}


def _replanned(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    plans = rows.pivot(index="channel", columns="variant", values="planned")
    plans = plans.reindex(index=rows["channel"].unique(), columns=rows["variant"].unique())
    return {"Recommended spend in the planning window": plans.reset_index()}


TOLD = {
    "backtest": Told(
        "Backtest: forecasts of weeks it had not seen",
        "Each fold is a refit on the weeks before it. CRPS is the error of a whole forecast, in "
        "sales per week: less is better. The skill is the part of the naive forecast's error that "
        "the model saves. The naive forecast repeats the week a year before, or the last value "
        "where the data are short.",
        _folds,
        "Observed sales, forecasts with 94 % interval and naive forecast",
    ),
    "recovery": Told(
        "Recovery: would such data bring a known truth back?",
        "Sales were simulated on the real spend from parameters that the model holds possible, "
        "and the model was fitted to them. It fails only when so many misses can hardly be chance.",
        _recovered,
        "Estimate against truth",
    ),
    "placebo": Told(
        "Placebo: a channel that cannot have brought sales",
        "The spend of a real channel, shifted in time by more than any carryover, enters as one "
        "more channel. Two that are believed are one too many.",
        _believed,
        "Share of all sales by placebo",
    ),
    "sensitivity": Told(
        "Sensitivity: other modelling choices",
        "The same data under another lag, saturation and seasonality; the plan moves with it.",
        _replanned,
        "ROAS by channel and variant",
    ),
}


def _answers(card: CardInput) -> Iterator[Section]:
    """Yield what the batteries found that have more to tell than their checks."""
    for name in BATTERIES:
        if name in TOLD:
            yield _refitted(card, name)
        elif name == "identification":
            yield _roas(card)
            yield _pairs(card)


def _refitted(card: CardInput, name: str) -> Section:
    """Return a battery's verdict with its rows, or why there are none."""
    told, evidence = TOLD[name], card.evidence
    if evidence is None or name not in {*evidence.tables, *evidence.unassessed}:
        text = f"Not measured, so nothing is known here. Run: {card.command}"
        return Section(told.heading, [text])
    if name not in evidence.tables:
        return Section(told.heading, [f"Not assessable: {evidence.unassessed[name]}."])
    rows, verdict = evidence.tables[name], _results(evidence.checks, name)
    if rows.empty:
        return Section(told.heading, verdict)
    figures = {told.figure: FIGURES[name](rows)}
    return Section(told.heading, [*verdict, told.about], told.tables(rows), figures)


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
        {"ROAS by channel": roas_labelled(card.roas, card.labels)},
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
    ends = (stability[name] for name in ("champion", "lower_94", "upper_94"))
    table = stability[["channel"]].assign(
        champion=[*map(roas_with_interval, *ends)],
        this_version=stability["challenger"].map(roas),
        inside=stability["inside"],
        overlap=stability["overlap"],
    )
    return in_percent(table, "overlap")


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
    noise = model.form("noise")
    given = [f"Here {JUDGED} {noise.given}."] if noise.given else []
    season = f"{model.yearly_seasonality} yearly modes" if model.yearly_seasonality else "none"
    carryover = f"Carryover of up to {model.adstock_max_lag} weeks, the week of the spend included"
    if model.longest_lag == 1:
        carryover = "No carryover"
    priors = pd.DataFrame(prior_rows(card.experiment), columns=[*PRIOR_HEADER])
    hashes = pd.DataFrame(card.hashes.items(), columns=["what", "sha256"])
    paragraphs = [
        f"Data: {card.source}, {card.span}. Market {card.experiment.market}, experiment "
        f"{card.experiment.name}, fit run {card.run_id}.",
        f"{carryover} ({model.adstock} adstock); {model.saturation.replace('_', '-')} saturation; "
        f"seasonality: {season}; controls: {', '.join(model.control_columns) or 'none'}; "
        f"{_base(model)}; {noise.words}.",
        *(own_forms(channel, entry) for channel, entry in model.media.items()),
        *given,
        *(f"Noticed when the data were read: {text}." for text in card.warnings),
    ]
    tables = {"Priors": priors, "Identity of data and files": hashes}
    return Section("What it rests on", paragraphs, tables)


def own_forms(channel: str, entry: MediaConfig) -> str:
    """Say what a channel has of its own."""
    told = {
        "adstock": entry.adstock and f"{entry.adstock.replace('_', '-')} adstock",
        "max_lag": entry.max_lag and f"carryover of up to {entry.max_lag} weeks",
        "saturation": entry.saturation and f"{entry.saturation.replace('_', '-')} saturation",
        "priors": entry.priors and f"priors of {', '.join(entry.priors)}",
    }
    own = ", ".join(filter(None, told.values())) or "nothing"
    return f"{channel} has of its own: {own}."


def _base(model: ModelConfig) -> str:
    """Say what moves the baseline, and which events are known."""
    events = dict.fromkeys(time.name for time in model.calendar)
    return f"baseline: {model.baseline}" + (f"; events: {', '.join(events)}" if events else "")


def _interval(point: float, low: float, high: float) -> str:
    return f"{cell_text(point)} ({cell_text(low)} to {cell_text(high)})"
