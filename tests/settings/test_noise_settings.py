"""Settings of the noise: off they leave no trace, on they have priors, wrong they are told."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from helpers import PROJECT, make_experiment, refusal, small_model
from mmm_demo.fits.ladder import graph_key
from mmm_demo.fits.prior import prior_distribution
from mmm_demo.settings.experiment import free_parameters, to_dict, with_forms
from mmm_demo.settings.experiment_file import flat_params, from_dict, load_experiment, to_yaml

USUAL = make_experiment()
RHO = {"y_rho": {"distribution": "Beta", "alpha": 4, "beta": 2, "rationale": "weekly subscribers"}}


def of(**settings: object):
    return make_experiment(model=small_model(**settings))


@pytest.mark.parametrize("off", [{"noise": "normal"}, {"autocorrelation": False}], ids=str)
def test_what_is_off_leaves_no_trace(off) -> None:
    given = of(**off)
    assert given == USUAL and given.fingerprint == USUAL.fingerprint
    assert to_yaml(given) == to_yaml(USUAL) and flat_params(given) == flat_params(USUAL)
    for word in ("autocorrelation", "noise", "y_rho", "y_nu"):
        assert word not in to_yaml(given) and word not in str(flat_params(given))
    assert graph_key(given.model, None, 8) == graph_key(USUAL.model, None, 8)


def test_the_demo_is_the_experiment_that_it_was() -> None:
    then = {"draws": 2000, "tune": 1000, "target_accept": 0.98}  # defaults of that time
    demo = load_experiment(PROJECT / "experiments/demo.yaml", {"sampler": then})
    assert demo.fingerprint.startswith("72ac4be4")
    assert list(free_parameters(demo.model))[-3:] == ["y_sigma", "gamma_control", "gamma_fourier"]


@pytest.mark.parametrize(
    ("settings", "written", "params"),
    [
        (
            {"noise": "student_t"},
            {"noise": "student_t"},
            {"model.noise.type": "student_t", "prior.y_nu_above_2": "LogNormal(mu=2, sigma=1)"},
        ),
        (
            {"autocorrelation": True},
            {"autocorrelation": True},
            {"model.autocorrelation": "true", "prior.y_rho": "Beta(alpha=2, beta=2)"},
        ),
    ],
)
def test_what_is_on_is_written_and_read_back(settings, written, params) -> None:
    given = of(**settings)
    plain = to_dict(given)["model"]
    assert {name: plain[name] for name in written} == written
    assert {*plain} - {*to_dict(USUAL)["model"]} == {*written}
    assert from_dict(to_dict(given), "again") == given
    assert given.fingerprint != USUAL.fingerprint
    said = flat_params(given)
    assert {name: said[name] for name in params} == params
    assert {*said} - {*flat_params(USUAL)} == {*params}
    assert graph_key(given.model, None, 8) != graph_key(USUAL.model, None, 8)
    assert {*free_parameters(given.model)} - {*free_parameters(USUAL.model)} == {
        name.removeprefix("prior.") for name in params if name.startswith("prior.")
    }


@pytest.mark.parametrize("given", ["yes", "true", 1, 0, None, 0.5, "ar1", [True]], ids=str)
def test_a_switch_that_is_neither_true_nor_false_is_refused(given) -> None:
    said = refusal(model=small_model(autocorrelation=given))
    assert f"model.autocorrelation: must be true or false, got {given!r}" in said
    assert len(said.splitlines()) == 2


def test_an_unknown_noise_names_those_that_are_known() -> None:
    said = refusal(model=small_model(noise="studentt"))
    assert "model.noise: unknown noise 'studentt'; known: normal, student_t" in said


def test_a_prior_of_its_own_needs_a_reason_and_the_switch() -> None:
    given = of(autocorrelation=True, priors=RHO)
    assert given.model.priors["y_rho"].parameters == {"alpha": 4.0, "beta": 2.0}
    bare = {"y_rho": {name: RHO["y_rho"][name] for name in ("distribution", "alpha", "beta")}}
    assert "say why: `rationale`" in refusal(model=small_model(autocorrelation=True, priors=bare))
    assert "y_rho: the model has no such parameter" in refusal(model=small_model(priors=RHO))
    normal = {"y_rho": {"distribution": "Normal", "mu": 0, "sigma": 1, "rationale": "either way"}}
    said = refusal(model=small_model(autocorrelation=True, priors=normal))
    assert "y_rho: distribution 'Normal' not possible; valid: Beta" in said
    # Whether the model has it is not known where the switch itself is wrong.
    said = refusal(model=small_model(autocorrelation="on", priors=RHO))
    assert "y_rho" not in said and "must be true or false" in said


def test_other_forms_keep_the_noise_and_its_priors() -> None:
    model = of(autocorrelation=True, noise="student_t", priors=RHO).model
    other = with_forms(model, saturation="s_shaped")
    assert (other.noise, other.autocorrelation) == ("student_t", True)
    assert other.priors["y_rho"] == model.priors["y_rho"]
    plain = with_forms(model, noise="normal")
    assert plain.autocorrelation and "y_nu_above_2" not in plain.priors
    with pytest.raises(ValueError, match="y_rho: the model has no such parameter"):
        replace(model, autocorrelation=False)


def test_default_priors_say_what_they_are_said_to_say() -> None:
    model = of(autocorrelation=True, noise="student_t").model
    rho = prior_distribution(model.priors["y_rho"])
    assert rho.cdf(0.9) - rho.cdf(0.1) == pytest.approx(0.94, abs=0.01)
    tail = prior_distribution(model.priors["y_nu_above_2"])
    assert 2 + tail.median() == pytest.approx(9.4, abs=0.05)
    assert tail.sf(40 - 2) == pytest.approx(0.05, abs=0.01)
    # At 40 degrees of freedom a week of three standard deviations is hardly more likely.
    assert stats.t(40).sf(3) / stats.norm.sf(3) < 2 and np.isfinite(tail.mean())
