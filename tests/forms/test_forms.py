"""The list of forms, and that one file and one line in it are all that a new form needs."""

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pymc as pm
import pytest
import xarray as xr

from drawn_model import DIMS, drawn_model
from helpers import PROJECT, make_experiment, small_model
from mmm_demo.checks.contraction import contraction_table
from mmm_demo.checks.identification import prior_roas
from mmm_demo.checks.pointwise import fitted_log_likelihood, log_prior
from mmm_demo.evidence.sensitivity import variants
from mmm_demo.fits.build import build_model
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.prior import prior_draws, sample_prior
from mmm_demo.fits.response import Response
from mmm_demo.fits.trace import WEEKLY_TABLE
from mmm_demo.forms.kinds import Form
from mmm_demo.forms.registry import FORMS, default, find
from mmm_demo.planning.surface import ByTotals, Media
from mmm_demo.planning.window import window_of
from mmm_demo.settings.experiment import ConfigError, ModelConfig, free_parameters, to_dict
from mmm_demo.settings.experiment_file import flat_params, from_dict, load_experiment
from mmm_demo.settings.priors import default_prior, read_prior
from toy_forms import Delayed, Hill, Root, Tailed

SOURCE = PROJECT / "src" / "mmm_demo"
ROOM = SOURCE / "forms"


def test_every_file_of_a_form_is_in_the_registry() -> None:
    files = {path.stem for kind in FORMS for path in (ROOM / kind).glob("[a-z]*.py")}
    listed = {Path(type(form).__module__.replace(".", "/")).name for _, form in every_form()}
    assert files == listed
    assert {path.name for path in ROOM.iterdir() if path.is_dir()} - {"__pycache__"} == set(FORMS)


def every_form() -> list[tuple[str, Form]]:
    return [(kind, form) for kind, forms in FORMS.items() for form in forms.values()]


def test_every_form_is_reached_by_the_name_that_an_experiment_writes() -> None:
    for kind, form in every_form():
        given = make_experiment(model=small_model(**{kind: form.name}))
        assert given.model.form(kind) is form is find(kind, form.name), form.name
        assert from_dict(to_dict(given), "again") == given, form.name
        assert flat_params(given).get(f"model.{kind}.type", default(kind)) == form.name
        for item in form.parameters:
            usual = given.model.priors.get(item.name, default_prior(item))  # without events
            assert read_prior(item, usual, 0) == usual, item.name


@pytest.mark.parametrize("kind", FORMS)
def test_an_unknown_form_is_refused_with_those_that_are_known(kind) -> None:
    with pytest.raises(ConfigError, match=f"unknown {kind} 'nonsense'; known: ") as refused:
        from_dict(to_dict(make_experiment()) | {"model": small_model(**{kind: "nonsense"})}, "x")
    assert all(name in str(refused.value) for name in FORMS[kind])
    with pytest.raises(ValueError, match=f"unknown {kind} 'Logistic'"):
        find(kind, "Logistic")


def test_a_fault_of_a_prior_is_told_together_with_that_of_a_form() -> None:
    priors = {"y_sigma": {"distribution": "HalfNormal", "sigma": -1}, "adstock_theta": {}}
    with pytest.raises(ConfigError) as refused:
        make_experiment(model=small_model(adstock="delayed", priors=priors))
    assert "unknown adstock 'delayed'" in str(refused.value)
    assert "y_sigma: sigma must be positive" in str(refused.value)
    assert "adstock_theta" not in str(refused.value)  # perhaps that form has it


def test_forms_that_there_was_one_of_leave_stored_experiments_as_they_were() -> None:
    then = {"draws": 2000, "tune": 1000, "target_accept": 0.98}  # defaults of that time
    demo = load_experiment(PROJECT / "experiments/demo.yaml", {"sampler": then})
    assert demo.fingerprint.startswith("72ac4be4")
    stored = list(to_dict(demo)["model"])
    assert stored[-4:] == ["priors", "adstock", "saturation", "scaling"]
    assert not {"baseline", "seasonality", "event_effects", "noise", "calendar"} & {*stored}
    assert not [name for name in flat_params(demo) if "noise" in name or "baseline" in name]


def test_no_other_room_asks_for_a_form_by_its_name() -> None:
    """What a form is stands in its file; elsewhere it is asked, never compared."""
    words = {"static", "normal"}  # folders of sites are static, fonts have a normal weight
    names = {form.name for _, form in every_form()} - words
    found = []
    for path in SOURCE.rglob("*.py"):
        if ROOM in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            parts = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
            parts += node.keys if isinstance(node, ast.Dict) else []
            parts += [node.slice] if isinstance(node, ast.Subscript) else []
            parts += [case.pattern for case in node.cases] if isinstance(node, ast.Match) else []
            held = {of.value for of in ast.walk(ast.List(parts)) if isinstance(of, ast.Constant)}
            found += [f"{path.name}:{node.lineno}" for _ in held & names]
    assert not found


# One file and one line


@pytest.fixture
def toys(monkeypatch) -> ModelConfig:
    """Return a model of forms that came a moment ago."""
    for kind, form in (
        ("adstock", Delayed()),
        ("saturation", Hill()),
        ("saturation", Root()),
        ("noise", Tailed()),
    ):
        monkeypatch.setitem(FORMS[kind], form.name, form)
    own = {"saturation_slope": {"distribution": "Gamma", "alpha": [4, 2], "beta": 2}}
    own["saturation_slope"]["rationale"] = "Radio is flat"
    return ModelConfig(
        channel_columns=("TV", "Radio"),
        control_columns=("Trend",),
        adstock_max_lag=4,
        yearly_seasonality=1,
        adstock="delayed",
        saturation="hill",
        noise="tailed",
        priors=own,
    )


