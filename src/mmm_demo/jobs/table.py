"""The weekly table of a job: loaded, held against the champion's, logged as the run's input."""

from dataclasses import asdict
from pathlib import Path

import pandas as pd

from mmm_demo.checks import proof
from mmm_demo.fits.trace import data_params
from mmm_demo.settings.experiment import ExperimentConfig
from mmm_demo.settings.run_schema import LABEL_TAG, WARNINGS_TAG, Say
from mmm_demo.sources.market import MarketingData, load_market
from mmm_demo.store import registry
from mmm_demo.store.runs import Run
from mmm_demo.tables.continuity import ContinuityError, Weekly, compare
from mmm_demo.tables.lift import lift_sha256

LONGEST_TAG = 4000  # letters; stores cut or refuse tags that are longer than some 5000


def load_data(
    run: Run,
    experiment: ExperimentConfig,
    root: Path,
    say: Say,
    data: MarketingData | None = None,
) -> MarketingData:
    """Load the weekly table, hold it against contract and champion, log it as the run's input.

    Parameters
    ----------
    run, experiment, root, say
        The fit or exploration.
    data
        The table, where it is loaded already.

    Raises
    ------
    DataError
        When the table breaks the contract, or is another than the champion's (`hold_to_champion`).
    """
    data = data or load_market(experiment.data, experiment.model, root)
    say(f"data: {data.source}, {data.span}")
    for warning in data.warnings:
        say(f"warning: {warning}")
    for entry in experiment.data.accept:
        say(f"accepted: {entry}")
    known = hold_to_champion(experiment, data, say)
    told = data_params(data.table, experiment.model, data.calendar)
    target = experiment.model.target_column
    run.log_dataset(data.table, experiment.market, told["data.sha256"], target)
    run.log_text(data.table.to_csv(index=False), "data/weekly_table.csv")
    if data.report is not None:
        run.log_text(data.report.to_csv(index=False), "data/report.csv")
        run.log_text(data.report.to_json(orient="records", indent=2), "data/report.json")
    if data.lift_tests is not None:
        run.log_text(data.lift_tests.to_csv(index=False), "data/lift_tests.csv")
        run.log(params={"data.lift_tests.sha256": lift_sha256(data.lift_tests)})
    if data.calendar:
        events = pd.DataFrame([asdict(time) for time in data.calendar])
        run.log_text(events.to_csv(index=False), "data/events.csv")
    told |= {"data.span": data.span, "data.made_from": data.source}
    run.log(
        params=told,
        tags={
            WARNINGS_TAG: "; ".join(data.warnings) or "none",
            "data.against_champion": "; ".join(known) or "none",
        }
        | label_tag(data),
    )
    return data


def hold_to_champion(
    experiment: ExperimentConfig, data: MarketingData, say: Say
) -> tuple[str, ...]:
    """Hold a table against the weeks that the market's champion was fitted on (`continuity`).

    Returns
    -------
    tuple of str
        What it changes without being another table; empty without a champion.

    Raises
    ------
    ContinuityError
        When a column is in another unit than the champion's, or has holes.
    """
    try:
        champion = registry.load_champion(experiment.market)
    except registry.NoVersionError:
        return ()
    except proof.BundleRefused as refusal:
        # Its weeks are worth no more than its draws; who repairs the market needs a new fit.
        told: tuple[str, ...] = (f"the table could not be held against the champion: {refusal}",)
    else:
        of = champion.bundle
        found = compare(
            Weekly.of(data.table, experiment.model, experiment.data),
            Weekly.of(of.fitted.table, of.experiment.model, of.experiment.data),
        )
        if found.refused:
            lines = "\n".join(f"- {line}" for line in found.refused)
            raise ContinuityError(
                f"{data.source} does not go on from the table of champion version "
                f"{champion.version.version} of market {experiment.market!r}\n{lines}"
            )
        told = found.told
    for line in told:
        say(f"against the champion: {line}")
    return told


def label_tag(data: MarketingData) -> dict[str, str]:
    """Return the tag that says what results must be called, where the source does not."""
    return {LABEL_TAG: data.label} if data.label else {}


def data_tags(data: MarketingData) -> dict[str, str]:
    """Return what a version says of its data: label and warnings, a line each."""
    lines = list(data.warnings)
    while sum(map(len, lines)) > LONGEST_TAG:
        lines = [*lines[:-2], "and more, see the fit run"]
    return label_tag(data) | ({WARNINGS_TAG: "\n".join(lines)} if lines else {})
