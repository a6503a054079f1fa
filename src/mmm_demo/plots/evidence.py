"""Plots of the evidence about a fit: forecasts of unseen weeks, recovery, placebos, variants.

Tables in, a matplotlib Figure out. Nothing is told apart by colour alone, and refits that did not
converge are never drawn as if they counted.
"""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mmm_demo.evidence.placebo import SHARE_MAX
from mmm_demo.evidence.sensitivity import BASE
from mmm_demo.plots import style as look
from mmm_demo.plots.glyphs import keyed
from mmm_demo.plots.style import CHANNELS, FAULT, INK, MARKERS, MODEL, MUTED, PALE, SALES, SPEND
from mmm_demo.settings.wording import ROAS_UNIT, roas_with_interval

ROAS_AXIS = ROAS_UNIT.capitalize()
HALF_WEEK = np.timedelta64(84, "h")
LABELS_UP_TO = 12  # more folds than this are numbered only
UNCONVERGED = "Refit did not converge: not judged"
HATCH = {"facecolor": "none", "edgecolor": PALE, "hatch": "///", "linewidth": 0}
# How the ROAS of a channel is drawn by its identification label: colour, line and point.
LABELLED: dict[str, dict[str, Any]] = {
    "data-driven": {"color": MODEL, "linestyle": "-", "marker": "o", "markerfacecolor": MODEL},
    "prior-driven": {"color": FAULT, "linestyle": "--", "marker": "D", "markerfacecolor": "white"},
    "not assessable": {"color": MUTED, "linestyle": ":", "marker": "s", "markerfacecolor": "white"},
}


@look.styled
def backtest(forecast: pd.DataFrame) -> Figure:
    """Show what each fold forecast, what a naive rule forecast, and what came.

    Parameters
    ----------
    forecast : pd.DataFrame (fold and week,)
        Columns fold, week (dates), observed, mean, lower_94, upper_94, naive (sales per week),
        converged.

    Returns
    -------
    Figure
        One axes, folds between dotted borders; those that did not converge are hatched.
    """
    used = forecast[forecast["converged"].astype(bool)]
    inside = int(used["observed"].between(used["lower_94"], used["upper_94"]).sum())
    fig = look.new_figure(10, 4.8, "Backtest: forecasts of weeks that the model had not seen")
    ax = look.tidy(fig.subplots())
    folds = list(forecast.groupby("fold"))
    for place, (fold, weeks) in enumerate(folds):
        _draw_fold(ax, weeks, first=place == 0)
        name = f"Fold {fold}" if len(folds) <= LABELS_UP_TO else f"{fold}"
        text = {"transform": ax.get_xaxis_transform(), "va": "top", "color": MUTED}
        ax.text(look.as_weeks(weeks["week"])[0], 0.985, name, fontsize=9, **text)
    x = look.as_weeks(forecast["week"])
    ax.plot(x, forecast["observed"], "-o", color=INK, linewidth=1.2, markersize=3, label="Observed")
    ax.set_title(f"{inside} of {len(used)} weeks that count lie inside the 94% interval")
    look.number_axis(ax.yaxis, SALES)
    ax.margins(y=0.12)
    look.date_axis(ax, x)
    keys, _ = ax.get_legend_handles_labels()
    keys += [Patch(label=UNCONVERGED, **HATCH)] if len(used) < len(forecast) else []
    fig.legend(handles=keys, loc="outside lower center", ncols=5)
    return fig


