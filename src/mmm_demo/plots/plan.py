"""Plots of a plan: what changes, what it brings, and what more or less money would.

Tables in, a matplotlib Figure out. Nothing is told apart by colour alone.
"""

import itertools
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.path import Path

from mmm_demo.plots import style as look
from mmm_demo.plots.glyphs import shown
from mmm_demo.plots.style import INK, MARKERS, MODEL, MUTED, PALE, SPEND, human
from mmm_demo.settings.wording import MEDIA_SALES, change, of_sales

UNSEEN = {"facecolor": "#f1f2f4", "edgecolor": PALE, "hatch": "///", "linewidth": 0}
LAST: dict[str, Any] = {
    "color": INK,
    "marker": "o",
    "markerfacecolor": "white",
    "markersize": 8,
    "markeredgewidth": 1.6,
}
PLANNED: dict[str, Any] = {
    "color": SPEND,
    "marker": "D",
    "markersize": 8,
    "markeredgecolor": INK,
    "markeredgewidth": 0.7,
}
MONEY, SALES = "Spend in the window", MEDIA_SALES.capitalize()


@look.styled
def budget_change(table: pd.DataFrame, title: str) -> Figure:
    """Set the planned money beside that of the last period, with what the plan was free to do.

    Parameters
    ----------
    table : pd.DataFrame (channel,)
        Columns channel, current, planned, lower_bound, upper_bound, observed_low, observed_high:
        money in the window (`Plan.table`).
    title : str
        Title of the figure.

    Returns
    -------
    Figure
        One axes: two bars per channel, bounds as brackets, the totals ever observed as a grey
        line below them, change in money and % on the right.
    """
    fig, ax = look.row_figure(9.5, title, table["channel"], 0.85, 1.9)
    rows = np.arange(len(table))
    ax.barh(rows - 0.24, table["current"], height=0.28, color=PALE, label="Last period")
    ax.barh(rows + 0.06, table["planned"], height=0.28, color=MODEL, label="Plan")
    low, high = (table[f"{side}_bound"].to_numpy(float) for side in ("lower", "upper"))
    ends = table[["current", "planned", "observed_high"]].to_numpy(float)
    longest = float(ends.max(initial=0.0)) or 1.0
    ax.hlines(rows + 0.06, low, np.minimum(high, 3 * longest), color=INK, linewidth=0.7)
    for places, side, label in ((low, 1, "Bounds of the plan"), (high, -1, None)):
        bracket = [(0.4 * side, -1), (0, -1), (0, 1), (0.4 * side, 1)]
        style = {"color": INK, "markersize": 11, "linestyle": "", "fillstyle": "none"}
        ax.plot(places, rows + 0.06, marker=Path(bracket), label=label, **style)
    seen = {"color": MUTED, "linewidth": 3, "label": "Totals ever observed"}
    ax.hlines(rows + 0.33, table["observed_low"], table["observed_high"], **seen)
    look.margin_text(ax, [_change(part) for part in table.itertuples()], "change")
    look.number_axis(ax.xaxis, MONEY)
    ax.set_xlim(0, 1.04 * max(longest, min(float(high.max(initial=0.0)), 2 * longest)))
    totals = (human(table[name].sum()) for name in ("current", "planned"))
    total = "Total {} last period, {} planned".format(*totals)
    ax.set_title(total + ("; bounds go beyond the view" if (high > 2 * longest).any() else ""))
    look.legend(fig, ax)
    return fig


def _change(part: Any) -> str:
    told, more = change(part.current, part.planned), part.planned - part.current
    if part.current == part.planned == 0:
        return told
    return f"{'+' if more > 0 else ''}{human(more)} ({told})"


