"""What a user may write of events, and that it says nothing where nothing is written."""

import pytest

from helpers import PROJECT, make_experiment
from mmm_demo.settings.events import Occurrence
from mmm_demo.settings.experiment import (
    ConfigError,
    free_parameters,
    to_dict,
    with_calendar,
)
from mmm_demo.settings.experiment_file import flat_params, from_dict, load_experiment

SALES = (
    Occurrence("Sale", "2023-02-05", "2023-02-18"),
    Occurrence("Sale", "2024-02-05", "2024-02-18"),
    Occurrence("Fair", "2023-06-05", "2023-06-06"),
)


def read(data: dict, model: dict | None = None):
    content = to_dict(make_experiment())
    content["data"] |= data
    content["model"] |= model or {}
    return from_dict(content, "experiment.yaml")


def test_holidays_are_read_and_written_and_logged():
    written = {"country": "NO", "names": ["Første juledag"], "before": 1}
    made = read({"holidays": written})
    assert from_dict(to_dict(made), "again") == made
    params = flat_params(made)
    assert params["data.holidays.country"] == "NO"
    assert (params["data.holidays.names"], params["data.holidays.before"]) == ("Første juledag", 1)
    assert made.fingerprint != make_experiment().fingerprint


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"country": False}, 'YAML reads NO as false; quote it: country: "NO"'),
        ({"country": 47}, "country must be a code such as NO, in quotes; got 47"),
        ({"names": ["1. juledag"]}, "at least the country"),
        ("NO", "must map country, subdivision, names, before, after"),
        ({"country": "NO", "day": 1}, "unknown day; valid: country, subdivision"),
        ({"country": "NO", "before": -1}, "before must be 0 to 28 days, got -1"),
        ({"country": "NO", "after": True}, "after must be 0 to 28 days, got True"),
        ({"country": "NO", "names": "1. juledag"}, "names must be a list of holidays"),
    ],
)
def test_what_holidays_cannot_be_is_refused(given, words):
    with pytest.raises(ConfigError) as refused:
        read({"holidays": given})
    assert words in str(refused.value)


def test_the_country_that_yaml_reads_as_false_gets_its_message_from_a_file(tmp_path):
    path = tmp_path / "e.yaml"
    text = (PROJECT / "experiments/demo.yaml").read_text("utf-8")
    assert "\ndata:\n" in text
    path.write_text(text.replace("\ndata:\n", "\ndata:\n  holidays: {country: NO}\n"), "utf-8")
    with pytest.raises(ConfigError, match="YAML reads NO as false"):
        load_experiment(path)


def test_a_model_of_events_has_their_parameters_and_any_other_none():
    plain = make_experiment().model
    assert not {"event_scale", "gamma_event"} & {*plain.priors, *free_parameters(plain)}
    model = with_calendar(plain, SALES)
    assert free_parameters(model)["gamma_event"] == 2
    assert free_parameters(model)["event_scale"] == 1
    assert with_calendar(plain, ()) is plain


def test_a_calendar_is_stored_and_read_back_and_no_part_of_an_experiment_without():
    plain = make_experiment()
    assert "calendar" not in to_dict(plain)["model"]
    content = to_dict(plain)
    content["model"]["calendar"] = [{"name": "Sale", "start": "2023-02-05", "end": "2023-02-18"}]
    made = from_dict(content, "x")
    assert made.model.calendar == SALES[:1]
    assert from_dict(to_dict(made), "again") == made
    content["model"]["calendar"][0]["end"] = "2023-02-01"
    with pytest.raises(ConfigError, match="end 2023-02-01 comes before start 2023-02-05"):
        from_dict(content, "x")


def test_a_prior_of_events_goes_with_events():
    prior = {
        "event_scale": {"distribution": "HalfNormal", "sigma": 0.3, "rationale": "large sales"}
    }
    made = read({"events": "events.csv"}, {"priors": prior})
    assert made.model.priors["event_scale"].distribution == "HalfNormal"
    kept = with_calendar(made.model, SALES)
    assert kept.priors["event_scale"].distribution == "HalfNormal"
    assert "gamma_event" in kept.priors
    with pytest.raises(ConfigError, match="event_scale, but the data name no events"):
        read({}, {"priors": prior})
