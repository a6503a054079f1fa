"""Draws from a model's posterior: nutpie, in the sampler's coordinates (`kernel`)."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytensor
import xarray as xr
from nutpie import sample as nuts
from pymc.backends.arviz import patch_nutpie_idata
from pymc_marketing.mmm import MMM

from mmm_demo.fits.build import build_model, features, target
from mmm_demo.fits.cores import usable_cores
from mmm_demo.fits.kernel import Kernel, compile_kernel
from mmm_demo.fits.ladder import MOST_COMPILED, Attempt, graph_key
from mmm_demo.fits.response import Response, scaling_of
from mmm_demo.fits.trace import slim
from mmm_demo.forms.kinds import INTERCEPT
from mmm_demo.settings.experiment import ModelConfig, SamplerConfig, free_parameters


@dataclass(frozen=True)
class Progress:
    """How far the chains are, all together.

    Attributes
    ----------
    done, total
        Draws, those of the warm-up included.
    warm_up
        Draws of the warm-up, of the total.
    divergences
        After the warm-up.
    """

    done: int
    total: int
    warm_up: int
    divergences: int


WatchChains = Callable[[Progress], None]


@dataclass
class Kernels:
    """Compiled kernels by `graph_key`, at most so many; the oldest makes place for a new one."""

    most: int
    kept: dict[str, Kernel] = field(default_factory=dict)

    def compiled(self, key: str, mmm: MMM) -> Kernel:
        """Return a compiled kernel with the model's data."""
        if key not in self.kept:
            if len(self.kept) >= self.most:
                del self.kept[next(iter(self.kept))]
            self.kept[key] = compile_kernel(mmm.model)
        return self.kept[key].with_data(mmm.model)


# All fits and refits of this process share these.
KERNELS = Kernels(MOST_COMPILED)


@dataclass(frozen=True)
class Draws:
    """What an attempt drew.

    Attributes
    ----------
    trace
        Groups `posterior` (free parameters, dims (chain, draw, ...), named as inside of the model
        library) and `sample_stats`.
    seconds
        Time in the sampler, without compilation.
    compile_cache
        `warm` when every function came from the cache, else `cold`: it takes longer, and gives
        the same draws.
    """

    trace: xr.DataTree
    seconds: float
    compile_cache: str


def draw(
    config: ModelConfig,
    table: pd.DataFrame,
    sampler: SamplerConfig,
    attempt: Attempt,
    *,
    lift_tests: pd.DataFrame | None = None,
    longest_lag: int | None = None,
    cores: int | None = None,
    kernels: Kernels = KERNELS,
    watch: WatchChains | None = None,
) -> Draws:
    """Sample a model once.

    Data, priors and lag are no part of what is compiled: another table of the same columns, of
    any length, needs no compilation. The same settings give the same bits in any process, on any
    number of cores.

    Parameters
    ----------
    config, table, lift_tests
        Model, clean weekly table and clean lift tests.
    sampler
        Draws, tuning draws, chains and seed.
    attempt
        How to move.
    longest_lag
        Models with a lag of up to so many weeks share one compilation; the model's own by default.
    cores
        Chains that are sampled at once; all that this process may use by default.
    kernels
        Where compiled kernels are kept.
    watch
        Is told how far the chains are, some times a second.

    Raises
    ------
    ValueError
        When the sampler cannot start.
    """
    config = replace(config, scaling=config.scaling or scaling_of(config, table))
    longest_lag = longest_lag or config.adstock_max_lag
    before = _compiled_functions()
    mmm = build_model(config, table, lift_tests, longest_lag)
    kernel = kernels.compiled(graph_key(config, lift_tests, longest_lag), mmm)
    compile_cache = "warm" if _compiled_functions() == before else "cold"
    tune = sampler.tune * attempt.longer
    started = time.perf_counter()
    try:
        trace = nuts(
            kernel.compiled,
            draws=sampler.draws,
            tune=tune,
            chains=sampler.chains,
            cores=min(sampler.chains, cores or usable_cores()),
            seed=sampler.seed,
            adaptation=attempt.adaptation,
            target_accept=attempt.target_accept,
            save_warmup=False,
            progress_bar=False,
            progress_callback=_told(watch, sampler.chains * tune) if watch else None,
        )
    except RuntimeError as error:  # with a page of stack after its first line
        why = str(error).partition("\n")[0]
        raise ValueError(f"the model cannot be sampled: {why}; look at its priors") from error
    seconds = time.perf_counter() - started
    posterior = kernel.parameters(trace["posterior"]["place"].to_numpy())
    if kernel.level:
        posterior = _intercept_back(config, posterior, table)
    trace["posterior"] = xr.DataTree(posterior)
    return Draws(trace, seconds, compile_cache)


def _intercept_back(config: ModelConfig, drawn: xr.Dataset, table: pd.DataFrame) -> xr.Dataset:
    """Return draws with the intercept where the sampler had the level."""
    spend = table[list(config.channel_columns)].to_numpy()
    shifts = []
    for chain in range(drawn.sizes["chain"]):  # one by one: each has every week of every draw
        response = Response(config, config.scaling, drawn.isel(chain=[chain]), table)
        shifts.append(response.contributions(spend).sum(axis=2).mean(axis=1))
    shift = xr.DataArray(np.stack(shifts), dims=("chain", "draw")) / config.scaling.target
    return drawn.assign({INTERCEPT.variable: drawn[INTERCEPT.variable] - shift})


def _told(watch: WatchChains, warm_up: int) -> Callable[[Any], None]:
    """Return what nutpie calls with the state of each chain."""

    def tell(chains: Any) -> None:
        watch(
            Progress(
                done=sum(chain.finished_draws for chain in chains),
                total=sum(chain.total_draws for chain in chains),
                warm_up=warm_up,
                divergences=sum(len(chain.divergent_draws) for chain in chains),
            )
        )

    return tell


def _compiled_functions() -> int:
    """Count the compiled functions in PyTensor's cache."""
    return sum(1 for _ in (Path(pytensor.config.base_compiledir) / "numba").glob("*.nbc"))


@dataclass(frozen=True)
class Sampling:
    """A fresh trace and what it took.

    Attributes
    ----------
    trace
        Slim trace: free parameters, sampler statistics and data groups.
    seconds, compile_cache
        See `Draws`.
    """

    trace: xr.DataTree
    seconds: float
    compile_cache: str


def sample_posterior(
    config: ModelConfig,
    table: pd.DataFrame,
    sampler: SamplerConfig,
    attempt: Attempt,
    *,
    lift_tests: pd.DataFrame | None = None,
    watch: WatchChains | None = None,
) -> Sampling:
    """Sample a model once, for keeps: with what PyMC-Marketing stores beside the draws.

    Parameters
    ----------
    config, table, sampler, attempt, lift_tests, watch
        See `draw`; the lift tests are kept in the trace.
    """
    drawn = draw(config, table, sampler, attempt, lift_tests=lift_tests, watch=watch)
    mmm, trace = build_model(config, table, lift_tests), drawn.trace
    patch_nutpie_idata(trace, mmm.model, drawn.seconds)
    data = mmm.create_fit_data(features(config, table, table), target(config, table))
    trace["fit_data"] = xr.DataTree(data)
    mmm.set_idata_attrs(trace)
    return Sampling(
        slim(trace, list(free_parameters(config)), config, table, lift_tests),
        drawn.seconds,
        drawn.compile_cache,
    )
