"""Runs -> candidates of the leaderboard: fits and trials of a market, as the store has them."""

import math
from collections.abc import Mapping

from mmm_demo.checks.gate import REQUIRED, Check
from mmm_demo.evidence import scores
from mmm_demo.evidence.ranking import PASSED, Candidate, Tables
from mmm_demo.store.runs import temporary_folder
from mmm_demo.store.search import Found, search_runs

VERDICT_TAGS = {"fit": "gate", "trial": "trial.verdict"}
SWEEP_TAG, REASON_TAG = "sweep", "trial.reason"
NO_VERDICT, CONTRADICTED = "no verdict", "contradicted"
# What every fit is judged by. The others of `gate.REQUIRED` count where they are on record.
CONVERGENCE = ("rhat_max", "ess_bulk_min", "ess_tail_min", "divergences", "chains", "bfmi_min")
CONVERGENCE += ("max_depth_share",)


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
    found = [(kind, item) for kind in kinds for item in search_runs(kind, market)]
    chosen = [pair for pair in found if sweep is None or pair[1].tags.get(SWEEP_TAG) == sweep]
    if not chosen and sweep:
        names = sorted({item.tags.get(SWEEP_TAG, "") for _, item in found} - {""})
        raise FileNotFoundError(
            f"no trial of sweep {sweep!r} in market {market!r}; "
            f"sweeps there: {', '.join(names) or 'none, run: mmm-demo sweep'}"
        )
    if not chosen:
        raise FileNotFoundError(f"no fit in market {market!r}; run: mmm-demo fit")
    return [_candidate(kind, item) for kind, item in chosen]


def _candidate(kind: str, found: Found) -> Candidate:
    verdict, reason = verdict_of(kind, found.status, found.tags, found.metrics)
    return Candidate(
        run_id=found.run_id,
        name=found.name,
        kind=kind,
        verdict=verdict,
        reason=reason,
        started=found.started,
        params=found.params,
        rhat=found.metrics.get("gate.rhat_max", math.nan),
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
        if name in CONVERGENCE or f"gate.{name}" in metrics
    ]


def _tables(found: Found) -> Tables:
    with temporary_folder() as folder:
        if not found.download(scores.FOLDER, folder):  # fitted before scores were on record
            return Tables()
        names = (scores.BACKTEST, scores.POINTWISE, scores.ROAS, scores.PLAN)
        try:
            return Tables(*(scores.read_table(folder, name) for name in names))
        except ValueError as error:
            raise ValueError(f"run {found.run_id} of a fit that passed: {error}") from None
