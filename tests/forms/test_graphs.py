"""Each form's array is its graph: what PyTensor makes of a form is what NumPy makes of it."""

import math

import numpy as np
import pymc as pm
import pytest
from pymc_marketing.mmm import GeometricAdstock, LogisticSaturation
from pymc_marketing.serialization import serialization
from pytensor.xtensor import as_xtensor
from scipy.stats import norm

from mmm_demo.fits.build import adstock_class, saturation_class
from mmm_demo.forms.graphs import LAG_DATA, own_adstock
from mmm_demo.forms.kinds import carried, short
from mmm_demo.forms.registry import FORMS, find

RNG = np.random.default_rng(6)
WEEKS, LAG, CHANNELS = 12, 4, 3


def values(form) -> dict[str, np.ndarray]:
    return form.pick(lambda _: RNG.uniform(0.2, 0.8, CHANNELS))


def in_graph(parameters: dict[str, np.ndarray]) -> dict[str, object]:
    return {name: as_xtensor(value, dims=("channel",)) for name, value in parameters.items()}


def evaluated(graph) -> np.ndarray:
    return graph.transpose("date", "channel").eval(mode="FAST_COMPILE")


@pytest.mark.parametrize("name", FORMS["saturation"])
def test_saturation(name) -> None:
    form, parameters = find("saturation", name), values(find("saturation", name))
    spend = RNG.uniform(0, 3, (WEEKS, CHANNELS))
    made = saturation_class(form)()
    graph = made.function(as_xtensor(spend, dims=("date", "channel")), **in_graph(parameters))
    by_name = {item.variable: parameters[short(item.name)] for item in form.parameters}
    rate, height = form.rate(by_name.get), form.height(by_name.get)
    ours = height * form.curve(rate * spend, **form.bend(by_name.get))
    assert evaluated(graph) == pytest.approx(ours, rel=1e-12)


@pytest.mark.parametrize("name", FORMS["adstock"])
@pytest.mark.parametrize("open_lag", [False, True])
def test_adstock(name, open_lag) -> None:
    form, parameters = find("adstock", name), values(find("adstock", name))
    spend = RNG.uniform(0, 9, (WEEKS, CHANNELS))
    with pm.Model() as model:
        made = adstock_class(form, open_lag)(l_max=LAG + 3 if open_lag else LAG)
        x = as_xtensor(spend, dims=("date", "channel"))
        graph = made.function(x, dim="date", **in_graph(parameters))
        if open_lag:
            model.set_data(LAG_DATA, float(LAG))
        found = evaluated(graph)
    assert found == pytest.approx(carried(spend, form.shares(LAG, **parameters)), rel=1e-9)


@pytest.mark.parametrize("name", FORMS["adstock"])
def test_our_own_class_with_a_fixed_lag_is_the_librarys(name) -> None:
    """A form that PyMC-Marketing does not have is built of its weights alone."""
    form, parameters = find("adstock", name), values(find("adstock", name))
    x = as_xtensor(RNG.uniform(0, 9, (WEEKS, CHANNELS)), dims=("date", "channel"))
    ours, theirs = (
        evaluated(made(l_max=LAG).function(x, dim="date", **in_graph(parameters)))
        for made in (own_adstock(form, open_lag=False), adstock_class(form, open_lag=False))
    )
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_normal_noise_is_its_likelihood() -> None:
    form, sigma = find("noise", "normal"), 0.3
    likelihood = form.graph(lambda _: sigma)
    assert (likelihood.distribution, likelihood.dims) == ("Normal", ("date",))
    observed, mean = RNG.normal(size=WEEKS), np.zeros(WEEKS)
    with pm.Model(coords={"date": range(WEEKS)}) as model:
        pm.Normal("y", mean, likelihood.parameters["sigma"], observed=observed, dims="date")
    graph = model.compile_logp(mode="FAST_COMPILE")({})
    assert form.log_density(observed, mean, sigma=np.array(sigma)).sum() == pytest.approx(graph)
    assert graph == pytest.approx(norm.logpdf(observed, 0, sigma).sum())


def test_the_library_s_own_classes_serve_where_it_has_the_form() -> None:
    assert saturation_class(find("saturation", "logistic")) is LogisticSaturation
    assert adstock_class(find("adstock", "geometric"), open_lag=False) is GeometricAdstock


@pytest.mark.parametrize(
    ("name", "known_as"),
    [("michaelis_menten", "HalfSaturation"), ("s_shaped", "SShapedSaturation")],
)
def test_traces_from_before_the_room_name_classes_that_are_there(name, known_as) -> None:
    """Version 0.1.0 wrote `mmm_demo.model.HalfSaturation` into the attributes of a trace."""
    made = saturation_class(find("saturation", name))
    stored = {"__type__": f"mmm_demo.model.{known_as}", "prefix": "saturation"}
    stored["priors"] = made().to_dict()["priors"]
    assert made().to_dict() == stored
    read = serialization.deserialize(stored)
    assert isinstance(read, made) and read == made()


def test_half_of_the_effect_is_at_log_3_in_the_graph_too() -> None:
    for name in ("logistic", "michaelis_menten", "s_shaped"):
        made = saturation_class(find("saturation", name))()
        half = made.function(as_xtensor(np.array(math.log(3) / 2.0)), lam=2.0, beta=1.0)
        assert half.eval(mode="FAST_COMPILE") == pytest.approx(0.5)
