"""What is judged of a fit that converged: the very checks that its gate file holds."""

import math
from dataclasses import replace

import numpy as np
import pytest
from conftest import Demo

from mmm_demo.checks.gate import REQUIRED
from mmm_demo.checks.judge import Judged, judge
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.settings.limits import FIT_BATTERIES, GateConfig

OTHER_STAGES = {"prior", "convergence"}  # judged before, on priors and on chains


@pytest.fixture(scope="module")
def judged(fitted: FittedModel) -> Judged:
    return judge(fitted, fitted.decompose(), GateConfig())


def test_the_stored_draws_say_again_what_the_gate_file_says(demo: Demo, judged: Judged) -> None:
    stored = {check.name: check for check in demo.report.checks if check.stage not in OTHER_STAGES}
    again = {check.name: check for check in judged.checks}
    assert again.keys() == stored.keys()
    for name, check in again.items():
        assert check.value == pytest.approx(stored[name].value, rel=1e-9, abs=1e-12), name
        assert replace(check, value=0.0) == replace(stored[name], value=0.0)


def test_every_battery_of_a_fit_and_every_required_check_is_judged(judged: Judged) -> None:
    assert {check.stage for check in judged.checks} == {"decomposition", *FIT_BATTERIES}
    assert {"decomposition_gap", "coverage_94"} == REQUIRED.keys() & {
        check.name for check in judged.checks
    }
    names = [check.name for check in judged.checks]
    assert len(names) == len(set(names))
    assert all(check.advice for check in judged.checks)


def test_tables_hold_every_channel(fitted: FittedModel, judged: Judged) -> None:
    assert tuple(judged.identification["channel"]) == fitted.config.channel_columns
    assert judged.identification["label"].isin(["data-driven", "prior-driven"]).all()
    assert judged.pairs.empty  # simulated so that the data can tell the channels apart


def test_limits_of_the_experiment_are_the_limits_of_the_checks(thin: FittedModel) -> None:
    limits = GateConfig(coverage_94_min=0.99, roas_range=(50.0, 60.0))
    checks = {check.name: check for check in judge(thin, thin.decompose(), limits).checks}
    assert checks["coverage_94"].limit == 0.99
    assert checks["roas_outside_range"].value == len(thin.config.channel_columns)
    assert not checks["roas_outside_range"].passed


def test_a_decomposition_that_does_not_add_up_is_seen(thin: FittedModel) -> None:
    parts = thin.decompose()
    for fault, passed in ((0.0, True), (1.0, False), (math.nan, False)):
        broken = replace(parts, baseline=parts.baseline + fault * float(np.mean(thin.observed)))
        checks = {check.name: check for check in judge(thin, broken, GateConfig()).checks}
        assert checks["decomposition_gap"].passed is passed
