"""Identification: what of each channel's ROAS the data told, and what the prior."""

from dataclasses import replace
from itertools import combinations

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from mmm_demo.checks.contraction import contraction_table
from mmm_demo.checks.gate import DATA_DRIVEN, NOT_ASSESSABLE, PRIOR_DRIVEN, Check
from mmm_demo.checks.pointwise import DRAW, log_likelihood, log_prior
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.prior import prior_draws
from mmm_demo.fits.response import Response

STAGE = "identification"
SENSITIVITY_LIMIT = 0.05  # ArviZ' threshold for power-scaling
OVERLAP_LIMIT = 0.7
CORRELATION_LIMIT = -0.7
PRIOR_DRIVEN_SHARE_MAX = 2 / 3  # with more, the prior decides over most of the budget
BINS = 25


def identification_table(fitted: FittedModel, likelihood: xr.DataArray) -> pd.DataFrame:
    """Say of each channel whether its ROAS comes from the data or from the prior.

    Parameters
    ----------
    fitted
        Model with its posterior.
    likelihood
        Its log-likelihood, dims (chain, draw, week), see `pointwise.fitted_log_likelihood`.

    Returns
    -------
    pandas.DataFrame
        See `judge_channels`; after these, the contraction of each media parameter.
    """
    table = _judged(fitted, fitted.roas(), likelihood)
    contraction = contraction_table(fitted.trace["posterior"].to_dataset(), fitted.config)
    names = [*fitted.config.channel_parameters]
    media = contraction[contraction["parameter"].isin(names)]
    wide = media.pivot(index="item", columns="parameter", values="contraction")
    return table.merge(wide[names], left_on="channel", right_index=True)


def channel_labels(fitted: FittedModel) -> dict[str, str]:
    """Say of each channel what its ROAS rests on, from the draws alone: no model is built.

    The labels are those of `identification_table`, as `Response` gives the same mean and ROAS.

    Returns
    -------
    dict
        `data-driven`, `prior-driven` or `not assessable`, by channel.
    """
    response = fitted.response
    likelihood = log_likelihood(response, response.mean(fitted.table))
    table = _judged(fitted, _roas_under(response, fitted), likelihood)
    return dict(zip(table["channel"], table["label"], strict=True))


def _judged(fitted: FittedModel, roas: xr.DataArray, likelihood: xr.DataArray) -> pd.DataFrame:
    posterior = fitted.trace["posterior"].to_dataset()
    sensitivity = power_sensitivity(roas, likelihood, log_prior(posterior, fitted.config))
    prior = prior_roas(fitted, draws=roas.sizes["sample"])
    return judge_channels(roas, prior, sensitivity, fitted.spend.sum())


def _roas_under(response: Response, fitted: FittedModel) -> xr.DataArray:
    """Return the ROAS of a fit's spend under any draws, dims (sample, channel)."""
    return xr.DataArray(
        response.roas(fitted.spend.to_numpy()),
        dims=("sample", "channel"),
        coords={"channel": list(fitted.config.channel_columns)},
    )


def judge_channels(
    roas: xr.DataArray, prior: xr.DataArray, sensitivity: pd.DataFrame, spend: pd.Series
) -> pd.DataFrame:
    """Hold each channel's posterior ROAS against its prior.

    Parameters
    ----------
    roas, prior
        Draws from posterior and prior, dims (sample, channel).
    sensitivity
        By channel, columns prior_sensitivity and likelihood_sensitivity.
    spend
        Total spend by channel.

    Returns
    -------
    pandas.DataFrame
        A row per channel: channel, spend_share, contraction (of the ROAS: 1 - ratio of variances),
        overlap (area common to both densities), prior_sensitivity, likelihood_sensitivity, label.
        The label is prior-driven when the ROAS is prior-sensitive or the overlap is above 0.7;
        not assessable when one of these could not be measured.
    """
    rows = []
    for channel in map(str, roas["channel"].values):
        told, before = roas.sel(channel=channel).to_numpy(), prior.sel(channel=channel).to_numpy()
        row = {
            "channel": channel,
            "spend_share": float(spend[channel] / spend.sum()),
            "contraction": float(1 - told.var() / before.var()),
            "overlap": overlap(before, told),
            **sensitivity.loc[channel, ["prior_sensitivity", "likelihood_sensitivity"]],
        }
        rows.append(row | {"label": _label(row["overlap"], row["prior_sensitivity"])})
    return pd.DataFrame(rows)


