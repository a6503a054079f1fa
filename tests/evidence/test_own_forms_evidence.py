"""Batteries where channels differ: the model's neighbours, and a placebo with a channel's forms."""

import pytest

from mmm_demo.evidence.placebo import _with_channel, free_name
from mmm_demo.evidence.sensitivity import variants
from mmm_demo.fits.response import scaling_of
from mmm_demo.settings.experiment import free_parameters
from own_forms import LARGE, MEDIA, STEEP, as_fitted, own_forms, own_model


def forms(config) -> tuple[str, str]:
    return config.form("adstock").name, config.form("saturation").name


def test_neighbours_are_those_of_each_channels_own_forms() -> None:
    found = variants(own_model(MEDIA))
    assert list(found) == [
        "lag of 2 and 3 weeks",
        "geometric adstock",
        "logistic saturation",
        "2 seasonal modes",
    ]
    lags, adstock, saturation, _ = found.values()
    assert lags.form("adstock").lags == (3, 2, 1)
    assert adstock.form("adstock").lags == (6, 4, 4)
    assert forms(adstock) == ("geometric, geometric, geometric", "hill, hill, linear")
    assert forms(saturation) == ("delayed, geometric, none", "logistic")
    assert "saturation_slope" not in free_parameters(saturation)
    assert saturation.media["Search"].priors  # its height is still a parameter
    spend = own_forms().spend.to_numpy()
    for config in (lags, adstock, saturation):
        assert as_fitted(config, draws=3).response.roas(spend).shape == (3, 3)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, ["lag of 2 weeks", "michaelis-menten saturation"]),
        ({"saturation": "hill"}, ["lag of 2 weeks", "logistic saturation"]),
        ({"adstock": "delayed"}, ["lag of 2 weeks", "geometric adstock",
                                  "michaelis-menten saturation"]),
        ({"adstock": "none", "saturation": "linear"}, ["geometric adstock", "logistic saturation"]),
        (
            {"media": {"TV": {"saturation": "hill"}}},
            ["lag of 2 weeks", "logistic and michaelis-menten saturation"],
        ),
    ],
)  # fmt: skip
def test_neighbours_of_one_form_for_all(settings, names) -> None:
    found = variants(own_model(settings.pop("media", {}), **settings))
    assert list(found) == [*names, "2 seasonal modes"]
    assert all(config != own_model({}, **settings) for config in found.values())


@pytest.mark.parametrize("source", ["TV", "Radio", "Search"])
def test_a_placebo_has_its_sources_forms_and_priors(source) -> None:
    lists = {"distribution": "LogNormal", "mu": [0.1, 0.2], "sigma": 0.3, "rationale": "two"}
    config = own_model(MEDIA, priors={"saturation_slope": lists})
    extended = _with_channel(config, source)
    placebo, place = free_name(config.columns), config.channel_columns.index(source)
    assert extended.channel_columns == (*config.channel_columns, placebo)
    for kind in ("adstock", "saturation"):
        of = extended.form(kind).forms
        assert of[-1] is of[place] is config.form(kind).forms[place]
    slope = extended.full_priors["saturation_slope"].parameters["mu"]
    assert slope == (0.1, STEEP["mu"], *{"TV": [0.1], "Radio": [STEEP["mu"]]}.get(source, []))
    assert free_parameters(extended)["saturation_slope"] == len(slope)
    beta = extended.full_priors["saturation_beta"].parameters["sigma"]
    assert beta[-1] == (LARGE["sigma"] if source == "Search" else 0.25)
    table = own_forms().table.assign(**{placebo: own_forms().table[source]})
    assert len(scaling_of(extended, table).channels) == 4
