"""Plots of what a ranking leaves open: ROAS and plans across models. None is saved."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpecFromSubplotSpec, SubplotSpec
from matplotlib.lines import Line2D

from mmm_demo.plots import style as look
from mmm_demo.plots.glyphs import keyed, shown
from mmm_demo.plots.style import MODEL, PALE, SPEND
from mmm_demo.settings.wording import ROAS_UNIT

ACROSS = 4  # channels beside each other
ROW, PANEL, WIDTH, CHARACTER = 0.19, 2.6, 3.2, 0.066  # inches
BAND = "#f3f5f7"


@look.styled
def specification_curve(
    roas: pd.DataFrame, levels: pd.DataFrame, equal: Collection[str], best: str, ranked: int
) -> Figure:
    """Show the ROAS of every model by channel, above the settings that it was made with.

    Parameters
    ----------
    roas : pd.DataFrame (model and channel,)
        Columns run_id, channel, median, lower_94, upper_94 (sales per unit of spend).
    levels : pd.DataFrame (model,)
        Index run_id; an ordered categorical column per setting in which the models differ.
    equal, best
        Run ids of the models that are as good as the best, and of the best.
    ranked
        How many models there are; not all may be shown.

    Returns
    -------
    Figure
        Two axes per channel: intervals, ordered by their medians, and under each the dots that
        say its settings. Without settings that differ, the lower one is empty.
    """
    channels = list(pd.unique(roas["channel"]))
    named = [(name, level) for name in levels for level in _used(levels[name])]
    across = min(ACROSS, len(channels))
    down, matrix = -(-len(channels) // across), ROW * max(len(named), 1)
    left = CHARACTER * max((len(f"{name}  {level}") for name, level in named), default=0) + 0.1
    size = (across * WIDTH + left, down * (PANEL + matrix + 0.5) + 1.3)
    fig = look.new_figure(*size, _title(roas, equal, ranked))
    grid = fig.add_gridspec(down, across + 1, width_ratios=[left, *[WIDTH] * across])
    fig.add_subplot(grid[:, 0]).set_axis_off()
    for place, channel in enumerate(channels):
        panels = _panels(fig, grid[place // across, place % across + 1], matrix)
        rows = roas[roas["channel"] == channel].sort_values(["median", "run_id"])
        colors = [_color(run, equal, best) for run in rows["run_id"]]
        _intervals(panels[0], str(channel), rows, colors)
        _dots(panels[1], rows["run_id"], levels, named, colors)
        if place % across == 0:
            _labels(panels[1], named)
        for at in np.flatnonzero(rows["run_id"] == best):
            for ax in panels:
                ax.axvspan(at - 0.5, at + 0.5, color=SPEND, alpha=0.13, linewidth=0, zorder=0)
    fig.legend(handles=_keys(roas, equal), loc="outside lower center", ncols=3)
    return fig


def _used(column: pd.Series) -> list[str]:
    return list(column.cat.remove_unused_categories().cat.categories)


def _title(roas: pd.DataFrame, equal: Collection[str], ranked: int) -> str:
    shown = set(roas["run_id"])
    good = f"{len(shown & set(equal))} of them equally good"
    return f"ROAS ({ROAS_UNIT}) of {_models(len(shown), ranked)}, {good}"


def _models(shown: int, ranked: int) -> str:
    return f"{shown} models" if shown == ranked else f"{shown} of {ranked} models"


def _color(run: str, equal: Collection[str], best: str) -> str:
    return SPEND if run == best else MODEL if run in equal else PALE


def _keys(roas: pd.DataFrame, equal: Collection[str]) -> list[Line2D]:
    keys = [("Best model", SPEND), ("As good as the best", MODEL)]
    if set(roas["run_id"]) - set(equal):
        keys.append(("Passed, but worse", PALE))
    return [Line2D([], [], color=color, marker="o", label=label) for label, color in keys]


def _panels(fig: Figure, cell: SubplotSpec, matrix: float) -> tuple[Axes, Axes]:
    ratio = {"height_ratios": [PANEL, matrix], "hspace": 0.02}
    inner = GridSpecFromSubplotSpec(2, 1, cell, **ratio)
    upper, lower = (fig.add_subplot(part) for part in inner)
    return look.tidy(upper), look.tidy(lower, grid="x")


def _labels(ax: Axes, named: Sequence[tuple[str, str]]) -> None:
    """Write the levels of each setting left of their rows, the setting before its first level."""
    for row, (name, level) in enumerate(named):
        first = row == 0 or named[row - 1][0] != name
        place = {"transform": ax.get_yaxis_transform(), "ha": "right", "va": "center"}
        text = ax.text(-0.02, row, f"{name}  {level}" if first else level, fontsize=8, **place)
        text.set_in_layout(False)  # it stands in the column kept free for it


def _intervals(ax: Axes, channel: str, rows: pd.DataFrame, colors: Sequence[str]) -> None:
    width = float(np.clip(32 / len(rows), 1.0, 2.4))
    for at, (row, color) in enumerate(zip(rows.itertuples(), colors, strict=True)):
        ax.plot([at, at], [row.lower_94, row.upper_94], color=color, linewidth=width)
        ax.plot([at], [row.median], "o", color=color, markersize=2 * width + 1.6)
    look.number_axis(ax.yaxis, "", ticks=5)
    ax.set_xlim(-0.8, len(rows) - 0.2)
    ax.set_ylim(bottom=min(0.0, 1.05 * rows["lower_94"].min()))
    ax.set_xticks([])
    ax.set_title(shown(channel))


def _dots(
    ax: Axes,
    runs: pd.Series,
    levels: pd.DataFrame,
    named: Sequence[tuple[str, str]],
    colors: Sequence[str],
) -> None:
    """Draw a dot for each model in the row of its level of each setting."""
    size = float(np.clip(90 / len(runs), 3.2, 6))
    for row, (name, level) in enumerate(named):
        if list(levels).index(name) % 2 == 0:
            ax.axhspan(row - 0.5, row + 0.5, color=BAND, linewidth=0, zorder=0)
        for at in np.flatnonzero(levels[name].loc[runs].to_numpy() == level):
            ax.plot([at], [row], "o", color=colors[at], markersize=size, markeredgewidth=0)
    ax.set_xlim(-0.8, len(runs) - 0.2)
    ax.set_ylim(max(len(named), 1) - 0.5, -0.5)
    ax.grid(False)
    ax.set(xticks=[], yticks=[])
    ax.spines[["left", "bottom"]].set_visible(False)


@look.styled
def plan_shares(plans: pd.DataFrame, equal: Collection[str], ranked: int) -> Figure:
    """Show how each model would split the budget, the best model first.

    Parameters
    ----------
    plans : pd.DataFrame (model and channel,)
        Columns run_id, channel, planned (money), models by rank.
    equal
        Run ids of the models that are as good as the best.
    ranked
        How many models there are; not all may be shown.

    Returns
    -------
    Figure
        One axes, a stacked bar per model; bars of models that are worse are pale.
    """
    shares = plans.pivot_table("planned", "run_id", "channel", sort=False)
    shares = shares.div(shares.sum(axis=1), axis=0)
    title = f"Share of the budget by channel, {_models(len(shares), ranked)}"
    fig = look.new_figure(max(6.5, 0.26 * len(shares) + 2), 4.6, title)
    ax = look.tidy(fig.subplots())
    ranks, bottom = range(1, len(shares) + 1), np.zeros(len(shares))
    alpha = [1.0 if run in equal else 0.35 for run in shares.index]
    for channel, color in zip(shares, look.part_colors(list(shares)), strict=True):
        height = shares[channel].fillna(0.0).to_numpy()
        bars = ax.bar(ranks, height, bottom=bottom, color=color, label=keyed(channel))
        for bar, shade in zip(bars, alpha, strict=True):
            bar.set_alpha(shade)
        bottom += height
    ax.set_xlim(0.3, len(shares) + 0.7)
    ax.set_ylim(0, 1)
    look.number_axis(ax.xaxis, "Models by rank, the best is 1", ticks=10)
    look.number_axis(ax.yaxis, "Share of the budget", percent=True)
    worse = sum(run not in equal for run in shares.index)
    ax.set_title("Pale: worse than the best" if worse else "All are as good as the best")
    look.legend(fig, ax)
    return fig
