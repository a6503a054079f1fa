"""Where the weekly table comes from, and what it must be: the door of `sources` and `tables`."""

from mmm_demo.sources.market import MarketingData, known_truth, load_data, load_market
from mmm_demo.tables.contract import validate_table
from mmm_demo.tables.faults import DataError
from mmm_demo.tables.table_file import read_csv

__all__ = [
    "DataError",
    "MarketingData",
    "known_truth",
    "load_data",
    "load_market",
    "read_csv",
    "validate_table",
]
