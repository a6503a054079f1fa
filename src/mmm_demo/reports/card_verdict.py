"""What all that is known about a version means, in sentences that stand alone."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from mmm_demo.checks.gate import FAILED, NOT_ASSESSABLE, PASSED, PRIOR_DRIVEN, Check, GateReport
from mmm_demo.evidence.gathered import Evidence
from mmm_demo.reports.page import cell_text
from mmm_demo.settings.check_names import QUESTIONS, battery_name, check_name
from mmm_demo.settings.experiment import ExperimentConfig
from mmm_demo.settings.limits import EVIDENCE_BATTERIES, FIT_BATTERIES
from mmm_demo.settings.wording import join_words

NOT_MEASURED = "not measured"
BATTERIES = (*FIT_BATTERIES, *EVIDENCE_BATTERIES)
BASIC = ("prior", "convergence", "decomposition")  # of which every check is required
WORDS = {"<": "below", "<=": "at most", ">": "above", ">=": "at least"}


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


def lead(card: CardInput) -> list[str]:
    """Return what a reader should know who reads nothing else, the verdict first."""
    report = card.judged
    parts = (_verdict(report), _standing(card), *_batteries(report), *_flags(report))
    parts += tuple(_accepted(card))
    return [*parts, *_unmeasured(card), *_identified(card), *_experiments(card), *_moved(card)]


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
        row = (battery_name(battery), battery_status(report, battery), extent, question)
        rows.append(row)
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
    for battery in BATTERIES:
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


def _accepted(card: CardInput) -> Iterator[str]:
    for entry in card.experiment.data.accept:
        yield f"Unlike the other weeks, and accepted: {entry}."


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
        yield f"{_are(driven)} prior-driven: {_its(driven)} ROAS is largely what the prior said."
    elif NOT_ASSESSABLE not in by_label:
        yield "The ROAS of every channel is data-driven: it says more than the prior did."
    if unknown := by_label.get(NOT_ASSESSABLE):
        yield f"Whether data or prior decided over the ROAS of {join_words(unknown)} is not known."
    for pair in card.pairs.itertuples():
        yield (
            f"{pair.channel_a} and {pair.channel_b} cannot be told apart: read their ROAS as a "
            "sum only."
        )


def _are(names: Sequence[str]) -> str:
    return f"{join_words(names)} {'is' if len(names) == 1 else 'are'}"


def _its(names: Sequence[str]) -> str:
    return "its" if len(names) == 1 else "their"


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
