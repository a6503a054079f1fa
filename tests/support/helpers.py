"""Values that several test modules build on."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from mmm_demo.checks.gate import REQUIRED, Check, GateReport
from mmm_demo.settings.experiment import ConfigError, ExperimentConfig, ModelConfig
from mmm_demo.settings.experiment_file import from_dict

PROJECT = Path(__file__).parents[2]
PYTHON = sys.executable
STAGE = {
    "prior_extreme_share": "prior",
    "coverage_94": "posterior_predictive",
    "decomposition_gap": "decomposition",
}
GOOD_VALUES = {
    "prior_extreme_share": 0.03,
    "rhat_max": 1.002,
    "ess_bulk_min": 2400.0,
    "ess_tail_min": 1900.0,
    "divergences": 0.0,
    "chains": 4.0,
    "bfmi_min": 0.9,
    "max_depth_share": 0.0,
    "coverage_94": 0.95,
    "decomposition_gap": 1e-12,
}
# A stricter value of every limit of the gate, and of what is the user's choice.
TIGHTER: dict[str, Any] = {
    "rhat_max": 1.005,
    "ess_bulk_min": 1000.0,
    "ess_tail_min": 800.0,
    "chains_min": 6,
    "prior_extreme_share_max": 0.1,
    "prior_extreme_multiple": 3.0,
    "bfmi_min": 0.5,
    "max_depth_share_max": 0.0,
    "coverage_94_min": 0.9,
    "require": ("plausibility", "backtest"),
    "roas_range": (0.5, 5.0),
    "worse_crps_max": 0.0,
    "max_age_days": 30,
    "max_gap_weeks": 0,
}


def plain_experiment(**sections: Any) -> dict[str, Any]:
    """Return a small experiment as plain values, with some sections replaced."""
    return {"name": "small", "market": "small", "model": small_model()} | sections


def make_experiment(**sections: Any) -> ExperimentConfig:
    """Return the small experiment, with some sections replaced."""
    return from_dict(plain_experiment(**sections), "small.yaml")


def small_model(**settings: Any) -> dict[str, Any]:
    """Return the small experiment's model section, with some settings replaced."""
    return {"channel_columns": ["TV", "Radio"], "control_columns": ["Trend"]} | settings


def refusal(**sections: Any) -> str:
    """Return what is said of the small experiment with sections that cannot be."""
    with pytest.raises(ConfigError) as refused:
        make_experiment(**sections)
    return str(refused.value)


def good_checks(**values: float) -> tuple[Check, ...]:
    """Return every required check, passed, with some values replaced."""
    return tuple(
        Check(name, STAGE.get(name, "convergence"), value, *REQUIRED[name], "here", "do this")
        for name, value in (GOOD_VALUES | values).items()
    )


def good_report(**values: float) -> GateReport:
    """Return a report that passes, with some values replaced."""
    return GateReport(good_checks(**values))


def convergent_trace(
    config: ModelConfig, chains: int = 4, draws: int = 500, seed: int = 7
) -> xr.DataTree:
    """Return a synthetic trace with independent draws of every free parameter: a good posterior."""
    from mmm_demo.settings.experiment import free_parameters

    rng = np.random.default_rng(seed)
    items: dict[str, Callable[[int], list[str]]] = {
        "gamma_control": lambda _: list(config.control_columns),
        "gamma_fourier": lambda size: [f"mode_{i}" for i in range(size)],
    }
    dims = {"gamma_control": "control", "gamma_fourier": "fourier_mode"}
    posterior = xr.Dataset()
    for name, size in free_parameters(config).items():
        if name in ("intercept_contribution", "y_sigma"):
            posterior[name] = (("chain", "draw"), rng.normal(size=(chains, draws)))
            continue
        dim = dims.get(name, "channel")
        labels = items.get(name, lambda _: list(config.channel_columns))(size)
        values = rng.normal(size=(chains, draws, size))
        posterior[name] = (("chain", "draw", dim), values)
        posterior = posterior.assign_coords({dim: labels})
    nowhere = np.zeros((chains, draws), dtype=bool)
    stats = xr.Dataset(
        {
            "diverging": (("chain", "draw"), nowhere),
            "maxdepth_reached": (("chain", "draw"), nowhere),
            "energy": (("chain", "draw"), rng.normal(size=(chains, draws))),
        }
    )
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})


def move_alias_by_force(name: str, alias: str, version: object) -> None:
    """Move an alias past the gated store, as a client without this package can."""
    import mlflow
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore(mlflow.get_registry_uri())
    store.set_registered_model_alias(name, alias, str(version))


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return bytes and modification time of every file in a folder."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }
