"""Many fits of one model: compiled once, sampled again and again on other data."""

import os
from dataclasses import dataclass, replace

import numpy as np
import nutpie
import pandas as pd
import xarray as xr

from mmm_demo.config import ModelConfig
from mmm_demo.diagnostics import convergence_checks
from mmm_demo.gate import GateReport
from mmm_demo.lift import known_in, lift_sha256
from mmm_demo.limits import EvidenceConfig, GateConfig
from mmm_demo.model import MMM, build_model
from mmm_demo.response import Response, scaling_of
from mmm_demo.trace import free_parameters

CHAINS = 4
TARGET_ACCEPT, RETRY_TARGET_ACCEPT = 0.98, 0.99


@dataclass(frozen=True)
class Refit:
    """One refit and whether its sampler worked.

    Attributes
    ----------
    response
        The model with this refit's draws.
    convergence
        Checks of the convergence gate, under the project's limits.
    """

    response: Response
    convergence: GateReport

    @property
    def converged(self) -> bool:
        """Whether every convergence check passed."""
        return bool(self.convergence.checks) and not self.convergence.failures


class Refitter:
    """A compiled model that takes any weekly table of its columns, of any length.

    PyMC-Marketing freezes the data into each model, so every fit compiles anew; here the data
    stay shared variables and one compilation, at the first fit of a process, serves every refit of
    the same model. Draws are those of the same posterior (`benchmarks/battery_speed.py`).

    Parameters
    ----------
    config
        Model; priors and lag are compiled in. Without a scaling it takes the table's.
    table
        Any clean weekly table of the model.
    sampling
        Draws of each refit.
    """

    def __init__(self, config: ModelConfig, table: pd.DataFrame, sampling: EvidenceConfig) -> None:
        self.scaling = config.scaling or scaling_of(config, table)
        self.config, self.sampling = config, sampling
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
        mmm = build_model(self._fixed, table, lift_tests)
        data = {item.name: np.asarray(item.get_value()) for item in mmm.model.data_vars}
        trace = nutpie.sample(
            self._compile(mmm, lift_tests).with_data(**data),
            draws=self.sampling.draws,
            tune=self.sampling.tune,
            chains=CHAINS,
            cores=min(CHAINS, os.cpu_count() or 1),
            seed=seed,
            adaptation="low_rank",
            target_accept=target_accept,
            save_warmup=False,
            progress_bar=False,
        )
        parameters = free_parameters(self.config)
        posterior = xr.Dataset({name: trace["posterior"][name] for name in parameters})
        stats = trace["sample_stats"].to_dataset()
        judged = xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})
        checks = convergence_checks(judged, parameters, GateConfig(), CHAINS)
        return Refit(Response(self._fixed, self.scaling, posterior, table), GateReport(checks))

    def _compile(
        self, mmm: MMM, lift_tests: pd.DataFrame | None
    ) -> nutpie.compile_pymc.CompiledPyMCModel:
        """Return the model compiled with its priors and lift tests; all else is data."""
        # Lift tests are compiled in scaled, so there the scaling counts too.
        scaled = self._fixed if lift_tests is not None else replace(self._fixed, scaling=None)
        key = repr(scaled) + ("" if lift_tests is None else lift_sha256(lift_tests))
        if key not in _COMPILED:
            _COMPILED[key] = nutpie.compile_pymc_model(
                mmm.model, freeze_model=False, var_names=list(free_parameters(self.config))
            )
        return _COMPILED[key]


_COMPILED: dict[str, nutpie.compile_pymc.CompiledPyMCModel] = {}
