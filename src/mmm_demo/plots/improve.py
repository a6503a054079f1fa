"""Plot of the ROAS of several fits, side by side."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mmm_demo.plots import style as look
from mmm_demo.plots.style import MODEL, MUTED, SPEND
from mmm_demo.settings.wording import ROAS_UNIT

ACROSS = 3


@look.styled
def roas_of_fits(tables: Sequence[tuple[str, pd.DataFrame]], chosen: int | None) -> Figure:
    """Set the ROAS of fits beside each other, a panel per channel.

    Parameters
    ----------
    tables : sequence of (name, pd.DataFrame (channel,))
        The fit as it is first; columns channel, median, lower_94, upper_94.
    chosen
        Position of the recommended one; None for none.

    Returns
    -------
    Figure
        A panel per channel, a row per fit: dot the median, line the 94 % interval.
    """
    channels = list(tables[0][1]["channel"])
    names = [name for name, _ in tables]
    across = min(ACROSS, len(channels))
    size = (max(6.0, 3.2 * across + 1.6), 0.34 * len(names) + 0.9, 0.9)
    title = "Return on ad spend (ROAS) by channel and fit"
    fig, axes = look.panel_figure(size, title, len(channels), across, sharey=True)
    for ax, channel in zip(axes, channels, strict=True):
        rows = [table[table["channel"] == channel].iloc[0] for _, table in tables]
        for number, row in enumerate(rows):
            color = SPEND if number == chosen else MODEL if number == 0 else MUTED
            ends = [row["lower_94"], row["upper_94"]]
            look.interval(ax, number, ends, None, row["median"], color, 6.0)
        spans = [
            np.array([row[end] for row in rows], float)
            for end in ("lower_94", "median", "upper_94")
        ]
        look.span_axis(ax, ROAS_UNIT.capitalize(), *spans, percent=False)
        look.row_axis(ax, names)
        ax.set_title(channel)
    return fig
