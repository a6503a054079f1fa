"""What runs call their values, and how steps tell of their progress."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pandas as pd

from mmm_demo.settings.names import key

LABEL_TAG = "data.label"
SAMPLING_TAG = "sampling"  # which attempt was kept, and how it moved
WARNINGS_TAG = "data.warnings"  # of the table, as it was read for the fit
SALES_PARAM = "data.sales_sha256"  # of `trace.sales_sha256`: what fits that compare share
Say = Callable[[str], None]
# Shows how far a sampler is: inside of the block it is told of each `fits.sampler.Progress`.
Bar = Callable[[], AbstractContextManager[Callable[[Any], None] | None]]


def by_channel(prefix: str, table: pd.DataFrame, column: str) -> dict[str, float]:
    """Return one metric per channel, e.g. `roas.TV`."""
    names = (key(str(channel), f"{prefix}.") for channel in table["channel"])
    return dict(zip(names, table[column], strict=True))


def read_csv(path: Path) -> pd.DataFrame:
    """Read a table that a run keeps; `NA` and `2024` are channels where they stand for one."""
    table = pd.read_csv(path)
    if "channel" in table:
        names = pd.read_csv(path, usecols=["channel"], dtype=str, keep_default_na=False)
        table["channel"] = names["channel"]
    return table
