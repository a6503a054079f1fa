"""A ranking in sentences and as rows of tables."""

import math
from collections import Counter
from collections.abc import Iterator

import pandas as pd

from mmm_demo.evidence.ranking import Candidate, Leaderboard, Ranked
from mmm_demo.evidence.scores import COVERAGE, CRPS, ELPD, ELPD_SE, PARETO_K
from mmm_demo.evidence.spread import plan_spread, plans_of, roas_of, roas_spread, settings
from mmm_demo.settings.wording import roas, roas_between

NAMES = {"crps": "CRPS", "elpd": "ELPD"}
HEADER = ("rank", "CRPS", "ELPD", "behind", "inside\n94 %")
FIT = "fit"
UNRANKED = (FIT, "R-hat", "verdict", "why")
NOT_MEASURED, LEFT_OUT = "not measured", "left out"
MOST = 30  # rows on a terminal; the table on record has all
SAME_MONEY = 1e-3  # budgets that differ by less are the same
GOOD_K = 0.7  # above it PSIS-LOO is not to be trusted for that week


def remedy(candidate: Candidate, by: str) -> str:
    """Say why a passing fit has no score, and what would give it one."""
    measured = candidate.tables.backtest if by == "crps" else candidate.tables.pointwise
    if measured is not None:
        broken = "a fold of its backtest did not converge" if by == "crps" else "a week has none"
        return f"{broken}; nothing is concluded from it"
    if by == "elpd":
        return "fitted before ELPD was on record; run: mmm-demo fit"
    if candidate.kind == "trial":
        return "its sweep did not backtest it; sweep with CRPS as objective"
    return f"run: mmm-demo evidence {candidate.run_id[:8]} --battery backtest"


def table(board: Leaderboard) -> pd.DataFrame:
    """Return every fit that was looked at as a row, the ranked ones first, for programs to read.

    Scores are those of ranked fits alone. The settings in which these differ have columns of
    their own.
    """
    ranked = [item.candidate for item in board.ranked]
    differing = settings(ranked)
    rows = [_scored(item) | differing.loc[item.candidate.run_id].to_dict() for item in board.ranked]
    rows += [_named(item) | {"verdict": verdict, "why": why} for item, verdict, why in _rest(board)]
    return pd.DataFrame(rows)


def _named(item: Candidate) -> dict[str, object]:
    return {"run": item.run_id, "name": item.name, "kind": item.kind, "rhat_max": item.rhat}


def _scored(item: Ranked) -> dict[str, object]:
    place = {"rank": item.rank, "equally_good": item.equal, "verdict": item.candidate.verdict}
    place |= {"behind": item.behind, "behind_se": item.behind_se, "weight": item.weight}
    scores = {name.removeprefix("score."): value for name, value in item.candidate.scores.items()}
    return _named(item.candidate) | place | scores


def _rest(board: Leaderboard) -> Iterator[tuple[Candidate, str, str]]:
    """Yield the fits that are not ranked, with what they are and why."""
    yield from ((item, NOT_MEASURED, remedy(item, board.by)) for item in board.unmeasured)
    yield from ((item, item.verdict, item.reason) for item in board.failed)
    yield from ((item, LEFT_OUT, why) for item, why in board.left_out)


def header(board: Leaderboard) -> tuple[str, ...]:
    """Return the header of `rows`."""
    return (*HEADER, "weight", FIT) if _weighted(board) else (*HEADER, FIT)


def rows(board: Leaderboard) -> list[tuple[str, ...]]:
    """Return the best fits as text; `=` marks those that are as good as the best.

    `inside` is the share of forecast weeks inside the 94 % interval.
    """
    differing = settings([item.candidate for item in board.ranked])
    found = []
    for item in board.ranked[:MOST]:
        of, scores = item.candidate, item.candidate.scores
        row = (
            f"{item.rank}{' =' if item.equal and item.rank > 1 else ''}",
            number(scores[CRPS]),
            plus_minus(scores[ELPD], scores[ELPD_SE]),
            plus_minus(item.behind, item.behind_se) if item.rank > 1 else "",
            "n/a" if math.isnan(scores[COVERAGE]) else f"{scores[COVERAGE]:.0%}",
        )
        weight = () if not _weighted(board) else (f"{item.weight:.2f}" if item.equal else "",)
        found.append((*row, *weight, _fit(differing, of)))
    return found


def unranked_rows(board: Leaderboard) -> list[tuple[str, ...]]:
    """Return the fits that are not ranked as text: not measured, failed, left out."""
    rest = list(_rest(board))
    differing = settings([*(item.candidate for item in board.ranked), *(row[0] for row in rest)])
    return [
        (_fit(differing, of), "n/a" if math.isnan(of.rhat) else f"{of.rhat:.4f}", verdict, why)
        for of, verdict, why in rest[:MOST]
    ]


