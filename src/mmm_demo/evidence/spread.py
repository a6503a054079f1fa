"""What a ranking leaves open: in what the fits differ, and how ROAS and plans differ with it."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from mmm_demo.evidence.ranking import Candidate, Leaderboard, Ranked

# What a sweep varied; else the params of these sections but for where they come from.
SEARCHED = "sweep."
SECTIONS = ("data.", "model.", "prior.", "sampler.")
NO_SETTING = re.compile(
    r"data\.(.*sha256|span|made_from|path)|prior\..*\.rationale|sampler\.attempt_.*"
)
ABSENT = "-"
LEVELS = 6  # different values of a setting that are told apart
RANGES = 4
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.])")
ROAS_SPREAD = ("channel", "models", "best_lower_94", "best_median", "best_upper_94")
ROAS_SPREAD += ("median_low", "median_high", "lower_94", "upper_94")
PLAN_SPREAD = ("channel", "models", "best", "low", "high")


def settings(candidates: Sequence[Candidate]) -> pd.DataFrame:
    """Return the settings in which fits differ; of the trials of a sweep, what it varied.

    Returns
    -------
    pandas.DataFrame
        A row per run id, a column per setting that is not the same for all, text.
    """
    index = [item.run_id for item in candidates]
    table = pd.DataFrame([dict(item.params) for item in candidates], index=index, dtype=object)
    kept = [name for name in table if name.startswith(SEARCHED)]
    if not kept or table[kept].isna().any(axis=None):
        kept = [
            name for name in table if name.startswith(SECTIONS) and not NO_SETTING.fullmatch(name)
        ]
    table = table[sorted(kept)].fillna(ABSENT).astype(str)
    return table.loc[:, table.nunique() > 1]


def levels(values: pd.Series) -> pd.Series:
    """Return few levels of a setting: its values, or ranges of the number that they differ in.

    Parameters
    ----------
    values
        Text, e.g. `8` or `HalfNormal(sigma=0.31)`.

    Returns
    -------
    pandas.Series
        Ordered categories with the same index, at most `LEVELS`.
    """
    numbers = _numbers(values)
    order = numbers.sort_values().index if numbers is not None else values.sort_values().index
    names = list(dict.fromkeys(values[order]))
    if len(names) > LEVELS and numbers is not None:
        return _ranges(numbers)
    if len(names) > LEVELS:
        common = set(values.value_counts().index[: LEVELS - 1])
        names = [*(name for name in names if name in common), "other"]
        values = values.where(values.isin(common), "other")
    return pd.Series(pd.Categorical(values, names, ordered=True), values.index)


def _numbers(values: pd.Series) -> pd.Series | None:
    """Return the one number in which texts differ; None where they differ otherwise."""
    found = values.map(NUMBER.findall)
    if len({NUMBER.sub("#", text) for text in values}) > 1:
        return None
    table = pd.DataFrame(found.tolist(), index=values.index, dtype=float)
    varying = table.loc[:, table.nunique() > 1]
    return varying.iloc[:, 0] if varying.shape[1] == 1 else None


def _ranges(numbers: pd.Series) -> pd.Series:
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, RANGES + 1)))
    names = [f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges)]
    place = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(names) - 1)
    return pd.Series(pd.Categorical.from_codes(place, names, ordered=True), numbers.index)


def roas_of(ranked: Sequence[Ranked]) -> pd.DataFrame:
    """Return the ROAS of fits: run_id, channel, median, lower_94, upper_94; whose is on record."""
    return _stacked(ranked, "roas", ["channel", "median", "lower_94", "upper_94"])


def plans_of(ranked: Sequence[Ranked]) -> pd.DataFrame:
    """Return the plans of fits: run_id, channel, planned; of those that can be planned with."""
    return _stacked(ranked, "plan", ["channel", "planned"])


def _stacked(ranked: Sequence[Ranked], name: str, columns: list[str]) -> pd.DataFrame:
    parts = []
    for item in ranked:
        table = getattr(item.candidate.tables, name)
        if table is None or not np.isfinite(table[columns[1:]].to_numpy(float)).all():
            continue
        part = table[columns].copy()
        part.insert(0, "run_id", item.candidate.run_id)
        parts.append(part)
    return (
        pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["run_id", *columns])
    )


def roas_spread(board: Leaderboard) -> pd.DataFrame:
    """Set the ROAS of all equally good fits beside that of the best one alone.

    Returns
    -------
    pandas.DataFrame
        Columns `ROAS_SPREAD`, a row per channel: number of models that have it, median and 94 %
        interval of the best (NaN where it has no such channel), lowest and highest median, and the
        lowest and highest end of their 94 % intervals.
    """
    ends = {
        "median_low": ("median", "min"),
        "median_high": ("median", "max"),
        "lower_94": ("lower_94", "min"),
        "upper_94": ("upper_94", "max"),
    }
    best = {name: f"best_{name}" for name in ("lower_94", "median", "upper_94")}
    return _spread(board, roas_of(board.equal), best, ends)[[*ROAS_SPREAD]]


def plan_spread(board: Leaderboard) -> pd.DataFrame:
    """Set the plans of all equally good fits beside that of the best one alone.

    Returns
    -------
    pandas.DataFrame
        Columns `PLAN_SPREAD`, a row per channel, money.
    """
    ends = {"low": ("planned", "min"), "high": ("planned", "max")}
    return _spread(board, plans_of(board.equal), {"planned": "best"}, ends)[[*PLAN_SPREAD]]


def _spread(
    board: Leaderboard,
    table: pd.DataFrame,
    best: Mapping[str, str],
    ends: Mapping[str, tuple[str, str]],
) -> pd.DataFrame:
    first = board.ranked[0].candidate.run_id if board.ranked else ""
    own = table[table["run_id"] == first].set_index("channel")[[*best]].rename(columns=best)
    found = table.groupby("channel", sort=False).agg(models=("run_id", "size"), **ends)
    # NaN for a channel that the best fit does not have, e.g. as it is a part of a group there.
    return found.join(own).reset_index()
