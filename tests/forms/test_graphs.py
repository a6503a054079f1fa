"""Each form's array is its graph: what PyTensor makes of a form is what NumPy makes of it."""

import math
from itertools import combinations
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from pymc_marketing.mmm import GeometricAdstock, LogisticSaturation
from pymc_marketing.mmm.transformers import delayed_adstock
from pymc_marketing.serialization import serialization
from pytensor import function
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.xtensor import as_xtensor
from scipy.stats import norm

from mmm_demo.fits.build import adstock_class, saturation_class
from mmm_demo.forms.graphs import LAG_DATA, own_adstock
from mmm_demo.forms.kinds import Form, carried, short
from mmm_demo.forms.mixed import MixedAdstock, mixed
from mmm_demo.forms.mixed_graphs import ByChannel
from mmm_demo.forms.registry import FORMS, find

RNG = np.random.default_rng(6)
WEEKS, LAG, CHANNELS = 12, 4, 3


def values(form) -> dict[str, np.ndarray]:
    return form.pick(lambda _: RNG.uniform(0.2, 0.8, CHANNELS))


def in_graph(parameters: dict[str, np.ndarray]) -> dict[str, object]:
    return {name: as_xtensor(value, dims=("channel",)) for name, value in parameters.items()}


def evaluated(graph) -> np.ndarray:
    return graph.transpose("date", "channel").eval(mode="FAST_COMPILE")


def mixes(kind: str) -> list[Form]:
    """Return every form, and every pair of them with one channel between the other's two."""
    own = list(FORMS[kind].values())
    pairs = [mixed(kind, (one, other, one), (LAG,) * 3) for one, other in combinations(own, 2)]
    return own + pairs


def sizes(form: Form) -> dict[str, int]:
    return {
        short(item.name): CHANNELS if item.only is None else len(item.only)
        for item in form.parameters
    }


def drawn(form: Form) -> dict[str, np.ndarray]:
    """Return values by trace name, of the channels that have the parameter."""
    return {
        item.variable: RNG.uniform(0.2, 0.8, sizes(form)[short(item.name)])
        for item in form.parameters
    }


def given(made: Any, form: Form, values: dict[str, np.ndarray]) -> tuple[dict, list]:
    """Return what the graph's function takes, and those of it that are parameters."""
    everywhere = form.pick(values.get)
    vectors = {name: pt.vector(name, shape=(CHANNELS,)) for name in everywhere}
    free = {name: as_xtensor(of, dims=("channel",)) for name, of in vectors.items()}
    told = {
        name: as_xtensor(np.array(prior.values, dtype=float), dims=("channel",))
        for name, prior in made.function_priors.items()
        if isinstance(prior, ByChannel)
    }
    return free | told, list(vectors.values())


@pytest.mark.parametrize("form", mixes("saturation"), ids=lambda form: form.name)
def test_saturation_its_slope_and_its_gradient_at_no_spend(form) -> None:
    values, spend = drawn(form), RNG.uniform(0.05, 3, (WEEKS, CHANNELS))
    made = saturation_class(form)()
    matrix = pt.matrix("x", shape=spend.shape)
    x = as_xtensor(matrix, dims=("date", "channel"))
    arguments, free = given(made, form, values)
    graph = made.function(x, **arguments).transpose("date", "channel").values
    graph = rewrite_graph(graph, include=("lower_xtensor",))  # which alone has gradients
    gradients = pt.grad(graph.sum(), [matrix, *free])
    run = function([matrix, *free], [graph, *gradients], mode="FAST_COMPILE")
    found, slope, *_ = run(spend, *form.pick(values.get).values())
    rate, height = (np.broadcast_to(of(values.get), CHANNELS) for of in (form.rate, form.height))
    bend = {name: of[None] for name, of in form.bend(values.get).items()}
    reached = form.curve(rate * spend, **bend)
    np.testing.assert_allclose(found, height * reached, rtol=1e-8, atol=0)
    ours = height * rate * form.slope(rate * spend, reached, **bend)
    np.testing.assert_allclose(slope, ours, rtol=1e-8, atol=1e-12)
    spend[:3] = 0.0
    at_nothing = run(spend, *form.pick(values.get).values())
    assert all(np.isfinite(part).all() for part in at_nothing)
    assert (at_nothing[0][:3] == 0).all()


@pytest.mark.parametrize("form", mixes("adstock"), ids=lambda form: form.name)
@pytest.mark.parametrize("open_lag", [False, True])
def test_adstock(form, open_lag) -> None:
    values, spend = drawn(form), RNG.uniform(0, 9, (WEEKS, CHANNELS))
    several = isinstance(form, MixedAdstock)
    with pm.Model(coords={"channel": range(CHANNELS)}) as model:
        made = adstock_class(form, open_lag)(l_max=LAG + 3 if open_lag or several else LAG)
        if several:
            made.function_priors["weeks"] = ByChannel(form.lags)
        x = as_xtensor(spend, dims=("date", "channel"))
        arguments, free = given(made, form, values)
        graph = made.function(x, dim="date", **arguments)
        if LAG_DATA in model.named_vars:
            model.set_data(LAG_DATA, float(LAG))
        picked = form.pick(values.get)
        graph = graph.transpose("date", "channel").values
        found = function(free, graph, mode="FAST_COMPILE")(*picked.values())
    shares = np.broadcast_to(form.shares(LAG, **picked), (LAG, CHANNELS))
    np.testing.assert_allclose(found, carried(spend, shares), rtol=1e-8)


def test_a_lag_of_its_own_ends_a_channels_weights() -> None:
    geometric = find("adstock", "geometric")
    form = mixed("adstock", (geometric, find("adstock", "delayed")), (2, 6))
    shares = form.shares(6, alpha=np.array([0.5, 0.5]), theta=np.array([1.0, 2.0]))
    assert shares[:, 0] == pytest.approx([2 / 3, 1 / 3, 0, 0, 0, 0])
    assert shares[:, 1].argmax() == 2 and shares.sum(axis=0) == pytest.approx(1)
    alone = mixed("adstock", (geometric, geometric), (2, 6))
    assert isinstance(alone, MixedAdstock) and alone.parameters[0].only is None
    assert mixed("adstock", (geometric, geometric), (6, 6)) is geometric


def test_delayed_is_the_librarys() -> None:
    form, spend = find("adstock", "delayed"), RNG.uniform(0, 9, (WEEKS, 2))
    alpha, theta = np.array([0.3, 0.9]), np.array([0.4, 2.7])
    theirs = delayed_adstock(
        as_xtensor(spend, dims=("date", "channel")),
        as_xtensor(alpha, dims=("channel",)),
        as_xtensor(theta, dims=("channel",)),
        l_max=LAG,
        normalize=True,
        dim="date",
    )
    ours = carried(spend, form.shares(LAG, alpha=alpha, theta=theta))
    np.testing.assert_allclose(ours, evaluated(theirs), rtol=1e-8)


@pytest.mark.parametrize("name", ["geometric", "binomial"])
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
    for name in ("logistic", "michaelis_menten", "s_shaped", "hill"):
        form = find("saturation", name)
        bend = dict.fromkeys(form.bend(lambda _: np.ones(1)), 1.7)
        made = saturation_class(form)()
        half = made.function(as_xtensor(np.array(math.log(3) / 2.0)), lam=2.0, beta=1.0, **bend)
        assert half.eval(mode="FAST_COMPILE") == pytest.approx(0.5)
