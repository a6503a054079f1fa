"""The steps of a plan: the champion, proven; the scenarios, solved; a run that keeps them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from mmm_demo.checks.freshness import require_fresh
from mmm_demo.checks.gate import (
    DATA_DRIVEN,
    NOT_ASSESSABLE,
    PRIOR_DRIVEN,
    GateReport,
    worst_by_stage,
)
from mmm_demo.fits.fitted import WEEK
from mmm_demo.planning.engines import plans_by, rivals
from mmm_demo.planning.optimize import Planner
from mmm_demo.planning.plan import Plan
from mmm_demo.planning.study import study_plans
from mmm_demo.planning.window import BudgetError, Window, window_of
from mmm_demo.reports.check_names import check_name
from mmm_demo.reports.page import png
from mmm_demo.reports.plan_engines import engine_sentences
from mmm_demo.reports.plan_page import Ground, basis, plan_figures, plan_page
from mmm_demo.reports.plan_text import moves_sentence
from mmm_demo.reports.summary import flag_lines, plan_markdown
from mmm_demo.settings.data import DataConfig
from mmm_demo.settings.experiment import registered_model_name
from mmm_demo.settings.limits import GateConfig
from mmm_demo.settings.run_schema import LABEL_TAG, WARNINGS_TAG, Say, by_channel
from mmm_demo.settings.scenario import BudgetConfig, PlanRequest, load_request
from mmm_demo.settings.wording import signed
from mmm_demo.sources.simulate import really_brings
from mmm_demo.store import registry
from mmm_demo.store.evidence_store import load_evidence
from mmm_demo.store.publish import Publisher
from mmm_demo.store.runs import Run, open_run, store_errors

DAY = pd.Timedelta(days=1)
DRIVEN = "prior_driven_share"  # the check that names them
OF_THE_WINDOW = ("total_budget", "bounds", "groups")  # money for its weeks, and no others


@dataclass(frozen=True)
class PlanResult:
    """The plans of one request, their run and the champion that they rest on.

    Attributes
    ----------
    run
        Plan run.
    plans
        One per scenario, in the order of the request.
    moves
        `planning.moves.move_curve` of the first.
    version
        The champion.
    ground
        What the plans rest on.
    files
        CSV of each plan.
    report
        One HTML page on all of them.
    """

    run: Run
    plans: tuple[Plan, ...]
    moves: pd.DataFrame
    version: registry.ModelVersion
    ground: Ground
    files: tuple[Path, ...]
    report: Path

    @property
    def plan(self) -> Plan:
        """The plan of the first scenario."""
        return self.plans[0]

    @property
    def table(self) -> pd.DataFrame:
        """Money and returns by channel of the first scenario."""
        return self.plan.table

    @property
    def schedule(self) -> pd.DataFrame:
        """Money by week and channel of the first scenario, as its CSV has it."""
        return self.plan.schedule

    def _repr_markdown_(self) -> str:
        return self.page

    @property
    def page(self) -> str:
        """Markdown of the plan run's page."""
        name = f"{self.version.name} version {self.version.version} {self.label}".rstrip()
        return plan_markdown(self.plans, name, self.ground.labels, self.last)

    @property
    def last(self) -> tuple[str, ...]:
        """Sentences after those on the plan itself; empty where there is nothing to say."""
        engines = engine_sentences(self.plans)
        return (moves_sentence(self.moves), *engines, self.ground.truth, basis(self.ground))

    @property
    def label(self) -> str:
        """What results must be called where the source does not say it."""
        return self.version.tags.get(LABEL_TAG, "")


@store_errors()
def run_plan_file(path: str, root: Path, say: Say) -> PlanResult:
    """Plan the scenarios of a file with the champion of its market and nothing else.

    Raises
    ------
    FileNotFoundError, ConfigError
        When there is no such file, or it is not a valid request.
    BudgetError
        When a scenario allows no plan.
    GateRefused
        When the champion does not prove its pass, or has expired.
    """
    request = load_request(path)
    champion = registry.load_champion(request.market)
    return _plan(champion, request, Path(path).stem, root, say, None)


