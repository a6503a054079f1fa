"""A verdict is made of values, a pass is made by a full report only, and a file proves nothing."""

import copy
import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from helpers import GOOD_VALUES, good_checks, good_report
from mmm_demo.config import GateConfig
from mmm_demo.diagnostics import DECOMPOSITION_TOLERANCE
from mmm_demo.gate import (
    COMPARISONS,
    REQUIRED,
    Check,
    GateFile,
    GateFileError,
    GateRefused,
    GateReport,
    PassedGate,
)

LIMITS = GateConfig()
FILES = {"trace.nc": "a" * 64, "config.json": "b" * 64}
# A value on the wrong side of every required limit, and one exactly at it.
FAILING = {
    "prior_extreme_share": 0.2001,
    "rhat_max": 1.0101,
    "ess_bulk_min": 399.0,
    "ess_tail_min": 399.0,
    "divergences": 1.0,
    "chains": 3.0,
    "decomposition_gap": 1.1e-6,
}
LOOSER = {
    "prior_extreme_share": 0.9,
    "rhat_max": 1.2,
    "ess_bulk_min": 100.0,
    "ess_tail_min": 100.0,
    "divergences": 10.0,
    "chains": 1.0,
    "decomposition_gap": 0.1,
}
every_check = pytest.mark.parametrize("name", REQUIRED)


def check(value: float, comparison: str = "<", limit: float = 1.0) -> Check:
    return Check("some", "convergence", value, comparison, limit)


def stored(report: GateReport) -> str:
    return GateFile(report, "run", "data", FILES).to_json()


# --- one check ----------------------------------------------------------------------------------


@pytest.mark.parametrize("comparison", COMPARISONS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_unmeasured_value_never_passes(comparison: str, value: float) -> None:
    for limit in (-1.0, 0.0, 1.0, math.nan, math.inf, -math.inf):
        assert check(value, comparison, limit).passed is False


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_unknown_limit_is_never_kept(comparison: str) -> None:
    assert check(1.0, comparison, math.nan).passed is False


@pytest.mark.parametrize(
    ("comparison", "below", "at", "above"),
    [
        ("<", True, False, False),
        ("<=", True, True, False),
        (">", False, False, True),
        (">=", False, True, True),
    ],
)
def test_comparison_at_its_boundary(comparison: str, below: bool, at: bool, above: bool) -> None:
    values = (math.nextafter(1.0, 0.0), 1.0, math.nextafter(1.0, 2.0))
    assert [check(value, comparison).passed for value in values] == [below, at, above]


def test_check_is_said_in_one_line() -> None:
    said = str(Check("rhat_max", "convergence", 1.25, "<", 1.01, "adstock_alpha[TV]"))
    assert said == "rhat_max 1.25 < 1.01 at adstock_alpha[TV]: FAILED"
    assert str(check(0.5)) == "some 0.5 < 1: passed"


# --- a report -----------------------------------------------------------------------------------


def test_full_good_report_passes() -> None:
    report = good_report()
    assert report.passed and not report.missing and not report.failures and not report.loosened
    assert report.require().report is report


def test_report_without_checks_is_no_pass() -> None:
    empty = GateReport(())
    assert not empty.passed and empty.missing == tuple(REQUIRED)
    with pytest.raises(GateRefused, match="was not measured"):
        empty.require()


@every_check
def test_report_without_a_required_check_is_no_pass(name: str) -> None:
    report = GateReport(tuple(item for item in good_checks() if item.name != name))
    assert report.missing == (name,) and not report.failures
    assert not report.passed
    with pytest.raises(GateRefused, match=f"{name} was not measured"):
        report.require()


@every_check
@pytest.mark.parametrize("value", ["failing", math.nan])
def test_report_with_one_failed_check_is_no_pass(name: str, value: Any) -> None:
    report = good_report(**{name: FAILING[name] if value == "failing" else value})
    assert [item.name for item in report.failures] == [name]
    assert not report.passed and name in report.failed()
    with pytest.raises(GateRefused) as refused:
        report.require()
    text = str(refused.value)
    assert all(word in text for word in (name, "FAILED", "here", "do this")), text


@every_check
def test_report_judged_by_a_looser_limit_is_no_pass(name: str) -> None:
    value, limit = FAILING[name], LOOSER[name]
    others = tuple(item for item in good_checks() if item.name != name)
    loose = Check(name, "any", value, REQUIRED[name][0], limit)
    assert loose.passed
    report = GateReport((*others, loose))
    assert not report.passed and report.loosened == (loose,)
    with pytest.raises(GateRefused, match=rf"{name} was judged by .*is required"):
        report.require()


@every_check
def test_report_judged_by_another_comparison_is_no_pass(name: str) -> None:
    turned = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}[REQUIRED[name][0]]
    others = tuple(item for item in good_checks() if item.name != name)
    report = GateReport((*others, Check(name, "any", FAILING[name], turned, REQUIRED[name][1])))
    assert not report.passed