def _label(shared: float, prior_sensitivity: float) -> str:
    if not np.isfinite([shared, prior_sensitivity]).all():
        return NOT_ASSESSABLE
    from_prior = prior_sensitivity >= SENSITIVITY_LIMIT or shared > OVERLAP_LIMIT
    return PRIOR_DRIVEN if from_prior else DATA_DRIVEN


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Return the area that two densities share: 1 when they are the same, 0 when they are apart.

    Both are counted in bins that hold equal parts of all draws, so that the result does not
    depend on the scale, however much narrower or more skewed one of them is. Chance keeps it a
    little below 1 for equal densities: 0.97 with 8,000 independent draws of each.

    Parameters
    ----------
    first, second
        Draws, shape (sample,), equally many of each.

    Returns
    -------
    float
        NaN when there are no draws or some are not finite.
    """
    pooled = np.concatenate([first, second])
    if not (first.size and second.size and np.isfinite(pooled).all()):
        return float("nan")
    edges = np.quantile(pooled, np.linspace(0, 1, BINS + 1))
    shares = [np.histogram(draws, edges)[0] / draws.size for draws in (first, second)]
    return float(np.minimum(*shares).sum())


def prior_roas(fitted: FittedModel, draws: int, seed: int = 0) -> xr.DataArray:
    """Draw each channel's ROAS from the priors, on the spend as it was.

    Parameters
    ----------
    fitted
        Model with its priors, scaling and spend; its posterior is not used.
    draws, seed
        Number of draws, and where they start.

    Returns
    -------
    xarray.DataArray
        Dims (sample, channel), as `FittedModel.roas`.
    """
    streams = dict.fromkeys(fitted.config.channel_parameters, np.random.default_rng(seed))
    media = prior_draws(fitted.config, draws, streams)
    return _roas_under(replace(fitted.response, posterior=media), fitted)


def power_sensitivity(
    roas: xr.DataArray, likelihood: xr.DataArray, prior: xr.DataArray
) -> pd.DataFrame:
    """Measure how much each ROAS moves when the prior or the likelihood is made a little stronger.

    ArviZ' power-scaling sensitivity over all draws.

    Parameters
    ----------
    roas
        Dims (sample, channel), samples chain by chain.
    likelihood
        Log-likelihood, dims (chain, draw, week).
    prior
        Log-prior, dims (chain, draw).

    Returns
    -------
    pandas.DataFrame
        Index channel; columns prior_sensitivity and likelihood_sensitivity, NaN where draws are
        constant or not finite.
    """
    values = roas.transpose("sample", "channel").to_numpy()
    channels = pd.Index(roas["channel"].to_numpy().astype(str), name="channel")
    table = pd.DataFrame(index=channels)
    measurable = np.isfinite(values).all(axis=0) & (np.ptp(values, axis=0) > 0)
    measurable &= bool(np.isfinite(likelihood).all() and np.isfinite(prior).all())
    draws = values[:, measurable].reshape(*prior.transpose(*DRAW).shape, -1)
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({"roas": ((*DRAW, "channel"), draws)}, dict(prior.coords)),
            "log_likelihood": likelihood.to_dataset(name="sales"),
            "log_prior": prior.to_dataset(name="parameters"),
        }
    )
    for group in ("prior", "likelihood"):
        found = np.full(len(channels), np.nan)
        if measurable.any():
            found[measurable] = az.psense(tree, var_names="roas", group=group)["roas"].to_numpy()
        table[f"{group}_sensitivity"] = found
    return table


def inseparable_pairs(roas: xr.DataArray) -> pd.DataFrame:
    """Return the pairs of channels whose ROAS the data cannot tell apart.

    Parameters
    ----------
    roas
        Dims (sample, channel).

    Returns
    -------
    pandas.DataFrame
        Columns channel_a, channel_b, correlation; those below -0.7, the lowest first.
    """
    pairs = _correlations(roas)
    return pairs[pairs["correlation"] < CORRELATION_LIMIT].reset_index(drop=True)


def _correlations(roas: xr.DataArray) -> pd.DataFrame:
    """Return the posterior correlation of every pair of channels, the lowest first."""
    with np.errstate(invalid="ignore", divide="ignore"):  # constant draws: the result is NaN
        matrix = np.corrcoef(roas.transpose("channel", "sample").to_numpy())
    rows = [
        (str(roas["channel"].values[a]), str(roas["channel"].values[b]), matrix[a, b])
        for a, b in combinations(range(roas.sizes["channel"]), 2)
    ]
    pairs = pd.DataFrame(rows, columns=["channel_a", "channel_b", "correlation"])
    return pairs.sort_values("correlation", ignore_index=True)


def identification_checks(table: pd.DataFrame, roas: xr.DataArray) -> tuple[Check, ...]:
    """Judge whether the data, rather than the priors, decide over the budget.

    Parameters
    ----------
    table
        What `identification_table` returns.
    roas
        Posterior draws, dims (sample, channel).

    Returns
    -------
    tuple of Check
        `prior_driven_share` (of spend) and, with two channels or more, `roas_correlation_min`.
    """
    driven = table[table["label"] == PRIOR_DRIVEN]
    unknown = table[table["label"] == NOT_ASSESSABLE]
    share = float("nan") if len(unknown) or table.empty else float(driven["spend_share"].sum())
    from_prior = Check(
        name="prior_driven_share",
        stage=STAGE,
        value=share,
        comparison="<=",
        limit=PRIOR_DRIVEN_SHARE_MAX,
        where=", ".join((unknown if len(unknown) else driven)["channel"]),
        advice="measure these channels by an experiment, or vary their spend more",
    )
    pairs = _correlations(roas)
    if pairs.empty:
        return (from_prior,)
    unmeasured = pairs[pairs["correlation"].isna()]
    worst = (unmeasured if len(unmeasured) else pairs).iloc[0]
    separable = Check(
        name="roas_correlation_min",
        stage=STAGE,
        value=float(worst["correlation"]),
        comparison=">",
        limit=CORRELATION_LIMIT,
        where=f"{worst['channel_a']} and {worst['channel_b']}",
        advice="read their ROAS as a sum only; an experiment in one of them separates them",
    )
    return (from_prior, separable)