@store_errors()
def run_optimize(
    market: str,
    overrides: Mapping[str, Any],
    root: Path,
    say: Say,
    parent: Run | None = None,
) -> PlanResult:
    """Plan one scenario with the market's champion and nothing else.

    Parameters
    ----------
    market
        Whose champion plans.
    overrides
        Settings that replace those of the champion's `BudgetConfig`.
    root, say, parent
        Project folder, progress messages, run that this one belongs to.

    Raises
    ------
    BudgetError, ConfigError
        When the budget cannot be planned.
    GateRefused
        When the champion does not prove its pass, or has expired.
    """
    registered_model_name(market)
    champion = registry.load_champion(market)
    experiment = champion.bundle.experiment
    own = {"name": experiment.name} if experiment.budget.name == BudgetConfig.name else {}
    budget = experiment.budget.with_settings(own | dict(overrides))
    _require_free(experiment.budget, budget, overrides)
    request = PlanRequest(
        market,
        (budget,),
        weeks=budget.weeks,
        start=budget.start,
        cost_per_unit=budget.cost_per_unit,
        engine=budget.engine,
    )
    return _plan(champion, request, "", root, say, parent)


def _require_free(own: BudgetConfig, budget: BudgetConfig, overrides: Mapping[str, Any]) -> None:
    """Refuse to take money that was meant for one window for another."""
    kept = [name for name in OF_THE_WINDOW if getattr(own, name) and name not in overrides]
    if own.objective == budget.objective == "target_response" and "target" not in overrides:
        kept.append("target")
    if kept and budget.weeks != own.weeks:
        raise BudgetError(
            f"the champion's {' and '.join(kept)} are for {own.weeks} weeks, not for "
            f"{budget.weeks}; write a plan file with money for the window"
        )


def _plan(
    champion: registry.Champion,
    request: PlanRequest,
    name: str,
    root: Path,
    say: Say,
    parent: Run | None,
) -> PlanResult:
    """Solve first, then open the run: what cannot be planned leaves nothing behind."""
    version, fitted = champion.version, champion.bundle.fitted
    say(f"plan with champion {version.name} version {version.version}, proven")
    window = window_of(fitted, request.weeks, request.start, request.cost_per_unit)
    _require_fresh(champion, window)
    planner = Planner(fitted, window)
    if request.engine != "own":
        say(f"engine: {request.engine}; it takes seconds to build PyMC-Marketing's optimizer")
    plans = plans_by(request.engine, planner, request.scenarios)
    real = real_gain(plans[0], champion.bundle.experiment.data)
    ground = replace(_ground(champion, window, request.market), truth=truth_text(plans[0], real))
    study = study_plans(planner, plans)
    pictures = {name: png(figure) for name, figure in plan_figures(study).items()}
    html = plan_page(study, ground, pictures)
    with open_run(f"plan {request.market}", "plan", parent) as run:
        _log_request(run, champion, request, window, plans)
        publisher = Publisher(run, root)
        files = tuple(_publish(publisher, plan, name) for plan in plans)
        page = publisher.plan_report(html, pictures, name or plans[0].scenario.name)
        known = {} if real is None else {"plan.real_gain": real}
        run.log(metrics=_metrics(plans[0], "plan") | known | _differences(plans))
        result = PlanResult(run, plans, study.moves, version, ground, files, page)
        run.describe(result.page)
    return result


def _ground(champion: registry.Champion, window: Window, market: str) -> Ground:
    """Return what the plans rest on."""
    version, bundle = champion.version, champion.bundle
    report, tests, evidence = bundle.gate.report, bundle.fitted.lift_tests, load_evidence(version)
    found = worst_by_stage(evidence.checks) if evidence else {}
    return Ground(
        model=version.name,
        version=str(version.version),
        age_days=(datetime.now(UTC) - registry.made_on(version)).days,
        span=bundle.fitted.span,
        gate="passed" if report.passed else "failed",
        flags=flag_lines(report),
        flagged=[check_name(check.name) for check in report.flags],
        warnings=version.tags.get(WARNINGS_TAG, "").splitlines(),
        accepted=[str(entry) for entry in bundle.experiment.data.accept],
        past=past_text(window, bundle.experiment.data, date.today()),
        lift_tests=0 if tests is None else len(tests),
        evidence=", ".join(f"{stage} {status}" for stage, status in found.items()),
        command=f"uv run mmm-demo card {str(version.run_id)[:8]}",
        label=version.tags.get(LABEL_TAG, ""),
        labels=channel_labels(report, bundle.fitted.config.channel_columns),
        market=market,
    )


def past_text(window: Window, data: DataConfig, today: date) -> str:
    """Say that a whole window is over; empty while it is not, and for a simulated market.

    Parameters
    ----------
    window, data
        Weeks to plan, and where those before come from.
    today
        The day on which the plan is made.
    """
    after = window.end + WEEK
    if data.source == "simulated" or after > pd.Timestamp(today):
        return ""
    return (
        f"Warning: the whole window, {window.start:%Y-%m-%d} to {after - DAY:%Y-%m-%d}, lies "
        f"before today, {today}: no money can be spent in it any more. Fit newer data: mmm-demo "
        "main"
    )