def _draw_fold(ax: Axes, weeks: pd.DataFrame, *, first: bool) -> None:
    x = look.as_weeks(weeks["week"])
    names = ["Forecast: 94% interval", "Forecast: mean", "Naive forecast"]
    band, mean, naive = names if first else [None] * 3
    span = {"color": MODEL, "alpha": 0.2, "linewidth": 0, "label": band}
    ax.fill_between(x, weeks["lower_94"], weeks["upper_94"], **span)
    ax.plot(x, weeks["mean"], color=MODEL, linewidth=1.8, label=mean)
    style = {"color": SPEND, "linestyle": "--", "marker": "x", "markersize": 4, "linewidth": 1}
    ax.plot(x, weeks["naive"], label=naive, **style)
    if not first:
        ax.axvline(x[0] - HALF_WEEK, color=MUTED, linestyle=":", linewidth=1)
    if not weeks["converged"].all():
        ax.axvspan(x[0] - HALF_WEEK, x[-1] + HALF_WEEK, zorder=0, **HATCH)


@look.styled
def recovery(table: pd.DataFrame) -> Figure:
    """Hold estimates from simulated sales against the truth that these were simulated from.

    Parameters
    ----------
    table : pd.DataFrame (replicate, channel and quantity,)
        Columns replicate, channel, quantity (`contribution` in sales, `ROAS` in sales per unit of
        spend), truth, median, lower_90, upper_90, inside, converged.

    Returns
    -------
    Figure
        One axes per quantity with a 1:1 line; an interval that misses the truth has a ring.
        Replicates that did not converge are left out, and counted below the title.
    """
    used = table[table["converged"].astype(bool)]
    lost = table.loc[~table["converged"].astype(bool), "replicate"].nunique()
    title = f"Recovery: {used['inside'].sum()} of {len(used)} intervals of 90% hold the truth"
    fig = look.new_figure(10, 5.4, title)
    quantities = list(pd.unique(table["quantity"]))
    channels = list(pd.unique(table["channel"]))
    marks = zip(itertools.cycle(CHANNELS), itertools.cycle(MARKERS))
    styles = dict(zip(channels, marks, strict=False))
    axes = fig.subplots(1, len(quantities), squeeze=False)[0]
    for ax, quantity in zip(axes, quantities, strict=True):
        _recovery_panel(look.tidy(ax, grid="both"), used[used["quantity"] == quantity], styles)
        units = ROAS_UNIT if quantity == "ROAS" else "sales in all weeks"
        ax.set(xlabel=f"True {quantity}, {units}", ylabel=f"Estimated {quantity}, {units}")
    note = f"{lost} of {table['replicate'].nunique()} refits did not converge and are left out"
    fig.axes[0].set_title(note if lost else "Line: 90% interval; equal truths stand side by side")
    keys = [Line2D([], [], color=c, marker=m, label=keyed(n)) for n, (c, m) in styles.items()]
    keys += [Line2D([], [], color=INK, linestyle="--", linewidth=1, label="Estimate is the truth")]
    keys += [Line2D([], [], linestyle="", label="Interval misses the truth", **_RING)]
    fig.legend(handles=keys, loc="outside lower center", ncols=6)
    return fig


_RING: dict[str, Any] = {
    "marker": "o",
    "markersize": 14,
    "markerfacecolor": "none",
    "markeredgecolor": INK,
    "markeredgewidth": 1.6,
}


def _recovery_panel(ax: Axes, rows: pd.DataFrame, styles: Mapping[str, tuple[str, str]]) -> None:
    values = rows[["truth", "median", "lower_90", "upper_90"]].to_numpy(float)
    values = values[np.isfinite(values).all(axis=1)]
    if not values.size:
        ax.text(0.5, 0.5, "nothing to show", transform=ax.transAxes, ha="center", color=MUTED)
        return
    truth = values[:, 0]
    logs = bool((values > 0).all() and truth.max() > look.LOG_SPREAD * truth.min())
    for axis, scale in ((ax.xaxis, ax.set_xscale), (ax.yaxis, ax.set_yscale)):
        look.number_axis(axis, "", ticks=6)
        if logs:
            scale("log")
            look.log_axis(axis, 6)
    for channel, of_channel in rows.groupby("channel", sort=False):
        color, marker = styles[str(channel)]
        of_channel = of_channel.sort_values("truth")
        x = _spread(of_channel["truth"].to_numpy(float), np.ptp(truth), logs=logs)
        ax.vlines(x, of_channel["lower_90"], of_channel["upper_90"], color=color, linewidth=1.8)
        style = {"color": color, "markersize": 7.5, "markeredgecolor": "white", "zorder": 3}
        ax.plot(x, of_channel["median"], marker, label=keyed(channel), **style)
        missed = ~of_channel["inside"].to_numpy(bool)
        if missed.any():
            ring = {"linestyle": "", "label": "Miss", "zorder": 4} | _RING
            ax.plot(x[missed], of_channel["median"].to_numpy()[missed], **ring)
    low, high = truth.min(), truth.max()
    ax.axline((low, low), (high * 1.001 + 1e-12, high * 1.001 + 1e-12), **_ONE_TO_ONE)


