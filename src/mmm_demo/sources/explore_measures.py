"""What a weekly table can tell, measured: spend levels, collinearity, lags, effects, outliers.

Arrays or tidy tables in, tidy tables out; nothing here judges.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from mmm_demo.settings.wording import join_words
from mmm_demo.tables.records import above_lowest, holes
from mmm_demo.tables.repeats import COLLINEAR_TOLERANCE

SAME_SPEND = 1e-3  # two weeks whose spend differs by less, relatively, are at one level
NO_SPEND = 1e-9  # of the largest week: below it spend is zero up to float noise
INSEPARABLE, HARDLY = 0.9, 0.7  # |correlation| above which two columns cannot, or hardly, be told
OUTLIER_Z = 5.0
FEW_VALUES = 10  # a control with at most so many distinct values is a count or an indicator
INTERVAL = 0.94
LOADING = 0.3  # of the largest: below it a column is no part of a contrast
MAD_TO_SD, MAD_FEWEST = 1.4826, 5
HOLE = "almost none"
CANNOT, HARD, CAN = "cannot be told apart", "hardly told apart", "can be told apart"


def spend_steps(spend: np.ndarray) -> np.ndarray:
    """Return the number of the spend level that each week belongs to.

    A level is a run of weeks over which spend stands still, within `SAME_SPEND` in every column;
    an amount that comes back later makes a new level, as it is a new observation. Monthly spend
    that is spread over the days of its month makes one level per month, and one odd week wherever
    a week has days of two months. Such a border week is a mixture of its neighbours and tells
    nothing of its own: a lone week between two longer runs, with no column outside of what they
    spend. It belongs to no level. Where there are border weeks, a lone week next to a longer run
    at either end of the table is taken for one that was cut off.

    Parameters
    ----------
    spend
        Shape (week, channel).

    Returns
    -------
    numpy.ndarray
        Number of each week's level, from 0 on; -1 for a border week. Shape (week,).
    """
    noise = NO_SPEND * spend.max(axis=0)
    run, start = np.zeros(len(spend), dtype=int), 0
    for week in range(1, len(spend)):
        gap = np.abs(spend[week] - spend[start])
        same = (gap <= SAME_SPEND * np.maximum(spend[week], spend[start]) + noise).all()
        start = start if same else week
        run[week] = run[week - 1] + (not same)
    length = np.bincount(run)[run]
    alone = (length == 1) & (np.append(length[1:], 2) > 1) & (np.append(2, length[:-1]) > 1)
    low, high = np.minimum(spend[:-2], spend[2:]), np.maximum(spend[:-2], spend[2:])
    slack = SAME_SPEND * high + noise
    inside = ((low - slack <= spend[1:-1]) & (spend[1:-1] <= high + slack)).all(axis=1)
    border = alone & np.concatenate([[inside.any()], inside, [inside.any()]])
    border[[0, -1]] &= border[1:-1].any()
    numbers = np.full(len(spend), -1)
    numbers[~border] = np.unique(run[~border], return_inverse=True)[1]
    return numbers


def count_amounts(values: np.ndarray) -> int:
    """Count distinct amounts of spend; those within `SAME_SPEND` of one are the same."""
    amounts, top = 0, -np.inf
    noise = NO_SPEND * values.max(initial=0.0)
    for value in np.sort(values):
        if value > top:
            amounts += 1
            top = value / (1 - SAME_SPEND) + noise
    return amounts


def spend_levels(spend: pd.DataFrame, weeks: pd.Series) -> pd.DataFrame:
    """Say how often each channel was really set anew.

    Returns
    -------
    pandas.DataFrame
        Columns channel, levels (see `spend_steps`), weeks_per_level, amounts (distinct ones, border
        weeks left out) and monthly (True when spend stands still and changes only where a month
        begins).
    """
    rows = []
    for channel, values in spend.items():
        step = spend_steps(values.to_numpy()[:, None])
        levels = int(step.max()) + 1
        rows.append(
            {
                "channel": channel,
                "levels": levels,
                "weeks_per_level": len(spend) / levels,
                "amounts": count_amounts(values.to_numpy()[step >= 0]),
                "monthly": levels < len(spend) / 2 and _changes_by_month(step, weeks),
            }
        )
    return pd.DataFrame(rows)


def _changes_by_month(step: np.ndarray, weeks: pd.Series) -> bool:
    """Return whether a month begins wherever one level gives way to the next."""
    first, last = weeks.dt.to_period("M"), (weeks + pd.Timedelta(days=6)).dt.to_period("M")
    changed = np.flatnonzero(np.diff(step) != 0)
    return bool((first.to_numpy()[changed] != last.to_numpy()[changed + 1]).all())


def variance_inflation(table: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Return the variance inflation factor of some columns given all others of a table.

    It is 1 / (1 - R2) of the column on the others, and infinite when they reproduce it.
    """
    units = _units(table)
    factors = []
    for column in columns:
        others = units.drop(columns=column).to_numpy()
        unit = units[column].to_numpy()
        left = np.linalg.norm(unit - others @ np.linalg.lstsq(others, unit)[0])
        factors.append(np.inf if left < COLLINEAR_TOLERANCE else 1 / left**2)
    return np.array(factors)


