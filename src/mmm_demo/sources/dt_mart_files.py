"""The seven DT Mart files as they are: one reader each, which refuses what is not its file.

The five small files are read cell by cell. The two large ones are parsed by pandas; only when
they turn out to be faulty are they read again, cell by cell, to name the line.

Every reader takes the folder of the files and raises `FileNotFoundError` when its file is not
there, and `DataError` (file, line, column, value, next step) when it is not what it should be.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mmm_demo.settings.dt_mart_options import CHANNELS, SPARSE_CHANNELS
from mmm_demo.sources.dt_mart_cells import (
    AGAIN,
    CRORE,
    FIRST_DAY,
    LAST_DAY,
    SALES_DAYS,
    Parser,
    Parsers,
    amount,
    count,
    crore,
    find_file,
    in_months,
    iso_day,
    minute,
    number,
    or_nothing,
    read_first_rows,
    read_large,
    read_rows,
    refuse,
    score,
    text,
    us_day,
    whole,
)

SPREADSHEET_ROWS = 1_048_575  # a spreadsheet drops the rows after these without a word
SALE_DAYS = 44
ROUNDING = 0.55  # crore: nine channels and their total, each rounded to 0.1, and some to spare
CATEGORIES = {  # order items in the real firstfile.csv
    "EntertainmentSmall": 918_775,
    "CameraAccessory": 246_499,
    "GamingHardware": 222_773,
    "Camera": 99_301,
    "GameCDDVD": 90_731,
}
REAL_ROWS, REAL_VERTICALS = 1_578_079, 72
REAL_START = ("2015-07-01", "No Promotion")
REAL_FIRST_ROWS = (  # from gmv_new on
    (3040.0, 1.0, 3650.0, 610.0, "EntertainmentSmall", "HomeAudio", "HomeAudioSpeaker"),
    (310.0, 1.0, 400.0, 90.0, "EntertainmentSmall", "Speaker", "LaptopSpeaker"),
    (1999.0, 1.0, 7999.0, 6000.0, "GamingHardware", "GamingAccessory", "GamePad"),
    (139.0, 1.0, 700.0, 561.0, "EntertainmentSmall", "TVVideoSmall", "RemoteControl"),
    (99.0, 1.0, 700.0, 601.0, "EntertainmentSmall", "TVVideoSmall", "RemoteControl"),
)
FIRSTFILE_NUMBERS: Parsers = {  # and their names in the table of `read_firstfile`
    **{"gmv_new": amount, "units": amount, "product_mrp": amount, "discount": number}
}
FIRSTFILE: Parsers = {
    **{"Date": iso_day, "Sales_name": text},
    **FIRSTFILE_NUMBERS,
    **{"product_category": text, "product_subcategory": text, "product_vertical": text},
}
SALES: Parsers = {
    **{"ID": str, "Date": minute, "ID_Order": str, "ID_Item_ordered": str},
    **{"GMV": or_nothing(number), "Units_sold": whole, "SLA": whole},
    **{"Product_Category": text, "Analytic_Category": text, "Sub_category": text},
    **{"product_analytic_vertical": str, "MRP": amount, "Procurement_SLA": whole},
}
SALES_TEXTS = ("Product_Category", "Analytic_Category", "Sub_category")
SALES_LOOSE = ("ID", "product_analytic_vertical")  # nothing is published about empty cells in them
SALES_IDS = ("ID_Order", "ID_Item_ordered")  # 3.42E+15: a spreadsheet rounded them
SALES_WHOLE = ("Units_sold", "SLA", "Procurement_SLA")


@dataclass(frozen=True)
class DtMartFile:
    """One file, read: its table, the rows of the file, and what to know about it."""

    table: pd.DataFrame
    rows: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class FirstFileFacts:
    """What a firstfile.csv is known by.

    Attributes
    ----------
    rows
        Number of order items.
    first_rows
        The first five, without their row number; dates as YYYY-MM-DD.
    categories
        Order items per product category.
    verticals
        Number of distinct product verticals.
    """

    rows: int
    first_rows: tuple[tuple[str | float, ...], ...]
    categories: dict[str, int]
    verticals: int


@dataclass(frozen=True, kw_only=True)
class FirstFile(DtMartFile):
    """firstfile.csv summed by day, with the facts about its order items."""

    facts: FirstFileFacts


def is_real_firstfile(facts: FirstFileFacts) -> bool:
    """Tell whether these are the published facts: only then may a result be called DT Mart."""
    return (
        facts.rows == REAL_ROWS
        and facts.categories == CATEGORIES
        and facts.verticals == REAL_VERTICALS
        and tuple(row[2:] for row in facts.first_rows) == REAL_FIRST_ROWS
        and facts.first_rows[0][:2] == REAL_START
    )


# --- the two large files -------------------------------------------------------------------------


def read_firstfile(folder: Path) -> FirstFile:
    """Read firstfile.csv, one row per order item, and sum it by day.

    Equal rows are kept: two customers may buy the same product on the same day.

    Returns
    -------
    FirstFile
        Table of shape (days with an order item, 5), index Date in order: gmv_new, product_mrp,
        discount (INR), units and rows (order items). At the real size about 2 s and 150 MB.

    Raises
    ------
    FileNotFoundError
        When the folder has no such file.
    DataError
        When it is not that file, or does not reach from the first day to the last.
    """
    path = find_file(folder, "firstfile.csv")
    head = read_first_rows(path, FIRSTFILE)
    categories: Counter[str] = Counter()
    verticals: set[str] = set()
    days: list[pd.DataFrame] = []

    def use(items: pd.DataFrame) -> None:
        days.append(_sums_by_day(items))
        categories.update(items["product_category"].value_counts().to_dict())
        verticals.update(items["product_vertical"].cat.categories)

    texts = [name for name in FIRSTFILE if name not in FIRSTFILE_NUMBERS]
    read_large(path, FIRSTFILE, dict.fromkeys(texts, "category"), use)
    daily = pd.concat(days).groupby(level=0).sum()  # a chunk may end within a day
    daily = daily.astype({"units": "int64", "rows": "int64"})
    rows = int(daily["rows"].sum())
    cut = _cut_by_spreadsheet(path, rows)
    if (daily.index[0].date(), daily.index[-1].date()) != (FIRST_DAY, LAST_DAY):
        span = f"holds {daily.index[0]:%Y-%m-%d} to {daily.index[-1]:%Y-%m-%d}"
        what = f"line {rows + 1}, column 'Date': the file ends here and {span}"
        hint = "".join(f" ({warning})" for warning in cut)
        refuse(path, [f"{what}, not {FIRST_DAY} to {LAST_DAY}{hint}; truncated? Then {AGAIN}"])
    first = tuple((f"{row.pop('Date'):%Y-%m-%d}", *row.values()) for row in head)
    facts = FirstFileFacts(rows, first, dict(categories), len(verticals))
    return FirstFile(table=daily, rows=rows, warnings=cut, facts=facts)


def _sums_by_day(items: pd.DataFrame) -> pd.DataFrame:
    amounts = items[list(FIRSTFILE_NUMBERS)]
    low = amounts.drop(columns="discount").min(axis=None)
    if items[[*FIRSTFILE]].isna().any(axis=None) or not (
        np.isfinite(amounts).all(axis=None) and low >= 0
    ):
        raise ValueError("a cell is empty, negative or not finite")
    days = items["Date"].cat.rename_categories(iso_day)
    sums = amounts.assign(rows=1).groupby(days, observed=True).sum()
    return sums.set_axis(pd.DatetimeIndex(sums.index, name="Date"))


def read_sales(folder: Path) -> DtMartFile:
    """Read Sales.csv: order items of October 2015 to April 2016, tab-separated.

    Returns
    -------
    DtMartFile
        Table of shape (rows, 11): ID, Date (DD-MM-YYYY HH:MM in the file), GMV (INR, NaN where
        the cell is blank), Units_sold, SLA (days), four product columns, MRP (INR) and
        Procurement_SLA (days). The order ids are left out: a spreadsheet rounded them.
    """
    path = find_file(folder, "Sales.csv")
    read_first_rows(path, SALES, "\t")
    parts: list[pd.DataFrame] = []
    texts = (*SALES_TEXTS, *SALES_LOOSE)
    types = dict.fromkeys(("Date", *texts), "str")
    read_large(path, SALES, types, lambda items: parts.append(_typed_sales(items)), "\t")
    table = pd.concat(parts, ignore_index=True).astype(dict.fromkeys(texts, "category"))
    warnings = _cut_by_spreadsheet(path, len(table))
    if blank := int(table["GMV"].isna().sum()):
        warnings += (f"Sales.csv: {blank:,} rows have no GMV; read as NaN, not as 0",)
    return DtMartFile(table, len(table), warnings)


def _typed_sales(items: pd.DataFrame) -> pd.DataFrame:
    times = pd.to_datetime(items["Date"], format="%d-%m-%Y %H:%M")
    wholes = items[list(SALES_WHOLE)]
    sound = [
        not items[["MRP", *SALES_WHOLE, *SALES_TEXTS]].isna().any(axis=None),
        times.dt.normalize().between(*map(pd.Timestamp, SALES_DAYS)).all(),
        (wholes % 1 == 0).all(axis=None),
        (items["MRP"] >= 0).all(),
        not np.isinf(items["GMV"]).any(),
    ]
    if not all(sound):
        raise ValueError("a cell is empty, out of range or no number")
    items = items.drop(columns=["", *SALES_IDS], errors="ignore")
    return items.assign(Date=times).astype(dict.fromkeys(SALES_WHOLE, "int64"))


def _cut_by_spreadsheet(path: Path, rows: int) -> tuple[str, ...]:
    if rows != SPREADSHEET_ROWS:
        return ()
    return (f"{path.name}: {rows:,} rows, as many as a spreadsheet keeps; later ones are lost",)


# --- the five small files ------------------------------------------------------------------------


def read_media_investment(folder: Path) -> DtMartFile:
    """Read MediaInvestment.csv: spend per month and channel.

    Returns
    -------
    DtMartFile
        Table of shape (12, 11): Month (its first day), Total Investment and `CHANNELS` in INR
        (the file has crore), rounded to rupees. Empty cells of Radio and Other are NaN.
    """
    path = find_file(folder, "MediaInvestment.csv")
    parsers: Parsers = {"Year": whole, "Month": whole, "Total Investment": crore}
    parsers |= {name: _sparse(crore, name) for name in CHANNELS}
    raw = read_rows(path, parsers)
    inside = raw["Month"].between(1, 12) & raw["Year"].between(FIRST_DAY.year, LAST_DAY.year)
    step = f"is outside the range {FIRST_DAY:%Y-%m} to {LAST_DAY:%Y-%m}; correct the row"
    outside = raw[~inside].iterrows()
    refuse(
        path,
        [f"line {at}, column 'Month': {r.Year:.0f}-{r.Month:.0f} {step}" for at, r in outside],
    )
    off = (raw[list(CHANNELS)].sum(axis=1) - raw["Total Investment"]).abs() / CRORE
    warnings = tuple(
        f"{path.name}, line {at}: channels and 'Total Investment' differ by {gap:.1f} crore, more "
        "than by rounding; check the row"
        for at, gap in off[off > ROUNDING].items()
    )
    days = pd.to_datetime(raw[["Year", "Month"]].assign(Day=1))
    table = in_months(path, raw.drop(columns=["Year", "Month"]), days)
    return DtMartFile(table, len(table), warnings)


def _sparse(parse: Parser, channel: str) -> Parser:
    return or_nothing(parse) if channel in SPARSE_CHANNELS else parse


def read_second_file(folder: Path) -> DtMartFile:
    """Read Secondfile.csv: months in R's style, out of order, with `NA` for empty.

    Returns
    -------
    DtMartFile
        Table of shape (12, 36): Month, revenue, units, MRP and discount per category and in
        total (`total_gmv`, ...), Total Investment, `CHANNELS` and NPS; money in INR.
    """
    path = find_file(folder, "Secondfile.csv")
    parsers: Parsers = {"Date": iso_day, "month": text, "Year": whole, "Month": whole}
    for kind, total in {"Revenue": "gmv", "Units": "Units", "Mrp": "Mrp"}.items():
        parsers |= {f"{kind}_{name}": amount for name in CATEGORIES} | {f"total_{total}": amount}
    parsers |= {f"Discount_{name}": number for name in CATEGORIES} | {"total_Discount": number}
    parsers |= {"Total Investment": amount, "NPS": score}
    parsers |= {name: _sparse(amount, name) for name in CHANNELS}
    raw = read_rows(path, parsers)
    table = in_months(path, raw.drop(columns=["Date", "month", "Year", "Month"]), raw["Date"])
    return DtMartFile(table, len(table))


def read_nps(folder: Path) -> DtMartFile:
    """Read MonthlyNPSscore.csv (M/D/YYYY): table of shape (12, 2), Month and NPS (points)."""
    path = find_file(folder, "MonthlyNPSscore.csv")
    raw = read_rows(path, {"Date": us_day, "NPS": score})
    table = in_months(path, raw[["NPS"]], raw["Date"])
    return DtMartFile(table, len(table))


def read_special_sales(folder: Path) -> DtMartFile:
    """Read SpecialSale.csv (M/D/YYYY): table of shape (44, 2), Date and Sales Name by sale day."""
    path = find_file(folder, "SpecialSale.csv")
    table = read_rows(path, {"Date": us_day, "Sales Name": text})
    again = table.loc[table["Date"].duplicated(), "Date"].items()
    refuse(path, [f"line {at}, column 'Date': {day:%Y-%m-%d} again; drop it" for at, day in again])
    if len(table) != SALE_DAYS:
        end = f"line {table.index[-1]}, column 'Date': the file ends here"
        what = f"{end} with {len(table)} sale days, not {SALE_DAYS}"
        refuse(path, [f"{what}; truncated? Then {AGAIN}"])
    return DtMartFile(table.sort_values("Date", ignore_index=True), len(table))


def read_product_list(folder: Path) -> DtMartFile:
    r"""Read ProductList.csv: order items of the parent data set per product vertical.

    Returns
    -------
    DtMartFile
        Table of shape (74, 3): Product (missing for `\N`), Frequency, Percent. The `Total` row
        must come last and be the sum of the others; it is not in the table.
    """
    path = find_file(folder, "ProductList.csv")
    raw = read_rows(path, {"Product": text, "Frequency": count, "Percent": amount})
    table, last = raw.iloc[:-1], raw.iloc[-1]
    where = f"line {raw.index[-1]}, column"
    if last["Product"] != "Total":
        refuse(path, [f"{where} 'Product': the last row is not 'Total'; truncated? Then {AGAIN}"])
    if (counted := int(table["Frequency"].sum())) != last["Frequency"]:
        what = f"'Total' is {last['Frequency']:,}, but the rows add up to {counted:,}"
        refuse(path, [f"{where} 'Frequency': {what}; rows lost? Then {AGAIN}"])
    products = table["Product"].mask(table["Product"] == r"\N")
    return DtMartFile(table.assign(Product=products).reset_index(drop=True), len(raw))
