"""Stored evidence: read back as it was, refused when anything about it is not."""

import copy
import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evidence_tables import FILES, backtest_table, placebo_table, recovery_table, sensitivity_table
from mmm_demo.checks.gate import FAILED, NOT_ASSESSABLE, PASSED, GateRefused
from mmm_demo.evidence.gathered import Evidence, EvidenceError, read_evidence
from mmm_demo.settings.limits import EVIDENCE_BATTERIES, GateConfig


def evidence(**changes: Any) -> Evidence:
    tables = {
        "backtest": backtest_table(),
        "recovery": recovery_table(),
        "placebo": placebo_table(),
        "sensitivity": sensitivity_table(),
    }
    return replace(Evidence(tables, "run1", FILES), **changes)


def without(battery: str, **changes: Any) -> Evidence:
    tables = {name: table for name, table in evidence().tables.items() if name != battery}
    return evidence(tables=tables, **changes)


def with_table(battery: str, table: pd.DataFrame) -> Evidence:
    return evidence(tables={**evidence().tables, battery: table})


def requiring(*batteries: str) -> GateConfig:
    return GateConfig(require=batteries)


# Round trip


def test_everything_comes_back_as_it_was():
    made = evidence(unassessed={"placebo": "only asked for by accident"})
    read = Evidence.from_json(made.to_json())
    assert (read.fit_run, read.files) == (made.fit_run, FILES)
    assert read.unassessed == made.unassessed
    assert read.checks == made.checks
    assert len(made.checks) == 7
    assert {check.stage for check in made.checks} == set(EVIDENCE_BATTERIES)
    assert {check.status for check in made.checks} == {PASSED}
    for name, table in made.tables.items():
        pd.testing.assert_frame_equal(read.tables[name], table, check_exact=True, check_dtype=False)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e12])
def test_numbers_of_any_size_come_back_exactly(scale):
    table = sensitivity_table()
    table[["roas", "lower_94", "upper_94"]] *= scale
    made = with_table("sensitivity", table)
    assert Evidence.from_json(made.to_json()).checks == made.checks


def test_the_text_is_plain_json_with_the_verdicts_to_read():
    plain = json.loads(evidence().to_json(), parse_constant=pytest.fail)
    skill = plain["checks"][0]
    assert (skill["name"], skill["status"], skill["passed"]) == (
        "backtest_crps_skill",
        PASSED,
        True,
    )
    assert plain["tables"]["backtest"][0]["week"] == "2025-01-06T00:00:00"


def test_a_file_is_read_too(tmp_path):
    path = tmp_path / "evidence.json"
    path.write_text(evidence().to_json(), "utf-8")
    assert read_evidence(path).checks == evidence().checks


NOT_MEASURED = {
    "backtest": ("crps", "naive_crps"),
    "placebo": ("share_lower_5",),
    "sensitivity": ("planned", "roas", "upper_94"),
}
COLUMNS = [(battery, name) for battery, names in NOT_MEASURED.items() for name in names]


@pytest.mark.parametrize(("battery", "column"), COLUMNS)
def test_a_column_without_any_value_is_not_assessable_before_and_after(battery, column):
    made = with_table(battery, evidence().tables[battery].assign(**{column: np.nan}))
    read = Evidence.from_json(made.to_json())
    for found in (made, read):
        assert NOT_ASSESSABLE in {c.status for c in found.checks if c.stage == battery}
        assert found.failures(requiring(battery))
    assert [str(check) for check in read.checks] == [str(check) for check in made.checks]


@pytest.mark.parametrize("column", ["crps", "naive_crps"])
def test_infinity_is_no_value(column):
    made = with_table("backtest", backtest_table().assign(**{column: np.inf}))
    read = Evidence.from_json(made.to_json())
    assert not made.checks[0].passed
    assert read.checks[0].status == NOT_ASSESSABLE


def test_a_battery_whose_refits_all_failed_comes_back_as_such():
    for battery, table in evidence().tables.items():
        made = with_table(battery, table.assign(converged=False))
        read = Evidence.from_json(made.to_json())
        assert {c.status for c in read.checks if c.stage == battery} == {NOT_ASSESSABLE}, battery


# What is required


