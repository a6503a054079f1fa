"""Forms of a channel's own: what may be written, what is refused, and what it is known by."""

from dataclasses import replace

import pytest

from each import each
from helpers import make_experiment, refusal, small_model
from mmm_demo.forms.adstock.delayed import PEAK
from mmm_demo.forms.mixed import MixedAdstock, MixedSaturation
from mmm_demo.forms.registry import FORMS, find
from mmm_demo.settings.experiment import (
    ModelConfig,
    free_parameters,
    to_dict,
    with_forms,
    with_other,
)
from mmm_demo.settings.experiment_file import flat_params, from_dict, load_experiment, to_yaml
from mmm_demo.settings.priors import default_prior

LATE = {"distribution": "HalfNormal", "sigma": 1.0, "rationale": "its talk is soon over"}
LARGE = {"distribution": "HalfNormal", "sigma": 0.5, "rationale": "most of the money"}
OWN = {
    "TV": {
        "adstock": "delayed",
        "max_lag": 12,
        "saturation": "hill",
        "priors": {"adstock_theta": LATE, "saturation_beta": LARGE},
    }
}


def model(media: object, **settings: object) -> ModelConfig:
    return make_experiment(model=small_model(media=media, **settings)).model


def refused(media: object, **settings: object) -> str:
    return refusal(model=small_model(media=media, **settings))


# What a model has


def test_a_channel_has_its_own_and_the_others_have_the_models() -> None:
    given = model(OWN, adstock_max_lag=4)
    adstock, saturation = given.form("adstock"), given.form("saturation")
    assert isinstance(adstock, MixedAdstock) and isinstance(saturation, MixedSaturation)
    assert [form.name for form in adstock.forms] == ["delayed", "geometric"]
    assert [form.name for form in saturation.forms] == ["hill", "logistic"]
    assert adstock.lags == (12, 4) and given.longest_lag == 12
    assert not saturation.concave
    sizes = free_parameters(given)
    assert sizes["adstock_theta"] == sizes["saturation_slope"] == 1  # of TV alone
    assert sizes["adstock_alpha"] == sizes["saturation_lam"] == sizes["saturation_beta"] == 2
    assert given.priors["adstock_theta"] == default_prior(PEAK)
    assert given.full_priors["adstock_theta"].parameters == {"sigma": 1.0}
    beta = given.full_priors["saturation_beta"]
    assert beta.parameters == {"sigma": (0.5, 0.25)}
    assert beta.rationale == "TV: most of the money"


def test_a_parameter_that_no_channel_has_is_none() -> None:
    given = model({name: {"adstock": "none", "saturation": "linear"} for name in ("TV", "Radio")})
    assert given.form("adstock") is find("adstock", "none") and given.longest_lag == 1
    assert given.form("saturation") is find("saturation", "linear")
    assert {"adstock_alpha", "saturation_lam"}.isdisjoint(free_parameters(given))
    assert "adstock_alpha" not in given.priors
    assert model({}, adstock="none").longest_lag == 1


@pytest.mark.parametrize(
    "entry",
    [{}, {"adstock": "geometric"}, {"saturation": "logistic", "max_lag": 8}],
)
def test_an_entry_that_says_what_the_model_says_mixes_nothing(entry) -> None:
    given, plain = model({"TV": entry}), model({})
    assert given.form("adstock") is find("adstock", "geometric")
    assert given.form("saturation") is find("saturation", "logistic")
    assert given.full_priors == plain.full_priors and given.longest_lag == plain.longest_lag
    same = {"saturation_lam": {"distribution": "Gamma", "alpha": 3.0, "beta": 1.0}}
    assert model({"TV": entry | {"priors": same}}).full_priors == plain.full_priors


def test_concave_forms_of_several_kinds_are_concave_together() -> None:
    assert model({"TV": {"saturation": "linear"}}).form("saturation").concave
    assert model({"TV": {"saturation": "michaelis_menten"}}).form("saturation").concave
    assert not model({"TV": {"saturation": "s_shaped"}}).form("saturation").concave
    assert model({"TV": {"adstock": "delayed"}}).form("saturation").concave


def test_priors_of_the_model_reach_the_channels_that_have_the_parameter() -> None:
    wide = {"distribution": "LogNormal", "mu": 0.0, "sigma": [0.2, 0.4], "rationale": "flat"}
    both = {name: {"saturation": "hill"} for name in ("TV", "Radio")}
    columns = ["Search", "TV", "Radio"]
    given = model(both, channel_columns=columns, priors={"saturation_slope": wide})
    assert given.full_priors["saturation_slope"].parameters["sigma"] == (0.2, 0.4)
    own = {"saturation_slope": {"distribution": "LogNormal", "mu": 1.0, "sigma": 0.1,
                                "rationale": "steep"}}  # fmt: skip
    both["Radio"]["priors"] = own
    given = model(both, channel_columns=columns, priors={"saturation_slope": wide})
    told = given.full_priors["saturation_slope"]
    assert told.parameters == {"mu": (0.0, 1.0), "sigma": (0.2, 0.1)}
    assert told.rationale == "flat; Radio: steep"
    message = refused({"TV": {"saturation": "hill"}}, priors={"saturation_slope": wide})
    assert "saturation_slope: sigma needs 1 values, one for each, got 2" in message


# What is refused


