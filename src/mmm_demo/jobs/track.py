"""The steps of tracking a plan: its run, its version, proven; what came; a run that keeps it."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mmm_demo.checks.proof import Bundle, BundleRefused, sha256
from mmm_demo.fits.fitted import WEEK
from mmm_demo.planning.actuals import ActualsError, Planned, join_actuals, read_plan
from mmm_demo.planning.outcome import PlanOutcome, outcome_of
from mmm_demo.plots.outcome import promised_and_realised
from mmm_demo.plots.style import NamedFigure
from mmm_demo.reports import track_text
from mmm_demo.settings import run_schema
from mmm_demo.settings.run_schema import LABEL_TAG, Say, by_channel
from mmm_demo.store import registry
from mmm_demo.store.champion import PREFIX
from mmm_demo.store.promises import KIND, MODEL, PLAN_RUN, VERSION, outcome_params
from mmm_demo.store.publish import Publisher
from mmm_demo.store.runs import Run, find_run, open_run, store_errors, temporary_folder
from mmm_demo.tables.table_file import read_csv

NEEDED = ("model", "model_version", "fit_run", "weeks", "start", "scenarios")


@dataclass(frozen=True)
class StoredPlan:
    """One scenario of a plan run, as the run wrote it down.

    Attributes
    ----------
    run
        Plan run.
    params
        Its params that begin with `plan.`, without that.
    scenario
        Name of the scenario.
    """

    run: Run
    params: dict[str, str]
    scenario: str

    @property
    def dates(self) -> pd.DatetimeIndex:
        """Weeks of the window."""
        return pd.date_range(self.params["start"], periods=int(self.params["weeks"]), freq=WEEK)

    def spend(self, channels: tuple[str, ...]) -> Planned:
        """Fetch what the scenario spends.

        Raises
        ------
        ActualsError
            When the file is not the plan that the run names.
        FileNotFoundError
            When the run has no such file.
        """
        name = f"plan/budget_scenario_{self.scenario}.csv"
        where = f"{name} of plan run {self.run.run_id[:8]}"
        with temporary_folder() as folder:
            schedule = run_schema.read_csv(self.run.download(name, folder))
        return read_plan(schedule, self.dates, channels, where)


@dataclass(frozen=True)
class TrackResult:
    """A tracked plan.

    Attributes
    ----------
    run
        Tracking run.
    plan
        What was tracked.
    version
        Version that planned.
    outcome
        What was promised and what came.
    """

    run: Run
    plan: StoredPlan
    version: registry.ModelVersion
    outcome: PlanOutcome

    @property
    def title(self) -> str:
        """Name of the plan and of the version, with what results must be called."""
        label = self.version.tags.get(LABEL_TAG, "")
        named = f"{self.plan.scenario} of {self.plan.run.run_id[:8]}"
        return f"Plan {named}, {self.version.name} version {self.version.version} {label}".rstrip()

    @property
    def page(self) -> str:
        """Markdown of the run's page."""
        lines = [f"* {sentence}" for sentence in track_text.sentences(self.outcome)]
        return "\n".join([f"**{self.title}**", "", *lines, "", track_text.GROUND])


@store_errors()
def run_track(
    plan_run: str, actuals: Path, scenario: str | None, root: Path, say: Say
) -> TrackResult:
    """Hold a plan against the weeks that came, and write it down.

    It goes to a run of its own, to the plan's run (metrics `track.*`, a step per number of weeks)
    and, for the list in the UI, to a tag of the version.

    Parameters
    ----------
    plan_run
        Plan run: its id, or the first characters of it.
    actuals
        CSV file in the form of the weekly table, with all weeks since the data of the version.
    scenario
        Which of the run's scenarios; the first when None.
    root, say
        Project folder, progress messages.

    Raises
    ------
    ActualsError, DataError
        When the run is no plan, or the file cannot be held against it.
    FileNotFoundError
        When the run, its version or the file is not there.
    BundleRefused
        When the version does not prove its pass, or is not the one that planned.
    """
    plan = find_plan(plan_run, scenario)
    if not actuals.is_file():
        raise FileNotFoundError(f"no file {actuals}; it is the weekly table since the plan's data")
    version, bundle = _planner_of(plan)
    made = bundle.experiment.data
    raw = read_csv(actuals, made.decimal, made.separator, offered=False)
    say(f"plan of {version.name} version {version.version}, proven")
    planned = plan.spend(bundle.experiment.model.channel_columns)
    table, warnings = join_actuals(raw, bundle.fitted, made, str(actuals), planned.units)
    for warning in warnings:
        say(f"warning: {warning}")
    outcome = outcome_of(bundle.fitted, planned, table)
    with open_run(f"track {plan.run.run_id[:8]} {plan.scenario}", KIND) as run:
        result = TrackResult(run, plan, version, outcome)
        _log(result, sha256(actuals))
        _publish(Publisher(run, root), result)
        run.describe(result.page)
        _tell(result)
    return result