def test_nothing_fails_where_all_that_is_required_passed():
    assert evidence().failures(requiring(*EVIDENCE_BATTERIES)) == ()


@pytest.mark.parametrize("battery", EVIDENCE_BATTERIES)
def test_a_required_battery_that_was_not_run_fails(battery):
    (said,) = without(battery).failures(requiring(*EVIDENCE_BATTERIES))
    assert said == f"{battery} was not measured; run: mmm-demo evidence"


@pytest.mark.parametrize("battery", EVIDENCE_BATTERIES)
def test_a_required_battery_that_could_not_run_fails_and_says_why(battery):
    made = without(battery, unassessed={battery: "52 weeks are too few"})
    (check,) = [check for check in made.checks if check.stage == battery]
    assert (check.name, check.status) == (f"{battery}_run", NOT_ASSESSABLE)
    (said,) = made.failures(requiring(*EVIDENCE_BATTERIES))
    assert "52 weeks are too few" in said
    assert "NOT ASSESSABLE" in said
    assert made.failures(requiring()) == ()
    assert Evidence.from_json(made.to_json()).failures(requiring(battery)) == (said,)


@pytest.mark.parametrize("battery", EVIDENCE_BATTERIES)
def test_a_required_battery_whose_refits_failed_fails(battery):
    table = evidence().tables[battery].assign(converged=False)
    said = with_table(battery, table).failures(requiring(battery))
    assert said
    assert all("did not converge" in line for line in said)


def test_a_battery_that_failed_refuses_only_where_it_is_required():
    made = with_table("placebo", placebo_table(believed=2))
    (check,) = [check for check in made.checks if check.stage == "placebo"]
    assert check.status == FAILED
    assert made.failures(requiring()) == ()
    assert made.failures(requiring("backtest", "recovery", "sensitivity")) == ()
    (said,) = made.failures(requiring("backtest", "placebo"))
    assert said.startswith("placebo_believed 2 <= 1")
    assert said.endswith(check.advice)


def test_batteries_of_the_fit_are_not_asked_of_the_evidence():
    assert evidence().failures(requiring("identification", "plausibility")) == ()


def test_no_evidence_at_all_names_every_battery():
    said = Evidence({}, "run1", FILES).failures(requiring(*EVIDENCE_BATTERIES))
    assert len(said) == len(EVIDENCE_BATTERIES)


# About what


def test_evidence_about_this_very_fit_is_taken():
    evidence().require_about(FILES, "run1")


@pytest.mark.parametrize("name", FILES)
def test_evidence_about_another_file_is_refused_by_name(name):
    with pytest.raises(GateRefused, match=f"about another {name} than"):
        evidence().require_about(FILES | {name: "dd"}, "run1")
    lacking = {key: digest for key, digest in FILES.items() if key != name}
    with pytest.raises(GateRefused, match=f"about another {name} than"):
        evidence(files=lacking).require_about(FILES, "run1")


def test_evidence_about_another_run_is_refused():
    with pytest.raises(GateRefused, match="about run run1, not about run2"):
        evidence().require_about(FILES, "run2")


# Forged and broken


def set_to(*place: Any, value: Any) -> Callable[[dict], None]:
    def edit(plain: dict) -> None:
        *way, last = place
        inner: Any = plain
        for step in way:
            inner = inner[step]
        inner[last] = value

    return edit


def all_rows(battery: str, **values: Any) -> Callable[[dict], None]:
    def edit(plain: dict) -> None:
        for row in plain["tables"][battery]:
            row.update(values)

    return edit


