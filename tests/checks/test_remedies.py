"""What may clear a flag: settings that this version knows, in order, and nothing made up."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from each import each
from helpers import make_experiment
from mmm_demo.checks import remedies as module
from mmm_demo.checks.gate import Check
from mmm_demo.checks.remedies import (
    EXPERIMENT_ONLY,
    candidates,
    event_lines,
    remedies,
    with_remedies,
)
from mmm_demo.forms.registry import FORMS
from mmm_demo.reports.check_names import CHECK_NAMES
from mmm_demo.settings.changes import changed, told
from mmm_demo.settings.experiment import ModelConfig

EXPERIMENT = make_experiment()
MODEL = EXPERIMENT.model
LAG = ("model", "adstock_max_lag")
WEEKS = pd.date_range("2023-01-02", periods=104, freq="7D").to_numpy()


def flag(name: str, where: str = "TV", value: float = 0.001) -> Check:
    """Return a check that failed."""
    return Check(name, "posterior_predictive", value, ">=", 0.01, where, "so it is")


def offered(*checks: Check, model: ModelConfig = MODEL) -> list[str]:
    return [told(settings) for settings in candidates(checks, model)]


@each(name=sorted(module._BY_FLAG))
def test_every_remedy_is_of_a_check_and_makes_an_experiment(name):
    assert name in CHECK_NAMES
    for remedy in remedies(flag(name), MODEL):
        assert changed(EXPERIMENT, remedy.settings).model != MODEL


@each(name=EXPERIMENT_ONLY)
def test_what_only_an_experiment_can_clear_has_no_remedy(name):
    assert name in CHECK_NAMES
    assert remedies(flag(name), MODEL) == ()


@each(name=sorted(module._BY_FLAG), value=(0.5, math.nan))
def test_a_check_that_passed_or_could_not_be_assessed_has_no_remedy(name, value):
    check = flag(name, value=value)
    assert remedies(check, MODEL) == ()
    assert with_remedies([check], MODEL) == (check,)


@pytest.mark.parametrize(
    ("lag", "longer"), [(1, 13), (8, 13), (12, 13), (13, 26), (26, 52), (40, 52), (51, 52)]
)
def test_later_lags_are_mended_first_by_a_lag_as_long_as_the_check_looks(lag, longer):
    found = remedies(flag("p_later_lags"), replace(MODEL, adstock_max_lag=lag))
    assert found[0].settings == {LAG: longer}


def test_no_lag_is_longer_than_the_longest():
    found = remedies(flag("p_later_lags"), replace(MODEL, adstock_max_lag=52))
    assert all(LAG not in remedy.settings for remedy in found)


def test_a_form_that_the_model_has_is_not_offered_again():
    before = offered(flag("p_other_curve"))
    assert "model.saturation: michaelis_menten" in before
    curved = changed(EXPERIMENT, {("model", "saturation"): "michaelis_menten"}).model
    assert "model.saturation: michaelis_menten" not in offered(flag("p_other_curve"), model=curved)


@pytest.mark.parametrize(
    ("check", "kind", "name", "text"),
    [
        ("p_lag1_residuals", "baseline", "drift", "model.baseline: drift"),
        ("residual_cusum", "baseline", "trend", "model.baseline: trend"),
        ("p_drifting_effect", "baseline", "drift", "model.baseline: drift"),
        ("p_largest_residual", "noise", "student_t", "model.noise: student_t"),
        ("pareto_k_max", "noise", "student_t", "model.noise: student_t"),
        ("p_other_curve", "saturation", "hill", "model.saturation: hill"),
    ],
)
def test_the_registry_decides_what_is_offered(check, kind, name, text, monkeypatch):
    with_it = FORMS[kind] | {name: next(iter(FORMS[kind].values()))}
    without = {known: form for known, form in FORMS[kind].items() if known != name}
    monkeypatch.setitem(FORMS, kind, without)
    assert text not in offered(flag(check))
    (advised,) = with_remedies([flag(check)], MODEL)
    assert name not in advised.advice
    monkeypatch.setitem(FORMS, kind, with_it)
    assert text in offered(flag(check))
    (advised,) = with_remedies([flag(check)], MODEL)
    assert text in advised.advice


def test_autocorrelation_and_forms_of_the_channel_that_is_named_are_offered():
    assert "model.autocorrelation: true" in offered(flag("p_lag1_residuals"))
    assert "model.media.TV.adstock: delayed" in offered(flag("p_later_lags"))
    assert not [text for text in offered(flag("p_later_lags", "nobody")) if "media" in text]


def test_the_advice_is_one_line_that_names_the_settings():
    (advised,) = with_remedies([flag("p_later_lags")], MODEL)
    assert advised.advice.startswith("so it is; try model.adstock_max_lag: 13")
    assert advised.advice.endswith("(mmm-demo improve fits them)")
    assert "\n" not in advised.advice
    assert replace(advised, advice="so it is") == flag("p_later_lags")


def test_candidates_are_first_remedies_then_these_together_then_the_others():
    both = [flag("p_later_lags"), flag("p_other_curve")]
    found = candidates(both, MODEL)
    firsts = [remedies(check, MODEL)[0].settings for check in both]
    assert found[:2] == firsts
    assert found[2] == {**firsts[0], **firsts[1]}
    assert all(found.count(settings) == 1 for settings in found)


def test_one_flag_has_nothing_to_be_put_together_with():
    found = candidates([flag("p_later_lags")], MODEL)
    assert found == [remedy.settings for remedy in remedies(flag("p_later_lags"), MODEL)]
    assert candidates([], MODEL) == []
    assert candidates([flag("spend_follows_demand")], MODEL) == []


def test_two_flags_with_the_same_remedy_ask_for_it_once():
    twice = [flag("p_lag1_residuals"), flag("residual_cusum", "week 3 of 104")]
    assert candidates(twice, MODEL) == candidates(twice[:1], MODEL)


def test_events_are_told_for_the_weeks_that_flags_name_without_a_reason():
    flags = [
        flag("residual_cusum", "week 3 of 104"),
        flag("pareto_k_max", "2023-12-18"),
        flag("p_largest_residual", "week 3 of 104"),
        flag("p_later_lags", "week 9 of 104"),  # no week's fault
        flag("p_maximum", "week 105 of 104"),
        flag("p_maximum", ""),
    ]
    assert event_lines(flags, WEEKS) == [
        "what_happened,2023-01-16,2023-01-22",
        "what_happened,2023-12-18,2023-12-24",
    ]
    assert event_lines([], WEEKS) == []
    assert event_lines(flags[:1], np.array([])) == []  # week 3 of none
