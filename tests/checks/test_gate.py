"""A verdict is made of values, a pass is made by a full report only, and a file proves nothing."""

import copy
import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from helpers import GOOD_VALUES, good_checks, good_report
from mmm_demo.checks.gate import (
    COMPARISONS,
    FAILED,
    NOT_ASSESSABLE,
    PASSED,
    REQUIRED,
    Check,
    GateFile,
    GateFileError,
    GateRefused,
    GateReport,
    PassedGate,
)
from mmm_demo.settings.experiment import GateConfig

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
    "bfmi_min": 0.2999,
    "max_depth_share": 0.0501,
    "coverage_94": 0.8499,
    "decomposition_gap": 1.1e-6,
}
LOOSER = {
    "prior_extreme_share": 0.9,
    "rhat_max": 1.2,
    "ess_bulk_min": 100.0,
    "ess_tail_min": 100.0,
    "divergences": 10.0,
    "chains": 1.0,
    "bfmi_min": 0.1,
    "max_depth_share": 0.5,
    "coverage_94": 0.5,
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
    assert str(check(math.nan)) == "some nan < 1: NOT ASSESSABLE"


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (0.5, PASSED),
        (1.0, FAILED),
        (math.nan, NOT_ASSESSABLE),
        (math.inf, NOT_ASSESSABLE),
        (-math.inf, NOT_ASSESSABLE),
    ],
)
def test_status_of_a_check(value: float, status: str) -> None:
    assert check(value).status == status
    assert check(value).passed == (status == PASSED)


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
    status = "FAILED" if value == "failing" else "NOT ASSESSABLE"
    assert all(word in text for word in (name, status, "here", "do this")), text


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
        "bfmi_min": (">=", LIMITS.bfmi_min),
        "max_depth_share": ("<=", LIMITS.max_depth_share_max),
        "coverage_94": (">=", LIMITS.coverage_94_min),
        "decomposition_gap": ("<=", 1e-6),
    } == REQUIRED


def test_further_check_replaces_no_required_one() -> None:
    assert good_report().with_checks([FURTHER]).passed
    assert not GateReport((FURTHER,)).passed


@every_check
def test_a_stage_with_the_name_of_a_required_check_replaces_it_not(name: str) -> None:
    others = tuple(item for item in good_checks() if item.name != name)
    report = GateReport((*others, replace(FURTHER, stage=name)))
    assert report.missing == (name,) and not report.passed


# --- advisory checks and required batteries -----------------------------------------------------

BATTERY = "plausibility"
FURTHER = Check("roas_in_range", BATTERY, 0.5, "<", 1.0, "TV", "look at TV")
UNMET = {FAILED: replace(FURTHER, value=2.0), NOT_ASSESSABLE: replace(FURTHER, value=math.nan)}
every_unmet = pytest.mark.parametrize("bad", UNMET.values(), ids=UNMET)


def requiring(*checks: Check, batteries: tuple[str, ...] = (BATTERY,)) -> GateReport:
    """Return a good report that has these checks too and requires their battery."""
    return GateReport((*good_checks(), *checks), batteries)


@every_unmet
def test_advisory_check_that_does_not_pass_refuses_nothing_but_is_flagged(bad: Check) -> None:
    report = good_report().with_checks([bad])
    assert report.flags == (bad,) and not report.failures
    assert report.passed and report.require().report.flags == (bad,)
    assert not report.failed() and not report.reasons()


@every_unmet
def test_required_battery_refuses_with_the_very_same_check(bad: Check) -> None:
    report = requiring(bad)
    assert report.failures == (bad,) and not report.flags and not report.missing
    assert not report.passed
    with pytest.raises(GateRefused, match=r"(?s)roas_in_range .*at TV: (FAILED|NOT .*); look at"):
        report.require()


def test_required_battery_that_passes_makes_a_pass() -> None:
    report = requiring(FURTHER)
    assert report.passed and not report.flags
    assert report.require().report.batteries == (BATTERY,)


@pytest.mark.parametrize(
    "checks",
    [(), (replace(FURTHER, stage="placebo"),), (replace(FURTHER, name=BATTERY, stage="placebo"),)],
    ids=["nothing", "another battery", "a check with the battery's name"],
)
def test_required_battery_that_was_not_made_is_no_pass(checks: tuple[Check, ...]) -> None:
    report = requiring(*checks)
    assert report.missing == (BATTERY,) and not report.failures and not report.passed
    with pytest.raises(GateRefused, match=f"{BATTERY} was not measured"):
        report.require()