def condition_number(table: pd.DataFrame) -> float:
    """Return largest over smallest singular value of the standardised columns."""
    size = np.linalg.svd(_units(table).to_numpy(), compute_uv=False)
    return float(size[0] / size[-1]) if size[-1] >= COLLINEAR_TOLERANCE / 2 else np.inf


def _units(table: pd.DataFrame) -> pd.DataFrame:
    centred = table - table.mean()
    return centred / np.sqrt((centred**2).sum())


def column_pairs(
    table: pd.DataFrame, channels: Sequence[str], controls: Sequence[str]
) -> pd.DataFrame:
    """Say which pairs of channels, and of a channel and a control, can be told apart.

    Returns
    -------
    pandas.DataFrame
        Columns first, second, kind (`channels` or `channel and control`), correlation and verdict;
        the closest pair first.
    """
    correlation = table[[*channels, *controls]].corr()
    rows = []
    for place, first in enumerate(channels):
        for second in [*channels[place + 1 :], *controls]:
            value = float(correlation.loc[first, second])
            kind = "channel and control" if second in controls else "channels"
            verdict = CANNOT if abs(value) > INSEPARABLE else HARD if abs(value) > HARDLY else CAN
            rows.append((first, second, kind, value, verdict))
    pairs = pd.DataFrame(rows, columns=["first", "second", "kind", "correlation", "verdict"])
    return pairs.sort_values("correlation", key=np.abs, ascending=False, ignore_index=True)


def channel_contrasts(spend: pd.DataFrame) -> pd.DataFrame:
    """Name the combinations of channels that hardly ever moved, so that nothing tells of them.

    They are eigenvectors of a correlation matrix whose eigenvalue is small: two columns with
    correlation r have the eigenvalues 1 + r and 1 - r, so the limits are those of pairs. Channels
    that no pair separates, directly or by way of a third, form a group and are taken apart by
    themselves. Then each group stands as one column, its common movement, beside the others: that
    finds what only three or more columns reveal, in words that a person can follow. Combinations
    that are exactly constant are looked for among all channels at once.

    Returns
    -------
    pandas.DataFrame
        Columns contrast (words), eigenvalue (0 to 1) and verdict; the weakest first.
    """
    standard = (spend - spend.mean()) / spend.std()
    linked = standard.corr().abs().to_numpy() > INSEPARABLE
    reach = np.linalg.matrix_power(linked.astype(float), len(linked)) > 0
    values, vectors = np.linalg.eigh(standard.corr().to_numpy())
    exact = values < COLLINEAR_TOLERANCE**2
    found = [*zip(_in_words(vectors[:, exact], spend.columns), values[exact], strict=True)]
    common: dict[str, pd.Series] = {}
    for first in range(len(reach)):
        if reach[first].argmax() < first:
            continue  # its group was met before
        group = standard.loc[:, reach[first]]
        values, vectors = np.linalg.eigh(group.corr().to_numpy())
        found += zip(_in_words(vectors[:, :-1], group.columns), values[:-1], strict=True)
        common[" + ".join(map(str, group.columns))] = group @ vectors[:, -1]
    together = pd.DataFrame(common)
    values, vectors = np.linalg.eigh(together.corr().to_numpy())
    found += zip(_in_words(vectors, together.columns), values, strict=True)
    table = pd.DataFrame(found, columns=["contrast", "eigenvalue"])
    table["eigenvalue"] = table["eigenvalue"].clip(lower=0.0)
    table["verdict"] = np.where(table["eigenvalue"] < 1 - INSEPARABLE, CANNOT, HARD)
    weak = table[table["eigenvalue"] < 1 - HARDLY]
    return weak.sort_values("eigenvalue").drop_duplicates("contrast", ignore_index=True)


