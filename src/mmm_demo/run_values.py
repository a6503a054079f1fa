"""What runs call their values, and how steps tell of their progress."""

import re
from collections.abc import Callable

import pandas as pd

LABEL_TAG = "data.label"
WARNINGS_TAG = "data.warnings"  # of the table, as it was read for the fit
SALES_PARAM = "data.sales_sha256"  # of `trace.sales_sha256`: what fits that compare share
Say = Callable[[str], None]


def by_channel(prefix: str, table: pd.DataFrame, column: str) -> dict[str, float]:
    """Return one metric per channel, e.g. `roas.TV`."""
    names = (metric_name(f"{prefix}.{channel}") for channel in table["channel"])
    return dict(zip(names, table[column], strict=True))


def metric_name(text: str) -> str:
    """Return text with the characters replaced that a metric's name may not have."""
    return re.sub(r"[^\w.\- /]", "_", text)