@look.styled
def response_curves(curves: pd.DataFrame, table: pd.DataFrame) -> Figure:
    """Show what each channel would bring at other totals.

    Parameters
    ----------
    curves : pd.DataFrame (channel and point,)
        `planning.curves.response_curves`.
    table : pd.DataFrame (channel,)
        Columns channel, current, planned, observed_low, observed_high (`Plan.table`).

    Returns
    -------
    Figure
        One axes per channel: mean with 50 and 94 % intervals, last period and plan as points;
        totals never observed are hatched.
    """
    fig, panels = _panels("What each channel brings, by spend in the window", curves, table)
    for ax, part, curve in panels:
        for level in ("94", "50"):
            look.band(ax, curve["spend"], curve[f"lower_{level}"], curve[f"upper_{level}"], level)
        _draw_curve(ax, part, curve, "mean")
        look.number_axis(ax.yaxis, SALES, ticks=5)
        ax.set_ylim(bottom=0)
    _curve_legend(fig, inner=True)
    return fig


@look.styled
def marginal_curves(curves: pd.DataFrame, table: pd.DataFrame) -> Figure:
    """Show what the next unit of money would bring with each channel, at other totals.

    Parameters
    ----------
    curves, table : pd.DataFrame
        As for `response_curves`.

    Returns
    -------
    Figure
        One axes per channel with a common scale; intervals that go far beyond every mean are cut.
    """
    title = "What the next unit of money brings, by spend in the window"
    fig, panels = _panels(title, curves, table)
    top = float(curves["marginal_upper_94"].max())
    top = 1.05 * min(top, 2 * float(curves["marginal"].max())) or 1.0
    for ax, part, curve in panels:
        look.band(ax, curve["spend"], curve["marginal_lower_94"], curve["marginal_upper_94"])
        _draw_curve(ax, part, curve, "marginal")
        look.number_axis(ax.yaxis, "Sales by media per unit of money", ticks=5)
        ax.set_ylim(0, top)
    _curve_legend(fig, inner=False)
    return fig


def _small_multiples(title: str, names: Collection[Any]) -> tuple[Figure, list[Axes]]:
    count = len(names)
    across = count if count < 3 else 2 if count == 4 else 3
    fig, axes = look.panel_figure((10, 2.5, 1.2), title, count, across)
    for ax, name in zip(axes, names, strict=True):
        ax.set_title(shown(name), color=INK)
    return fig, axes


def _panels(
    title: str, curves: pd.DataFrame, table: pd.DataFrame
) -> tuple[Figure, Iterable[tuple[Axes, Any, pd.DataFrame]]]:
    """Return a figure, and axes, row of the table and curve of each channel."""
    fig, axes = _small_multiples(title, table["channel"])
    of_channel = (curves[curves["channel"] == name] for name in table["channel"])
    return fig, zip(axes, table.itertuples(), of_channel, strict=True)


def _draw_curve(ax: Axes, part: Any, curve: pd.DataFrame, name: str) -> None:
    """Draw a mean, both points on it, and the totals that were never observed."""
    spend, mean = curve["spend"].to_numpy(float), curve[name].to_numpy(float)
    ax.plot(spend, mean, color=MODEL, linewidth=1.8)
    for low, high in ((0.0, part.observed_low), (part.observed_high, spend[-1])):
        if high > low:
            ax.axvspan(low, high, zorder=0, **UNSEEN)
    for money, style in ((part.current, LAST), (part.planned, PLANNED)):
        ax.plot(
            [money], [np.interp(money, spend, mean)], linestyle="", clip_on=False, zorder=4, **style
        )
    look.number_axis(ax.xaxis, "", ticks=5)
    ax.set_xlim(0, spend[-1])


def _curve_legend(fig: Figure, *, inner: bool) -> None:
    keys: list[Any] = [Line2D([], [], color=MODEL, linewidth=1.8, label="Mean")]
    keys += [Patch(color=MODEL, alpha=0.4, label="50% interval")] if inner else []
    keys += [
        Patch(color=MODEL, alpha=0.18, label="94% interval"),
        Line2D([], [], linestyle="", label="Last period", **LAST),
        Line2D([], [], linestyle="", label="Plan", **PLANNED),
        Patch(label="Total never observed", **UNSEEN),
    ]
    fig.legend(handles=keys, loc="outside lower center", ncols=len(keys))


