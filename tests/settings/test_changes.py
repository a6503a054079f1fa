"""Another experiment by a few settings."""

import pytest

from helpers import make_experiment, small_model
from mmm_demo.settings.changes import changed, told, written
from mmm_demo.settings.experiment import ConfigError

LAG, MODES = ("model", "adstock_max_lag"), ("model", "yearly_seasonality")


def test_only_what_is_named_changes():
    base = make_experiment()
    other = changed(base, {LAG: 13, MODES: 1}, "longer")
    assert (other.model.adstock_max_lag, other.model.yearly_seasonality) == (13, 1)
    assert changed(other, {LAG: 8, MODES: 2}, "small") == base
    assert base == make_experiment()


def test_nothing_changed_is_the_same_experiment():
    base = make_experiment()
    assert changed(base, {}) == base
    assert changed(base, {}).fingerprint == base.fingerprint


def test_a_section_that_is_not_written_is_made():
    base = make_experiment()
    given = {("gate", "require"): ["plausibility"], ("data", "dt_mart", "august"): "drop"}
    assert changed(base, {("gate", "require"): ["plausibility"]}).gate.require == ("plausibility",)
    with pytest.raises(ConfigError, match="august"):  # made, and judged like any other
        changed(base, given)


def test_a_channel_may_have_a_dot():
    base = make_experiment(model=small_model(channel_columns=["tv.national", "Radio"]))
    with pytest.raises(ConfigError, match=r"model.media.tv.national.adstock|media"):
        changed(base, {("model", "media", "tv.national", "adstock"): "no such form"})


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("model", "saturation"), "no_such", "unknown saturation 'no_such'"),
        (("model", "adstock_max_lag"), 99, "adstock_max_lag"),
        (("model", "no_such"), 1, "no_such"),
        (("name", "inner"), 1, "name.inner: the experiment has no name to change"),
    ],
)
def test_what_makes_no_experiment_is_refused_with_its_place(place, value, words):
    with pytest.raises(ConfigError, match=words):
        changed(make_experiment(), {place: value})


def test_settings_are_told_as_they_are_written():
    assert written(LAG) == "model.adstock_max_lag"
    assert told({LAG: 13, ("model", "autocorrelation"): True}) == (
        "model.adstock_max_lag: 13, model.autocorrelation: true"
    )
    assert told({}) == ""
