"""The batteries of refits: what each refits, and on what. The checks judge what comes out."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from mmm_demo.evidence import backtest, placebo, recovery, sensitivity
from mmm_demo.evidence.refit import Refit, Refitter
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.response import Response
from mmm_demo.fits.trace import WEEKLY_TABLE, stored_table
from mmm_demo.planning.optimize import optimize_budget
from mmm_demo.planning.window import BudgetError
from mmm_demo.settings.experiment import BudgetConfig, ModelConfig, ScalingConfig, with_forms
from mmm_demo.settings.limits import EvidenceConfig
from mmm_demo.settings.priors import PriorConfig

MOST_MODES = 10  # that a model may have


@dataclass(frozen=True)
class Step:
    """One refit of a battery, done.

    Attributes
    ----------
    battery, number, total
        Which refit of which battery, counted from 1.
    name
        What was refitted, in words.
    refit
        Model and convergence.
    measured
        What it came to, by name.
    """

    battery: str
    number: int
    total: int
    name: str
    refit: Refit
    measured: Mapping[str, float]


Watch = Callable[[Step], None]


def run_backtest(
    refitter: Refitter,
    table: pd.DataFrame,
    lift_tests: pd.DataFrame | None,
    seed: int,
    watch: Watch,
) -> pd.DataFrame:
    """Forecast the last weeks from rolling origins, each by a model that never saw them.

    The scaling stays the fit's: it says what the priors mean, so all folds have the same priors.

    Parameters
    ----------
    refitter
        Of the model to test.
    table
        Weekly table; a fold trains on its first weeks.
    lift_tests
        Experiments that calibrate the model; a fold knows those of its own weeks.
    seed
        Of the refits.
    watch
        Is told of each refit.

    Returns
    -------
    pandas.DataFrame
        One row per forecast week: fold, week and the columns of `checks.backtest.score_weeks`.
    """
    parts = []
    for fold in backtest_folds(refitter, table, lift_tests, seed):
        parts.append(fold.forecast)
        summed = backtest.fold_table(fold.forecast).iloc[0]
        measured = {name: summed[name] for name in ("crps", "naive_crps", "mape", "coverage_94")}
        until = f"fold {fold.number}, trained on {len(fold.refit.response.training)} weeks"
        watch(Step(backtest.STAGE, fold.number, fold.total, until, fold.refit, measured))
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class Fold:
    """One fold of a backtest, counted from 1: its refit, and one row per forecast week."""

    number: int
    total: int
    refit: Refit
    forecast: pd.DataFrame


def backtest_folds(
    refitter: Refitter, table: pd.DataFrame, lift_tests: pd.DataFrame | None, seed: int
) -> Iterator[Fold]:
    """Yield the folds of `run_backtest` one by one, each as soon as it is fitted."""
    config, evidence = refitter.config, refitter.sampling
    plan = backtest.folds(len(table), evidence.folds, evidence.horizon_weeks)
    for number, (train, end) in enumerate(plan, 1):
        known = table.head(train).reset_index(drop=True)
        refit = refitter.fit(known, seed + number, lift_tests)
        sales = refit.response.sales(table.head(end), np.random.default_rng(seed + number))
        observed = table[config.target_column].to_numpy()
        scores = backtest.score_weeks(observed[train:end], sales[:, train:], observed[:train])
        scores.insert(0, "fold", number)
        scores.insert(1, "week", table[config.date_column].iloc[train:end].to_numpy())
        yield Fold(number, len(plan), refit, scores.assign(converged=refit.converged))


def run_recovery(refitter: Refitter, response: Response, seed: int, watch: Watch) -> pd.DataFrame:
    """Simulate sales from single draws of the posterior on the real spend, and find them again.

    Lift tests stay out: the question is what these weeks and this spend can tell.

    Returns
    -------
    pandas.DataFrame
        Rows of `checks.recovery.recovery_rows` with quantity and converged.
    """
    config, table, evidence = response.config, response.training, refitter.sampling
    spend = table[list(config.channel_columns)]
    rng, parts = np.random.default_rng(seed), []
    for number in range(1, evidence.replicates + 1):
        truth = _one_draw(response, rng)
        sales = truth.sales(table, rng)[0]
        refit = refitter.fit(table.assign(**{config.target_column: sales}), seed + number)
        for quantity, of in (("contribution", _contributions), ("ROAS", _roas)):
            true = pd.Series(of(truth, spend)[0], spend.columns)
            rows = recovery.recovery_rows(number, true, of(refit.response, spend))
            parts.append(rows.assign(quantity=quantity, converged=refit.converged))
        measured = {
            "median_error": float(parts[-1]["relative_error"].abs().median()),
            "inside_90": float(parts[-1]["inside"].mean()),
        }
        name = f"replicate {number}"
        watch(Step(recovery.STAGE, number, evidence.replicates, name, refit, measured))
    return pd.concat(parts, ignore_index=True)


def _one_draw(response: Response, rng: np.random.Generator) -> Response:
    sizes = response.posterior.sizes
    place = {dim: [int(rng.integers(sizes[dim]))] for dim in ("chain", "draw")}
    return replace(response, posterior=response.posterior.isel(place))


def _contributions(response: Response, spend: pd.DataFrame) -> np.ndarray:
    return response.contributions(spend.to_numpy()).sum(axis=1)


def _roas(response: Response, spend: pd.DataFrame) -> np.ndarray:
    return response.roas(spend.to_numpy())


def run_placebo(
    fitted: FittedModel, evidence: EvidenceConfig, seed: int, watch: Watch
) -> pd.DataFrame:
    """Add a channel that cannot have worked: a real one, shifted in a circle.

    Channels take turns, the one with the largest spend first. Where they have priors of their own
    only that one is used, as priors are compiled in.

    Returns
    -------
    pandas.DataFrame
        Rows of `checks.placebo.placebo_row`.
    """
    config, table, rows = fitted.config, fitted.table, []
    by_spend = list(fitted.spend.sum().sort_values(ascending=False).index)
    own_priors = any(
        isinstance(value, tuple)
        for name in config.channel_parameters
        for value in config.priors[name].parameters.values()
    )
    sources = by_spend[:1] if own_priors else by_spend
    shifts = placebo.shifts(len(table), config.adstock_max_lag, evidence.placebos)
    for number, shift in enumerate(shifts, 1):
        source = sources[(number - 1) % len(sources)]
        changed = placebo.with_placebo(table, source, shift)
        extended = _with_channel(config, source)
        refit = Refitter(extended, changed, evidence).fit(changed, seed + number, fitted.lift_tests)
        spend = changed[list(extended.channel_columns)].to_numpy()
        brought = refit.response.contributions(spend)[:, :, -1].sum(axis=1)
        shares = brought / changed[config.target_column].sum()
        rows.append(placebo.placebo_row(source, shift, shares, refit.converged))
        name = f"{source} shifted by {shift} weeks"
        measured = {"share_lower_5": rows[-1]["share_lower_5"]}
        watch(Step(placebo.STAGE, number, evidence.placebos, name, refit, measured))
    return pd.DataFrame(rows)


def _with_channel(config: ModelConfig, source: str) -> ModelConfig:
    """Return the model with the placebo as a last channel, with the source's priors and scale."""
    place = config.channel_columns.index(source)
    priors = {
        name: _longer(prior, place) if name in config.channel_parameters else prior
        for name, prior in config.priors.items()
    }
    scaling = config.scaling
    if scaling:
        scaling = ScalingConfig(scaling.target, (*scaling.channels, scaling.channels[place]))
    return replace(
        config,
        channel_columns=(*config.channel_columns, placebo.free_name(config.columns)),
        priors=priors,
        scaling=scaling,
    )


