"""Plots of what a fitted model says: where sales come from, what spend returns, what to plan.

Tables or draws in, a matplotlib Figure out. Intervals in a table are drawn as they come.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mmm_demo.plots import style as look
from mmm_demo.plots.glyphs import LONGEST, keyed, shown
from mmm_demo.plots.style import FAULT, INK, MODEL, PALE, SALES, SPEND, human
from mmm_demo.settings.wording import MEDIA_SALES, ROAS_UNIT, roas_with_interval

WEEKLY_SPEND = "Spend per week"


@look.styled
def contributions_over_time(weeks: Any, parts: pd.DataFrame, observed: Any) -> Figure:
    """Stack the posterior mean contributions; negative ones hang below zero.

    Parameters
    ----------
    weeks, observed : array (week,)
        Dates, and sales per week.
    parts : pd.DataFrame (week, part)
        Mean contribution in sales per week, e.g. baseline, seasonality, controls, TV, Radio.

    Returns
    -------
    Figure
        One axes; the dotted line is the sum of the parts.
    """
    x = look.as_weeks(weeks)
    fig = look.new_figure(11.5, 5.5, "Where sales come from: mean contribution per week")
    ax = look.tidy(fig.subplots())
    up, down = np.zeros(len(x)), np.zeros(len(x))
    for (name, values), color in zip(parts.items(), look.part_colors(parts.columns), strict=True):
        above, below = np.clip(values, 0, None).to_numpy(), np.clip(values, None, 0).to_numpy()
        style = {"color": color, "linewidth": 0}
        ax.fill_between(x, up, up + above, label=keyed(name), **style)
        if below.any():
            ax.fill_between(x, down, down + below, **style)
        up, down = up + above, down + below
    ax.plot(x, parts.sum(axis=1), color=INK, linestyle=":", linewidth=1.4, label="Sum of parts")
    ax.plot(x, np.asarray(observed, dtype=float), color=INK, linewidth=1.3, label="Observed")
    ax.axhline(0, color=INK, linewidth=0.8)
    look.number_axis(ax.yaxis, SALES)
    look.date_axis(ax, x)
    fig.legend(handles=ax.get_legend_handles_labels()[0][::-1], loc="outside right upper")
    return fig


@look.styled
def channel_contribution(weeks: Any, channel: str, draws: Any, spend: Any) -> Figure:
    """Show one channel's contribution over time above its spend.

    Parameters
    ----------
    weeks, spend : array (week,)
        Dates, and spend per week.
    channel : str
        Name of the channel.
    draws : array (sample, week)
        Contribution in sales per week.
    """
    x = look.as_weeks(weeks)
    bands = look.as_bands(draws, x)
    fig = look.new_figure(10, 5.5, f"{shown(channel, LONGEST)}: contribution to sales, and spend")
    top, bottom = fig.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    look.draw_bands(look.tidy(top), x, bands)
    top.axhline(0, color=INK, linewidth=0.8)
    top.set_title(bands.note)
    look.number_axis(top.yaxis, SALES)
    look.tidy(bottom)
    bottom.bar(x, np.asarray(spend, dtype=float), np.timedelta64(6, "D"), color=SPEND, linewidth=0)
    look.number_axis(bottom.yaxis, WEEKLY_SPEND, ticks=4)
    look.date_axis(bottom, x)
    look.legend(fig, top)
    return fig


@look.styled
def baseline(weeks: Any, path: pd.DataFrame) -> Figure:
    """Show a baseline that moves: sales without media, controls, season and events.

    Parameters
    ----------
    weeks : array (week,)
        Dates.
    path : pd.DataFrame (week,)
        Columns mean, lower_94, upper_94: sales per week.
    """
    x = look.as_weeks(weeks)
    fig = look.new_figure(10, 4.2, "Baseline: sales without media, controls, season and events")
    ax = look.tidy(fig.subplots())
    ax.fill_between(
        x, path["lower_94"], path["upper_94"], color=MODEL, alpha=0.25, linewidth=0, label="94%"
    )
    ax.plot(x, path["mean"], color=MODEL, label="Mean")
    look.number_axis(ax.yaxis, SALES)
    ax.set_ylim(bottom=min(0.0, float(path["lower_94"].min())))
    look.date_axis(ax, x)
    look.legend(fig, ax)
    return fig


@look.styled
def events(table: pd.DataFrame) -> Figure:
    """Show what each event added to sales, in all its weeks together.

    Parameters
    ----------
    table : pd.DataFrame (event,)
        Columns event, mean, lower_94, upper_94: sales.
    """
    title = "Sales that each event added, in all its weeks together"
    fig, ax = look.row_figure(9, title, table["event"], 0.5, 1.6)
    for row, part in enumerate(table.itertuples()):
        look.interval(ax, row, (part.lower_94, part.upper_94), None, part.mean)
    ax.axvline(0, color=INK, linewidth=0.8)
    look.number_axis(ax.xaxis, "Sales in all weeks of the event")
    ax.set_title("Dot: mean; line: 94%")
    return fig


@look.styled
def channel_shares(shares: pd.DataFrame) -> Figure:
    """Set each channel's share of sales beside its share of spend.

    Parameters
    ----------
    shares : pd.DataFrame (channel,)
        Columns channel, mean, lower_94, upper_94 (share of sales), spend_share: fractions.
    """
    title = "Share of all sales and share of all spend by channel"
    fig, ax = look.row_figure(9, title, shares["channel"], 0.5, 1.9)
    rows = np.arange(len(shares))
    ax.barh(rows, shares["spend_share"], height=0.62, color=SPEND, alpha=0.35, label="Spend")
    ax.plot([], [], "-o", color=MODEL, label="Sales: mean and 94% interval")
    for row, part in enumerate(shares.itertuples()):
        look.interval(ax, row, (part.lower_94, part.upper_94), None, part.mean)
    texts = [f"{p.mean:.1%} / {p.spend_share:.1%}" for p in shares.itertuples()]
    look.margin_text(ax, texts, "sales / spend")
    look.number_axis(ax.xaxis, "Share of all sales, or of all spend", percent=True)
    look.legend(fig, ax)
    return fig


@look.styled
def roas(table: pd.DataFrame) -> Figure:
    """Show the return on ad spend of each channel.

    Parameters
    ----------
    table : pd.DataFrame (channel,)
        Columns channel, mean, median, lower_50, upper_50, lower_94, upper_94: sales per unit of
        spend. The axis turns logarithmic when values differ by more than a factor 30 or so.

    Returns
    -------
    Figure
        One axes, one row per channel, values on the right; a line at 1 if that is in view.
    """
    title = "Return on ad spend (ROAS) by channel"
    fig, ax = look.row_figure(9, title, table["channel"], 0.5, 1.6)
    for row, part in enumerate(table.itertuples()):
        inner, outer = (part.lower_50, part.upper_50), (part.lower_94, part.upper_94)
        look.interval(ax, row, outer, inner, part.median)
    texts = [roas_with_interval(p.median, p.lower_94, p.upper_94) for p in table.itertuples()]
    look.margin_text(ax, texts, "median (94% interval)")
    columns = (table[name].to_numpy(float) for name in ("lower_94", "median", "upper_94"))
    look.span_axis(ax, ROAS_UNIT.capitalize(), *columns, percent=False)
    low, high = ax.get_xlim()
    key = "Dot: median; thick: 50%; thin: 94%"
    if max(low, 0.03 * high if ax.get_xscale() == "linear" else 0) < 1 < high:
        ax.axvline(1, color=INK, linestyle="--", linewidth=0.9)
        key += "; dashed: ROAS of 1"
    ax.set_title(key)
    return fig


@look.styled
def adstock_curve(curve: pd.DataFrame) -> Figure:
    """Show how one channel's effect spreads over the weeks after the spend.

    Parameters
    ----------
    curve : pd.DataFrame (lag,)
        Columns channel (one only), lag (weeks), mean, lower_94, upper_94 (weights).
    """
    channel = _only_channel(curve)
    lag, mean = curve["lag"].to_numpy(), curve["mean"].to_numpy(float)
    fig = look.new_figure(7.5, 4.3, f"{shown(channel, LONGEST)}: carry-over of spend (adstock)")
    ax = look.tidy(fig.subplots())
    ax.bar(lag, mean, width=0.7, color=MODEL, alpha=0.45, label="Mean")
    ax.vlines(lag, curve["lower_94"], curve["upper_94"], color=MODEL, label="94% interval")
    total = mean.sum()
    if np.isfinite(total) and total > 0:
        first = mean[lag == 0].sum() / total
        ax.set_title(f"{first:.0%} of the mean effect falls in the week of the spend")
    ax.set(xlabel="Lag in weeks", ylabel="Weight")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylim(bottom=0)
    look.legend(fig, ax)
    return fig


@look.styled
def saturation_curve(curve: pd.DataFrame, spend: Any) -> Figure:
    """Show one channel's weekly response to weekly spend.

    Parameters
    ----------
    curve : pd.DataFrame (point,)
        Columns channel (one only), spend (per week), mean, lower_94, upper_94 (sales per week).
    spend : array (week,)
        Observed spend per week: ticks along the axis. Beyond its maximum the curve extrapolates.
    """
    channel, seen = _only_channel(curve), np.asarray(spend, dtype=float)
    curve = curve.sort_values("spend")
    x, mean = curve["spend"].to_numpy(float), curve["mean"].to_numpy(float)
    fig = look.new_figure(8, 4.8, f"{shown(channel, LONGEST)}: response to spend (saturation)")
    ax = look.tidy(fig.subplots())
    band = {"color": MODEL, "alpha": 0.2, "linewidth": 0, "label": "94% interval"}
    ax.fill_between(x, curve["lower_94"], curve["upper_94"], **band)
    ax.plot(x, mean, color=MODEL, linewidth=1.8, label="Mean response")
    rug = {"transform": ax.get_xaxis_transform(), "color": INK, "alpha": 0.5, "markersize": 11}
    ax.plot(seen, np.full(seen.size, 0.025), "|", **rug, label="Observed weeks")
    ax.axvline(seen.mean(), color=SPEND, linestyle="--", label=f"Mean spend {human(seen.mean())}")
    if x[-1] > seen.max():
        ax.axvspan(seen.max(), x[-1], color=PALE, alpha=0.3, linewidth=0, label="Never observed")
    response = float(np.interp(seen.mean(), x, mean, left=np.nan, right=np.nan))
    ax.set_title(f"Mean response at the mean weekly spend: {human(response)} {MEDIA_SALES} a week")
    ax.margins(x=0.01)
    look.number_axis(ax.xaxis, WEEKLY_SPEND)
    look.number_axis(ax.yaxis, f"{MEDIA_SALES.capitalize()} per week")
    look.legend(fig, ax, columns=3)
    return fig


def _only_channel(curve: pd.DataFrame) -> str:
    """Return the channel of a curve; refuse a table that mixes several."""
    names = list(pd.unique(curve["channel"]))
    if len(names) != 1:
        raise ValueError(f"a curve shows one channel, got {names}")
    return str(names[0])


@look.styled
def truth_comparison(table: pd.DataFrame) -> Figure:
    """Show whether the intervals hold the known truth of a simulated market.

    Parameters
    ----------
    table : pd.DataFrame (channel and quantity,)
        Columns channel, quantity ("ROAS" in sales per unit of spend, "contribution share" as a
        fraction), truth, median, lower_94, upper_94. A truth or bound that is NaN is a miss.

    Returns
    -------
    Figure
        One axes per quantity; a miss differs in colour and marker.
    """
    hit = (table["lower_94"] <= table["truth"]) & (table["truth"] <= table["upper_94"])
    quantities = list(pd.unique(table["quantity"]))
    rows = int(table["quantity"].value_counts().max())
    title = f"Known truth and posterior: {hit.sum()} of {len(hit)} inside the 94% interval"
    fig = look.new_figure(12, 0.45 * rows + 1.9, title)
    axes = fig.subplots(1, len(quantities), squeeze=False)[0]
    for ax, quantity in zip(axes, quantities, strict=True):
        _truth_panel(look.tidy(ax, grid="x"), table[table["quantity"] == quantity], str(quantity))
    keys = [Line2D([], [], color=color, marker="o") for color in (MODEL, FAULT)]
    marks = (("D", INK), ("X", FAULT))
    keys += [Line2D([], [], color=color, marker=mark, linestyle="") for mark, color in marks]
    labels = [f"Hit ({hit.sum()})", f"Miss ({(~hit).sum()})", "Truth, hit", "Truth, missed"]
    fig.legend(keys, labels, loc="outside lower center", ncols=4)
    return fig


def _truth_panel(ax: Axes, table: pd.DataFrame, quantity: str) -> None:
    look.row_axis(ax, table["channel"])
    for row, part in enumerate(table.itertuples()):
        hit = part.lower_94 <= part.truth <= part.upper_94
        span = (part.lower_94, part.upper_94)
        look.interval(ax, row, span, None, part.median, MODEL if hit else FAULT)
        mark, color = ("D", INK) if hit else ("X", FAULT)
        edge = {"markeredgecolor": "white", "markersize": 9, "zorder": 4}
        ax.plot([part.truth], [row], mark, color=color, **edge)
    share = "share" in quantity.lower()
    low, mid, high, truth = (
        table[name].to_numpy(float) for name in ("lower_94", "median", "upper_94", "truth")
    )
    label = f"{quantity[:1].upper()}{quantity[1:]}" + ("" if share else f", {ROAS_UNIT}")
    look.span_axis(ax, label, np.fmin(low, truth), mid, np.fmax(high, truth), percent=share)
