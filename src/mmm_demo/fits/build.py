"""Build one marketing mix model."""

import logging
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.xtensor as ptx
import xarray as xr
from pymc_extras.prior import Prior
from pymc_marketing.mmm import MMM
from pymc_marketing.mmm.scaling import FixedScaling, Scaling

import mmm_demo.fits.environment  # noqa: F401 - before anything is compiled
from mmm_demo.fits.likelihood import OwnLikelihood
from mmm_demo.fits.response import frame_of, scaling_of, standardised
from mmm_demo.forms.effects import effect_class, own_effect
from mmm_demo.forms.graphs import LAG_DATA, own_adstock
from mmm_demo.forms.kinds import INTERCEPT, Adstock, Form, Noise, Saturation, short
from mmm_demo.forms.parameter import Parameter
from mmm_demo.forms.registry import FORMS
from mmm_demo.settings.experiment import ModelConfig
from mmm_demo.settings.names import variable
from mmm_demo.settings.priors import CONTROL_EFFECT, PriorConfig
from mmm_demo.tables.lift import NUMBERS

# PyMC announces each step's variables; the pipeline says in its own words what it does.
logging.getLogger("pymc").setLevel(logging.WARNING)

LIFT_LIKELIHOOD = "lift_measurements"
# Names that PyMC-Marketing gives to parts of its own, and refuses or mixes up as a column's.
TAKEN = frozenset({"y", "channel"})


@dataclass(frozen=True)
class OpenValue:
    """A prior's value as data of the model: another value needs no compilation."""

    value: Any
    dims: tuple[str, ...]

    def create_variable(self, name: str, xdist: bool = False) -> Any:
        """Return the value as data of the model that is being built."""
        return ptx.as_xtensor(pm.Data(name, self.value, dims=self.dims or None), dims=self.dims)


def build_model(
    config: ModelConfig,
    table: pd.DataFrame,
    lift_tests: pd.DataFrame | None = None,
    longest_lag: int | None = None,
) -> MMM:
    """Build a fresh model with its data.

    A model is built once per use and never reused: PyMC-Marketing silently keeps the data of the
    first build, so a second fit of one instance would train on the wrong table.

    Parameters
    ----------
    config
        Columns, lag, saturation, seasonality, priors and scaling.
    table
        Clean weekly table (see `contract.validate_table`); controls are standardised here.
    lift_tests
        Clean lift tests (see `lift.validate_lift_tests`), which enter the likelihood.
    longest_lag
        Makes lag (up to this many weeks) and priors data of the model, for many fits with one
        compilation; the posterior is the same. Omitted, they are constants, which sample faster.
    """
    scaling = config.scaling or scaling_of(config, table)
    channels = [inside(name) for name in config.channel_columns]
    make = _fixed_prior if longest_lag is None else _open_prior

    def prior(parameter: Parameter) -> Prior:
        return make(config.priors[parameter.name], (parameter.dim,) if parameter.dim else ())

    def priors(form: Form) -> dict[str, Prior]:
        return {short(item.name): prior(item) for item in form.parameters}

    def likelihood(noise: Noise) -> Any:
        own = {item.name: prior(item) for item in noise.parameters}
        return noise.graph(prior) or OwnLikelihood(noise, own)

    adstock, saturation = config.form("adstock"), config.form("saturation")
    modes = config.yearly_seasonality
    parts = config.form("baseline").graph(prior, modes)
    model_config = parts.pop("model_config") | {"likelihood": likelihood(config.form("noise"))}
    if config.control_columns:
        model_config["gamma_control"] = prior(CONTROL_EFFECT)
    if modes:
        parts |= config.form("seasonality").graph(prior, modes)
        model_config |= parts.pop("model_config")
    mmm = MMM(
        date_column=inside(config.date_column),
        target_column=variable(config.target_column),
        channel_columns=channels,
        control_columns=[inside(name) for name in config.control_columns] or None,
        adstock=adstock_class(adstock, longest_lag is not None)(
            l_max=longest_lag or config.adstock_max_lag, priors=priors(adstock)
        ),
        saturation=saturation_class(saturation)(priors=priors(saturation)),
        scaling=Scaling(
            target=FixedScaling(dims=(), value=scaling.target),
            channel=FixedScaling(dims=(), value=dict(zip(channels, scaling.channels, strict=True))),
        ),
        model_config=model_config,
        **parts,
    )
    for kind in ("baseline", "event_effects"):
        form = config.form(kind)
        if form.dim and (kind == "baseline" or config.calendar):
            own = {item.name: prior(item) for item in form.parameters if item is not INTERCEPT}
            mmm.mu_effects.append(own_effect(form, frame_of(config, table), own))
    mmm.build_model(features(config, table, table), target(config, table))
    if longest_lag is not None:
        mmm.model.set_data(LAG_DATA, float(config.adstock_max_lag))
    if lift_tests is not None:
        tests = lift_tests[["channel", *NUMBERS]].assign(channel=lift_tests["channel"].map(inside))
        # Normal, as a standard error means it: takes lifts of either sign and has no parameter of
        # its own. Without dates, which only media that vary in time would use.
        mmm.add_lift_test_measurements(tests, likelihood=Prior("Normal"), name=LIFT_LIKELIHOOD)
    return mmm


@cache
def saturation_class(form: Saturation) -> type:
    """Return PyMC-Marketing's class of a saturation."""
    return form.graph()


@cache
def adstock_class(form: Adstock, open_lag: bool) -> type:
    """Return PyMC-Marketing's class of an adstock, see `own_adstock`."""
    return (None if open_lag else form.library()) or own_adstock(form, open_lag)


# Once there is a class, PyMC-Marketing can load the traces that name it.
for _form in FORMS["saturation"].values():
    saturation_class(_form)
for _form in FORMS["adstock"].values():
    adstock_class(_form, open_lag=False)
effect_class()


def _fixed_prior(prior: PriorConfig, dims: tuple[str, ...] = ()) -> Prior:
    parameters = {
        name: xr.DataArray(list(value), dims=dims) if isinstance(value, tuple) else value
        for name, value in prior.parameters.items()
    }
    return Prior(prior.distribution, dims=dims, **parameters)


def _open_prior(prior: PriorConfig, dims: tuple[str, ...] = ()) -> Prior:
    parameters = {
        name: OpenValue(np.array(value), dims if isinstance(value, tuple) else ())
        for name, value in prior.parameters.items()
    }
    return Prior(prior.distribution, dims=dims, **parameters)


def features(config: ModelConfig, weeks: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """Return the model's inputs for `weeks`, controls standardised by the training weeks."""
    controls = list(config.control_columns)
    features = weeks[[config.date_column, *config.channel_columns, *controls]].copy()
    features[controls] = standardised(features[controls], training[controls])
    return features.rename(columns=inside)


def target(config: ModelConfig, table: pd.DataFrame) -> pd.Series:
    """Return sales as the model takes them."""
    return table[config.target_column].rename(variable(config.target_column))


def inside(column: str) -> str:
    """Return what a column is called inside of the model library."""
    return variable(column, TAKEN)


def target_scale(mmm: MMM) -> float:
    """Return what the target was divided by."""
    return float(mmm.scalers["_target"])
