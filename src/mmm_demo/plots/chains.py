"""Plots of the sampler's chains: what every draw, its rank, its interval and its energy say.

Draws in, a matplotlib Figure out, also of a fit that failed: what is wrong with it is named.
"""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import ScalarFormatter

from mmm_demo.plots import style as look
from mmm_demo.plots.glyphs import shown
from mmm_demo.plots.style import FAULT, INK, MODEL, PALETTE, SPEND

RANK_BINS = 20
GRID_COLUMNS = 4
MAX_PANELS = 60  # more parameters than this are cut, and the title says so


@look.styled
def trace(posterior: xr.Dataset) -> Figure:
    """Show every draw of every free parameter in sampling order, one colour per chain.

    Parameters
    ----------
    posterior : xr.Dataset
        Free parameters with dims chain, draw and any others (model units).

    Returns
    -------
    Figure
        One axes per scalar; a red title says what is wrong with its draws.
    """
    fig, panels = _mcmc_grid(posterior, "Trace: every draw in sampling order", "Draw")
    for ax, values in panels:
        for chain, line in enumerate(values):
            ax.plot(line, color=PALETTE[chain % 10], linewidth=0.35, alpha=0.8)
        ax.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
        ax.margins(x=0)
    return fig


@look.styled
def rank(posterior: xr.Dataset) -> Figure:
    """Show, for every free parameter, how each chain's draws rank among all: flat is well mixed.

    Parameters
    ----------
    posterior : xr.Dataset
        Free parameters with dims chain, draw and any others (model units).

    Returns
    -------
    Figure
        One axes per scalar: histogram of fractional ranks per chain, dashed where all agree.
    """
    alone = posterior.sizes["chain"] < 2
    what = "one chain has nothing to be compared with" if alone else "draws per bin and chain"
    xlabel = "Fractional rank among all chains (flat along the dashed line is well mixed)"
    fig, panels = _mcmc_grid(posterior, f"Ranks of the draws: {what}", xlabel)
    edges = np.linspace(0, 1, RANK_BINS + 1)
    for ax, values in panels:
        ranks = pd.Series(values.ravel()).rank(pct=True).to_numpy().reshape(values.shape)
        for chain, line in enumerate(ranks):
            counts, _ = np.histogram(line[np.isfinite(line)], edges)
            ax.stairs(counts, edges, baseline=None, color=PALETTE[chain % 10], linewidth=1.2)
        flat = np.isfinite(ranks).sum() / len(values) / RANK_BINS
        ax.axhline(flat, color=INK, linestyle="--", linewidth=0.8)
        ax.set_ylim(0, max(ax.get_ylim()[1], 1.6 * flat) or 1)
        ax.margins(x=0)
    return fig