def _fit(differing: pd.DataFrame, of: Candidate) -> str:
    """Return run, name and the values of the settings in the order of `legend`."""
    name = "" if of.kind == "trial" else of.name  # the sweep's, which the title has
    values = " / ".join(map(str, differing.loc[of.run_id]))
    return " ".join(filter(None, (of.run_id[:8], name, values)))


def legend(board: Leaderboard, *, ranked: bool = True) -> str:
    """Say which settings differ between the ranked fits, or between all of them."""
    shown = [item.candidate for item in board.ranked]
    if not ranked:
        shown += [row[0] for row in _rest(board)]
    names = " / ".join(short(name) for name in settings(shown).columns)
    return f"Settings: {names}" if names else "All have the same settings"


def short(setting: str) -> str:
    """Return a setting without its section."""
    for section in ("sweep.", "model.", "priors.", "prior."):
        setting = setting.removeprefix(section)
    return setting


def _weighted(board: Leaderboard) -> bool:
    return any(math.isfinite(item.weight) for item in board.ranked)


def sentences(board: Leaderboard) -> list[str]:
    """Say which fits are equally good, what that leaves open, and what was not ranked."""
    return [*_equally_good(board), *_returns(board), *_plans(board), *_cautions(board)]


def _equally_good(board: Leaderboard) -> Iterator[str]:
    name = NAMES[board.by]
    if not board.ranked:
        yield f"No fit that passed has a measured {name}: there is nothing to rank."
        return
    count, best = len(board.ranked), board.ranked[0].candidate.label
    if count == 1:
        yield f"Only {best} passed and is measured by {name}; there is nothing to hold it against."
    elif not any(math.isfinite(item.behind_se) for item in board.ranked):
        yield (
            f"{best} has the best {name}; how many of the other {count - 1} are as good cannot be "
            "told, as a backtest of one fold has no standard error."
        )
    else:
        yield (
            f"{len(board.equal)} of {count} models are equally good: their {name} is within one "
            f"standard error of the best, {best}."
        )


def _returns(board: Leaderboard) -> Iterator[str]:
    if len(board.equal) < 2:
        return
    for row in roas_spread(board).itertuples():
        every = row.models == len(board.equal)
        them = "them" if every else f"the {row.models} of them that have it"
        across = f"{roas(row.lower_94)} and {roas(row.upper_94)}"
        alone = "has no such channel"
        if math.isfinite(row.best_median):
            alone = f"alone says {roas_between(row.best_lower_94, row.best_upper_94)}"
        yield (
            f"ROAS of {row.channel} lies between {across} across {them} (medians "
            f"{roas_between(row.median_low, row.median_high)}); the best model {alone}."
        )


def _plans(board: Leaderboard) -> Iterator[str]:
    if len(board.equal) < 2:
        return
    for row in plan_spread(board).itertuples():
        best = number(row.best) if math.isfinite(row.best) else "nothing: it has no such channel"
        yield (
            f"Their plans spend between {number(row.low)} and {number(row.high)} on {row.channel}; "
            f"the best model's spends {best}."
        )
    totals = plans_of(board.equal).groupby("run_id")["planned"].sum()
    if len(totals) and totals.max() > (1 + SAME_MONEY) * totals.min():
        ends = f"{number(totals.min())} and {number(totals.max())}"
        yield f"Their plans spend between {ends} in total: compare the shares, not the money."


def _cautions(board: Leaderboard) -> Iterator[str]:
    if missing := len(board.equal) - roas_of(board.equal)["run_id"].nunique():
        yield f"The ROAS of {missing} of the equally good models is not on record."
    high = [item for item in board.equal if item.candidate.scores[PARETO_K] > GOOD_K]
    if board.by == "elpd" and high:
        yield (
            f"Pareto k is above {GOOD_K:g} for {len(high)} of the equally good models: read their "
            "ELPD with care, or rank by CRPS."
        )
    rest = _rest(board)
    kinds = Counter((verdict, why if verdict == LEFT_OUT else "") for _, verdict, why in rest)
    for (verdict, why), count in kinds.items():
        yield f"Not ranked: {count} {verdict}{f' ({why})' if why else ''}."
    shown = len(board.ranked), sum(kinds.values())
    if max(shown) > MOST:
        yield f"Each table above shows its first {MOST} rows; the table on record has all."


def number(value: float) -> str:
    """Return a number with three digits, and all that stand before the point."""
    if not math.isfinite(value):
        return "n/a"
    before = len(str(int(abs(value))))
    return f"{value:,.{max(0, 3 - before)}f}"


def plus_minus(value: float, error: float) -> str:
    """Return a number with its standard error."""
    return "n/a" if not math.isfinite(value) else f"{number(value)} ± {number(error)}"