def _longer(prior: PriorConfig, place: int) -> PriorConfig:
    longer = {
        name: (*value, value[place]) if isinstance(value, tuple) else value
        for name, value in prior.parameters.items()
    }
    return replace(prior, parameters=longer)


def variants(config: ModelConfig) -> dict[str, ModelConfig]:
    """Return the model under another lag, saturation family and seasonality."""
    lag = config.adstock_max_lag // 2 if config.adstock_max_lag > 2 else config.adstock_max_lag * 2
    family = config.form("saturation").other
    modes = config.yearly_seasonality
    modes += 1 if modes < MOST_MODES else -1
    seasonal = {item.name for item in config.form("seasonality").parameters}
    priors = {
        name: replace(prior, parameters={n: _first(v) for n, v in prior.parameters.items()})
        if name in seasonal
        else prior
        for name, prior in config.priors.items()
    }
    return {
        f"lag of {lag} weeks": replace(config, adstock_max_lag=lag),
        f"{family.replace('_', '-')} saturation": with_forms(config, saturation=family),
        f"{modes} seasonal modes": replace(config, yearly_seasonality=modes, priors=priors),
    }


def _first(value: float | tuple[float, ...]) -> float:
    return value[0] if isinstance(value, tuple) else value


def run_sensitivity(
    fitted: FittedModel, budget: BudgetConfig, evidence: EvidenceConfig, seed: int, watch: Watch
) -> pd.DataFrame:
    """Fit the same weeks under other modelling choices; ROAS and plan of each.

    Returns
    -------
    pandas.DataFrame
        Rows of `checks.sensitivity.roas_rows` with planned and converged, the model itself first.
    """
    table, spend = fitted.table, fitted.spend.to_numpy()
    channels = list(fitted.config.channel_columns)
    base = sensitivity.roas_rows(sensitivity.BASE, channels, fitted.response.roas(spend))
    parts = [base.assign(planned=planned(fitted, budget), converged=True)]
    choices = variants(fitted.config)
    for number, (name, config) in enumerate(choices.items(), 1):
        refitter = Refitter(config, table, evidence)
        refit = refitter.fit(table, seed + number, fitted.lift_tests)
        rows = sensitivity.roas_rows(name, channels, refit.response.roas(spend))
        money = planned(as_fitted(refit), budget) if refit.converged else float("nan")
        parts.append(rows.assign(planned=money, converged=refit.converged))
        measured = {f"roas.{row.channel}": row.roas for row in rows.itertuples()}
        watch(Step(sensitivity.STAGE, number, len(choices), name, refit, measured))
    return pd.concat(parts, ignore_index=True)


def planned(fitted: FittedModel, budget: BudgetConfig) -> np.ndarray | float:
    """Return the planned money by channel; NaN, which is not assessable, where none can be made."""
    try:
        return optimize_budget(fitted, budget).table["planned"].to_numpy()
    except BudgetError:
        return float("nan")


def as_fitted(refit: Refit) -> FittedModel:
    """Return a refit as a fitted model, to plan and to take apart."""
    weeks = stored_table(refit.response.training)
    groups = {"posterior": refit.response.posterior, "sample_stats": refit.sample_stats}
    tree = xr.DataTree.from_dict(groups | {WEEKLY_TABLE: weeks})
    return FittedModel(refit.response.config, tree)
