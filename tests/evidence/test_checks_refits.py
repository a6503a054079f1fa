"""Refits that failed prove nothing: the rule of 1 in 5."""

import math

import pytest

from each import each
from mmm_demo.checks.gate import FAILED, NOT_ASSESSABLE, PASSED, Check
from mmm_demo.evidence.battery import assessable

GOOD = Check("skill", "backtest", 0.5, ">=", 0.0, "40 weeks", "look again")
BAD = Check("coverage", "backtest", 0.5, ">=", 0.75, "fold 2", "look again")


@each(refits=range(5, 505, 5))
def test_exactly_one_in_five_unconverged_is_still_assessed(refits):
    converged = [True] * (refits - refits // 5) + [False] * (refits // 5)
    assert assessable([GOOD, BAD], converged) == (GOOD, BAD)
    converged[0] = False
    assert {check.status for check in assessable([GOOD, BAD], converged)} == {NOT_ASSESSABLE}


@pytest.mark.parametrize(("bad", "refits"), [(1, 3), (1, 4), (2, 9), (3, 14), (3, 3)])
def test_more_than_one_in_five_is_too_many(bad, refits):
    (check,) = assessable([GOOD], [False] * bad + [True] * (refits - bad))
    assert math.isnan(check.value)
    assert not check.passed
    assert check.where == f"{bad} of {refits} refits did not converge"
    assert "evidence.draws" in check.advice


def test_no_refit_at_all_is_not_assessable():
    (check,) = assessable([GOOD], [])
    assert check.status == NOT_ASSESSABLE


def test_what_is_not_assessable_keeps_name_stage_and_limit():
    (check,) = assessable([BAD], [False])
    assert (check.name, check.stage) == (BAD.name, BAD.stage)
    assert (check.comparison, check.limit) == (BAD.comparison, BAD.limit)


def test_converged_refits_change_no_verdict():
    found = assessable(iter([GOOD, BAD]), [True] * 3)
    assert [check.status for check in found] == [PASSED, FAILED]
