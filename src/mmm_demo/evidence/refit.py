"""Many fits of one model: compiled once, sampled again and again on other data."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from mmm_demo.checks.convergence import convergence_checks
from mmm_demo.checks.gate import GateReport
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.response import Response, scaling_of
from mmm_demo.fits.trace import SAMPLE_STATS, WEEKLY_TABLE, as_written, stored_table
from mmm_demo.settings.experiment import ModelConfig, free_parameters
from mmm_demo.settings.limits import EvidenceConfig, GateConfig
from mmm_demo.tables.lift import known_in, lift_sha256

# Libraries that build and sample models take seconds to import. Whoever only reads what refits
# left behind, as every plan does, never pays them.
if TYPE_CHECKING:
    from nutpie.compile_pymc import CompiledPyMCModel

    from mmm_demo.fits.build import MMM

CHAINS = 4
TARGET_ACCEPT, RETRY_TARGET_ACCEPT = 0.98, 0.99
MOST_COMPILED = 12  # graphs in one process that fit into 1.2 GB; none is ever given back


@dataclass(frozen=True)
class Refit:
    """One refit and whether its sampler worked.

    Attributes
    ----------
    response
        The model with this refit's draws.
    convergence
        Checks of the convergence gate, under the project's limits.
    sample_stats
        What the sampler tells about each draw.
    """

    response: Response
    convergence: GateReport
    sample_stats: xr.Dataset = field(default_factory=xr.Dataset)

    @property
    def converged(self) -> bool:
        """Whether every convergence check passed."""
        return bool(self.convergence.checks) and not self.convergence.failures

    def fitted(self) -> FittedModel:
        """Return the refit as a fitted model, to plan and to take apart."""
        weeks = stored_table(self.response.training)
        groups = {"posterior": self.response.posterior, "sample_stats": self.sample_stats}
        tree = xr.DataTree.from_dict(groups | {WEEKLY_TABLE: weeks})
        return FittedModel(self.response.config, tree)


@dataclass
class Graphs:
    """Compiled graphs by `graph_key`, at most so many; the oldest makes place for a new one."""

    most: int
    kept: dict[str, tuple["CompiledPyMCModel", "MMM"]] = field(default_factory=dict)

    def compiled(
        self, key: str, mmm: "MMM", parameters: Sequence[str]
    ) -> tuple["CompiledPyMCModel", "MMM"]:
        """Return a compiled graph, and the model that it was compiled from."""
        import nutpie

        if key not in self.kept:
            if len(self.kept) >= self.most:
                del self.kept[next(iter(self.kept))]
            graph = nutpie.compile_pymc_model(
                mmm.model, freeze_model=False, var_names=list(parameters)
            )
            self.kept[key] = graph, mmm
        return self.kept[key]


# Every refitter of this process shares these: a sweep has one for each trial.
GRAPHS = Graphs(MOST_COMPILED)


class Refitter:
    """A compiled model that takes any weekly table of its columns, of any length.

    PyMC-Marketing freezes the data into each model, so every fit compiles anew; here the data
    stay shared variables and one compilation, at the first fit of a process, serves every refit of
    the same model. Draws are those of the same posterior (`benchmarks/battery_speed.py`).

    Parameters
    ----------
    config
        Model. Without a scaling it takes the table's.
    table
        Any clean weekly table of the model.
    sampling
        Draws of each refit.
    longest_lag
        Models with a lag of up to so many weeks share one compilation; the model's own by default.
    cores
        Chains that are sampled at once; all that this process may use by default.
    graphs
        Where compiled graphs are kept.
    """

    def __init__(
        self,
        config: ModelConfig,
        table: pd.DataFrame,
        sampling: EvidenceConfig,
        longest_lag: int | None = None,
        cores: int | None = None,
        graphs: Graphs = GRAPHS,
    ) -> None:
        from mmm_demo.fits.environment import usable_cores

        self.scaling = config.scaling or scaling_of(config, table)
        self.config, self.sampling = config, sampling
        self.longest_lag = longest_lag or config.adstock_max_lag
        if config.adstock_max_lag > self.longest_lag:  # later weeks would be cut off unseen
            raise ValueError(
                f"a lag of {config.adstock_max_lag} weeks is longer than the longest, "
                f"{self.longest_lag}"
            )
        self.cores = cores or min(CHAINS, usable_cores())
        self.graphs = graphs
        self._fixed = replace(config, scaling=self.scaling)

    def fit(self, table: pd.DataFrame, seed: int, lift_tests: pd.DataFrame | None = None) -> Refit:
        """Fit the model to another table; one that does not converge gets one careful retry.

        Parameters
        ----------
        table
            Clean weekly table.
        seed
            Of the sampler.
        lift_tests
            Clean lift tests; those after the table's last week are not known yet and stay out.

        Raises
        ------
        ValueError
            When the table has empty or infinite numbers, or the sampler cannot start.
        """
        numbers = table.select_dtypes("number")
        if bad := [name for name in numbers if not np.isfinite(numbers[name]).all()]:
            # PyMC-Marketing would read them as 0 and converge.
            raise ValueError(f"the table to refit has empty or infinite {', '.join(bad)}")
        if lift_tests is not None:
            lift_tests = known_in(lift_tests, table[self.config.date_column])
        for target_accept in (TARGET_ACCEPT, RETRY_TARGET_ACCEPT):
            refit = self._attempt(table, seed, target_accept, lift_tests)
            if refit.converged:
                break
        return refit

    def _attempt(
        self,
        table: pd.DataFrame,
        seed: int,
        target_accept: float,
        lift_tests: pd.DataFrame | None,
    ) -> Refit:
        import nutpie

        from mmm_demo.fits.build import build_model

        mmm = build_model(self._fixed, table, lift_tests, self.longest_lag)
        compiled = self._compile(mmm, lift_tests)
        try:
            trace = nutpie.sample(
                compiled,
                draws=self.sampling.draws,
                tune=self.sampling.tune,
                chains=CHAINS,
                cores=self.cores,
                seed=seed,
                adaptation="low_rank",
                target_accept=target_accept,
                save_warmup=False,
                progress_bar=False,
            )
        except RuntimeError as error:  # with a page of stack after its first line
            why = str(error).partition("\n")[0]
            raise ValueError(f"the model cannot be sampled: {why}; look at its priors") from error
        parameters = free_parameters(self.config)
        posterior = as_written(
            xr.Dataset({name: trace["posterior"][name] for name in parameters}), self.config
        )
        stats = trace["sample_stats"].to_dataset()
        judged = xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})
        checks = convergence_checks(judged, parameters, GateConfig(), CHAINS)
        response = Response(self._fixed, self.scaling, posterior, table)
        kept = stats[[name for name in SAMPLE_STATS if name in stats]]
        return Refit(response, GateReport(checks), kept)

    def _compile(self, mmm: "MMM", lift_tests: pd.DataFrame | None) -> "CompiledPyMCModel":
        """Return the compiled graph with the model's values of data, lag and priors."""
        key = graph_key(self._fixed, lift_tests, self.longest_lag)
        compiled, first = self.graphs.compiled(key, mmm, list(free_parameters(self.config)))
        data = {item.name: np.asarray(item.get_value()) for item in mmm.model.data_vars}
        # Chains start near the priors of the model that was compiled: without this, draws would
        # hang on which model a process met first.
        for item in first.model.data_vars:
            item.set_value(data[item.name])
        return compiled.with_data(**data)


def graph_key(config: ModelConfig, lift_tests: pd.DataFrame | None, longest_lag: int) -> str:
    """Return what a compilation hangs on: two models with the same key share it."""
    priors = {
        name: (prior.distribution, {n: np.shape(value) for n, value in prior.parameters.items()})
        for name, prior in config.priors.items()
    }
    # Lift tests are compiled in scaled, so there the scaling counts too.
    scaling = None if lift_tests is None else config.scaling
    shape = replace(config, priors={}, scaling=scaling, adstock_max_lag=longest_lag)
    tests = "" if lift_tests is None else lift_sha256(lift_tests)
    return repr((shape, priors, tests))