@look.styled
def frontier(table: pd.DataFrame, scenarios: pd.DataFrame) -> Figure:
    """Show the most that each budget could be expected to bring, and the scenarios below it.

    Parameters
    ----------
    table : pd.DataFrame (budget,)
        `planning.curves.budget_frontier`.
    scenarios : pd.DataFrame (scenario,)
        Columns scenario, budget, response, roas (`planning.study.scenario_table`).

    Returns
    -------
    Figure
        Two axes over the budget: response with 50 and 94 % intervals; ROAS and marginal ROAS.
    """
    fig = look.new_figure(10, 4.6, "What other budgets could bring, each divided at its best")
    left, right = fig.subplots(1, 2)
    budget = table["budget"].to_numpy(float)
    for level in ("94", "50"):
        look.band(left, budget, table[f"lower_{level}"], table[f"upper_{level}"], level)
    left.plot(budget, table["mean"], color=MODEL, linewidth=1.8, label="Mean, ROAS")
    right.plot(budget, table["roas"], color=MODEL, linewidth=1.8)
    style = {"color": MUTED, "linewidth": 1.8, "linestyle": "--", "label": "Marginal ROAS"}
    right.plot(budget, table["mroas"], **style)
    left.set_title(f"{SALES}, carryover after the window included")
    right.set_title(f"{SALES} per unit of money: of all, of the next one")
    for ax, name in ((left, "response"), (right, "roas")):
        _mark(look.tidy(ax, grid="both"), scenarios, name)
        look.number_axis(ax.xaxis, "Budget for the window", ticks=6)
        look.number_axis(ax.yaxis, "", ticks=6)
        ax.set_ylim(bottom=0)
    (of_all, _), (of_next, _) = (ax.get_legend_handles_labels() for ax in (left, right))
    fig.legend(handles=[*of_next[:1], *of_all], loc="outside lower center", ncols=4)
    return fig


def _mark(ax: Axes, scenarios: pd.DataFrame, name: str) -> None:
    """Mark scenarios, the replay first, each with a marker of its own."""
    colors = itertools.cycle(look.CHANNELS[1:])
    for part, marker in zip(scenarios.to_dict("records"), itertools.cycle(MARKERS)):
        first = marker == MARKERS[0] and part["scenario"] == scenarios["scenario"].iloc[0]
        style = LAST if first else PLANNED | {"color": next(colors), "marker": marker}
        label = str(part["scenario"]).capitalize() if first else str(part["scenario"])
        ax.plot([part["budget"]], [part[name]], linestyle="", zorder=4, label=label, **style)


@look.styled
def gains(scenarios: pd.DataFrame) -> Figure:
    """Show how much more each plan is expected to sell than a replay of the last period.

    Parameters
    ----------
    scenarios : pd.DataFrame (scenario,)
        `planning.study.scenario_table`; rows without a gain (the replay) are left out.

    Returns
    -------
    Figure
        One axes: 50 and 94 % intervals against the zero line; mean and probability on the right.
    """
    shown = scenarios[scenarios["gain"].notna()]
    title = "Gain in sales over a replay of the last period"
    fig, ax = look.row_figure(9.5, title, shown["scenario"], 0.8, 1.8)
    ax.axvline(0, color=INK, linewidth=1)
    for row, part in enumerate(shown.itertuples()):
        outer = (part.gain_lower_94, part.gain_upper_94)
        look.interval(ax, row, outer, (part.gain_lower_50, part.gain_upper_50), part.gain)
    texts = [
        f"{human(part.gain)} ({human(part.gain_lower_94)} to {human(part.gain_upper_94)})"
        f"\n{of_sales(part.of_all_sales, part.of_media_sales).replace(', ', chr(10))}".rstrip()
        for part in shown.itertuples()
    ]
    look.margin_text(ax, texts, "mean (94% interval)")
    look.number_axis(ax.xaxis, f"{SALES}, more than the replay brings", ticks=6)
    look.from_zero(ax, shown[["gain_lower_94", "gain_upper_94"]].to_numpy(float))
    ax.set_title("Dot: mean; thick line: 50% interval; thin line: 94% interval")
    return fig