def real_gain(plan: Plan, data: DataConfig) -> float | None:
    """Return what a plan really gains over the replay, in sales; None where nobody knows.

    Known of a simulated market, where the plan begins with the week after its data.
    """
    if data.source != "simulated" or plan.window.unknown_weeks or (plan.window.cost != 1).any():
        return None
    replay = pd.DataFrame(plan.window.last, columns=list(plan.window.channels))
    brought = (really_brings(data.seed, data.weeks, spend) for spend in (plan.weekly, replay))
    return next(brought) - next(brought)


def truth_text(plan: Plan, real: float | None) -> str:
    """Say what a plan really gains beside what it claims; empty where nobody knows."""
    if real is None:
        return ""
    claimed = plan.uplift
    between = f"{signed(claimed['lower_94'])} to {signed(claimed['upper_94'])}"
    return (
        f"This market is simulated, so the truth is known: the plan really brings {signed(real)} "
        f"sales against the repeat; it claims {signed(claimed['mean'])} (94% interval {between})."
    )


def channel_labels(report: GateReport, channels: Sequence[str]) -> dict[str, str]:
    """Return what each channel's ROAS rests on, as the gate of the fit found it."""
    check = next((item for item in report.checks if item.name == DRIVEN), None)
    if check is None:
        return {}
    named = _listed(check.where, channels)
    label, rest = PRIOR_DRIVEN, DATA_DRIVEN
    if check.status == NOT_ASSESSABLE:  # the check names those that could not be measured
        label, rest = NOT_ASSESSABLE, "not known"
    return {name: label if name in named else rest for name in channels}


def _listed(text: str, channels: Sequence[str]) -> set[str]:
    """Return the channels in a list with commas, which a channel's own name may have as well."""
    found, left = set(), f", {text}, "
    for name in sorted(channels, key=len, reverse=True):  # of `A, B` and `B`, the first is meant
        if f", {name}, " in left:
            found.add(name)
            left = left.replace(f", {name}, ", ", ", 1)
    return found


def _require_fresh(champion: registry.Champion, window: Window) -> None:
    last = pd.Timestamp(champion.bundle.fitted.weeks[-1])
    require_fresh(
        champion.bundle.experiment.gate.tighter_with(GateConfig()),
        fitted=registry.made_on(champion.version),
        now=datetime.now(UTC),
        data_end=last,
        gap_weeks=(window.start - last) // WEEK - 1,
    )


def _log_request(
    run: Run,
    champion: registry.Champion,
    request: PlanRequest,
    window: Window,
    plans: Sequence[Plan],
) -> None:
    version = champion.version
    engine = {} if request.engine == "own" else {"plan.engine": request.engine}
    run.log(
        params={
            "plan.model": version.name,
            "plan.model_version": version.version,
            "plan.fit_run": version.run_id,
            "plan.weeks": window.weeks,
            "plan.start": f"{window.start:%Y-%m-%d}",
            "plan.scenarios": ", ".join(plan.scenario.name for plan in plans),
        }
        | engine,
        tags={"market": request.market, "model.version": version.version},
    )
    run.log_model_input(version.source.removeprefix("models:/"))


def _publish(publisher: Publisher, plan: Plan, name: str) -> Path:
    scenario = plan.scenario.name
    publisher.run.log(metrics=_metrics(plan, f"plan.{scenario}"))
    description = "_".join(filter(None, (name, scenario)))
    return publisher.scenario(plan.schedule, description, scenario)


def _metrics(plan: Plan, of: str) -> dict[str, float]:
    found = {f"uplift_{name}": value for name, value in plan.uplift.items()} | {
        "gain_share_of_all_sales": plan.of_all_sales,
        "gain_share_of_media_sales": plan.of_media_sales,
        "all_sales_last_period": plan.window.sales,
        "media_sales_of_replay": float(plan.status_quo.mean()),
        "total_budget": plan.total_budget,
        "response": float(plan.response.mean()),
        "timing": plan.timing,
        "gap": plan.gap,
    }
    return {
        **{f"{of}.{name}": value for name, value in found.items()},
        **by_channel(f"{of}.planned", plan.table, "planned"),
        **by_channel(f"{of}.current", plan.table, "current"),
    }


def _differences(plans: Sequence[Plan]) -> dict[str, float]:
    """Return what the library's plans bring more than ours, and the money that lies elsewhere."""
    found = {pair.library.scenario.name: pair for pair in rivals(plans)}
    return {
        f"plan.{name}.{what}": value
        for name, pair in found.items()
        for what, value in (
            ("more_than_own", pair.objective),
            ("more_than_own_share", pair.share),
            ("moved_from_own", pair.moved),
        )
    }
