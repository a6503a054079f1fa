"""Build and sample one marketing mix model."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

# One thread per chain: BLAS threads on top only fight the chains for the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytensor.xtensor as ptx
import xarray as xr
from pymc_extras.prior import Prior
from pymc_marketing.mmm import (
    MMM,
    AdstockTransformation,
    BinomialAdstock,
    GeometricAdstock,
    LogisticSaturation,
    SaturationTransformation,
)
from pymc_marketing.mmm.scaling import FixedScaling, Scaling
from pymc_marketing.mmm.transformers import batched_convolution
from pymc_marketing.serialization import serialization

from mmm_demo.fits.environment import usable_cores
from mmm_demo.fits.response import LOG_3, scaling_of, standardised
from mmm_demo.fits.trace import slim
from mmm_demo.settings.experiment import ModelConfig, SamplerConfig
from mmm_demo.settings.names import variable
from mmm_demo.settings.priors import PriorConfig
from mmm_demo.tables.lift import NUMBERS

PRIOR_DRAWS = 500
LIFT_LIKELIHOOD = "lift_measurements"


# PyMC announces each step's variables; the pipeline says in its own words what it does.
logging.getLogger("pymc").setLevel(logging.WARNING)


@serialization.register  # fits are stored with it
class HalfSaturation(SaturationTransformation):
    """Michaelis-Menten in the parameters of the logistic saturation.

    The rate `lam` puts half of the saturation where the logistic one has it, at log(3) / lam, so
    the same priors say the same and only the form of the curve differs.
    """

    lookup_name = "half_saturation"
    default_priors: ClassVar[dict[str, Prior]] = LogisticSaturation.default_priors

    def function(self, x: Any, lam: Any, beta: Any, *, dim: str | None = None) -> Any:
        """Return the response to scaled spend `x`."""
        return beta * lam * x / (lam * x + LOG_3)


@serialization.register
class SShapedSaturation(HalfSaturation):
    """Hill curve of slope 2: little happens below a threshold; half of the effect at log(3) / lam.

    A slope of its own for each channel is more than weekly data can tell.
    """

    lookup_name = "s_shaped"

    def function(self, x: Any, lam: Any, beta: Any, *, dim: str | None = None) -> Any:
        """Return the response to scaled spend `x`."""
        return beta * (lam * x) ** 2 / ((lam * x) ** 2 + LOG_3**2)


SATURATIONS = {
    "logistic": LogisticSaturation,
    "michaelis_menten": HalfSaturation,
    "s_shaped": SShapedSaturation,
}
ADSTOCKS = {"geometric": GeometricAdstock, "binomial": BinomialAdstock}


class OpenGeometricAdstock(AdstockTransformation):
    """Geometric adstock whose number of weeks is data, up to `l_max`.

    Weights from that week on are zero, so mean and draws are those of the shorter adstock.
    """

    lookup_name = "open_geometric"
    default_priors: ClassVar[dict[str, Prior]] = GeometricAdstock.default_priors

    def function(self, x: Any, alpha: Any, *, dim: str) -> Any:
        """Return what works of the spend `x` along `dim`."""
        kernel = f"{dim}_kernel"
        weeks = ptx.as_xtensor(pm.Data(LAG_DATA, float(self.l_max)))
        lags = ptx.as_xtensor(pt.arange(self.l_max, dtype="float64"), dims=(kernel,))
        weights = self.weights(ptx.as_xtensor(alpha), lags, weeks) * (lags < weeks)
        weights = weights / weights.sum(dim=kernel)
        return batched_convolution(x, weights, dim=dim, kernel_dim=kernel)

    def weights(self, alpha: Any, lags: Any, weeks: Any) -> Any:
        """Return the weight of each lag; those that are too late need not be right."""
        return ptx.math.power(alpha, lags)


class OpenBinomialAdstock(OpenGeometricAdstock):
    """Binomial adstock whose number of weeks is data, up to `l_max`."""

    lookup_name = "open_binomial"

    def weights(self, alpha: Any, lags: Any, weeks: Any) -> Any:
        """Return the weight of each lag; those that are too late need not be right."""
        left = ptx.math.maximum(1 - lags / (weeks + 1), 1e-9)  # late ones must stay real numbers
        return ptx.math.power(left, 1 / alpha - 1)


OPEN_ADSTOCKS = {"geometric": OpenGeometricAdstock, "binomial": OpenBinomialAdstock}
LAG_DATA = "adstock_weeks"
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
    prior = _fixed_prior if longest_lag is None else _open_prior
    model_config = {"intercept": prior(config.priors["intercept"])}
    noise = prior(config.priors["y_sigma"])
    model_config["likelihood"] = Prior("Normal", sigma=noise, dims="date")
    if config.control_columns:
        model_config["gamma_control"] = prior(config.priors["gamma_control"], ("control",))
    if config.yearly_seasonality:
        model_config["gamma_fourier"] = prior(config.priors["gamma_fourier"], ("fourier_mode",))
    mmm = MMM(
        date_column=inside(config.date_column),
        target_column=variable(config.target_column),
        channel_columns=channels,
        control_columns=[inside(name) for name in config.control_columns] or None,
        yearly_seasonality=config.yearly_seasonality or None,
        adstock=_adstock(config, prior, longest_lag),
        saturation=SATURATIONS[config.saturation](
            priors={
                name: prior(config.priors[f"saturation_{name}"], ("channel",))
                for name in ("lam", "beta")
            }
        ),
        scaling=Scaling(
            target=FixedScaling(dims=(), value=scaling.target),
            channel=FixedScaling(dims=(), value=dict(zip(channels, scaling.channels, strict=True))),
        ),
        model_config=model_config,
    )
    mmm.build_model(features(config, table, table), target(config, table))
    if longest_lag is not None:
        mmm.model.set_data(LAG_DATA, float(config.adstock_max_lag))
    if lift_tests is not None:
        tests = lift_tests[["channel", *NUMBERS]].assign(channel=lift_tests["channel"].map(inside))
        # Normal, as a standard error means it: takes lifts of either sign and has no parameter of
        # its own. Without dates, which only media that vary in time would use.
        mmm.add_lift_test_measurements(tests, likelihood=Prior("Normal"), name=LIFT_LIKELIHOOD)
    return mmm


_MakePrior = Callable[..., Prior]


def _adstock(config: ModelConfig, prior: _MakePrior, longest: int | None) -> AdstockTransformation:
    priors = {"alpha": prior(config.priors["adstock_alpha"], ("channel",))}
    if longest is None:
        return ADSTOCKS[config.adstock](l_max=config.adstock_max_lag, priors=priors)
    return OPEN_ADSTOCKS[config.adstock](l_max=longest, priors=priors)


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


def sample_prior(config: ModelConfig, table: pd.DataFrame, seed: int) -> np.ndarray:
    """Draw sales from the prior alone; lift tests are evidence and have no part in it.

    Returns
    -------
    numpy.ndarray
        Sales in original units, shape (sample, week).
    """
    mmm = build_model(config, table)
    draws = mmm.sample_prior_predictive(
        features(config, table, table),
        target(config, table),
        samples=PRIOR_DRAWS,
        random_seed=seed,
        compile_kwargs={"mode": "FAST_COMPILE"},  # 500 draws: compiling costs more than drawing
    )
    return draws["y"].transpose("sample", "date").to_numpy() * target_scale(mmm)


def target_scale(mmm: MMM) -> float:
    """Return what the target was divided by."""
    return float(mmm.scalers["_target"])


@dataclass(frozen=True)
class Sampling:
    """A fresh trace and what it took.

    Attributes
    ----------
    trace
        Slim trace: free parameters, sampler statistics and data groups.
    seconds
        Time in the sampler, without compilation.
    compile_cache
        `warm` when every kernel came from the cache, else `cold`: it takes longer, and gives the
        same draws.
    """

    trace: xr.DataTree
    seconds: float
    compile_cache: str


def sample_posterior(
    config: ModelConfig,
    table: pd.DataFrame,
    sampler: SamplerConfig,
    *,
    target_accept: float,
    progress: bool = True,
    lift_tests: pd.DataFrame | None = None,
) -> Sampling:
    """Fit a fresh model by NUTS.

    Parameters
    ----------
    config, table
        Model and clean weekly table.
    sampler
        Draws, tuning draws, chains and seed.
    target_accept
        Target acceptance rate of this attempt.
    progress
        Show a progress bar.
    lift_tests
        Clean lift tests, which enter the likelihood and are kept in the trace.
    """
    mmm = build_model(config, table, lift_tests)
    before = _compiled_kernels()
    mmm.fit(
        features(config, table, table),
        target(config, table),
        draws=sampler.draws,
        tune=sampler.tune,
        chains=sampler.chains,
        cores=min(sampler.chains, usable_cores()),  # PyMC would leave half of them idle
        random_seed=sampler.seed,
        nuts_sampler="nutpie",
        nuts={"adaptation": "low_rank", "target_accept": target_accept},
        compute_convergence_checks=False,  # the gate does that, over the stored draws
        progressbar=progress,
    )
    free = [variable.name for variable in mmm.model.free_RVs]
    return Sampling(
        trace=slim(mmm.idata, free, config, table, lift_tests),
        seconds=float(mmm.idata.posterior.attrs["sampling_time"]),
        compile_cache="warm" if _compiled_kernels() == before else "cold",
    )


def _compiled_kernels() -> int:
    """Count the compiled kernels in PyTensor's cache."""
    return sum(1 for _ in (Path(pytensor.config.base_compiledir) / "numba").glob("*.nbc"))