CONTRADICTIONS = {
    "a check that says failed": set_to("checks", 0, "passed", value=False),
    "another value": set_to("checks", 0, "value", value=0.9999),
    "no value": set_to("checks", 0, "value", value=None),
    "a looser limit": set_to("checks", 1, "limit", value=0.1),
    "another name": set_to("checks", 2, "name", value="recovery_of_nothing"),
    "a check less": lambda plain: plain["checks"].pop(),
    "no check": set_to("checks", value=[]),
    "a check twice": lambda plain: plain["checks"].append(plain["checks"][0]),
    "scores edited": all_rows("backtest", crps=99.0),
    "a score taken out": set_to("tables", "backtest", 4, "crps", value=None),
    "forecasts that missed": all_rows("backtest", upper_94=91.0),
    "a truth that was missed": set_to("tables", "recovery", 0, "inside", value=False),
    "placebos that were believed": all_rows("placebo", share_lower_5=0.5),
    "a placebo taken out": lambda plain: plain["tables"].update(
        placebo=plain["tables"]["placebo"][:1]
    ),
    "another plan": set_to("tables", "sensitivity", 2, "planned", value=1.0),
    "refits that did not converge": all_rows("sensitivity", converged=False),
    "a battery taken out": lambda plain: plain["tables"].pop("placebo"),
    "a battery said not to have run": lambda plain: (
        plain["tables"].pop("placebo"),
        plain["unassessed"].update(placebo="no time"),
    ),
}


@pytest.mark.parametrize("edit", CONTRADICTIONS)
def test_evidence_that_contradicts_itself_is_refused(edit):
    plain = json.loads(evidence().to_json())
    CONTRADICTIONS[edit](plain)
    with pytest.raises(EvidenceError, match="contradicts itself"):
        Evidence.from_json(json.dumps(plain))


BROKEN = {
    "nothing": "",
    "half of it": evidence().to_json()[:2000],
    "a list": "[]",
    "null": "null",
    "an empty object": "{}",
    "too deep": "[" * 100_000,
}


@pytest.mark.parametrize("name", BROKEN)
def test_text_that_is_no_evidence_is_refused(name):
    with pytest.raises(EvidenceError, match="not readable evidence"):
        Evidence.from_json(BROKEN[name])


UNREADABLE = {
    **{f"no {key}": lambda p, k=key: p.pop(k) for key in json.loads(evidence().to_json())},
    "a battery of numbers": set_to("tables", "backtest", value=[1, 2]),
    "a battery without rows": set_to("tables", "recovery", value=[]),
    "tables in a list": set_to("tables", value=[]),
    "files by number": set_to("files", value=3),
    "no verdict": lambda p: p["checks"][0].pop("passed"),
    "an unknown comparison": set_to("checks", 0, "comparison", value="~"),
    "a limit in words": set_to("checks", 0, "limit", value="none"),
    "a limit beyond all numbers": set_to("checks", 0, "limit", value=10**400),
    "a week that is none": set_to("tables", "backtest", 0, "week", value="soon"),
    "a score in words": set_to("tables", "backtest", 0, "crps", value="good"),
    "a variant of another channel": set_to("tables", "sensitivity", 3, "channel", value="Radio2"),
}


@pytest.mark.parametrize("edit", UNREADABLE)
def test_evidence_that_lacks_something_is_refused(edit):
    plain = json.loads(evidence().to_json())
    UNREADABLE[edit](plain)
    with pytest.raises(EvidenceError, match=r"evidence\.json"):
        Evidence.from_json(json.dumps(plain))


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "evidence.json"
    path.write_bytes(b"\x89HDF\xff\xfe")
    with pytest.raises(EvidenceError, match="not readable evidence"):
        read_evidence(path)
    with pytest.raises(FileNotFoundError):
        read_evidence(tmp_path / "none.json")


JUDGED = {
    "backtest": ("fold", "week", "observed", "lower_94", "upper_94", "crps", "naive_crps"),
    "recovery": ("replicate", "quantity", "inside"),
    "placebo": ("share_lower_5",),
    "sensitivity": ("variant", "channel", "roas", "planned", "upper_94"),
}


@pytest.mark.parametrize("battery", JUDGED)
@pytest.mark.parametrize("value", ["gone", None, math.nan, "text", [], {}])
def test_no_column_that_is_judged_can_be_spoiled_into_a_pass(battery, value):
    """Whatever is done to it, the evidence is refused or the battery does not pass."""
    whole = json.loads(evidence().to_json())
    labels = ("fold", "replicate") if value == "text" else ()  # one as good as another
    for column in {*JUDGED[battery], "converged"}.difference(labels):
        plain = copy.deepcopy(whole)
        for row in plain["tables"][battery]:
            row.pop(column) if value == "gone" else row.update({column: value})
        with pytest.raises(EvidenceError):
            pytest.fail(f"{column} = {value}: {Evidence.from_json(json.dumps(plain)).checks}")