@every_unmet
@pytest.mark.parametrize("turn", [1, -1])
def test_one_good_check_of_a_required_battery_hides_no_bad_one(bad: Check, turn: int) -> None:
    both = (FURTHER, replace(bad, name="baseline"))[::turn]
    assert [item.name for item in requiring(*both).failures] == ["baseline"]
    assert not requiring(*both).passed


def test_every_one_of_several_batteries_is_required() -> None:
    other = replace(FURTHER, stage="placebo")
    for made in ((FURTHER,), (other,)):
        assert not requiring(*made, batteries=(BATTERY, "placebo")).passed
    assert requiring(FURTHER, other, batteries=(BATTERY, "placebo")).passed


def test_flags_hold_advisory_checks_only_and_failures_required_ones_only() -> None:
    report = good_report(rhat_max=1.5).with_checks(UNMET.values())
    assert [item.name for item in report.failures] == ["rhat_max"]
    assert report.flags == tuple(UNMET.values())
    assert "roas_in_range" not in report.reasons()
    both = (*report.failures, *report.flags)
    assert {item for item in report.checks if not item.passed} == set(both)


def test_further_checks_leave_the_requirement() -> None:
    report = GateReport(good_checks(), (BATTERY,))
    assert report.missing == (BATTERY,)
    assert report.with_checks([FURTHER]).batteries == (BATTERY,)
    assert report.with_checks([FURTHER]).passed
    assert not report.with_checks([UNMET[FAILED]]).passed


