"""Expiry: a champion plans up to the limit, and not a day or a week beyond it."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from mmm_demo.checks.freshness import ExpiredChampion, require_fresh
from mmm_demo.checks.gate import GateRefused
from mmm_demo.settings.limits import GateConfig

FITTED = datetime(2025, 3, 10, 8, 30, tzinfo=UTC)
LIMITS = GateConfig(max_age_days=30, max_gap_weeks=2)


def judge(limits: GateConfig = LIMITS, **changes: Any) -> None:
    fresh = {
        "fitted": FITTED,
        "now": FITTED + timedelta(days=1),
        "data_end": pd.Timestamp("2025-03-03"),
        "gap_weeks": 0,
    }
    require_fresh(limits, **(fresh | changes))


def refusal(limits: GateConfig = LIMITS, **changes: Any) -> str:
    with pytest.raises(ExpiredChampion) as refused:
        judge(limits, **changes)
    assert isinstance(refused.value, GateRefused)
    return str(refused.value)


@pytest.mark.parametrize(
    "age", [timedelta(0), timedelta(days=30), timedelta(days=30, hours=23, minutes=59)]
)
def test_a_champion_plans_through_the_last_day_of_its_age(age):
    judge(now=FITTED + age)


def test_a_day_later_it_is_refused_with_age_limit_and_next_step():
    said = refusal(now=FITTED + timedelta(days=31))
    assert "was fitted 2025-03-10, 31 days ago; gate.max_age_days is 30" in said
    assert said.endswith("mmm-demo main")


def test_the_limits_are_the_configs():
    later = FITTED + timedelta(days=31)
    judge(GateConfig(max_age_days=31, max_gap_weeks=2), now=later)
    judge(GateConfig(), now=FITTED + timedelta(days=365), gap_weeks=13)
    assert "max_age_days is 365" in refusal(GateConfig(), now=FITTED + timedelta(days=366))
    assert "max_gap_weeks is 13" in refusal(GateConfig(), gap_weeks=14)


@pytest.mark.parametrize("gap", [0, 1, 2])
def test_data_may_end_so_many_weeks_before_the_window(gap):
    judge(gap_weeks=gap)


def test_a_week_more_is_refused_with_the_weeks_the_limit_and_the_next_step():
    said = refusal(gap_weeks=3)
    assert "data end 2025-03-03, 3 weeks before the planning window" in said
    assert "gate.max_gap_weeks is 2" in said
    assert said.endswith("mmm-demo main")


def test_a_window_inside_the_data_and_an_unknown_gap_are_refused():
    assert "-1 weeks before" in refusal(gap_weeks=-1)
    assert "gate.max_gap_weeks is 2" in refusal(gap_weeks=math.nan)


def test_no_gap_is_allowed_where_the_limit_is_none():
    strict = GateConfig(max_age_days=1, max_gap_weeks=0)
    judge(strict)
    assert "1 weeks before" in refusal(strict, gap_weeks=1)
    assert "2 days ago" in refusal(strict, now=FITTED + timedelta(days=2))


def test_the_stricter_of_the_versions_and_the_projects_limits_counts():
    both = LIMITS.tighter_with(GateConfig())
    assert (both.max_age_days, both.max_gap_weeks) == (30, 2)
    assert "max_age_days is 30" in refusal(both, now=FITTED + timedelta(days=31))
