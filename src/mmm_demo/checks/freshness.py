"""A champion that is too old, or knows too little of the recent past, does not plan."""

from datetime import datetime

import pandas as pd

from mmm_demo.checks.gate import GateRefused
from mmm_demo.settings.limits import GateConfig


class ExpiredChampion(GateRefused):
    """A champion that may no longer plan."""


def require_fresh(
    limits: GateConfig, *, fitted: datetime, now: datetime, data_end: pd.Timestamp, gap_weeks: int
) -> None:
    """Refuse a champion that has expired.

    Parameters
    ----------
    limits
        The stricter of the version's and the project's.
    fitted, now
        When the version was made, and now.
    data_end
        Last week of its data.
    gap_weeks
        Weeks between the data and the planning window.

    Raises
    ------
    ExpiredChampion
        With age or gap, its limit and the next step.
    """
    age = (now - fitted).days
    if not -1 <= age <= limits.max_age_days:  # clocks may differ a little
        raise ExpiredChampion(
            f"the champion was fitted {fitted:%Y-%m-%d}, {age} days ago; gate.max_age_days is "
            f"{limits.max_age_days}. Fit the newest data and promote: mmm-demo main"
        )
    if not 0 <= gap_weeks <= limits.max_gap_weeks:
        raise ExpiredChampion(
            f"the champion's data end {data_end:%Y-%m-%d}, {gap_weeks} weeks before the planning "
            f"window; gate.max_gap_weeks is {limits.max_gap_weeks}. Fit newer data and promote: "
            "mmm-demo main"
        )