def test_stage_and_metrics() -> None:
    report = good_report()
    convergence = report.stage("convergence")
    assert {item.name for item in convergence.checks} == {
        "rhat_max",
        "ess_bulk_min",
        "ess_tail_min",
        "divergences",
        "chains",
        "bfmi_min",
        "max_depth_share",
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
    reports = (good_report(), good_report().with_checks([UNMET[FAILED]]), requiring(FURTHER))
    for report in reports:
        file = GateFile(report, "run", "data", FILES)
        assert GateFile.from_json(file.to_json()) == file
        assert GateFile.from_json(file.to_json()).report.passed


def test_file_says_what_is_required_and_the_status_of_each_check() -> None:
    plain = json.loads(stored(requiring(FURTHER)))
    assert plain["required"] == [BATTERY]
    assert all(entry["required"] is True for entry in plain["checks"])
    advisory = json.loads(stored(good_report().with_checks(UNMET.values())))
    assert advisory["required"] == [] and advisory["passed"] is True
    statuses = [(entry["status"], entry["required"]) for entry in advisory["checks"]]
    assert statuses[-2:] == [(FAILED, False), (NOT_ASSESSABLE, False)]
    assert set(statuses[:-2]) == {(PASSED, True)}
    assert [entry["value"] for entry in advisory["checks"][-2:]] == [2.0, None]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_unmeasured_value_becomes_null_and_stays_failed(value: float) -> None:
    text = stored(good_report(rhat_max=value))
    assert json.loads(text)["checks"][1]["value"] is None
    assert "NaN" not in text and "Infinity" not in text
    again = GateFile.from_json(text).report
    assert math.isnan(again.checks[1].value)
    assert not again.passed and [item.name for item in again.failures] == ["rhat_max"]
    assert again.checks[1].status == NOT_ASSESSABLE


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
        entry |= {"passed": True, "status": PASSED}


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


STATUSES = (PASSED, FAILED, NOT_ASSESSABLE)


@pytest.mark.parametrize("value", [0.5, 2.0, math.nan])
@pytest.mark.parametrize("claim", [*STATUSES, "PASSED", "ok", "", None, True, 1, ["passed"]])
@pytest.mark.parametrize("batteries", [(), (BATTERY,)], ids=["advisory", "required"])
def test_status_must_be_that_of_the_value(
    value: float, claim: object, batteries: tuple[str, ...]
) -> None:
    report = requiring(replace(FURTHER, value=value), batteries=batteries)
    true = report.checks[-1].status
    text = edited(report, lambda plain: item(plain, FURTHER.name).update(status=claim))
    if claim == true:
        assert GateFile.from_json(text).report.checks[-1].status == true
        return
    with pytest.raises(GateFileError, match="contradicts itself"):
        GateFile.from_json(text)


@every_check
def test_required_check_called_advisory_is_refused(name: str) -> None:
    for value in (GOOD_VALUES[name], FAILING[name]):
        with pytest.raises(GateFileError, match="contradicts itself"):
            GateFile.from_json(
                edited(
                    good_report(**{name: value}),
                    lambda plain: item(plain, name).update(required=False),
                )
            )


@pytest.mark.parametrize("claim", [False, 1, "true", None, []])
def test_check_of_a_required_battery_called_advisory_is_refused(claim: object) -> None:
    text = edited(
        requiring(FURTHER), lambda plain: item(plain, FURTHER.name).update(required=claim)
    )
    with pytest.raises(GateFileError, match="contradicts itself"):
        GateFile.from_json(text)


def test_advisory_check_called_required_is_refused() -> None:
    for further in (FURTHER, *UNMET.values()):
        report = good_report().with_checks([further])
        with pytest.raises(GateFileError, match="contradicts itself"):
            GateFile.from_json(
                edited(report, lambda plain: item(plain, FURTHER.name).update(required=True))
            )


@pytest.mark.parametrize("bad", [FURTHER, *UNMET.values()], ids=[PASSED, *UNMET])
def test_requirement_taken_from_the_file_is_refused(bad: Check) -> None:
    def drop(plain: dict[str, Any]) -> None:
        plain.update(required=[], passed=True)

    with pytest.raises(GateFileError, match="contradicts itself"):
        GateFile.from_json(edited(requiring(bad), drop))


def test_requirement_taken_from_the_file_in_every_place_needs_the_config_to_be_seen() -> None:
    def drop(plain: dict[str, Any]) -> None:
        plain.update(required=[], passed=True)
        item(plain, FURTHER.name).update(required=False)

    # The file agrees with itself: that is why `bundle` holds it against the version's config.
    report = GateFile.from_json(edited(requiring(UNMET[FAILED]), drop)).report
    assert report.passed and report.batteries == () and report.flags == (UNMET[FAILED],)


def test_requirement_put_into_the_file_is_refused() -> None:
    advisory = good_report().with_checks([UNMET[FAILED]])
    for names in ([BATTERY], ["unknown"]):
        with pytest.raises(GateFileError, match="contradicts itself"):
            GateFile.from_json(edited(advisory, lambda plain, it=names: plain.update(required=it)))


@pytest.mark.parametrize(
    "given", [None, "", BATTERY, {}, {BATTERY: True}, 0, False, [None], [1], [[BATTERY]]], ids=repr
)
def test_requirement_that_is_no_list_of_names_is_refused(given: object) -> None:
    for report in (good_report(), requiring(FURTHER)):
        with pytest.raises(GateFileError, match="required must be a list of names"):
            GateFile.from_json(edited(report, lambda plain: plain.update(required=given)))


@pytest.mark.parametrize("claim", [1, "true", "false", "yes", None, [], {}, 1.0])
def test_claim_that_is_no_truth_value_is_refused(claim: object) -> None:
    for edit in (
        lambda plain: plain.update(passed=claim),
        lambda plain: item(plain, "chains").update(passed=claim),
    ):
        with pytest.raises(GateFileError):
            GateFile.from_json(edited(good_report(), edit))


@pytest.mark.parametrize("name", ["passed", "required", "checks", "run_id", "data_sha256", "files"])
def test_missing_field_is_refused(name: str) -> None:
    with pytest.raises(GateFileError, match=name):
        GateFile.from_json(edited(good_report(), lambda plain: plain.pop(name)))


@pytest.mark.parametrize(
    "name",
    [
        *("name", "stage", "value", "comparison", "limit", "where", "advice"),
        *("passed", "status", "required"),
    ],
)
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


EMPTY = (
    '{"passed": true, "required": [], "checks": %s, "run_id": "r", "data_sha256": "d", "files": {}}'
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
        EMPTY % "{}",
        EMPTY % "[]",
        EMPTY % "[1]",
        EMPTY % "null",
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