@look.styled
def moves(table: pd.DataFrame, profit: bool = False) -> Figure:
    """Show how much of the gain plans bring that may not move any channel far.

    Parameters
    ----------
    table : pd.DataFrame (limit,)
        `planning.moves.move_curve`.
    profit : bool
        Whether the gain is in profit, not in sales.

    Returns
    -------
    Figure
        One axes: 50 and 94 % intervals against the zero line; share of the widest plan's gain and
        money moved on the right.
    """
    what = "profit" if profit else "sales"
    title = f"Gain in {what} by how far a channel may move"
    fig, ax = look.row_figure(9.5, title, [_limit(part) for part in table.itertuples()], 0.5, 1.6)
    ax.axvline(0, color=INK, linewidth=1)
    for row, part in enumerate(table.itertuples()):
        color = MODEL if part.is_plan else MUTED
        inner = (part.lower_50, part.upper_50)
        look.interval(ax, row, (part.lower_94, part.upper_94), inner, part.gain, color)
    texts = [
        f"{human(part.gain)}{_of_widest(part.of_widest)}, moves {human(part.moved)}"
        for part in table.itertuples()
    ]
    look.margin_text(ax, texts, "mean (of the widest), money moved")
    name = "Profit" if profit else SALES
    look.number_axis(ax.xaxis, f"{name}, more than the replay brings", ticks=6)
    look.from_zero(ax, table[["lower_94", "upper_94"]].to_numpy(float))
    ax.set_title("Dot: mean; thick line: 50% interval; thin line: 94% interval; blue: this plan")
    return fig


def _limit(part: Any) -> str:
    told = f"at most {part.most:.0%}" if part.most > 0 else "the mix as it was"
    told = told if np.isfinite(part.most) else "as far as seen"
    return f"{told} (this plan)" if part.is_plan else told


def _of_widest(share: float) -> str:
    return f" ({share:.0%})" if np.isfinite(share) else ""


@look.styled
def weekly_spend(weekly: pd.DataFrame, last: np.ndarray) -> Figure:
    """Show the planned money of each week beside that of the last period.

    Parameters
    ----------
    weekly : pd.DataFrame (week, channel)
        Money, index week (dates) (`Plan.weekly`).
    last : np.ndarray (week, channel)
        Money of the last period, as many weeks.

    Returns
    -------
    Figure
        One axes per channel over the weeks of the window.
    """
    fig, axes = _small_multiples("Spend by week of the window", weekly.columns)
    weeks = np.arange(1, len(weekly) + 1)
    edges = np.append(weeks, len(weekly) + 1) - 0.5
    for ax, plan, before in zip(axes, weekly.to_numpy(float).T, last.T, strict=True):
        ax.stairs(plan, edges, fill=True, color=MODEL, alpha=0.25)
        ax.stairs(plan, edges, color=MODEL, linewidth=1.8, label="Plan")
        style = {"color": INK, "linestyle": "--", "marker": "o", "markersize": 3.5}
        ax.plot(weeks, before, linewidth=1, label="Last period", **style)
        look.number_axis(ax.xaxis, "", ticks=9)
        ax.xaxis.get_major_locator().set_params(integer=True)
        look.number_axis(ax.yaxis, "", ticks=4)
        ax.set_xlim(edges[0], edges[-1])
        ax.set_ylim(0, 1.08 * max(plan.max(), before.max()) or 1.0)
    look.legend(fig, axes[0])
    return fig