@every_check
def test_a_second_good_check_hides_no_bad_one(name: str) -> None:
    bad = replace(good_checks()[list(REQUIRED).index(name)], value=FAILING[name])
    for checks in ((bad, *good_checks()), (*good_checks(), bad)):
        assert not GateReport(checks).passed


def test_tightened_limits_still_make_a_pass() -> None:
    tight = tuple(replace(item, limit=500.0) for item in good_checks() if "ess" in item.name)
    others = tuple(item for item in good_checks() if "ess" not in item.name)
    assert GateReport((*others, *tight)).passed


def test_required_limits_are_those_of_the_config() -> None:
    assert {
        "prior_extreme_share": ("<=", LIMITS.prior_extreme_share_max),
        "rhat_max": ("<", LIMITS.rhat_max),
        "ess_bulk_min": (">", LIMITS.ess_bulk_min),
        "ess_tail_min": (">", LIMITS.ess_tail_min),
        "divergences": ("<=", LIMITS.divergences_max),
        "chains": (">=", LIMITS.chains_min),
        "decomposition_gap": ("<=", DECOMPOSITION_TOLERANCE),
    } == REQUIRED


def test_further_check_can_fail_a_report_but_not_replace_a_required_one() -> None:
    further = Check("placebo", "further", 0.5, "<", 1.0)
    assert good_report().with_checks([further]).passed
    assert not good_report().with_checks([replace(further, value=2.0)]).passed
    assert not GateReport((further,)).passed


def test_stage_and_metrics() -> None:
    report = good_report()
    convergence = report.stage("convergence")
    assert {item.name for item in convergence.checks} == {
        "rhat_max",
        "ess_bulk_min",
        "ess_tail_min",
        "divergences",
        "chains",
    }
    assert not convergence.passed  # a part of a report is no pass
    assert report.metrics() == {f"gate.{name}": value for name, value in GOOD_VALUES.items()}


# --- the pass -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda report, _: PassedGate(report, object()),
        lambda report, _: PassedGate(report, None),
        lambda report, _: PassedGate(report, True),
        lambda report, passed: PassedGate(report, passed),
        lambda report, passed: replace(passed, report=report),
        lambda report, _: PassedGate(report),
    ],
)
def test_pass_cannot_be_made_by_hand(make: Callable[[GateReport, PassedGate], object]) -> None:
    report = good_report()
    with pytest.raises((GateRefused, TypeError, ValueError)):
        make(report, report.require())


def test_pass_shows_no_key_and_cannot_be_changed() -> None:
    passed = good_report().require()
    assert set(vars(passed)) == {"report"}
    with pytest.raises(AttributeError):
        passed.report = GateReport(())
    assert copy.copy(passed).report == passed.report


# --- the file -----------------------------------------------------------------------------------


def test_round_trip() -> None:
    file = GateFile(good_report(), "run", "data", FILES)
    assert GateFile.from_json(file.to_json()) == file
    assert GateFile.from_json(file.to_json()).report.passed


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_unmeasured_value_becomes_null_and_stays_failed(value: float) -> None:
    text = stored(good_report(rhat_max=value))
    assert json.loads(text)["checks"][1]["value"] is None
    assert "NaN" not in text and "Infinity" not in text
    again = GateFile.from_json(text).report
    assert math.isnan(again.checks[1].value)
    assert not again.passed and [item.name for item in again.failures] == ["rhat_max"]


def test_failed_report_stays_failed() -> None:
    again = GateFile.from_json(stored(good_report(divergences=3.0))).report
    assert not again.passed
    assert again == good_report(divergences=3.0)


def edited(report: GateReport, edit: Callable[[dict[str, Any]], object]) -> str:
    plain = json.loads(stored(report))
    edit(plain)
    return json.dumps(plain)