_ONE_TO_ONE: dict[str, Any] = {"color": INK, "linestyle": "--", "linewidth": 1, "zorder": 1}


def _spread(truth: np.ndarray, span: float, *, logs: bool) -> np.ndarray:
    """Move equal truths (sorted) apart by about the width of a line, so that none hides another."""
    x = np.log(truth) if logs else truth.copy()
    gap = 0.02 * (np.ptp(x) if logs else span)
    for place in range(1, len(x)):
        x[place] = max(x[place], x[place - 1] + gap)
    return np.exp(x) if logs else x


@look.styled
def roas_labelled(roas: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Show each channel's ROAS with what it rests on: the data, or the prior.

    Parameters
    ----------
    roas : pd.DataFrame (channel,)
        Columns channel, median, lower_94, upper_94 (`tables.describe`): sales per unit of spend.
    labels : Mapping
        Identification label by channel; a channel without one is `not assessable`.

    Returns
    -------
    Figure
        One axes, one row per channel; colour, line and point differ by label.
    """
    found = [labels.get(str(name), "not assessable") for name in roas["channel"]]
    named = [f"{name}\n{label}" for name, label in zip(roas["channel"], found, strict=True)]
    fig, ax = look.row_figure(9, "ROAS by channel, and what it rests on", named, 0.62, 1.8)
    for row, (part, label) in enumerate(zip(roas.itertuples(), found, strict=True)):
        style = LABELLED[label]
        line = {"color": style["color"], "linestyle": style["linestyle"], "linewidth": 2.2}
        ax.plot([part.lower_94, part.upper_94], [row, row], **line)
        point = {**style, "linestyle": "", "markersize": 9, "markeredgewidth": 1.8}
        ax.plot([part.median], [row], **point)
    texts = [roas_with_interval(p.median, p.lower_94, p.upper_94) for p in roas.itertuples()]
    look.margin_text(ax, texts, "median (94% interval)")
    columns = (roas[name].to_numpy(float) for name in ("lower_94", "median", "upper_94"))
    look.span_axis(ax, ROAS_AXIS, *columns, percent=False)
    keys = [
        Line2D([], [], linewidth=2.2, label=f"{name.capitalize()} ({found.count(name)})", **style)
        for name, style in LABELLED.items()
        if name in found
    ]
    fig.legend(handles=keys, loc="outside lower center", ncols=3)
    return fig


@look.styled
def placebo(table: pd.DataFrame) -> Figure:
    """Show which share of sales the model gave to channels that cannot have brought any.

    Parameters
    ----------
    table : pd.DataFrame (placebo,)
        Columns channel, shift_weeks, share_lower_5, share_median, share_upper_95 (fractions),
        believed, converged.

    Returns
    -------
    Figure
        One axes, one row per placebo, with the line beyond which a placebo counts as believed.
    """
    names = [f"{p.channel}, by {p.shift_weeks} weeks" for p in table.itertuples()]
    title = "Placebo: sales credited to a shifted channel"
    fig, ax = look.row_figure(9, title, names, 0.55, 1.9)
    verdicts = []
    for row, part in enumerate(table.itertuples()):
        style = {"color": FAULT if part.believed else MODEL, "linewidth": 2.2}
        style |= {} if part.converged else {"color": MUTED, "linestyle": ":"}
        ax.plot([part.share_lower_5, part.share_upper_95], [row, row], **style)
        mark = {"markersize": 9, "markeredgecolor": "white", "color": style["color"]}
        ax.plot([part.share_median], [row], "X" if part.believed else "o", **mark)
        seen = "BELIEVED" if part.believed else "seen through"
        verdicts.append(seen if part.converged else "did not converge")
    look.margin_text(ax, verdicts, "verdict")
    bounds = table[["share_lower_5", "share_median", "share_upper_95"]].to_numpy(float).T
    ends = (bounds[0], bounds[1], np.fmax(bounds[2], 1.25 * SHARE_MAX))
    look.span_axis(ax, "Share of all sales", *ends, percent=True)
    ax.axvline(SHARE_MAX, color=INK, linestyle="--", linewidth=1)
    ax.set_title(
        f"Dot: median; line: 5% to 95%. Believed: all of the line right of {SHARE_MAX:.0%} (dashed)"
    )
    return fig


@look.styled
def sensitivity(table: pd.DataFrame) -> Figure:
    """Show each channel's ROAS under other modelling choices beside that of the model as fitted.

    Parameters
    ----------
    table : pd.DataFrame (variant and channel,)
        Columns variant (`as fitted` is the model itself), channel, roas, lower_94, upper_94
        (sales per unit of spend), converged.

    Returns
    -------
    Figure
        One axes, a group of intervals per channel; the pale bar is the interval as fitted, and
        variants that did not converge have a hollow point and a dotted line.
    """
    variants, channels = list(pd.unique(table["variant"])), list(pd.unique(table["channel"]))
    title, pitch = "Sensitivity: ROAS under other modelling choices", 0.22 * len(variants) + 0.25
    fig, ax = look.row_figure(9.5, title, channels, pitch, 2)
    offsets = np.linspace(-0.3, 0.3, len(variants)) if len(variants) > 1 else [0.0]
    for part in table[table["variant"] == BASE].itertuples():
        bar = {"left": part.lower_94, "color": PALE, "alpha": 0.45, "linewidth": 0, "zorder": 0}
        ax.barh(channels.index(part.channel), part.upper_94 - part.lower_94, height=0.84, **bar)
    keys = [Patch(facecolor=PALE, alpha=0.45, label="94% interval as fitted")]
    colors = itertools.chain([INK], itertools.cycle(CHANNELS))
    looks = zip(variants, offsets, colors, itertools.cycle(MARKERS))
    for variant, offset, color, marker in looks:
        rows = table[table["variant"] == variant]
        converged = bool(rows["converged"].all())
        style = {"color": color, "marker": marker, "markersize": 6.5, "linewidth": 1.5}
        style |= {"markerfacecolor": color if converged else "white"}
        style |= {"linestyle": "-" if converged else ":"}
        for part in rows.itertuples():
            row = channels.index(part.channel) + offset
            ax.plot([part.lower_94, part.roas, part.upper_94], [row] * 3, markevery=[1], **style)
        note = "" if converged else " (did not converge: not judged)"
        keys.append(Line2D([], [], **style, label=f"{str(variant).capitalize()}{note}"))
    ends = (table[name].to_numpy(float) for name in ("lower_94", "roas", "upper_94"))
    look.span_axis(ax, ROAS_AXIS, *ends, percent=False)
    ax.set_title("Point: median; line: 94% interval")
    fig.legend(handles=keys, loc="outside lower center", ncols=3)
    return fig


# The figure of each battery of refits, by its name.
FIGURES = {
    "backtest": backtest,
    "recovery": recovery,
    "placebo": placebo,
    "sensitivity": sensitivity,
}
