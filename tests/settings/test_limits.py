"""Limits can be tightened, never loosened or switched off; what is a choice has its range."""

import math
from dataclasses import asdict, fields
from typing import Any, get_args

import pytest

from each import each
from helpers import TIGHTER, make_experiment, refusal
from mmm_demo.checks.gate import REQUIRED
from mmm_demo.settings.limit_table import BY_SETTING, COMPARISONS, LIMITS
from mmm_demo.settings.limits import (
    EVIDENCE_BATTERIES,
    FIT_BATTERIES,
    Battery,
    EvidenceConfig,
    GateConfig,
)

LOOSER = {
    "rhat_max": 1.0101,
    "ess_bulk_min": 399.9,
    "ess_tail_min": 399.9,
    "divergences_max": 1,
    "chains_min": 3,
    "prior_extreme_share_max": 0.21,
    "prior_extreme_multiple": 5.1,
    "bfmi_min": 0.299,
    "max_depth_share_max": 0.051,
    "coverage_94_min": 0.849,
    "max_age_days": 366,
    "max_gap_weeks": 14,
}
NO_NUMBER = (math.nan, math.inf, -math.inf, -1, -0.001, None, "none", "1", True, False, [], {})
# What the user decides, and what no decision can be.
CHOICES: dict[str, tuple[object, ...]] = {
    "require": (
        *("everything", "plausibility", ["everything"], ["Backtest"], ["backtests"], [""]),
        *([None], [True], [["backtest"]], {"backtest": True}, None, True, 1, math.nan),
    ),
    "roas_range": (
        *([5, 1], [1, 1], [-1, 2], [-2, -1], [1], [1, 2, 3], [], [math.nan, 1], [0, math.nan]),
        *([0, math.inf], [-math.inf, 1], [None, 1], [0, None], ["0", "5"], [True, 5], [False, 5]),
        *("0-5", 5, True, False, {"low": 0, "high": 5}, math.nan),
    ),
    "worse_crps_max": (*NO_NUMBER, 1.001, "0.05"),
}
# The ends of every range, which are still possible.
ENDS: dict[str, tuple[Any, Any]] = {
    "require": ((), (*FIT_BATTERIES, *EVIDENCE_BATTERIES)),
    "roas_range": ((0.0, 1e-6), (0.0, 1e6)),
    "worse_crps_max": (0.0, 1.0),
}
EVIDENCE_ENDS = {
    "folds": (2, 26),
    "horizon_weeks": (1, 26),
    "replicates": (2, 100),
    "placebos": (3, 9),
    "draws": (500, 10_000),
    "tune": (300, 10_000),
}
NONSENSE = [(name, value) for name, values in CHOICES.items() for value in values]


# --- limits -------------------------------------------------------------------------------------


def test_every_field_of_the_gate_is_a_tested_limit_or_a_tested_choice() -> None:
    names = {field.name for field in fields(GateConfig)}
    assert set(LOOSER) | set(CHOICES) == names and not set(LOOSER) & set(CHOICES)
    assert set(TIGHTER) == names - {"divergences_max"}  # none is none
    assert set(ENDS) == set(CHOICES)


def test_the_table_of_limits_is_what_the_gate_takes_and_defaults_to() -> None:
    default = asdict(GateConfig())
    assert set(BY_SETTING) == set(default) - {"require", "roas_range"}
    for name, limit in BY_SETTING.items():
        assert default[name] == limit.default and limit.allows(limit.default), name
        assert not limit.allows(math.nan), name
        assert limit.loosest is None or name in CHOICES, name  # what can be loosened is a choice


def test_of_two_limits_the_stricter_is_the_one_that_fewer_values_keep() -> None:
    for limit in LIMITS:
        one, other = limit.default, limit.default + 1
        stricter, looser = limit.stricter(one, other), {one, other} - {limit.stricter(one, other)}
        keeps = COMPARISONS[limit.comparison]
        kept = (one - 1, one, one + 0.5, other, other + 1)
        assert sum(keeps(v, stricter) for v in kept) < sum(keeps(v, *looser) for v in kept), limit
        assert limit.stricter(other, one) == stricter


def test_the_tables_lie_on_either_side_of_the_default() -> None:
    default = asdict(GateConfig())
    for limit in set(LOOSER) - {"divergences_max"}:
        loose, tight = LOOSER[limit], TIGHTER[limit]
        assert loose > default[limit] > tight or loose < default[limit] < tight, limit


@each(limit=LOOSER)
def test_no_limit_can_be_loosened(limit: str) -> None:
    value = LOOSER[limit]
    assert f"gate.{limit}: " in refusal(gate={limit: value})
    with pytest.raises(ValueError, match=limit):
        GateConfig(**{limit: value})


@each(limit=LOOSER, value=NO_NUMBER)
def test_no_limit_can_be_switched_off(limit: str, value: object) -> None:
    assert f"gate.{limit}" in refusal(gate={limit: value})
    with pytest.raises(ValueError, match=limit):
        GateConfig(**{limit: value})


