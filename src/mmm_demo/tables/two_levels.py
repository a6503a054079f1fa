"""Whether the weeks of one column lie at two levels, as those of two units do."""

import numpy as np

FAR = 50.0  # times smaller or larger than the other weeks: no campaign, no season
# A few weeks are odd where nothing lies within a factor of FAR of them, as skewed spend often has
# one week near zero. For many, a smaller gap will do, and a still smaller one for weeks in a row.
GAP_OF_MANY, GAP_IN_A_ROW = 10.0, 2.0
# Many: weeks of different amounts, or more than the weeks over which one month's number is spread.
MANY_AMOUNTS, MANY_WEEKS = 4, 8
LASTING = 13  # weeks of spend up to an end of the table: a new unit rather than a campaign
SAME_AMOUNT = 1e-3
# Dots that separate thousands leave whole numbers below 1000, and some with three decimals.
FEWEST_WHOLE, DOTTED_SHARE, DOTTED_RATIO = 3, 0.7, 10.0


def two_levels(values: np.ndarray, side: str) -> np.ndarray:
    """Return the weeks with spend that are a minority far below, or above, all the others.

    Parameters
    ----------
    values
        Shape (week,); zeros belong to neither level.
    side
        `low` or `high`.
    """
    order = np.flatnonzero(values > 0)
    order = order[np.argsort(values[order], kind="stable")]
    size = values[order]
    found, widest = np.zeros(len(values), dtype=bool), 0.0
    for cut in np.flatnonzero(size[1:] >= GAP_IN_A_ROW * size[:-1]) + 1:
        few, gap = order[:cut] if side == "low" else order[cut:], size[cut] / size[cut - 1]
        if 2 * len(few) > len(order) or np.median(size[cut:]) < FAR * np.median(size[:cut]):
            continue
        needed = FAR
        if is_many(values[few]):
            needed = GAP_IN_A_ROW if _in_a_row(few, order) else GAP_OF_MANY
        if gap >= max(needed, widest):
            widest, found = gap, np.isin(np.arange(len(values)), few)
    return found


def dotted(values: np.ndarray) -> np.ndarray:
    """Return the weeks whose number has decimals because dots separate thousands: 1.015 by 940."""
    spent = values > 0
    if not spent.any() or values[spent].min() < 1 or values.max() >= 1000:
        return np.zeros(len(values), dtype=bool)
    thousandths = np.rint(values * 1000)
    exact = np.abs(values * 1000 - thousandths).max() < SAME_AMOUNT
    whole, parts = spent & (thousandths % 1000 == 0), spent & (thousandths % 1000 != 0)
    if not exact or whole.sum() < FEWEST_WHOLE or parts.sum() < MANY_AMOUNTS:
        return np.zeros(len(values), dtype=bool)
    three = (thousandths[parts] % 10 != 0).mean() >= DOTTED_SHARE
    far = np.median(values[whole]) >= DOTTED_RATIO * np.median(values[parts])
    return parts & bool(three and far)


def is_many(values: np.ndarray) -> bool:
    """Whether weeks are too many for odd ones: a level of its own."""
    amounts = 1 + int((np.diff(np.log(np.sort(values))) > SAME_AMOUNT).sum())
    return amounts >= MANY_AMOUNTS or len(values) > MANY_WEEKS


def _in_a_row(few: np.ndarray, spent: np.ndarray) -> bool:
    places = np.searchsorted(np.sort(spent), few)
    return bool(np.ptp(places) == len(few) - 1)


def lasts(level: np.ndarray, spent: np.ndarray) -> bool:
    """Whether weeks of spend are of one level from some week on, or up to it."""
    kind = level[spent]
    return bool(kind.sum() >= LASTING and np.abs(np.diff(kind.astype(int))).sum() == 1)
