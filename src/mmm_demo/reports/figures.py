"""Which plots belong to which step, and what goes into them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from mmm_demo.fits.fitted import Decomposition, FittedModel
from mmm_demo.plots import chains, checks, explore, results
from mmm_demo.plots import sweep as plotting_sweep
from mmm_demo.plots.style import NamedFigure
from mmm_demo.settings.names import file_names
from mmm_demo.settings.sweep import SweepConfig
from mmm_demo.sources.explore import Exploration
from mmm_demo.sources.explore_measures import FEW_VALUES


def prior_figures(
    weeks: np.ndarray, observed: np.ndarray, draws: np.ndarray, ceiling: float
) -> Iterator[NamedFigure]:
    """Yield the plot of the prior check."""
    figure = checks.prior_predictive(weeks, observed, draws, ceiling)
    yield NamedFigure("diagnostics", "prior", "predictive", figure)


def exploration_figures(exploration: Exploration) -> dict[str, Figure]:
    """Return the figures of an exploration by name, in the order of the page."""
    model, table = exploration.model, exploration.table
    target = model.target_column
    marks = [name for name in model.control_columns if table[name].nunique() <= FEW_VALUES]
    outliers = exploration.outliers[exploration.outliers["role"] == "target"]
    return {
        "target": explore.target_over_time(
            exploration.weeks, table[target], table[marks], outliers
        ),
        "spend": explore.spend_over_time(exploration.weeks, table[[*model.channel_columns]]),
        "spend_share": explore.spend_shares(exploration.channels),
        "correlations": explore.correlations(exploration.correlations),
        "lagged_correlations": explore.lagged_correlations(exploration.lagged, target),
        "vif": explore.variance_inflation(exploration.channels),
    }


def exploration_named(found: Exploration) -> Iterator[NamedFigure]:
    """Yield the plots of an exploration."""
    for name, figure in exploration_figures(found).items():
        yield NamedFigure("diagnostics", "exploration", name, figure)


def convergence_figures(trace: xr.DataTree) -> Iterator[NamedFigure]:
    """Yield the plots that show whether the sampler worked; they interpret nothing."""
    posterior = trace["posterior"].to_dataset()
    named = partial(NamedFigure, "diagnostics", "convergence")
    for name in ("trace", "rank", "forest"):
        yield named(name, getattr(chains, name)(posterior))
    if "sample_stats" in trace.children and "energy" in trace["sample_stats"]:
        yield named("energy", chains.energy(trace["sample_stats"].to_dataset()))


@dataclass(frozen=True)
class Found:
    """What is drawn of a fit that passed; arrays and tables alone, for a process that draws them.

    Attributes
    ----------
    weeks, observed
        Dates and sales, shape (week,).
    predictive
        Predictive sales, shape (sample, week).
    means
        Mean contributions by week (`Decomposition.means`).
    channels
        Contributions by channel, each of shape (sample, week).
    spend
        By week and channel.
    tables
        What the fit says (`tables.result_tables`).
    given
        What the predictive sales take as known, in words.
    """

    weeks: np.ndarray
    observed: np.ndarray
    predictive: np.ndarray
    means: pd.DataFrame
    channels: Mapping[str, np.ndarray]
    spend: pd.DataFrame
    tables: Mapping[str, pd.DataFrame]
    given: str = ""

    @classmethod
    def of(
        cls, fitted: FittedModel, parts: Decomposition, tables: Mapping[str, pd.DataFrame]
    ) -> "Found":
        """Return what is drawn of a model, its decomposition and its tables."""
        channels = fitted.config.channel_columns
        return cls(
            fitted.weeks,
            fitted.observed,
            fitted.predictive(),
            parts.means(),
            {name: parts.channels.sel(channel=name).to_numpy() for name in channels},
            fitted.spend,
            tables,
            fitted.config.form("noise").given,
        )


def result_figures(found: Found) -> Iterator[NamedFigure]:
    """Yield the plots of a fit that passed the convergence gate."""
    weeks, observed, tables = found.weeks, found.observed, found.tables
    predictive, given = found.predictive, found.given
    named = partial(NamedFigure, "diagnostics", "posterior")
    yield named("predictive", checks.posterior_predictive(weeks, observed, predictive, given))
    yield named("residuals", checks.residuals(weeks, observed, predictive, given))
    named = partial(NamedFigure, "contributions", "all_channels")
    yield named("over_time", results.contributions_over_time(weeks, found.means, observed))
    yield named("shares", results.channel_shares(tables["channel_shares"]))
    yield named("roas", results.roas(tables["roas"]))
    if "baseline" in tables:
        yield named("baseline", results.baseline(weeks, tables["baseline"]))
    if "events" in tables:
        yield named("events", results.events(tables["events"]))
    if "truth" in tables:
        yield named("truth", results.truth_comparison(tables["truth"]))
    yield from _channel_figures(found)


def _channel_figures(found: Found) -> Iterator[NamedFigure]:
    tables, files = found.tables, file_names(tuple(found.channels))
    for channel, draws in found.channels.items():
        named = partial(NamedFigure, "contributions", files[channel])
        spend = found.spend[channel].to_numpy()
        figure = results.channel_contribution(found.weeks, channel, draws, spend)
        yield named("contribution", figure)
        yield named("adstock", results.adstock_curve(_of(tables["adstock"], channel)))
        figure = results.saturation_curve(_of(tables["saturation"], channel), spend)
        yield named("saturation", figure)


def _of(table: pd.DataFrame, channel: str) -> pd.DataFrame:
    return table[table["channel"] == channel].reset_index(drop=True)


def lift_figures(told: pd.DataFrame) -> Iterator[NamedFigure]:
    """Yield the plot of lift tests against the model (`lift_report.compare_with_model`)."""
    yield NamedFigure("diagnostics", "lift_tests", "model", checks.lift_tests(told))


def sweep_figures(
    trials: pd.DataFrame, importances: Mapping[str, float], sweep: SweepConfig, mark: str
) -> Iterator[NamedFigure]:
    """Yield the plots of a sweep; `mark` tells it from the same sweep with fewer trials."""
    named, by = partial(NamedFigure, "diagnostics", mark), sweep.objective
    yield named("history", plotting_sweep.history_figure(trials, by))
    if importances:
        yield named("importance", plotting_sweep.importance_figure(importances))
    yield named("slices", plotting_sweep.slice_figure(trials, list(sweep.search), by))
