"""Results -> the short texts that people read first: a run's page and the summary."""

import pandas as pd

from mmm_demo.config import ExperimentConfig
from mmm_demo.gate import GateReport
from mmm_demo.optimization import Plan

LIBRARY_NAMES = {"rhat_max": "R-hat (worst)", "ess_bulk_min": "bulk ESS (worst)"}
NAMES = LIBRARY_NAMES | {
    "ess_tail_min": "tail ESS (worst)",
    "divergences": "divergences",
    "chains": "chains",
    "prior_extreme_share": "impossible prior sales",
    "decomposition_gap": "decomposition gap",
}


def gate_rows(report: GateReport) -> list[tuple[str, str, str, str]]:
    """Return check, value, limit and verdict of each check."""
    return [
        (
            NAMES.get(check.name, check.name),
            f"{check.value:.4g}",
            f"{check.comparison} {check.limit:g}",
            "passed" if check.passed else "FAILED",
        )
        for check in report.checks
    ]


def fit_page(
    experiment: ExperimentConfig, span: str, report: GateReport, roas: pd.DataFrame | None
) -> str:
    """Return the Markdown of a fit run's page."""
    verdict = "passed" if report.passed else "failed"
    model = experiment.model
    lines = [
        f"### {experiment.name}: gate {verdict}",
        experiment.description,
        "",
        f"Market `{experiment.market}`, {span}. Adstock up to {model.adstock_max_lag} weeks, "
        f"{model.yearly_seasonality} yearly modes.",
        "",
        *_table(("check", "value", "limit", "verdict"), gate_rows(report)),
    ]
    if not report.passed:
        lines += ["", f"**Refused**: {report.reasons()}", "", "No result of it may be used."]
    if roas is not None:
        lines += ["", "**Incremental ROAS** (94 % interval)", "", *_roas_lines(roas)]
    priors = [(name, f"`{prior}`", prior.rationale) for name, prior in model.priors.items()]
    lines += ["", "**Priors**", "", *_table(("parameter", "prior", "rationale"), priors)]
    return "\n".join(lines)


def _roas_lines(roas: pd.DataFrame) -> list[str]:
    rows = [
        (row.channel, f"{row.mean:.2f}", f"{row.lower_94:.2f} to {row.upper_94:.2f}")
        for row in roas.rename(columns={"mean": "mean_"})
        .rename(columns={"mean_": "mean"})
        .itertuples()
    ]
    return _table(("channel", "ROAS", "94 % interval"), rows)


def plan_page(plan: Plan, model: str, version: str) -> str:
    """Return the Markdown of a plan run's page."""
    rows = [
        (row.channel, f"{row.current:,.0f}", f"{row.planned:,.0f}", f"{row.change:+.0%}")
        for row in plan.table.itertuples()
    ]
    gain = plan.uplift
    lines = [
        f"### Budget plan from {model} version {version}",
        f"{plan.start:%Y-%m-%d} to {plan.end:%Y-%m-%d}, total {plan.total_budget:,.0f}. "
        f"Expected uplift {gain['mean']:,.0f} sales ({gain['share']:+.1%}), 94 % interval "
        f"{gain['lower_94']:,.0f} to {gain['upper_94']:,.0f}; beats the current mix with "
        f"probability {gain['probability']:.0%}.",
        "",
        *_table(("channel", "current", "planned", "change"), rows),
    ]
    if plan.table["outside_observed"].any():
        outside = ", ".join(plan.table.loc[plan.table["outside_observed"], "channel"])
        lines += ["", f"**Outside the spend ever observed**: {outside}."]
    return "\n".join(lines)


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]