@look.styled
def forest(posterior: xr.Dataset) -> Figure:
    """Show the intervals of every free parameter, chain by chain.

    Parameters
    ----------
    posterior : xr.Dataset
        Free parameters with dims chain, draw and any others (model units).

    Returns
    -------
    Figure
        One axes per variable (each has its own scale), one row per scalar.
    """
    groups, cut = _scalars(posterior)
    order = sorted(groups, key=lambda name: -len(groups[name]))
    pairs = [order[i : i + 2] for i in range(0, len(order), 2)]
    heights = [len(groups[pair[0]]) + 1.2 for pair in pairs]
    title = f"Posterior by chain: median, 50% and 94% interval{cut}"
    fig = look.new_figure(12, 0.36 * sum(heights) + 1.2, title)
    grid = fig.add_gridspec(len(pairs), 2, height_ratios=heights)
    for i, name in enumerate(order):
        ax = look.tidy(fig.add_subplot(grid[i // 2, i % 2]), grid="x", small=True)
        _forest_panel(ax, groups[name])
    _chain_legend(fig, posterior.sizes["chain"])
    return fig


@look.styled
def energy(sample_stats: xr.Dataset) -> Figure:
    """Compare the energies visited with the steps between them.

    Parameters
    ----------
    sample_stats : xr.Dataset
        With ``energy`` (chain, draw).

    Returns
    -------
    Figure
        One axes; the legend holds the BFMI of each chain, the title the lowest.
    """
    if "energy" not in sample_stats:
        raise ValueError(f"sample_stats has no 'energy', only {sorted(sample_stats.data_vars)}")
    values = sample_stats["energy"].transpose("chain", "draw").values.astype(float)
    values = np.where(np.isfinite(values), values, np.nan)
    chains = [line[np.isfinite(line)] for line in values]
    centred = np.concatenate([line - line.mean() for line in chains if line.size] or [[]])
    steps = np.diff(values, axis=1)
    bfmi = [_bfmi(line) for line in values]
    fig = look.new_figure(9, 4.5, "Energy: where the sampler was, and how far each step took it")
    ax = look.tidy(fig.subplots())
    shape = {"bins": 60, "density": True, "histtype": "stepfilled", "alpha": 0.4}
    for data, label, color in ((centred, "Marginal energy", MODEL), (steps, "Transition", SPEND)):
        good = data[np.isfinite(data)]
        if good.size:
            ax.hist(good, color=color, label=label, **shape)
    for chain, value in enumerate(bfmi):
        ax.plot([], [], " ", label=f"Chain {chain}: BFMI {value:.2f}")
    ax.set_title(f"Lowest BFMI {np.min(bfmi):.2f} (the two shapes should be equally wide)")
    ax.set(xlabel="Energy minus its mean", ylabel="Density")
    look.legend(fig, ax, columns=3)
    return fig


def _mcmc_grid(
    posterior: xr.Dataset, title: str, xlabel: str
) -> tuple[Figure, list[tuple[Axes, np.ndarray]]]:
    """Return a figure and, for every scalar of the posterior, its axes and draws (chain, draw).

    The axes are small and titled; what is wrong with a scalar is in red. The panels are alike, so
    the layout is plain arithmetic: constrained layout would take seconds.
    """
    groups, cut = _scalars(posterior)
    panels = {label: values for group in groups.values() for label, values in group.items()}
    rows = -(-len(panels) // GRID_COLUMNS)
    width, height = 13.0, 1.45 * rows + 1.2
    fig = look.new_figure(width, height, title + cut, layout=None)
    edges = {"left": 0.6 / width, "right": 1 - 0.2 / width, "wspace": 0.24, "hspace": 0.42}
    fig.subplots_adjust(top=1 - 0.75 / height, bottom=0.85 / height, **edges)
    axes = fig.subplots(rows, GRID_COLUMNS, sharex=True, squeeze=False).ravel()
    for spare in axes[len(panels) :]:
        spare.remove()
    for i, (ax, (label, values)) in enumerate(zip(axes, panels.items(), strict=False)):
        wrong, name = _fault(values), shown(label, 58)
        size = 8.5 * min(1.0, 42 / max(map(len, name.split("\n"))))
        ax.set_title(name, fontsize=size, color=FAULT if wrong else INK)
        if wrong:
            box = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1.5}
            place = {"transform": ax.transAxes, "va": "top", "fontsize": 8, "bbox": box}
            ax.text(0.03, 0.94, wrong, color=FAULT, **place)
        look.tidy(ax, small=True).tick_params(labelbottom=i + GRID_COLUMNS >= len(panels))
        ax.yaxis.set_major_locator(look.ticker(3))
    fig.text(0.5, 0.4 / height, xlabel, ha="center", va="center")
    _chain_legend(fig, posterior.sizes["chain"])
    return fig, list(zip(axes, panels.values(), strict=False))


def _scalars(posterior: xr.Dataset) -> tuple[dict[str, dict[str, np.ndarray]], str]:
    """Split a posterior into scalars.

    Parameters
    ----------
    posterior : xr.Dataset
        Variables with dims chain, draw and any others.

    Returns
    -------
    tuple
        Variable -> label such as ``adstock_alpha[TV]`` -> draws (chain, draw), NaN for what is not
        finite; and a note when parameters beyond `MAX_PANELS` are left out.
    """
    groups: dict[str, dict[str, np.ndarray]] = {}
    total = kept = 0
    for name, array in posterior.data_vars.items():
        array = array.transpose("chain", "draw", ...)
        names = [[str(c) for c in array[dim].values] for dim in array.dims[2:]]
        values = np.where(np.isfinite(array.values.astype(float)), array.values, np.nan)
        for place in np.ndindex(*array.shape[2:]):
            total += 1
            if kept < MAX_PANELS:
                at = ", ".join(axis[i] for axis, i in zip(names, place, strict=True))
                label = f"{name}[{at}]" if at else str(name)
                groups.setdefault(str(name), {})[label] = values[(..., *place)]
                kept += 1
    if not total:
        raise ValueError("the posterior holds no parameters to plot")
    return groups, f" (first {kept} of {total} parameters)" if total > kept else ""


def _forest_panel(ax: Axes, group: dict[str, np.ndarray]) -> None:
    """Draw one variable: a row per scalar, in it an interval per chain."""
    wrong = {label: _fault(values) for label, values in group.items()}
    look.row_axis(ax, [f"{label}\n{why}" if why else label for label, why in wrong.items()])
    for tick, why in zip(ax.get_yticklabels(), wrong.values(), strict=True):
        tick.set_color(FAULT if why else INK)
    for row, values in enumerate(group.values()):
        for chain, line in enumerate(values):
            good = line[np.isfinite(line)]
            if good.size:
                low, left, mid, right, high = np.quantile(good, [0.03, 0.25, 0.5, 0.75, 0.97])
                y = row + 0.6 * ((chain + 0.5) / len(values) - 0.5)
                look.interval(ax, y, (low, high), (left, right), mid, PALETTE[chain % 10], size=4.0)
    ax.xaxis.set_major_locator(look.ticker(6))
    ax.xaxis.set_major_formatter(ScalarFormatter(useOffset=False))


def _fault(values: np.ndarray) -> str:
    """Return what is visibly wrong with the draws of one scalar, or nothing."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return "no finite draws"
    if finite.size < values.size:
        return f"{values.size - finite.size:,} draws not finite"
    if np.ptp(finite) == 0:
        return "constant"
    stuck = [str(chain) for chain, line in enumerate(values) if np.ptp(line) == 0]
    return f"constant in chain {', '.join(stuck)}" if stuck else ""


def _chain_legend(fig: Figure, chains: int) -> None:
    """Put the colours of the chains under the figure; works without a layout engine too."""
    keys = [Line2D([], [], color=PALETTE[i % 10], linewidth=2) for i in range(chains)]
    labels = [f"Chain {i}" for i in range(chains)]
    loc = "lower center" if fig.get_layout_engine() is None else "outside lower center"
    fig.legend(keys, labels, loc=loc, ncols=8)


def _bfmi(line: np.ndarray) -> float:
    """Return the BFMI of one chain (draw,); NaN when it is constant or not finite."""
    spread = np.var(line, ddof=1) if len(line) > 1 else 0.0
    return float(np.square(np.diff(line)).mean() / spread) if spread > 0 else float("nan")
