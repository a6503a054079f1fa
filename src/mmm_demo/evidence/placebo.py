"""Placebo: whether the model finds sales for a channel that cannot have brought any."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from mmm_demo.checks.gate import Check
from mmm_demo.evidence.refits import assessable

STAGE = "placebo"
SHARE_MAX = 0.02
ALLOWED = 1.0
NAME = "placebo"
YEAR = 52


def shifts(weeks: int, max_lag: int, count: int) -> list[int]:
    """Return by how many weeks to shift a channel, evenly spread and beyond the carryover.

    Whole years are passed over: spend that repeats every year would meet its own effect there.

    Raises
    ------
    ValueError
        When there are too few weeks to shift by more than the lag, from a whole year too.
    """
    even = [round(weeks * (place + 1) / (count + 1)) for place in range(count)]
    allowed = [
        shift
        for shift in range(max_lag + 1, weeks - max_lag)
        if min(shift % YEAR, -shift % YEAR) > max_lag
    ]
    beyond = min(even[0], weeks - even[-1]) > max_lag and allowed
    # The nearest that is allowed; of two, the later.
    found = [min(allowed, key=lambda shift: (abs(shift - at), -shift)) for at in even if beyond]
    if len(set(found)) < count:
        raise ValueError(
            f"{weeks} weeks are too few for {count} shifts beyond {max_lag} weeks that are as far "
            "from whole years; ask for fewer placebos or a shorter lag"
        )
    return found


def free_name(columns: Iterable[str]) -> str:
    """Return `placebo`, or a longer name where a column of the table is called so."""
    name, taken = NAME, set(columns)
    while name in taken:
        name += "_"
    return name


def with_placebo(table: pd.DataFrame, source: str, shift: int) -> pd.DataFrame:
    """Return the table with a column `free_name`: a channel's spend, shifted in a circle."""
    return table.assign(**{free_name(table): np.roll(table[source].to_numpy(), shift)})


def placebo_row(source: str, shift: int, shares: np.ndarray, converged: bool) -> dict[str, object]:
    """Describe one placebo; `shares` are draws of its share of sales, shape (sample,)."""
    low, median, high = np.quantile(shares, [0.05, 0.5, 0.95])
    return {
        "channel": source,
        "shift_weeks": shift,
        "share_lower_5": low,
        "share_median": median,
        "share_upper_95": high,
        "believed": bool(low > SHARE_MAX),
        "converged": converged,
    }


def placebo_checks(table: pd.DataFrame) -> tuple[Check, ...]:
    """Judge placebos (rows of `placebo_row`): two that are believed are one too many."""
    used = table[table["converged"]]
    finite = np.isfinite(used["share_lower_5"].astype(float)).all()
    believed = used[used["share_lower_5"] > SHARE_MAX]
    check = Check(
        "placebo_believed",
        STAGE,
        # So few placebos could not fail.
        float(len(believed)) if len(used) > ALLOWED and finite else float("nan"),
        "<=",
        ALLOWED,
        ", ".join(f"{row.channel} by {row.shift_weeks} weeks" for row in believed.itertuples()),
        "the model credits media with what something else does; look for a missing driver",
    )
    return assessable([check], list(table["converged"]))