def _in_words(vectors: np.ndarray, names: pd.Index) -> list[str]:
    """Name contrasts, one per column, e.g. `TV against Radio and Search`."""
    texts = []
    for vector in vectors.T:
        members = np.flatnonzero(np.abs(vector) >= LOADING * np.abs(vector).max())
        same = np.sign(vector[members]) == np.sign(vector[members[0]])
        sides = [join_words(names[members[side]]) for side in (same, ~same) if side.any()]
        texts.append(" against ".join(sides) if len(sides) == 2 else f"the sum of {sides[0]}")
    return texts


def lagged_correlations(
    target: pd.Series, spend: pd.DataFrame, max_lag: int, used: pd.Series
) -> pd.DataFrame:
    """Correlate the target of the weeks in use with each channel's spend some weeks before.

    Returns
    -------
    pandas.DataFrame
        Columns channel, lag (weeks), correlation (NaN where nothing varies) and weeks.
    """
    rows = []
    for channel, values in spend.items():
        for lag in range(max_lag + 1):
            both = pd.DataFrame({"later": target[used], "before": values.shift(lag)}).dropna()
            value = both["later"].corr(both["before"]) if (both.nunique() > 1).all() else np.nan
            rows.append((channel, lag, float(value), len(both)))
    return pd.DataFrame(rows, columns=["channel", "lag", "correlation", "weeks"])


def control_effects(target: pd.Series, controls: pd.DataFrame, used: pd.Series) -> pd.DataFrame:
    """Compare the target with and without each indicator or count, as the weeks in use are.

    Returns
    -------
    pandas.DataFrame
        One row per control that has at most `FEW_VALUES` distinct values and varies over the weeks
        in use: control, weeks_without (at its lowest value) and weeks_with (above it),
        mean_without, mean_with, difference with its Welch t interval lower_94 and upper_94 (NaN
        from fewer than two weeks), and share (difference over mean_without). Nothing else is
        accounted for.
    """
    columns = ["control", "weeks_without", "weeks_with", "mean_without", "mean_with"]
    columns += ["difference", "lower_94", "upper_94", "share"]
    rows = []
    for control, values in controls.items():
        present = above_lowest(values)[used]
        if values.nunique() <= FEW_VALUES and present.nunique() == 2:
            sold = target[used]
            rows.append((control, *_difference(sold[~present], sold[present])))
    return pd.DataFrame(rows, columns=columns)


def _difference(without: pd.Series, present: pd.Series) -> tuple[float, ...]:
    low, high = float(without.mean()), float(present.mean())
    gap, reach = high - low, np.nan
    if min(len(without), len(present)) >= 2:
        errors = np.array([part.var() / len(part) for part in (without, present)])
        freedom = np.array([len(without), len(present)]) - 1
        total = errors.sum()
        welch = total**2 / (errors**2 / freedom).sum() if total > 0 else freedom.sum()
        reach = float(stdtrit(welch, (1 + INTERVAL) / 2) * np.sqrt(total))
    share = gap / low if low else np.nan
    return len(without), len(present), low, high, gap, gap - reach, gap + reach, share


def outlying_weeks(values: pd.Series, *, with_holes: bool) -> pd.DataFrame:
    """Find the weeks that lie far from the others of one column.

    The robust z-score is the distance from the median over 1.4826 times the median absolute
    deviation. Where more than half of the weeks share one value, as for a channel that is mostly
    off, it is taken among the other weeks; fewer than five of those say nothing.

    Parameters
    ----------
    values
        One value per week.
    with_holes
        Also find the weeks of a hole (`records.holes`), whatever their score.

    Returns
    -------
    pandas.DataFrame
        Index the row of the week; columns value, robust_z and kind (high, low, almost none).
    """
    inner = values
    if (values == values.median()).mean() > 0.5:
        inner = values[values != values.median()]
    spread = MAD_TO_SD * (inner - inner.median()).abs().median() if len(inner) else 0.0
    if len(inner) < MAD_FEWEST or spread == 0:
        score = pd.Series(0.0, values.index)
    else:
        score = ((inner - inner.median()) / spread).reindex(values.index, fill_value=0.0)
    empty = holes(values) & with_holes
    kind = np.select([empty, score > 0], [HOLE, "high"], "low")
    table = pd.DataFrame({"value": values, "robust_z": score, "kind": kind})
    return table[(score.abs() > OUTLIER_Z) | empty]