def item(plain: dict[str, Any], name: str) -> dict[str, Any]:
    return next(entry for entry in plain["checks"] if entry["name"] == name)


def claim_all(plain: dict[str, Any]) -> None:
    plain["passed"] = True
    for entry in plain["checks"]:
        entry["passed"] = True


@every_check
@pytest.mark.parametrize("value", ["failing", math.nan])
def test_claimed_pass_over_a_failing_value_is_refused(name: str, value: Any) -> None:
    report = good_report(**{name: FAILING[name] if value == "failing" else value})
    for edit in (claim_all, lambda plain: plain.update(passed=True)):
        with pytest.raises(GateFileError, match="contradicts itself"):
            GateFile.from_json(edited(report, edit))


@every_check
def test_changed_limit_is_refused(name: str) -> None:
    def loosen(plain: dict[str, Any]) -> None:
        item(plain, name)["limit"] = LOOSER[name]
        claim_all(plain)

    with pytest.raises(GateFileError, match="contradicts itself"):
        GateFile.from_json(edited(good_report(**{name: FAILING[name]}), loosen))


@every_check
def test_removed_check_is_refused(name: str) -> None:
    def remove(plain: dict[str, Any]) -> None:
        plain["checks"].remove(item(plain, name))
        claim_all(plain)

    with pytest.raises(GateFileError, match="contradicts itself"):
        GateFile.from_json(edited(good_report(**{name: FAILING[name]}), remove))
    with pytest.raises(GateFileError, match="contradicts itself"):
        GateFile.from_json(edited(good_report(), remove))


def test_failing_check_hidden_behind_a_second_one_is_refused() -> None:
    def double(plain: dict[str, Any]) -> None:
        claim_all(plain)
        plain["checks"].append(item(plain, "rhat_max") | {"value": 1.001})

    with pytest.raises(GateFileError, match="contradicts itself"):
        GateFile.from_json(edited(good_report(rhat_max=1.5), double))


@pytest.mark.parametrize("claim", [1, "true", "false", "yes", None, [], {}, 1.0])
def test_claim_that_is_no_truth_value_is_refused(claim: object) -> None:
    for edit in (
        lambda plain: plain.update(passed=claim),
        lambda plain: item(plain, "chains").update(passed=claim),
    ):
        with pytest.raises(GateFileError):
            GateFile.from_json(edited(good_report(), edit))


@pytest.mark.parametrize("name", ["passed", "checks", "run_id", "data_sha256", "files"])
def test_missing_field_is_refused(name: str) -> None:
    with pytest.raises(GateFileError, match=name):
        GateFile.from_json(edited(good_report(), lambda plain: plain.pop(name)))


@pytest.mark.parametrize("name", ["name", "stage", "value", "comparison", "limit", "passed"])
def test_missing_field_of_a_check_is_refused(name: str) -> None:
    with pytest.raises(GateFileError, match=name):
        GateFile.from_json(edited(good_report(), lambda plain: item(plain, "chains").pop(name)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("value", "four"),
        ("value", [4]),
        ("value", 10**400),
        ("limit", None),
        ("limit", "none"),
        ("comparison", "!="),
        ("comparison", "__import__('os')"),
        ("comparison", ["<"]),
    ],
)
def test_nonsense_in_a_check_is_refused(field: str, value: object) -> None:
    with pytest.raises(GateFileError):
        GateFile.from_json(
            edited(good_report(), lambda plain: item(plain, "chains").update({field: value}))
        )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "passed",
        "{}",
        "[]",
        "null",
        "true",
        '{"passed": true}',
        '{"passed": true, "checks": {}, "run_id": "r", "data_sha256": "d", "files": {}}',
        '{"passed": true, "checks": [], "run_id": "r", "data_sha256": "d", "files": {}}',
        '{"passed": true, "checks": [1], "run_id": "r", "data_sha256": "d", "files": {}}',
        '{"passed": true, "checks": null, "run_id": "r", "data_sha256": "d", "files": {}}',
        "[" * 100_000,
        '{"passed": true, "checks": [',
    ],
)
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(GateFileError):
        GateFile.from_json(text)


def test_stored_infinity_is_no_measured_value() -> None:
    text = edited(good_report(), lambda plain: item(plain, "ess_bulk_min").update(value=math.inf))
    assert "Infinity" in text
    with pytest.raises(GateFileError, match="contradicts itself"):
        GateFile.from_json(text)