def find_plan(plan_run: str, scenario: str | None) -> StoredPlan:
    """Return a scenario of a plan run.

    Raises
    ------
    RunNotFoundError
        When there is no such run.
    ActualsError
        When the run is no finished plan, or has no such scenario.
    """
    run = find_run(plan_run)
    stored = run.client.get_run(run.run_id)
    kind = stored.data.tags.get("mmm.kind", "nothing that this project made")
    step = "give the run of a plan; plans are made by: mmm-demo optimize"
    if kind != "plan":
        raise ActualsError(f"run {run.run_id} is no plan but: {kind}; {step}")
    if stored.info.status != "FINISHED":
        raise ActualsError(f"plan run {run.run_id} did not finish ({stored.info.status}); {step}")
    found = stored.data.params
    if missing := [f"plan.{name}" for name in NEEDED if f"plan.{name}" not in found]:
        raise ActualsError(f"plan run {run.run_id} does not tell {', '.join(missing)}; plan again")
    params = {name: found[f"plan.{name}"] for name in NEEDED}
    names = params["scenarios"].split(", ")
    if scenario is not None and scenario not in names:
        raise ActualsError(
            f"plan run {run.run_id} has no scenario {scenario!r}; it has {', '.join(names)}"
        )
    return StoredPlan(run, params, scenario or names[0])


def _planner_of(plan: StoredPlan) -> tuple[registry.ModelVersion, Bundle]:
    """Return the version that planned, proven: champion or not, it must be the very same."""
    name, number = plan.params["model"], plan.params["model_version"]
    version = registry.find_version(name.removeprefix(PREFIX), int(number))
    if str(version.run_id) != plan.params["fit_run"]:
        raise BundleRefused(
            f"check 'version of the plan' failed: version {number} of {name} comes from run "
            f"{version.run_id}, the plan from {plan.params['fit_run']}"
        )
    try:
        return version, registry.prove_version(version)
    except BundleRefused as refusal:
        raise BundleRefused(
            f"version {number} of {name}, which planned, is refused: {refusal}. Its forecasts "
            "prove nothing; track a plan of another version"
        ) from None


def _log(result: TrackResult, digest: str) -> None:
    plan, version, outcome = result.plan, result.version, result.outcome
    by_name = outcome.by_channel
    result.run.log(
        params={
            PLAN_RUN: plan.run.run_id,
            MODEL: version.name,
            VERSION: version.version,
            "track.scenario": plan.scenario,
            "track.actuals_sha256": digest,
            **outcome_params(outcome),
        },
        metrics={
            **dict(outcome.metrics()),
            **by_channel("spend_deviation", by_name, "deviation"),
        },
        tags={"market": version.name.removeprefix(PREFIX), "model.version": version.version},
    )
    result.run.log_model_input(version.source.removeprefix("models:/"))


def _publish(publisher: Publisher, result: TrackResult) -> None:
    outcome, name = result.outcome, f"tracked_{result.plan.scenario}"
    publisher.table(outcome.table, name)
    publisher.table(outcome.spend, f"{name}_spend")
    figure = promised_and_realised(
        outcome.table, outcome.by_channel, track_text.headline(outcome, result.title)
    )
    publisher.figures([NamedFigure("diagnostics", "tracking", "promised_and_realised", figure)])


def _tell(result: TrackResult) -> None:
    """Show the result where people look: on the plan's run, by weeks known, and the version."""
    plan, outcome = result.plan, result.outcome
    metrics = {f"track.{plan.scenario}.{name}": value for name, value in outcome.metrics()}
    plan.run.log(metrics=metrics, step=len(outcome.weeks))
    text = track_text.short(outcome)
    name, number = result.version.name, str(result.version.version)
    key = f"track.{plan.run.run_id[:8]}"
    plan.run.client.set_model_version_tag(name, number, key, text)