def as_fitted(config: ModelConfig, draws: int = 20) -> FittedModel:
    """Return the model with draws of its priors in place of a posterior."""
    table = drawn_model().table
    drawn = prior_draws(config, draws, dict.fromkeys(config.priors, np.random.default_rng(2)))
    named = dict(DIMS.values())
    drawn = drawn.assign_coords(chain=[0], draw=range(draws), **named)
    weekly = xr.Dataset.from_dataframe(table.rename_axis("row"))
    return FittedModel(config, xr.DataTree.from_dict({"posterior": drawn, WEEKLY_TABLE: weekly}))


def test_a_new_form_has_its_parameters_and_priors(toys) -> None:
    names = {"adstock_theta", "saturation_slope", "y_nu"}
    assert names < {*toys.priors} and names < {*free_parameters(toys)}
    assert toys.priors["saturation_slope"].parameters == {"alpha": (4.0, 2.0), "beta": 2.0}
    assert toys.channel_parameters[:2] == ("adstock_alpha", "adstock_theta")
    with pytest.raises(ValueError, match="saturation_slope: the model has no such parameter"):
        replace(toys, saturation="logistic")
    usual = replace(toys, priors={}, saturation="hill")  # a default prior is in nobody's way
    assert "saturation_slope" not in replace(usual, saturation="root").priors
    plain = make_experiment(model=small_model(noise="tailed"))
    assert to_dict(plain)["model"]["noise"] == "tailed"
    assert flat_params(plain)["model.noise.type"] == "tailed"
    assert from_dict(to_dict(plain), "again") == plain


@pytest.mark.parametrize("saturation", ["hill", "root"])
def test_a_model_of_new_forms_is_built_and_its_arrays_are_its_graph(toys, saturation) -> None:
    priors = toys.priors if saturation == "hill" else {}
    config = replace(toys, saturation=saturation, priors=priors)
    fitted = as_fitted(config)
    for longest_lag in (None, 6):
        model = build_model(config, fitted.table, longest_lag=longest_lag).model
        shapes = model.eval_rv_shapes()
        sizes = {item.name: int(np.prod(shapes[item.name])) for item in model.free_RVs}
        assert sizes == free_parameters(config)
        graph = pm.compute_deterministics(
            fitted.response.posterior,
            model=model,
            var_names=["mu"],
            progressbar=False,
            compile_kwargs={"mode": "FAST_COMPILE"},
        )["mu"]
        theirs = graph.stack(sample=("chain", "draw")).transpose("sample", "date").to_numpy()
        ours = fitted.response.mean(fitted.table)
        np.testing.assert_allclose(ours, theirs * fitted.target_scale, rtol=1e-9)


def test_its_noise_is_the_graphs(toys) -> None:
    fitted = as_fitted(toys, draws=3)
    theirs = pm.stats.compute_log_likelihood(
        fitted.mmm.idata.copy(), model=fitted.mmm.model, var_names=["y"], progressbar=False
    )["log_likelihood"]["y"].transpose("chain", "draw", "date")
    expected = theirs.to_numpy() - np.log(fitted.target_scale)
    np.testing.assert_allclose(fitted_log_likelihood(fitted).to_numpy(), expected, rtol=1e-6)
    sales = fitted.response.sales(fitted.table, np.random.default_rng(1))
    assert sales.shape == (3, len(fitted.table)) and np.isfinite(sales).all()


def test_what_comes_after_a_fit_takes_a_new_form_as_it_is(toys) -> None:
    fitted = as_fitted(toys)
    posterior = fitted.trace["posterior"].to_dataset()
    assert np.isfinite(log_prior(posterior, toys)).all()
    assert {"adstock_theta", "y_nu"} < {*contraction_table(posterior, toys)["parameter"]}
    assert prior_roas(fitted, draws=30).shape == (30, 2)
    assert sample_prior(toys, fitted.table, seed=1, draws=9).shape == (9, len(fitted.table))
    assert [other.saturation for other in variants(toys).values()] == ["hill", "logistic", "hill"]
    assert "saturation_slope" not in variants(toys)["logistic saturation"].priors


def test_a_plan_has_its_curve_and_slope(toys) -> None:
    fitted = as_fitted(toys)
    window = window_of(fitted, 6, None, {})
    media = Media(window, fitted.response, step=2)
    surface = ByTotals(media, window.last / window.last.sum(axis=0))
    spend, step = window.current * 1.3, window.current * 1e-6
    found = surface.marginal(surface.at(spend))
    for channel in range(2):
        more, less = spend.copy(), spend.copy()
        more[channel] += step[channel]
        less[channel] -= step[channel]
        gained = surface.at(more).channels - surface.at(less).channels
        numeric = gained[channel] / (2 * step[channel])
        np.testing.assert_allclose(found[channel], numeric, rtol=1e-4)
    history = fitted.spend.to_numpy(float)
    expected = fitted.response.incremental(history, surface.weekly(spend))
    np.testing.assert_allclose(surface.at(spend).channels.T, expected[::2], rtol=1e-9)


def test_the_registry_is_as_it_was_without_the_new_forms() -> None:
    with pytest.raises(ValueError, match="unknown saturation 'hill'; known: logistic, "):
        find("saturation", "hill")
    assert isinstance(drawn_model().response, Response)
