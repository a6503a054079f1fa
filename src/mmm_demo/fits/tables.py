"""Draws -> tidy tables: what people read, compare and download."""

import numpy as np
import pandas as pd
import xarray as xr

from mmm_demo.fits.fitted import Decomposition, FittedModel, interval
from mmm_demo.sources.simulate import Truth


def describe(draws: xr.DataArray) -> pd.DataFrame:
    """Describe draws by channel.

    Parameters
    ----------
    draws
        Dims (sample, channel).

    Returns
    -------
    pandas.DataFrame
        Columns channel, mean, median, lower_50, upper_50, lower_94, upper_94.
    """
    values = draws.transpose("sample", "channel").to_numpy()
    levels = {"median": 0.5, "lower_50": 0.25, "upper_50": 0.75, "lower_94": 0.03, "upper_94": 0.97}
    quantiles = np.quantile(values, list(levels.values()), axis=0)
    columns = {"channel": draws["channel"].values.astype(str), "mean": values.mean(axis=0)}
    return pd.DataFrame(columns | dict(zip(levels, quantiles, strict=True)))


def contribution_shares(fitted: FittedModel, parts: Decomposition) -> xr.DataArray:
    """Return each channel's share of observed sales; dims (sample, channel)."""
    return parts.channels.sum("week") / fitted.observed.sum()


def share_table(fitted: FittedModel, parts: Decomposition) -> pd.DataFrame:
    """Return share of sales with interval beside share of spend, by channel."""
    spend = fitted.spend.sum()
    return describe(contribution_shares(fitted, parts)).assign(
        spend_share=(spend / spend.sum()).to_numpy()
    )


def contribution_table(fitted: FittedModel, parts: Decomposition) -> pd.DataFrame:
    """Return posterior mean contributions by week, in sales units."""
    means = parts.means()
    means.insert(0, fitted.config.date_column, fitted.weeks, allow_duplicates=True)
    means.insert(1, fitted.config.target_column, fitted.observed, allow_duplicates=True)
    return means


def baseline_table(fitted: FittedModel, parts: Decomposition) -> pd.DataFrame:
    """Return the baseline by week with its 94 % interval, in sales units."""
    path = pd.DataFrame(interval(parts.baseline.to_numpy()))
    path.insert(0, fitted.config.date_column, fitted.weeks, allow_duplicates=True)
    return path


def event_table(parts: Decomposition) -> pd.DataFrame:
    """Return what each event added in all its weeks, with its 94 % interval, in sales units."""
    added = parts.events.sum("week").transpose("sample", "event")
    named = pd.DataFrame({"event": added["event"].values.astype(str)})
    return named.assign(**interval(added.to_numpy()))


def adstock_table(fitted: FittedModel) -> pd.DataFrame:
    """Return the adstock weight by channel and lag in weeks, with its 94 % interval."""
    weights = fitted.adstock_weights()
    lags = np.arange(weights.sizes["lag"])
    return _curves(fitted, weights.to_numpy(), "lag", np.tile(lags[:, None], weights.shape[2]))


def saturation_table(fitted: FittedModel) -> pd.DataFrame:
    """Return weekly response in sales units by channel and steady weekly spend."""
    spend, response = fitted.saturation()
    return _curves(fitted, response.to_numpy(), "spend", spend)


def _curves(fitted: FittedModel, draws: np.ndarray, name: str, axis: np.ndarray) -> pd.DataFrame:
    """Stack curves; `draws` is (sample, point, channel) and `axis` (point, channel)."""
    curves = [
        pd.DataFrame({"channel": channel, name: axis[:, index]} | interval(draws[:, :, index]))
        for index, channel in enumerate(fitted.config.channel_columns)
    ]
    return pd.concat(curves, ignore_index=True)


def truth_table(roas: pd.DataFrame, shares: pd.DataFrame, truth: Truth) -> pd.DataFrame:
    """Hold estimates against the truth of a simulated market.

    Parameters
    ----------
    roas, shares
        ROAS and share of sales by channel (`describe`).
    truth
        Of the market.

    Returns
    -------
    pandas.DataFrame
        Columns channel, quantity (`ROAS` or `contribution share`), truth, mean, median,
        lower_94, upper_94 and inside (bool).
    """
    rows = []
    for quantity, table, true in (
        ("ROAS", roas, truth.roas),
        ("contribution share", shares.drop(columns="spend_share"), truth.share),
    ):
        known = table.copy()
        known.insert(1, "quantity", quantity)
        known.insert(2, "truth", true.reindex(table["channel"]).to_numpy())
        rows.append(known)
    joined = pd.concat(rows, ignore_index=True)
    inside = joined["truth"].between(joined["lower_94"], joined["upper_94"])
    return joined.assign(inside=inside)


def result_tables(
    fitted: FittedModel, parts: Decomposition, truth: Truth | None
) -> dict[str, pd.DataFrame]:
    """Return what a fit says, each table made once, by name.

    Parameters
    ----------
    fitted, parts
        Model and its decomposition.
    truth
        Of a simulated market; without it there is no table `truth`.
    """
    made = {
        "roas": describe(fitted.roas()),
        "channel_shares": share_table(fitted, parts),
        "contributions": contribution_table(fitted, parts),
        "adstock": adstock_table(fitted),
        "saturation": saturation_table(fitted),
    }
    if fitted.config.form("baseline").dim:
        made["baseline"] = baseline_table(fitted, parts)
    if fitted.config.calendar:
        made["events"] = event_table(parts)
    if truth is not None:
        made["truth"] = truth_table(made["roas"], made["channel_shares"], truth)
    return made
