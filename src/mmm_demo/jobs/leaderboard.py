"""The leaderboard of a market: fits ranked by evidence, as a run of its own."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mmm_demo.checks.gate import REQUIRED, Check
from mmm_demo.evidence import scores
from mmm_demo.evidence.ranking import PASSED, Candidate, Leaderboard, Tables, rank
from mmm_demo.evidence.spread import levels, plan_spread, plans_of, roas_of, roas_spread, settings
from mmm_demo.plots import leaderboard as plots
from mmm_demo.plots.style import NamedFigure
from mmm_demo.reports import leaderboard
from mmm_demo.settings.experiment import registered_model_name
from mmm_demo.settings.limit_table import BY_CHECK, SAMPLING
from mmm_demo.settings.names import bullets
from mmm_demo.settings.run_schema import Say
from mmm_demo.store.publish import Publisher
from mmm_demo.store.runs import (
    Run,
    StoredRun,
    download_folder,
    open_run,
    store_errors,
    stored_runs,
    tagged,
    temporary_folder,
)

MOST = 40  # models that a figure can show
VERDICT_TAGS = {"fit": "gate", "trial": "trial.verdict"}
SWEEP_TAG, REASON_TAG = "sweep", "trial.reason"
NO_VERDICT, CONTRADICTED = "no verdict", "contradicted"


@dataclass(frozen=True)
class LeaderboardResult:
    """A ranking and the run that made it."""

    run: Run
    board: Leaderboard
    title: str


@store_errors()
def run_leaderboard(
    market: str, sweep: str | None, by: str, weights: bool, root: Path, say: Say
) -> LeaderboardResult:
    """Rank the fits of a market, and show what the ranking leaves open.

    Parameters
    ----------
    market, sweep
        Whose fits; only the trials of this sweep.
    by
        `crps` or `elpd`.
    weights
        Whether to give the equally good fits stacking weights.
    root, say
        Project folder, progress messages.

    Raises
    ------
    FileNotFoundError
        When there is no such fit.
    """
    registered_model_name(market)  # a market that cannot be leaves no run behind
    candidates = find_candidates(market, sweep)
    say(f"{len(candidates)} fits and trials")
    board = rank(candidates, by)
    if weights:
        board = with_weights(board, say)
    title = f"sweep {sweep}" if sweep else f"market {market}"
    with open_run(f"leaderboard {sweep or market}", "leaderboard") as run:
        run.log(
            params={"leaderboard.by": by, "leaderboard.sweep": sweep or "none"},
            metrics=_counts(board),
            tags={"market": market},
        )
        _publish(Publisher(run, root), board, sweep or market)
        run.describe("\n".join(bullets(leaderboard.sentences(board))))
    return LeaderboardResult(run, board, title)


def with_weights(board: Leaderboard, say: Say) -> Leaderboard:
    """Give the equally good fits the weights that their predictions would best be mixed with."""
    from mmm_demo.evidence.stacking import stacking_weights  # takes seconds to load

    known = {
        item.candidate.run_id: item.candidate.tables.pointwise
        for item in board.equal
        if math.isfinite(item.candidate.scores[scores.ELPD])
    }
    if missing := len(board.equal) - len(known):
        say(f"weights: {missing} of the equally good models have no ELPD and get none")
    if not known:
        return board
    by_week = {run: table["elpd_i"].to_numpy() for run, table in known.items()}
    return board.with_weights(stacking_weights(by_week))


def _counts(board: Leaderboard) -> dict[str, float]:
    parts = ("ranked", "equal", "unmeasured", "failed", "left_out")
    return {f"leaderboard.{name}": len(getattr(board, name)) for name in parts}


def _publish(publisher: Publisher, board: Leaderboard, name: str) -> None:
    publisher.table(leaderboard.table(board), f"leaderboard_{name}")
    if len(board.ranked) < 2:
        return
    publisher.table(roas_spread(board), f"roas_spread_{name}")
    publisher.table(plan_spread(board), f"plan_spread_{name}")
    publisher.figures(leaderboard_figures(board))


def leaderboard_figures(board: Leaderboard) -> Iterator[NamedFigure]:
    """Yield the plots of the best models, as many as can be read; of those whose values are known.

    Parameters
    ----------
    board
        With two models at least.
    """
    shown = board.ranked[:MOST]
    equal = {item.candidate.run_id for item in board.equal}
    roas, plans = roas_of(shown), plans_of(shown)
    if len(roas):
        differing = settings([item.candidate for item in shown])
        few = pd.DataFrame(
            {leaderboard.short(name): levels(differing[name]) for name in differing},
            differing.index,
        )
        best = shown[0].candidate.run_id
        figure = plots.specification_curve(roas, few, equal, best, len(board.ranked))
        yield NamedFigure("diagnostics", "leaderboard", "specification_curve", figure)
    if len(plans):
        figure = plots.plan_shares(plans, equal, len(board.ranked))
        yield NamedFigure("diagnostics", "leaderboard", "plan_shares", figure)


def find_candidates(market: str, sweep: str | None = None) -> list[Candidate]:
    """Return the fits and trials of a market, the latest first.

    Parameters
    ----------
    market
        Whose fits.
    sweep
        Only the trials of this sweep.

    Raises
    ------
    FileNotFoundError
        When there is none; names the sweeps that there are.
    """
    kinds = ("trial",) if sweep else ("fit", "trial")
    found = [
        (kind, item)
        for kind in kinds
        for item in stored_runs(tagged({"mmm.kind": kind, "market": market}))
    ]
    chosen = [pair for pair in found if sweep is None or pair[1].data.tags.get(SWEEP_TAG) == sweep]
    if not chosen and sweep:
        names = sorted({item.data.tags.get(SWEEP_TAG, "") for _, item in found} - {""})
        raise FileNotFoundError(
            f"no trial of sweep {sweep!r} in market {market!r}; "
            f"sweeps there: {', '.join(names) or 'none, run: mmm-demo sweep'}"
        )
    if not chosen:
        raise FileNotFoundError(f"no fit in market {market!r}; run: mmm-demo fit")
    return [_candidate(kind, item) for kind, item in chosen]


def _candidate(kind: str, found: StoredRun) -> Candidate:
    info, data = found.info, found.data
    verdict, reason = verdict_of(kind, info.status, data.tags, data.metrics)
    return Candidate(
        run_id=info.run_id,
        name=info.run_name or "",
        kind=kind,
        verdict=verdict,
        reason=reason,
        started=info.start_time,
        params=data.params,
        rhat=data.metrics.get("gate.rhat_max", math.nan),
        tables=_tables(found) if verdict == PASSED else Tables(),
    )


def verdict_of(
    kind: str, status: str, tags: Mapping[str, str], metrics: Mapping[str, float]
) -> tuple[str, str]:
    """Return a fit's verdict and why it is no pass.

    Anybody can change a tag, so one that says passed counts only where what the gate measured says
    the same.

    Parameters
    ----------
    kind, status
        `fit` or `trial`; status of the run.
    tags, metrics
        What it logged.
    """
    claimed = tags.get(VERDICT_TAGS[kind], NO_VERDICT)
    against = [check for check in _gate_checks(metrics) if not check.passed]
    if claimed == PASSED:
        return (CONTRADICTED, f"called passed, but {_said(against)}") if against else (PASSED, "")
    if claimed == NO_VERDICT:
        return claimed, f"its run is {status} and has no verdict"
    measured = [check for check in against if f"gate.{check.name}" in metrics]
    return claimed, tags.get(REASON_TAG) or _said(measured) or "see gate.json of its run"


def _said(checks: list[Check]) -> str:
    return "; ".join(map(str, checks))


def _gate_checks(metrics: Mapping[str, float]) -> list[Check]:
    """Judge again what was measured; of the convergence, all must have been."""
    return [
        Check(name, "", metrics.get(f"gate.{name}", math.nan), *limit)
        for name, limit in REQUIRED.items()
        if BY_CHECK[name].stage == SAMPLING or f"gate.{name}" in metrics
    ]


def _tables(found: StoredRun) -> Tables:
    with temporary_folder() as folder:
        if not download_folder(found, scores.FOLDER, folder):  # fitted before scores were on record
            return Tables()
        names = (scores.BACKTEST, scores.POINTWISE, scores.ROAS, scores.PLAN)
        try:
            return Tables(*(scores.read_table(folder, name) for name in names))
        except ValueError as error:
            raise ValueError(f"run {found.info.run_id} of a fit that passed: {error}") from None