@each(
    case=[
        ({"Tv": {}}, ["model.media", "names Tv; channels are TV, Radio"]),
        ({"TV": {"lag": 3}}, ["model.media.TV.lag", "unknown key; valid: adstock, max_lag"]),
        ({"TV": {"adstock": "delay"}}, ["model.media.TV.adstock", "known: geometric, binomial"]),
        ({"TV": {"saturation": "Hill"}}, ["model.media.TV.saturation", "'Hill'", "hill, linear"]),
        ({"TV": {"max_lag": 53}}, ["model.media.TV.max_lag", "less than or equal to 52", "53"]),
        ({"TV": {"max_lag": 0}}, ["model.media.TV.max_lag", "greater than or equal to 1", "0"]),
        ({"TV": {"max_lag": 2.5}}, ["model.media.TV.max_lag", "2.5"]),
        ({"TV": 3}, ["model.media.TV", "3"]),
        ({"TV": None}, ["model.media.TV"]),
        (["TV"], ["model.media", "['TV']"]),
        ({"TV": {"adstock": "none", "max_lag": 4}}, ["TV.max_lag", "1 week, not 4", "leave"]),
        (
            {"Radio": {"priors": {"saturation_slope": LATE}}},
            ["Radio.priors.saturation_slope", "no such parameter", "adstock_alpha, saturation_lam"],
        ),
        (
            {"Radio": {"saturation": "linear", "priors": {"saturation_lam": LATE}}},
            ["Radio.priors.saturation_lam", "no such parameter", "saturation_beta"],
        ),
        (
            {"TV": {"priors": {"saturation_beta": {"distribution": "HalfNormal", "sigma": 0.5}}}},
            ["TV.priors.saturation_beta", "say why: `rationale`"],
        ),
        (
            {"TV": {"priors": {"saturation_beta": LARGE | {"sigma": [0.5, 0.4]}}}},
            ["TV.priors.saturation_beta", "sigma takes one number, got a list of 2"],
        ),
        (
            {"TV": {"priors": {"saturation_beta": LARGE | {"sigma": -1}}}},
            ["TV.priors.saturation_beta", "sigma must be positive, got -1"],
        ),
        (
            {
                "TV": {
                    "priors": {
                        "saturation_beta": {"distribution": "Exponential", "lam": 2.0,
                                            "rationale": "x"}
                    }
                }
            },
            ["saturation_beta has Exponential of TV, HalfNormal of Radio", "one distribution"],
        ),
    ]
)  # fmt: skip
def test_what_cannot_be_is_refused_with_the_channel_and_what_is_valid(case) -> None:
    media, said = case
    message = refused(media)
    assert all(part in message for part in said), message


def test_faults_of_several_channels_are_told_together() -> None:
    message = refused({"TV": {"priors": {"bogus": {}}}, "Radio": {"adstock": "none", "max_lag": 2}})
    assert "TV.priors.bogus" in message and "Radio.max_lag" in message
    message = refused({"TV": {"adstock": "bogus"}}, adstock="nonsense")
    assert "unknown adstock 'bogus'" in message and "unknown adstock 'nonsense'" in message


# What it is known by


def test_it_is_written_and_read_as_it_was_given(tmp_path) -> None:
    given = make_experiment(model=small_model(media=OWN))
    assert to_dict(given)["model"]["media"] == OWN
    assert from_dict(to_dict(given), "again") == given
    path = tmp_path / "own.yaml"
    path.write_text(to_yaml(given), encoding="utf-8")
    assert load_experiment(path) == given
    assert replace(given.model, adstock_max_lag=3).media == given.model.media


def test_only_what_is_said_is_part_of_the_identity() -> None:
    plain, empty = make_experiment(), make_experiment(model=small_model(media={}))
    assert empty.fingerprint == plain.fingerprint and flat_params(empty) == flat_params(plain)
    assert "media" not in to_dict(plain)["model"]
    own = make_experiment(model=small_model(media=OWN))
    assert own.fingerprint != plain.fingerprint
    params = flat_params(own)
    assert params["model.media.TV.adstock"] == "delayed"
    assert params["model.media.TV.max_lag"] == 12
    assert params["model.media.TV.saturation"] == "hill"
    assert params["prior.saturation_beta"] == "HalfNormal(sigma=[0.5, 0.25])"
    assert params["prior.saturation_beta.rationale"] == "TV: most of the money"
    assert params["model.adstock.type"] == "geometric"


def test_a_hard_name_is_a_param_too() -> None:
    name = "TV: spend / 100 %"
    experiment = make_experiment(
        model={"channel_columns": [name, "Radio"], "media": {name: {"adstock": "delayed"}}}
    )
    (param,) = [key for key in flat_params(experiment) if key.startswith("model.media.")]
    assert param.endswith(".adstock") and "/" not in param


# Other forms in their place


def test_other_forms_keep_the_priors_that_they_still_have() -> None:
    given = model(OWN)
    other = with_other(given, "saturation", lambda form: form.other)
    assert other.form("saturation").name == "logistic, michaelis_menten"
    assert other.media["TV"].priors.keys() == {"adstock_theta", "saturation_beta"}
    assert "saturation_slope" not in other.priors and "adstock_theta" in other.priors
    back = with_other(given, "adstock", lambda form: form.other or form.name)
    assert back.form("adstock").name == "geometric, geometric"  # with lags of their own
    assert back.media["TV"].priors.keys() == {"saturation_beta"}
    lists = {"distribution": "LogNormal", "mu": [0.0, 1.0], "sigma": 0.2, "rationale": "x"}
    both = {name: {"saturation": "hill"} for name in ("TV", "Radio")}
    given = model(both, priors={"saturation_slope": lists})
    one = with_forms(given, media={"TV": given.media["TV"]})
    assert one.full_priors["saturation_slope"].parameters["mu"] == 0.0


@pytest.mark.parametrize("kind", ["adstock", "saturation"])
def test_every_form_has_another_that_is_there(kind) -> None:
    for form in FORMS[kind].values():
        assert not form.other or find(kind, form.other) is not form
        assert form.other or kind == "adstock"
