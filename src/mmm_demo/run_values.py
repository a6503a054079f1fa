"""What runs call their values, and how steps tell of their progress."""

from collections.abc import Callable

import pandas as pd

from mmm_demo.names import key

LABEL_TAG = "data.label"
SALES_PARAM = "data.sales_sha256"  # of `trace.sales_sha256`: what fits that compare share
Say = Callable[[str], None]


def by_channel(prefix: str, table: pd.DataFrame, column: str) -> dict[str, float]:
    """Return one metric per channel, e.g. `roas.TV`."""
    names = (key(str(channel), f"{prefix}.") for channel in table["channel"])
    return dict(zip(names, table[column], strict=True))