@each(limit=TIGHTER)
def test_no_limit_is_read_from_text(limit: str) -> None:
    assert f"gate.{limit}" in refusal(gate={limit: str(TIGHTER[limit])})


@each(limit=TIGHTER)
def test_every_limit_can_be_tightened(limit: str) -> None:
    value = TIGHTER[limit]
    assert getattr(GateConfig(), limit) != value
    assert getattr(make_experiment(gate={limit: value}).gate, limit) == value


def test_a_limit_that_nothing_can_keep_is_refused() -> None:
    for name in ("bfmi_min", "coverage_94_min"):
        assert f"gate.{name}: " in refusal(gate={name: 1.0})
    assert "gate.rhat_max: " in refusal(gate={"rhat_max": 1.0})
    assert "gate.max_age_days: " in refusal(gate={"max_age_days": 0})


@each(limit=["chains_min", "max_age_days", "max_gap_weeks"], value=[5.0, 5.5])
def test_what_is_counted_is_a_whole_number(limit: str, value: float) -> None:
    assert f"gate.{limit}: " in refusal(gate={limit: value})


def test_tighter_with_takes_the_stricter_of_both_limit_by_limit() -> None:
    normal, tight = GateConfig(), GateConfig(**TIGHTER)
    assert normal.tighter_with(tight) == tight == tight.tighter_with(normal)
    for limit, value in TIGHTER.items():
        one = GateConfig(**{limit: value})
        others = GateConfig(**{name: v for name, v in TIGHTER.items() if name != limit})
        assert normal.tighter_with(one) == one == one.tighter_with(normal)
        assert one.tighter_with(others) == tight == others.tighter_with(one)


def test_tighter_with_requires_what_either_requires_once() -> None:
    one = GateConfig(require=("backtest", "plausibility"))
    other = GateConfig(require=("plausibility", "recovery"))
    assert one.tighter_with(other).require == ("backtest", "plausibility", "recovery")
    assert set(other.tighter_with(one).require) == {"backtest", "plausibility", "recovery"}


def test_tighter_with_takes_what_two_ranges_share() -> None:
    one, other = GateConfig(roas_range=(0.0, 3.0)), GateConfig(roas_range=(1.0, 8.0))
    assert one.tighter_with(other).roas_range == (1.0, 3.0) == other.tighter_with(one).roas_range
    with pytest.raises(ValueError, match=r"0 <= low < high, got \[5\.0, 3\.0\]"):
        one.tighter_with(GateConfig(roas_range=(5.0, 8.0)))  # no ROAS is in both


# --- choices ------------------------------------------------------------------------------------


@each(choice=NONSENSE)
def test_nonsense_is_no_choice(choice: tuple[str, object]) -> None:
    name, value = choice
    assert f"gate.{name}" in refusal(gate={name: value})
    with pytest.raises(ValueError, match=name):
        GateConfig(**{name: value})


@each(name=ENDS)
def test_ends_of_the_range_are_possible(name: str) -> None:
    for value in ENDS[name]:
        given = list(value) if isinstance(value, tuple) else value
        assert getattr(make_experiment(gate={name: given}).gate, name) == value


def test_nothing_is_required_and_no_roas_refused_unless_asked_for() -> None:
    assert GateConfig().require == () and GateConfig().roas_range is None


# --- batteries ----------------------------------------------------------------------------------


def test_every_battery_can_be_required() -> None:
    batteries = (*FIT_BATTERIES, *EVIDENCE_BATTERIES)
    assert get_args(Battery) == batteries and len(set(batteries)) == 7
    for name in batteries:
        assert make_experiment(gate={"require": [name]}).gate.require == (name,)


def test_no_battery_has_the_name_of_a_required_check() -> None:
    assert not {*FIT_BATTERIES, *EVIDENCE_BATTERIES} & set(REQUIRED)


def test_unknown_battery_names_the_valid_ones() -> None:
    text = refusal(gate={"require": ["plausibility", "backtests"]})
    assert "gate.require.1: " in text and "got 'backtests'" in text
    assert all(f"'{name}'" in text for name in (*FIT_BATTERIES, *EVIDENCE_BATTERIES))


# --- how much evidence --------------------------------------------------------------------------


def test_every_field_of_the_evidence_is_tested() -> None:
    assert set(EVIDENCE_ENDS) == {field.name for field in fields(EvidenceConfig)}


@each(name=EVIDENCE_ENDS)
def test_evidence_has_its_range(name: str) -> None:
    low, high = EVIDENCE_ENDS[name]
    for value in (low, high):
        assert getattr(make_experiment(evidence={name: value}).evidence, name) == value
    for value in (low - 1, high + 1, -low, 0):
        assert f"evidence.{name}: " in refusal(evidence={name: value})


@each(name=EVIDENCE_ENDS, value=[*NO_NUMBER, 5.0, 5.5, "5"])
def test_evidence_is_counted_in_whole_numbers(name: str, value: object) -> None:
    assert f"evidence.{name}: " in refusal(evidence={name: value})
