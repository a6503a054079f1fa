"""Plots of a weekly table before any model: what was sold, what was spent, what moves with what.

Tables in, a matplotlib Figure out; nothing is computed here but positions.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from mmm_demo.plots import style as look
from mmm_demo.plots.glyphs import LONGEST, keyed, shown
from mmm_demo.plots.style import FAULT, INK, MODEL, MUTED, PALE, SPEND, human
from mmm_demo.sources.explore_measures import HOLE
from mmm_demo.sources.explore_verdict import HIGH_VIF

WEEK, BAR = np.timedelta64(7, "D"), np.timedelta64(6, "D")
NUMBERS_UP_TO = 14  # lags that still leave room for a number in each cell
WRAP = 22


@look.styled
def target_over_time(
    weeks: Any, target: pd.Series, marks: pd.DataFrame, outliers: pd.DataFrame
) -> Figure:
    """Show the target over time, with the weeks that something marks and those that stand out.

    Parameters
    ----------
    weeks : array (week,)
        Dates.
    target : pd.Series (week,)
        The target; its name is the label.
    marks : pd.DataFrame (week, control)
        Indicators and counts, shaded where they are above their lowest value.
    outliers : pd.DataFrame
        Columns week, value, kind, of the target only.

    Returns
    -------
    Figure
        The target above one lane per mark; a single axes when there are no marks.
    """
    x, name = look.as_weeks(weeks), str(target.name)
    lanes = len(marks.columns)
    fig = look.new_figure(11, 4.4 + 0.28 * lanes, f"{shown(name, LONGEST)} by week")
    heights = [3.2, 0.28 * lanes + 0.1]
    axes = fig.subplots(2, 1, sharex=True, height_ratios=heights) if lanes else [fig.subplots()]
    top = look.tidy(axes[0])
    for lane, (mark, values) in enumerate(marks.items()):
        _shade(axes, lane, x, values.to_numpy(float), str(mark))
    top.plot(x, target, color=MODEL, linewidth=1.5, marker="o", markersize=3, label=keyed(name))
    for kind, marker in (("high", "^"), ("low", "v"), (HOLE, "X")):
        found = outliers[outliers["kind"] == kind]
        style = {"color": FAULT, "markersize": 9, "markeredgecolor": "white", "zorder": 4}
        style["clip_on"] = False  # weeks of nothing lie on the axis
        if len(found):
            label = "Almost none recorded" if kind == HOLE else f"Outlier, {kind}"
            top.plot(look.as_weeks(found["week"]), found["value"], marker, label=label, **style)
    top.set_ylim(bottom=min(0.0, 1.05 * target.min()))
    look.number_axis(top.yaxis, f"{shown(name)} per week")
    look.date_axis(axes[-1], x)
    if lanes:
        look.row_axis(look.tidy(axes[-1], grid="x"), [str(mark) for mark in marks.columns])
        axes[-1].set_xlabel("Week")
        top.set_title("Shaded: weeks that a lane below marks; the darker, the higher its value")
    look.legend(fig, top)
    return fig


def _shade(axes: Sequence[Axes], lane: int, x: np.ndarray, values: np.ndarray, name: str) -> None:
    """Shade the weeks of one mark through the target, and draw them as a lane of their own."""
    color = look.CHANNELS[(lane + 1) % len(look.CHANNELS)]
    height = (values - values.min()) / np.ptp(values) if np.ptp(values) else np.zeros(len(values))
    for week, share in zip(x[height > 0], height[height > 0], strict=True):
        ends = (week - BAR / 2, week + BAR / 2)
        axes[0].axvspan(*ends, color=color, alpha=0.12, linewidth=0)
        axes[1].barh(lane, BAR, 0.7, ends[0], color=color, alpha=0.3 + 0.7 * share, linewidth=0)


@look.styled
def spend_over_time(weeks: Any, spend: pd.DataFrame) -> Figure:
    """Show each channel's spend over time, each on a scale of its own.

    Parameters
    ----------
    weeks : array (week,)
        Dates.
    spend : pd.DataFrame (week, channel)
        Spend per week.
    """
    x, count = look.as_weeks(weeks), len(spend.columns)
    edges = np.append(x, x[-1] + WEEK)
    across = 2 if count in (2, 4) else min(3, count)
    title = "Spend per week by channel, each on its own scale"
    fig, axes = look.panel_figure((11, 1.9, 1.0), title, count, across, sharex=True)
    for place, (ax, (channel, values)) in enumerate(zip(axes, spend.items(), strict=True)):
        look.tidy(ax, small=True)
        ax.stairs(values, edges, fill=True, color=SPEND)
        ax.set_title(shown(channel, 40))
        look.number_axis(ax.yaxis, "Spend" if place % across == 0 else "", ticks=4)
        look.date_axis(ax, x, (2, 6))
        ax.tick_params(labelbottom=place + across >= count)
    return fig


@look.styled
def spend_shares(channels: pd.DataFrame) -> Figure:
    """Show how the money is spread over the channels.

    Parameters
    ----------
    channels : pd.DataFrame (channel,)
        Columns channel, spend (sum), spend_share (fraction).
    """
    table = channels.sort_values("spend", ascending=False, kind="stable")
    title = f"Share of spend by channel, {human(table['spend'].sum())} in all"
    fig, ax = look.row_figure(9, title, _wrapped(table["channel"]), 0.42, 1.4)
    ax.barh(np.arange(len(table)), table["spend_share"], height=0.62, color=SPEND)
    texts = [f"{row.spend_share:.1%}  ({human(row.spend)})" for row in table.itertuples()]
    look.margin_text(ax, texts, "share (spend)")
    look.number_axis(ax.xaxis, "Share of all spend", percent=True)
    return fig


@look.styled
def correlations(matrix: pd.DataFrame) -> Figure:
    """Show the correlation of every pair of columns, each pair once.

    Parameters
    ----------
    matrix : pd.DataFrame (column, column)
        Square; NaN where a column does not vary.
    """
    size = len(matrix)
    width = 0.62 * size + 3.2
    values = matrix.to_numpy(float).copy()
    values[np.triu_indices(size)] = np.inf  # left empty
    fig = look.new_figure(width, 0.48 * size + 2.2, "Correlation of each pair of columns")
    ax = fig.subplots()
    names = _wrapped(matrix.columns)
    _heatmap(ax, values[1:, :-1], names[1:], names[:-1])
    _write_numbers(ax, values[1:, :-1])
    ax.set_title("1: rise and fall together, -1: opposite, 0: no linear relation")
    ax.tick_params(axis="x", rotation=45)
    for label in ax.get_xticklabels():
        label.set(ha="right", rotation_mode="anchor")
    return fig


@look.styled
def lagged_correlations(lagged: pd.DataFrame, target: str) -> Figure:
    """Show how the target correlates with the spend of the weeks before.

    Parameters
    ----------
    lagged : pd.DataFrame (channel and lag,)
        Columns channel, lag (weeks), correlation.
    target : str
        Name of the target.
    """
    table = lagged.pivot(index="channel", columns="lag", values="correlation")
    table = table.reindex(pd.unique(lagged["channel"]))
    width = max(7.5, 0.62 * min(len(table.columns), NUMBERS_UP_TO) + 3.2)
    title = f"Correlation of {target} with the spend of earlier weeks"
    fig = look.new_figure(width, 0.42 * len(table) + 1.6, title)
    ax = fig.subplots()
    values, lags = table.to_numpy(float), [str(lag) for lag in table.columns]
    image = _heatmap(ax, values, _wrapped(table.index), lags)
    if len(lags) <= NUMBERS_UP_TO:
        _write_numbers(ax, values)
    else:
        fig.colorbar(image, ax=ax, label="Correlation")
        ax.set_xticks(ax.get_xticks()[:: -(-len(lags) // NUMBERS_UP_TO)])
    ax.set_xlabel("Weeks between spend and sale")
    return fig


@look.styled
def variance_inflation(channels: pd.DataFrame) -> Figure:
    """Show how much the other columns blur each channel.

    Parameters
    ----------
    channels : pd.DataFrame (channel,)
        Columns channel, vif, vif_with_controls; infinite when the others reproduce the channel.
    """
    names, title = _wrapped(channels["channel"]), "Variance inflation of each channel (VIF)"
    fig, ax = look.row_figure(9, title, names, 0.62, 1.9)
    labels = {"vif": "Given the other channels", "vif_with_controls": "... and the controls"}
    if channels["vif"].equals(channels["vif_with_controls"]):
        del labels["vif_with_controls"]
    known = channels[[*labels]].to_numpy(float)
    end = 1.6 * max(2 * HIGH_VIF, known[np.isfinite(known)].max(initial=1.0))
    height = 0.7 / len(labels)
    for side, label in enumerate(labels.values()):
        factors = known[:, side]
        rows = np.arange(len(factors)) + height * (side - (len(labels) - 1) / 2)
        for exact, color in ((False, (MODEL, PALE)[side]), (True, FAULT)):
            drawn = np.where(np.isinf(factors) == exact, factors.clip(max=end), np.nan)
            if np.isfinite(drawn).any():
                style = {"color": color, "alpha": 0.5 if exact and side else 1.0}
                shown = "" if exact else label
                ax.barh(rows, drawn - 1, 0.9 * height, 1, label=shown, **style)
    texts = [" / ".join(_factor(value) for value in row) for row in known]
    look.margin_text(ax, texts, "channels / + controls" if len(labels) > 1 else "")
    ax.axvline(HIGH_VIF, color=INK, linestyle="--", linewidth=0.9, label=f"{HIGH_VIF:.0f}: high")
    ax.set_xscale("log")
    ax.set_xlim(1, end)
    look.log_axis(ax.xaxis, 9, (1, 2, 5) if end < 500 else (1,))
    ax.set_xlabel("VIF, log scale; 1: moves on its own, infinite: made up of the others")
    look.legend(fig, ax)
    return fig


def _factor(value: float) -> str:
    return "infinite" if np.isinf(value) else human(value)


def _wrapped(names: Any) -> list[str]:
    return [shown(name, WRAP) for name in names]


def _heatmap(
    ax: Axes, values: np.ndarray, rows: Sequence[str], columns: Sequence[str]
) -> AxesImage:
    """Draw correlations as coloured cells; NaN and infinity leave a cell white."""
    shown = np.ma.masked_invalid(values)
    image = ax.imshow(shown, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    look.tidy(ax)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.set_yticks(range(len(rows)), rows)
    ax.set_xticks(range(len(columns)), columns)
    ax.tick_params(length=0)
    return image


def _write_numbers(ax: Axes, values: np.ndarray) -> None:
    """Write a correlation into its cell, n/a for NaN; infinity stays empty."""
    for (row, column), value in np.ndenumerate(values):
        if np.isinf(value):
            continue
        ink = MUTED if np.isnan(value) else "white" if abs(value) > 0.6 else INK
        text = "n/a" if np.isnan(value) else f"{round(value, 2) + 0.0:.2f}"
        ax.text(column, row, text, ha="center", va="center", fontsize=8.5, color=ink)
