"""Plausibility: results and data that would make a marketer doubt the model."""

from collections.abc import Sequence

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from mmm_demo.checks.convergence import negative_baseline_share
from mmm_demo.checks.gate import Check
from mmm_demo.fits.fitted import Decomposition
from mmm_demo.settings.data import Accepted
from mmm_demo.settings.wording import roas as roas_text
from mmm_demo.settings.wording import span
from mmm_demo.tables.records import odd_weeks

STAGE = "plausibility"
NEGATIVE_BASELINE_MAX = 0.05
CHANNEL_SHARE_MAX, MEDIA_SHARE_MAX = 0.5, 0.8
# Above 1, the fit without the week is another one: what the draws say about it has no mean. From
# 0.7 on the estimate is inaccurate, but 4 of 23 correct fits have such a week: a week of record
# spend is worth much.
PARETO_K_MAX = 1.0
# Spend is scaled by its largest week. With one week at five times the 95 % quantile, 95 % of the
# weeks share a fifth of the curve.
SPEND_OUTLIER_MAX = 5.0


def plausibility_checks(
    parts: Decomposition,
    observed: np.ndarray,
    roas: xr.DataArray,
    roas_range: tuple[float, float] | None = None,
) -> tuple[Check, ...]:
    """Judge what the model says sales are made of.

    Parameters
    ----------
    parts
        Decomposition in original units.
    observed
        Sales, shape (week,).
    roas
        Dims (sample, channel).
    roas_range
        Lowest and highest ROAS that the business holds possible; no check is made without it.

    Returns
    -------
    tuple of Check
        `negative_baseline_share`, `channel_share_max`, `media_share` and, with a range,
        `roas_outside_range` (number of channels whose median lies outside).
    """
    finite = bool(np.isfinite(parts.non_media).all())
    baseline = Check(
        name="negative_baseline_share",
        stage=STAGE,
        value=negative_baseline_share(parts) if finite else float("nan"),
        comparison="<=",
        limit=NEGATIVE_BASELINE_MAX,
        where="share of week-draws in which sales without media are negative",
        advice="media takes credit for the base: add the missing controls or seasonality",
    )
    checks = (baseline, *_share_checks(parts, observed))
    return checks if roas_range is None else (*checks, _range_check(roas, roas_range))


def _share_checks(parts: Decomposition, observed: np.ndarray) -> tuple[Check, Check]:
    # skipna=False: a NaN among the weeks must not vanish in a sum.
    shares = parts.channels.sum("week", skipna=False) / observed.sum()
    by_channel = shares.median("sample", skipna=False)
    largest = int(by_channel.to_numpy().argmax())  # NaN is the largest for argmax
    advice = "hold it against what the business knows; an experiment would tell"
    channel = Check(
        name="channel_share_max",
        stage=STAGE,
        value=float(by_channel[largest]),
        comparison="<=",
        limit=CHANNEL_SHARE_MAX,
        where=str(parts.channels["channel"].values[largest]),
        advice=advice,
    )
    media = Check(
        name="media_share",
        stage=STAGE,
        value=float(shares.sum("channel", skipna=False).median("sample", skipna=False)),
        comparison="<=",
        limit=MEDIA_SHARE_MAX,
        where="median share of all sales that media brings",
        advice=advice,
    )
    return channel, media


def _range_check(roas: xr.DataArray, roas_range: tuple[float, float]) -> Check:
    low, high = roas_range
    median = roas.median("sample", skipna=False)
    unmeasured = ~np.isfinite(median.to_numpy())
    # Passing side first: what is not finite lies outside.
    outside = ~((median >= low) & (median <= high)).to_numpy()
    named = [f"{item['channel'].values!s} {roas_text(float(item))}" for item in median[outside]]
    return Check(
        name="roas_outside_range",
        stage=STAGE,
        value=float("nan") if unmeasured.any() else float(outside.sum()),
        comparison="<=",
        limit=0.0,
        where=", ".join(named),
        advice=f"ROAS of {low:g} to {high:g} was said to be possible; look at these channels' "
        "priors and controls",
    )


def influence_check(estimate: az.ELPDData) -> Check:
    """Judge whether a single week carries the fit.

    Parameters
    ----------
    estimate
        What `pointwise.loo` returns.

    Returns
    -------
    Check
        `pareto_k_max`, with the week; NaN when the estimate is.
    """
    k = estimate.pareto_k.to_numpy()
    unmeasured = ~np.isfinite(estimate.elpd_i.to_numpy()) | ~np.isfinite(k)
    worst = int(unmeasured.argmax()) if unmeasured.any() else int(k.argmax())
    week = pd.Timestamp(estimate.pareto_k["week"].values[worst])
    return Check(
        name="pareto_k_max",
        stage=STAGE,
        value=float("nan") if unmeasured.any() else float(k[worst]),
        comparison="<=",
        limit=PARETO_K_MAX,
        where=f"{week:%Y-%m-%d}",
        advice="check this week's data; if it is right, name its event as a control",
    )


def spend_outlier_check(spend: pd.DataFrame, weeks: np.ndarray) -> Check:
    """Judge whether one week's spend squashes the scale on which all other weeks are told apart.

    Parameters
    ----------
    spend
        Shape (week, channel).
    weeks
        Dates, shape (week,).

    Returns
    -------
    Check
        `spend_outlier`: the worst channel's largest weekly spend over the 95 % quantile of its
        other weeks with spend; NaN for a channel with a single such week.
    """
    values = spend.to_numpy(dtype=float)
    factors = np.array([_outlier_factor(column) for column in values.T])
    worst = int(factors.argmax())  # NaN is the largest for argmax
    week = pd.Timestamp(weeks[int(values[:, worst].argmax())])
    return Check(
        name="spend_outlier",
        stage=STAGE,
        value=float(factors[worst]),
        comparison="<=",
        limit=SPEND_OUTLIER_MAX,
        where=f"{spend.columns[worst]} in the week of {week:%Y-%m-%d}",
        advice="check the amount; if it is right, split it over the weeks in which it ran",
    )


def odd_weeks_check(
    table: pd.DataFrame, target: str, channels: Sequence[str], accepted: Sequence[Accepted] = ()
) -> Check:
    """Judge whether sales or spend have weeks unlike all others: holes, or another unit.

    Parameters
    ----------
    table
        Index the weeks; target, channels and controls.
    target, channels, accepted
        See `records.odd_weeks`.

    Returns
    -------
    Check
        `odd_weeks`: how many there are that no one accepted, with their columns; NaN where a value
        is not finite. Spend far above the others is `spend_outlier`'s.
    """
    measured = bool(np.isfinite(table.to_numpy(dtype=float)).all())
    found = odd_weeks(table, target, channels, accepted) if measured else []
    told = [item for item in found if item.kind != "outlier" or item.column == target]
    return Check(
        name="odd_weeks",
        stage=STAGE,
        value=float(sum(len(item.days) for item in told)) if measured else float("nan"),
        comparison="<=",
        limit=0.0,
        where=", ".join(f"{item.column} {span(item.days)}" for item in told),
        advice="look at these weeks: another unit, or a hole in the records? If they are right, "
        "say why in data.accept",
    )


def _outlier_factor(spend: np.ndarray) -> float:
    """Return the largest weekly spend over the 95 % quantile of the other weeks with spend."""
    others = np.delete(spend, spend.argmax())
    others = others[others != 0]
    return float(spend.max() / np.quantile(others, 0.95)) if others.size else float("nan")
