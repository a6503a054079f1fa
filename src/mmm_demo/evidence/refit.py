"""Many fits of one model: compiled once, sampled again and again on other data."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from mmm_demo.checks.convergence import convergence_checks
from mmm_demo.checks.gate import GateReport
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.ladder import Attempt, ladder
from mmm_demo.fits.response import Response, scaling_of
from mmm_demo.fits.trace import SAMPLE_STATS, WEEKLY_TABLE, as_written, stored_table
from mmm_demo.settings.experiment import ModelConfig, SamplerConfig, free_parameters
from mmm_demo.settings.limits import EvidenceConfig, GateConfig
from mmm_demo.tables.lift import known_in

# Libraries that build and sample models take seconds to import. Whoever only reads what refits
# left behind, as every plan does, never pays them.
if TYPE_CHECKING:
    from mmm_demo.fits.sampler import Kernels


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


class Refitter:
    """A compiled model that takes any weekly table of its columns, of any length.

    One compilation, at the first fit of a process, serves every refit of the same model
    (`fits.sampler`), and the same settings give the draws of a fit.

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
    kernels
        Where compiled kernels are kept; those of this process by default.
    """

    def __init__(
        self,
        config: ModelConfig,
        table: pd.DataFrame,
        sampling: EvidenceConfig,
        longest_lag: int | None = None,
        cores: int | None = None,
        kernels: "Kernels | None" = None,
    ) -> None:
        from mmm_demo.fits.sampler import KERNELS

        self.scaling = config.scaling or scaling_of(config, table)
        self.config, self.sampling = config, sampling
        self.longest_lag = longest_lag or config.longest_lag
        if config.longest_lag > self.longest_lag:  # later weeks would be cut off unseen
            raise ValueError(
                f"a lag of {config.longest_lag} weeks is longer than the longest, "
                f"{self.longest_lag}"
            )
        self.cores, self.kernels = cores, kernels or KERNELS
        self._fixed = replace(config, scaling=self.scaling)

    def fit(self, table: pd.DataFrame, seed: int, lift_tests: pd.DataFrame | None = None) -> Refit:
        """Fit the model to another table; one that does not converge is tried in other ways.

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
        sampler = SamplerConfig(draws=self.sampling.draws, tune=self.sampling.tune, seed=seed)
        for attempt in ladder(sampler.target_accept):
            refit = self._attempt(table, sampler, attempt, lift_tests)
            if refit.converged:
                break
        return refit

    def _attempt(
        self,
        table: pd.DataFrame,
        sampler: SamplerConfig,
        attempt: Attempt,
        lift_tests: pd.DataFrame | None,
    ) -> Refit:
        from mmm_demo.fits.sampler import draw

        drawn = draw(
            self._fixed,
            table,
            sampler,
            attempt,
            lift_tests=lift_tests,
            longest_lag=self.longest_lag,
            cores=self.cores,
            kernels=self.kernels,
        ).trace
        posterior = as_written(drawn["posterior"].to_dataset(), self.config)
        stats = drawn["sample_stats"].to_dataset()
        judged = xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})
        parameters = free_parameters(self.config)
        checks = convergence_checks(judged, parameters, GateConfig(), sampler.chains)
        response = Response(self._fixed, self.scaling, posterior, table)
        kept = stats[[name for name in SAMPLE_STATS if name in stats]]
        return Refit(response, GateReport(checks), kept)
